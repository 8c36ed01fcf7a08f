//! Finding out that an agent wrote into the user's own checkout.
//!
//! Every task has a worktree of its own, but nothing keeps a process from using an absolute path. The
//! checkout is fingerprinted when the supervisor starts and again after each attempt; what differs is
//! named, with the tasks whose agents ran meanwhile. It may have been the user, who is free to work: so a
//! task is only warned about, never failed for it.

use super::{SupervisorError, World};
use crate::engine::State;
use crate::git::Fingerprint;
use crate::model::{AttemptId, Event, StepKind, TaskId};
use std::collections::BTreeSet;

/// The last look at the user's checkout.
pub(super) struct Watch {
    last: Fingerprint,
    /// Tasks whose processes ran since that look.
    ran: BTreeSet<TaskId>,
}

impl Watch {
    pub(super) fn start(world: &World) -> Result<Self, SupervisorError> {
        Ok(Self { last: world.repo.fingerprint()?, ran: BTreeSet::new() })
    }

    /// Looks again, after the given attempt ended. Warnings, for the tasks that may have done it.
    pub(super) fn check(&mut self, world: &World, state: &State, ended: &AttemptId) -> Vec<Event> {
        let is_process = |id: &AttemptId| {
            state.step_spec(&id.task, &id.step).is_some_and(|(_, s)| match s.kind {
                StepKind::Agent | StepKind::Commands { .. } => true,
                StepKind::BuiltIn { .. } => false,
            })
        };
        if !is_process(ended) {
            return Vec::new();
        }
        self.ran.insert(ended.task.clone());
        self.ran
            .extend(state.open_attempts().map(|(id, _)| id).filter(is_process).map(|id| id.task));
        let Ok(now) = world.repo.fingerprint() else { return Vec::new() };
        let differences = self.last.differences(&now);
        let ran = std::mem::take(&mut self.ran);
        if differences.is_empty() {
            return Vec::new();
        }
        self.last = now;
        let names: Vec<&str> = state
            .spec
            .tasks
            .iter()
            .filter(|task| ran.contains(&task.id))
            .map(|task| task.name.as_str())
            .collect();
        let shown: Vec<&str> = differences.iter().take(5).map(String::as_str).collect();
        let more = differences.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!(
            "your own checkout changed while {} ran: {}{more}; unless that was you, an agent wrote outside \
             its worktree",
            names.join(", "),
            shown.join(", "),
        );
        ran.into_iter().map(|task| Event::TaskWarned { task, message: message.clone() }).collect()
    }
}
