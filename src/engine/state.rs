//! The state of a run, and how each event changes it.

use super::holds::Holds;
use crate::model::{
    AttemptEnd, AttemptId, BuiltIn, Ending, Event, FailureClass, Recorded, RunSpec, RunState,
    StepId, StepKind, StepSpec, StopReason, TaskId, TaskSpec, Timestamp,
};
use std::collections::HashMap;
use std::time::Duration;

/// After an attempt was ended for want of memory, before it takes memory again: what the others need to
/// get further. The governor admits it or not by then.
const MEMORY_WAIT: Duration = Duration::from_secs(60);

/// Everything known about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What was asked for.
    pub spec: RunSpec,
    /// Parallel to `spec.tasks`.
    pub tasks: Vec<TaskProgress>,
    /// When the run was created.
    pub created_at: Timestamp,
    /// The supervisor that took it last.
    pub supervisor: Option<u32>,
    /// Nothing new starts.
    pub draining: bool,
    /// Nothing starts at all, and what runs is stopped: it was asked to drain twice.
    pub halting: bool,
    /// What keeps new work from starting.
    pub holds: Holds,
    /// How and when it ended.
    pub finished: Option<(RunState, Timestamp)>,
    /// What supervisors before the last one worked.
    worked_before: Duration,
    /// From the last supervisor's start to the last event.
    session: (Timestamp, Timestamp),
    /// The number of the last event applied.
    pub seq: u64,
    index: HashMap<TaskId, usize>,
}

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
    /// Where it landed.
    pub merged: Option<Merged>,
    /// Paths that kept it from landing.
    pub conflict: Option<Vec<String>>,
    /// When it starts again, it is with its branch.
    pub(super) anew: bool,
    /// The commit it starts from anew, in place of the run's base, after it conflicted.
    pub onto: Option<String>,
    /// Its worktree is gone.
    pub cleaned: bool,
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
    /// It cannot apply.
    Skipped(String),
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
    pub ended: Option<(AttemptEnd, Timestamp)>,
}

impl State {
    /// The state of a run of which only the specification is known.
    #[must_use]
    pub fn new(spec: RunSpec, created_at: Timestamp) -> Self {
        let tasks = spec
            .tasks
            .iter()
            .map(|task| TaskProgress {
                steps: task.steps.iter().map(|_| Step::default()).collect(),
                ..TaskProgress::default()
            })
            .collect();
        let index = spec.tasks.iter().enumerate().map(|(i, t)| (t.id.clone(), i)).collect();
        Self {
            spec,
            tasks,
            created_at,
            supervisor: None,
            draining: false,
            halting: false,
            holds: Holds::default(),
            finished: None,
            worked_before: Duration::ZERO,
            session: (created_at, created_at),
            seq: 0,
            index,
        }
    }

    /// Folds a whole history. `None` when it does not begin with [`Event::RunCreated`].
    #[must_use]
    pub fn replay(history: &[Recorded]) -> Option<Self> {
        let (first, rest) = history.split_first()?;
        let Event::RunCreated { spec } = &first.event else { return None };
        let mut state = Self::new((**spec).clone(), first.at);
        state.seq = first.seq;
        for recorded in rest {
            state.apply(recorded);
        }
        Some(state)
    }

    /// The position of a task in the plan.
    #[must_use]
    pub fn position(&self, task: &TaskId) -> Option<usize> {
        self.index.get(task).copied()
    }

    /// The specification of a step.
    #[must_use]
    pub fn step_spec(&self, task: &TaskId, step: &StepId) -> Option<(&TaskSpec, &StepSpec)> {
        let spec = &self.spec.tasks[self.position(task)?];
        Some((spec, spec.steps.iter().find(|s| s.id == *step)?))
    }

    /// What is known of an attempt.
    #[must_use]
    pub fn attempt(&self, id: &AttemptId) -> Option<&Attempt> {
        let (task, step) = self.locate(&id.task, &id.step)?;
        self.tasks[task].steps[step].attempts.iter().find(|a| a.number == id.number)
    }

    /// Attempts whose intent is recorded and whose end is not.
    pub fn open_attempts(&self) -> impl Iterator<Item = (AttemptId, &Attempt)> {
        self.spec.tasks.iter().zip(&self.tasks).flat_map(|(spec, progress)| {
            spec.steps.iter().zip(&progress.steps).filter_map(move |(step, state)| {
                let attempt = state.attempts.last().filter(|a| a.ended.is_none())?;
                let (task, step) = (spec.id.clone(), step.id.clone());
                Some((AttemptId { task, step, number: attempt.number }, attempt))
            })
        })
    }

