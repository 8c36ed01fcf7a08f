//! What a shim reports.

use super::{ProcessError, durable, layout};
use crate::model::{Exit, StopReason, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::SystemTime;

/// How an attempt's processes ended: what `result.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimResult {
    /// How the agent's main process ended. Neither code nor signal: it was never executed (see
    /// `spawn_error`), or survived SIGKILL (see `unkillable`).
    pub exit: Exit,
    /// Why the shim stopped it; `None` when it ended by itself.
    pub stopped: Option<StopReason>,
    /// When the agent was executed.
    pub started_at: Timestamp,
    /// When its last process was gone.
    pub finished_at: Timestamp,
    /// Milliseconds from the one to the other, by a clock that is never set.
    pub wall_ms: u64,
    /// Milliseconds of user CPU time of all its processes that were waited for.
    pub user_ms: u64,
    /// Milliseconds of system CPU time of the same.
    pub sys_ms: u64,
    /// The largest resident size of any one of them, in bytes.
    pub max_rss_bytes: u64,
    /// The largest memory of all processes together that a reading saw (every few seconds, see
    /// [`Heartbeat`](super::Heartbeat)), and at least `max_rss_bytes`.
    #[serde(default)]
    pub peak_memory_bytes: u64,
    /// Bytes of output received.
    pub log_bytes: u64,
    /// Bytes of output that were not kept: the middle, or what a full disk refused.
    pub dropped_bytes: u64,
    /// Processes that the shim had to end beside the main one.
    pub killed: u32,
    /// Processes that survived SIGKILL (another user's, or hanging in the kernel).
    pub unkillable: u32,
    /// Why the agent could not be executed.
    pub spawn_error: Option<String>,
}

impl ShimResult {
    /// The result in the attempt's directory, `None` while there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>, ProcessError> {
        durable::read(&layout::result(dir))
    }
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
