//! What a run must not leave behind: processes, locks, temporary files.

use super::{Sandbox, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

/// Processes (not their threads, not zombies) whose command line, environment or working directory
/// mentions `root`: whatever session or parent they have by now.
fn processes_in(root: &Path) -> Vec<(i32, String)> {
    let mut system = System::new().unwrap();
    let everything = ProcessRefreshKind::nothing()
        .with_cmd(UpdateKind::Always)
        .with_environ(UpdateKind::Always)
        .with_cwd(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, everything);
    let root = root.as_os_str().as_bytes();
    let mentions = |text: &OsStr| text.as_bytes().windows(root.len()).any(|window| window == root);
    let processes = system.processes().values().filter(|p| {
        p.status() != ProcessStatus::Zombie
            && (p.cmd().iter().any(|a| mentions(a))
                || p.environ().iter().any(|e| mentions(e))
                || p.cwd().is_some_and(|c| mentions(c.as_os_str())))
    });
    let told = |p: &sysinfo::Process| {
        let words: Vec<_> = p.cmd().iter().map(|a| a.to_string_lossy()).collect();
        (i32::try_from(p.pid().as_u32()).unwrap_or(-1), words.join(" "))
    };
    processes.map(told).collect()
}

/// SIGKILL to everything that lives in `root`, until nothing does (or does not go).
pub fn end_everything_in(root: &Path) {
    for _ in 0..20 {
        let left = processes_in(root);
        if left.is_empty() {
            return;
        }
        for (pid, _) in left.into_iter().filter(|(pid, _)| *pid > 1) {
            // It may be gone already, which is as well.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

impl Sandbox {
    /// Processes that were started in this sandbox and live.
    pub fn processes(&self) -> Vec<(i32, String)> {
        processes_in(&self.root)
    }

    /// Waits until every process of this sandbox is gone.
    #[track_caller]
    pub fn no_process_is_left(&self) {
        let mut left = Vec::new();
        wait_until(&format!("no process is left: {:?}", self.processes()), || {
            left = self.processes();
            left.is_empty()
        });
    }

    /// No process, no lock of a worktree or of git, no temporary file.
    #[track_caller]
    pub fn nothing_is_left_behind(&self) {
        self.no_process_is_left();
        let mut left = Vec::new();
        visit(&self.repo.join(".git"), &mut |path| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            // The program may keep lock files of its own: there, the lock is what counts.
            let is_git_lock = ending == "lock" && !path.starts_with(self.repo.join(".git/orch"));
            if is_git_lock || name == "locked" || ending == "tmp" || name.starts_with(".tmp") {
                left.push(path.to_owned());
            }
        });
        visit(&self.root.join("tmp"), &mut |path| left.push(path.to_owned()));
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// Calls `seen` with everything below `folder`.
fn visit(folder: &Path, seen: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        seen(&entry.path());
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            visit(&entry.path(), seen);
        }
    }
}
