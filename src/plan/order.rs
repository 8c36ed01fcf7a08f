//! Conflicts become directions, directions become waves.
//!
//! 1. Declared dependencies are edges. A near-certain write-read conflict adds one from writer to
//!    reader unless that closes a cycle.
//! 2. Between two tasks that both write a path the one of higher priority goes first. A task lends its
//!    priority to what it depends on, so this never closes a cycle: priority only falls along edges.
//! 3. Waves are filled one after another with what may start and does not conflict with what is in the
//!    wave already: first what has the most work waiting behind it, then by input order. The pairs
//!    left over are directed by their waves.
//! 4. Edges that follow from others are dropped: n tasks that all write one file give n-1 edges.

use super::conflicts::Pair;
use super::document::ConflictKind;
use super::input::{PlanInput, PlanOptions};
use petgraph::algo::tred::{dag_to_toposorted_adjacency_list, dag_transitive_reduction_closure};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::IntoNeighbors;
use std::collections::{BTreeMap, BTreeSet};

/// Why one task waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// The prompt says so, on this line.
    Declared(Option<u32>),
    /// They conflict: index into the conflicts.
    Conflict(usize),
}

/// What must come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub task: usize,
    pub because: Because,
}

/// The order of tasks, as indices of the inputs.
#[derive(Debug)]
pub(super) struct Order {
    /// For each task what must come first; declared edges before others.
    pub before: Vec<Vec<Edge>>,
    /// Skipped tasks left out.
    pub waves: Vec<Vec<usize>>,
}

impl Order {
    /// For each task what waits for it.
    pub(super) fn after(&self) -> Vec<Vec<usize>> {
        let mut after = vec![Vec::new(); self.before.len()];
        for (task, before) in self.before.iter().enumerate() {
            for edge in before {
                after[edge.task].push(task);
            }
        }
        after
    }
}

/// For each task what must come first, and why.
type Edges = Vec<BTreeMap<usize, Because>>;

pub(super) fn order(
    inputs: &[PlanInput],
    declared: &[BTreeMap<usize, Option<u32>>],
    conflicts: &[Pair],
    seconds: &[f64],
    options: &PlanOptions,
) -> Order {
    let mut edges: Edges = declared
        .iter()
        .map(|before| before.iter().map(|(&task, &line)| (task, Because::Declared(line))).collect())
        .collect();
    let strong: Vec<(usize, &Pair)> =
        conflicts.iter().enumerate().filter(|(_, pair)| pair.orders(options)).collect();
    for (index, pair) in strong.iter().filter(|(_, pair)| pair.kind != ConflictKind::WriteWrite) {
        let reader = pair.first + pair.second - pair.writer;
        if !comes_before(&edges, reader, pair.writer) {
            edges[reader].entry(pair.writer).or_insert(Because::Conflict(*index));
        }
    }
    let priority = lent_priorities(inputs, &edges);
    let mut open = vec![Vec::new(); inputs.len()];
    for &(index, pair) in &strong {
        let (a, b) = (pair.first, pair.second);
        if edges[a].contains_key(&b) || edges[b].contains_key(&a) {
            continue;
        }
        match priority[a].cmp(&priority[b]) {
            std::cmp::Ordering::Greater => edges[b].insert(a, Because::Conflict(index)),
            std::cmp::Ordering::Less => edges[a].insert(b, Because::Conflict(index)),
            std::cmp::Ordering::Equal => {
                open[a].push((b, index));
                open[b].push((a, index));
                None
            }
        };
    }
    let waves = fill(inputs, &mut edges, &open, seconds);
    Order { before: reduce(edges), waves }
}

/// Whether `first` comes before `second` along `edges`.
fn comes_before(edges: &Edges, first: usize, second: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut stack = vec![second];
    while let Some(task) = stack.pop() {
        if task == first {
            return true;
        }
        stack.extend(edges[task].keys().copied().filter(|&before| seen.insert(before)));
    }
    false
}

/// For each task the highest priority among it and what waits for it.
fn lent_priorities(inputs: &[PlanInput], edges: &Edges) -> Vec<i64> {
    let mut priority: Vec<i64> = inputs.iter().map(|input| input.priority).collect();
    let mut by_priority: Vec<usize> = (0..inputs.len()).collect();
    by_priority.sort_by_key(|&task| std::cmp::Reverse(inputs[task].priority));
    // Highest first, so that no task is visited twice.
    let mut seen = vec![false; inputs.len()];
    for task in by_priority {
        let mut stack = vec![task];
        while let Some(at) = stack.pop() {
            if !std::mem::replace(&mut seen[at], true) {
                priority[at] = inputs[task].priority;
                stack.extend(edges[at].keys());
            }
        }
    }
    priority
}

