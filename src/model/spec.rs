//! What a run was asked to do: fixed when the run is created, never changed afterwards.

use super::steps::{self, Steps};
use super::{AgentProfile, Complexity, Policy, RunId, StepId, TaskId, WorkType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A run: an ordered list of tasks and the limits they run under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// The run.
    pub id: RunId,
    /// The commit every task without prerequisites starts from.
    pub base: String,
    /// The branch that was checked out (or named with `--into`), where finished work lands.
    /// `None` for a detached HEAD.
    pub target: Option<String>,
    /// How many processes may run at the same time; at least 1.
    pub jobs: u32,
    /// With `false`, a task ends before the next begins (`execute` without `--parallel`).
    pub parallel: bool,
    /// What happens to finished work.
    pub merge: MergeMode,
    /// Verification commands of the whole run, for merging.
    pub verify: Vec<String>,
    /// From SIGTERM to SIGKILL, milliseconds.
    pub grace_ms: u64,
    /// Cap of one attempt's log, bytes: head and tail are kept.
    pub log_cap: u64,
    /// Estimated sum of all tasks, seconds.
    pub estimate_seconds: Option<f64>,
    /// In plan order.
    #[serde(deserialize_with = "steps::linked")]
    pub tasks: Vec<TaskSpec>,
    /// The agents the tasks name and their fallbacks, as they were configured then.
    pub agents: BTreeMap<String, AgentProfile>,
    /// When it waits, falls back or stops.
    #[serde(default)]
    pub policy: Policy,
    /// Estimated time from beginning to end, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_parallel_seconds: Option<f64>,
    /// Pairs of tasks that the plan expected to touch the same files, whether ordered or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<PlannedConflict>,
}

impl RunSpec {
    /// The same to be stored: what many tasks have in common is there once. It is read like any other.
    #[must_use]
    pub fn brief(&self) -> Self {
        Self { tasks: steps::brief(&self.tasks), ..self.clone() }
    }
}

/// Two tasks that were expected to touch the same files.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedConflict {
    /// Their positions in the run's list of tasks.
    pub tasks: (u32, u32),
    /// 0 to 1.
    pub confidence: f64,
}

/// A path that a task was expected to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedWrite {
    /// From the repository's root, with `/`.
    pub path: String,
    /// 0 to 1.
    pub confidence: f64,
}

/// What happens to finished work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeMode {
    /// It stays on its branches.
    #[default]
    None,
    /// It is merged locally when the run ends.
    Local,
    /// A pull request is opened.
    Pr,
}

/// One task of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The task.
    pub id: TaskId,
    /// The prompt's file name without `.md`, or its `id`.
    pub name: String,
    /// The prompt's path as the user gave it.
    pub prompt: String,
    /// One line.
    pub title: String,
    /// `orch/SLUG-xxxx`.
    pub branch: String,
    /// Worktree from the repository's root: `.worktrees/TASK-ID`.
    pub worktree: String,
    /// The agent's name.
    pub agent: String,
    /// The model, when the prompt names one.
    pub model: Option<String>,
    /// The role, when the prompt or the workflow names one.
    pub role: Option<String>,
    /// The name of the workflow it runs.
    pub workflow: String,
    /// Type and size, as the plan saw them.
    pub work_type: WorkType,
    /// Size.
    pub complexity: Complexity,
    /// What must come before, and why.
    pub depends_on: Vec<Dependency>,
    /// Paths the plan expects it to write, for the prompt and the summary.
    pub writes: Vec<String>,
    /// The same with how sure it is, and more of them: what is compared with what it did change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<PlannedWrite>,
    /// Set when the prompt is already done: the task has no steps and is never started.
    pub skip: Option<String>,
    /// In the workflow's order.
    pub steps: Steps,
}

/// Why one task waits for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The task that comes first.
    pub task: TaskId,
    /// What ties them.
    pub kind: DependencyKind,
    /// One line.
    pub reason: String,
}

/// What ties two tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyKind {
    /// The prompt says so: without the first, the second never starts.
    Declared,
    /// Both touch the same files: the first goes first, and if it fails the second still runs.
    Conflict,
    /// The second's files import the first's: ordered like a conflict.
    Import,
}

