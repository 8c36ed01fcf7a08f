//! What a plan is made from.

use super::estimate::History;
use super::hot::HotFacts;
use crate::model::{Complexity, Target, Thresholds, WorkType};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A dependency as a prompt declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// The name of the prompt that comes first.
    pub name: String,
    /// Where it says so, from 1.
    pub line: Option<u32>,
    /// The words that say so, one line.
    pub words: Option<String>,
}

/// A file that one of a task's targets imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The imported file.
    pub path: String,
    /// The target that imports it.
    pub by: String,
    /// The line of `by` that says so, from 1.
    pub line: u32,
}

/// Something that may go wrong with a task, or that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// A word for it, such as `deletes` or `public_api`.
    pub kind: String,
    /// One line.
    pub reason: String,
}

/// One prompt, read and analysed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanInput {
    /// Its name, unique in the plan.
    pub name: String,
    /// Its file as the user gave it.
    pub prompt: String,
    /// One line.
    pub title: String,
    /// Why there is nothing to do, when there is not.
    pub skip_reason: Option<String>,
    /// What it says must come first.
    pub declared: Vec<Declared>,
    /// Higher goes first where two cannot run together; 0 when nothing is said.
    pub priority: i64,
    /// The agent that will run it.
    pub agent: String,
    /// The area of work, where the prompt names one.
    pub domain: Option<String>,
    /// What it touches; one per path.
    pub targets: Vec<Target>,
    /// Files that it may write as well, each too unlikely to be a target.
    pub possible: Vec<Target>,
    /// Globs it covers, each with a glob in `path`. One that is also a target has not been
    /// replaced by the files it matches.
    pub scopes: Vec<Target>,
    /// What its targets import.
    pub imports: Vec<Import>,
    /// The packages that hold what it writes, and those that need them; names, sorted.
    pub packages: Vec<String>,
    /// Targets that do not exist yet.
    pub creates: BTreeSet<String>,
    /// Type.
    pub work_type: WorkType,
    /// Size.
    pub complexity: Complexity,
    /// Why its type and its size are what they are.
    pub reasons: Vec<String>,
    /// Why somebody should find out more before it starts, where that is so.
    pub research: Option<String>,
    /// What may go wrong.
    pub risks: Vec<Risk>,
    /// What the plan should say about it.
    pub remarks: Vec<String>,
    /// The prompt it is a part of.
    pub part_of: Option<String>,
}

/// How a plan is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanOptions {
    /// Globs of paths that never make a conflict.
    pub ignore: Vec<String>,
    /// From which confidence a conflict is reported and from which it orders its tasks.
    pub thresholds: Thresholds,
    /// How many tasks run at the same time, for the estimate; 0 for as many as there are.
    pub jobs: u32,
    /// How long tasks took before.
    pub history: History,
    /// What is known of files that more than one task writes, by path; see
    /// [`contested`](super::contested).
    pub hot: BTreeMap<String, HotFacts>,
}
