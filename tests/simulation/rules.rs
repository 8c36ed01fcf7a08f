//! What must hold after every event, each rule a function with its name. They keep books of their own,
//! from the events alone, so that a mistake of the engine's does not hide itself.

use crate::breakers::{is_busy, is_limited};
use crate::overlaps::Overlaps;
use crate::policies::Ground;
use orch::engine::{State, decide};
use orch::model::{
    AttemptId, BuiltIn, DependencyKind, Ending, Event, FailureClass, Recorded, RunSpec, StepId,
    StepKind, StepSpec, StopReason, TaskId, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// Attempts lost to a dead shim that the engine forgives, as its `MAX_LOST`.
const LOST: u32 = 3;

/// Attempts ended for want of memory that it forgives, and those that it hands to another agent.
const STARVED: u32 = 4;
const HANDED_ON: u32 = 3;

/// Waits for a limit that it forgives, for each agent step, as its `MAX_LIMITED`.
const LIMITED: u32 = 20;

/// What the rules know of a run.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one task")]
pub struct Books {
    spec: RunSpec,
    pub ground: Ground,
    open: BTreeSet<AttemptId>,
    numbers: BTreeMap<(TaskId, StepId), u32>,
    /// How the last attempt of a step ended, or that it was skipped: true is good.
    good: BTreeMap<(TaskId, StepId), bool>,
    stopping: BTreeMap<AttemptId, StopReason>,
    cancelled: BTreeSet<TaskId>,
    /// Agents started since a person last asked for the task, without those interrupted on purpose.
    charged: BTreeMap<TaskId, u32>,
    /// Of these, those that met a limit: not charged, up to a number.
    limited: BTreeMap<TaskId, u32>,
    /// Tasks that a person asked for again after another task tied to them had begun.
    again: BTreeSet<TaskId>,
    /// Tasks that a person asked for again while something of them ran.
    asked: BTreeSet<TaskId>,
    overlaps: Overlaps,
    draining: bool,
    halting: bool,
    finished: bool,
    /// Another process wrote between a decision and its record: what was decided is not the engine's
    /// last word, and the rules about starting in order say nothing until it is.
    pub raced: bool,
}

/// The run is shown after every so many events, and at each end.
const SHOWN: u64 = 16;

type Rule = fn(&Books, &AttemptId) -> Result<(), String>;

/// Asked before an attempt is put on the books.
const BEFORE_A_START: [(&str, Rule); 9] = [
    ("no two open attempts of a step", no_two_open_attempts_of_a_step),
    ("never more processes than jobs", never_more_processes_than_jobs),
    ("declared prerequisites first", declared_prerequisites_first),
    ("conflicting tasks apart", conflicting_tasks_apart),
    ("one task at a time without --parallel", one_task_at_a_time),
    ("attempts count up by one", attempts_count_up),
    ("retries are bounded", retries_are_bounded),
    ("what succeeded stays", what_succeeded_stays),
    ("what was stopped stays stopped", what_was_stopped_stays),
];

impl Books {
    pub fn new(spec: RunSpec) -> Self {
        let steps = spec.tasks.iter().flat_map(|t| t.steps.iter().map(move |step| (t, step)));
        let skipped = steps.filter(|(_, step)| step.skip.is_some());
        let good = skipped.map(|(t, step)| ((t.id.clone(), step.id.clone()), true)).collect();
        Self {
            ground: Ground::new(&spec),
            limited: BTreeMap::new(),
            spec,
            open: BTreeSet::new(),
            numbers: BTreeMap::new(),
            good,
            stopping: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            charged: BTreeMap::new(),
            again: BTreeSet::new(),
            asked: BTreeSet::new(),
            overlaps: Overlaps::default(),
            draining: false,
            halting: false,
            finished: false,
            raced: false,
        }
    }

    /// Whether the attempt goes on with what was stopped for another task's sake.
    pub fn was_paused(&self, attempt: &AttemptId) -> bool {
        self.overlaps.was_paused(attempt)
    }

    /// Whether anything is under way.
    pub fn is_quiet(&self) -> bool {
        self.open.is_empty()
    }

    /// Enters an event, before the engine folds it.
    pub fn enter(&mut self, event: &Event, at: Timestamp) -> Result<(), String> {
        let stopping = match event {
            Event::AttemptEnded { attempt, .. } => self.stopping.get(attempt).copied(),
            _ => None,
        };
        self.ground.enter(event, stopping, self.raced, at.0)?;
        self.overlaps.enter(event, at, &self.spec, &self.open, self.raced)?;
        match event {
            Event::AttemptStarting { attempt, .. } => {
                for (name, rule) in BEFORE_A_START {
                    rule(self, attempt).map_err(|why| format!("{name}: {attempt}: {why}"))?;
                }
                self.open.insert(attempt.clone());
                self.numbers.insert(step_of(attempt), attempt.number);
                self.good.insert(step_of(attempt), false);
                if matches!(self.kind(attempt), StepKind::Agent) {
                    *self.charged.entry(attempt.task.clone()).or_default() += 1;
                }
            }
            Event::AttemptStopping { attempt, reason } => {
                self.stopping.insert(attempt.clone(), *reason);
            }
            Event::AttemptEnded { attempt, end } => {
                if !self.open.remove(attempt) {
                    return Err(format!("{attempt} ended twice"));
                }
                let interrupted = end.ending.failure().map(|failure| failure.class)
                    == Some(FailureClass::Interrupted);
                let paused = stopping == Some(StopReason::Overlap) && interrupted;
                let on_purpose = stopping == Some(StopReason::Interrupted) || paused;
                self.good.insert(step_of(attempt), end.ending == Ending::Succeeded);
                // It starts again by itself, unless it had failed by then for a reason of its own.
                let class = end.ending.failure().map(|failure| failure.class);
                let starved = stopping == Some(StopReason::OutOfMemory);
                if (on_purpose || starved) && class == Some(FailureClass::Interrupted) {
                    self.good.remove(&step_of(attempt));
                }
                let busy = stopping.is_none() && is_busy(end, &self.spec.policy);
                let limited = (busy || is_limited(end, stopping, at.0)) && {
                    let so_far = self.limited.entry(attempt.task.clone()).or_default();
                    *so_far += 1;
                    *so_far <= LIMITED
                };
                if (on_purpose || limited) && matches!(self.kind(attempt), StepKind::Agent) {
                    let charged = self.charged.entry(attempt.task.clone()).or_default();
                    *charged = charged.saturating_sub(1);
                }
            }
            Event::RetryScheduled { attempt, .. } => {
                let steps = &self.task(&attempt.task).steps;
                let from = steps.iter().position(|s| s.id == attempt.step).unwrap_or(0);
                self.rewind(&attempt.task.clone(), from);
            }
            Event::CancelRequested { tasks } => {
                // What is done is too late to cancel.
                let open = tasks.iter().filter(|task| !self.has_succeeded(task)).cloned();
                let open: Vec<_> = open.collect();
                self.cancelled.extend(open);
                // An interrupted run is judged anew.
                self.finished = false;
            }
            Event::RetryRequested { tasks, .. } => {
                for task in tasks {
                    // What succeeded is asked for again when it cannot land: from its branch on.
                    let is_branch = |s: &StepSpec| {
                        matches!(s.kind, StepKind::BuiltIn { action: BuiltIn::Branch })
                    };
                    let branch = self.task(task).steps.iter().position(is_branch);
                    let was_cancelled = self.cancelled.remove(task);
                    let again = !was_cancelled && self.has_succeeded(task);
                    if let Some(branch) = branch.filter(|_| again) {
                        self.rewind(task, branch);
                    }
                    self.charged.remove(task);
                    self.limited.remove(task);
                    self.again.insert(task.clone());
                    // Of one that is under way and has not failed there is nothing to do again.
                    if was_cancelled || self.has_failed(task) {
                        self.asked.insert(task.clone());
                    }
                }
                self.finished = false;
            }
            Event::DrainRequested => (self.draining, self.halting) = (true, self.draining),
            Event::SupervisorStarted { .. } => {
                (self.draining, self.halting, self.finished) = (false, false, false);
            }
            Event::RunFinished { .. } => {
                if !self.open.is_empty() {
                    return Err(format!("finished while {:?} are open", self.open));
                }
                self.finished = true;
            }
            _ => {}
        }
        for task in std::mem::take(&mut self.asked) {
            if self.open.iter().any(|a| a.task == task) {
                self.asked.insert(task);
            } else {
                self.restart(&task);
            }
        }
        Ok(())
    }

    /// A person asked for the task again, and nothing of it runs: what failed and what follows is open.
    fn restart(&mut self, task: &TaskId) {
        let steps = &self.task(task).steps;
        let is_bad = |s: &StepSpec| self.good.get(&(task.clone(), s.id.clone())) == Some(&false);
        let Some(failed) = steps.iter().position(is_bad) else { return };
        let is_agent = |s: &StepSpec| s.kind == StepKind::Agent && s.skip.is_none();
        let agent = steps[..=failed].iter().rposition(is_agent);
        let from = if steps[failed].kind.is_process() { agent.unwrap_or(failed) } else { failed };
        self.rewind(task, from);
    }

    fn rewind(&mut self, task: &TaskId, from: usize) {
        let steps = self.task(task).steps[from..].iter().filter(|s| s.skip.is_none());
        let keys: Vec<_> = steps.map(|s| (task.clone(), s.id.clone())).collect();
        for key in keys {
            self.good.remove(&key);
        }
    }

    /// Asked after the engine folded the event.
    pub fn check(&self, state: &State, now: Timestamp) -> Result<(), String> {
        if self.finished {
            views_do_not_panic(state)?;
            let decided = decide(state, now);
            if !decided.is_empty() {
                return Err(format!("a finished run decides {decided:?}"));
            }
        } else if state.seq.is_multiple_of(SHOWN) {
            views_do_not_panic(state)?;
        }
        if let Some((finished, _)) = state.finished.filter(|_| self.finished && !self.raced) {
            self.ground.check_finish(finished, state)?;
        }
        Ok(())
    }

    /// Asked when nothing is left to decide and the run goes on.
    pub fn check_rest(&self, state: &State, now: Timestamp) -> Result<(), String> {
        use orch::engine::StepState;
        let builtins = self.open.iter().any(|a| !self.kind(a).is_process());
        let running = self.open.iter().filter(|a| self.kind(a).is_process()).count();
        let decided = self.finished || self.draining || !self.ground.is_clear();
        if decided || builtins || !self.spec.parallel {
            return Ok(());
        }
        if running >= self.ground.jobs() as usize {
            return Ok(());
        }
        let standings = state.standings();
        for task in 0..state.tasks.len() {
            let steps = &state.tasks[task].steps;
            let waits = steps.iter().any(|s| match s.state {
                StepState::Running => true,
                StepState::Waiting(until) => until > now,
                _ => false,
            });
            let blocked = !state.waits_for(task, &standings).is_empty();
            if !waits && !blocked && !standings.is_settled(task) {
                let id = &self.spec.tasks[task].id;
                return Err(format!("no slot idle: {id} could go on and a slot is free"));
            }
        }
        Ok(())
    }

    fn kind(&self, attempt: &AttemptId) -> &StepKind {
        let steps = &self.task(&attempt.task).steps;
        &steps.iter().find(|s| s.id == attempt.step).expect("a step of the run").kind
    }

    fn task(&self, id: &TaskId) -> &orch::model::TaskSpec {
        self.spec.tasks.iter().find(|t| t.id == *id).expect("a task of the run")
    }

    pub fn has_succeeded(&self, id: &TaskId) -> bool {
        let good = |step: &StepId| self.good.get(&(id.clone(), step.clone())) == Some(&true);
        self.task(id).steps.iter().all(|s| good(&s.id))
    }

    /// A person asked for it, or for something it comes after, again.
    fn is_wanted_again(&self, id: &TaskId) -> bool {
        let before = &self.task(id).depends_on;
        self.again.contains(id) || before.iter().any(|d| self.is_wanted_again(&d.task))
    }

    /// A step of it ended badly and is not going to be tried again by itself.
    fn has_failed(&self, id: &TaskId) -> bool {
        let open = |step: &StepId| self.open.iter().any(|a| a.task == *id && a.step == *step);
        let bad = |step: &StepId| self.good.get(&(id.clone(), step.clone())) == Some(&false);
        self.task(id).steps.iter().any(|s| bad(&s.id) && !open(&s.id))
    }

    fn has_begun(&self, id: &TaskId) -> bool {
        self.numbers.keys().any(|(task, _)| task == id)
    }
}

fn step_of(attempt: &AttemptId) -> (TaskId, StepId) {
    (attempt.task.clone(), attempt.step.clone())
}

fn no_two_open_attempts_of_a_step(books: &Books, new: &AttemptId) -> Result<(), String> {
    match books.open.iter().find(|a| step_of(a) == step_of(new)) {
        Some(open) => Err(format!("{open} is open")),
        None => Ok(()),
    }
}

fn never_more_processes_than_jobs(books: &Books, new: &AttemptId) -> Result<(), String> {
    let running = books.open.iter().filter(|a| books.kind(a).is_process()).count();
    if books.kind(new).is_process() && running >= books.ground.jobs() as usize && !books.raced {
        return Err(format!("{running} run already"));
    }
    Ok(())
}

fn declared_prerequisites_first(books: &Books, new: &AttemptId) -> Result<(), String> {
    if books.has_begun(&new.task) || books.raced {
        // Its branch is made: a prerequisite that a person asks for again changes nothing about it.
        return Ok(());
    }
    let declared =
        books.task(&new.task).depends_on.iter().filter(|d| d.kind == DependencyKind::Declared);
    let mut missing = declared.filter(|d| !books.has_succeeded(&d.task));
    missing.next().map_or(Ok(()), |before| Err(format!("{} has not succeeded", before.task)))
}

fn conflicting_tasks_apart(books: &Books, new: &AttemptId) -> Result<(), String> {
    let tied = |a: &TaskId, b: &TaskId| books.task(b).depends_on.iter().any(|d| d.task == *a);
    for open in books.open.iter().map(|a| &a.task).filter(|t| **t != new.task) {
        // Someone who asks for a task again gets it, at the price of a merge later.
        let wanted = books.is_wanted_again(open) || books.is_wanted_again(&new.task);
        if (tied(open, &new.task) || tied(&new.task, open)) && !wanted && !books.raced {
            return Err(format!("{open} is under way"));
        }
    }
    Ok(())
}

fn one_task_at_a_time(books: &Books, new: &AttemptId) -> Result<(), String> {
    let other = books.open.iter().find(|a| a.task != new.task);
    match other.filter(|_| !books.spec.parallel && !books.raced) {
        Some(other) => Err(format!("{other} is under way")),
        None => Ok(()),
    }
}

fn attempts_count_up(books: &Books, new: &AttemptId) -> Result<(), String> {
    let last = books.numbers.get(&step_of(new)).copied().unwrap_or(0);
    if new.number == last + 1 { Ok(()) } else { Err(format!("the last was {last}")) }
}

fn retries_are_bounded(books: &Books, new: &AttemptId) -> Result<(), String> {
    if !matches!(books.kind(new), StepKind::Agent) {
        return Ok(());
    }
    // Each step's tries may each cost every agent one.
    let steps = &books.task(&new.task).steps;
    let tries: u32 = steps.iter().map(|s| 1 + s.retries + LOST + STARVED + HANDED_ON).sum();
    let agents = steps.iter().filter(|s| s.kind == StepKind::Agent).count();
    let most = tries * u32::try_from(agents).expect("few");
    let charged = books.charged.get(&new.task).copied().unwrap_or(0);
    if charged < most { Ok(()) } else { Err(format!("{charged} of at most {most} were started")) }
}

fn what_succeeded_stays(books: &Books, new: &AttemptId) -> Result<(), String> {
    if books.has_succeeded(&new.task) { Err("it has succeeded".to_owned()) } else { Ok(()) }
}

fn what_was_stopped_stays(books: &Books, new: &AttemptId) -> Result<(), String> {
    if books.finished {
        return Err("the run is finished".to_owned());
    }
    if books.cancelled.contains(&new.task) && !books.raced {
        return Err("its task was cancelled".to_owned());
    }
    if books.halting && !books.raced {
        return Err("everything was told to stop".to_owned());
    }
    if books.draining && !books.has_begun(&new.task) && !books.raced {
        return Err("the run is draining and its task has not begun".to_owned());
    }
    Ok(())
}

/// A supervisor that takes over knows what the one before knew, and wants the same.
pub fn replay_equals_live(
    journal: &[Recorded],
    state: &State,
    now: Timestamp,
) -> Result<(), String> {
    match State::replay(journal) {
        Some(replayed) if replayed != *state => {
            Err("replay equals live state: the journal replays to another one".to_owned())
        }
        Some(replayed) if decide(&replayed, now) != decide(state, now) => {
            Err("the same state led to two decisions".to_owned())
        }
        Some(_) => Ok(()),
        None => Err("the journal has no beginning".to_owned()),
    }
}

/// Nothing is open, nothing is decided, nothing is scheduled and nobody holds the run: then it is over.
pub fn no_wait_that_never_ends(books: &Books, state: &State, now: Timestamp) -> Result<(), String> {
    let waits = orch::engine::next_wakeup(state, now).is_some() || books.ground.is_held();
    if state.finished.is_some() || waits || !books.is_quiet() || !decide(state, now).is_empty() {
        return Ok(());
    }
    Err("no wait that never ends: nothing is under way and the run is not over".to_owned())
}

fn views_do_not_panic(state: &State) -> Result<(), String> {
    let standings = state.standings();
    serde_json::to_string(&state.run_view()).map_err(|e| e.to_string())?;
    for task in 0..state.tasks.len() {
        let view = state.task_view(task, &standings);
        if view.state.is_final() && view.finished_at < view.started_at {
            return Err(format!("{} ended before it began", view.id));
        }
    }
    Ok(())
}

/// What a reader of the journal makes of an event.
pub fn through_the_journal(recorded: &Recorded) -> Result<Recorded, String> {
    let line = serde_json::to_string(recorded).map_err(|e| e.to_string())?;
    serde_json::from_str(&line).map_err(|e| format!("{line}: {e}"))
}
