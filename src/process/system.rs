//! What the machine has.

use std::path::Path;
use sysinfo::{MemoryRefreshKind, RefreshKind};

/// Memory to keep for each agent: between the 143 MB of the leanest agent measured and the 1.2 GB
/// of the fattest, with room for the compilers and tests they start.
const BYTES_PER_AGENT: u64 = 1 << 30;

/// A reading of the machine, with the limits of the container taken into account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    /// Cores this process may use.
    pub cores: usize,
    /// Bytes of memory there are; 0 when the system does not say.
    pub memory_bytes: u64,
    /// Bytes of memory that programs could still get.
    pub free_memory: u64,
}

/// Reads it now.
#[must_use]
pub fn system() -> System {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let reading = sysinfo::System::new_with_specifics(memory).ok();
    let limits = reading.as_ref().and_then(sysinfo::System::cgroup_limits);
    let limit = |all: u64, limited: Option<u64>| limited.map_or(all, |limited| all.min(limited));
    let (total, free) = reading.map_or((0, 0), |r| (r.total_memory(), r.available_memory()));
    System {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: limit(total, limits.as_ref().map(|l| l.total_memory)),
        free_memory: limits.as_ref().map_or(free, |limits| System::limited(free, limits)),
    }
}

impl System {
    /// Free memory, with what a container's own page cache takes counted as free: the kernel gives it
    /// back before anything runs out.
    fn limited(all: u64, limits: &sysinfo::CGroupLimits) -> u64 {
        all.min(limits.free_memory.max(limits.total_memory.saturating_sub(limits.rss)))
    }
}

/// With fewer files left than a small worktree has, a disk is full.
const LEAST_FILES: u64 = 1000;

/// Room on the file system of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that this user may still write.
    pub free: u64,
    /// Bytes there are.
    pub total: u64,
}

/// The room where `path` is, or will be: asked of the nearest folder above it that exists. (sysinfo
/// lists the machine's disks, and does not say which one a path is on.)
#[must_use]
pub fn disk_space(path: &Path) -> Option<DiskSpace> {
    let place = path.ancestors().find(|place| place.exists())?;
    let stat = nix::sys::statvfs::statvfs(place).ok()?;
    // The types of the counts differ between systems.
    #[expect(clippy::useless_conversion, reason = "they are 32 bits wide on macOS")]
    let wide = |count| u64::from(count);
    let of = |blocks| wide(stat.fragment_size()) * wide(blocks);
    // Without room for files there is none for bytes. (Some file systems do not count them: 0 of 0.)
    let full = wide(stat.files()) > 0 && wide(stat.files_available()) < LEAST_FILES;
    let free = if full { 0 } else { of(stat.blocks_available()) };
    Some(DiskSpace { free, total: of(stat.blocks()) })
}

/// How much the system lets this user have; `None`: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Open files of one process.
    pub open_files: Option<u64>,
    /// Processes of the user.
    pub processes: Option<u64>,
}

/// The limits of this process, which its children inherit.
#[must_use]
pub fn process_limits() -> ProcessLimits {
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    let of = |resource| {
        let (soft, _) = getrlimit(resource).ok()?;
        (soft != RLIM_INFINITY).then_some(soft)
    };
    ProcessLimits { open_files: of(Resource::RLIMIT_NOFILE), processes: of(Resource::RLIMIT_NPROC) }
}

/// Processes that want to run, on average over the last minute; 0 where the system does not say.
#[must_use]
pub fn load() -> f64 {
    sysinfo::System::load_average().map_or(0.0, |load| load.one)
}

/// Whether this user could execute the file.
#[must_use]
pub fn can_run(program: &Path) -> bool {
    program.is_file() && nix::unistd::access(program, nix::unistd::AccessFlags::X_OK).is_ok()
}

/// Whether we may make files in a folder, or in the nearest one above it that exists. (Root may everywhere but on
/// file systems that are mounted read-only.)
#[must_use]
pub fn can_write(folder: &Path) -> bool {
    let place = folder.ancestors().find(|place| place.exists());
    place.is_some_and(|place| nix::unistd::access(place, nix::unistd::AccessFlags::W_OK).is_ok())
}

/// How many agents to run at once when nobody said, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultJobs {
    /// At least one.
    pub jobs: usize,
    /// One line for a person.
    pub explanation: String,
}

/// The default of `--jobs` on this machine, now.
#[must_use]
pub fn default_jobs() -> DefaultJobs {
    jobs_for(system())
}

fn jobs_for(system: System) -> DefaultJobs {
    let fit = usize::try_from(system.free_memory / BYTES_PER_AGENT).unwrap_or(usize::MAX);
    let jobs = if system.memory_bytes == 0 { system.cores } else { system.cores.min(fit).max(1) };
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let memory = if system.memory_bytes == 0 {
        "unknown memory".to_owned()
    } else {
        let free = system.free_memory as f64 / BYTES_PER_AGENT as f64;
        format!("{free:.1} GiB of memory free at 1 GiB an agent")
    };
    let explanation = format!(
        "{} ({}, {memory}; change it with --jobs)",
        plural(jobs, "job"),
        plural(system.cores, "core"),
    );
    DefaultJobs { jobs, explanation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_cores_and_memory_decides() {
        let of = |cores, gib: u64| {
            jobs_for(System { cores, memory_bytes: 64 << 30, free_memory: gib << 30 }).jobs
        };
        assert_eq!((of(8, 32), of(8, 3), of(8, 0), of(1, 32)), (8, 3, 1, 1));
        assert_eq!(jobs_for(System { cores: 4, memory_bytes: 0, free_memory: 0 }).jobs, 4);
    }

    #[test]
    fn the_machine_has_something() {
        let now = system();
        assert!(now.cores >= 1 && now.memory_bytes > 0 && now.free_memory <= now.memory_bytes);
    }
}
