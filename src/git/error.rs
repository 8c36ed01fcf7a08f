//! What git can refuse, in the words a person can act on.

use std::path::PathBuf;

/// Errors of this room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// There is no repository here.
    #[error("not inside a git repository: {}", .0.display())]
    NotARepository(PathBuf),
    /// The repository has no commit yet.
    #[error(
        "the repository has no commits yet; make a first one: git commit --allow-empty -m 'start'"
    )]
    NoCommits,
    /// libgit2 refused.
    #[error("{doing}: {}", .source.message())]
    Libgit {
        /// What was being done, such as `create branch orch/a-1234`.
        doing: String,
        /// libgit2's own words.
        source: git2::Error,
    },
    /// The git executable refused.
    #[error("git {command}: {message}")]
    Executable {
        /// The sub-command and its main argument.
        command: String,
        /// The last lines of its standard error.
        message: String,
    },
    /// The file system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The system's own words.
        source: std::io::Error,
    },
    /// Something is in the way and was left alone.
    #[error("{0}")]
    InTheWay(String),
    /// A worktree, or the file that ties it to its repository, was removed.
    #[error("{0}")]
    Gone(String),
    /// Nothing answers to this name, or it is not a commit.
    #[error("no such revision: {0}; see: git branch --all, git tag")]
    UnknownRevision(String),
    /// Neither `user.name` nor `user.email` is set.
    #[error(
        "git does not know who you are; run: git config user.name 'You' && git config user.email you@example.com"
    )]
    NoIdentity,
    /// A ref moved since it was examined.
    #[error(
        "{name} moved while the work was going on (expected {expected}, found {found}); try again"
    )]
    Moved {
        /// Full name of the ref.
        name: String,
        /// The value it was expected to have.
        expected: String,
        /// The value it has.
        found: String,
    },
    /// What was asked would lose work or touch the user's checkout.
    #[error("{0}")]
    Refused(String),
}

impl GitError {
    /// For `map_err`: libgit2's error with what was being done.
    pub(crate) fn lib(doing: impl Into<String>) -> impl FnOnce(git2::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Libgit { doing, source }
    }

    /// For `map_err`: the system's error with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
