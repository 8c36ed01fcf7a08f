//! When the tasks of a plan run, if nothing unforeseen happens: list scheduling by the longest path first.

use super::input::PlanInput;
use super::order::Order;
use std::collections::BinaryHeap;

/// Durations and the orders that follow from them.
pub(super) struct Durations {
    pub sequential: f64,
    pub parallel: f64,
    pub critical_path: Vec<usize>,
    pub longest_first: Vec<usize>,
}

/// The time until the last task ends, with tasks that take these seconds.
pub(super) fn parallel_seconds(
    longest_first: &[usize],
    seconds: &[f64],
    order: &Order,
    jobs: u32,
) -> f64 {
    list_schedule(longest_first, seconds, order, &order.after(), jobs)
}

/// Durations of the whole.
pub(super) fn of_plan(
    inputs: &[PlanInput],
    seconds: &[f64],
    order: &Order,
    jobs: u32,
) -> Durations {
    let after = order.after();
    let ranked = order.waves.concat();
    // The time from a task's start to the end of everything behind it.
    let mut tail = seconds.to_vec();
    for &task in ranked.iter().rev() {
        tail[task] += after[task].iter().map(|&next| tail[next]).fold(0.0, f64::max);
    }
    let mut longest_first = ranked;
    longest_first.sort_by(|&a, &b| {
        let priority = inputs[b].priority.cmp(&inputs[a].priority);
        tail[b].total_cmp(&tail[a]).then(priority).then(a.cmp(&b))
    });
    let mut critical_path = Vec::new();
    let mut next = longest_first.first().copied();
    while let Some(task) = next {
        critical_path.push(task);
        next = after[task]
            .iter()
            .copied()
            .max_by(|&a, &b| tail[a].total_cmp(&tail[b]).then(b.cmp(&a)));
    }
    Durations {
        sequential: seconds.iter().sum(),
        parallel: list_schedule(&longest_first, seconds, order, &after, jobs),
        critical_path,
        longest_first,
    }
}

/// The time until the last task ends when `jobs` run at a time and, whenever one ends, the first
/// of `rank` that may start does.
fn list_schedule(
    rank: &[usize],
    seconds: &[f64],
    order: &Order,
    after: &[Vec<usize>],
    jobs: u32,
) -> f64 {
    let jobs = if jobs == 0 { usize::MAX } else { jobs as usize };
    let mut place = vec![0; seconds.len()];
    for (i, &task) in rank.iter().enumerate() {
        place[task] = i;
    }
    let mut waits: Vec<usize> = order.before.iter().map(Vec::len).collect();
    let mut ready: BinaryHeap<_> =
        rank.iter().filter(|&&t| waits[t] == 0).map(|&t| std::cmp::Reverse(place[t])).collect();
    let mut running: BinaryHeap<Running> = BinaryHeap::new();
    let mut now = 0.0;
    loop {
        while running.len() < jobs {
            let Some(std::cmp::Reverse(i)) = ready.pop() else { break };
            running.push(Running { ends: now + seconds[rank[i]], task: rank[i] });
        }
        let Some(done) = running.pop() else { return now };
        now = done.ends;
        for &next in &after[done.task] {
            waits[next] -= 1;
            if waits[next] == 0 {
                ready.push(std::cmp::Reverse(place[next]));
            }
        }
    }
}

/// A task under way; the one that ends first is the greatest.
#[derive(PartialEq)]
struct Running {
    ends: f64,
    task: usize,
}

impl Eq for Running {}

impl Ord for Running {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.ends.total_cmp(&self.ends).then(other.task.cmp(&self.task))
    }
}

impl PartialOrd for Running {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
