//! The configuration and what holds when nothing is said.

use super::{AgentOverride, Decompose};
use crate::model::{MergeMode, OnConflict, Policy, Strategy, Thresholds};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The configuration of a repository. The command line and a prompt's front matter go before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it was read from; `None` when there is none.
    pub source: Option<PathBuf>,
    /// The agent of prompts that name none.
    pub agent: String,
    /// The model of prompts that name none; `None`: the agent's own.
    pub model: Option<String>,
    /// How many processes may run at the same time, at least 1; `None`: from cores and memory.
    pub jobs: Option<u32>,
    /// Limit of one attempt; `None`: no limit.
    pub timeout: Option<Duration>,
    /// Limit of an attempt's silence; `None`: no limit.
    pub idle_timeout: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// How often a failed attempt is tried again.
    pub retries: u32,
    /// Shell commands that must pass in the worktree when the agent is done.
    pub verify: Vec<String>,
    /// What happens to finished work.
    pub merge: MergeMode,
    /// How finished work becomes part of the branch.
    pub merge_strategy: Strategy,
    /// What happens when it conflicts with the branch.
    pub on_conflict: OnConflict,
    /// The change log that gets an entry for each task that lands, from the repository's root.
    pub changelog: Option<String>,
    /// Globs of branches on which nothing lands.
    pub protected: Vec<String>,
    /// The branch on which work lands; `None`: the one that was checked out when the run began.
    pub into: Option<String>,
    /// The folder of `--all-prompts`, from the repository's root.
    pub prompts: PathBuf,
    /// The workflow of prompts that name none; `None`: `default`.
    pub workflow: Option<String>,
    /// Cap of one attempt's log, bytes: head and tail are kept.
    pub log_cap: u64,
    /// Of how many runs logs and results are kept, beside those with unmerged work.
    pub keep_runs: u32,
    /// Shell commands that prepare a fresh worktree, in this order; `None` and an empty list: nothing.
    /// What the tree suggests ([`detect_setup`](super::detect_setup)) holds once `orch init` wrote it.
    pub setup: Option<Vec<String>>,
    /// How many prepared worktrees are kept for later runs; 0: none.
    pub pool: u32,
    /// What they may occupy together, bytes.
    pub pool_bytes: u64,
    /// The least time between two snapshots of a worktree that an agent is at work in; `None`: none are
    /// taken.
    pub snapshots: Option<Duration>,
    /// Globs of paths that tasks may change side by side.
    pub ignore_conflicts: Vec<String>,
    /// From which confidence conflicts are reported and order their tasks.
    pub thresholds: Thresholds,
    /// Whether prompts with separable parts are split, and by whom.
    pub decompose: Decompose,
    /// When a run waits, falls back or stops.
    pub policy: Policy,
    /// Bytes of memory below which fewer agents run at a time; `None`: from the machine.
    pub free_memory: Option<u64>,
    /// Bytes of memory below which the newest agent is stopped; `None`: from the machine.
    pub least_memory: Option<u64>,
    /// Load for each core above which fewer agents run at a time; 0: it does not matter.
    pub load: f64,
    /// Bytes that must stay free on disk; `None`: from the disk.
    pub free_disk: Option<u64>,
    /// What `[github]` says.
    pub github: GitHub,
    /// What `[agents.NAME]` says, by name. To be laid over the built-in profiles.
    pub agents: BTreeMap<String, AgentOverride>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            source: None,
            agent: "claude".to_owned(),
            model: None,
            jobs: None,
            // Longer than nearly every agent's work, shorter than a night.
            timeout: Some(Duration::from_hours(2)),
            // Agents that print only their last words are silent all the time.
            idle_timeout: None,
            // Docker's and Kubernetes' habit is 10 and 30 seconds.
            grace: Duration::from_secs(10),
            retries: 0,
            verify: Vec::new(),
            merge: MergeMode::None,
            merge_strategy: Strategy::Merge,
            on_conflict: OnConflict::Manual,
            changelog: None,
            protected: Vec::new(),
            into: None,
            prompts: PathBuf::from("prompts"),
            workflow: None,
            log_cap: 16 << 20,
            // Some months of a run a working day.
            keep_runs: 100,
            setup: None,
            pool: 8,
            pool_bytes: 2 << 30,
            // What a person can bear to lose; a look at 10,000 files takes some hundredths of it.
            snapshots: Some(Duration::from_secs(30)),
            ignore_conflicts: Vec::new(),
            thresholds: Thresholds::default(),
            decompose: Decompose::Off,
            policy: Policy::default(),
            free_memory: None,
            least_memory: None,
            // Agents mostly wait for a model; above this their builds and tests wait for each other.
            load: 4.0,
            free_disk: None,
            github: GitHub::default(),
            agents: BTreeMap::new(),
        }
    }
}

/// How GitHub is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct GitHub {
    /// The remote that branches are pushed to; `None`: the one git pushes to.
    pub remote: Option<String>,
    /// `owner/name`; `None`: as the remote's address says.
    pub repository: Option<String>,
    /// Where the REST API is; `None`: by the remote's host.
    pub api_url: Option<String>,
    /// Whether a task has an issue.
    pub issues: bool,
    /// The least time between two requests that change something.
    pub pace: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Whose remarks are given to agents, beside those of owners, members and collaborators.
    pub reviewers: Vec<String>,
    /// How often an agent is asked about the checks of a pull request.
    pub fixes: u32,
    /// How long after a push checks may take to show up.
    pub checks_grace: Duration,
    /// Whether what `orch` starts inherits the user's tokens.
    pub token_for_agents: bool,
}

impl Default for GitHub {
    fn default() -> Self {
        Self {
            remote: None,
            repository: None,
            api_url: None,
            issues: true,
            // "Wait at least one second between each request" that creates something, say GitHub's best
            // practices.
            pace: Duration::from_secs(1),
            // GitHub ends a request after ten.
            timeout: Duration::from_secs(15),
            reviewers: Vec::new(),
            // Each costs money and minutes of checks; what three did not mend needs a person.
            fixes: 3,
            // GitHub Actions shows a job as queued within seconds of the push; other services answer a
            // webhook, for which GitHub allows ten seconds.
            checks_grace: Duration::from_mins(1),
            token_for_agents: false,
        }
    }
}
