//! What the end of an attempt says about its agent, and about execution as a whole, beside its task.

use super::breaker::Signal;
use crate::model::{AttemptEnd, Dialect, Exit, FailureClass as C, StepKind, StopReason, Timestamp};
use std::time::Duration;

/// What it says about the agent that ran it. Where its exit code is all there is, that speaks of the task.
pub(super) fn of_agent(
    end: &AttemptEnd,
    stopping: Option<StopReason>,
    at: Timestamp,
    dialect: Dialect,
) -> Signal {
    let Some(failure) = end.ending.failure() else { return Signal::Good };
    if stopping.is_some() {
        return Signal::Silent;
    }
    if let Some(until) = limit(end, at) {
        return Signal::Limited(until);
    }
    let speaks = !matches!(dialect, Dialect::Plain | Dialect::Shell);
    match failure.class {
        C::Auth | C::Quota => Signal::Broken,
        // One that was not even tried says that this prompt does not fit this agent.
        C::BadCommand if end.exit == Some(Exit::default()) => Signal::Broken,
        C::BadCommand if speaks && end.exit.is_some() => Signal::Broken,
        C::RateLimited | C::Overloaded => Signal::Bad,
        C::Crashed | C::NoResult if speaks => Signal::Bad,
        // The service answered; what it answered is about the task.
        C::ContextTooLong | C::MaxTurns | C::PermissionDenied | C::Refused => Signal::Good,
        _ => Signal::Silent,
    }
}

/// A limit that should have lifted this long ago may still be in force: clocks differ, and services are late.
const SLACK: Duration = Duration::from_mins(10);

/// So long it is waited for then.
const LATE: Duration = Duration::from_mins(1);

/// When the limit lifts that ended the attempt. One that lifted long ago is none.
pub(super) fn limit(end: &AttemptEnd, at: Timestamp) -> Option<Timestamp> {
    let failure = end.ending.failure()?;
    let limited = matches!(failure.class, C::RateLimited | C::Quota);
    let until = failure.retry_at.filter(|_| limited)?;
    if until > at {
        return Some(until);
    }
    (at.since(until) <= SLACK).then(|| at.after(LATE))
}

/// What it says about execution as a whole: whether worktrees can be made and set up here. What somebody
/// killed says nothing.
pub(super) fn of_execution(
    end: &AttemptEnd,
    kind: &StepKind,
    stopping: Option<StopReason>,
) -> Signal {
    let class = match end.ending.failure() {
        Some(_) if stopping.is_some() => return Signal::Silent,
        Some(failure) => failure.class,
        None if kind.is_process() => return Signal::Good,
        None => return Signal::Silent,
    };
    match class {
        C::SetupFailed | C::Git | C::Internal => Signal::Bad,
        C::VerifyFailed => Signal::Good,
        _ => Signal::Silent,
    }
}
