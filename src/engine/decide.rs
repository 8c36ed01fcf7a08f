//! What to do about a state.

use super::agents::{Choice, Taken};
use super::breaker::Gate;
use super::derive::Standings;
use super::progress::StepState;
use super::retry::{Again, Verdict, retry_verdict};
use super::state::State;
use crate::model::{
    Action, AttemptId, RunState, StepId, StepKind, StopReason, TaskState, Timestamp,
};
use std::collections::HashSet;

/// What is to be done now. Deterministic; an empty list means: wait for the world, for a person where the
/// run is paused, or for [`next_wakeup`].
#[must_use]
pub fn decide(state: &State, now: Timestamp) -> Vec<Action> {
    if state.finished.is_some() {
        return Vec::new();
    }
    let mut actions = Vec::new();
    let standings = state.standings();
    let order = order(state);
    let mut slots = Slots::of(state, &standings, &order, now);
    for task in order.iter().copied() {
        if slots.are_taken() && !state.was_started(task) {
            break;
        }
        decide_task(state, task, &standings, now, &mut slots, &mut actions);
    }
    let running = order.first().is_some_and(|task| state.is_running(*task));
    if actions.is_empty() && !running && !waits(state, &standings) {
        actions.push(Action::Finish { state: final_state(state, &standings) });
    }
    actions
}

/// The next time after `now` at which [`decide`] may say something new without any event.
#[must_use]
pub fn next_wakeup(state: &State, now: Timestamp) -> Option<Timestamp> {
    if state.draining || state.finished.is_some() {
        return None;
    }
    let steps = (0..state.tasks.len()).flat_map(|task| waits_until(state, task));
    let agents = state.agents.values().map(|agent| &agent.breaker);
    let breakers = agents.chain([&state.execution]).filter_map(|breaker| match breaker.gate(now) {
        Gate::Open(until) => Some(until),
        _ => None,
    });
    steps.chain(breakers).filter(|at| *at > now).min()
}

/// The times, past ones included, at which steps of the task go on by themselves. None of one that was
/// stopped or has failed in another step.
fn waits_until(state: &State, task: usize) -> impl Iterator<Item = Timestamp> {
    let (brief, progress) = (&state.briefs[task], &state.tasks[task]);
    let goes_on = brief.waits && !progress.cancelled && !brief.failed;
    progress.steps.iter().filter(move |_| goes_on).filter_map(|step| match step.state {
        StepState::Waiting(until) => Some(until),
        _ => None,
    })
}

