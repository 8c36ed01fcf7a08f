//! Facts. Everything the program knows about a run is a fold over these.

use super::{
    AttemptEnd, AttemptId, FollowUp, FollowUpEnd, ForgeWork, Link, OverlapPath, PullStanding,
    Resource, RunSpec, RunState, StepId, StopReason, TaskId, Timestamp, Usage,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An event with its place in the run's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// From 1, without gaps, per run.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Recorded {
    /// Reads what is stored. The kinds that are most of a history are read without the detour over a tree of
    /// values that finding out an event's kind takes.
    ///
    /// # Errors
    /// It is no event of a kind that is known.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        // As they are written: the number, the time, the kind.
        let kind = text.get(..80).and_then(|head| head.split_once("\"event\":\""));
        let frequent = kind.is_some_and(|(_, kind)| FREQUENT.iter().any(|k| kind.starts_with(k)));
        if frequent
            && let Ok(flat) = serde_json::from_str::<Flat>(text)
            && let Some(recorded) = flat.into_recorded()
        {
            return Ok(recorded);
        }
        serde_json::from_str(text)
    }

    /// What is stored.
    ///
    /// # Errors
    /// None that is known.
    pub fn to_json(&self) -> serde_json::Result<String> {
        if let Event::RunCreated { spec } = &self.event {
            let event = Event::RunCreated { spec: Box::new(spec.brief()) };
            return serde_json::to_string(&Self { event, ..*self });
        }
        serde_json::to_string(self)
    }
}

/// The kinds that [`Flat`] knows, as they stand in the text.
const FREQUENT: [&str; 5] = [
    "run_created\"",
    "step_skipped\"",
    "attempt_starting\"",
    "attempt_started\"",
    "attempt_ended\"",
];

/// What the frequent kinds have, all at once.
#[derive(Deserialize)]
struct Flat<'a> {
    seq: u64,
    at: Timestamp,
    event: &'a str,
    spec: Option<Box<RunSpec>>,
    task: Option<TaskId>,
    step: Option<StepId>,
    reason: Option<String>,
    attempt: Option<AttemptId>,
    agent: Option<String>,
    pid: Option<u32>,
    end: Option<Box<AttemptEnd>>,
}

impl Flat<'_> {
    /// `None` where something is missing that its kind has: the slow way says what.
    fn into_recorded(self) -> Option<Recorded> {
        let event = match self.event {
            "run_created" => Event::RunCreated { spec: self.spec? },
            "step_skipped" => {
                Event::StepSkipped { task: self.task?, step: self.step?, reason: self.reason? }
            }
            "attempt_starting" => {
                Event::AttemptStarting { attempt: self.attempt?, agent: self.agent }
            }
            "attempt_started" => Event::AttemptStarted { attempt: self.attempt?, pid: self.pid? },
            "attempt_ended" => Event::AttemptEnded { attempt: self.attempt?, end: self.end? },
            _ => return None,
        };
        Some(Recorded { seq: self.seq, at: self.at, event })
    }
}

