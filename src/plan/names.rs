//! Declared dependencies: from names to tasks, and whether they can be met at all.

use super::error::{CycleStep, Location, Problem};
use super::input::{Declared, PlanInput};
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Dependencies as indices of the inputs.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// For each task: what must come first, with the declaration that says so; skipped tasks left out.
    pub declared: Vec<BTreeMap<usize, usize>>,
    /// For each task: what it depends on that is done already.
    pub satisfied: Vec<Vec<usize>>,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

/// How alike two names must be for one to be a slip of the other (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

pub(super) fn resolve(inputs: &[PlanInput]) -> Resolved {
    let mut resolved = Resolved::default();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for (task, input) in inputs.iter().enumerate() {
        if let Some(&first) = by_name.get(input.name.as_str()) {
            resolved.problems.push(Problem::DuplicateName {
                name: input.name.clone(),
                first: inputs[first].prompt.clone(),
                second: input.prompt.clone(),
            });
        } else {
            by_name.insert(&input.name, task);
        }
    }
    for (task, input) in inputs.iter().enumerate() {
        let (mut before, mut done) = (BTreeMap::<usize, usize>::new(), Vec::new());
        for (place, declared) in input.declared.iter().enumerate() {
            match by_name.get(declared.name.as_str()) {
                None => resolved.problems.push(unknown(inputs, task, declared)),
                Some(&first) if first == task => resolved.problems.push(Problem::SelfDependency {
                    at: location(input, declared),
                    task: input.name.clone(),
                }),
                Some(&first) if inputs[first].skip_reason.is_some() => {
                    if !done.contains(&first) {
                        done.push(first);
                    }
                }
                Some(&first) => {
                    before.entry(first).or_insert(place);
                }
            }
        }
        // What is done already waits for nothing.
        if input.skip_reason.is_some() {
            before.clear();
        }
        resolved.declared.push(before);
        resolved.satisfied.push(done);
    }
    resolved.problems.extend(cycles(inputs, &resolved.declared));
    resolved
}

fn location(input: &PlanInput, declared: &Declared) -> Location {
    Location { file: input.prompt.clone(), line: declared.line }
}

fn unknown(inputs: &[PlanInput], task: usize, declared: &Declared) -> Problem {
    let likeness = |name: &str| strsim::jaro_winkler(name, &declared.name);
    let nearest = inputs
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != task)
        .map(|(_, input)| (likeness(&input.name), &input.name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1)));
    Problem::UnknownDependency {
        at: location(&inputs[task], declared),
        task: inputs[task].name.clone(),
        name: declared.name.clone(),
        nearest: nearest.map(|(_, name)| name.clone()),
    }
}

/// The shortest cycle of every group of tasks that wait for each other, from its first task on.
fn cycles(inputs: &[PlanInput], declared: &[BTreeMap<usize, usize>]) -> Vec<Problem> {
    let mut graph = DiGraph::<(), (), usize>::default();
    let nodes: Vec<_> = inputs.iter().map(|_| graph.add_node(())).collect();
    for (task, before) in declared.iter().enumerate() {
        for &first in before.keys() {
            graph.add_edge(nodes[task], nodes[first], ());
        }
    }
    let mut groups: Vec<Vec<usize>> = tarjan_scc(&graph)
        .into_iter()
        .filter(|group| group.len() > 1)
        .map(|group| {
            let mut tasks: Vec<usize> =
                group.into_iter().map(petgraph::graph::NodeIndex::index).collect();
            tasks.sort_unstable();
            tasks
        })
        .collect();
    groups.sort();
    groups
        .iter()
        .map(|group| {
            let cycle = shortest_cycle(group, declared);
            let next = cycle.iter().copied().skip(1).chain(cycle.first().copied());
            let steps = cycle.iter().zip(next).filter_map(|(&task, next)| {
                let said = inputs[task].declared.get(*declared[task].get(&next)?)?;
                Some(CycleStep {
                    task: inputs[task].name.clone(),
                    at: location(&inputs[task], said),
                    words: said.words.clone(),
                })
            });
            Problem::Cycle(steps.collect())
        })
        .collect()
}

/// Breadth first from the group's first task back to itself.
fn shortest_cycle(group: &[usize], declared: &[BTreeMap<usize, usize>]) -> Vec<usize> {
    let start = group[0];
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(task) = queue.pop_front() {
        for &next in declared[task].keys().filter(|next| group.binary_search(next).is_ok()) {
            if next == start {
                let mut cycle = vec![task];
                while let Some(&previous) = came_from.get(&cycle[cycle.len() - 1]) {
                    cycle.push(previous);
                }
                cycle.reverse();
                return cycle;
            }
            if next != start && !came_from.contains_key(&next) {
                came_from.insert(next, task);
                queue.push_back(next);
            }
        }
    }
    group.to_vec()
}
