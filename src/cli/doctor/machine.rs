//! The machine: git, memory, limits.

use crate::config::Config;
use crate::process;
use crate::report::Findings;

/// The first git with `merge-tree --write-tree`.
const OLDEST_GIT: (u32, u32) = (2, 38);

/// Descriptors of the supervisor for each attempt (its log, its index, its shim) and for everything else.
const FILES_PER_JOB: u64 = 8;
const FILES_BESIDE: u64 = 128;

/// Processes and threads of an agent with its tools, a compiler among them.
const PROCESSES_PER_JOB: u64 = 64;

pub(super) fn git(found: &mut Findings) {
    let out = match std::process::Command::new("git").arg("--version").output() {
        Ok(out) => out,
        Err(error) => {
            found.problem("git", format!("cannot be started: {error}")).fix("install git");
            return;
        }
    };
    let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    match version(&text) {
        Some(version) if version < OLDEST_GIT => {
            let (major, minor) = OLDEST_GIT;
            found.problem("git", format!("{text}; orch needs {major}.{minor}")).fix("update git");
        }
        _ => found.ok("git", text),
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("git version ")?.split(['.', ' ']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub(super) fn limits(found: &mut Findings, config: &Config) {
    let default = process::default_jobs();
    let jobs = config.jobs.map_or(default.jobs as u64, u64::from);
    match config.jobs {
        Some(jobs) => found
            .ok("machine", format!("jobs = {jobs}; by cores and memory: {}", default.explanation)),
        None => found.ok("machine", default.explanation),
    }
    let limits = process::process_limits();
    let files = FILES_BESIDE + FILES_PER_JOB * jobs;
    let processes = PROCESSES_PER_JOB * jobs;
    match limits.open_files {
        Some(most) if most < files => {
            found
                .note("limits", format!("{most} open files, {files} are wanted for {jobs} jobs"))
                .fix(format!("ulimit -n {files}"));
        }
        most => found.ok("limits", format!("open files: {}", shown(most))),
    }
    match limits.processes {
        Some(most) if most < processes => {
            found
                .note("limits", format!("{most} processes, {processes} are wanted for {jobs} jobs"))
                .fix(format!("ulimit -u {processes}"));
        }
        most => found.ok("limits", format!("processes: {}", shown(most))),
    }
}

fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_git() {
        assert_eq!(version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(version("git version 3.0.rc1"), Some((3, 0)));
        assert!(version("git version 2.9.1") < Some(OLDEST_GIT));
        assert_eq!(version("something else"), None);
    }
}
