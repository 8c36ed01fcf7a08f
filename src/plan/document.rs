//! The plan as it is printed and as the scheduler reads it: `orch.plan/1`.

use super::hot::HotFile;
use super::input::{PlanInput, Risk};
use crate::model::{Complexity, DependencyKind, Target, WorkType};
use serde::Serialize;

/// The name and version of the JSON form.
pub const SCHEMA: &str = "orch.plan/1";

/// What will run, in which order, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The commit everything starts from.
    pub base: String,
    /// In input order.
    pub tasks: Vec<PlanTask>,
    /// Sorted by their tasks' place in the input.
    pub conflicts: Vec<Conflict>,
    /// What can run side by side, wave after wave; skipped tasks left out.
    pub waves: Vec<Vec<String>>,
    /// Every ready task once: independent ones, those of one area, those in sequence.
    pub groups: Vec<Group>,
    /// Files that several tasks write and that every change adds to.
    pub hot_files: Vec<HotFile>,
    /// Which prompts were split, into what, or why not; empty where nobody asked for it.
    pub decompositions: Vec<Decomposition>,
    /// The chain of tasks that takes longest by estimate.
    pub critical_path: Vec<String>,
    /// Durations.
    pub estimate: Estimate,
    /// Tasks wave by wave, as indices of `tasks`.
    #[serde(skip)]
    pub(super) start_order: Vec<usize>,
    /// Tasks with the longest chain behind them first, as indices of `tasks`.
    #[serde(skip)]
    pub(super) smart_order: Vec<usize>,
}

/// One task of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanTask {
    /// Its name.
    pub name: String,
    /// Its prompt file.
    pub prompt: String,
    /// One line.
    pub title: String,
    /// Whether it will run.
    pub state: PlanTaskState,
    /// Why not.
    pub skip_reason: Option<String>,
    /// Type.
    #[serde(rename = "type")]
    pub work_type: WorkType,
    /// Size.
    pub complexity: Complexity,
    /// Higher goes first.
    pub priority: i64,
    /// What it touches.
    pub targets: Vec<Target>,
    /// The packages that hold what it writes, and those that need them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// What must end before it starts: declared dependencies first, nothing that another implies.
    pub depends_on: Vec<PlanDependency>,
    /// What it declares a dependency on that is done already.
    pub satisfied: Vec<String>,
    /// Seconds; 0 for a skipped task.
    pub estimate_seconds: f64,
    /// The quarter of tasks like it that was fastest took less than this, seconds; absent without
    /// history.
    pub estimate_low_seconds: Option<f64>,
    /// The quarter that was slowest took longer than this, seconds.
    pub estimate_high_seconds: Option<f64>,
    /// What the estimate is made from. One line.
    pub estimate_from: String,
    /// The agent that will run it.
    pub agent: String,
    /// Why its type and its complexity are what they are.
    pub reasons: Vec<String>,
    /// Why somebody should find out more before it starts.
    pub research: Option<String>,
    /// What may go wrong.
    pub risks: Vec<Risk>,
    /// What is worth knowing and too weak to be a conflict.
    pub notes: Vec<Note>,
    /// The prompt that it is a part of.
    pub part_of: Option<String>,
}

/// Something worth knowing about a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    /// The kind of conflict it would be, were it surer.
    pub kind: Option<ConflictKind>,
    /// The other task.
    pub task: Option<String>,
    /// 0 to 1.
    pub confidence: Option<f64>,
    /// One line.
    pub text: String,
}

/// Tasks that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What ties them.
    pub kind: GroupKind,
    /// The area, for [`GroupKind::Domain`].
    pub domain: Option<String>,
    /// Their names.
    pub tasks: Vec<String>,
}

/// What ties the tasks of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Nothing: each may run at any time.
    Independent,
    /// The same area, different files: side by side, and worth one pair of eyes.
    Domain,
    /// Some wait for others.
    Sequential,
}

/// What became of the wish to split a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decomposition {
    /// The prompt's name.
    pub task: String,
    /// `auto`, or `agent:NAME`.
    pub by: String,
    /// The tasks it became; empty where it stayed one.
    pub into: Vec<String>,
    /// Why, or why not. One line.
    pub reason: String,
}

/// Whether a task will run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanTaskState {
    /// It will.
    Ready,
    /// It is done already.
    Skipped,
}

impl PlanTaskState {
    pub(super) fn of(input: &PlanInput) -> Self {
        if input.skip_reason.is_some() { Self::Skipped } else { Self::Ready }
    }
}

/// Why one task waits for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanDependency {
    /// What comes first.
    pub task: String,
    /// What ties them.
    pub kind: DependencyKind,
    /// One line.
    pub reason: String,
}

/// Two tasks that touch the same paths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conflict {
    /// In input order.
    pub tasks: [String; 2],
    /// How they touch them.
    pub kind: ConflictKind,
    /// Paths or globs, sorted; the first hundred.
    pub paths: Vec<String>,
    /// How many paths there are.
    pub path_count: usize,
    /// 0 to 1.
    pub confidence: f64,
    /// Whether the two are kept from running at the same time because of it.
    pub orders: bool,
    /// One line.
    pub reason: String,
    /// Why it orders nothing though it is sure enough.
    pub hint: Option<String>,
}

/// How two tasks touch the same paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// Both write them.
    WriteWrite,
    /// One writes what the other reads.
    WriteRead,
    /// One writes what the other's files import.
    Import,
}

/// How long it will take, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// One task after another.
    pub sequential_seconds: f64,
    /// With `jobs` tasks at a time.
    pub parallel_seconds: f64,
    /// 0 for as many as there are.
    pub jobs: u32,
    /// How much sooner than one after another; 1 for an empty plan.
    pub speed_up: f64,
    /// `parallel_seconds` with every task as fast as the fastest quarter of its like; absent without
    /// history.
    pub low_seconds: Option<f64>,
    /// `parallel_seconds` with every task as slow as the slowest quarter of its like.
    pub high_seconds: Option<f64>,
}

impl Plan {
    /// A task by its name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&PlanTask> {
        self.tasks.iter().find(|task| task.name == name)
    }

    /// The tasks that will run, in the order in which they should be started when several could be:
    /// wave by wave and in input order, or with `smart` the one with the longest chain of work
    /// behind it first.
    pub fn start_order(&self, smart: bool) -> impl Iterator<Item = &PlanTask> {
        let order = if smart { &self.smart_order } else { &self.start_order };
        order.iter().map(|&task| &self.tasks[task])
    }

    /// The conflicts that keep tasks from running at the same time: what `--conflict-check` refuses.
    pub fn ordering_conflicts(&self) -> impl Iterator<Item = &Conflict> {
        self.conflicts.iter().filter(|conflict| conflict.orders)
    }
}
