//! The rules of breakers, limits, pauses, shortages and money.

use crate::breakers::{Reference, Says, is_busy, is_limited, says_of_agent, says_of_execution};
use orch::engine::State;
use orch::model::{
    AttemptEnd, AttemptId, Event, FailureClass as C, OnLimit, Resource, RunSpec, RunState,
    StepKind, StepSpec, StopReason, TaskId, TaskState,
};
use std::collections::{BTreeMap, BTreeSet};

/// Waits for a limit that cost no retry, as the engine's `MAX_LIMITED`.
const LIMITED: u32 = 20;

#[derive(Default)]
struct Agent {
    breaker: Reference,
    running: u32,
    at_most: Option<u32>,
    dearest: Option<f64>,
}

/// What came of a task's steps since a person last asked for it.
#[derive(Clone, Default)]
struct Tries {
    /// Failures that a retry pays for.
    counted: u32,
    limited: u32,
    /// Something beside the agent failed.
    others: bool,
    /// A person asked for it again.
    asked: bool,
    last: Option<(AttemptId, C, Says)>,
}

/// What the rules know of policies.
pub struct Ground {
    spec: RunSpec,
    agents: BTreeMap<String, Agent>,
    execution: Reference,
    running: BTreeMap<AttemptId, String>,
    tries: BTreeMap<TaskId, Tries>,
    task_cost: BTreeMap<TaskId, f64>,
    paused: bool,
    short: BTreeSet<Resource>,
    jobs: u32,
    limit: Option<u32>,
    most: Option<f64>,
    spent: f64,
    ever_broken: bool,
    ever_limited: bool,
}

type Rule = fn(&Ground, &AttemptId, &str, i64) -> Result<(), String>;

/// Asked before an agent's attempt, or (the first two) anything that begins something new.
const BEFORE_A_START: [(&str, Rule); 6] = [
    ("nothing new while the run is held", nothing_new_while_held),
    ("nothing new while execution is broken", nothing_while_execution_is_broken),
    ("nothing starts with an open breaker", nothing_with_an_open_breaker),
    ("fewer at a time after a limit", fewer_after_a_limit),
    ("no start that might pass the budget", no_start_beyond_the_budget),
    ("only the task's agent or a fallback", only_who_may_run_it),
];

impl Ground {
    pub fn new(spec: &RunSpec) -> Self {
        let agents = spec.agents.keys().map(|name| (name.clone(), Agent::default()));
        Self {
            agents: agents.collect(),
            execution: Reference::default(),
            running: BTreeMap::new(),
            tries: BTreeMap::new(),
            task_cost: BTreeMap::new(),
            paused: false,
            short: BTreeSet::new(),
            jobs: spec.jobs,
            limit: None,
            most: spec.policy.max_cost_usd,
            spent: 0.0,
            ever_broken: false,
            ever_limited: spec.policy.max_cost_usd.is_some(),
            spec: spec.clone(),
        }
    }

    /// How many processes may run.
    pub fn jobs(&self) -> u32 {
        self.limit.map_or(self.jobs, |limit| limit.min(self.jobs)).max(1)
    }

    /// Whether nothing but the plan holds anything back.
    pub fn is_clear(&self) -> bool {
        let free = |agent: &Agent| agent.breaker.is_closed() && agent.at_most.is_none();
        !self.paused
            && self.short.is_empty()
            && self.execution.is_closed()
            && self.agents.values().all(free)
            && self.most.is_none()
            && self.spec.policy.max_task_cost_usd.is_none()
    }

    pub fn is_held(&self) -> bool {
        self.paused || !self.short.is_empty()
    }

    fn step(&self, id: &AttemptId) -> &StepSpec {
        let task = self.spec.tasks.iter().find(|t| t.id == id.task).expect("a task of the run");
        task.steps.iter().find(|s| s.id == id.step).expect("a step of the run")
    }

    fn own_agent(&self, task: &TaskId) -> &str {
        let task = self.spec.tasks.iter().find(|t| t.id == *task).expect("a task of the run");
        &task.agent
    }

