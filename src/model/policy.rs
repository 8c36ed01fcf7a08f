//! The policies of a run: when it waits, falls back or stops. Fixed when the run is created.

use super::OnOverlap;
use serde::{Deserialize, Serialize};

/// What a run does about failures that are not the tasks' own, and about money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Of each agent.
    pub agent: BreakerRule,
    /// Of set-up, git and the program's own work.
    pub execution: BreakerRule,
    /// Of the forge.
    pub github: BreakerRule,
    /// What happens at a rate or usage limit.
    pub on_limit: OnLimit,
    /// The most that the run may cost, US dollars.
    pub max_cost_usd: Option<f64>,
    /// The most that one task may cost, US dollars.
    pub max_task_cost_usd: Option<f64>,
    /// What happens when tasks that run side by side change the same lines.
    pub on_overlap: OnOverlap,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            // An agent tries a failing request up to ten times itself before it gives up.
            agent: BreakerRule { failures: 3, cool_down_ms: 300_000 },
            execution: BreakerRule { failures: 5, cool_down_ms: 600_000 },
            github: BreakerRule { failures: 3, cool_down_ms: 300_000 },
            on_limit: OnLimit::Wait,
            max_cost_usd: None,
            max_task_cost_usd: None,
            on_overlap: OnOverlap::Warn,
        }
    }
}

/// How finished work becomes part of a branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// A merge commit, unless the branch can be moved to the work as it is.
    #[default]
    Merge,
    /// One commit with everything.
    Squash,
    /// Its commits one by one, without merge commits.
    Rebase,
}

/// What happens when finished work conflicts with the branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// It is left to a person, with what to do.
    #[default]
    Manual,
    /// An agent is asked to put both sides together.
    Agent,
}

/// When a circuit breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerRule {
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// Milliseconds before one attempt is let through to see whether it works again.
    pub cool_down_ms: u64,
}

/// What happens when an agent meets a limit of which it says when it lifts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// Its tasks wait until then.
    #[default]
    Wait,
    /// Its tasks go to the agent's `fallback`; where there is none, they wait.
    Fallback,
    /// Nothing more starts with it.
    Stop,
}
