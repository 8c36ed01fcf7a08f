//! What is known of each agent of a run, and which one runs a step: the task's own, its fallback, or none
//! for now.

use super::breaker::{Breaker, Gate};
use super::derive::Standings;
use super::progress::StepState;
use super::signal;
use super::state::State;
use crate::model::{
    AttemptEnd, AttemptId, DependencyKind, Dialect, Failure, OnLimit, Policy, StepKind, StopReason,
    TaskState, Timestamp,
};
use std::collections::BTreeMap;

/// What became of an agent so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentRecord {
    /// Whether it can be used.
    pub breaker: Breaker,
    /// Attempts of it under way.
    pub running: u32,
    /// The most of them at the same time since it met a limit: half of what ran then, one more with each
    /// success ("additive increase, multiplicative decrease", Chiu and Jain 1989).
    pub at_most: Option<u32>,
    /// The most that an attempt of it cost, millionths of a dollar; `None` while it is not known.
    pub dearest: Option<u64>,
}

impl AgentRecord {
    pub(super) fn started(&mut self, attempt: &AttemptId) {
        self.running += 1;
        self.breaker.started(attempt);
    }

    pub(super) fn ended(
        &mut self,
        attempt: &AttemptId,
        end: &AttemptEnd,
        stopping: Option<StopReason>,
        at: Timestamp,
        policy: &Policy,
        dialect: Dialect,
    ) {
        let signal = signal::of_agent(end, stopping, at, dialect);
        let opened = self.breaker.ended(attempt, signal, end.ending.failure(), at, policy.agent);
        match signal {
            super::breaker::Signal::Limited(_) if opened => self.limited(policy),
            super::breaker::Signal::Good => {
                self.at_most = self.at_most.map(|n| n.saturating_add(1));
            }
            _ => {}
        }
        self.running = self.running.saturating_sub(1);
    }

    /// Another process met a limit of it.
    pub(super) fn limited_elsewhere(&mut self, until: Timestamp, detail: &str, policy: &Policy) {
        let why = Failure::new(crate::model::FailureClass::RateLimited, detail);
        let was_open = self.breaker.opened.is_some();
        self.breaker.limited(until, Some(&why));
        if !was_open {
            self.limited(policy);
        }
    }

    /// It met a limit while so many ran.
    pub(super) fn limited(&mut self, policy: &Policy) {
        let now = self.at_most.map_or(self.running, |n| n.min(self.running));
        self.at_most = Some((now / 2).max(1));
        if policy.on_limit == OnLimit::Stop {
            self.breaker.stay();
        }
    }
}

/// Attempts decided just now, which the state does not know yet.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<String, u32>);

impl Taken {
    pub(super) fn add(&mut self, agent: &str) {
        *self.0.entry(agent.to_owned()).or_default() += 1;
    }

    pub(super) fn of(&self, agent: &str) -> u32 {
        self.0.get(agent).copied().unwrap_or(0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(agent, n)| (agent.as_str(), *n))
    }
}

/// Which agent runs a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    /// This one; `None`: the task's own.
    Use(Option<String>),
    /// None for now.
    Wait,
    /// None before a person does something.
    Never(Box<Failure>),
}

impl State {
    /// What is known of the agent of that name.
    pub(super) fn agent(&self, name: &str) -> Option<&AgentRecord> {
        self.agents.get(name)
    }

    /// The agents that may run the step, from the one it is meant for through the fallbacks.
    fn candidates(&self, task: usize, step: usize) -> impl Iterator<Item = &str> {
        let own = self.spec.tasks[task].agent.as_str();
        let first = self.tasks[task].steps[step].next.agent.as_deref().unwrap_or(own);
        self.with_fallbacks(first)
    }

    /// The agent and those that take over for it. A circle of fallbacks ends where it began.
    fn with_fallbacks<'a>(&'a self, first: &'a str) -> impl Iterator<Item = &'a str> {
        let next = |name: &&'a str| self.spec.agents.get(*name)?.fallback.as_deref();
        std::iter::successors(Some(first), next).take(self.spec.agents.len().max(1))
    }

    /// The agent that takes over from `agent` where it cannot go on: the first that may work.
    pub(super) fn fallback<'a>(&'a self, agent: &'a str) -> Option<&'a str> {
        self.with_fallbacks(agent).skip(1).find(|name| {
            *name != agent && self.agent(name).is_none_or(|known| known.breaker.stays().is_none())
        })
    }

    /// Which agent runs the agent step at `step` of the task at `task`, if one was to start now.
    pub(super) fn choose(&self, task: usize, step: usize, now: Timestamp, taken: &Taken) -> Choice {
        if let Some(never) = self.never_runs(task, step) {
            return Choice::Never(Box::new(never));
        }
        for name in self.candidates(task, step) {
            let (gate, known) = match self.agent(name) {
                Some(known) => (known.breaker.gate(now), known),
                None => return Choice::Wait,
            };
            let free = match gate {
                Gate::Closed => true,
                Gate::Trial => taken.of(name) == 0,
                Gate::Stays => continue,
                Gate::Open(_) | Gate::OnTrial => {
                    if self.spec.policy.on_limit == OnLimit::Fallback {
                        continue;
                    }
                    return Choice::Wait;
                }
            };
            let running = known.running + taken.of(name);
            let bears = known.at_most.is_none_or(|most| running < most);
            if !free || !bears || !self.can_pay(task, name, taken) {
                return Choice::Wait;
            }
            let own = self.spec.tasks[task].agent == name;
            return Choice::Use((!own).then(|| name.to_owned()));
        }
        Choice::Wait
    }

