//! Whether a failed step is tried again, how, and when.

use super::progress::{Attempt, Step, StepState};
use super::signal;
use super::state::State;
use crate::model::{
    AgentProfile, AttemptEnd, AttemptId, Failure, FailureClass, OnLimit, StepKind, StepSpec,
    StopReason, Timestamp,
};

/// So many attempts lost to a dead shim, or killed by somebody, do not count against `retries`. More of them do: something
/// kills it each time (three, as systemd's default burst is five and an agent costs more).
pub(super) const MAX_LOST: usize = 3;

/// Waiting for a limit to lift does not count either. An agent that names another time each time is not
/// believed for ever: windows of five hours, as the longest known, are four days by then.
const MAX_LIMITED: usize = 20;

/// What to do about a failed step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is tried again.
    Retry(Again),
    /// It stays failed.
    GiveUp,
}

/// How a failed step is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// The attempt that runs next.
    pub attempt: AttemptId,
    /// Not before then; `None`: as the backoff policy has it.
    pub not_before: Option<Timestamp>,
    /// The agent that runs it, where it is not the task's own.
    pub agent: Option<String>,
    /// The worktree stays as it is.
    pub keep: bool,
    /// The agent's session that goes on.
    pub session: Option<String>,
}

/// Whether the failure of the task at `task` leads to another attempt.
#[must_use]
pub fn retry_verdict(state: &State, task: usize) -> Verdict {
    again(state, task).map_or(Verdict::GiveUp, Verdict::Retry)
}

fn again(state: &State, task: usize) -> Option<Again> {
    let again = wanted(state, task)?;
    withheld_from(state, task, &again).is_none().then_some(again)
}

/// The failure of a task that is not tried again; with the reason, where it would be but no agent will run
/// it, or its money is spent.
pub(super) fn failure_that_stays(state: &State, task: usize) -> Option<Failure> {
    let failure = state.last_failure(task)?;
    let Some(why) = wanted(state, task).and_then(|again| withheld_from(state, task, &again)) else {
        return Some(failure);
    };
    let not = why.message.replacen("not started", "not tried again", 1);
    let then = why.suggestion.map_or(String::new(), |then| format!("; {then}"));
    Some(failure.suggest(format!("{not}{then}")))
}

fn withheld_from(state: &State, task: usize, again: &Again) -> Option<Failure> {
    let spec = &state.spec.tasks[task];
    let step = spec.steps.iter().find(|step| step.id == again.attempt.step)?;
    if !matches!(step.kind, StepKind::Agent) {
        return None;
    }
    state.never_runs_from(task, again.agent.as_deref().unwrap_or(&spec.agent))
}

