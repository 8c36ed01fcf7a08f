//! What the engine wants done. The supervisor does it and reports what happened as events.

use super::{AttemptId, RunState, StopReason, Timestamp};

/// Something to do. Deciding it twice is harmless: its intent is in the state before it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start an attempt.
    Start {
        /// Which one.
        attempt: AttemptId,
        /// The agent that runs it, where it is not the task's own.
        agent: Option<String>,
    },
    /// Draw a delay and record when the next attempt may start.
    ScheduleRetry {
        /// The attempt that will run.
        attempt: AttemptId,
        /// Not before then; `None`: as the backoff policy has it.
        not_before: Option<Timestamp>,
        /// The agent that runs it, where it is not the task's own.
        agent: Option<String>,
        /// The worktree stays as it is.
        keep: bool,
        /// The agent's session that goes on.
        session: Option<String>,
    },
    /// Stop an attempt's process tree.
    Stop {
        /// Which one.
        attempt: AttemptId,
        /// Why.
        reason: StopReason,
    },
    /// Record that the run is over.
    Finish {
        /// How it ended.
        state: RunState,
    },
}
