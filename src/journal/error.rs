//! What can go wrong with the journal.

use std::path::PathBuf;

/// Errors of this room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// `SQLite` refused.
    #[error("journal {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// Why.
        source: std::io::Error,
    },
    /// Written by a newer `orch`.
    #[error("journal {} has schema {found}, this orch knows up to {known}; use the newer orch", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known.
        known: i64,
    },
    /// A row that this version cannot read.
    #[error("journal {}: {what}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Which row.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The file is not what it was.
    #[error("journal {} is damaged: {what}; orch resume rebuilds it and keeps the damaged one", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// What was asked cannot be done.
    #[error("{0}")]
    Refused(String),
    /// Nothing by that name.
    #[error("{0}")]
    NotFound(String),
    /// More than one by that name.
    #[error("'{name}' is ambiguous: {candidates}")]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// What it could mean.
        candidates: String,
    },
}

impl JournalError {
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// Whether the file cannot be trusted any more.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        use rusqlite::Error as E;
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, TypeMismatch, Unknown};
        match self {
            Self::Damaged { .. } | Self::Unreadable { .. } => true,
            // A table that is not there is of the kind `Unknown`: the statements themselves are right.
            Self::Sqlite { source, .. } => match source.sqlite_error_code() {
                Some(code) => {
                    matches!(code, DatabaseCorrupt | NotADatabase | TypeMismatch | Unknown)
                }
                None => matches!(
                    source,
                    E::FromSqlConversionFailure(..)
                        | E::IntegralValueOutOfRange(..)
                        | E::InvalidColumnType(..)
                        | E::Utf8Error(..)
                ),
            },
            _ => false,
        }
    }

    /// Whether there was no room left on the disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            Self::Io { source, .. } => matches!(
                source.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            ),
            _ => false,
        }
    }

    pub(super) fn or_damaged(self) -> Self {
        match self {
            Self::Sqlite { path, source } => {
                let error = Self::Sqlite { path: path.clone(), source };
                if error.is_damage() {
                    return Self::Damaged { path, what: error.source_words() };
                }
                error
            }
            other => other,
        }
    }

    fn source_words(&self) -> String {
        std::error::Error::source(self).map_or_else(|| self.to_string(), ToString::to_string)
    }
}
