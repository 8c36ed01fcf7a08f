//! What the machine looked like when something failed.

use super::World;
use crate::engine::State;
use crate::model::{AttemptEnd, AttemptId, Ending, FailureContext};
use crate::process;

/// Adds to a failed end where it happened and what the machine looked like then.
pub(super) fn describe(end: &mut AttemptEnd, world: &World, state: &State, id: &AttemptId) {
    let Ending::Failed { failure } = &mut end.ending else { return };
    let memory = process::system();
    failure.context = Some(Box::new(FailureContext {
        phase: state.step_spec(&id.task, &id.step).map(|(_, step)| step.phase),
        free_memory_bytes: (memory.memory_bytes > 0).then_some(memory.free_memory),
        free_disk_bytes: process::disk_space(&world.root).map(|space| space.free),
        load: Some(process::load()),
        running: u32::try_from(state.open_attempts().count()).ok(),
    }));
}
