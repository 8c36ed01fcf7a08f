//! What became of a task, its steps and their attempts.

use crate::model::{AttemptEnd, Failure, StepKind, StepSpec, StopReason, Timestamp};
use std::sync::Arc;

/// What became of a task so far.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own event")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskProgress {
    /// Parallel to the task's steps.
    pub steps: Vec<Step>,
    /// A person asked it to stop.
    pub cancelled: bool,
    /// A person asked for it again while an attempt of it was still ending: it starts again after that.
    pub again: bool,
    /// Why nothing more happens to it before a person asks for it again, though nobody cancelled it: its
    /// failure, or what keeps its agent from starting.
    pub given_up: Option<Box<Failure>>,
    /// Where it landed.
    pub merged: Option<Merged>,
    /// What kept it from landing: a conflict, or that it breaks what it is merged with.
    pub conflict: Option<Box<Failure>>,
    /// When it starts again, it is with its branch.
    pub(super) anew: bool,
    /// Its prompt was edited: when it starts again, it is with its agent at the latest.
    pub(super) edited: bool,
    /// The commit it starts from anew, in place of the run's base, after it conflicted.
    pub onto: Option<String>,
    /// What its attempts cost since a person last asked for it, and what the dearest did: millionths of a dollar.
    pub(super) spent: u64,
    pub(super) dearest: u64,
    /// The commit of the snapshot that its agent's attempts go on from.
    pub snapshot: Option<String>,
    /// Its worktree is gone.
    pub cleaned: bool,
    /// Positions of the tasks for which its agent was stopped, as they changed the same lines: it goes on when
    /// they have ended.
    pub paused_for: Vec<usize>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Where a task landed.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The branch.
    pub into: String,
    /// The commit of it that contains the task's work.
    pub commit: String,
    /// Where the task's branch was, where that is known.
    pub head: Option<String>,
}

/// What became of a step so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Its state.
    pub state: StepState,
    /// From the first.
    pub attempts: Vec<Attempt>,
    /// How the next attempt begins, where not as the first did.
    pub next: Beginning,
    /// Attempts numbered up to this one belong to an earlier `orch retry` and no longer count
    /// against the limits.
    pub forgiven: u32,
}

impl Step {
    /// The step before anything happened.
    pub(super) fn of(spec: &StepSpec) -> Self {
        let state = if spec.skip.is_some() { StepState::Skipped } else { StepState::Pending };
        Self { state, ..Self::default() }
    }

    /// Why its last attempt failed.
    pub(super) fn failure(&self) -> Option<&Failure> {
        let (end, _) = self.attempts.last()?.ended.as_ref()?;
        end.ending.failure()
    }

    /// Its attempts since a person last asked for the task.
    pub(super) fn tried(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.number > self.forgiven)
    }
}

/// The state of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum StepState {
    /// Not started, or to be started again.
    #[default]
    Pending,
    /// Not before the given time.
    Waiting(Timestamp),
    /// An attempt is under way.
    Running,
    /// Done.
    Done,
    /// It cannot apply, as its specification says.
    Skipped,
    /// It failed and will not be tried again (unless a person asks).
    Failed,
}

/// How an attempt begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beginning {
    /// The agent that runs it, where it is not the task's own.
    pub agent: Option<String>,
    /// The worktree stays as it is, instead of being brought back to its start.
    pub keep: bool,
    /// The agent's session that goes on.
    pub session: Option<String>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When its intent was recorded.
    pub started_at: Timestamp,
    /// Its shim's process id.
    pub pid: Option<u32>,
    /// How it began.
    pub beginning: Beginning,
    /// Seconds that it has been, or was once, without output and work.
    pub quiet_seconds: Option<u64>,
    /// Set once its stop was asked for.
    pub stopping: Option<StopReason>,
    /// How and when it ended.
    pub ended: Option<(Arc<AttemptEnd>, Timestamp)>,
}

/// What follows from the steps of a task, kept up with each event about it.
#[expect(clippy::struct_excessive_bools, reason = "independent questions about the same steps")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Brief {
    /// A step of it was started, ever.
    pub started: bool,
    /// Its agent (in a workflow without one: any process) was, since the task last began.
    pub begun: bool,
    /// An attempt is under way; how many of them are processes.
    pub running: bool,
    pub processes: u32,
    pub failed: bool,
    /// Every step ended well or was skipped.
    pub done: bool,
    /// A step waits for its time to come.
    pub waits: bool,
}

impl Brief {
    pub(super) fn of(specs: &[StepSpec], steps: &[Step]) -> Self {
        let is_agent = |spec: &StepSpec| matches!(spec.kind, StepKind::Agent);
        let has_agent = specs.iter().any(|spec| is_agent(spec) && spec.skip.is_none());
        let mut brief = Self { done: true, ..Self::default() };
        for (spec, step) in specs.iter().zip(steps) {
            brief.started |= !step.attempts.is_empty();
            brief.done &= matches!(step.state, StepState::Done | StepState::Skipped);
            brief.failed |= step.state == StepState::Failed;
            if step.state == StepState::Running {
                brief.running = true;
                brief.processes += u32::from(spec.kind.is_process());
            }
            if matches!(step.state, StepState::Running | StepState::Done) {
                brief.begun |= if has_agent { is_agent(spec) } else { spec.kind.is_process() };
            }
            brief.waits |= matches!(step.state, StepState::Waiting(_));
        }
        brief
    }
}
