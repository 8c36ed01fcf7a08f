//! What a shim tells of a living attempt, from time to time.

use super::{ProcessError, durable, layout};
use crate::model::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The last reading of an attempt's processes: what `heartbeat.json` holds. Written at most every few
/// seconds, and only when something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// When it was written.
    pub at: Timestamp,
    /// When the last output arrived, as far as the shim knew then; `None` before the first.
    pub last_output_at: Option<Timestamp>,
    /// When the processes were last seen to compute (see [`Heartbeat::cpu_ms`]).
    pub last_cpu_at: Timestamp,
    /// Memory of all living processes, bytes: on Linux the proportional set size, so that a page
    /// they share counts once; elsewhere the sum of resident sizes.
    pub memory_bytes: u64,
    /// The largest such sum that was seen.
    pub peak_memory_bytes: u64,
    /// Milliseconds of CPU time of all processes, those that have ended included.
    pub cpu_ms: u64,
    /// How many processes there were.
    pub processes: u32,
}

impl Heartbeat {
    /// The heartbeat in the attempt's directory, `None` before the first.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>, ProcessError> {
        durable::read(&layout::heartbeat(dir))
    }
}
