//! What is on disk, and where.
//!
//! ```text
//! <git common dir>/orch/
//!   journal.db            events and projections (SQLite, WAL)
//!   cache.db              what was found in the content of files (SQLite); safe to delete
//!   supervisor.lock       held (flock) by the one supervisor of this repository
//!   runs/<run>/<task>/<step>.<attempt>/
//!     spec.json  log  result.json  prompt.md  handoff.md ...
//! ```

use crate::model::{AttemptId, RunId, TaskId};
use std::path::{Path, PathBuf};

/// The places of one repository's data.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The layout below `<git common dir>/orch`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The directory itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal.db")
    }

    /// The supervisor's lock.
    #[must_use]
    pub fn supervisor_lock(&self) -> PathBuf {
        self.dir.join("supervisor.lock")
    }

    /// The lock of the one `orch merge` of this repository.
    #[must_use]
    pub fn merge_lock(&self) -> PathBuf {
        self.dir.join("merge.lock")
    }

    /// What belongs to a run.
    #[must_use]
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.dir.join("runs").join(run.as_str())
    }

    /// What belongs to a task.
    #[must_use]
    pub fn task(&self, run: &RunId, task: &TaskId) -> PathBuf {
        self.run(run).join(task.as_str())
    }

    /// What belongs to an attempt.
    #[must_use]
    pub fn attempt(&self, run: &RunId, attempt: &AttemptId) -> PathBuf {
        self.task(run, &attempt.task).join(format!("{}.{}", attempt.step, attempt.number))
    }

    /// The prompt of a task as it was when the run was created: what the user edits afterwards does not
    /// change a run that is resumed.
    #[must_use]
    pub fn prompt(&self, run: &RunId, task: &TaskId) -> PathBuf {
        self.task(run, task).join("prompt.md")
    }
}
