//! Conflicts become directions, directions become waves.
//!
//! 1. Declared dependencies are edges. A near-certain write-read conflict adds one from writer to
//!    reader unless that closes a cycle.
//! 2. Between two tasks that both write a path the one of higher priority goes first. A task lends its
//!    priority to what it depends on, so this never closes a cycle: priority only falls along edges.
//! 3. Waves are filled one after another with what may start and does not conflict with what is in the
//!    wave already: first what the most tasks wait for (the other way round all of them would wait for
//!    one more), then what has the most work waiting behind it (so that the longest chain grows least),
//!    then by input order. The pairs left over are directed by their waves.
//! 4. Edges that follow from others are dropped: n tasks that all write one file give n-1 edges.

use super::conflicts::Pair;
use super::document::ConflictKind;
use super::input::{PlanInput, PlanOptions};
use std::collections::{BTreeMap, BTreeSet};

/// Why one task waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// The prompt says so: index into its declarations.
    Declared(usize),
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
    declared: &[BTreeMap<usize, usize>],
    conflicts: &[Pair],
    seconds: &[f64],
    options: &PlanOptions,
) -> Order {
    let mut edges: Edges = declared
        .iter()
        .map(|before| before.iter().map(|(&task, &at)| (task, Because::Declared(at))).collect())
        .collect();
    let strong: Vec<(usize, &Pair)> =
        conflicts.iter().enumerate().filter(|(_, pair)| pair.orders(&options.thresholds)).collect();
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
    Order { before: reduce(&edges, &waves), waves }
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
    let dependents = dependents(edges);
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
    // The last wave in which a conflicting task was placed.
    let mut barred = vec![usize::MAX; inputs.len()];
    let mut waves = Vec::new();
    while !may_start.is_empty() {
        may_start.sort_by(|&a, &b| {
            let most = dependents[b].cmp(&dependents[a]);
            most.then(behind[b].total_cmp(&behind[a])).then(a.cmp(&b))
        });
        let number = waves.len();
        let (mut wave, mut later) = (Vec::new(), Vec::new());
        for task in may_start {
            if barred[task] == number {
                later.push(task);
                continue;
            }
            wave_of[task] = number;
            wave.push(task);
            for &(other, _) in &open[task] {
                barred[other] = number;
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

/// For each task how many wait for it, near and far.
fn dependents(edges: &Edges) -> Vec<usize> {
    let count = edges.len();
    let mut after = vec![Vec::new(); count];
    let mut waiting: Vec<usize> = vec![0; count];
    for (task, before) in edges.iter().enumerate() {
        for &first in before.keys() {
            after[first].push(task);
            waiting[first] += 1;
        }
    }
    // Most tasks of most plans are on no edge: they cost nothing.
    let mut known: Vec<Option<Tasks>> = vec![None; count];
    let mut last: Vec<usize> = (0..count).filter(|&task| waiting[task] == 0).collect();
    while let Some(task) = last.pop() {
        if !after[task].is_empty() {
            let mut all = Tasks(vec![0; count.div_ceil(64)]);
            for &next in &after[task] {
                all.insert(next);
                if let Some(theirs) = &known[next] {
                    all.extend(theirs);
                }
            }
            known[task] = Some(all);
        }
        for &first in edges[task].keys() {
            waiting[first] -= 1;
            if waiting[first] == 0 {
                last.push(first);
            }
        }
    }
    known.iter().map(|tasks| tasks.as_ref().map_or(0, Tasks::len)).collect()
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
///
/// Waves are a topological order: seen from the latest wave backwards, an edge is implied exactly if
/// its task is already known to come before.
fn reduce(edges: &Edges, waves: &[Vec<usize>]) -> Vec<Vec<Edge>> {
    let count = edges.len();
    let mut wave_of = vec![0; count];
    for (number, wave) in waves.iter().enumerate() {
        for &task in wave {
            wave_of[task] = number;
        }
    }
    let mut known: Vec<Tasks> = vec![Tasks::default(); count];
    let mut kept: Vec<Vec<Edge>> = vec![Vec::new(); count];
    for &task in waves.iter().flatten() {
        let mut before = Tasks(vec![0; count.div_ceil(64)]);
        let mut latest_first: Vec<(usize, Because)> =
            edges[task].iter().map(|(&first, &because)| (first, because)).collect();
        latest_first.sort_by_key(|&(first, _)| std::cmp::Reverse(wave_of[first]));
        for (first, because) in latest_first {
            let implied = before.contains(first);
            if !implied {
                before.extend(&known[first]);
                before.insert(first);
            }
            if !implied || matches!(because, Because::Declared(_)) {
                kept[task].push(Edge { task: first, because });
            }
        }
        known[task] = before;
        kept[task].sort_by_key(|e| (matches!(e.because, Because::Conflict(_)), e.task));
    }
    kept
}

/// A set of tasks, a bit each.
#[derive(Clone, Default)]
struct Tasks(Vec<u64>);

impl Tasks {
    fn contains(&self, task: usize) -> bool {
        self.0[task / 64] >> (task % 64) & 1 == 1
    }

    fn len(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    fn insert(&mut self, task: usize) {
        self.0[task / 64] |= 1 << (task % 64);
    }

    fn extend(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }
}
