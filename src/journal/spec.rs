//! What a run was asked to do.

use super::{Journal, JournalError};
use crate::model::{Event, Recorded, RunId, RunSpec};
use rusqlite::{OptionalExtension, params};

impl Journal {
    /// What a run was asked to do.
    ///
    /// # Errors
    /// A damaged file, or no such run.
    pub fn run_spec(&self, run: &RunId) -> Result<RunSpec, JournalError> {
        let sql = "SELECT body FROM events
                   WHERE run = (SELECT ord FROM runs WHERE id = ?1) AND seq = 1";
        let body: Option<String> = self
            .connection
            .query_row(sql, params![run.as_str()], |row| row.get(0))
            .optional()
            .map_err(|e| self.sql(e))?;
        let none = || JournalError::NotFound(format!("no run '{run}'"));
        let recorded = Recorded::from_json(&body.ok_or_else(none)?).map_err(|source| {
            JournalError::Unreadable {
                path: self.path.clone(),
                what: "an event".to_owned(),
                source,
            }
        })?;
        match recorded.event {
            Event::RunCreated { spec } => Ok(*spec),
            _ => Err(none()),
        }
    }
}