    /// Why no agent will run the step before a person does something.
    pub(super) fn never_runs(&self, task: usize, step: usize) -> Option<Failure> {
        let first = self.candidates(task, step).next()?;
        self.never_runs_from(task, first)
    }

    /// As [`State::never_runs`], from the agent of that name on.
    pub(super) fn never_runs_from(&self, task: usize, first: &str) -> Option<Failure> {
        let mut why = None;
        for name in self.with_fallbacks(first) {
            let known = self.agent(name)?;
            let Some(opened) = known.breaker.opened.as_ref().filter(|o| o.stays) else {
                return self.unpayable(task, name);
            };
            why.get_or_insert_with(|| not_started(name, &opened.why));
            if self.spec.policy.on_limit == OnLimit::Stop && opened.limit.is_some() {
                // The run is to stop at a limit, not to go round it.
                break;
            }
        }
        why
    }

    /// Whether [`State::never_goes_on`] may say something.
    pub(super) fn may_never_go_on(&self) -> bool {
        let limited = self.budget.most.is_some() || self.spec.policy.max_task_cost_usd.is_some();
        limited || self.agents.values().any(|agent| agent.breaker.stays().is_some())
    }

    /// Why the task will not go on before a person does something, though nothing of it failed.
    pub(super) fn never_goes_on(&self, task: usize) -> Option<Failure> {
        let step = self.next_agent_step(task)?;
        // What it waits for says more: if that is never done, this is blocked by it.
        let waits = |(before, kind): &(usize, DependencyKind)| {
            kind.needs_success() && !self.is_good(*before)
        };
        if !self.was_started(task) && self.prerequisites(task).iter().any(waits) {
            return None;
        }
        // What is done so far is committed first.
        let commits = self.was_started(task)
            && self.spec.tasks[task].steps[..step].iter().zip(&self.tasks[task].steps).any(
                |(spec, step)| !spec.takes_something_new() && step.state == StepState::Pending,
            );
        if commits { None } else { self.never_runs(task, step) }
    }

    /// Whether the next agent step of the task waits for a breaker whose time will come.
    pub(super) fn awaits_an_agent(&self, task: usize) -> bool {
        let Some(step) = self.next_agent_step(task) else { return false };
        let opened = self.candidates(task, step).filter_map(|name| self.agent(name));
        opened.filter_map(|agent| agent.breaker.opened.as_ref()).any(|opened| !opened.stays)
    }

    /// The agents whose breakers keep a task that could start from starting, with the time at which each lets
    /// an attempt through.
    #[must_use]
    pub fn agents_waited_for(
        &self,
        standings: &Standings,
        now: Timestamp,
    ) -> BTreeMap<&str, Timestamp> {
        let opens = |name: &str| match self.agent(name)?.breaker.gate(now) {
            Gate::Open(until) => Some(until),
            _ => None,
        };
        let mut waited_for = BTreeMap::new();
        if self.agents.keys().all(|name| opens(name).is_none()) {
            return waited_for;
        }
        for task in 0..self.tasks.len() {
            let Some(step) = self.next_agent_step(task) else { continue };
            if self.task_state(task, standings) != TaskState::Queued {
                continue;
            }
            let round = self.spec.policy.on_limit == OnLimit::Fallback;
            let mut open = Vec::new();
            for name in self.candidates(task, step) {
                match self.agent(name).map(|known| known.breaker.gate(now)) {
                    Some(Gate::Stays) => {}
                    Some(Gate::Open(until)) => {
                        open.push((name, until));
                        if !round {
                            break;
                        }
                    }
                    _ => {
                        open.clear();
                        break;
                    }
                }
            }
            waited_for.extend(open);
        }
        waited_for
    }

    /// The agent step of the task that is next to run.
    pub(super) fn next_agent_step(&self, task: usize) -> Option<usize> {
        use StepState::{Pending, Waiting};
        let specs = &self.spec.tasks[task].steps;
        specs.iter().zip(&self.tasks[task].steps).position(|(spec, step)| {
            matches!(spec.kind, StepKind::Agent)
                && spec.skip.is_none()
                && matches!(step.state, Pending | Waiting(_))
        })
    }
}

fn not_started(agent: &str, why: &Failure) -> Failure {
    let mut failure = Failure::new(
        why.class,
        format!("not started: agent '{agent}' failed before: {}", why.message),
    );
    failure.suggestion.clone_from(&why.suggestion);
    failure.retry_at = why.retry_at;
    failure
}
