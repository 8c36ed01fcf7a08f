//! Two tasks, or a task and the branch it lands on, that changed the same files.

use super::Timestamp;
use serde::{Deserialize, Serialize};

/// A file that both sides changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlapPath {
    /// From the repository's root.
    pub path: String,
    /// Whether git could not merge it; otherwise both changed it, in different places.
    pub conflict: bool,
    /// Where it conflicts, first and last line from 1, as the task has the file. Empty where there are no
    /// lines to speak of: a binary file, or one that a side removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<(u32, u32)>,
    /// The same, as the other side has the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_lines: Vec<(u32, u32)>,
}

/// What happens when two tasks that run side by side turn out to change the same lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnOverlap {
    /// A person is told.
    #[default]
    Warn,
    /// The agent of the task that began later is stopped, and goes on when the other task has ended.
    Pause,
    /// Both finish; `orch merge` lands first what conflicts with least.
    Order,
}

/// An overlap at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlapView {
    /// The task's name.
    pub task: String,
    /// The other task's name; `None`: the branch that the work lands on.
    pub with: Option<String>,
    /// That branch, where it is the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Whether something in it does not merge.
    pub conflict: bool,
    /// Whether the task waits for the other one to end, or the other one for it: the name of who waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// The files, those that conflict first; the first twenty.
    pub paths: Vec<OverlapPath>,
    /// How many files there are.
    pub path_count: u64,
    /// When it was found, as it is now.
    pub since: Timestamp,
}
