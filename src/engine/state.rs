//! The state of a run, and how each event changes it.

use super::agents::AgentRecord;
use super::breaker::Breaker;
use super::budget::{self, Budget};
use super::forge::Forged;
use super::holds::Holds;
use super::merging::Merging;
use super::overlap::Overlap;
use super::progress::{Attempt, Beginning, Brief, Merged, Step, StepState, TaskProgress};
use super::retry::{MAX_LOST, Verdict, asked_again, retry_verdict};
use super::signal;
use crate::model::{
    AttemptEnd, AttemptId, BuiltIn, Dependency, DependencyKind, Dialect, Ending, Event, Failure,
    FailureClass, Recorded, RunSpec, RunState, StepId, StepKind, StepSpec, StopReason, TaskId,
    TaskSpec, Timestamp,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// After an attempt was ended for want of memory, before it takes memory again: what the others need to
/// get further. The governor admits it or not by then.
const MEMORY_WAIT: Duration = Duration::from_mins(1);

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
    /// What is known of each agent that a task may use.
    pub agents: BTreeMap<String, AgentRecord>,
    /// Whether worktrees can be made and set up here.
    pub execution: Breaker,
    /// Whether the forge answers.
    pub github: Breaker,
    /// What the run has on its forge.
    pub forge: Forged,
    /// What agents were asked for after their tasks were done.
    pub follow_ups: super::FollowUps,
    /// What was spent.
    pub budget: Budget,
    /// What is known of merging.
    pub merging: Merging,
    /// What tasks have both changed, by the positions of the later and the earlier one in the plan; `None`:
    /// the branch that the work lands on.
    pub overlaps: BTreeMap<(usize, Option<usize>), Overlap>,
    /// How and when it ended.
    pub finished: Option<(RunState, Timestamp)>,
    /// What supervisors before the last one worked.
    worked_before: Duration,
    /// From the last supervisor's start to the last event.
    session: (Timestamp, Timestamp),
    /// When the last event was recorded.
    pub latest: Timestamp,
    /// The number of the last event applied.
    pub seq: u64,
    index: HashMap<TaskId, usize>,
    /// Parallel to `spec.tasks`: the positions of what each depends on.
    before: Vec<Vec<(usize, DependencyKind)>>,
    /// Parallel to `spec.tasks`: what is asked of every task for every decision.
    pub(super) briefs: Vec<Brief>,
}

impl State {
    /// The state of a run of which only the specification is known.
    #[must_use]
    pub fn new(spec: RunSpec, created_at: Timestamp) -> Self {
        let tasks: Vec<TaskProgress> = spec
            .tasks
            .iter()
            .map(|task| TaskProgress {
                steps: task.steps.iter().map(Step::of).collect(),
                ..TaskProgress::default()
            })
            .collect();
        let index: HashMap<TaskId, usize> =
            spec.tasks.iter().enumerate().map(|(i, t)| (t.id.clone(), i)).collect();
        let known = |d: &Dependency| Some((*index.get(&d.task)?, d.kind));
        let before =
            spec.tasks.iter().map(|t| t.depends_on.iter().filter_map(known).collect()).collect();
        let progressed = spec.tasks.iter().zip(&tasks);
        let briefs: Vec<Brief> =
            progressed.map(|(task, now)| Brief::of(&task.steps, &now.steps)).collect();
        let named = spec.tasks.iter().map(|task| &task.agent).chain(spec.agents.keys());
        let fallbacks = spec.agents.values().filter_map(|profile| profile.fallback.as_ref());
        let agents = named.chain(fallbacks).map(|name| (name.clone(), AgentRecord::default()));
        Self {
            agents: agents.collect(),
            briefs,
            before,
            execution: Breaker::default(),
            github: Breaker::default(),
            forge: Forged::default(),
            follow_ups: super::FollowUps::default(),
            budget: Budget { most: spec.policy.max_cost_usd.map(budget::micros), spent: 0 },
            spec,
            tasks,
            created_at,
            supervisor: None,
            draining: false,
            halting: false,
            holds: Holds::default(),
            merging: Merging::default(),
            overlaps: BTreeMap::new(),
            finished: None,
            worked_before: Duration::ZERO,
            session: (created_at, created_at),
            latest: created_at,
            seq: 0,
            index,
        }
    }

