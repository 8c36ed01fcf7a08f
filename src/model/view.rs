//! What `orch status --json` shows: the shape that scripts rely on (`orch.status/1`). The journal
//! keeps these beside the events, so that a status never replays a history.

use super::{
    Exit, Failure, OverlapView, ResourceUse, RunId, RunState, TaskId, TaskState, Timestamp, Tokens,
};
use serde::{Deserialize, Serialize};

/// A run at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// The run.
    pub id: RunId,
    /// Its state.
    pub state: RunState,
    /// When it was created.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Seconds that a supervisor worked on it: the time between an interruption and its resumption,
    /// or before a retry, does not count.
    #[serde(default)]
    pub active_seconds: f64,
    /// The commit it started from.
    pub base: String,
    /// The branch its work lands on.
    pub target: Option<String>,
    /// Processes at a time.
    pub jobs: u32,
    /// Who works on it.
    pub supervisor: SupervisorView,
    /// Its circuit breakers; the closed ones too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakers: Vec<BreakerView>,
    /// What was spent of what may be spent, where there is a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetView>,
    /// Why fewer processes run at the same time than was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited: Option<String>,
    /// Files that tasks, or a task and the branch it lands on, have both changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlaps: Vec<OverlapView>,
}

/// Whether something is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Everything is.
    Closed,
    /// Nothing is.
    Open,
    /// One attempt is, to see whether it works again.
    HalfOpen,
}

/// A circuit breaker at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakerView {
    /// `agent:NAME`, `execution`, `github`, `disk` or `memory`.
    pub name: String,
    /// Its state when it was recorded; see [`BreakerView::state_at`].
    pub state: BreakerState,
    /// Failures in a row.
    pub failures: u32,
    /// When the next attempt is let through; `None` for one that is closed, or that opens when a
    /// person asks or the machine has recovered.
    pub retry_at: Option<Timestamp>,
    /// What opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl BreakerView {
    /// Its state at a time: one that is open lets an attempt through when its time has come.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> BreakerState {
        match (self.state, self.retry_at) {
            (BreakerState::Open, Some(at)) if at <= now => BreakerState::HalfOpen,
            (state, _) => state,
        }
    }
}

/// Money, US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetView {
    /// Spent, as far as the agents say; an attempt that was stopped before it said is charged as the
    /// dearest one of its agent.
    pub spent_usd: f64,
    /// The most that may be.
    pub max_usd: f64,
}

/// The process that works on a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SupervisorView {
    /// Its process id.
    pub pid: Option<u32>,
    /// Whether it lives, as far as its lock tells.
    pub alive: bool,
}

/// A task at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// The task.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// Its prompt's path as given.
    pub prompt: String,
    /// One line.
    pub title: String,
    /// Its agent.
    pub agent: String,
    /// Its state.
    pub state: TaskState,
    /// Attempts of its agent, and of other steps where they failed.
    pub attempts: Vec<AttemptView>,
    /// Its branch, once it existed. Cleaning removes it together with the worktree; the name stays, as that is
    /// the one under which it is restored.
    pub branch: Option<String>,
    /// Its worktree, while it exists.
    pub worktree: Option<String>,
    /// The commit its branch points to.
    pub commit: Option<String>,
    /// The commit its branch started from.
    pub start: Option<String>,
    /// Paths that differ from where it started.
    pub files_changed: Vec<String>,
    /// Its pull request's address.
    pub pull_request: Option<String>,
    /// Its issue's address.
    pub issue: Option<String>,
    /// Names of the tasks it waits for.
    pub blocked_on: Vec<String>,
    /// For one that can never start: the names of the tasks from the one that ended badly to the one it
    /// waits for itself. One that begins and ends with the same name is a circle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,
    /// Why it is not done.
    pub error: Option<Failure>,
    /// A person asked it to stop, and it has not ended yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_requested: bool,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<String>,
    /// What a person should know though the task is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Attempts that printed something, oldest first: what `orch logs` can show.
    #[serde(default)]
    pub logs: Vec<LogView>,
    /// Steps in order, with what became of them.
    pub steps: Vec<StepView>,
    /// What is kept of its work in progress; looked up where one task is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotView>,
    /// The closing words of its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When its first attempt began.
    pub started_at: Option<Timestamp>,
    /// When its last attempt ended.
    pub finished_at: Option<Timestamp>,
}

/// What is kept of the work in progress of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotView {
    /// The commit that holds it.
    pub commit: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// How many files differ from where the task started.
    pub files: usize,
    /// Paths that are not in it: too large, or repositories of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// An attempt that has a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogView {
    /// The step.
    pub step: String,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// A step of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Its id.
    pub id: String,
    /// Its phase.
    pub phase: super::Phase,
    /// `pending`, `running`, `done`, `skipped` or `failed`.
    pub state: String,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds of its last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// When the attempt began that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// An attempt of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptView {
    /// From 1, per step.
    pub number: u32,
    /// The step.
    pub step: String,
    /// Process id of its shim.
    pub pid: Option<u32>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Seconds that its process lived, whatever somebody did to the clock meanwhile; once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Exit code of the agent's process.
    pub exit_code: Option<i32>,
    /// Signal that ended the agent's process.
    pub signal: Option<i32>,
    /// `succeeded`, or the class of the failure.
    pub outcome: Option<String>,
    /// The session that can be continued.
    pub session: Option<String>,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// Tokens.
    pub tokens: Tokens,
    /// The agent that ran it, where it is not the task's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What its processes took of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceUse>,
    /// What its processes do now; looked up where it is shown, while they live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveView>,
}

/// The latest reading of the processes of an attempt that runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveView {
    /// When they were read.
    pub heartbeat_at: Timestamp,
    /// When the last output arrived; `None` before the first.
    pub last_output_at: Option<Timestamp>,
    /// When they were last seen to compute.
    pub last_cpu_at: Timestamp,
    /// Bytes of memory of all of them.
    pub memory_bytes: u64,
    /// The largest such sum that was seen.
    pub peak_memory_bytes: u64,
    /// Seconds of CPU time, of those that have ended too.
    pub cpu_seconds: f64,
    /// How many there were.
    pub processes: u32,
}

impl AttemptView {
    /// Fills in how the process ended.
    pub fn set_exit(&mut self, exit: Option<Exit>) {
        self.exit_code = exit.and_then(|e| e.code);
        self.signal = exit.and_then(|e| e.signal);
    }
}