impl DependencyKind {
    /// Whether the dependent must not start unless the prerequisite succeeded.
    #[must_use]
    pub fn needs_success(self) -> bool {
        self == Self::Declared
    }
}

/// The phases every workflow accounts for (G13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Worktree and environment.
    Setup,
    /// An issue on the forge.
    IssueCreation,
    /// The task's branch.
    BranchCreation,
    /// The work.
    Implementation,
    /// Verification.
    Testing,
    /// Documentation.
    Documentation,
    /// A pull request.
    PrCreation,
    /// Review.
    Review,
}

/// One step of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    /// Its id within the workflow.
    pub id: StepId,
    /// The phase it belongs to.
    pub phase: Phase,
    /// What it does.
    pub kind: StepKind,
    /// Steps that must have ended well (or been skipped) before.
    pub needs: Vec<StepId>,
    /// Set when it cannot apply: it is skipped for this reason.
    pub skip: Option<String>,
    /// Limit of one attempt, milliseconds.
    pub timeout_ms: Option<u64>,
    /// Limit of silence, milliseconds.
    pub idle_timeout_ms: Option<u64>,
    /// How many times a failure is tried again.
    pub retries: u32,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum StepKind {
    /// Runs the task's agent with a generated prompt.
    Agent,
    /// Runs commands with `sh -c`, one after another, in the worktree; the first failure ends it.
    Commands {
        /// Shell commands.
        run: Vec<String>,
    },
    /// Done by the supervisor itself.
    BuiltIn {
        /// Which one.
        action: BuiltIn,
    },
}

impl StepSpec {
    /// Whether the step begins something: a process, or a worktree. What is done is committed whatever
    /// keeps new work from starting.
    #[must_use]
    pub fn takes_something_new(&self) -> bool {
        self.kind.is_process() || self.kind == StepKind::BuiltIn { action: BuiltIn::Branch }
    }
}

impl StepKind {
    /// Whether the step occupies one of the run's job slots.
    #[must_use]
    pub fn is_process(&self) -> bool {
        !matches!(self, Self::BuiltIn { .. })
    }
}

/// Steps that need no process of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltIn {
    /// Creates the branch and the worktree.
    Branch,
    /// Commits what is uncommitted and lists what changed.
    Commit,
    /// An issue on the forge.
    Issue,
    /// A pull request on the forge.
    PullRequest,
    /// An entry in the change log.
    Changelog,
    /// A review by another agent or a person.
    Review,
}

/// The state of a task, derived from its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Ready, waiting for a slot.
    Queued,
    /// Waiting for another task.
    Blocked,
    /// Branch, worktree, environment.
    Preparing,
    /// The agent is at work.
    Running,
    /// Verification commands run.
    Verifying,
    /// Done, with evidence.
    Succeeded,
    /// Not done.
    Failed,
    /// Stopped for taking too long.
    TimedOut,
    /// Stopped by a person.
    Cancelled,
    /// Nothing to do.
    Skipped,
    /// Its prerequisites or its landing conflict.
    Conflicted,
    /// Refused before it started.
    GovernanceViolation,
    /// The supervisor or shim died; `orch resume` goes on.
    Interrupted,
    /// Landed on the target branch.
    Merged,
}

impl TaskState {
    /// Whether nothing more happens without a person's doing.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Queued | Self::Blocked | Self::Preparing | Self::Running | Self::Verifying
        )
    }

    /// Whether what was asked for was done.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped | Self::Merged)
    }
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A supervisor is at work (or died: then `interrupted` is shown).
    Running,
    /// A person paused it.
    Paused,
    /// Every task did what was asked.
    Succeeded,
    /// At least one did not.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// The supervisor ended before the run did.
    Interrupted,
}

macro_rules! shown_as_serialised {
    ($($name:ty),*) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let name = serde_json::to_value(self).ok();
                f.pad(name.as_ref().and_then(|v| v.as_str()).unwrap_or("?"))
            }
        }
    )*};
}
shown_as_serialised!(TaskState, RunState, Phase, DependencyKind, WorkType, Complexity, MergeMode);
