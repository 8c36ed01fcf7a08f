//! What ends a supervisor's work early.

use crate::forge::ForgeError;
use crate::git::GitError;
use crate::journal::JournalError;
use crate::model::shell_word;
use crate::process::ProcessError;

/// Errors of this room. A failed task is not an error: it is recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// The journal cannot be read or written; nothing is done that could not be recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The forge refused, or did not answer.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// A process could not be handled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The file system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// Why.
        source: std::io::Error,
    },
    /// Another supervisor is at work in this repository.
    #[error("another orch is at work in this repository ({0}); see: orch status")]
    Busy(String),
    /// Another merge is at work in this repository.
    #[error(
        "another orch merge is at work in this repository, or an agent of orch pr address or fix{0}; run this again \
         when it has ended"
    )]
    Merging(String),
    /// A person ended it.
    #[error(
        "interrupted; nothing was landed, and what was tested or done is remembered; go on with the same command"
    )]
    Interrupted,
    /// The stored history makes no sense.
    #[error("run {0} has no first event; the journal is damaged")]
    NoHistory(String),
    /// A person ended the run while its journal could not be written.
    #[error("there was no room on the disk to record the end; make room, then: orch resume")]
    NoRoom,
    /// The branch to land on does not exist.
    #[error("there is no branch '{0}'; make it with: git branch {word}", word = shell_word(.0))]
    NoBranch(String),
    /// What was asked cannot be done.
    #[error("{0}")]
    Refused(String),
}

impl SupervisorError {
    /// Whether the journal cannot be trusted any more.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Journal(error) => error.is_damage(),
            Self::NoHistory(_) => true,
            _ => false,
        }
    }

    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
