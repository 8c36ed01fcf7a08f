//! From the state to what `orch status` shows.

use super::derive::Standings;
use super::merging::RESOLVE;
use super::progress::{Step, StepState, TaskProgress};
use super::state::State;
use crate::model::{
    AttemptEnd, AttemptView, BreakerState, BreakerView, Ending, Failure, LogView, Resource,
    RunState, RunView, StepKind, StepSpec, StepView, SupervisorView, TaskState, TaskView,
};
use std::time::Duration;

impl State {
    /// The run at a glance. Whether its supervisor lives is for the reader to fill in.
    #[must_use]
    pub fn run_view(&self) -> RunView {
        RunView {
            id: self.spec.id.clone(),
            state: match self.finished {
                Some((state, _)) => state,
                None if self.holds.paused => RunState::Paused,
                None => RunState::Running,
            },
            started_at: self.created_at,
            finished_at: self.finished.map(|(_, at)| at),
            active_seconds: self.worked().as_secs_f64(),
            base: self.spec.base.clone(),
            target: self.spec.target.clone(),
            jobs: self.jobs(),
            supervisor: SupervisorView { pid: self.supervisor, alive: false },
            breakers: self.breakers(),
            budget: self.budget_view(),
            limited: self.holds.limit.as_ref().map(|(_, why)| why.clone()),
            overlaps: self.overlap_views(),
        }
    }

    /// The circuit breakers at the time of the last event.
    fn breakers(&self) -> Vec<BreakerView> {
        let agents =
            self.agents.iter().map(|(name, agent)| (format!("agent:{name}"), &agent.breaker));
        let others = [("execution", &self.execution), ("github", &self.github)];
        let others = others.map(|(name, breaker)| (name.to_owned(), breaker));
        let counted = agents.chain(others).map(|(name, breaker)| breaker.view(name, self.latest));
        let resources = [("disk", Resource::Disk), ("memory", Resource::Memory)];
        let measured = resources.map(|(name, resource)| {
            let short = self.holds.short.get(&resource);
            BreakerView {
                name: name.to_owned(),
                state: if short.is_some() { BreakerState::Open } else { BreakerState::Closed },
                failures: 0,
                retry_at: None,
                reason: short.cloned(),
            }
        });
        counted.chain(measured).collect()
    }

    /// The task at `task` at a glance.
    #[must_use]
    pub fn task_view(&self, task: usize, standings: &Standings) -> TaskView {
        let spec = &self.spec.tasks[task];
        let progress = &self.tasks[task];
        let state = self.task_state(task, standings);
        let start = self.start(task).map(str::to_owned);
        let names = |positions: Vec<usize>| {
            positions.iter().map(|p| self.spec.tasks[*p].name.clone()).collect::<Vec<_>>()
        };
        let blocked_on = if state == TaskState::Blocked {
            names(self.waits_for(task, standings))
        } else {
            Vec::new()
        };
        let error = match (&progress.conflict, state) {
            (Some(failure), _) => Some((**failure).clone()),
            (None, s) if s.is_good() => None,
            _ => progress.given_up.as_deref().cloned().or_else(|| self.last_failure(task)),
        };
        let times = || progress.steps.iter().flat_map(|s| &s.attempts);
        TaskView {
            id: spec.id.clone(),
            name: spec.name.clone(),
            prompt: spec.prompt.clone(),
            title: spec.title.clone(),
            agent: spec.agent.clone(),
            state,
            attempts: attempts(&spec.steps, &progress.steps)
                .into_iter()
                .chain(self.follow_ups.attempts(&spec.id))
                .collect(),
            branch: start.is_some().then(|| spec.branch.clone()),
            worktree: (start.is_some() && !progress.cleaned).then(|| spec.worktree.clone()),
            commit: self.commit(task).map(str::to_owned),
            start,
            files_changed: self.files_changed(task).to_vec(),
            pull_request: self.forge.pull_of(&spec.id).map(|pull| pull.link.url.clone()),
            issue: self.forge.issues.get(&spec.id).map(|issue| issue.url.clone()),
            blocked_on,
            blocked_by: if state == TaskState::Blocked {
                self.blocked_by(task, standings)
            } else {
                Vec::new()
            },
            error,
            skip_reason: spec.skip.clone(),
            warnings: warnings(&spec.steps, progress),
            logs: self.logs(task),
            steps: spec.steps.iter().zip(&progress.steps).map(|(s, p)| step_view(s, p)).collect(),
            snapshot: None,
            cancel_requested: progress.cancelled && !state.is_final(),
            note: self.ends(task).filter_map(|end| end.note.clone()).last(),
            started_at: times().map(|a| a.started_at).min(),
            finished_at: if state.is_final() {
                times().filter_map(|a| a.ended.as_ref().map(|(_, at)| *at)).max()
            } else {
                None
            },
        }
    }

