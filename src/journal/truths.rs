//! What finished tasks were expected to change and what they did: the experience that a repository has.

use super::{Journal, JournalError};
use crate::model::{Event, Recorded, RunId, RunSpec, Truth};
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

    /// The finished tasks of the newest runs, newest run first, at most `runs` of them: sets of files that
    /// were changed together, each with what had been expected.
    ///
    /// # Errors
    /// A damaged file.
    pub fn truths(&self, runs: u32) -> Result<Vec<Truth>, JournalError> {
        let mut found = Vec::new();
        for run in self.runs(runs)? {
            let spec = self.run_spec(&run.id)?;
            let views = self.tasks(&run.id)?;
            let tasks = spec.tasks.iter().zip(&views);
            found.extend(tasks.filter_map(|(task, view)| Truth::of(&run.id, task, view)));
        }
        Ok(found)
    }
}
