//! What became of an attempt. The one place that calls anything a success.
//!
//! In this order: `orch` stopped it; it never started; its dialect reported a failure; a signal ended it; its exit
//! code says so; the dialect's proof of completion is missing; nothing in the worktree shows the work.

use super::account::{Account, Claim, Trouble};
use super::tail::Tail;
use super::{gemini, phrase, profiles, resets, suggest, text_error};
use crate::model::{
    AgentProfile, Dialect, Ending, Exit, Failure, FailureClass, StopReason, Timestamp, Usage,
};
use jiff::tz::TimeZone;

/// How the attempt's process ended and what the worktree shows.
#[derive(Clone, Debug)]
pub struct Ended {
    /// As the kernel told the shim.
    pub exit: Exit,
    /// Set when `orch` ended it; then nothing the agent said counts.
    pub stopped: Option<Stopped>,
    /// Whether the worktree shows commits or a diff of this attempt; `None` when nobody could look, which is
    /// not taken for a change.
    pub changed: Option<bool>,
    /// Why the process could not be started, in the system's words.
    pub spawn_error: Option<String>,
    /// When it ended: limits lift relative to it.
    pub now: Timestamp,
}

/// That `orch` ended an attempt, and why.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// The kind of reason.
    pub reason: StopReason,
    /// The reason as a person is told it, such as the limit that passed; one line.
    pub words: String,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Success, or the failure with its class and what to do.
    pub ending: Ending,
    /// Session, money, tokens, turns: what is known, also of a failure.
    pub usage: Usage,
    /// The agent's closing words, one line.
    pub note: Option<String>,
    /// Tools it was denied, one line each. They may be there after a success too.
    pub denials: Vec<String>,
}

/// Lines at the end of a text in which a provider's error is looked for.
const END: usize = 8;

pub(super) fn judge(
    profile: &AgentProfile,
    account: Account,
    errors: &Tail,
    ended: Ended,
    zone: &TimeZone,
) -> Verdict {
    let case = Case { profile, account: &account, errors, ended };
    let ending = match case.failure() {
        None => Ending::Succeeded,
        Some((class, message)) => Ending::Failed { failure: case.explained(class, &message, zone) },
    };
    let mut note = account.note.clone();
    if note.is_none() && matches!(account.claim, Claim::ByExit) {
        note = account.stray.last(1).next().map(phrase::one_line);
    }
    if account.unread > 0 {
        let unread = format!("{} line(s) of output were too long to read", account.unread);
        note = Some(note.map_or_else(|| unread.clone(), |words| format!("{words} ({unread})")));
    }
    Verdict { ending, usage: account.usage, note, denials: account.denials }
}

struct Case<'a> {
    profile: &'a AgentProfile,
    account: &'a Account,
    errors: &'a Tail,
    ended: Ended,
}

type Finding = (FailureClass, String);

