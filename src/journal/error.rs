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
    /// There was no room on the disk: nothing was written, and the same may succeed later.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let Self::Sqlite { source, .. } = self else { return false };
        source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
    }
}
