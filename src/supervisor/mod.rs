//! The loop that joins the engine and the world.
//!
//! Duty: does the engine's actions (worktrees, processes, commits), observes what becomes of them, and
//! records both; takes over what an earlier supervisor left; lands and cleans finished work.
//! Promise: an action's intent is on the disk before the action begins, its outcome is read from the
//! world (a result file, a lock, a ref) and never remembered; one supervisor a repository (a lock that
//! the kernel releases, not a pid file).
//! Never: prints (an [`Observer`] is told), decides what to do next (the engine does).

mod agents;
mod attempt;
mod background;
mod builtin;
mod circumstances;
mod clean;
mod clock;
mod crash;
mod decompose;
mod delay;
mod error;
mod escape;
mod foreground;
mod forge;
mod inputs;
mod intake;
mod land;
mod ledger;
mod merge_order;
mod overlaps;
mod past;
mod pressure;
mod quiet;
mod rebuild;
mod record;
mod recover;
mod retain;
mod run;
mod shared_limits;
mod snapshots;
mod survey;
mod unknown;
mod world;

pub use clean::{Cleaned, Kept, clean, clean_by_force, would_clean};
pub use clock::now;
pub use error::SupervisorError;
pub use forge::{
    Desk, FollowUpOptions, FollowUpOutcome, FollowedUp, MergeOptions, MergeOutcome, MergedPull,
    PullChoice, PullOptions, PullOutcome, PullStatus, follow_up_at_work, queue_pulls,
};
pub use intake::{
    Intake, IntakeError, Options, TimeLimit, intake, profiles, run_spec, store_prompts,
};
pub use land::{LandOptions, Landing, Outcome, TaskClash, land};
pub use ledger::Ledger;
pub use pressure::{Limits, least_disk};
pub use rebuild::{Rebuilt, has_run};
pub use recover::cancel_without_supervisor;
pub use retain::forget_old_runs;
pub use run::{Observer, Progress, Supervisor};
pub use survey::{Indexing, Survey};
pub use unknown::{doubt_all, knows_all, take_up};
pub use world::World;
