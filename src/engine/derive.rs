//! What follows from the stored facts: the state of a task, and what holds it back.

use super::retry::{Verdict, retry_verdict};
use super::state::{State, StepState};
use crate::model::{DependencyKind, FailureClass, Phase, StepKind, TaskState};

impl State {
    /// The state of the task at `task`.
    #[must_use]
    pub fn task_state(&self, task: usize) -> TaskState {
        let spec = &self.spec.tasks[task];
        let progress = &self.tasks[task];
        if spec.skip.is_some() {
            return TaskState::Skipped;
        }
        if progress.merged.is_some() {
            return TaskState::Merged;
        }
        if progress.conflict.is_some() {
            return TaskState::Conflicted;
        }
        let active =
            spec.steps.iter().zip(&progress.steps).find(|(_, s)| s.state == StepState::Running);
        if let Some((step, _)) = active {
            return active_state(step.phase);
        }
        if let Some(failed) = progress.steps.iter().find(|s| s.state == StepState::Failed) {
            let class = failed
                .attempts
                .last()
                .and_then(|a| a.ended.as_ref())
                .and_then(|(end, _)| end.ending.failure().map(|failure| failure.class));
            if matches!(retry_verdict(self, task), Verdict::Retry(_)) && self.finished.is_none() {
                return TaskState::Queued;
            }
            return failed_state(class.unwrap_or(FailureClass::Internal));
        }
        if self.is_done(task) {
            return TaskState::Succeeded;
        }
        if progress.cancelled {
            return TaskState::Cancelled;
        }
        if self.was_interrupted(task) {
            return TaskState::Interrupted;
        }
        if !self.waits_for(task).is_empty() {
            return TaskState::Blocked;
        }
        match self.next_phase(task) {
            Some(phase) if self.has_begun(task) => active_state(phase),
            _ => TaskState::Queued,
        }
    }

    /// Every step ended well or was skipped.
    #[must_use]
    pub fn is_done(&self, task: usize) -> bool {
        self.tasks[task]
            .steps
            .iter()
            .all(|s| matches!(s.state, StepState::Done | StepState::Skipped(_)))
    }

    /// Its agent has been started at least once since the task last began.
    #[must_use]
    pub fn has_begun(&self, task: usize) -> bool {
        let spec = &self.spec.tasks[task];
        spec.steps.iter().zip(&self.tasks[task].steps).any(|(spec, step)| {
            spec.kind.is_process() && matches!(step.state, StepState::Running | StepState::Done)
        })
    }

    /// The run was interrupted in the middle of this task.
    fn was_interrupted(&self, task: usize) -> bool {
        let interrupted = matches!(self.finished, Some((crate::model::RunState::Interrupted, _)));
        interrupted && self.tasks[task].steps.iter().any(|s| !s.attempts.is_empty())
    }

    /// Positions of the tasks that the task at `task` waits for.
    #[must_use]
    pub fn waits_for(&self, task: usize) -> Vec<usize> {
        self.spec.tasks[task]
            .depends_on
            .iter()
            .filter_map(|dependency| {
                let before = self.position(&dependency.task)?;
                (!self.is_satisfied(before, dependency.kind)).then_some(before)
            })
            .collect()
    }

    fn is_satisfied(&self, before: usize, kind: DependencyKind) -> bool {
        if kind.needs_success() { self.is_good(before) } else { self.is_settled(before) }
    }

    /// Its work is there for others to build on.
    #[must_use]
    pub fn is_good(&self, task: usize) -> bool {
        let skipped = self.spec.tasks[task].skip.is_some();
        skipped || self.tasks[task].merged.is_some() || self.is_done(task)
    }

    /// Nothing more will happen to it in this run: it ended, or it waits for one that ended badly.
    #[must_use]
    pub fn is_settled(&self, task: usize) -> bool {
        self.is_good(task) || self.is_over(task) || self.is_stuck(task)
    }

    /// It ended without success (and is not going to be tried again).
    fn is_over(&self, task: usize) -> bool {
        let steps = &self.tasks[task].steps;
        if steps.iter().any(|s| s.state == StepState::Running) {
            return false;
        }
        let failed = steps.iter().any(|s| s.state == StepState::Failed);
        self.tasks[task].cancelled || (failed && retry_verdict(self, task) == Verdict::GiveUp)
    }

    /// A declared prerequisite ended badly, so it can never start. The plan has no cycles.
    #[must_use]
    pub fn is_stuck(&self, task: usize) -> bool {
        self.spec.tasks[task]
            .depends_on
            .iter()
            .filter(|dependency| dependency.kind.needs_success())
            .filter_map(|dependency| self.position(&dependency.task))
            .any(|before| !self.is_good(before) && (self.is_over(before) || self.is_stuck(before)))
    }

    /// The commits that the task at `task` starts from, beside the run's base: the work of its
    /// prerequisites, in plan order.
    #[must_use]
    pub fn start_commits(&self, task: usize) -> Vec<(String, String)> {
        self.spec.tasks[task]
            .depends_on
            .iter()
            .filter_map(|dependency| {
                let before = self.position(&dependency.task)?;
                let commit = self.is_good(before).then(|| self.commit(before)).flatten()?;
                Some((commit.to_owned(), self.spec.tasks[before].name.clone()))
            })
            .collect()
    }

    /// The commit its branch points to, once it was recorded.
    #[must_use]
    pub fn commit(&self, task: usize) -> Option<&str> {
        self.ends(task).filter_map(|end| end.commit.as_deref()).last()
    }

    /// The commit its branch started from.
    #[must_use]
    pub fn start(&self, task: usize) -> Option<&str> {
        let spec = &self.spec.tasks[task];
        let branch = spec.steps.iter().position(|s| {
            matches!(s.kind, StepKind::BuiltIn { action: crate::model::BuiltIn::Branch })
        })?;
        let attempts = &self.tasks[task].steps[branch].attempts;
        attempts.iter().rev().find_map(|a| a.ended.as_ref()?.0.commit.as_deref())
    }

    /// How its attempts ended, in the order of the steps.
    pub(super) fn ends(&self, task: usize) -> impl Iterator<Item = &crate::model::AttemptEnd> {
        self.tasks[task]
            .steps
            .iter()
            .flat_map(|step| &step.attempts)
            .filter_map(|attempt| attempt.ended.as_ref().map(|(end, _)| end))
    }

    fn next_phase(&self, task: usize) -> Option<Phase> {
        self.spec.tasks[task]
            .steps
            .iter()
            .zip(&self.tasks[task].steps)
            .find(|(_, step)| matches!(step.state, StepState::Pending | StepState::Waiting(_)))
            .map(|(spec, _)| spec.phase)
    }
}

fn active_state(phase: Phase) -> TaskState {
    match phase {
        Phase::Setup | Phase::IssueCreation | Phase::BranchCreation => TaskState::Preparing,
        Phase::Testing => TaskState::Verifying,
        Phase::Implementation | Phase::Documentation | Phase::PrCreation | Phase::Review => {
            TaskState::Running
        }
    }
}

fn failed_state(class: FailureClass) -> TaskState {
    match class {
        FailureClass::Timeout | FailureClass::Idle => TaskState::TimedOut,
        FailureClass::Cancelled => TaskState::Cancelled,
        FailureClass::Interrupted => TaskState::Interrupted,
        FailureClass::Conflict => TaskState::Conflicted,
        _ => TaskState::Failed,
    }
}
