//! What makes a prompt's front matter impossible to analyse.

/// Errors of this room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// A pattern that is not a glob.
    #[error("{prompt}: '{glob}' under '{key}' is not a valid glob: {why}")]
    BadGlob {
        /// The prompt's name.
        prompt: String,
        /// `files` or `reads`.
        key: &'static str,
        /// As written.
        glob: String,
        /// The parser's words.
        why: String,
    },
    /// A path that leaves the repository.
    #[error(
        "{prompt}: '{glob}' under '{key}' points outside the repository; write paths from the repository's root"
    )]
    Outside {
        /// The prompt's name.
        prompt: String,
        /// `files` or `reads`.
        key: &'static str,
        /// As written.
        glob: String,
    },
}

impl AnalysisError {
    /// The prompt's name.
    #[must_use]
    pub fn prompt(&self) -> &str {
        match self {
            Self::BadGlob { prompt, .. } | Self::Outside { prompt, .. } => prompt,
        }
    }
}
