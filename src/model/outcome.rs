//! How an attempt ended, and why.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How the process of an attempt ended, as the kernel told the shim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code, when it exited.
    pub code: Option<i32>,
    /// The signal, when one ended it.
    pub signal: Option<i32>,
}

/// Why `orch` ended a process. Once this is set, what the agent says afterwards does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The step's time limit passed.
    Timeout,
    /// No output for the idle limit.
    IdleTimeout,
    /// A person asked.
    Cancelled,
    /// The supervisor was interrupted, or the attempt's shim died.
    Interrupted,
    /// The machine was about to run out of memory: it starts again later.
    OutOfMemory,
    /// Another task that began earlier changes the same lines: it goes on when that one has ended.
    Overlap,
}

/// What kind of failure it was: it decides whether a retry makes sense and what to suggest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// No or wrong credentials.
    Auth,
    /// Too many requests; may carry the time it lifts.
    RateLimited,
    /// The model's service is overloaded or failing (500, 529).
    Overloaded,
    /// Usage limit or credit exhausted; may carry the time it lifts.
    Quota,
    /// The conversation no longer fits the model.
    ContextTooLong,
    /// The agent's own limit of turns or money was reached.
    MaxTurns,
    /// A tool the agent needed was denied.
    PermissionDenied,
    /// The model declined the request.
    Refused,
    /// The agent's command could not be started, or refused its arguments.
    BadCommand,
    /// The agent ended by itself with an error.
    Crashed,
    /// A signal that `orch` did not send ended it.
    Killed,
    /// The session that it was to go on with is gone.
    SessionGone,
    /// It exited without the terminal event that proves completion.
    NoResult,
    /// It said it was done and nothing in the worktree shows it.
    NoChanges,
    /// A verification command failed.
    VerifyFailed,
    /// A set-up command failed.
    SetupFailed,
    /// It ran longer than it may.
    Timeout,
    /// No output for longer than it may.
    Idle,
    /// A person asked for it to stop.
    Cancelled,
    /// The supervisor or the shim died under it.
    Interrupted,
    /// Its prerequisites' work cannot be merged, so it has no base to start from.
    Conflict,
    /// Something wrote into the user's own checkout during the attempt.
    EscapedWorktree,
    /// Git refused: the message says what.
    Git,
    /// Its worktree, or what ties that to the repository, was removed before its work was committed.
    WorktreeGone,
    /// The program itself failed (disk full, permission, a bug).
    Internal,
    /// It was not started, because it might have cost more than it may.
    Budget,
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The serialised name is the displayed name; serialising a unit variant cannot fail.
        let name = serde_json::to_value(self).ok();
        f.pad(name.as_ref().and_then(|v| v.as_str()).unwrap_or("failure"))
    }
}

/// A failure as a person sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub class: FailureClass,
    /// What happened, one line, in lower case.
    pub message: String,
    /// What to do about it, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// For `rate_limited` and `quota`: when the limit lifts, if the agent said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<super::Timestamp>,
    /// Where it happened and what the machine looked like then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Box<FailureContext>>,
}

/// The circumstances of a failure. What could not be read is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FailureContext {
    /// The phase of the step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<super::Phase>,
    /// Bytes of memory that programs could still get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_memory_bytes: Option<u64>,
    /// Bytes free on the disk of the worktrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_disk_bytes: Option<u64>,
    /// Processes that wanted to run, averaged over the last minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Processes of the run at that time, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<u32>,
    /// The readings are not of that time, but of when a later supervisor found it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found_later: bool,
}

impl Failure {
    /// A failure without a suggestion.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { class, message, suggestion: None, retry_at: None, context: None }
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// Tokens as the agent counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Prompt tokens that were not cached.
    pub input: u64,
    /// Generated tokens.
    pub output: u64,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: u64,
}

/// What an agent said of itself: session, money, tokens, turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The session (thread) id that can be continued later.
    pub session: Option<String>,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// Tokens.
    pub tokens: Tokens,
    /// Turns of the conversation.
    pub turns: Option<u64>,
}

/// Something of which a machine has only so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Room on the disks that hold the worktrees and the journal.
    Disk,
    /// Memory.
    Memory,
}

/// What the processes of an attempt took of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceUse {
    /// Bytes that they held together, at the most.
    pub peak_memory_bytes: u64,
    /// Seconds of CPU time, user and system.
    pub cpu_seconds: f64,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Ending {
    /// Done, with evidence.
    Succeeded,
    /// Not done.
    Failed {
        /// Why.
        failure: Failure,
    },
}

impl Ending {
    /// The failure, if it is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Succeeded => None,
            Self::Failed { failure } => Some(failure),
        }
    }

    /// One word: `succeeded`, or the class of the failure.
    #[must_use]
    pub fn outcome(&self) -> String {
        self.failure().map_or_else(|| "succeeded".to_owned(), |failure| failure.class.to_string())
    }
}

/// Everything that is recorded when an attempt ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptEnd {
    /// How it ended.
    pub ending: Ending,
    /// The process's exit, for steps that run one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// What the agent said of itself.
    #[serde(default)]
    pub usage: Usage,
    /// The commit the task's branch points to afterwards, for steps that commit or branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Paths that differ from the task's base afterwards, for steps that commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_changed: Option<Vec<String>>,
    /// One line for a person: the agent's closing words, or what the step did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What its processes took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceUse>,
    /// When its process ended, where that was told: long before the end is recorded, if no supervisor lived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<super::Timestamp>,
    /// Milliseconds that its process lived, by a clock that nobody sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
}

impl AttemptEnd {
    /// An end with nothing to add.
    #[must_use]
    pub fn of(ending: Ending) -> Self {
        Self {
            ending,
            exit: None,
            usage: Usage::default(),
            commit: None,
            files_changed: None,
            note: None,
            resources: None,
            finished_at: None,
            wall_ms: None,
        }
    }

    /// A failed end.
    #[must_use]
    pub fn failed(failure: Failure) -> Self {
        Self::of(Ending::Failed { failure })
    }
}