/// The attempt that the failure leads to, if there is an agent for it.
fn wanted(state: &State, task: usize) -> Option<Again> {
    let (spec, progress) = (&state.spec.tasks[task], &state.tasks[task]);
    if progress.cancelled {
        return None;
    }
    let failed = progress.steps.iter().position(|s| s.state == StepState::Failed)?;
    let last = progress.steps[failed].attempts.last()?;
    let (end, ended_at) = last.ended.as_ref()?;
    let class = end.ending.failure()?.class;
    // What a dead shim took with it, or somebody killed, is done again; what failed is mended by the agent.
    let is_lost = matches!(class, FailureClass::Interrupted | FailureClass::Killed);
    let from = if is_lost { failed } else { restart_point(&spec.steps, failed, Some(class)) };
    let is_agent = |step: usize| matches!(spec.steps[step].kind, StepKind::Agent);
    let tally = Tally::of(state, task, from);
    let policy = &state.spec.policy;
    let ran = progress.steps[from].attempts.last();
    let by = ran.and_then(|attempt| attempt.beginning.agent.clone());
    let own = || by.clone().unwrap_or_else(|| spec.agent.clone());
    let takes_over = || state.fallback(&own()).map(str::to_owned);
    let session = || ran.and_then(|attempt| state.session(task, attempt));

    let mut again = Again {
        attempt: AttemptId {
            task: spec.id.clone(),
            step: spec.steps[from].id.clone(),
            number: ran.map_or(0, |a| a.number) + 1,
        },
        not_before: None,
        agent: by.clone(),
        keep: false,
        session: None,
    };
    let limit = signal::limit(end, *ended_at).filter(|_| is_agent(failed));
    let tries_left = tally.counted <= spec.steps[from].retries as usize;
    if is_lost {
        again.session = session().filter(|_| is_agent(failed));
        again.keep = again.session.is_some();
        if tally.lost > MAX_LOST && !tries_left {
            return None;
        }
    } else if class == FailureClass::SessionGone {
        // The task is not to blame. Once without one it cannot end so again.
        last.beginning.session.as_ref()?;
        again.keep = last.beginning.keep;
        again.not_before = Some(*ended_at);
    } else if let Some(lifts) = limit.filter(|_| tally.limited <= MAX_LIMITED) {
        // Whoever is free by then: the task's own agent first.
        again.agent = None;
        again.not_before = match policy.on_limit {
            OnLimit::Stop => return None,
            OnLimit::Fallback if takes_over().is_some() => Some(*ended_at),
            OnLimit::Fallback | OnLimit::Wait => Some(lifts),
        };
    } else if is_agent(failed) && is_misfit(end) {
        again.agent = Some(takes_over()?);
        again.not_before = Some(*ended_at);
    } else if waits_out(state, end) && is_agent(failed) && tally.limited <= MAX_LIMITED {
        // When the service is free again nobody knows: after the backoff, and when its breaker lets it.
    } else if !tries_left && class == FailureClass::Idle && is_agent(failed) {
        // The backup agent is there for this, whatever the retries: each takes over once.
        let by = |a: &Attempt| a.beginning.agent.clone().unwrap_or_else(|| spec.agent.clone());
        let untried = |name: &String| progress.steps[failed].tried().all(|a| by(a) != *name);
        again.agent = Some(takes_over().filter(untried)?);
        again.not_before = Some(*ended_at);
    } else {
        if !tries_left || !is_worth_retrying(class) {
            return None;
        }
        match class {
            FailureClass::Idle if is_agent(failed) => again.agent = takes_over().or(by),
            FailureClass::VerifyFailed if is_agent(from) => {
                again.keep = true;
                again.session = session();
            }
            _ => {}
        }
    }
    again.agent = again.agent.filter(|agent| *agent != spec.agent);
    Some(again)
}

/// Where a task starts again when the step at `failed` failed: at its agent when a process failed at or
/// after it (a failed test is mended by the agent, not by running the test again) and when there is nothing
/// left to commit, else at the failed step (a commit that git refused must not cost another agent).
fn restart_point(steps: &[StepSpec], failed: usize, class: Option<FailureClass>) -> usize {
    if !steps[failed].kind.is_process() && class != Some(FailureClass::WorktreeGone) {
        return failed;
    }
    steps[..=failed].iter().rposition(runs_agent).unwrap_or(failed)
}

/// Where a task starts that a person asked for again, if there is anything to do again: at its agent at the
/// latest when its prompt was edited, as what was made of the old text is no longer asked for.
pub(super) fn asked_again(specs: &[StepSpec], steps: &[Step], edited: bool) -> Option<usize> {
    let failed = steps.iter().position(|step| step.state == StepState::Failed);
    let point = failed.map(|failed| {
        let class = steps[failed].failure().map(|failure| failure.class);
        restart_point(specs, failed, class)
    });
    let agent = specs.iter().position(runs_agent).filter(|_| edited);
    point.into_iter().chain(agent).min()
}

/// Whether the step runs an agent, and applies.
fn runs_agent(step: &StepSpec) -> bool {
    matches!(step.kind, StepKind::Agent) && step.skip.is_none()
}

