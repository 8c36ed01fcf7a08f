//! The names of the files in an attempt's directory.

use std::path::{Path, PathBuf};

/// What to run; written by the supervisor before the shim exists. Its presence is the claim on the
/// directory.
pub(super) fn spec(dir: &Path) -> PathBuf {
    dir.join("spec.json")
}

/// The lock the shim holds while it lives. The only proof of life.
pub(super) fn lock(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// Who the shim is; written once it holds the lock and before the agent is executed.
pub(super) fn shim(dir: &Path) -> PathBuf {
    dir.join("shim.json")
}

/// Who the agent is; written right after it was executed.
pub(super) fn agent(dir: &Path) -> PathBuf {
    dir.join("agent.json")
}

/// How it ended; written durably before the shim exits.
pub(super) fn result(dir: &Path) -> PathBuf {
    dir.join("result.json")
}

/// What a living attempt uses; written anew from time to time.
pub(super) fn heartbeat(dir: &Path) -> PathBuf {
    dir.join("heartbeat.json")
}

/// Left by a recovery: a shim that comes to life after it must not run.
pub(super) fn refused(dir: &Path) -> PathBuf {
    dir.join("refused")
}

/// What the shim itself has to say.
pub(super) fn errors(dir: &Path) -> PathBuf {
    dir.join("shim.err")
}

/// The head of the agent's output.
pub(super) fn log(dir: &Path) -> PathBuf {
    dir.join("log")
}

/// The prefix of the files that hold the output's tail: `log.tail.N`.
pub(super) const TAIL_PREFIX: &str = "log.tail.";

/// A segment of the output's tail, counted from 1.
pub(super) fn tail(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{TAIL_PREFIX}{number}"))
}

/// The index beside a log file.
pub(super) fn index(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".idx");
    PathBuf::from(name)
}
