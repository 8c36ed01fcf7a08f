//! What to do about a state.

use super::derive::Standings;
use super::retry::{Verdict, retry_verdict};
use super::state::{State, StepState, TaskProgress};
use crate::model::{
    Action, AttemptId, BuiltIn, RunState, StepId, StepKind, StopReason, TaskState, Timestamp,
};
use std::collections::HashSet;

/// What is to be done now. Deterministic; an empty list means: wait for the world or for
/// [`next_wakeup`].
#[must_use]
pub fn decide(state: &State, now: Timestamp) -> Vec<Action> {
    if state.finished.is_some() {
        return Vec::new();
    }
    let mut actions = Vec::new();
    let standings = state.standings();
    let order = order(state);
    let mut slots = Slots::of(state, &standings, &order, now);
    for task in order {
        decide_task(state, task, &standings, now, &mut slots, &mut actions);
    }
    let over = || {
        let settled = (0..state.tasks.len()).all(|task| standings.is_settled(task));
        let held = state.holds.all() && !state.draining;
        settled || (!held && waiting(state).next().is_none())
    };
    if actions.is_empty() && state.open_attempts().next().is_none() && over() {
        actions.push(Action::Finish { state: final_state(state, &standings) });
    }
    actions
}

/// The next time after `now` at which [`decide`] may say something new without any event.
#[must_use]
pub fn next_wakeup(state: &State, now: Timestamp) -> Option<Timestamp> {
    waiting(state).filter(|at| *at > now).min()
}

/// The times, past ones included, at which tasks go on by themselves.
fn waiting(state: &State) -> impl Iterator<Item = Timestamp> {
    let goes_on = !state.draining && state.finished.is_none();
    state.tasks.iter().filter(move |_| goes_on).flat_map(waits_until)
}

/// The times at which steps of the task go on by themselves. None of one that was stopped or has failed
/// in another step.
fn waits_until(task: &TaskProgress) -> impl Iterator<Item = Timestamp> {
    let over = task.cancelled || task.steps.iter().any(|s| s.state == StepState::Failed);
    task.steps.iter().filter_map(move |step| match step.state {
        StepState::Waiting(until) if !over => Some(until),
        _ => None,
    })
}

/// How much may be started.
struct Slots {
    /// Free places for processes.
    processes: usize,
    /// Free places for tasks whose branch is made before a process slot is free for them.
    ahead: usize,
    /// Without `--parallel`: the one task that may go on, if one was started.
    only: Option<usize>,
    parallel: bool,
}

impl Slots {
    fn of(state: &State, standings: &Standings, order: &[usize], now: Timestamp) -> Self {
        let jobs = state.jobs() as usize;
        let running = state
            .open_attempts()
            .filter(|(id, _)| {
                state.step_spec(&id.task, &id.step).is_some_and(|(_, step)| step.kind.is_process())
            })
            .count();
        let mut started = order
            .iter()
            .copied()
            .filter(|task| state.was_started(*task) && !standings.is_settled(*task));
        let only = started.clone().next();
        // One that waits for its time to come must not keep the others from theirs.
        let waits = |task: usize| waits_until(&state.tasks[task]).any(|at| at > now);
        let ahead = started.by_ref().filter(|t| !state.has_begun(*t) && !waits(*t)).count();
        Self {
            processes: if state.holds.all() { 0 } else { jobs.saturating_sub(running) },
            ahead: if state.holds.all() { 0 } else { jobs.saturating_sub(ahead) },
            only,
            parallel: state.spec.parallel,
        }
    }
}

/// Tasks that can still need something: those with an attempt under way first, then those whose agent
/// has begun, then those that have a branch, each in plan order.
fn order(state: &State) -> Vec<usize> {
    let mut tasks: Vec<usize> = (0..state.tasks.len())
        .filter(|task| state.spec.tasks[*task].skip.is_none() && !state.is_done(*task))
        .collect();
    tasks.sort_by_cached_key(|task| {
        let running = state.is_running(*task);
        (!running, !state.has_begun(*task), !state.was_started(*task))
    });
    tasks
}

