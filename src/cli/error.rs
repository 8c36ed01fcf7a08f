//! The one place where errors become exit codes.

use crate::config::ConfigError;
use crate::forge::ForgeError;
use crate::git::GitError;
use crate::journal::JournalError;
use crate::prompt::PromptErrors;
use crate::supervisor::{IntakeError, SupervisorError};
use std::fmt;

/// What kind of error it is: that decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something failed while it was being done.
    Failed,
    /// The journal cannot be trusted.
    Damaged,
    /// Wrong usage, configuration or input; nothing was started.
    Usage,
    /// A conflict, or a merge that could not be done.
    Conflict,
    /// Another supervisor is at work.
    Busy,
    /// Refused by governance.
    Governance,
    /// A person ended it.
    Interrupted,
}

/// An error as the user sees it.
#[derive(Debug)]
pub(super) struct CliError {
    kind: Kind,
    message: String,
}

impl CliError {
    pub(super) fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string() }
    }

    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(super) fn failed(message: impl fmt::Display) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Whether the journal has to be rebuilt.
    pub(super) fn is_damage(&self) -> bool {
        self.kind == Kind::Damaged
    }

    pub(super) fn code(&self) -> u8 {
        match self.kind {
            Kind::Failed | Kind::Damaged => 1,
            Kind::Usage => 2,
            Kind::Conflict => 3,
            Kind::Busy => 4,
            Kind::Governance => 5,
            Kind::Interrupted => 130,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<SupervisorError> for CliError {
    fn from(error: SupervisorError) -> Self {
        let kind = match &error {
            SupervisorError::Busy(_) | SupervisorError::Merging(_) => Kind::Busy,
            SupervisorError::NoRoom | SupervisorError::Interrupted => Kind::Interrupted,
            SupervisorError::Refused(_) | SupervisorError::NoBranch(_) => Kind::Usage,
            SupervisorError::Forge(ForgeError::Auth(_) | ForgeError::NoRepository(_)) => {
                Kind::Usage
            }
            SupervisorError::Git(git) => return Self::new(git_kind(git), error),
            SupervisorError::Journal(journal) => {
                return Self::new(journal_kind(journal), in_full(journal));
            }
            SupervisorError::NoHistory(_) => Kind::Damaged,
            _ => Kind::Failed,
        };
        Self::new(kind, error)
    }
}

impl From<IntakeError> for CliError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::World(error) => error.into(),
            IntakeError::Governance(_) => Self::new(Kind::Governance, error),
            _ => Self::usage(error),
        }
    }
}

fn git_kind(error: &GitError) -> Kind {
    match error {
        GitError::NotARepository(_) | GitError::NoCommits | GitError::NoIdentity => Kind::Usage,
        GitError::Refused(_) | GitError::Moved { .. } => Kind::Conflict,
        _ => Kind::Failed,
    }
}

impl From<GitError> for CliError {
    fn from(error: GitError) -> Self {
        Self::new(git_kind(&error), error)
    }
}

fn journal_kind(error: &JournalError) -> Kind {
    match error {
        JournalError::NotFound(_)
        | JournalError::Ambiguous { .. }
        | JournalError::Refused(_)
        | JournalError::Newer { .. } => Kind::Usage,
        _ if error.is_damage() => Kind::Damaged,
        _ => Kind::Failed,
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        Self::new(journal_kind(&error), in_full(&error))
    }
}

/// What to do about it, where the error comes from too deep to know.
fn in_full(error: &JournalError) -> String {
    match error {
        JournalError::Damaged { .. } => error.to_string(),
        _ if error.is_damage() => format!(
            "{error}; `orch resume` sets the damaged journal aside and rebuilds it from what lies beside it"
        ),
        _ if error.is_full() => format!(
            "{error}; nothing new was started, what runs goes on and keeps its results: make room on the \
             disk, then: orch resume"
        ),
        _ => error.to_string(),
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::usage(format!("the configuration is wrong; nothing was started\n{error}"))
    }
}

impl From<PromptErrors> for CliError {
    fn from(error: PromptErrors) -> Self {
        Self::usage(format!("the prompts are wrong; nothing was started\n{error}"))
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}
