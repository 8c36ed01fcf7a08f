//! The rules of pausing one task for another: who may be stopped, and when it may go on.

use orch::model::{
    AttemptId, Event, FailureClass, OnOverlap, RunSpec, StepKind, StopReason, TaskId, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// What these rules know, from the events alone.
#[derive(Default)]
pub struct Overlaps {
    /// Pairs that do not merge.
    conflicts: BTreeSet<(TaskId, TaskId)>,
    /// When each task's agent began, ever, and its place.
    began: BTreeMap<TaskId, (Timestamp, usize)>,
    /// Whom a task was stopped for, until its agent ends in another way.
    held: BTreeMap<TaskId, BTreeSet<TaskId>>,
    stopped: BTreeSet<AttemptId>,
    started: BTreeMap<AttemptId, Timestamp>,
}

impl Overlaps {
    /// Enters an event; `open` are the attempts before it.
    pub fn enter(
        &mut self,
        event: &Event,
        at: Timestamp,
        spec: &RunSpec,
        open: &BTreeSet<AttemptId>,
        raced: bool,
    ) -> Result<(), String> {
        if let Event::AttemptStarting { attempt, .. } = event {
            self.started.insert(attempt.clone(), at);
        }
        match event {
            Event::OverlapFound { task, with: Some(with), paths, .. } => {
                let pair = (task.clone(), with.clone());
                if paths.iter().any(|path| path.conflict) {
                    self.conflicts.insert(pair);
                } else {
                    self.conflicts.remove(&pair);
                }
            }
            Event::OverlapGone { task, with: Some(with) } => {
                self.conflicts.remove(&(task.clone(), with.clone()));
            }
            Event::AttemptStarting { attempt, .. } if is_agent(spec, attempt) => {
                let held = self.held.get(&attempt.task);
                // Whoever starts in the same instant was between two steps when that was decided, and
                // nobody's wait; if they still meet, the later one is stopped again.
                let before = |a: &&AttemptId| self.started.get(*a).is_none_or(|start| *start < at);
                let at_work = |held: &BTreeSet<TaskId>| {
                    open.iter().filter(before).find(|a| held.contains(&a.task))
                };
                let other = held.and_then(at_work);
                if let Some(other) = other.filter(|_| !raced) {
                    return Err(format!("paused until the other has ended: {attempt} for {other}"));
                }
                let place = spec.tasks.iter().position(|t| t.id == attempt.task).unwrap_or(0);
                self.began.entry(attempt.task.clone()).or_insert((at, place));
            }
            Event::AttemptStopping { attempt, reason: StopReason::Overlap } => {
                self.stop(attempt, spec, open, raced)?;
            }
            Event::AttemptEnded { attempt, end } => {
                self.stopped.remove(attempt);
                let class = end.ending.failure().map(|failure| failure.class);
                if class != Some(FailureClass::Interrupted) {
                    self.held.remove(&attempt.task);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn stop(
        &mut self,
        attempt: &AttemptId,
        spec: &RunSpec,
        open: &BTreeSet<AttemptId>,
        raced: bool,
    ) -> Result<(), String> {
        if spec.policy.on_overlap != OnOverlap::Pause || !is_agent(spec, attempt) {
            return Err(format!("only agents are paused, and only if asked for: {attempt}"));
        }
        if !self.stopped.insert(attempt.clone()) {
            return Err(format!("paused twice: {attempt}"));
        }
        let meets = |other: &TaskId| {
            let pair = |a: &TaskId, b: &TaskId| self.conflicts.contains(&(a.clone(), b.clone()));
            pair(other, &attempt.task) || pair(&attempt.task, other)
        };
        let own = self.began.get(&attempt.task);
        let earlier = |other: &&TaskId| self.began.get(*other).is_some_and(|at| Some(at) < own);
        let others = open.iter().map(|a| &a.task).filter(|task| meets(task)).filter(earlier);
        let others: BTreeSet<TaskId> = others.cloned().collect();
        if others.is_empty() && !raced {
            return Err(format!("paused for nobody that began earlier and is at work: {attempt}"));
        }
        self.held.insert(attempt.task.clone(), others);
        Ok(())
    }

    /// Whether the task of the attempt was stopped for another's sake.
    pub fn was_paused(&self, attempt: &AttemptId) -> bool {
        self.held.contains_key(&attempt.task)
    }
}

fn is_agent(spec: &RunSpec, attempt: &AttemptId) -> bool {
    let task = spec.tasks.iter().find(|t| t.id == attempt.task);
    let step = task.and_then(|task| task.steps.iter().find(|s| s.id == attempt.step));
    step.is_some_and(|step| step.kind == StepKind::Agent)
}
