//! From runs to figures.

use super::prediction::Prediction;
use crate::model::{
    AttemptView, RunId, RunSpec, RunState, RunView, TaskState, TaskView, Timestamp, Tokens,
};
use crate::report::run::work_time;
use serde::Serialize;
use std::collections::BTreeMap;

/// A run as the journal has it.
#[derive(Debug)]
pub struct RunFacts {
    /// What was asked for.
    pub spec: RunSpec,
    /// What became of it.
    pub run: RunView,
    /// And of its tasks, in the same order.
    pub tasks: Vec<TaskView>,
}

/// `orch.report/1`. Durations are seconds, money US dollars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analytics {
    schema: &'static str,
    /// The run that was asked for; `None` when all were.
    pub run: Option<RunFigures>,
    /// How many runs the figures below are about.
    pub runs: usize,
    /// Tasks that had anything to do.
    pub tasks: usize,
    /// By type of work, the most first.
    pub types: Vec<Group>,
    /// By agent, the most first.
    pub agents: Vec<Group>,
    /// Why attempts failed, the most frequent first.
    pub failures: Vec<FailureFigures>,
    /// What tasks both changed while they ran.
    pub overlaps: OverlapFigures,
    /// How well the plan knew beforehand.
    pub prediction: Predictions,
}

/// Prediction against truth, of this run and of all that the journal has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Predictions {
    /// Of the run; `None` when all were asked for.
    pub run: Option<Prediction>,
    /// Of all runs.
    pub all: Prediction,
}

/// A run in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunFigures {
    pub(super) id: RunId,
    pub(super) state: RunState,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    jobs: u32,
    pub(super) succeeded: usize,
    /// Time that a supervisor worked on it.
    pub(super) wall_seconds: f64,
    /// Time that its tasks took, one after another.
    pub(super) work_seconds: f64,
    /// Tasks at a time, on average.
    pub(super) parallelism: Option<f64>,
    /// The same as the plan expected it.
    pub(super) predicted_parallelism: Option<f64>,
    pub(super) predicted_seconds: Option<f64>,
    pub(super) attempts: usize,
    /// Attempts beyond the first of a task.
    pub(super) retries: usize,
    pub(super) cost_usd: f64,
    tokens: Tokens,
}

/// Tasks that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    pub(super) name: String,
    pub(super) tasks: usize,
    pub(super) succeeded: usize,
    pub(super) retries: usize,
    /// Of those that succeeded.
    pub(super) median_seconds: Option<f64>,
    pub(super) total_seconds: f64,
    pub(super) cost_usd: f64,
    tokens: Tokens,
    #[serde(skip)]
    times: Vec<f64>,
}

/// A class of failures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailureFigures {
    pub(super) class: String,
    /// Attempts that ended so.
    pub(super) attempts: usize,
    /// Tasks that had one.
    pub(super) tasks: usize,
}

/// Overlaps, as they were at last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OverlapFigures {
    /// Pairs, the branch that work lands on counted as one side.
    pub(super) pairs: usize,
    /// Of these, those that do not merge.
    pub(super) conflicts: usize,
}

impl Analytics {
    /// The figures of one run, or of all; `all` are all runs that the journal has.
    #[must_use]
    pub fn of(run: Option<&RunId>, all: &[RunFacts]) -> Self {
        let chosen: Vec<&RunFacts> =
            all.iter().filter(|facts| run.is_none_or(|run| facts.spec.id == *run)).collect();
        let own = run.and_then(|run| all.iter().find(|facts| facts.spec.id == *run));
        let tasks = || {
            chosen
                .iter()
                .flat_map(|facts| facts.spec.tasks.iter().zip(&facts.tasks))
                .filter(|(_, view)| view.state != TaskState::Skipped)
        };
        let overlaps = chosen.iter().flat_map(|facts| &facts.run.overlaps);
        Self {
            schema: "orch.report/1",
            run: own.map(RunFigures::of),
            runs: chosen.len(),
            tasks: tasks().count(),
            types: groups(tasks().map(|(spec, view)| (spec.work_type.to_string(), view))),
            agents: groups(tasks().map(|(_, view)| (view.agent.clone(), view))),
            failures: failures(tasks().map(|(_, view)| view)),
            overlaps: overlaps.fold(OverlapFigures::default(), |sum, overlap| OverlapFigures {
                pairs: sum.pairs + 1,
                conflicts: sum.conflicts + usize::from(overlap.conflict),
            }),
            prediction: Predictions {
                run: own.map(|own| Prediction::of(std::slice::from_ref(own))),
                all: Prediction::of(all),
            },
        }
    }
}

