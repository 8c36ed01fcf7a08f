//! What a finished task was expected to change, and what it did change.

use super::{PlannedWrite, RunId, TaskId, TaskSpec, TaskState, TaskView};
use std::collections::BTreeSet;

/// A finished task, as expected and as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Its run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// Its title: one line of what was asked for.
    pub title: String,
    /// The commit it began at.
    pub start: String,
    /// What the plan expected it to write.
    pub predicted: Vec<PlannedWrite>,
    /// What it changed.
    pub changed: BTreeSet<String>,
}

impl Truth {
    /// `None` for a task whose work is not there, or that changed nothing.
    #[must_use]
    pub fn of(run: &RunId, spec: &TaskSpec, view: &TaskView) -> Option<Self> {
        let done = matches!(view.state, TaskState::Succeeded | TaskState::Merged);
        if !done || view.files_changed.is_empty() {
            return None;
        }
        let predicted = if spec.targets.is_empty() {
            // A run of an earlier version knows the first of the paths.
            let certain = |path: &String| PlannedWrite { path: path.clone(), confidence: 1.0 };
            spec.writes.iter().map(certain).collect()
        } else {
            spec.targets.clone()
        };
        Some(Self {
            run: run.clone(),
            task: spec.id.clone(),
            title: spec.title.clone(),
            start: view.start.clone().unwrap_or_default(),
            predicted,
            changed: view.files_changed.iter().cloned().collect(),
        })
    }

    /// How many of the paths that were expected it did change.
    #[must_use]
    pub fn hits(&self) -> usize {
        let paths: BTreeSet<&str> = self.predicted.iter().map(|p| p.path.as_str()).collect();
        paths.into_iter().filter(|path| self.changed.contains(*path)).count()
    }
}
