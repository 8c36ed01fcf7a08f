//! How large the worktrees of each kind of task become, learned while the run goes on.

use crate::engine::State;
use crate::model::TaskId;
use std::collections::HashMap;

/// Sizes of worktrees that were measured, in bytes. Tasks of one agent and one type of work count as one
/// kind; the largest of a kind speaks for it, as too much room wastes time and too little wastes work.
#[derive(Debug, Default)]
pub(super) struct Growth {
    most: HashMap<String, u64>,
    measured: HashMap<TaskId, u64>,
    /// How many tasks of a kind have ended.
    ended: HashMap<String, u32>,
}

impl Growth {
    fn kind(state: &State, task: usize) -> String {
        let spec = &state.spec.tasks[task];
        format!("{} {}", spec.agent, spec.work_type)
    }

    /// Bytes that the worktree of a task is expected to grow by yet; 0 while nothing is known of its kind.
    pub(super) fn rest(&self, state: &State, task: usize) -> u64 {
        let expected = self.most.get(&Self::kind(state, task)).copied().unwrap_or(0);
        let now = self.measured.get(&state.spec.tasks[task].id).copied().unwrap_or(0);
        expected.saturating_sub(now)
    }

    /// Whether the worktree of a task that ends now tells something new: the first of a kind do, later
    /// ones now and then.
    pub(super) fn is_worth_learning(&self, state: &State, task: &TaskId) -> bool {
        let Some(task) = state.position(task) else { return false };
        let ended = self.ended.get(&Self::kind(state, task)).copied().unwrap_or(0);
        (ended + 1).is_power_of_two()
    }

    /// A worktree occupies so much.
    pub(super) fn measured(&mut self, state: &State, id: &TaskId, occupied: u64) {
        let Some(task) = state.position(id) else { return };
        let kind = Self::kind(state, task);
        *self.ended.entry(kind.clone()).or_default() += 1;
        self.measured.insert(id.clone(), occupied);
        let most = self.most.entry(kind).or_default();
        *most = (*most).max(occupied);
    }

    /// With so much it did not have enough room: the next one gets twice as much, or it would only fail
    /// again.
    pub(super) fn ran_out(&mut self, state: &State, id: &TaskId, occupied: u64) {
        let Some(task) = state.position(id) else { return };
        let most = self.most.entry(Self::kind(state, task)).or_default();
        *most = (*most).max(occupied.saturating_mul(2));
        // It begins anew, and what it had built is removed.
        self.measured.remove(id);
    }
}