/// A fact about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The first event of every run.
    RunCreated {
        /// What was asked for.
        spec: Box<RunSpec>,
    },
    /// A supervisor took the run (again).
    SupervisorStarted {
        /// Its process id.
        pid: u32,
    },
    /// A step cannot apply, which its specification says already: only older journals tell it once more.
    StepSkipped {
        /// The task.
        task: TaskId,
        /// The step.
        step: StepId,
        /// Why.
        reason: String,
    },
    /// Intent: the attempt is about to start. Written before anything happens outside.
    AttemptStarting {
        /// Which attempt.
        attempt: AttemptId,
        /// The agent that runs it, where it is not the task's own: its fallback.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    },
    /// Outcome of the start: its shim runs.
    AttemptStarted {
        /// Which attempt.
        attempt: AttemptId,
        /// The shim's process id.
        pid: u32,
    },
    /// A new supervisor found the attempt's shim alive and waits for it.
    AttemptAdopted {
        /// Which attempt.
        attempt: AttemptId,
        /// The shim's process id.
        pid: u32,
    },
    /// Intent: the attempt is to be stopped.
    AttemptStopping {
        /// Which attempt.
        attempt: AttemptId,
        /// Why.
        reason: StopReason,
    },
    /// Neither output nor work for a while. Changes nothing by itself: the idle limit stops it.
    AttemptStalled {
        /// Which attempt.
        attempt: AttemptId,
        /// For how long by then.
        quiet_seconds: u64,
    },
    /// The attempt ended.
    AttemptEnded {
        /// Which attempt.
        attempt: AttemptId,
        /// How.
        end: Box<AttemptEnd>,
    },
    /// The step is tried again, not before `not_before`.
    RetryScheduled {
        /// The attempt that will run.
        attempt: AttemptId,
        /// Drawn from the backoff policy (with jitter) when the failure was recorded.
        not_before: Timestamp,
        /// The agent that runs it, where it is not the task's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
        /// The worktree stays as it is, instead of being brought back to its start.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keep: bool,
        /// The agent's session that goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// A person asked for tasks to stop.
    CancelRequested {
        /// Which ones.
        tasks: Vec<TaskId>,
    },
    /// A person asked for failed, cancelled or lost tasks to run again.
    RetryRequested {
        /// Which ones.
        tasks: Vec<TaskId>,
        /// Where the target branch was then: what a task starts from whose work conflicted with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        onto: Option<String>,
        /// Those that go on from a snapshot of their worktree, and its commit.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        snapshots: BTreeMap<TaskId, String>,
        /// Those whose prompt was edited since.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        edited: Vec<TaskId>,
    },
    /// A person asked that nothing new starts for now. What runs goes on.
    PauseRequested,
    /// A person asked a paused run to go on.
    ContinueRequested,
    /// A person changed how many processes may run at the same time.
    JobsRequested {
        /// At least 1.
        jobs: u32,
    },
    /// A person changed what the run may cost.
    BudgetRequested {
        /// US dollars in all, what was spent included; `None`: no limit.
        max_cost_usd: Option<f64>,
    },
    /// The clock was set forward during the run, or the machine slept: nobody worked in that time.
    ClockSet {
        /// Milliseconds, beyond those that passed.
        ahead_ms: u64,
    },
    /// The machine is short of something: fewer processes at the same time, whatever was asked for.
    /// Holds until the next one, or until another supervisor takes the run.
    ParallelismLimited {
        /// The most; `None` lifts the limit.
        limit: Option<u32>,
        /// One line.
        reason: String,
    },
    /// So little is left that nothing new starts. Holds until [`Event::ResourceRecovered`], or until
    /// another supervisor takes the run.
    ResourceShort {
        /// Of what.
        resource: Resource,
        /// One line, with how much is left.
        detail: String,
    },
    /// There is enough again.
    ResourceRecovered {
        /// Of what.
        resource: Resource,
    },
    /// Another process of this user met a limit of this agent.
    AgentLimited {
        /// The agent.
        agent: String,
        /// When it lifts.
        until: Timestamp,
        /// One line.
        detail: String,
    },
    /// Ctrl-C: nothing new starts, what runs may finish.
    DrainRequested,
    /// The supervisor ended the run; `interrupted` means that `orch resume` goes on.
    RunFinished {
        /// How.
        state: RunState,
    },
    /// Something a person should know about a task that goes on all the same.
    TaskWarned {
        /// The task.
        task: TaskId,
        /// One line.
        message: String,
    },
    /// A task changed files that another one, or the branch it lands on, changed too since it began: found,
    /// or no longer as it was.
    OverlapFound {
        /// The task; of two, the later one in the plan.
        task: TaskId,
        /// The other one; `None`: the branch.
        with: Option<TaskId>,
        /// The files, those that conflict first; the first twenty.
        paths: Vec<OverlapPath>,
        /// How many files there are.
        path_count: u64,
    },
    /// The overlap is gone: one side's files are as they were.
    OverlapGone {
        /// The task.
        task: TaskId,
        /// The other one; `None`: the branch.
        with: Option<TaskId>,
    },
    /// The task's work landed.
    TaskMerged {
        /// The task.
        task: TaskId,
        /// The branch it landed on.
        into: String,
        /// The commit of `into` that contains it.
        commit: String,
        /// Where its branch was; what is on `into` may be other commits with the same work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head: Option<String>,
    },
    /// A merged tree was tested.
    MergeTested {
        /// The branch it was to land on.
        into: String,
        /// The tree.
        tree: String,
        /// The shell commands that it had to pass.
        commands: Vec<String>,
        /// Whether it did.
        passed: bool,
        /// The folder of its log, from the folder of the run.
        log: String,
        /// The tasks in it that were not on the branch.
        tasks: Vec<TaskId>,
    },
    /// Intent: a branch is about to move to a tested commit.
    LandingStarting {
        /// The branch.
        into: String,
        /// Where it is.
        from: String,
        /// Where it will be.
        to: String,
        /// The tasks that land, and where their branches are.
        tasks: Vec<Head>,
    },
    /// Intent: an agent is about to be asked to put a task's work and the branch's together.
    ConflictResolving {
        /// The task.
        task: TaskId,
        /// The branch.
        into: String,
        /// Its commit that goes into the task's branch.
        onto: String,
        /// Which attempt at it, from 1.
        attempt: u32,
        /// The agent.
        agent: String,
    },
    /// The agent that was asked has ended.
    ConflictResolved {
        /// The task.
        task: TaskId,
        /// The task's branch with both sides; `None`: it is as it was.
        commit: Option<String>,
        /// Why not, in one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What the agent used.
        #[serde(default)]
        usage: Usage,
    },
    /// The task's work could not be landed.
    MergeConflicted {
        /// The task.
        task: TaskId,
        /// The branch it should have landed on.
        into: String,
        /// Paths in conflict.
        paths: Vec<String>,
        /// The task (of this run) that landed the other side, where one did.
        with: Vec<TaskId>,
    },
    /// Without the task's work the verification of what was to land passes, with it it fails.
    MergeRejected {
        /// The task.
        task: TaskId,
        /// The branch it should have landed on.
        into: String,
        /// The file with what the verification printed.
        log: String,
    },
    /// Its worktree (and branch, where merged) was removed.
    TaskCleaned {
        /// The task.
        task: TaskId,
        /// The ref that keeps unmerged work, when a person forced it.
        graveyard: Option<String>,
    },
    /// What a forced clean removed is back.
    TaskRestored {
        /// The task.
        task: TaskId,
    },
    /// A person (or `--merge pr`) wants pull requests. They are wanted until they exist.
    PullRequestsRequested {
        /// Of these tasks.
        tasks: Vec<TaskId>,
        /// One for all of them.
        unified: bool,
        /// As drafts, whatever was verified.
        draft: bool,
        /// With an issue each, under one of the run.
        issues: bool,
        /// The branch they go to.
        into: String,
    },
    /// Intent: the forge is about to be asked. Written before the request is sent.
    ForgeStarting {
        /// For what.
        work: ForgeWork,
    },
    /// Outcome: it was not done, or nobody knows whether it was.
    ForgeFailed {
        /// Why, one line.
        message: String,
        /// The forge is at fault, and not what it was asked.
        down: bool,
        /// When a limit lifts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Outcome: it was done, and there is nothing else to remember about it.
    ForgeDone,
    /// An issue exists.
    IssueOpened {
        /// Of this task; `None`: the one of the run.
        task: Option<TaskId>,
        /// The issue.
        issue: Link,
    },
    /// The issue of the run names the issues of these tasks.
    IssuesListed {
        /// The digest of its text.
        text: String,
    },
    /// A branch of the remote points to a commit.
    BranchPushed {
        /// The branch.
        branch: String,
        /// The commit.
        commit: String,
    },
    /// A pull request exists.
    PullRequestOpened {
        /// The tasks whose work it is.
        tasks: Vec<TaskId>,
        /// The pull request.
        pull: Link,
        /// The branch it comes from.
        branch: String,
        /// The commit there.
        head: String,
        /// The branch it goes to.
        into: String,
        /// Not to be merged yet.
        draft: bool,
        /// The digest of its title and text; `None` where somebody else may have written them.
        text: Option<String>,
    },
    /// A pull request is not as it was.
    PullRequestUpdated {
        /// The tasks whose work it is.
        tasks: Vec<TaskId>,
        /// Which.
        number: u64,
        /// Open, queued or closed.
        standing: PullStanding,
        /// The commit its branch points to.
        head: String,
        /// Not to be merged yet.
        draft: bool,
        /// The digest of its title and text.
        text: Option<String>,
    },
    /// A pull request is merged. A [`Event::TaskMerged`] for each of its tasks goes with it.
    PullRequestMerged {
        /// The tasks whose work it was.
        tasks: Vec<TaskId>,
        /// Which.
        number: u64,
        /// The commit that merged it.
        commit: String,
    },
    /// Intent: a task's agent is about to be asked for more, because of its pull request.
    FollowUpStarting {
        /// What for.
        follow_up: Box<FollowUp>,
    },
    /// It has ended, and what it did was verified.
    FollowUpEnded {
        /// How.
        end: Box<FollowUpEnd>,
    },
}

/// A task and where its branch is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The task.
    pub task: TaskId,
    /// The commit.
    pub head: String,
}

impl Event {
    /// Whether something may be done (or said to be done) because of it, so that it must survive a power
    /// failure. The others are on the disk with the next one that must; until then the death of every
    /// process cannot lose them either.
    #[must_use]
    pub fn must_be_durable(&self) -> bool {
        !matches!(
            self,
            Self::SupervisorStarted { .. }
                | Self::StepSkipped { .. }
                | Self::AttemptStarted { .. }
                | Self::AttemptAdopted { .. }
                | Self::AttemptStalled { .. }
                | Self::ClockSet { .. }
                | Self::ParallelismLimited { .. }
                | Self::ResourceShort { .. }
                | Self::ResourceRecovered { .. }
                | Self::TaskWarned { .. }
                | Self::ForgeFailed { .. }
                | Self::ForgeDone
                | Self::OverlapFound { .. }
                | Self::OverlapGone { .. }
        )
    }

    /// The tasks the event is about.
    pub fn tasks(&self) -> Box<dyn Iterator<Item = &TaskId> + '_> {
        match self {
            Self::StepSkipped { task, .. }
            | Self::TaskWarned { task, .. }
            | Self::TaskMerged { task, .. }
            | Self::MergeConflicted { task, .. }
            | Self::ConflictResolving { task, .. }
            | Self::ConflictResolved { task, .. }
            | Self::MergeRejected { task, .. }
            | Self::TaskRestored { task }
            | Self::TaskCleaned { task, .. } => Box::new(std::iter::once(task)),
            Self::AttemptStarting { attempt, .. }
            | Self::AttemptStalled { attempt, .. }
            | Self::AttemptStarted { attempt, .. }
            | Self::AttemptAdopted { attempt, .. }
            | Self::AttemptStopping { attempt, .. }
            | Self::AttemptEnded { attempt, .. }
            | Self::RetryScheduled { attempt, .. } => Box::new(std::iter::once(&attempt.task)),
            Self::OverlapFound { task, with, .. } | Self::OverlapGone { task, with } => {
                Box::new(std::iter::once(task).chain(with))
            }
            Self::CancelRequested { tasks }
            | Self::RetryRequested { tasks, .. }
            | Self::PullRequestsRequested { tasks, .. }
            | Self::PullRequestOpened { tasks, .. }
            | Self::PullRequestUpdated { tasks, .. }
            | Self::PullRequestMerged { tasks, .. } => Box::new(tasks.iter()),
            Self::IssueOpened { task, .. } => Box::new(task.iter()),
            Self::FollowUpStarting { follow_up } => Box::new(std::iter::once(&follow_up.task)),
            Self::FollowUpEnded { end } => Box::new(std::iter::once(&end.task)),
            Self::RunCreated { .. }
            | Self::SupervisorStarted { .. }
            | Self::PauseRequested
            | Self::ContinueRequested
            | Self::JobsRequested { .. }
            | Self::BudgetRequested { .. }
            | Self::ClockSet { .. }
            | Self::ParallelismLimited { .. }
            | Self::ResourceShort { .. }
            | Self::ResourceRecovered { .. }
            | Self::AgentLimited { .. }
            | Self::DrainRequested
            | Self::ForgeStarting { .. }
            | Self::ForgeFailed { .. }
            | Self::ForgeDone
            | Self::IssuesListed { .. }
            | Self::BranchPushed { .. }
            | Self::MergeTested { .. }
            | Self::LandingStarting { .. }
            | Self::RunFinished { .. } => Box::new(std::iter::empty()),
        }
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
