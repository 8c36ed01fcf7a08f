//! In which order finished tasks are merged where a run asks for the cleaner merges first.
//!
//! Of tasks that conflict with one another only some can land. Those that conflict with the fewest others go
//! first, so that as few as possible stay behind; what a task builds on goes before it in any case.

use super::{SupervisorError, World};
use crate::engine::State;
use crate::git::{Changes, Side};
use std::collections::{BTreeMap, BTreeSet};

/// The given tasks (their positions and commits, in plan order) in the order to merge them onto `tip`.
pub(super) fn cleaner_first(
    world: &World,
    state: &State,
    tip: &str,
    tasks: &[(usize, String)],
) -> Result<Vec<usize>, SupervisorError> {
    let repo = &world.repo;
    let mut changes: Vec<Changes> = Vec::new();
    for (task, commit) in tasks {
        changes.push(repo.changes_between(state.start(*task).unwrap_or(tip), commit)?);
    }
    let mut conflicts: BTreeMap<usize, usize> = tasks.iter().map(|(task, _)| (*task, 0)).collect();
    let mut add = |task: usize, files: usize| {
        *conflicts.entry(task).or_default() += files;
    };
    for (n, (a, ours)) in tasks.iter().enumerate() {
        add(*a, repo.expect_merge(Side::Commit(ours), Side::Commit(tip))?.len());
        for (m, (b, theirs)) in tasks.iter().enumerate().skip(n + 1) {
            if changes[n].shared(&changes[m]).is_empty() {
                continue;
            }
            let files = repo.expect_merge(Side::Commit(ours), Side::Commit(theirs))?.len();
            add(*a, files);
            add(*b, files);
        }
    }
    let before: BTreeMap<usize, BTreeSet<usize>> = tasks
        .iter()
        .map(|(task, _)| {
            let needs = state.spec.tasks[*task].depends_on.iter();
            (*task, needs.filter_map(|d| state.position(&d.task)).collect())
        })
        .collect();
    Ok(in_order(&conflicts, &before))
}

/// Fewest conflicts first, in plan order where they are even, and never before what comes before.
fn in_order(
    conflicts: &BTreeMap<usize, usize>,
    before: &BTreeMap<usize, BTreeSet<usize>>,
) -> Vec<usize> {
    let mut left: BTreeSet<(usize, usize)> =
        conflicts.iter().map(|(task, n)| (*n, *task)).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |task: usize| {
            before.get(&task).is_some_and(|needs| {
                left.iter().any(|(_, other)| *other != task && needs.contains(other))
            })
        };
        // A circle, which no plan has, is cut anywhere.
        let next = left.iter().find(|(_, task)| !waits(*task)).or(left.first()).copied();
        let Some(next) = next else { break };
        left.remove(&next);
        order.push(next.1);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_conflicts_least_goes_first_but_not_before_what_it_builds_on() {
        let conflicts = BTreeMap::from([(0, 1), (1, 2), (2, 1), (3, 0), (4, 0)]);
        assert_eq!(in_order(&conflicts, &BTreeMap::new()), [3, 4, 0, 2, 1]);
        let before = BTreeMap::from([(3, BTreeSet::from([1])), (2, BTreeSet::from([7]))]);
        assert_eq!(in_order(&conflicts, &before), [4, 0, 2, 1, 3]);
    }
}