/// Whether, though nothing is under way, something goes on later: a time comes, the machine recovers, a
/// person lets the run go on. Whatever else is left over waits for what will never be.
fn waits(state: &State, standings: &Standings) -> bool {
    if state.draining {
        return false;
    }
    let mut left = (0..state.tasks.len()).filter(|task| !standings.is_settled(*task)).peekable();
    if left.peek().is_none() {
        return false;
    }
    let cools_down = state.execution.opened.is_some();
    state.holds.all()
        || left.any(|task| {
            waits_until(state, task).next().is_some()
                || (state.waits_for(task, standings).is_empty()
                    && (cools_down || state.awaits_an_agent(task)))
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
    /// How many steps may begin something new: none while the run is held, one on trial.
    new: usize,
    /// Attempts of each agent decided just now.
    taken: Taken,
}

impl Slots {
    fn of(state: &State, standings: &Standings, order: &[usize], now: Timestamp) -> Self {
        let jobs = state.jobs() as usize;
        let under_way = order.iter().take_while(|task| state.is_running(**task));
        let running: u32 = under_way.map(|task| state.briefs[*task].processes).sum();
        let mut started = order
            .iter()
            .copied()
            .take_while(|task| state.was_started(*task))
            .filter(|task| !standings.is_settled(*task));
        let only = started.clone().next();
        // One that waits for its time to come must not keep the others from theirs.
        let none = Taken::default();
        let waits = |task: usize| {
            waits_until(state, task).any(|at| at > now)
                || !has_an_agent(state, task, now, &none)
                || !state.waits_for(task, standings).is_empty()
        };
        let ahead = started.by_ref().filter(|t| !state.has_begun(*t) && !waits(*t)).count();
        let new = match state.execution.gate(now) {
            _ if state.holds.all() => 0,
            Gate::Closed => usize::MAX,
            Gate::Trial => 1,
            Gate::Open(_) | Gate::Stays | Gate::OnTrial => 0,
        };
        Self {
            processes: jobs.saturating_sub(running as usize),
            ahead: jobs.saturating_sub(ahead),
            only,
            parallel: state.spec.parallel,
            new,
            taken: none,
        }
    }
}

/// Whether the agent step that is next in the task, if one is, could start as far as its agent goes.
fn has_an_agent(state: &State, task: usize, now: Timestamp, taken: &Taken) -> bool {
    let next = state.next_agent_step(task);
    next.is_none_or(|step| matches!(state.choose(task, step, now, taken), Choice::Use(_)))
}

/// Tasks that can still need something: those with an attempt under way first, then those whose agent
/// has begun, then those that have a branch, each in plan order.
fn order(state: &State) -> Vec<usize> {
    let (mut started, fresh): (Vec<usize>, Vec<usize>) = (0..state.tasks.len())
        .filter(|task| state.spec.tasks[*task].skip.is_none() && !state.is_done(*task))
        .partition(|task| state.was_started(*task));
    started.sort_by_key(|task| (!state.is_running(*task), !state.has_begun(*task)));
    started.extend(fresh);
    started
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
    if let Some(attempt) = state.to_pause(task) {
        actions.push(Action::Stop { attempt, reason: StopReason::Overlap });
        return;
    }
    if state.briefs[task].failed {
        // Going back while another step of the task runs would take the ground from under it.
        let settled = !state.draining && !state.is_running(task);
        let settled = settled && progress.given_up.is_none();
        if settled && let Verdict::Retry(again) = retry_verdict(state, task) {
            let Again { attempt, not_before, agent, keep, session } = again;
            actions.push(Action::ScheduleRetry { attempt, not_before, agent, keep, session });
        }
        return;
    }
    if !state.waits_for(task, standings).is_empty() || (state.draining && !state.has_begun(task)) {
        return;
    }
    let started = state.was_started(task);
    // No worktree is made for one that could do nothing in it.
    if !started && (slots.new == 0 || !has_an_agent(state, task, now, &slots.taken)) {
        return;
    }
    if !standings.is_settled(task) && slots.admit(task, started) {
        start_ready_steps(state, task, now, slots, actions);
    }
}

impl Slots {
    /// Whether no task that has not started may take its first step.
    fn are_taken(&self) -> bool {
        self.ahead == 0 || self.new == 0 || (!self.parallel && self.only.is_some())
    }

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
    // Steps that those after them need not wait for.
    let mut through: HashSet<&StepId> = HashSet::new();
    for (place, (step_spec, step)) in spec.steps.iter().zip(steps).enumerate() {
        let ready = match step.state {
            StepState::Pending => true,
            // Trying again is something new, and a draining run starts nothing new.
            StepState::Waiting(until) => until <= now && !state.draining,
            // A step that is skipped for good stays so when what it needs is done anew, and is no way around
            // that.
            StepState::Done | StepState::Skipped => {
                if step_spec.needs.iter().all(|need| through.contains(need)) {
                    through.insert(&step_spec.id);
                }
                false
            }
            StepState::Running | StepState::Failed => false,
        };
        if !ready || !step_spec.needs.iter().all(|need| through.contains(need)) {
            continue;
        }
        let (id, step_id) = (spec.id.clone(), step_spec.id.clone());
        let begins = step_spec.takes_something_new();
        if (begins && slots.new == 0) || (step_spec.kind.is_process() && slots.processes == 0) {
            continue;
        }
        let mut agent = None;
        if matches!(step_spec.kind, StepKind::Agent) {
            match state.choose(task, place, now, &slots.taken) {
                Choice::Use(other) => agent = other,
                Choice::Wait | Choice::Never(_) => continue,
            }
            slots.taken.add(agent.as_deref().unwrap_or(&spec.agent));
        }
        slots.new -= usize::from(begins);
        slots.processes -= usize::from(step_spec.kind.is_process());
        let number = step.attempts.last().map_or(0, |a| a.number) + 1;
        let attempt = AttemptId { task: id, step: step_id, number };
        actions.push(Action::Start { attempt, agent });
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
