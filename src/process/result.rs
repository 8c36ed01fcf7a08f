//! What a shim reports.

use super::{ProcessError, durable, layout};
use crate::model::{Exit, Failure, StopReason, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::SystemTime;

/// How an attempt's processes ended: what `result.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Bytes free when the agent ended by itself, on the fuller of the disks of its worktree and of this file:
    /// by the time somebody judges it there may be room again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_disk_bytes: Option<u64>,
    /// Nobody saw it end: its shim had died, and whoever found that out wrote this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// Why it failed, added by whoever judged it. Nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<Failure>>,
}

impl ShimResult {
    /// The result in the attempt's directory, `None` while there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>, ProcessError> {
        durable::read(&layout::result(dir))
    }

    /// Of an attempt of which nothing is known but when it began.
    pub(super) fn begun(at: Timestamp) -> Self {
        Self {
            exit: Exit::default(),
            stopped: None,
            started_at: at,
            finished_at: at,
            wall_ms: 0,
            user_ms: 0,
            sys_ms: 0,
            max_rss_bytes: 0,
            peak_memory_bytes: 0,
            log_bytes: 0,
            dropped_bytes: 0,
            killed: 0,
            unkillable: 0,
            spawn_error: None,
            free_disk_bytes: None,
            lost: false,
            error: None,
        }
    }
}

/// Adds to the result of an attempt that has ended why it failed. One that is lost gets a result by that.
///
/// # Errors
/// What the file system refuses; the result is as it was then.
pub fn annotate(dir: &Path, error: &Failure) -> Result<(), ProcessError> {
    let path = layout::result(dir);
    if !layout::spec(dir).exists() {
        return Ok(());
    }
    let result = durable::read_if_whole(&path)?
        .unwrap_or_else(|| ShimResult { lost: true, ..ShimResult::begun(now()) });
    let (part, error) = (path.with_extension("error.part"), Some(Box::new(error.clone())));
    durable::replace(&part, &path, &ShimResult { error, ..result })
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// A time as the journal keeps it.
pub(super) fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
