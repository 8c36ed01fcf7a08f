//! Whether a failed step is tried again.

use super::state::{Attempt, State, Step, StepState, restart_point};
use crate::model::{AttemptId, FailureClass, StopReason};

/// An attempt lost to a dead shim is started again without counting against `retries`, but not for
/// ever: something kills it each time (three, as systemd's default burst is five and an agent costs more).
const MAX_LOST: usize = 3;

/// What to do about a failed step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This attempt runs next.
    Retry(AttemptId),
    /// It stays failed.
    GiveUp,
}

/// Whether the failure of the task at `task` leads to another attempt.
#[must_use]
pub fn retry_verdict(state: &State, task: usize) -> Verdict {
    let spec = &state.spec.tasks[task];
    let progress = &state.tasks[task];
    let Some(failed) = progress.steps.iter().position(|s| s.state == StepState::Failed) else {
        return Verdict::GiveUp;
    };
    let Some(failure) = last_failure(&progress.steps[failed]) else { return Verdict::GiveUp };
    // A lost process says nothing against what came before it: only its own step starts again.
    let lost = failure == FailureClass::Interrupted;
    let from = if lost { failed } else { restart_point(&spec.steps, failed) };
    // An attempt that was interrupted on purpose, or died with its supervisor, says nothing about the task.
    let on_purpose = |a: &&Attempt| a.stopping == Some(StopReason::Interrupted);
    let counted = |wanted: fn(FailureClass) -> bool| {
        progress.steps[from..]
            .iter()
            .flat_map(|step| step.attempts.iter().filter(|a| a.number > step.forgiven))
            .filter(|attempt| !on_purpose(attempt))
            .filter_map(|attempt| attempt.ended.as_ref()?.0.ending.failure().map(|f| f.class))
            .filter(|class| wanted(*class))
            .count()
    };
    let again = if lost {
        counted(|class| class == FailureClass::Interrupted) <= MAX_LOST
    } else {
        let failures = counted(|class| class != FailureClass::Interrupted);
        is_worth_retrying(failure) && failures <= spec.steps[from].retries as usize
    };
    if !again || progress.cancelled {
        return Verdict::GiveUp;
    }
    let number = progress.steps[from].attempts.last().map_or(0, |a| a.number) + 1;
    Verdict::Retry(AttemptId { task: spec.id.clone(), step: spec.steps[from].id.clone(), number })
}

fn last_failure(step: &Step) -> Option<FailureClass> {
    step.attempts.last()?.ended.as_ref()?.0.ending.failure().map(|f| f.class)
}

/// A retry makes sense where the same request may end differently. Credentials, an exhausted quota and
/// a command that does not exist do not mend themselves.
fn is_worth_retrying(class: FailureClass) -> bool {
    use FailureClass as C;
    match class {
        C::RateLimited
        | C::Overloaded
        | C::Crashed
        | C::Killed
        | C::NoResult
        | C::NoChanges
        | C::VerifyFailed
        | C::Timeout
        | C::Idle
        | C::MaxTurns
        | C::Interrupted
        | C::Git
        | C::SetupFailed => true,
        C::Auth
        | C::Quota
        | C::ContextTooLong
        | C::PermissionDenied
        | C::Refused
        | C::BadCommand
        | C::Cancelled
        | C::Conflict
        | C::EscapedWorktree
        | C::Internal => false,
    }
}
