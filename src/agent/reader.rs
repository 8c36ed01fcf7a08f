//! An agent's output as it arrives -> what it is doing, and in the end what became of it.

use super::account::{Account, Claim};
use super::lines::{LONGEST, Lines, Piece};
use super::tail::Tail;
use super::verdict::{self, Ended, Verdict};
use super::{aider, claude, codex, gemini, opencode, plain, qwen, shell};
use crate::model::{AgentProfile, Dialect, Usage};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::ops::ControlFlow;

/// Longest line of standard error that is read.
const LONGEST_ERROR: usize = 64 * 1024;

/// What the live view shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The current activity, one line.
    pub last: Option<String>,
    /// As counted so far.
    pub usage: Usage,
}

/// Reads one attempt of one agent.
#[derive(Debug)]
pub struct Reader {
    profile: AgentProfile,
    account: Account,
    grammar: Grammar,
    stdout: Lines,
    stderr: Lines,
    errors: Tail,
    zone: TimeZone,
}

#[derive(Debug)]
enum Grammar {
    Plain,
    Shell,
    Claude(claude::Grammar),
    Qwen(claude::Grammar),
    Codex,
    Gemini(gemini::Grammar),
    Opencode(opencode::Grammar),
    Aider(aider::Grammar),
}

impl Reader {
    /// A reader for one attempt of this agent.
    #[must_use]
    pub fn new(profile: &AgentProfile) -> Self {
        let mut account = Account::default();
        let grammar = match profile.output {
            Dialect::Plain => Grammar::Plain,
            Dialect::Shell => Grammar::Shell,
            Dialect::Claude => Grammar::Claude(claude::Grammar::new(&profile.command)),
            Dialect::Qwen => Grammar::Qwen(claude::Grammar::new(&profile.command)),
            Dialect::Codex => Grammar::Codex,
            Dialect::Gemini => Grammar::Gemini(gemini::Grammar::default()),
            Dialect::Opencode => Grammar::Opencode(opencode::Grammar::default()),
            Dialect::Aider => Grammar::Aider(aider::Grammar::default()),
        };
        if matches!(grammar, Grammar::Plain | Grammar::Shell) {
            account.claim = Claim::ByExit;
        }
        Self {
            profile: profile.clone(),
            account,
            grammar,
            stdout: Lines::new(LONGEST),
            stderr: Lines::new(LONGEST_ERROR),
            errors: Tail::default(),
            zone: TimeZone::system(),
        }
    }

    /// The zone of the times the agent prints, where it is not the machine's.
    #[must_use]
    pub fn in_time_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// Takes the next bytes of standard output, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self { stdout, account, grammar, .. } = self;
        stdout.feed(bytes, |piece| grammar.read(account, &piece));
    }

    /// Takes the next bytes of standard error, cut anywhere.
    pub fn feed_stderr(&mut self, bytes: &[u8]) {
        let Self { stderr, errors, account, grammar, .. } = self;
        stderr.feed(bytes, |piece| grammar.read_error(account, errors, &piece));
    }

    /// What the live view shows now.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { last: self.account.activity(), usage: self.account.usage.clone() }
    }

    /// The attempt is over: what became of it.
    #[must_use]
    pub fn finish(mut self, ended: Ended) -> Verdict {
        let Self { stdout, stderr, account, grammar, errors, .. } = &mut self;
        stdout.finish(|piece| grammar.read(account, &piece));
        stderr.finish(|piece| grammar.read_error(account, errors, &piece));
        if let Grammar::Claude(claude) | Grammar::Qwen(claude) = grammar {
            claude.end(account);
        }
        verdict::judge(&self.profile, self.account, &self.errors, ended, &self.zone)
    }
}

impl Grammar {
    fn read_error(&self, account: &mut Account, errors: &mut Tail, piece: &Piece) {
        let Piece::Line { bytes, .. } = piece else { return };
        let line = String::from_utf8_lossy(bytes);
        if !(matches!(self, Self::Shell) && shell::announced(account, &line)) {
            errors.push(&line);
        }
    }

    fn read(&mut self, account: &mut Account, piece: &Piece) {
        let (bytes, complete) = match piece {
            Piece::Line { bytes, complete } => (*bytes, *complete),
            Piece::TooLong => {
                account.unread += 1;
                return;
            }
        };
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\r').unwrap_or(&text);
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        match self {
            Self::Plain | Self::Shell => plain::read(account, line),
            Self::Aider(aider) => aider.read(account, line),
            Self::Claude(claude) => {
                if let ControlFlow::Continue(()) = json(account, line, |account, event| {
                    claude.read(account, event);
                }) {
                    claude.text(account, line, complete);
                }
            }
            Self::Qwen(claude) => {
                let _ = json(account, line, |account, event| qwen::read(claude, account, event));
            }
            Self::Codex => {
                let _ = json(account, line, codex::read);
            }
            Self::Gemini(gemini) => {
                let _ = json(account, line, |account, event| gemini.read(account, event));
            }
            Self::Opencode(opencode) => {
                let _ = json(account, line, |account, event| opencode.read(account, event));
            }
        }
    }
}

/// Hands an event to its dialect; what is no event is kept as stray text. A list of events counts as each of
/// them: claude prints one for `--output-format json --verbose`.
fn json(
    account: &mut Account,
    line: &str,
    mut read: impl FnMut(&mut Account, &Value),
) -> ControlFlow<()> {
    let parsed = line.trim_start().starts_with(['{', '[']).then(|| serde_json::from_str(line).ok());
    match parsed.flatten() {
        Some(event @ Value::Object(_)) => read(account, &event),
        Some(Value::Array(events)) if events.iter().all(Value::is_object) => {
            for event in &events {
                read(account, event);
            }
        }
        _ => {
            account.stray.push(line);
            return ControlFlow::Continue(());
        }
    }
    ControlFlow::Break(())
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
