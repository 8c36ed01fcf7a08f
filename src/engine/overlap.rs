//! Tasks that changed the same files while they ran, and which of them waits for the other.
//!
//! Of two agents that change the same lines, the one that began later is stopped, and its step goes on
//! when the other task has ended. Who began first never changes, so no two wait for each other.

use super::state::State;
use crate::model::{
    AttemptId, Event, Failure, FailureClass, OnOverlap, OverlapPath, OverlapView, Recorded,
    StepKind, Timestamp,
};
use std::fmt::Write;

/// What two sides have both changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlap {
    /// The files, those that conflict first.
    pub paths: Vec<OverlapPath>,
    /// How many there are.
    pub path_count: u64,
    /// When it was found.
    pub since: Timestamp,
}

impl Overlap {
    /// Whether something in it does not merge.
    #[must_use]
    pub fn conflicts(&self) -> bool {
        self.paths.iter().any(|path| path.conflict)
    }
}

/// Files that an agent is told of: the others are beside the point by then.
const TOLD: usize = 5;

impl State {
    pub(super) fn fold_overlap(&mut self, recorded: &Recorded) {
        let (Event::OverlapFound { task, with, .. } | Event::OverlapGone { task, with }) =
            &recorded.event
        else {
            return;
        };
        let other = with.as_ref().map(|with| self.position(with));
        // Another task that this run does not have is none of its business.
        let (Some(task), Some(other)) =
            (self.position(task), other.map_or(Some(None), |o| o.map(Some)))
        else {
            return;
        };
        if let Event::OverlapFound { paths, path_count, .. } = &recorded.event {
            let (paths, path_count) = (paths.clone(), *path_count);
            let overlap = Overlap { paths, path_count, since: recorded.at };
            self.overlaps.insert((task, other), overlap);
        } else {
            self.overlaps.remove(&(task, other));
        }
    }

    /// When a task's agent began, ever.
    fn agent_began(&self, task: usize) -> Option<(Timestamp, usize)> {
        let steps = self.spec.tasks[task].steps.iter().zip(&self.tasks[task].steps);
        let agents = steps.filter(|(spec, _)| matches!(spec.kind, StepKind::Agent));
        let first = agents.filter_map(|(_, step)| Some(step.attempts.first()?.started_at)).min();
        first.map(|at| (at, task))
    }

    /// Tasks at work whose agents began before this one's, and that change the same lines.
    pub(super) fn pauses_for(&self, task: usize) -> Vec<usize> {
        let Some(began) = self.agent_began(task) else { return Vec::new() };
        let conflicts = self.overlaps.iter().filter(|(_, overlap)| overlap.conflicts());
        let others = conflicts.filter_map(|((a, b), _)| match (*a, (*b)?) {
            (a, b) if a == task => Some(b),
            (a, b) if b == task => Some(a),
            _ => None,
        });
        let earlier = |other: &usize| {
            self.is_running(*other) && self.agent_began(*other).is_some_and(|at| at < began)
        };
        others.filter(earlier).collect()
    }

    /// The attempt of the task's agent that is to be stopped until another task has ended.
    pub(super) fn to_pause(&self, task: usize) -> Option<AttemptId> {
        let wanted = self.spec.policy.on_overlap == OnOverlap::Pause && self.spec.parallel;
        if !wanted || self.overlaps.is_empty() || self.draining || !self.is_running(task) {
            return None;
        }
        let (spec, progress) = (&self.spec.tasks[task], &self.tasks[task]);
        let (step, attempt) = spec.steps.iter().zip(&progress.steps).find_map(|(spec, step)| {
            let attempt = step.attempts.last().filter(|a| a.ended.is_none())?;
            matches!(spec.kind, StepKind::Agent).then_some((spec, attempt))
        })?;
        if attempt.stopping.is_some() || self.pauses_for(task).is_empty() {
            return None;
        }
        let (task, step) = (spec.id.clone(), step.id.clone());
        Some(AttemptId { task, step, number: attempt.number })
    }

    /// What an agent is told that was paused: whose changes it meets.
    pub(super) fn told_of_overlap(&self, task: usize) -> Option<Failure> {
        let mut text = String::new();
        for other in &self.tasks[task].paused_for {
            let key = (task.max(*other), Some(task.min(*other)));
            let Some(overlap) = self.overlaps.get(&key) else { continue };
            let spec = &self.spec.tasks[*other];
            let end = self.commit(*other).unwrap_or(&spec.branch);
            let files: Vec<&str> = overlap
                .paths
                .iter()
                .filter(|path| path.conflict)
                .map(|path| path.path.as_str())
                .take(TOLD)
                .collect();
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "{}the task {} has meanwhile changed the same lines of {}; look at what it did with `git diff {} {end} \
                 -- {}`, and make your changes such that both merge without conflict",
                if text.is_empty() { "" } else { "\n" },
                spec.name,
                files.join(", "),
                self.start(*other).unwrap_or(&self.spec.base),
                files.join(" "),
            );
        }
        (!text.is_empty()).then(|| Failure::new(FailureClass::Conflict, text))
    }

    /// The overlaps that still matter: of work that has not landed on its branch.
    pub(super) fn overlap_views(&self) -> Vec<OverlapView> {
        if self.overlaps.is_empty() {
            return Vec::new();
        }
        let matters = |task: usize| self.tasks[task].merged.is_none() && !self.tasks[task].cleaned;
        let name = |task: usize| self.spec.tasks[task].name.clone();
        let standings = self.standings();
        let waits = |task: usize, other: usize| {
            self.waits_for(task, &standings).contains(&other) && self.was_started(task)
        };
        let shown = self
            .overlaps
            .iter()
            .filter(|((task, with), _)| matters(*task) && with.is_none_or(matters));
        let view = |(&(task, with), overlap): (&(usize, Option<usize>), &Overlap)| OverlapView {
            task: name(task),
            with: with.map(name),
            branch: self.spec.target.clone().filter(|_| with.is_none()),
            conflict: overlap.conflicts(),
            paused: with.and_then(|with| match () {
                () if waits(task, with) => Some(name(task)),
                () if waits(with, task) => Some(name(with)),
                () => None,
            }),
            paths: overlap.paths.clone(),
            path_count: overlap.path_count,
            since: overlap.since,
        };
        shown.map(view).collect()
    }
}
