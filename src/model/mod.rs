//! The nouns every room shares: ids, time, tasks and steps, events and actions, outcomes and failures.
//!
//! Promise: plain data, serialisable, with the small pure functions that belong to it. What is
//! serialised here is what the journal keeps for years: a field is added, never given a new meaning.
//! Never: I/O, clocks, randomness, or a dependency on another room.

mod action;
mod event;
mod forge;
mod ids;
mod outcome;
mod overlap;
mod policy;
mod problem;
mod profile;
mod recorded;
mod shell_word;
mod size;
mod spec;
mod steps;
mod thresholds;
mod time;
mod truth;
mod view;
mod work;

pub use action::Action;
pub use event::{Event, Head};
pub use forge::{FollowUp, FollowUpEnd, FollowUpKind, ForgeWork, Link, PullStanding};
pub use ids::{AttemptId, RunId, StepId, TaskId, slug};
pub use outcome::{
    AttemptEnd, Ending, Exit, Failure, FailureClass, FailureContext, Resource, ResourceUse,
    StopReason, Tokens, Usage,
};
pub use overlap::{OnOverlap, OverlapPath, OverlapView};
pub use policy::{BreakerRule, OnConflict, OnLimit, Policy, Strategy};
pub use problem::{Problem, listed, nearest, quoted};
pub use profile::{AgentProfile, Dialect, PromptDelivery};
pub use recorded::Recorded;
pub use shell_word::shell_word;
pub use size::bytes;
pub use spec::{
    BuiltIn, Dependency, DependencyKind, MergeMode, Phase, PlannedConflict, PlannedWrite, RunSpec,
    RunState, StepKind, StepSpec, TaskSpec, TaskState,
};
pub use steps::Steps;
pub use thresholds::{Threshold, Thresholds};
pub use time::{Timestamp, parse_duration};
pub use truth::Truth;
pub use view::{
    AttemptView, BreakerState, BreakerView, BudgetView, LiveView, LogView, RunView, SnapshotView,
    StepView, SupervisorView, TaskView,
};
pub use work::{Access, Complexity, Evidence, Factor, PastChange, Target, WorkType};
