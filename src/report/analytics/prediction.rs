//! Prediction against truth: of files, and of which tasks would meet in them.

use super::fold::RunFacts;
use crate::model::{DependencyKind, Truth};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// How often a prediction was right: sums over all tasks or pairs, not means of their figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// What was predicted.
    pub predicted: usize,
    /// What was so in the end.
    pub actual: usize,
    /// What was both.
    pub hits: usize,
    /// Of what was predicted, the part that was so, 0 to 1; `None` where nothing was predicted.
    pub precision: Option<f64>,
    /// Of what was so, the part that was predicted; `None` where nothing was.
    pub recall: Option<f64>,
    /// Their harmonic mean.
    pub f1: Option<f64>,
}

impl Score {
    fn of(predicted: usize, actual: usize, hits: usize) -> Self {
        let part = |whole: usize| (whole > 0).then(|| hits as f64 / whole as f64);
        let (precision, recall) = (part(predicted), part(actual));
        let f1 =
            precision.zip(recall).map(|(p, r)| if hits == 0 { 0.0 } else { 2.0 * p * r / (p + r) });
        Self { predicted, actual, hits, precision, recall, f1 }
    }
}

/// Prediction against truth.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Prediction {
    /// Finished tasks that changed something.
    pub tasks: usize,
    /// Which files each would change.
    pub files: Score,
    /// Which pairs of the same run would change a file in common.
    pub conflicts: Score,
}

impl Prediction {
    pub(super) fn of(runs: &[RunFacts]) -> Self {
        let (mut tasks, mut files, mut pairs) = (0, [0; 3], [0; 3]);
        for run in runs {
            let truths: Vec<Option<Truth>> = run
                .spec
                .tasks
                .iter()
                .zip(&run.tasks)
                .map(|(spec, view)| Truth::of(&run.spec.id, spec, view))
                .collect();
            for truth in truths.iter().flatten() {
                let paths: BTreeSet<&str> =
                    truth.predicted.iter().map(|p| p.path.as_str()).collect();
                tasks += 1;
                files[0] += paths.len();
                files[1] += truth.changed.len();
                files[2] += truth.hits();
            }
            let known = |pair: &&(usize, usize)| {
                [pair.0, pair.1].iter().all(|t| truths.get(*t).is_some_and(Option::is_some))
            };
            let (predicted, actual) = (predicted_pairs(run), actual_pairs(&truths));
            let predicted: BTreeSet<_> = predicted.iter().filter(known).copied().collect();
            pairs[0] += predicted.len();
            pairs[1] += actual.len();
            pairs[2] += actual.intersection(&predicted).count();
        }
        Self {
            tasks,
            files: Score::of(files[0], files[1], files[2]),
            conflicts: Score::of(pairs[0], pairs[1], pairs[2]),
        }
    }
}

/// Those the plan named, and those it ordered (all that a run of an earlier version knows).
fn predicted_pairs(run: &RunFacts) -> BTreeSet<(usize, usize)> {
    let ids: HashMap<_, usize> =
        run.spec.tasks.iter().enumerate().map(|(at, task)| (&task.id, at)).collect();
    let named = run.spec.conflicts.iter().map(|c| (c.tasks.0 as usize, c.tasks.1 as usize));
    let ordered = run.spec.tasks.iter().enumerate().flat_map(|(at, task)| {
        let ties = task.depends_on.iter().filter(|d| d.kind == DependencyKind::Conflict);
        ties.filter_map(|d| ids.get(&d.task).map(|other| (at.min(*other), at.max(*other))))
            .collect::<Vec<_>>()
    });
    named.chain(ordered).collect()
}

/// Pairs that changed a file in common.
fn actual_pairs(truths: &[Option<Truth>]) -> BTreeSet<(usize, usize)> {
    let mut users: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, truth) in truths.iter().enumerate() {
        for path in truth.iter().flat_map(|truth| &truth.changed) {
            users.entry(path).or_default().push(at);
        }
    }
    let pairs = users.values().flat_map(|tasks| {
        tasks.iter().enumerate().flat_map(|(n, a)| tasks[n + 1..].iter().map(|b| (*a, *b)))
    });
    pairs.collect()
}