/// What came of a step, and of those after it, since a person last asked for the task.
#[derive(Default)]
struct Tally {
    /// Failures that count against `retries`.
    counted: usize,
    lost: usize,
    limited: usize,
}

impl Tally {
    fn of(state: &State, task: usize, from: usize) -> Self {
        let mut tally = Self::default();
        let specs = &state.spec.tasks[task].steps[from..];
        for (spec, step) in specs.iter().zip(&state.tasks[task].steps[from..]) {
            for attempt in step.tried() {
                tally.add(state, attempt, matches!(spec.kind, StepKind::Agent));
            }
        }
        tally.counted += tally.lost.saturating_sub(MAX_LOST);
        tally.counted += tally.limited.saturating_sub(MAX_LIMITED);
        tally
    }

    fn add(&mut self, state: &State, attempt: &Attempt, is_agent: bool) {
        let Some((end, at)) = &attempt.ended else { return };
        let Some(failure) = end.ending.failure() else { return };
        match (attempt.stopping, failure.class) {
            // Interrupted on purpose, or dead with its supervisor: it says nothing about the task.
            (Some(StopReason::Interrupted), _)
            | (Some(StopReason::Overlap), FailureClass::Interrupted) => {}
            (_, FailureClass::Interrupted | FailureClass::Killed) => self.lost += 1,
            _ if is_agent && (signal::limit(end, *at).is_some() || waits_out(state, end)) => {
                self.limited += 1;
            }
            _ if is_agent && is_misfit(end) => {}
            (_, FailureClass::SessionGone) => {}
            _ => self.counted += 1,
        }
    }
}

/// The service had no room for the agent, which says nothing about the task: to wait is no failure. Where a limit
/// is to end the run, it does so as any failure does.
fn waits_out(state: &State, end: &AttemptEnd) -> bool {
    let class = end.ending.failure().map(|failure| failure.class);
    let busy = matches!(class, Some(FailureClass::RateLimited | FailureClass::Overloaded));
    busy && state.spec.policy.on_limit != OnLimit::Stop
}

/// The agent cannot be used as it is: another one may do.
fn is_misfit(end: &AttemptEnd) -> bool {
    use FailureClass as C;
    let class = end.ending.failure().map(|failure| failure.class);
    matches!(class, Some(C::Auth | C::Quota | C::BadCommand))
}

/// A retry makes sense where the same request may end differently. Credentials, an exhausted quota and
/// a command that does not exist do not mend themselves.
fn is_worth_retrying(class: FailureClass) -> bool {
    use FailureClass as C;
    match class {
        C::RateLimited
        | C::Overloaded
        | C::Crashed
        | C::Killed
        | C::NoResult
        | C::NoChanges
        | C::VerifyFailed
        | C::Timeout
        | C::Idle
        | C::MaxTurns
        | C::Interrupted
        | C::Git
        | C::WorktreeGone
        | C::SetupFailed => true,
        C::Auth
        | C::Quota
        | C::ContextTooLong
        | C::PermissionDenied
        | C::Refused
        | C::BadCommand
        | C::Cancelled
        | C::Conflict
        | C::EscapedWorktree
        | C::Budget
        | C::SessionGone
        | C::Internal => false,
    }
}

impl State {
    /// The session of an ended attempt of the task, where its agent can go on with it.
    pub(super) fn session(&self, task: usize, attempt: &Attempt) -> Option<String> {
        let own = &self.spec.tasks[task].agent;
        let agent = attempt.beginning.agent.as_ref().unwrap_or(own);
        let continues = self.spec.agents.get(agent).is_some_and(AgentProfile::continues_sessions);
        let (end, _) = attempt.ended.as_ref()?;
        // One that was told to go on with a session is still of it if it died before it said so.
        let said = end.usage.session.clone().or_else(|| attempt.beginning.session.clone());
        said.filter(|_| continues)
    }
}