impl Case<'_> {
    fn failure(&self) -> Option<Finding> {
        if let Some(stopped) = &self.ended.stopped {
            return Some(self.stopped(stopped));
        }
        if let Some(error) = &self.ended.spawn_error {
            let program = self.profile.command.first().map_or("", String::as_str);
            return Some((FailureClass::BadCommand, format!("cannot start {program}: {error}")));
        }
        if let Claim::Failed(trouble) = &self.account.claim {
            let class = trouble.class.unwrap_or(FailureClass::Crashed);
            return Some((class, trouble.message.clone()));
        }
        match self.ended.exit {
            Exit { signal: Some(signal), .. } => Some(self.killed(signal)),
            Exit { code: Some(0), .. } => self.exited_well(),
            Exit { code: Some(code), .. } => Some(self.exited_badly(code)),
            Exit { code: None, signal: None } => {
                Some((FailureClass::Interrupted, "nobody saw how the process ended".to_owned()))
            }
        }
    }

    fn stopped(&self, stopped: &Stopped) -> Finding {
        let what = &stopped.words;
        let class = match stopped.reason {
            StopReason::Timeout => FailureClass::Timeout,
            StopReason::IdleTimeout => FailureClass::Idle,
            StopReason::Cancelled => return (FailureClass::Cancelled, what.clone()),
            StopReason::Interrupted | StopReason::OutOfMemory | StopReason::Overlap => {
                return (FailureClass::Interrupted, what.clone());
            }
        };
        // Where it took too long, what held it up is worth knowing.
        let message = match (self.service_error(), self.account.activity()) {
            (Some(stuck), _) => format!("{what}; its last error was: {}", stuck.message),
            (None, Some(busy)) => format!("{what}; it was last seen at: {busy}"),
            (None, None) => what.clone(),
        };
        (class, message)
    }

    fn killed(&self, signal: i32) -> Finding {
        let signal_said = suggest::signal_said(signal);
        let whom =
            self.account.place.as_deref().map_or(String::new(), |place| format!("{place}: "));
        let memory = if signal == 9 { "; the system may have run out of memory" } else { "" };
        let message = format!("{whom}ended by {signal_said} that orch did not send{memory}");
        (FailureClass::Killed, message)
    }

    fn exited_well(&self) -> Option<Finding> {
        if matches!(self.account.claim, Claim::Nothing) {
            let because = self.service_error().map(|t| format!(": {}", t.message));
            let message = format!(
                "exited 0 without the event that proves it is done{}",
                because.or_else(|| self.stray_words()).unwrap_or_default()
            );
            return Some((FailureClass::NoResult, message));
        }
        if !profiles::requires_changes(self.profile) || self.ended.changed == Some(true) {
            return None;
        }
        if let Some(first) = self.account.denials.first() {
            let more = match self.account.denials.len() {
                1 => String::new(),
                n => format!(" and {} more", n - 1),
            };
            return Some((
                FailureClass::PermissionDenied,
                format!("changed nothing, and was denied: {first}{more}"),
            ));
        }
        let said = self.account.note.as_deref().map_or(String::new(), |note| format!(" ({note})"));
        Some((
            FailureClass::NoChanges,
            format!("said it was done{said}, but nothing in the worktree changed"),
        ))
    }

    fn exited_badly(&self, code: i32) -> Finding {
        if matches!(self.account.claim, Claim::Done) {
            return (
                FailureClass::Crashed,
                format!("reported success, then exited with {code}{}", self.telling()),
            );
        }
        let whom = self.account.place.as_deref().unwrap_or("the agent");
        let message = format!("{whom} exited with {code}{}", self.telling());
        // 126 and 127 are what a shell says of a command it cannot run (POSIX, 2.8.2).
        if matches!(code, 126 | 127) {
            return (FailureClass::BadCommand, message);
        }
        if let Some(Trouble { class: Some(class), message }) = self.service_error() {
            return (class, message);
        }
        let documented = matches!(self.profile.output, Dialect::Gemini | Dialect::Qwen);
        if let Some(class) = gemini::class_of_exit(code).filter(|_| documented) {
            return (class, message);
        }
        match self.signal_behind(code) {
            Some(signal) => self.killed(signal),
            None => (FailureClass::Crashed, message),
        }
    }

    /// 128 + signal is how a shell, and a CLI that catches signals, reports one (POSIX, 2.8.2). 129 is left
    /// out for text: it is also git's code for wrong usage.
    fn signal_behind(&self, code: i32) -> Option<i32> {
        let text = matches!(self.profile.output, Dialect::Plain | Dialect::Shell | Dialect::Aider);
        let signal = code - 128;
        (matches!(signal, 2 | 6 | 9 | 11 | 15) || (signal == 1 && !text)).then_some(signal)
    }

    /// The error of the service (or of the command line) that its events or its texts show.
    fn service_error(&self) -> Option<Trouble> {
        if let Some(trouble) = &self.account.trouble {
            return Some(trouble.clone());
        }
        let dialect = self.profile.output;
        let classified = |line: &str| {
            let class = text_error::class_of(dialect, line)?;
            Some(Trouble::new(Some(class), line))
        };
        // In text, what the model or a test wrote stands beside the errors: only the end is looked at.
        let (all, end) = if matches!(dialect, Dialect::Plain | Dialect::Aider) {
            (None, Some(self.errors.last(END).chain(self.account.stray.last(END))))
        } else {
            (Some(self.errors.backwards().chain(self.account.stray.backwards())), None)
        };
        let lines: Vec<&str> = all.into_iter().flatten().chain(end.into_iter().flatten()).collect();
        // `status: 429` is part of a dump; the sentence above it is what a person wants to read.
        let sentences = lines.iter().filter(|line| line.split_whitespace().nth(2).is_some());
        sentences.chain(&lines).find_map(|line| classified(line))
    }

    /// What a line of its standard error, or else of its output, says about the failure.
    fn telling(&self) -> String {
        let line = self.errors.telling().or_else(|| self.account.stray.telling());
        line.map_or(String::new(), |line| format!(": {line}"))
    }

    fn stray_words(&self) -> Option<String> {
        self.account.stray.telling().map(|line| format!("; it printed: {line}"))
    }

    fn advice(&self, class: FailureClass, retry_at: Option<Timestamp>) -> String {
        let signal = match self.ended.exit {
            Exit { signal: Some(signal), .. } => Some(signal),
            Exit { code, .. } => code.and_then(|code| self.signal_behind(code)),
        };
        let facts = suggest::Facts { lifts: retry_at, now: self.ended.now, signal };
        suggest::suggestion(class, self.profile, &facts)
    }

    /// What to give advice on: a run that took too long because it was refused or retrying needs that solved.
    fn cause(&self, class: FailureClass) -> FailureClass {
        let held_up = match class {
            FailureClass::Timeout | FailureClass::Idle => self.service_error(),
            _ => None,
        };
        held_up.and_then(|trouble| trouble.class).unwrap_or(class)
    }

    fn explained(&self, class: FailureClass, message: &str, zone: &TimeZone) -> Failure {
        let limited = matches!(class, FailureClass::RateLimited | FailureClass::Quota);
        let retry_at = limited
            .then(|| resets::lifts_at(message, self.account.lifts, self.ended.now, zone))
            .flatten();
        Failure {
            class,
            message: phrase::one_line(message),
            suggestion: Some(self.advice(self.cause(class), retry_at)),
            retry_at,
            context: None,
        }
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