impl RunFigures {
    fn of(facts: &RunFacts) -> Self {
        let tasks = || facts.tasks.iter().filter(|task| task.state != TaskState::Skipped);
        let work: f64 = tasks().map(|task| work_time(task).as_secs_f64()).sum();
        let wall = facts.run.active_seconds;
        let attempts = || tasks().flat_map(|task| &task.attempts);
        let (sequential, parallel) =
            (facts.spec.estimate_seconds, facts.spec.estimate_parallel_seconds);
        let ratio = |a: f64, b: f64| (b > 0.0).then(|| a / b);
        Self {
            id: facts.spec.id.clone(),
            state: facts.run.state,
            started_at: facts.run.started_at,
            finished_at: facts.run.finished_at,
            jobs: facts.spec.jobs,
            succeeded: tasks().filter(|task| is_done(task)).count(),
            wall_seconds: wall,
            work_seconds: work,
            parallelism: ratio(work, wall),
            predicted_parallelism: sequential.zip(parallel).and_then(|(s, p)| ratio(s, p)),
            predicted_seconds: parallel,
            attempts: attempts().count(),
            retries: tasks().map(retries).sum(),
            cost_usd: attempts()
                .filter_map(|attempt| attempt.cost_usd)
                .fold(0.0, |sum, cost| sum + cost),
            tokens: tokens(attempts()),
        }
    }
}

fn is_done(task: &TaskView) -> bool {
    matches!(task.state, TaskState::Succeeded | TaskState::Merged)
}

/// Attempts of its agents beyond the first of each step.
fn retries(task: &TaskView) -> usize {
    task.attempts.iter().filter(|attempt| attempt.number > 1).count()
}

fn tokens<'a>(attempts: impl Iterator<Item = &'a AttemptView>) -> Tokens {
    attempts.fold(Tokens::default(), |sum, attempt| Tokens {
        input: sum.input + attempt.tokens.input,
        output: sum.output + attempt.tokens.output,
        cache_read: sum.cache_read + attempt.tokens.cache_read,
        cache_write: sum.cache_write + attempt.tokens.cache_write,
    })
}

fn groups<'a>(tasks: impl Iterator<Item = (String, &'a TaskView)>) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (name, task) in tasks {
        let group = groups.entry(name.clone()).or_default();
        group.name = name;
        group.tasks += 1;
        group.retries += retries(task);
        let time = work_time(task).as_secs_f64();
        group.total_seconds += time;
        group.cost_usd += task.attempts.iter().filter_map(|a| a.cost_usd).sum::<f64>();
        let more = tokens(task.attempts.iter());
        group.tokens = Tokens {
            input: group.tokens.input + more.input,
            output: group.tokens.output + more.output,
            cache_read: group.tokens.cache_read + more.cache_read,
            cache_write: group.tokens.cache_write + more.cache_write,
        };
        if is_done(task) {
            group.succeeded += 1;
            group.times.push(time);
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in &mut groups {
        group.times.sort_by(f64::total_cmp);
        let n = group.times.len();
        group.median_seconds =
            (n > 0).then(|| f64::midpoint(group.times[(n - 1) / 2], group.times[n / 2]));
    }
    groups.sort_by(|a, b| b.tasks.cmp(&a.tasks).then_with(|| a.name.cmp(&b.name)));
    groups
}

fn failures<'a>(tasks: impl Iterator<Item = &'a TaskView>) -> Vec<FailureFigures> {
    let mut classes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for task in tasks {
        let mut own: BTreeMap<&str, usize> = BTreeMap::new();
        for outcome in task.attempts.iter().filter_map(|attempt| attempt.outcome.as_deref()) {
            if outcome != "succeeded" {
                *own.entry(outcome).or_default() += 1;
            }
        }
        for (class, attempts) in own {
            let sum = classes.entry(class).or_default();
            *sum = (sum.0 + attempts, sum.1 + 1);
        }
    }
    let figures = |(class, (attempts, tasks)): (&str, (usize, usize))| FailureFigures {
        class: class.to_owned(),
        attempts,
        tasks,
    };
    let mut all: Vec<FailureFigures> = classes.into_iter().map(figures).collect();
    all.sort_by(|a, b| b.attempts.cmp(&a.attempts).then_with(|| a.class.cmp(&b.class)));
    all
}