fn decide_task(
    state: &State,
    task: usize,
    standings: &Standings,
    now: Timestamp,
    slots: &mut Slots,
    actions: &mut Vec<Action>,
) {
    let spec = &state.spec.tasks[task];
    let progress = &state.tasks[task];
    if progress.cancelled || state.halting {
        let reason =
            if progress.cancelled { StopReason::Cancelled } else { StopReason::Interrupted };
        for (step, attempt) in spec.steps.iter().zip(&progress.steps).filter_map(|(spec, step)| {
            let attempt = step.attempts.last().filter(|a| a.ended.is_none())?;
            (attempt.stopping.is_none() && spec.kind.is_process()).then_some((spec, attempt))
        }) {
            let (task, step) = (spec.id.clone(), step.id.clone());
            let attempt = AttemptId { task, step, number: attempt.number };
            actions.push(Action::Stop { attempt, reason });
        }
        return;
    }
    if progress.merged.is_some() || progress.conflict.is_some() {
        return;
    }
    if progress.steps.iter().any(|s| s.state == StepState::Failed) {
        // Going back while another step of the task runs would take the ground from under it.
        let settled = !state.draining && !state.is_running(task);
        if let Verdict::Retry(attempt) = retry_verdict(state, task)
            && settled
        {
            actions.push(Action::ScheduleRetry { attempt });
        }
        return;
    }
    if !state.waits_for(task, standings).is_empty() || (state.draining && !state.has_begun(task)) {
        return;
    }
    if slots.admit(task, state.was_started(task)) {
        start_ready_steps(state, task, now, slots, actions);
    }
}

impl Slots {
    /// Whether a task may take its next step.
    fn admit(&mut self, task: usize, started: bool) -> bool {
        if !self.parallel && *self.only.get_or_insert(task) != task {
            return false;
        }
        if started {
            return true;
        }
        let admitted = self.ahead > 0;
        self.ahead = self.ahead.saturating_sub(1);
        admitted
    }
}

fn start_ready_steps(
    state: &State,
    task: usize,
    now: Timestamp,
    slots: &mut Slots,
    actions: &mut Vec<Action>,
) {
    let spec = &state.spec.tasks[task];
    let steps = &state.tasks[task].steps;
    // Steps that those after them need not wait for, those skipped just now included.
    let mut through: HashSet<&StepId> = HashSet::new();
    for (step_spec, step) in spec.steps.iter().zip(steps) {
        let ready = match step.state {
            StepState::Pending => true,
            // Trying again is something new, and a draining run starts nothing new.
            StepState::Waiting(until) => until <= now && !state.draining,
            StepState::Done | StepState::Skipped(_) => {
                through.insert(&step_spec.id);
                false
            }
            StepState::Running | StepState::Failed => false,
        };
        if !ready || !step_spec.needs.iter().all(|need| through.contains(need)) {
            continue;
        }
        let (id, step_id) = (spec.id.clone(), step_spec.id.clone());
        if let Some(reason) = &step_spec.skip {
            actions.push(Action::Skip { task: id, step: step_id, reason: reason.clone() });
            through.insert(&step_spec.id);
            continue;
        }
        // What is done is committed whatever holds new work back.
        if matches!(step_spec.kind, StepKind::BuiltIn { action: BuiltIn::Branch })
            && state.holds.all()
        {
            continue;
        }
        if step_spec.kind.is_process() {
            if slots.processes == 0 {
                continue;
            }
            slots.processes -= 1;
        }
        let number = step.attempts.last().map_or(0, |a| a.number) + 1;
        let attempt = AttemptId { task: id, step: step_id, number };
        actions.push(Action::Start { attempt, agent: step.next.agent.clone() });
    }
}

fn final_state(state: &State, standings: &Standings) -> RunState {
    let states: Vec<TaskState> =
        (0..state.tasks.len()).map(|t| state.task_state(t, standings)).collect();
    let ended = |task: usize| standings.is_settled(task);
    if state.draining && !(0..states.len()).all(ended) {
        RunState::Interrupted
    } else if states.iter().all(|s| s.is_good()) {
        RunState::Succeeded
    } else if states.iter().all(|s| s.is_good() || *s == TaskState::Cancelled) {
        RunState::Cancelled
    } else {
        RunState::Failed
    }
}