    /// Folds a whole history. `None` when it does not begin with [`Event::RunCreated`].
    #[must_use]
    pub fn replay(history: &[Recorded]) -> Option<Self> {
        let (first, rest) = history.split_first()?;
        let mut state = Self::begin(first.clone())?;
        for recorded in rest {
            state.apply(recorded);
        }
        Some(state)
    }

    /// The state after the first event. `None` when it is not [`Event::RunCreated`].
    #[must_use]
    pub fn begin(first: Recorded) -> Option<Self> {
        let Event::RunCreated { spec } = first.event else { return None };
        let mut state = Self::new(*spec, first.at);
        state.seq = first.seq;
        Some(state)
    }

    /// The position of a task in the plan.
    #[must_use]
    pub fn position(&self, task: &TaskId) -> Option<usize> {
        self.index.get(task).copied()
    }

    /// Positions of what the task at `task` depends on, with what ties them.
    pub(super) fn prerequisites(&self, task: usize) -> &[(usize, DependencyKind)] {
        &self.before[task]
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
        let running = self.briefs.iter().enumerate().filter(|(_, brief)| brief.running);
        running.flat_map(|(task, _)| {
            let (spec, progress) = (&self.spec.tasks[task], &self.tasks[task]);
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
        self.fold(recorded);
        self.follow_ups.apply(&recorded.event, recorded.at);
        for task in recorded.event.tasks() {
            let Some(task) = self.position(task) else { continue };
            self.briefs[task] = Brief::of(&self.spec.tasks[task].steps, &self.tasks[task].steps);
            self.give_up_perhaps(task);
        }
        // What is known of agents and money has changed, or somebody's prerequisite is done.
        let general = matches!(
            recorded.event,
            Event::AttemptEnded { .. } | Event::AgentLimited { .. } | Event::BudgetRequested { .. }
        );
        if general && self.may_never_go_on() {
            (0..self.tasks.len()).for_each(|task| self.give_up_perhaps(task));
        }
    }

    /// Once nothing more can happen to a task, others go by that: it stays so until a person asks for it.
    fn give_up_perhaps(&mut self, task: usize) {
        let (brief, progress) = (&self.briefs[task], &self.tasks[task]);
        if brief.running || brief.done || progress.given_up.is_some() {
            return;
        }
        let why = if brief.failed {
            match retry_verdict(self, task) {
                Verdict::Retry(_) => None,
                Verdict::GiveUp => super::retry::failure_that_stays(self, task),
            }
        } else {
            self.never_goes_on(task)
        };
        self.tasks[task].given_up = why.map(Box::new);
    }

    fn fold(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        (self.seq, self.latest) = (recorded.seq, at);
        if self.finished.is_none() {
            self.session.1 = at;
        }
        self.holds.apply(&recorded.event);
        self.merging.apply(&recorded.event);
        match &recorded.event {
            Event::SupervisorStarted { pid } => {
                self.worked_before = self.worked();
                self.session = (at, at);
                self.supervisor = Some(*pid);
                (self.draining, self.halting) = (false, false);
                self.finished = None;
            }
            Event::AttemptStarting { attempt, agent } => {
                self.start_attempt(attempt, agent.as_ref(), at);
            }
            Event::AttemptStarted { attempt, pid } | Event::AttemptAdopted { attempt, pid } => {
                if let Some(attempt) = self.attempt_mut(attempt) {
                    attempt.pid = Some(*pid);
                }
            }
            Event::AttemptStopping { attempt, reason } => {
                if *reason == StopReason::Overlap
                    && let Some(task) = self.position(&attempt.task)
                {
                    self.tasks[task].paused_for = self.pauses_for(task);
                }
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
            Event::CancelRequested { tasks } => self.cancel(tasks),
            Event::RetryRequested { tasks, onto, snapshots, edited } => {
                for task in tasks {
                    self.retry_task(
                        task,
                        onto.as_ref(),
                        snapshots.get(task),
                        edited.contains(task),
                    );
                }
                self.asked(at);
                self.finished = None;
            }
            // What keeps new work from starting is kept in one place: see [`Holds`].
            Event::RunCreated { .. }
            | Event::StepSkipped { .. }
            | Event::PauseRequested
            | Event::ContinueRequested
            | Event::JobsRequested { .. }
            | Event::ParallelismLimited { .. }
            | Event::ResourceShort { .. }
            | Event::ResourceRecovered { .. }
            | Event::MergeTested { .. }
            | Event::LandingStarting { .. }
            | Event::ConflictResolving { .. } => {}
            Event::BudgetRequested { max_cost_usd } => {
                self.budget.most = max_cost_usd.map(budget::micros);
            }
            Event::AgentLimited { agent, until, detail } => {
                let policy = &self.spec.policy;
                if let Some(agent) = self.agents.get_mut(agent).filter(|_| *until > at) {
                    agent.limited_elsewhere(*until, detail, policy);
                }
            }
            Event::ClockSet { ahead_ms } => {
                // Nobody worked in that time.
                self.session.0 = self.session.0.after(Duration::from_millis(*ahead_ms)).min(at);
            }
            Event::DrainRequested => (self.draining, self.halting) = (true, self.draining),
            Event::RunFinished { state } => self.finished = Some((*state, at)),
            Event::OverlapFound { .. } | Event::OverlapGone { .. } => self.fold_overlap(recorded),
            Event::TaskWarned { .. }
            | Event::TaskMerged { .. }
            | Event::MergeConflicted { .. }
            | Event::MergeRejected { .. }
            | Event::ConflictResolved { .. }
            | Event::TaskRestored { .. }
            | Event::TaskCleaned { .. } => self.fold_aftermath(&recorded.event),
            _ => self.fold_forge(&recorded.event, at),
        }
    }

    fn cancel(&mut self, tasks: &[TaskId]) {
        for task in tasks {
            let Some(task) = self.position(task) else { continue };
            // What is done is too late to cancel.
            self.tasks[task].cancelled |= !self.briefs[task].done;
            self.tasks[task].again = false;
        }
        // What was left to be done has changed, so it is judged anew whether anything is.
        if matches!(self.finished, Some((RunState::Interrupted, _))) {
            self.finished = None;
        }
    }

    /// What became of a task's work, and what is said of it.
    fn fold_aftermath(&mut self, event: &Event) {
        match event {
            Event::ConflictResolved { usage, .. } => {
                self.budget.spent += usage.cost_usd.map_or(0, budget::micros);
            }
            Event::TaskWarned { task, message } => {
                if let Some(task) = self.task_mut(task) {
                    task.warnings.push(message.clone());
                }
            }
            Event::TaskMerged { task, into, commit, head } => {
                if let Some(task) = self.task_mut(task) {
                    let (into, commit, head) = (into.clone(), commit.clone(), head.clone());
                    task.merged = Some(Merged { into, commit, head });
                    task.conflict = None;
                }
            }
            Event::MergeConflicted { task, paths, .. } => {
                if let Some(task) = self.task_mut(task) {
                    let what = format!("conflicts in {}", paths.join(", "));
                    let failure = Failure::new(FailureClass::Conflict, what)
                        .suggest("merge the branch by hand, or run orch retry on the new tip");
                    task.conflict = Some(Box::new(failure));
                }
            }
            Event::MergeRejected { task, into, log } => {
                if let Some(task) = self.task_mut(task) {
                    let what = format!("merged with {into} it fails the verification; log: {log}");
                    let failure = Failure::new(FailureClass::VerifyFailed, what).suggest(format!(
                        "orch retry starts it from where {into} is by then; or mend its branch, then: orch merge"
                    ));
                    task.conflict = Some(Box::new(failure));
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
            _ => {}
        }
    }

    fn start_attempt(&mut self, id: &AttemptId, agent: Option<&String>, at: Timestamp) {
        self.count_start(id, agent.map(String::as_str));
        if let Some(step) = self.step_mut(&id.task, &id.step) {
            step.state = StepState::Running;
            let mut beginning = std::mem::take(&mut step.next);
            if beginning.agent.as_ref() != agent {
                // Another agent's session is not its own.
                (beginning.agent, beginning.session) = (agent.cloned(), None);
            }
            // Mostly the only one.
            step.attempts.reserve_exact(1);
            step.attempts.push(Attempt {
                number: id.number,
                started_at: at,
                pid: None,
                beginning,
                quiet_seconds: None,
                stopping: None,
                ended: None,
            });
        }
    }

    fn end_attempt(&mut self, id: &AttemptId, end: &AttemptEnd, at: Timestamp) {
        let Some((task, step_at)) = self.locate(&id.task, &id.step) else { return };
        let step = &mut self.tasks[task].steps[step_at];
        let open = step.attempts.iter_mut().find(|a| a.number == id.number && a.ended.is_none());
        let Some(attempt) = open else { return };
        let stopped = attempt.stopping;
        // Both are told by clocks that somebody may have set.
        let least = attempt.started_at.after(Duration::from_millis(end.wall_ms.unwrap_or(0)));
        let ended_at = end.finished_at.map_or(at, |told| told.max(least).min(at));
        attempt.ended = Some((Arc::new(end.clone()), ended_at));
        let starved = |a: &&Attempt| a.stopping == Some(StopReason::OutOfMemory);
        let ended = attempt.clone();
        step.state = match &end.ending {
            Ending::Succeeded => StepState::Done,
            // Interrupted on purpose (a second Ctrl-C): it starts again when the run is resumed.
            Ending::Failed { failure } if failure.class == FailureClass::Interrupted => {
                match stopped {
                    Some(StopReason::Interrupted | StopReason::Overlap) => StepState::Pending,
                    // Not for ever: some tasks are too large for the machine.
                    Some(StopReason::OutOfMemory)
                        if step.tried().filter(starved).count() <= MAX_LOST =>
                    {
                        StepState::Waiting(at.after(MEMORY_WAIT))
                    }
                    _ => StepState::Failed,
                }
            }
            Ending::Failed { .. } => StepState::Failed,
        };
        // On purpose: it goes on where it was, where its agent can.
        if matches!(step.state, StepState::Pending | StepState::Waiting(_)) {
            let (agent, session) = (ended.beginning.agent.clone(), self.session(task, &ended));
            let step = &mut self.tasks[task].steps[step_at];
            // Paused, it loses nothing that it has done.
            let keep = session.is_some() || stopped == Some(StopReason::Overlap);
            step.next = Beginning { agent, keep, session };
        } else {
            self.tasks[task].paused_for.clear();
        }
        self.count_end(task, step_at, id, &ended);
        let running = self.tasks[task].steps.iter().any(|s| s.state == StepState::Running);
        if self.tasks[task].again && !running {
            self.start_again(task);
        }
    }

    /// A person wants the run to go on, and may have mended what kept it.
    fn asked(&mut self, at: Timestamp) {
        for agent in self.agents.values_mut() {
            agent.breaker.asked(at);
        }
        self.execution.asked(at);
    }

    /// What guards attempts learns that one starts.
    fn count_start(&mut self, id: &AttemptId, agent: Option<&str>) {
        let Some((task, step)) = self.locate(&id.task, &id.step) else { return };
        let spec = &self.spec.tasks[task];
        if spec.steps[step].takes_something_new() {
            self.execution.started(id);
        }
        if matches!(spec.steps[step].kind, StepKind::Agent)
            && let Some(agent) = self.agents.get_mut(agent.unwrap_or(&spec.agent))
        {
            agent.started(id);
        }
    }

    /// What guards attempts learns how one ended.
    fn count_end(&mut self, task: usize, step: usize, id: &AttemptId, attempt: &Attempt) {
        let Some((end, at)) = &attempt.ended else { return };
        let (spec, policy) = (&self.spec.tasks[task], &self.spec.policy);
        let kind = &spec.steps[step].kind;
        let why = end.ending.failure();
        let signal = signal::of_execution(end, kind, attempt.stopping);
        self.execution.ended(id, signal, why, *at, policy.execution);
        if !matches!(kind, StepKind::Agent) {
            return;
        }
        let name = attempt.beginning.agent.as_ref().unwrap_or(&spec.agent);
        let Some(agent) = self.agents.get_mut(name) else { return };
        let dialect = self.spec.agents.get(name).map_or(Dialect::Plain, |profile| profile.output);
        agent.ended(id, end, attempt.stopping, *at, policy, dialect);
        let cost = budget::charge(attempt, end, agent.dearest);
        agent.dearest = budget::learn(agent.dearest, end);
        self.budget.spent += cost;
        self.tasks[task].spent += cost;
        self.tasks[task].dearest = self.tasks[task].dearest.max(cost);
    }

    /// The given step and everything after it start again.
    fn rewind(&mut self, task: usize, step: usize, state: StepState) {
        let steps = &mut self.tasks[task].steps;
        for later in &mut steps[step..] {
            if !matches!(later.state, StepState::Skipped) {
                later.state = StepState::Pending;
                later.next = Beginning::default();
            }
        }
        // A workflow without a branch of its own has nothing to start again there.
        if !matches!(steps[step].state, StepState::Skipped) {
            steps[step].state = state;
        }
    }

    /// What supervisors worked on the run so far.
    #[must_use]
    pub fn worked(&self) -> Duration {
        self.worked_before + self.session.1.since(self.session.0)
    }

    fn retry_task(
        &mut self,
        task: &TaskId,
        onto: Option<&String>,
        snapshot: Option<&String>,
        edited: bool,
    ) {
        let Some(position) = self.position(task) else { return };
        let progress = &mut self.tasks[position];
        if progress.merged.is_some() {
            return;
        }
        progress.snapshot = snapshot.cloned();
        let is_done = |s: &Step| matches!(s.state, StepState::Done | StepState::Skipped);
        let was_cancelled = std::mem::take(&mut progress.cancelled);
        let done =
            !was_cancelled && !progress.steps.is_empty() && progress.steps.iter().all(is_done);
        let was_cleaned = std::mem::take(&mut progress.cleaned);
        let gave_up = progress.given_up.take().is_some();
        // Done, but what came of it cannot land: it conflicts, or breaks what it is merged with. The
        // same work on the same start would do so again.
        let cannot_land = progress.conflict.take().is_some() || done;
        if cannot_land {
            progress.onto = onto.cloned();
        }
        let has_failed = progress.steps.iter().any(|s| s.state == StepState::Failed);
        if !has_failed && !was_cancelled && !cannot_land && !gave_up {
            return;
        }
        (progress.spent, progress.dearest) = (0, 0);
        progress.edited |= edited;
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
        let edited = std::mem::take(&mut progress.edited);
        for step in &mut progress.steps {
            step.forgiven = step.attempts.last().map_or(0, |a| a.number);
        }
        let is_branch =
            |s: &StepSpec| matches!(s.kind, StepKind::BuiltIn { action: BuiltIn::Branch });
        let from = if std::mem::take(&mut progress.anew) {
            steps.iter().position(is_branch)
        } else {
            asked_again(steps, &progress.steps, edited)
        };
        if let Some(from) = from {
            self.rewind(task, from, StepState::Pending);
        }
    }
}
