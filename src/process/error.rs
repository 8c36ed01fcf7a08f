//! What can go wrong with a process, in the words a person can act on.

use std::io;
use std::path::PathBuf;

/// Errors of this room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The file system or the kernel refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The system's own words.
        source: io::Error,
    },
    /// The directory has already been used for an attempt.
    #[error("{} was already used for an attempt; every attempt needs a directory of its own", .0.display())]
    AlreadyStarted(PathBuf),
    /// The shim ended, or hung, before it took charge. The agent was not started.
    #[error("the shim of {} did not become ready: {message}", dir.display())]
    NotReady {
        /// The attempt's directory.
        dir: PathBuf,
        /// The shim's own words, or what happened to it.
        message: String,
    },
    /// The shim was killed before it took charge. The agent was not started.
    #[error("the shim of {} was killed before it was ready", .0.display())]
    ShimKilled(PathBuf),
    /// A file of the attempt does not contain what it must.
    #[error("{} cannot be read: {source}; remove the attempt's directory if it is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// Processes survived SIGKILL: they belong to another user or hang in the kernel.
    #[error("processes {pids:?} of {} could not be ended; end them by hand, then try again", dir.display())]
    Unkillable {
        /// The attempt's directory.
        dir: PathBuf,
        /// Their process ids.
        pids: Vec<u32>,
    },
}

impl ProcessError {
    /// For `map_err`: the system's error with what was being done.
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
