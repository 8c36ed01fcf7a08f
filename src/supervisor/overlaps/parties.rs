//! Whose work is compared: tasks that are at work, and finished ones that have not landed.

use super::super::{World, clock};
use crate::engine::{Standing, State};
use crate::model::Timestamp;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// A worktree is watched once a process has been at work in it for so long. What is over sooner is compared
/// when it has ended, at a fiftieth of the price.
const SETTLED_IN: Duration = Duration::from_secs(1);

/// Someone whose changes are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Party {
    /// Its position in the plan.
    pub(super) task: usize,
    /// The commit its branch began at.
    pub(super) start: String,
    pub(super) work: Work,
}

/// Where its changes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// In a worktree; the number of attempts that it has seen.
    Live { worktree: PathBuf, attempts: usize },
    /// In a commit.
    Done { commit: String },
}

/// Everybody at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Roll(pub(super) Vec<Party>);

impl Roll {
    /// Whether there is anybody to compare: with another one, or with a branch that may move.
    pub(super) fn are_worth_a_thread(&self) -> bool {
        self.0.len() > 1 || self.0.iter().any(|party| matches!(party.work, Work::Live { .. }))
    }
}

/// The parties as they were told last.
#[derive(Debug, Default)]
pub(super) struct Parties {
    told: Option<Roll>,
    seq: u64,
    /// When one of them has settled in.
    due: Option<Timestamp>,
}

impl Parties {
    /// The parties, where they are not those told last; `over`: nobody is at work any more.
    pub(super) fn news(&mut self, world: &World, state: &State, over: bool) -> Option<Roll> {
        let now = clock::now();
        if state.seq == self.seq && self.due.is_none_or(|due| due > now) && !over {
            return None;
        }
        (self.seq, self.due) = (state.seq, None);
        let standings = state.standings();
        let mut roll = Roll::default();
        for (task, progress) in state.tasks.iter().enumerate() {
            if !state.was_started(task) || progress.merged.is_some() || progress.cleaned {
                continue;
            }
            let Some(start) = state.start(task).map(str::to_owned) else { continue };
            let work = match standings.of(task) {
                Standing::Good => {
                    let Some(commit) = state.commit(task).filter(|commit| *commit != start) else {
                        continue;
                    };
                    Work::Done { commit: commit.to_owned() }
                }
                Standing::Open if !over => {
                    let Some((attempts, began)) = processes(state, task) else { continue };
                    let ready = began.after(SETTLED_IN);
                    if ready > now {
                        self.due = Some(self.due.map_or(ready, |due| due.min(ready)));
                        continue;
                    }
                    let worktree = world.worktree(&state.spec.tasks[task].worktree);
                    Work::Live { worktree, attempts }
                }
                _ => continue,
            };
            roll.0.push(Party { task, start, work });
        }
        // Without anybody at work, those are left that meet one another.
        if roll.0.iter().all(|party| matches!(party.work, Work::Done { .. })) {
            let mut users: HashMap<&str, u32> = HashMap::new();
            for party in &roll.0 {
                files(state, party.task).for_each(|path| *users.entry(path).or_default() += 1);
            }
            roll.0.retain(|party| {
                let known =
                    state.overlaps.keys().any(|(a, b)| *a == party.task || *b == Some(party.task));
                known || files(state, party.task).any(|path| users[path] > 1)
            });
        }
        let news = self.told.as_ref() != Some(&roll) || over;
        news.then(|| {
            self.told = Some(roll.clone());
            roll
        })
    }
}

/// What a finished task has changed, as its commit was recorded.
fn files(state: &State, task: usize) -> impl Iterator<Item = &str> {
    state.files_changed(task).iter().map(String::as_str)
}

/// How many attempts of its processes there were, and when the first one began.
fn processes(state: &State, task: usize) -> Option<(usize, Timestamp)> {
    let steps = state.spec.tasks[task].steps.iter().zip(&state.tasks[task].steps);
    let attempts = steps
        .filter(|(spec, _)| spec.kind.is_process())
        .flat_map(|(_, step)| &step.attempts)
        .map(|attempt| attempt.started_at);
    let (count, first) =
        attempts.fold((0, None), |(count, first): (usize, Option<Timestamp>), at| {
            (count + 1, Some(first.map_or(at, |first| first.min(at))))
        });
    first.map(|first| (count, first))
}
