//! What a run has on its forge, and what is about to be asked of it.

use super::TaskId;
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
}

impl ForgeWork {
    /// Whether doing it twice would leave two of something.
    #[must_use]
    pub fn creates(&self) -> bool {
        matches!(self, Self::OpenIssue { .. } | Self::OpenPull { .. } | Self::ReportIssue)
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
