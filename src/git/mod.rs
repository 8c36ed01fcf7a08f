//! The only room that names git2 (and the git executable).
//!
//! Duty: repositories, worktrees, commits, merges, cleaning.
//! Promise: unmerged or uncommitted work is never deleted unless a person forced that task by name,
//! and then it is kept under `refs/orch/graveyard/` first; a ref moves only by compare-and-swap from
//! the value that was examined; the user's own checkout is never written during a run.
//! Never: prints, reads configuration of `orch`, or knows what a run is. Object ids cross this room's
//! border as hexadecimal text.

mod error;
mod exclude;
mod executable;
mod features;
mod pool;
mod repo;
mod tree;
mod worktree;

pub use error::GitError;
pub use features::{Feature, Features};
pub use pool::PoolEntry;
pub use repo::{Head, Repo};
pub use worktree::{Created, PoolLimits, WorktreeSpec, Worktrees};
