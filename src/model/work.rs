//! What a task is about: the files it will touch, its type, its size.

use serde::{Deserialize, Serialize};

/// What a task does to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Looks at it.
    Read,
    /// Creates, changes or removes it.
    Write,
}

/// The words of a prompt that name a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Line in the prompt file, from 1.
    pub line: u32,
    /// The line, trimmed, at most 120 characters.
    pub text: String,
}

/// A path a task is expected to touch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// What the task does to it.
    pub access: Access,
    /// 0 to 1.
    pub confidence: f64,
    /// Why.
    pub evidence: Vec<Evidence>,
}

/// The type of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkType {
    /// Something new.
    Feature,
    /// Something broken.
    Bugfix,
    /// Tests.
    Test,
    /// Documentation.
    Docs,
    /// The same, better arranged.
    Refactor,
    /// The same, faster.
    Performance,
    /// Finding out.
    Research,
    /// Builds, CI, deployment.
    Devops,
    /// Vulnerabilities and hardening.
    Security,
    /// None of them for sure.
    #[default]
    General,
}

/// The size of a task.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Complexity {
    /// One or two files.
    #[default]
    Low,
    /// A few files.
    Medium,
    /// Many files or several areas.
    High,
    /// Across the whole tree.
    Critical,
}
