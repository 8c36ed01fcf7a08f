//! What a plan is made from.

use crate::model::{Complexity, Target, WorkType};
use std::collections::HashMap;

/// A dependency as a prompt declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The name of the prompt that comes first.
    pub name: String,
    /// Where it says so, from 1.
    pub line: Option<u32>,
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
    /// What it touches; one per path.
    pub targets: Vec<Target>,
    /// Files that it may write as well, each too unlikely to be a target.
    pub possible: Vec<Target>,
    /// Globs it covers, each with a glob in `path`. One that is also a target has not been
    /// replaced by the files it matches.
    pub scopes: Vec<Target>,
    /// Type.
    pub work_type: WorkType,
    /// Size.
    pub complexity: Complexity,
}

/// How a plan is made.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanOptions {
    /// Globs of paths that never make a conflict.
    pub ignore: Vec<String>,
    /// Confidence, 0 to 1, from which a write-write conflict orders its tasks.
    pub order_from: f64,
    /// Confidence, 0 to 1, from which a write-read conflict orders its tasks, the writer first.
    pub order_reads_from: f64,
    /// Confidence, 0 to 1, from which a write-write conflict is reported.
    pub report_from: f64,
    /// Confidence, 0 to 1, from which a write-read conflict is reported.
    pub report_reads_from: f64,
    /// How many tasks run at the same time, for the estimate; 0 for as many as there are.
    pub jobs: u32,
    /// Seconds that tasks of a type and size took before, where that is known.
    pub history: HashMap<(WorkType, Complexity), f64>,
}

impl Default for PlanOptions {
    /// The thresholds: two bare mentions of a file (0.7 each) make a conflict that orders; a file that
    /// is probably one of several does not. Reading is isolated by the worktree, so it orders only where
    /// both sides say so in their front matter, and is reported only where both are near certain.
    fn default() -> Self {
        Self {
            ignore: Vec::new(),
            order_from: 0.45,
            order_reads_from: 0.999,
            report_from: 0.25,
            report_reads_from: 0.9,
            jobs: 0,
            history: HashMap::new(),
        }
    }
}
