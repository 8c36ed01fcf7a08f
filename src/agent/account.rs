//! What an agent's output has said so far, whatever its dialect.

use super::tail::Tail;
use crate::model::{FailureClass, Usage};

/// How many denials are kept; an agent that tries on and on must not fill the memory.
const DENIALS_KEPT: usize = 20;

/// Real session ids are UUIDs or about as long.
const SESSION_LONGEST: usize = 128;

/// What one reader has learnt.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// The current activity, one line.
    pub(super) last: Option<String>,
    /// As counted by the agent.
    pub(super) usage: Usage,
    /// Its closing words, one line.
    pub(super) note: Option<String>,
    /// Tools it was denied, one line each.
    pub(super) denials: Vec<String>,
    /// What it says of its own end.
    pub(super) claim: Claim,
    /// The last error that was not the end, such as a retry; forgotten when work goes on.
    pub(super) trouble: Option<Trouble>,
    /// When a limit lifts, if an event carried it.
    pub(super) lifts: Option<Lifts>,
    /// The working directory the agent named: it is cut off paths shown.
    pub(super) folder: Option<String>,
    /// For the shell agent: the block that runs.
    pub(super) place: Option<String>,
    /// Lines on standard output that are not of the dialect.
    pub(super) stray: Tail,
    /// Lines longer than the cap, which were not read.
    pub(super) unread: u64,
}

/// What an agent says of its own end.
#[derive(Debug, Default)]
pub(super) enum Claim {
    /// Nothing yet.
    #[default]
    Nothing,
    /// The dialect says nothing: the exit code does.
    ByExit,
    /// The terminal event of a success.
    Done,
    /// The terminal event of a failure.
    Failed(Trouble),
}

/// An error in the agent's words.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// Its kind, where the event itself tells.
    pub(super) class: Option<FailureClass>,
    /// The agent's words, at most a few kilobytes.
    pub(super) message: String,
}

impl Trouble {
    pub(super) fn new(class: Option<FailureClass>, message: &str) -> Self {
        Self { class, message: super::phrase::shorten(message, super::phrase::READ).to_owned() }
    }
}

/// When a limit lifts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Lifts {
    /// Milliseconds since the Unix epoch.
    At(i64),
    /// Seconds from now.
    In(f64),
}

impl Account {
    /// The current activity, one line; the last line of text where no event tells one.
    pub(super) fn activity(&self) -> Option<String> {
        self.last.clone().or_else(|| self.stray.last(1).next().map(super::phrase::one_line))
    }

    /// Remembers the session, if it is a name that can safely be given back to the agent as an argument.
    pub(super) fn session(&mut self, id: Option<&str>) {
        let fits = |id: &&str| {
            (1..=SESSION_LONGEST).contains(&id.len())
                && !id.starts_with('-')
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
        };
        if let Some(id) = id.filter(fits) {
            self.usage.session = Some(id.to_owned());
        }
    }

    /// Remembers a denied tool once.
    pub(super) fn deny(&mut self, what: String) {
        if self.denials.len() < DENIALS_KEPT && !self.denials.contains(&what) {
            self.denials.push(what);
        }
    }

    /// Work goes on: earlier trouble is over.
    pub(super) fn goes_on(&mut self, activity: impl Into<Option<String>>) {
        self.trouble = None;
        if let Some(activity) = activity.into().filter(|activity| !activity.is_empty()) {
            self.last = Some(activity);
        }
    }

    /// The agent's words, which may be its last.
    pub(super) fn says(&mut self, text: &str) {
        let line = super::phrase::one_line(text);
        if !line.is_empty() {
            self.note = Some(line.clone());
        }
        self.goes_on(line);
    }

    /// An error that is not (yet) the end.
    pub(super) fn troubled(&mut self, class: Option<FailureClass>, message: &str) {
        self.last = Some(super::phrase::one_line(message));
        self.trouble = Some(Trouble::new(class, message));
    }
}