    pub(super) fn last_failure(&self, task: usize) -> Option<Failure> {
        let steps = &self.tasks[task].steps;
        let ended = steps.iter().filter_map(|s| Some((s, s.attempts.last()?.ended.as_ref()?)));
        // Of steps that ran side by side, the one that failed.
        let last = ended.max_by_key(|(step, (_, at))| (step.state == StepState::Failed, *at))?;
        last.1.0.ending.failure().cloned()
    }
}

/// What was recorded for a person, and the attempts that are quiet.
fn warnings(specs: &[StepSpec], progress: &TaskProgress) -> Vec<String> {
    let quiet = specs.iter().zip(&progress.steps).filter_map(|(spec, step)| {
        let attempt = step.attempts.last().filter(|a| a.ended.is_none())?;
        let seconds = attempt.quiet_seconds?;
        let id = &spec.id;
        Some(format!("{id}, attempt {}: no output and no work for {seconds} s", attempt.number))
    });
    progress.warnings.iter().cloned().chain(quiet).collect()
}

/// The agent's attempts, and those of other processes or failed steps.
fn attempts(specs: &[StepSpec], steps: &[Step]) -> Vec<AttemptView> {
    let mut out = Vec::new();
    for (spec, step) in specs.iter().zip(steps) {
        for attempt in &step.attempts {
            let end = attempt.ended.as_ref().map(|(end, _)| &**end);
            let failed = end.is_some_and(|end| end.ending != Ending::Succeeded);
            if !matches!(spec.kind, StepKind::Agent) && !failed {
                continue;
            }
            let usage = end.map(|end| end.usage.clone()).unwrap_or_default();
            let mut view = AttemptView {
                number: attempt.number,
                step: spec.id.to_string(),
                pid: attempt.pid,
                started_at: attempt.started_at,
                finished_at: attempt.ended.as_ref().map(|(_, at)| *at),
                seconds: end.and_then(seconds),
                exit_code: None,
                signal: None,
                outcome: end.map(|end| end.ending.outcome()),
                session: usage.session,
                cost_usd: usage.cost_usd,
                tokens: usage.tokens,
                agent: attempt.beginning.agent.clone(),
                resources: end.and_then(|end| end.resources),
                live: None,
            };
            view.set_exit(end.and_then(|end| end.exit));
            out.push(view);
        }
    }
    out
}

impl State {
    /// Attempts of processes, by the time they began; those at resolving a conflict come last.
    fn logs(&self, task: usize) -> Vec<LogView> {
        let (spec, progress) = (&self.spec.tasks[task], &self.tasks[task]);
        let mut all: Vec<_> = spec
            .steps
            .iter()
            .zip(&progress.steps)
            .filter(|(spec, _)| spec.kind.is_process())
            .flat_map(|(spec, step)| step.attempts.iter().map(move |a| (a.started_at, &spec.id, a)))
            .collect();
        all.sort_by_key(|(at, ..)| *at);
        let asked = self.merging.asked.get(&spec.id).copied().unwrap_or(0);
        let resolving = (1..=asked).map(|n| LogView { step: RESOLVE.to_owned(), attempt: n });
        all.into_iter()
            .map(|(_, step, attempt)| LogView { step: step.to_string(), attempt: attempt.number })
            .chain(resolving)
            .chain(self.follow_ups.logs(&spec.id))
            .collect()
    }
}

/// How long its process lived, where that is known.
fn seconds(end: &AttemptEnd) -> Option<f64> {
    end.wall_ms.map(|ms| Duration::from_millis(ms).as_secs_f64())
}

fn step_view(spec: &StepSpec, step: &Step) -> StepView {
    let (state, reason) = match &step.state {
        StepState::Pending => ("pending", None),
        StepState::Waiting(until) => ("pending", Some(format!("tried again at {until}"))),
        StepState::Running => ("running", None),
        StepState::Done => ("done", None),
        StepState::Skipped => ("skipped", spec.skip.clone()),
        StepState::Failed => ("failed", None),
    };
    let seconds = step.attempts.last().and_then(|attempt| {
        let (end, at) = attempt.ended.as_ref()?;
        seconds(end).or_else(|| Some(at.since(attempt.started_at).as_secs_f64()))
    });
    let under_way = step.attempts.last().filter(|attempt| attempt.ended.is_none());
    StepView {
        started_at: under_way.map(|attempt| attempt.started_at),
        id: spec.id.to_string(),
        phase: spec.phase,
        state: state.to_owned(),
        reason,
        seconds,
    }
}
