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

/// A kind of evidence that a task touches a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// The front matter says so.
    Declared,
    /// Named beside a verb of writing.
    Verb,
    /// Named under a heading or behind a label such as "Affected code".
    Heading,
    /// Named without a verb.
    Named,
    /// Named in a fenced block.
    Code,
    /// Named as something to look at.
    Read,
    /// Named as something to leave alone.
    Not,
    /// One of several files of the name that is used.
    OneOf,
    /// Said to be new.
    Created,
    /// It lies in a directory, or matches a glob, that is named.
    Place,
    /// It defines something that is named.
    Symbol,
    /// The history changes it together with other targets.
    Coupled,
    /// It is the test of a target, or what a test among the targets tests.
    Test,
    /// It lists the files of its directory, of which one will be created.
    Registry,
    /// Its path has words of the prompt.
    Words,
    /// Earlier changes that were described alike changed it.
    Past,
    /// Others are named, and it is not.
    Others,
}

/// What in a prompt, or in the history of the repository, speaks for a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Line in the prompt file, from 1. Of what the history says: the line it was concluded from.
    pub line: u32,
    /// The line, trimmed, at most 120 characters; or what was concluded from it, in words.
    pub text: String,
    /// The kind of evidence, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Factor>,
}

/// A change of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastChange {
    /// What its author said, perhaps shortened.
    pub message: String,
    /// The ids of the tasks whose work it is, where it says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// The paths it created, changed or removed.
    pub paths: Vec<String>,
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
