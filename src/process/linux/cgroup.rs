//! A control group for one attempt: membership that no process can shed.
//!
//! Used only where this user was given a part of the hierarchy (a cgroup v2 directory that is not
//! the root and that we may write to, as under a systemd user session). Everywhere else the walk
//! over the process table does the work alone. Moving a process into a group makes every fork on
//! the machine wait for some milliseconds, which is why the root group, where we could as well, is
//! left alone: it was not given to us.

use super::unescape;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A leaf of the hierarchy that holds one attempt's processes.
pub(in crate::process) struct Group {
    path: PathBuf,
    procs: Option<File>,
}

impl Group {
    /// Makes one, where that is possible.
    pub(in crate::process) fn create(key: &str) -> Option<Self> {
        let path = own_directory()?.join(format!("orch-{key}"));
        fs::create_dir(&path).ok()?;
        let group =
            Self { procs: File::options().write(true).open(path.join("cgroup.procs")).ok(), path };
        // cgroup.kill came with Linux 5.14; without it the walk is as good.
        if group.procs.is_none() || !group.path.join("cgroup.kill").exists() {
            group.remove();
            return None;
        }
        Some(group)
    }

    /// One that an earlier process made.
    pub(in crate::process) fn existing(path: &Path) -> Option<Self> {
        path.join("cgroup.kill").exists().then(|| Self { path: path.to_owned(), procs: None })
    }

    /// Where it is.
    pub(in crate::process) fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor through which a process enters the group.
    pub(in crate::process) fn door(&self) -> Option<RawFd> {
        self.procs.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// The processes in it and in groups below it.
    pub(in crate::process) fn members(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        let mut todo = vec![self.path.clone()];
        while let Some(dir) = todo.pop() {
            let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            pids.extend(procs.lines().filter_map(|line| line.parse::<u32>().ok()));
            todo.extend(below(&dir));
        }
        pids
    }

    /// SIGKILL to all of them in one step, so that none can fork its way out.
    pub(in crate::process) fn kill(&self) {
        if let Ok(mut file) = File::options().write(true).open(self.path.join("cgroup.kill")) {
            let _ = file.write_all(b"1");
        }
    }

    /// Removes the group and those below it; the kernel refuses while a process is inside.
    pub(in crate::process) fn remove(&self) {
        fn remove(dir: &Path) {
            for child in below(dir) {
                remove(&child);
            }
            let _ = fs::remove_dir(dir);
        }
        remove(&self.path);
    }
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

/// The directory of our own group in the v2 hierarchy, unless it is the root.
fn own_directory() -> Option<PathBuf> {
    let groups = fs::read("/proc/self/cgroup").ok()?;
    let own = groups.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"0::/"))?;
    if own.is_empty() {
        return None;
    }
    let own = Path::new("/").join(std::ffi::OsStr::from_bytes(own));
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    mounts.split(|&b| b == b'\n').find_map(|line| directory_in(line, &own))
}

/// Where `group` is, if the mount on this line of mountinfo shows it.
fn directory_in(line: &[u8], group: &Path) -> Option<PathBuf> {
    let fields: Vec<&[u8]> = line.split(|&b| b == b' ').collect();
    // proc(5): 4 is the mount's root within the file system, 5 the mount point; the type follows
    // the separator.
    let kind = fields.iter().position(|f| *f == b"-").and_then(|at| fields.get(at + 1))?;
    if *kind != b"cgroup2" {
        return None;
    }
    let root = PathBuf::from(unescape(fields.get(3)?));
    let point = PathBuf::from(unescape(fields.get(4)?));
    Some(point.join(group.strip_prefix(root).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_below_its_mount() {
        let line = b"35 25 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw";
        let found = directory_in(line, Path::new("/user.slice/a.scope"));
        assert_eq!(found, Some("/sys/fs/cgroup/user.slice/a.scope".into()));
        let bound = b"35 25 0:30 /user.slice /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        assert_eq!(
            directory_in(bound, Path::new("/user.slice/a")),
            Some("/sys/fs/cgroup/a".into())
        );
        assert_eq!(directory_in(bound, Path::new("/other")), None);
        let v1 = b"35 25 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
        assert_eq!(directory_in(v1, Path::new("/a")), None);
    }
}
