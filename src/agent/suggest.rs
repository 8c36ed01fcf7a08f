//! What a person can do about a failure, one line.

use super::profiles;
use crate::model::{AgentProfile, Dialect, FailureClass, Timestamp};

/// What the advice depends on besides the class and the agent.
pub(super) struct Facts {
    /// When the limit lifts, if that is known.
    pub(super) lifts: Option<Timestamp>,
    /// When the attempt ended.
    pub(super) now: Timestamp,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
}

/// The next step after a failure of this class with this agent.
pub(super) fn suggestion(class: FailureClass, agent: &AgentProfile, facts: &Facts) -> String {
    let later = |when: Timestamp| {
        if when <= facts.now {
            format!("it lifted at {when}: run `orch retry`")
        } else {
            format!("it lifts at {when}; a run that waits goes on then, otherwise: orch retry")
        }
    };
    match class {
        FailureClass::Auth => match profiles::login_hint(agent) {
            Some(login) => format!("{login}; then run `orch retry`"),
            None => format!("check the credentials of '{}', then run `orch retry`", agent.name),
        },
        FailureClass::RateLimited => facts.lifts.map_or_else(
            || "run fewer tasks at a time (--jobs), or run `orch retry` in a while".to_owned(),
            later,
        ),
        FailureClass::Overloaded => {
            "usually temporary: run `orch retry` in a while, or name another model".to_owned()
        }
        FailureClass::Quota => facts.lifts.map_or_else(
            || "top up or change the plan, or name another agent with --agent".to_owned(),
            later,
        ),
        FailureClass::ContextTooLong => {
            "split the prompt into smaller ones, or name a model with a larger context".to_owned()
        }
        FailureClass::MaxTurns => {
            "split the prompt into smaller ones, or raise the limit in the agent's command"
                .to_owned()
        }
        FailureClass::PermissionDenied => {
            format!("allow the tool in the command of [agents.{}] in orch.toml", agent.name)
        }
        FailureClass::SessionGone => "run `orch retry`: it begins a session of its own".to_owned(),
        FailureClass::Refused => "reword the prompt, or name another model".to_owned(),
        FailureClass::BadCommand => match (agent.output, profiles::install_hint(agent)) {
            (Dialect::Shell, _) => "a command of the block is missing or not executable".to_owned(),
            (_, Some(install)) => format!(
                "check that it is installed ({install}) and that its version takes the arguments (and the model) in [agents.{}]",
                agent.name
            ),
            (_, None) => format!("check the command of [agents.{}] in orch.toml", agent.name),
        },
        FailureClass::Budget => {
            "allow more with `orch retry --failed --max-cost-usd USD`".to_owned()
        }
        FailureClass::Crashed => "see `orch logs` for its last output".to_owned(),
        FailureClass::Killed => killed(facts.signal),
        FailureClass::NoResult => {
            "see `orch logs`; its command must print the output that the profile names".to_owned()
        }
        FailureClass::NoChanges => {
            "see `orch logs`; if no change was wanted, set requires_changes = false for the agent"
                .to_owned()
        }
        FailureClass::VerifyFailed => "see `orch logs`, and `orch diff` for what it did".to_owned(),
        FailureClass::SetupFailed => "run the set-up command by hand in the worktree".to_owned(),
        FailureClass::Timeout => "raise the limit with --timeout, or split the prompt".to_owned(),
        FailureClass::Idle => {
            "raise idle_timeout, or see `orch logs` for what it waited on".to_owned()
        }
        FailureClass::Cancelled => "run `orch retry` to start it again".to_owned(),
        FailureClass::Interrupted => "run `orch resume` to go on".to_owned(),
        FailureClass::Conflict => {
            "merge its prerequisites by hand, then run `orch retry`".to_owned()
        }
        FailureClass::EscapedWorktree => {
            "see `git status` in your checkout, and tell the prompt to use relative paths"
                .to_owned()
        }
        FailureClass::Git => "resolve what git says, then run `orch retry`".to_owned(),
        FailureClass::WorktreeGone => {
            "`orch retry` starts its agent again in a new worktree; see `orch logs` for what removed the old one"
                .to_owned()
        }
        FailureClass::Internal => "see the message; if it is a bug, please report it".to_owned(),
    }
}

/// Only SIGKILL is how a system short of memory ends a process.
fn killed(signal: Option<i32>) -> String {
    match signal {
        Some(9) => "see whether the machine ran out of memory; fewer --jobs may help".to_owned(),
        // What a process does to itself: illegal instruction, abort, wrong arithmetic, bad memory.
        Some(signal @ (4 | 6 | 8 | 11)) => format!(
            "{} means that it broke by itself: see `orch logs` for its last output",
            signal_said(signal)
        ),
        Some(signal) => format!(
            "{} was not sent by orch: find out what sent it, then run `orch retry`",
            signal_said(signal)
        ),
        None => "orch did not interrupt it: find out what did, then run `orch retry`".to_owned(),
    }
}

/// `signal 15 (SIGTERM)`.
pub(super) fn signal_said(signal: i32) -> String {
    signal_name(signal)
        .map_or_else(|| format!("signal {signal}"), |name| format!("signal {signal} ({name})"))
}

fn signal_name(signal: i32) -> Option<&'static str> {
    // The numbers that are the same on Linux and macOS.
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        6 => "SIGABRT",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}
