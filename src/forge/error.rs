//! What a request came to, where it did not come to what it should.

use crate::model::Timestamp;

/// Errors of this room, by what a caller does about them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForgeError {
    /// There is no token, or GitHub does not accept it.
    #[error("{0}")]
    Auth(String),
    /// The token may not do this, or the repository does not allow it.
    #[error("GitHub forbids {doing}: {message}")]
    Forbidden {
        /// The request, as a person would say it.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// It does not exist, or the token may not see it.
    #[error("GitHub knows no {0}; is the name right, and may the token see it?")]
    NotFound(String),
    /// It makes no sense to GitHub.
    #[error("GitHub refuses {doing}: {message}")]
    Invalid {
        /// The request.
        doing: String,
        /// GitHub's words.
        message: String,
    },
    /// It cannot be done as things stand (405, 409).
    #[error("GitHub cannot do {doing} now: {message}")]
    NotNow {
        /// The request.
        doing: String,
        /// The status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// Too many requests. Nothing was done.
    #[error("GitHub's limit is reached until {until}: {message}")]
    Limited {
        /// When it lifts.
        until: Timestamp,
        /// GitHub's words.
        message: String,
    },
    /// No answer, or one that says that GitHub fails. A request that changes something may have done so.
    #[error("GitHub does not answer {doing}: {message}")]
    Down {
        /// The request.
        doing: String,
        /// Why.
        message: String,
    },
    /// An answer that is not understood.
    #[error("GitHub's answer to {doing} is not understood: {message}")]
    Odd {
        /// The request.
        doing: String,
        /// What is wrong with it.
        message: String,
    },
    /// The remote is no repository of GitHub.
    #[error("{0}")]
    NoRepository(String),
}

impl ForgeError {
    /// Whether GitHub as a whole is at fault, and not this request.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Down { .. } | Self::Odd { .. })
    }

    /// When the limit lifts, if it is one.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Limited { until, .. } => Some(*until),
            _ => None,
        }
    }
}
