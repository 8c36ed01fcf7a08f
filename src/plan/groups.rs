//! Tasks by how they relate: in sequence, in one area of the code, or not at all.

use super::document::{Group, GroupKind};
use super::input::PlanInput;
use super::order::Order;
use crate::model::Access;
use petgraph::unionfind::UnionFind;
use std::collections::BTreeMap;

/// Components of a path that name an area: `src/tui` of `src/tui/view/list.rs`.
const DEPTH: usize = 2;
/// The share of what a task writes that must lie in an area for the task to belong there.
const MAJORITY: f64 = 0.5;

/// Every ready task is in one group: with those it waits for, directly or not, and those that wait for it;
/// else with those of its area; else among the independent.
pub(super) fn groups(inputs: &[PlanInput], order: &Order) -> Vec<Group> {
    let mut chains = UnionFind::<usize>::new(inputs.len());
    for (task, before) in order.before.iter().enumerate() {
        for edge in before {
            chains.union(task, edge.task);
        }
    }
    let mut sequences: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &task in order.waves.iter().flatten() {
        sequences.entry(chains.find(task)).or_default().push(task);
    }
    let (chains, single): (Vec<_>, Vec<_>) =
        sequences.into_values().partition(|tasks| tasks.len() > 1);
    let mut areas: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut independent = Vec::new();
    for task in single.into_iter().flatten() {
        match area(&inputs[task]) {
            Some(area) => areas.entry(area).or_default().push(task),
            None => independent.push(task),
        }
    }
    areas.retain(|_, tasks| {
        let alone = tasks.len() == 1;
        if alone {
            independent.append(tasks);
        }
        !alone
    });
    let group = |kind, domain, mut tasks: Vec<usize>| {
        // A sequence is named in its order, the others in that of the input.
        if kind != GroupKind::Sequential {
            tasks.sort_unstable();
        }
        let names = tasks.iter().map(|&task| inputs[task].name.clone()).collect();
        (tasks.first().copied(), Group { kind, domain, tasks: names })
    };
    let mut all: Vec<(Option<usize>, Group)> = Vec::new();
    if !independent.is_empty() {
        all.push(group(GroupKind::Independent, None, independent));
    }
    all.extend(areas.into_iter().map(|(area, t)| group(GroupKind::Domain, Some(area), t)));
    all.extend(chains.into_iter().map(|tasks| group(GroupKind::Sequential, None, tasks)));
    all.sort_by_key(|(first, group)| (group.kind, *first));
    all.into_iter().map(|(_, group)| group).collect()
}

/// What its prompt says, or where most of what it writes lies.
fn area(input: &PlanInput) -> Option<String> {
    if input.domain.is_some() {
        return input.domain.clone();
    }
    let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
    let mut all = 0.0;
    for target in input.targets.iter().filter(|target| target.access == Access::Write) {
        all += target.confidence;
        if let Some(place) = place(&target.path) {
            *weights.entry(place).or_default() += target.confidence;
        }
    }
    let (place, weight) = weights.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (weight > all * MAJORITY).then(|| place.to_owned())
}

/// The directory, or its first components.
fn place(path: &str) -> Option<&str> {
    let (directory, _) = path.rsplit_once('/')?;
    let end = directory.match_indices('/').nth(DEPTH - 1).map_or(directory.len(), |(i, _)| i);
    Some(&directory[..end])
}
