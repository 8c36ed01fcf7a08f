//! The journal on a real file: two writers, readers beside them, and files that are not as they
//! should be.

mod files;
mod finding;
mod finishing;
mod power;
mod spec;
mod writing;

use super::{Journal, Projection};
use crate::model::{
    Event, Recorded, RunId, RunState, RunView, SupervisorView, TaskState, TaskView, Timestamp,
};
use std::path::PathBuf;

/// A place for a journal, removed in the end.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("orch").join("journal.db")
    }

    fn open(&self) -> Journal {
        Journal::open(&self.path()).unwrap()
    }
}

fn run_view(id: &str, state: RunState) -> RunView {
    RunView {
        id: id.into(),
        state,
        started_at: Timestamp(0),
        active_seconds: 0.0,
        finished_at: None,
        base: "base".into(),
        target: None,
        jobs: 1,
        supervisor: SupervisorView::default(),
        breakers: Vec::new(),
        budget: None,
        limited: None,
        overlaps: Vec::new(),
    }
}

fn task_view(id: &str, name: &str, state: TaskState) -> TaskView {
    TaskView {
        id: id.into(),
        name: name.into(),
        prompt: format!("{name}.md"),
        title: String::new(),
        agent: "shell".into(),
        state,
        attempts: Vec::new(),
        branch: None,
        worktree: None,
        commit: None,
        start: None,
        files_changed: Vec::new(),
        pull_request: None,
        issue: None,
        blocked_by: Vec::new(),
        blocked_on: Vec::new(),
        error: None,
        cancel_requested: false,
        skip_reason: None,
        warnings: Vec::new(),
        logs: Vec::new(),
        steps: Vec::new(),
        snapshot: None,
        note: None,
        started_at: None,
        finished_at: None,
    }
}

/// Events numbered `after + 1` and on.
fn events(after: u64, count: u64) -> Vec<Recorded> {
    let event = |seq| Recorded { seq, at: Timestamp(0), event: Event::DrainRequested };
    (after + 1..=after + count).map(event).collect()
}

/// Appends one event with the given projection; false when someone else was first.
fn append(journal: &mut Journal, run: &str, after: u64, tasks: &[(usize, TaskView)]) -> bool {
    let view = run_view(run, RunState::Running);
    match journal.turn(&RunId::from(run), after).unwrap() {
        Some(turn) => {
            turn.commit(&events(after, 1), &Projection { run: &view, tasks }, true).unwrap();
            true
        }
        None => false,
    }
}

impl Journal {
    /// From now on events cannot be appended, as if the disk were full; or they can again.
    pub(crate) fn refuse_events(&self, refuse: bool) {
        let sql = if refuse {
            "CREATE TEMP TRIGGER full BEFORE INSERT ON main.events
             BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        } else {
            "DROP TRIGGER temp.full"
        };
        self.connection.execute_batch(sql).unwrap();
    }
}
