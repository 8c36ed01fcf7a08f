//! Which tasks may land, from where, and in which order.

use super::{LandOptions, Outcome};
use crate::engine::State;
use crate::engine::queue::{Place, order};
use crate::model::{DependencyKind, OnOverlap, TaskState};
use crate::supervisor::merge_order::cleaner_first;
use crate::supervisor::{SupervisorError, World};
use std::collections::{BTreeMap, BTreeSet};

/// A task to be merged.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its place in the run.
    pub position: usize,
    /// The tip of its branch.
    pub commit: String,
    /// What it changed since it left the target, as far as that can be told apart.
    pub files: BTreeSet<String>,
}

/// The candidates in the order in which they are to land.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub list: Vec<Candidate>,
    /// For each, those without which it must not land, by their place in the list.
    pub needs: Vec<Vec<usize>>,
    /// The other tasks.
    pub others: BTreeMap<usize, Outcome>,
    pub notes: Vec<String>,
}

impl Candidates {
    pub(super) fn find(
        world: &World,
        state: &State,
        options: &LandOptions,
        into: &str,
        from: &str,
    ) -> Result<Self, SupervisorError> {
        let mut found = Self::default();
        let mut list = Vec::new();
        let standings = state.standings();
        // The branch that the run's merged tasks are on.
        let is_home = state.spec.target.as_deref() == Some(into);
        for (position, task) in state.spec.tasks.iter().enumerate() {
            let named = options.only.contains(&task.id);
            if !named && !options.only.is_empty() {
                continue;
            }
            let now = state.task_state(position, &standings);
            let done = state.is_done(position)
                && matches!(now, TaskState::Succeeded | TaskState::Conflicted | TaskState::Merged);
            if now == TaskState::Skipped || (now == TaskState::Merged && !named && is_home) {
                continue;
            }
            let Some(recorded) = state.commit(position).filter(|_| done) else {
                found.others.insert(position, Outcome::NotFinished(now));
                continue;
            };
            // The branch is what a person sees, and may have added to or mended.
            let tip = world.repo.branch_tip(&task.branch)?;
            let cleaned = state.tasks[position].cleaned && now != TaskState::Merged;
            if tip.is_none() && cleaned {
                found.others.insert(position, Outcome::Discarded);
                continue;
            }
            let commit = tip.unwrap_or_else(|| recorded.to_owned());
            let resolved = state.merging.resolved.get(&task.id);
            if commit != recorded && resolved != Some(&commit) {
                found.notes.push(format!(
                    "{}: its branch is not as the run left it; what is on the branch is merged",
                    task.name
                ));
            }
            // Squashed or rebased, its commits are not on the branch, but it was seen to land.
            let landed = state.tasks[position].merged.as_ref().is_some_and(|merged| {
                merged.into == into && merged.head.as_deref() == Some(&commit)
            });
            let merged = state.tasks[position].merged.as_ref().map(|merged| merged.commit.clone());
            if landed
                && let Some(merged) = merged
                && world.repo.contains(from, &merged)?
            {
                found.others.insert(position, Outcome::AlreadyThere);
                continue;
            }
            let files = own_files(world, state, position, from, &commit)?;
            list.push(Candidate { position, commit, files });
        }
        found.put_in_order(world, state, options, from, &list)?;
        Ok(found)
    }

    fn put_in_order(
        &mut self,
        world: &World,
        state: &State,
        options: &LandOptions,
        from: &str,
        list: &[Candidate],
    ) -> Result<(), SupervisorError> {
        let mut needs = vec![Vec::new(); list.len()];
        for (one, needs) in needs.iter_mut().enumerate() {
            for (other, base) in list.iter().enumerate().filter(|(other, _)| *other != one) {
                if needed(world, state, from, &list[one], base)? {
                    needs.push(other);
                }
            }
        }
        let cleaner = if state.spec.policy.on_overlap == OnOverlap::Order && list.len() > 1 {
            let tasks: Vec<(usize, String)> =
                list.iter().map(|c| (c.position, c.commit.clone())).collect();
            cleaner_first(world, state, from, &tasks)?
        } else {
            Vec::new()
        };
        let places: Vec<Place> = list
            .iter()
            .zip(&needs)
            .map(|(candidate, needs)| {
                let id = &state.spec.tasks[candidate.position].id;
                let meets = |other: &&Candidate| {
                    other.position != candidate.position
                        && (!other.files.is_disjoint(&candidate.files)
                            || foreseen(state, candidate.position, other.position))
                };
                let asked = options.order.iter().position(|asked| asked == id);
                let cleaner = || cleaner.iter().position(|task| *task == candidate.position);
                // What a person asked for goes before it.
                let later = |place: usize| options.order.len() + place;
                Place {
                    after: needs.clone(),
                    asked: asked.or_else(|| cleaner().map(later)),
                    risk: list.iter().filter(meets).count(),
                    size: candidate.files.len(),
                }
            })
            .collect();
        let order = order(&places);
        let place: BTreeMap<usize, usize> =
            order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        for (new, old) in order.iter().enumerate() {
            let mut needs: Vec<usize> = needs[*old].iter().map(|need| place[need]).collect();
            // Only in a circle is one of them later, and then nobody knows who comes first.
            needs.retain(|need| *need < new);
            self.needs.push(needs);
            self.list.push(list[*old].clone());
        }
        Ok(())
    }
}

/// Whether a candidate must not land without another: its prompt says so, or it holds the other's work.
fn needed(
    world: &World,
    state: &State,
    from: &str,
    one: &Candidate,
    other: &Candidate,
) -> Result<bool, SupervisorError> {
    let id = &state.spec.tasks[other.position].id;
    let before = &state.spec.tasks[one.position].depends_on;
    let tie = before.iter().find(|dependency| dependency.task == *id);
    if tie.is_some_and(|tie| tie.kind == DependencyKind::Declared) {
        return Ok(true);
    }
    // Of two with the same commit neither holds more than the other.
    Ok(one.commit != other.commit
        && world.repo.contains(&one.commit, &other.commit)?
        && !world.repo.contains(from, &other.commit)?)
}

/// Whether the plan saw the two meet.
fn foreseen(state: &State, one: usize, other: usize) -> bool {
    let ties = |a: usize, b: usize| {
        let id = &state.spec.tasks[b].id;
        state.spec.tasks[a]
            .depends_on
            .iter()
            .any(|d| d.task == *id && d.kind == DependencyKind::Conflict)
    };
    ties(one, other) || ties(other, one)
}

/// What a task changed: since it began, or since the target was last merged into its branch.
fn own_files(
    world: &World,
    state: &State,
    position: usize,
    from: &str,
    commit: &str,
) -> Result<BTreeSet<String>, SupervisorError> {
    let start = state.start(position).unwrap_or(&state.spec.base);
    let parted = world.repo.merge_base(from, commit)?;
    let base = match parted {
        Some(parted) if world.repo.contains(&parted, start)? => parted,
        _ => start.to_owned(),
    };
    Ok(world.repo.changed_files(&base, commit)?.into_iter().collect())
}
