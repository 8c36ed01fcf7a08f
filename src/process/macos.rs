//! macOS: the process table through sysinfo. There is no subreaper, no parent-death signal and no
//! control group here: descendants are found by parent while that chain holds, and by the key in
//! their environment after it.

use super::identity::{Process, ProcessId};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

/// Empty: the executable is asked for by name.
pub(super) const SELF_EXE: &str = "";

/// Nothing: a priority is the whole process's here, and the supervisor's must not go down.
pub fn lower_priority() {}

fn table(which: ProcessesToUpdate<'_>, kind: ProcessRefreshKind) -> Option<System> {
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(which, true, kind);
    Some(system)
}

fn row(process: &sysinfo::Process) -> Process {
    Process {
        id: ProcessId { pid: process.pid().as_u32(), start: process.start_time() },
        parent: process.parent().map_or(0, sysinfo::Pid::as_u32),
        zombie: matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead),
    }
}

/// The row of one process.
pub(super) fn process(pid: u32) -> Option<Process> {
    let pid = sysinfo::Pid::from_u32(pid);
    let system = table(ProcessesToUpdate::Some(&[pid]), ProcessRefreshKind::nothing())?;
    system.process(pid).map(row)
}

/// Milliseconds of CPU time of a process; what its ended children used is not told here.
pub(super) fn cpu_ms(pid: u32) -> Option<u64> {
    let pid = sysinfo::Pid::from_u32(pid);
    let system = table(ProcessesToUpdate::Some(&[pid]), ProcessRefreshKind::nothing().with_cpu())?;
    system.process(pid).map(sysinfo::Process::accumulated_cpu_time)
}

/// Bytes of a process's resident memory.
pub(super) fn memory(pid: u32) -> Option<u64> {
    let pid = sysinfo::Pid::from_u32(pid);
    let kind = ProcessRefreshKind::nothing().with_memory();
    table(ProcessesToUpdate::Some(&[pid]), kind)?.process(pid).map(sysinfo::Process::memory)
}

/// All rows.
pub(super) fn processes() -> Vec<Process> {
    let system = table(ProcessesToUpdate::All, ProcessRefreshKind::nothing());
    system.map(|s| s.processes().values().map(row).collect()).unwrap_or_default()
}

/// The numbers of all processes.
pub(super) fn pids() -> Vec<u32> {
    processes().into_iter().map(|process| process.id.pid).collect()
}

/// The process table is all there is here.
pub(super) fn children(_pid: u32) -> Option<Vec<u32>> {
    None
}

/// Whether the process has this variable with `needle` in its value. `None`: it shows none.
pub(super) fn carries(pid: u32, variable: &str, needle: &str) -> Option<bool> {
    let pid = sysinfo::Pid::from_u32(pid);
    let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
    let system = table(ProcessesToUpdate::Some(&[pid]), kind)?;
    let environ = system.process(pid)?.environ();
    if environ.is_empty() || needle.is_empty() {
        return None;
    }
    Some(environ.iter().filter_map(|entry| entry.to_str()).any(|entry| {
        let value = entry.strip_prefix(variable).and_then(|rest| rest.strip_prefix('='));
        value.is_some_and(|value| value.contains(needle))
    }))
}

/// Nothing that descendants inherit can be read of another process here.
pub(super) fn mark(_key: &str) -> Option<u64> {
    None
}

/// Sends a signal to this process if it is still the one that is meant.
pub(super) fn signal(id: ProcessId, signal: Signal) -> bool {
    id.is_alive() && i32::try_from(id.pid).is_ok_and(|pid| kill(Pid::from_raw(pid), signal).is_ok())
}

/// Orphans go to launchd here.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Linux")]
pub(super) fn become_subreaper() -> io::Result<()> {
    Ok(())
}

/// Without children there may still be descendants.
pub(super) const ADOPTS_ORPHANS: bool = false;

/// What waiting for children found.
pub(super) struct Reaped {
    /// `main` may have ended; it is left for its owner to wait for.
    pub ask_main: bool,
    /// No child is left at all.
    pub none_left: bool,
}

/// The agent is the only child there can be, and its owner waits for it.
pub(super) fn reap(main: Option<u32>) -> Reaped {
    Reaped { ask_main: main.is_some(), none_left: main.is_none() }
}

/// What a new child does of its own before it becomes the agent.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Linux")]
pub(super) fn prepare_agent(
    _shim: u32,
    _group: Option<RawFd>,
    _mark: Option<u64>,
) -> io::Result<()> {
    super::unix::reset_signals();
    Ok(())
}

/// Marks every descriptor above standard error to be closed by the next exec.
pub(super) fn close_on_exec() {
    super::unix::close_on_exec_one_by_one();
}

/// Control groups are Linux's.
pub(super) enum Group {}

impl Group {
    pub(super) fn create(_key: &str) -> Option<Self> {
        None
    }

    pub(super) fn existing(_path: &Path) -> Option<Self> {
        None
    }

    pub(super) fn path(&self) -> &Path {
        match *self {}
    }

    pub(super) fn door(&self) -> Option<RawFd> {
        match *self {}
    }

    pub(super) fn members(&self) -> Vec<u32> {
        match *self {}
    }

    pub(super) fn kill(&self) {
        match *self {}
    }

    pub(super) fn remove(&self) {
        match *self {}
    }
}