    /// Enters an event, before the engine folds it; `raced`: what was decided was not the last word.
    pub fn enter(
        &mut self,
        event: &Event,
        stopping: Option<StopReason>,
        raced: bool,
        at: i64,
    ) -> Result<(), String> {
        match event {
            Event::AttemptStarting { attempt, agent } => {
                self.enter_start(attempt, agent.as_deref(), raced, at)?;
            }
            Event::AttemptEnded { attempt, end } => self.enter_end(attempt, end, stopping, at),
            Event::SupervisorStarted { .. } => {
                (self.paused, self.limit) = (false, None);
                self.short.clear();
            }
            Event::RetryRequested { tasks, .. } => {
                self.person_asks(at);
                for task in tasks {
                    self.task_cost.remove(task);
                    // What is forgiven then is counted by the rule that bounds retries.
                    self.tries.entry(task.clone()).or_default().asked = true;
                }
            }
            Event::PauseRequested => self.paused = true,
            Event::ContinueRequested => self.paused = false,
            Event::JobsRequested { jobs } => self.jobs = *jobs,
            Event::BudgetRequested { max_cost_usd } => {
                self.most = *max_cost_usd;
                self.ever_limited |= max_cost_usd.is_some();
            }
            Event::ParallelismLimited { limit, .. } => self.limit = *limit,
            Event::ResourceShort { resource, .. } => {
                self.short.insert(*resource);
            }
            Event::ResourceRecovered { resource } => {
                self.short.remove(resource);
            }
            Event::AgentLimited { agent, until, .. } if until.0 > at => {
                let stop = self.spec.policy.on_limit == OnLimit::Stop;
                if let Some(agent) = self.agents.get_mut(agent) {
                    let is_news = agent.breaker.is_closed();
                    agent.breaker.limited(until.0);
                    if is_news {
                        agent.halve();
                        if stop {
                            self.ever_broken = true;
                            agent.breaker.stop();
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn person_asks(&mut self, at: i64) {
        self.execution.person_asks(at);
        self.agents.values_mut().for_each(|agent| agent.breaker.person_asks(at));
    }

    fn enter_start(
        &mut self,
        id: &AttemptId,
        agent: Option<&str>,
        raced: bool,
        at: i64,
    ) -> Result<(), String> {
        let (begins, is_agent) = {
            let step = self.step(id);
            (step.takes_something_new(), matches!(step.kind, StepKind::Agent))
        };
        let name = agent.unwrap_or_else(|| self.own_agent(&id.task)).to_owned();
        let rules = match (begins, is_agent) {
            (_, true) => &BEFORE_A_START[..],
            (true, _) => &BEFORE_A_START[..2],
            _ => &[],
        };
        for (what, rule) in rules.iter().filter(|_| !raced) {
            rule(self, id, &name, at).map_err(|why| format!("{what}: {id}: {why}"))?;
        }
        if begins {
            self.execution.starts(id);
        }
        if is_agent {
            let agent = self.agents.entry(name.clone()).or_default();
            agent.breaker.starts(id);
            agent.running += 1;
            self.running.insert(id.clone(), name);
        }
        Ok(())
    }

    fn enter_end(
        &mut self,
        id: &AttemptId,
        end: &AttemptEnd,
        stopping: Option<StopReason>,
        at: i64,
    ) {
        let policy = self.spec.policy.clone();
        let kind = self.step(id).kind.clone();
        let says = says_of_execution(end, &kind, stopping);
        self.execution.ends(id, says, at, policy.execution);
        let mut says = Says::Nothing;
        if let Some(name) = self.running.remove(id) {
            let agent = self.agents.entry(name).or_default();
            says = says_of_agent(end, stopping, at);
            self.ever_broken |= says == Says::Misconfigured;
            let opened = agent.breaker.ends(id, says, at, policy.agent);
            if opened && matches!(says, Says::LimitedUntil(_)) {
                agent.halve();
                if policy.on_limit == OnLimit::Stop {
                    self.ever_broken = true;
                    agent.breaker.stop();
                }
            }
            if says == Says::Works {
                agent.at_most = agent.at_most.map(|n| n + 1);
            }
            agent.running -= 1;
            let cost = end.usage.cost_usd;
            let known = cost.or(end.ending.failure().is_none().then_some(0.0));
            agent.dearest = match (agent.dearest, known) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
            self.spent += cost.unwrap_or(0.0);
            *self.task_cost.entry(id.task.clone()).or_default() += cost.unwrap_or(0.0);
        }
        let tries = self.tries.entry(id.task.clone()).or_default();
        tries.last = None;
        if let Some(failure) = end.ending.failure() {
            let is_agent = matches!(kind, StepKind::Agent);
            tries.others |= !is_agent;
            let misfit = is_agent && matches!(failure.class, C::Auth | C::Quota | C::BadCommand);
            let limited = is_limited(end, None, at) || is_busy(end, &policy);
            match (stopping, failure.class) {
                (Some(StopReason::Interrupted), _) | (_, C::Interrupted | C::Killed) => {}
                _ if is_agent && limited => tries.limited += 1,
                _ if misfit => {}
                _ => tries.counted += 1,
            }
            tries.last = Some((id.clone(), failure.class, says));
        }
    }

    /// Asked when the run ends by itself: what was not done has a name, and was not given up too soon.
    pub fn check_finish(&self, finished: RunState, state: &State) -> Result<(), String> {
        if finished == RunState::Interrupted {
            return Ok(());
        }
        let standings = state.standings();
        for (place, spec) in self.spec.tasks.iter().enumerate() {
            let view = state.task_view(place, &standings);
            every_task_has_ended(&view)?;
            what_is_not_done_has_a_reason(&view)?;
            if !state.tasks[place].cancelled {
                waiting_is_no_failure(self, &spec.id, place, state)?;
            }
        }
        if finished == RunState::Succeeded
            && !(0..self.spec.tasks.len()).all(|t| state.task_state(t, &standings).is_good())
        {
            return Err("a run succeeded in which not everything was done".to_owned());
        }
        Ok(())
    }
}

impl Agent {
    fn halve(&mut self) {
        let now = self.at_most.map_or(self.running, |n| n.min(self.running));
        self.at_most = Some((now / 2).max(1));
    }
}

fn nothing_new_while_held(g: &Ground, _: &AttemptId, _: &str, _: i64) -> Result<(), String> {
    match (g.paused, g.short.first()) {
        (true, _) => Err("a person paused it".to_owned()),
        (_, Some(resource)) => Err(format!("{resource:?} is short")),
        _ => Ok(()),
    }
}

fn nothing_while_execution_is_broken(
    g: &Ground,
    _: &AttemptId,
    _: &str,
    at: i64,
) -> Result<(), String> {
    g.execution.admits(at)
}

fn nothing_with_an_open_breaker(
    g: &Ground,
    _: &AttemptId,
    name: &str,
    at: i64,
) -> Result<(), String> {
    g.agents[name].breaker.admits(at).map_err(|why| format!("{name} is {why}"))
}

fn fewer_after_a_limit(g: &Ground, _: &AttemptId, name: &str, _: i64) -> Result<(), String> {
    let agent = &g.agents[name];
    match agent.at_most {
        Some(most) if agent.running >= most => {
            Err(format!("{} of {name} run, at most {most} may", agent.running))
        }
        _ => Ok(()),
    }
}

/// Millionths are rounded up by the engine; a thousandth of a cent is not money.
const CRUMB: f64 = 1e-5;

fn no_start_beyond_the_budget(
    g: &Ground,
    id: &AttemptId,
    name: &str,
    _: i64,
) -> Result<(), String> {
    let price = |agent: &str| g.agents[agent].dearest;
    let promised: f64 = g.running.values().filter_map(|agent| price(agent)).sum();
    if let Some(most) = g.most {
        let total = g.spent + promised + price(name).unwrap_or(0.0);
        let unknown = price(name).is_none();
        if total > most + CRUMB || (unknown && g.spent + promised >= most) {
            return Err(format!("it might come to {total} of {most}"));
        }
        if unknown && g.running.values().any(|other| other == name) {
            return Err("its price is not known and one runs".to_owned());
        }
    }
    let spent = g.task_cost.get(&id.task).copied().unwrap_or(0.0);
    match g.spec.policy.max_task_cost_usd {
        Some(most) if spent >= most => Err(format!("the task has cost {spent} of {most}")),
        _ => Ok(()),
    }
}

fn only_who_may_run_it(g: &Ground, id: &AttemptId, name: &str, _: i64) -> Result<(), String> {
    let mut may = vec![g.own_agent(&id.task)];
    while let Some(next) = g.spec.agents[may[may.len() - 1]].fallback.as_deref() {
        if may.contains(&next) {
            break;
        }
        may.push(next);
    }
    if may.contains(&name) { Ok(()) } else { Err(format!("{name} is none of {may:?}")) }
}

fn every_task_has_ended(view: &orch::model::TaskView) -> Result<(), String> {
    if view.state.is_final() || view.state == TaskState::Blocked {
        return Ok(());
    }
    Err(format!("every task ends: {} is {} and the run is over", view.name, view.state))
}

fn what_is_not_done_has_a_reason(view: &orch::model::TaskView) -> Result<(), String> {
    let named = view.error.is_some()
        || !view.blocked_by.is_empty()
        || view.state == TaskState::Cancelled
        || view.state.is_good();
    if named {
        Ok(())
    } else {
        Err(format!("not done, without a reason: {}: {}", view.name, view.state))
    }
}

/// A task that ended with what can be tried again has had all its tries, and a wait is none of them.
fn waiting_is_no_failure(
    g: &Ground,
    task: &TaskId,
    place: usize,
    state: &State,
) -> Result<(), String> {
    let Some(tries) = g.tries.get(task) else { return Ok(()) };
    let Some((last, class, says)) = &tries.last else { return Ok(()) };
    let money = g.ever_limited || g.spec.policy.max_task_cost_usd.is_some();
    // Where several agents work side by side, another one may have failed.
    let steps = &g.spec.tasks[place].steps;
    let agents = steps.iter().filter(|s| matches!(s.kind, StepKind::Agent)).count();
    // What was given up because its agent was broken stays so when that is mended.
    if agents != 1 || tries.others || money || g.ever_broken || state.tasks[place].merged.is_some()
    {
        return Ok(());
    }
    if matches!(says, Says::LimitedUntil(_)) {
        let gave_up = g.spec.policy.on_limit != OnLimit::Stop && tries.limited <= LIMITED;
        return if gave_up {
            Err(format!("waiting is no failure: {last} was limited, and given up"))
        } else {
            Ok(())
        };
    }
    let again = matches!(
        class,
        C::Overloaded | C::Crashed | C::NoResult | C::NoChanges | C::Timeout | C::MaxTurns
    );
    let retries = g.step(last).retries;
    if again && !tries.asked && tries.counted <= retries && tries.limited <= LIMITED {
        return Err(format!(
            "waiting is no failure: {last} was given up after {} failures with {retries} retries",
            tries.counted
        ));
    }
    Ok(())
}
