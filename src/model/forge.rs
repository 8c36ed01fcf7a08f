//! What a run has on its forge, and what is about to be asked of it.

use super::{Ending, TaskId, Usage};
use serde::{Deserialize, Serialize};

/// An issue or a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number in the repository.
    pub number: u64,
    /// Its page.
    pub url: String,
}

/// Something that is about to be asked of the forge, and that changes something there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum ForgeWork {
    /// An issue.
    OpenIssue {
        /// Of this task; `None`: the one of the run.
        task: Option<TaskId>,
    },
    /// The text of an issue.
    EditIssue {
        /// Which.
        number: u64,
    },
    /// A branch of the remote is moved.
    Push {
        /// The branch.
        branch: String,
        /// To this commit.
        commit: String,
    },
    /// A pull request.
    OpenPull {
        /// From this branch.
        branch: String,
        /// The tasks whose work it is.
        tasks: Vec<TaskId>,
    },
    /// Title and text of a pull request.
    EditPull {
        /// Which.
        number: u64,
    },
    /// A draft becomes ready.
    ReadyPull {
        /// Which.
        number: u64,
    },
    /// What is new on the branch that it goes to is merged into its own.
    UpdateBranch {
        /// Which.
        number: u64,
        /// What it points to before.
        head: String,
    },
    /// It is merged.
    MergePull {
        /// Which.
        number: u64,
        /// What is merged.
        head: String,
    },
    /// The forge is told to merge it when it may.
    QueuePull {
        /// Which.
        number: u64,
        /// What is to be merged.
        head: String,
    },
    /// It is closed unmerged.
    ClosePull {
        /// Which.
        number: u64,
    },
    /// An issue about a run that failed.
    ReportIssue,
    /// What people said on a pull request is answered.
    Answer {
        /// Which.
        number: u64,
        /// What is answered, as in [`FollowUp::about`].
        to: Vec<String>,
    },
    /// A thread of remarks is closed.
    ResolveThread {
        /// Of this pull request.
        number: u64,
        /// The thread.
        thread: String,
    },
}

/// Why the agent of a task that is done is asked for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowUpKind {
    /// People asked for changes of its pull request.
    Address,
    /// Checks of its pull request failed.
    Fix,
}

impl FollowUpKind {
    /// What it is called where the steps of a task are.
    #[must_use]
    pub fn step(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Fix => "fix",
        }
    }
}

/// An agent is about to be asked for more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowUp {
    /// Whose work it is about.
    pub task: TaskId,
    /// Why.
    pub kind: FollowUpKind,
    /// Which attempt of its kind, from 1.
    pub number: u32,
    /// The pull request.
    pub pull: u64,
    /// The agent.
    pub agent: String,
    /// Its session that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Where the task's branch is.
    pub start: String,
    /// What it is about: remarks (`remark:7`, `review:7`, `comment:7`) or checks, by their names.
    pub about: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FollowUpEnd {
    /// Whose.
    pub task: TaskId,
    /// The agent, and the verification of what it did.
    pub ending: Ending,
    /// Where the task's branch is, if it moved.
    pub commit: Option<String>,
    /// The agent's closing words, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Which attempt of `follow-up-verify` verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<u32>,
    /// What the agent used.
    #[serde(default)]
    pub usage: Usage,
}

impl ForgeWork {
    /// Whether doing it twice would leave two of something.
    #[must_use]
    pub fn creates(&self) -> bool {
        matches!(
            self,
            Self::OpenIssue { .. }
                | Self::OpenPull { .. }
                | Self::ReportIssue
                | Self::Answer { .. }
        )
    }
}

/// Whether a pull request is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullStanding {
    /// It is.
    Open,
    /// The forge was told to merge it when it may.
    Queued,
    /// It is merged.
    Merged,
    /// It was closed unmerged.
    Closed,
}
