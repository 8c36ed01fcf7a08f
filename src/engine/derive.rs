//! What follows from the stored facts: the state of a task, and what holds it back.

use super::progress::StepState;
use super::state::State;
use crate::model::{DependencyKind, Failure, FailureClass, Phase, StepKind, StopReason, TaskState};

/// Where a task stands for those that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Something may still happen to it.
    Open,
    /// Its work is there.
    Good,
    /// It ended without success.
    Over,
    /// A declared prerequisite ended badly before it was started, so it never is.
    Stuck,
}

/// Where every task of a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standings(Vec<Standing>);

impl Standings {
    /// Where the task at `task` stands.
    #[must_use]
    pub fn of(&self, task: usize) -> Standing {
        self.0[task]
    }

    /// Nothing more will happen to the task at `task` in this run.
    #[must_use]
    pub fn is_settled(&self, task: usize) -> bool {
        self.of(task) != Standing::Open
    }
}

impl State {
    /// How many processes may run at the same time now.
    #[must_use]
    pub fn jobs(&self) -> u32 {
        self.holds.jobs(self.spec.jobs)
    }

    /// The state of the task at `task`.
    #[must_use]
    pub fn task_state(&self, task: usize, standings: &Standings) -> TaskState {
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
            if progress.given_up.is_none() && !progress.cancelled {
                // A run that ended before the next try was interrupted; resumed, it goes on.
                let ended = self.finished.is_some();
                return if ended { TaskState::Interrupted } else { TaskState::Queued };
            }
            return failed_state(class.unwrap_or(FailureClass::Internal));
        }
        if self.is_done(task) {
            return TaskState::Succeeded;
        }
        if progress.cancelled {
            return TaskState::Cancelled;
        }
        if let Some(failure) = &progress.given_up {
            return failed_state(failure.class);
        }
        if self.was_interrupted(task) {
            return TaskState::Interrupted;
        }
        if !self.waits_for(task, standings).is_empty() {
            return TaskState::Blocked;
        }
        match self.next_phase(task) {
            Some(phase) if self.has_begun(task) => active_state(phase),
            _ => TaskState::Queued,
        }
    }

    /// Every step ended well or was skipped, and nobody had cancelled it by then.
    #[must_use]
    pub fn is_done(&self, task: usize) -> bool {
        self.briefs[task].done && !self.tasks[task].cancelled
    }

    /// Its agent (in a workflow without one: any process) has been started since the task last began.
    #[must_use]
    pub fn has_begun(&self, task: usize) -> bool {
        self.briefs[task].begun
    }

    /// A step of it was started, ever.
    #[must_use]
    pub fn was_started(&self, task: usize) -> bool {
        self.briefs[task].started
    }

    /// An attempt of it is under way.
    #[must_use]
    pub fn is_running(&self, task: usize) -> bool {
        self.briefs[task].running
    }

    /// The run was interrupted in the middle of this task.
    fn was_interrupted(&self, task: usize) -> bool {
        let interrupted = matches!(self.finished, Some((crate::model::RunState::Interrupted, _)));
        interrupted && self.was_started(task)
    }

    /// Where every task stands, in one pass: the plan's order is topological, so a task's
    /// prerequisites are judged before it.
    #[must_use]
    pub fn standings(&self) -> Standings {
        let mut standings: Vec<Standing> = Vec::with_capacity(self.tasks.len());
        for task in 0..self.tasks.len() {
            let stuck = || {
                let declared = self.prerequisites(task).iter().filter(|(_, k)| k.needs_success());
                declared
                    .map(|(before, _)| standings.get(*before))
                    .any(|before| matches!(before, Some(Standing::Over | Standing::Stuck)))
            };
            standings.push(if self.is_good(task) {
                Standing::Good
            } else if self.is_over(task) {
                Standing::Over
            } else if !self.was_started(task) && stuck() {
                Standing::Stuck
            } else {
                Standing::Open
            });
        }
        Standings(standings)
    }

    /// Positions of the tasks that the task at `task` waits for. One that was started waits only for those
    /// that its agent was paused for: its branch is made, and a prerequisite that a person asks for again
    /// changes nothing about it.
    #[must_use]
    pub fn waits_for(&self, task: usize, standings: &Standings) -> Vec<usize> {
        if self.was_started(task) {
            let paused_for = self.tasks[task].paused_for.iter().copied();
            return paused_for.filter(|other| !standings.is_settled(*other)).collect();
        }
        let is_met = |before: usize, kind: DependencyKind| match standings.of(before) {
            Standing::Good => true,
            Standing::Over | Standing::Stuck => !kind.needs_success(),
            Standing::Open => false,
        };
        self.prerequisites(task)
            .iter()
            .filter(|(before, kind)| !is_met(*before, *kind))
            .map(|(before, _)| *before)
            .collect()
    }

    /// Its work is there for others to build on.
    #[must_use]
    pub fn is_good(&self, task: usize) -> bool {
        let skipped = self.spec.tasks[task].skip.is_some();
        skipped || self.tasks[task].merged.is_some() || self.is_done(task)
    }

    /// It ended without success (and is not going to be tried again).
    fn is_over(&self, task: usize) -> bool {
        if self.is_running(task) {
            return false;
        }
        self.tasks[task].cancelled || self.tasks[task].given_up.is_some()
    }

    /// For a task that can never start: the names from the task that ended badly to the one it waits for
    /// itself. In a circle, which no plan has, the first and the last are the same.
    #[must_use]
    pub fn blocked_by(&self, task: usize, standings: &Standings) -> Vec<String> {
        let mut chain = vec![task];
        loop {
            let last = chain[chain.len() - 1];
            let waits_for = self.waits_for(last, standings);
            let ended = |t: &&usize| standings.is_settled(**t);
            let Some(before) = waits_for.iter().find(ended).or(waits_for.first()) else { break };
            let circle = chain.contains(before);
            chain.push(*before);
            if circle {
                break;
            }
        }
        // What is still at work is waited for, and blocks nothing for good.
        let root = chain[chain.len() - 1];
        let circle = chain[..chain.len() - 1].contains(&root);
        if !circle && !standings.is_settled(root) {
            return Vec::new();
        }
        let names = chain[1..].iter().rev().map(|t| self.spec.tasks[*t].name.clone());
        names.collect()
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
        let made = || self.ends(task).filter_map(|end| end.commit.as_deref()).last();
        self.follow_ups.commit(&self.spec.tasks[task].id).or_else(made)
    }

    /// The paths that its work differs in from where it started, once it was committed.
    #[must_use]
    pub fn files_changed(&self, task: usize) -> &[String] {
        self.ends(task).filter_map(|end| end.files_changed.as_deref()).last().unwrap_or_default()
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

    /// The failure that the next attempt of the task's agent should know about.
    #[must_use]
    pub fn previous_failure(&self, task: usize) -> Option<Failure> {
        let ended = self.tasks[task].steps.iter().flat_map(|s| &s.attempts);
        let ended = ended.filter_map(|a| Some((a.stopping, a.ended.as_ref()?)));
        let (stopping, (last, _)) = ended.max_by_key(|(_, (_, at))| *at)?;
        if stopping == Some(StopReason::Overlap) {
            return self.told_of_overlap(task);
        }
        let failure = last.ending.failure()?;
        let own = matches!(failure.class, FailureClass::Interrupted | FailureClass::Cancelled);
        (!own).then(|| failure.clone())
    }

    /// How its attempts ended, in the order of the steps.
    pub(super) fn ends(&self, task: usize) -> impl Iterator<Item = &crate::model::AttemptEnd> {
        self.tasks[task]
            .steps
            .iter()
            .flat_map(|step| &step.attempts)
            .filter_map(|attempt| attempt.ended.as_ref().map(|(end, _)| &**end))
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