    fn locate(&self, task: &TaskId, step: &StepId) -> Option<(usize, usize)> {
        let task = self.position(task)?;
        let step = self.spec.tasks[task].steps.iter().position(|s| s.id == *step)?;
        Some((task, step))
    }

    fn step_mut(&mut self, task: &TaskId, step: &StepId) -> Option<&mut Step> {
        let (task, step) = self.locate(task, step)?;
        Some(&mut self.tasks[task].steps[step])
    }

    fn attempt_mut(&mut self, id: &AttemptId) -> Option<&mut Attempt> {
        let step = self.step_mut(&id.task, &id.step)?;
        step.attempts.iter_mut().find(|a| a.number == id.number)
    }

    fn task_mut(&mut self, task: &TaskId) -> Option<&mut TaskProgress> {
        let position = self.position(task)?;
        Some(&mut self.tasks[position])
    }

    /// Folds one event into the state. Events about unknown tasks change nothing.
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        self.seq = recorded.seq;
        if self.finished.is_none() {
            self.session.1 = at;
        }
        self.holds.apply(&recorded.event);
        match &recorded.event {
            Event::RunCreated { .. } => {}
            Event::SupervisorStarted { pid } => {
                self.worked_before = self.worked();
                self.session = (at, at);
                self.supervisor = Some(*pid);
                (self.draining, self.halting) = (false, false);
                self.finished = None;
            }
            Event::StepSkipped { task, step, reason } => {
                if let Some(step) = self.step_mut(task, step) {
                    step.state = StepState::Skipped(reason.clone());
                }
            }
            Event::AttemptStarting { attempt, agent } => {
                if let Some(step) = self.step_mut(&attempt.task, &attempt.step) {
                    step.state = StepState::Running;
                    let mut beginning = std::mem::take(&mut step.next);
                    if beginning.agent != *agent {
                        // Another agent's session is not its own.
                        beginning = Beginning { agent: agent.clone(), ..Beginning::default() };
                    }
                    step.attempts.push(Attempt {
                        number: attempt.number,
                        started_at: at,
                        pid: None,
                        beginning,
                        quiet_seconds: None,
                        stopping: None,
                        ended: None,
                    });
                }
            }
            Event::AttemptStarted { attempt, pid } | Event::AttemptAdopted { attempt, pid } => {
                if let Some(attempt) = self.attempt_mut(attempt) {
                    attempt.pid = Some(*pid);
                }
            }
            Event::AttemptStopping { attempt, reason } => {
                if let Some(attempt) = self.attempt_mut(attempt) {
                    attempt.stopping = Some(*reason);
                }
            }
            Event::AttemptStalled { attempt, quiet_seconds } => {
                if let Some(attempt) = self.attempt_mut(attempt) {
                    attempt.quiet_seconds = Some(*quiet_seconds);
                }
            }
            Event::AttemptEnded { attempt, end } => self.end_attempt(attempt, end, at),
            Event::RetryScheduled { attempt, not_before, agent, keep, session } => {
                if let Some((task, step)) = self.locate(&attempt.task, &attempt.step) {
                    self.rewind(task, step, StepState::Waiting(*not_before));
                    self.tasks[task].steps[step].next =
                        Beginning { agent: agent.clone(), keep: *keep, session: session.clone() };
                }
            }
            Event::CancelRequested { tasks } => {
                for task in tasks {
                    if let Some(task) = self.task_mut(task) {
                        task.cancelled = true;
                        task.again = false;
                    }
                }
                // What was left to be done has changed, so it is judged anew whether anything is.
                if matches!(self.finished, Some((RunState::Interrupted, _))) {
                    self.finished = None;
                }
            }
            Event::RetryRequested { tasks, onto } => {
                for task in tasks {
                    self.retry_task(task, onto.as_ref());
                }
                self.finished = None;
            }
            // What keeps new work from starting is kept in one place: see [`Holds`].
            Event::PauseRequested
            | Event::ContinueRequested
            | Event::JobsRequested { .. }
            | Event::BudgetRequested { .. }
            | Event::ParallelismLimited { .. }
            | Event::ResourceShort { .. }
            | Event::ResourceRecovered { .. }
            | Event::AgentLimited { .. } => {}
            Event::DrainRequested => (self.draining, self.halting) = (true, self.draining),
            Event::RunFinished { state } => self.finished = Some((*state, at)),
            Event::TaskWarned { task, message } => {
                if let Some(task) = self.task_mut(task) {
                    task.warnings.push(message.clone());
                }
            }
            Event::TaskMerged { task, into, commit } => {
                if let Some(task) = self.task_mut(task) {
                    task.merged = Some(Merged { into: into.clone(), commit: commit.clone() });
                    task.conflict = None;
                }
            }
            Event::MergeConflicted { task, paths, .. } => {
                if let Some(task) = self.task_mut(task) {
                    task.conflict = Some(paths.clone());
                }
            }
            Event::TaskRestored { task } => {
                if let Some(task) = self.task_mut(task) {
                    task.cleaned = false;
                }
            }
            Event::TaskCleaned { task, .. } => {
                if let Some(task) = self.task_mut(task) {
                    task.cleaned = true;
                }
            }
        }
    }

    fn end_attempt(&mut self, id: &AttemptId, end: &AttemptEnd, at: Timestamp) {
        let Some((task, step)) = self.locate(&id.task, &id.step) else { return };
        let step = &mut self.tasks[task].steps[step];
        let open = step.attempts.iter_mut().find(|a| a.number == id.number && a.ended.is_none());
        let Some(attempt) = open else { return };
        let stopped = attempt.stopping;
        attempt.ended = Some((end.clone(), at));
        step.state = match &end.ending {
            Ending::Succeeded => StepState::Done,
            // Interrupted on purpose (a second Ctrl-C): it starts again when the run is resumed.
            Ending::Failed { failure } if failure.class == FailureClass::Interrupted => {
                match stopped {
                    Some(StopReason::Interrupted) => StepState::Pending,
                    Some(StopReason::OutOfMemory) => StepState::Waiting(at.after(MEMORY_WAIT)),
                    _ => StepState::Failed,
                }
            }
            Ending::Failed { .. } => StepState::Failed,
        };
        if self.tasks[task].again && !self.is_running(task) {
            self.start_again(task);
        }
    }

    /// The given step and everything after it start again.
    fn rewind(&mut self, task: usize, step: usize, state: StepState) {
        let steps = &mut self.tasks[task].steps;
        for later in &mut steps[step..] {
            if !matches!(later.state, StepState::Skipped(_)) {
                later.state = StepState::Pending;
            }
        }
        steps[step].state = state;
    }

    /// What supervisors worked on the run so far.
    #[must_use]
    pub fn worked(&self) -> Duration {
        self.worked_before + self.session.1.since(self.session.0)
    }

    fn retry_task(&mut self, task: &TaskId, onto: Option<&String>) {
        let Some(position) = self.position(task) else { return };
        let progress = &mut self.tasks[position];
        if progress.merged.is_some() {
            return;
        }
        let is_done = |s: &Step| matches!(s.state, StepState::Done | StepState::Skipped(_));
        let done = !progress.steps.is_empty() && progress.steps.iter().all(is_done);
        let was_cancelled = std::mem::take(&mut progress.cancelled);
        let was_cleaned = std::mem::take(&mut progress.cleaned);
        // Done, but what came of it cannot land: it conflicts, or breaks what it is merged with. The
        // same work on the same start would do so again.
        let cannot_land = progress.conflict.take().is_some() || done;
        if cannot_land {
            progress.onto = onto.cloned();
        }
        let has_failed = progress.steps.iter().any(|s| s.state == StepState::Failed);
        if !has_failed && !was_cancelled && !cannot_land {
            return;
        }
        // With another start, or without a worktree, it begins at the beginning.
        progress.anew |= cannot_land || was_cleaned;
        if self.is_running(position) {
            self.tasks[position].again = true;
        } else {
            self.start_again(position);
        }
    }

    /// The task goes on from where it failed, with all its tries. Nothing of it is running.
    fn start_again(&mut self, task: usize) {
        let steps = &self.spec.tasks[task].steps;
        let progress = &mut self.tasks[task];
        progress.again = false;
        for step in &mut progress.steps {
            step.forgiven = step.attempts.last().map_or(0, |a| a.number);
        }
        let is_branch =
            |s: &StepSpec| matches!(s.kind, StepKind::BuiltIn { action: BuiltIn::Branch });
        let failed = progress.steps.iter().position(|s| s.state == StepState::Failed);
        let from = if std::mem::take(&mut progress.anew) {
            steps.iter().position(is_branch)
        } else {
            failed.map(|failed| restart_point(steps, failed))
        };
        if let Some(from) = from {
            self.rewind(task, from, StepState::Pending);
        }
    }
}

/// Where a task starts again when the step at `failed` failed: at its agent when a process failed at or
/// after it (a failed test is mended by the agent, not by running the test again), else at the failed
/// step (a commit that git refused must not cost another agent).
#[must_use]
pub(super) fn restart_point(steps: &[StepSpec], failed: usize) -> usize {
    if !steps[failed].kind.is_process() {
        return failed;
    }
    let runs_agent = |s: &StepSpec| matches!(s.kind, StepKind::Agent) && s.skip.is_none();
    let agent = steps[..=failed].iter().rposition(runs_agent);
    agent.unwrap_or(failed)
}
