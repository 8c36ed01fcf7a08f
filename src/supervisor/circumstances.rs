//! What the machine looked like when something failed, told wherever the failure is.

use super::World;
use crate::engine::State;
use crate::model::{AttemptEnd, AttemptId, Ending, FailureContext};
use crate::process;

/// Adds to a failed end where it happened and what the machine looked like then, in `result.json` too.
pub(super) fn describe(end: &mut AttemptEnd, world: &World, state: &State, id: &AttemptId) {
    add(end, world, state, id, false);
}

/// As [`describe`], for an end that a later supervisor found: the machine is what it is by now.
pub(super) fn describe_found(end: &mut AttemptEnd, world: &World, state: &State, id: &AttemptId) {
    add(end, world, state, id, true);
}

fn add(end: &mut AttemptEnd, world: &World, state: &State, id: &AttemptId, found_later: bool) {
    let Ending::Failed { failure } = &mut end.ending else { return };
    let step = state.step_spec(&id.task, &id.step).map(|(_, step)| step);
    let memory = process::system();
    failure.context = Some(Box::new(FailureContext {
        phase: step.map(|step| step.phase),
        free_memory_bytes: (memory.memory_bytes > 0).then_some(memory.free_memory),
        free_disk_bytes: process::disk_space(&world.root).map(|space| space.free),
        load: Some(process::load()),
        running: u32::try_from(state.open_attempts().count()).ok(),
        found_later,
    }));
    if step.is_some_and(|step| step.kind.is_process()) {
        // Before it is recorded, so that no crash leaves one without the other: what recovery goes by is not
        // changed, and it would come to the same once more.
        let dir = world.layout.attempt(&state.spec.id, id);
        if let Err(error) = process::annotate(&dir, failure) {
            tracing::warn!(%error, "a result does not say why");
        }
    }
}
