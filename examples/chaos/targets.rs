//! Whom to kill: the processes of the trial, by what they are.

use crate::place::Place;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::path::Path;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

/// What a process of the trial is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// With the task it works for.
    Shim(String),
    Agent(String),
    Child,
    /// A supervisor, git, a shell.
    Other,
}

#[derive(Clone, Debug)]
pub struct Target {
    pub pid: i32,
    pub role: Role,
    pub words: String,
}

/// Everything that lives in the trial's environment, whatever its session or parent.
pub fn look(place: &Place) -> Vec<Target> {
    let mut system = System::new().unwrap();
    let what = ProcessRefreshKind::nothing()
        .with_cmd(UpdateKind::Always)
        .with_environ(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    let mark = format!("CHAOS_MARK={}", place.mark);
    let ours = system.processes().values().filter(|p| {
        p.status() != ProcessStatus::Zombie && p.environ().iter().any(|e| e == OsStr::new(&mark))
    });
    ours.map(|p| {
        let words: Vec<String> = p.cmd().iter().map(|w| w.to_string_lossy().into_owned()).collect();
        let variable = |name: &str| {
            let mut all = p.environ().iter().map(|e| e.to_string_lossy().into_owned());
            all.find_map(|e| e.strip_prefix(name).map(str::to_owned)).unwrap_or_default()
        };
        let role = match words.get(1).map(String::as_str) {
            Some("shim") => Role::Shim(task_of(words.get(2))),
            Some("agent") => Role::Agent(variable("ORCH_TASK_ID=")),
            Some("linger") => Role::Child,
            _ => Role::Other,
        };
        Target { pid: i32::try_from(p.pid().as_u32()).unwrap_or(-1), role, words: words.join(" ") }
    })
    .filter(|target| target.pid > 1)
    .collect()
}

/// `.../runs/RUN/TASK/STEP.N`.
fn task_of(dir: Option<&String>) -> String {
    let task =
        dir.and_then(|dir| Path::new(dir).parent()?.file_name()?.to_str().map(str::to_owned));
    task.unwrap_or_default()
}

/// Whether there was somebody to kill.
pub fn end(pid: i32) -> bool {
    pid > 1 && kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok()
}