/// Fills the waves and directs the open pairs by them.
fn fill(
    inputs: &[PlanInput],
    edges: &mut Edges,
    open: &[Vec<(usize, usize)>],
    seconds: &[f64],
) -> Vec<Vec<usize>> {
    let behind = work_behind(edges, seconds);
    let mut waits: Vec<usize> = edges.iter().map(BTreeMap::len).collect();
    let mut after = vec![Vec::new(); edges.len()];
    for (task, before) in edges.iter().enumerate() {
        for &first in before.keys() {
            after[first].push(task);
        }
    }
    let is_ready = |task: &usize| inputs[*task].skip_reason.is_none();
    let mut may_start: Vec<usize> =
        (0..inputs.len()).filter(is_ready).filter(|&t| waits[t] == 0).collect();
    let mut wave_of = vec![usize::MAX; inputs.len()];
    let mut waves = Vec::new();
    while !may_start.is_empty() {
        may_start.sort_by(|&a, &b| behind[b].total_cmp(&behind[a]).then(a.cmp(&b)));
        let number = waves.len();
        let (mut wave, mut later) = (Vec::new(), Vec::new());
        for task in may_start {
            if open[task].iter().any(|&(other, _)| wave_of[other] == number) {
                later.push(task);
            } else {
                wave_of[task] = number;
                wave.push(task);
            }
        }
        wave.sort_unstable();
        for &task in &wave {
            for &(other, index) in &open[task] {
                if wave_of[other] < number {
                    edges[task].insert(other, Because::Conflict(index));
                }
            }
            for &next in &after[task] {
                waits[next] -= 1;
                if waits[next] == 0 {
                    later.push(next);
                }
            }
        }
        may_start = later;
        waves.push(wave);
    }
    waves
}

/// For each task the seconds of the longest chain that waits for it.
fn work_behind(edges: &Edges, seconds: &[f64]) -> Vec<f64> {
    let mut waiting: Vec<usize> = vec![0; edges.len()];
    for first in edges.iter().flat_map(BTreeMap::keys) {
        waiting[*first] += 1;
    }
    let mut behind = vec![0.0_f64; edges.len()];
    let mut last: Vec<usize> = (0..edges.len()).filter(|&task| waiting[task] == 0).collect();
    while let Some(task) = last.pop() {
        for &first in edges[task].keys() {
            behind[first] = behind[first].max(behind[task] + seconds[task]);
            waiting[first] -= 1;
            if waiting[first] == 0 {
                last.push(first);
            }
        }
    }
    behind
}

/// Drops conflict edges that others imply; declared ones stay, because they were asked for.
fn reduce(edges: Edges) -> Vec<Vec<Edge>> {
    let mut graph = DiGraph::<(), (), usize>::default();
    let nodes: Vec<NodeIndex<usize>> = edges.iter().map(|_| graph.add_node(())).collect();
    for (task, before) in edges.iter().enumerate() {
        for &first in before.keys() {
            graph.add_edge(nodes[first], nodes[task], ());
        }
    }
    // Steps 1 to 3 leave no cycle; were there one, nothing would be dropped.
    let needed: Option<BTreeSet<(usize, usize)>> =
        petgraph::algo::toposort(&graph, None).ok().map(|sorted| {
            let (list, _) = dag_to_toposorted_adjacency_list::<_, usize>(&graph, &sorted);
            let (reduced, _) = dag_transitive_reduction_closure(&list);
            let edges_of = |from: usize| reduced.neighbors(from).map(move |to| (from, to));
            (0..sorted.len())
                .flat_map(edges_of)
                .map(|(from, to)| (sorted[from].index(), sorted[to].index()))
                .collect()
        });
    let keep = |first: usize, task: usize, because: Because| {
        matches!(because, Because::Declared(_))
            || needed.as_ref().is_none_or(|needed| needed.contains(&(first, task)))
    };
    edges
        .into_iter()
        .enumerate()
        .map(|(task, before)| {
            let mut kept: Vec<Edge> = before
                .into_iter()
                .filter(|&(first, because)| keep(first, task, because))
                .map(|(first, because)| Edge { task: first, because })
                .collect();
            kept.sort_by_key(|edge| matches!(edge.because, Because::Conflict(_)));
            kept
        })
        .collect()
}
