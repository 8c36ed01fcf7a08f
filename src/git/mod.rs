//! The only room that names git2 (and the git executable).
//!
//! Duty: repositories, worktrees, commits, merges, cleaning.
//! Promise: unmerged or uncommitted work is never deleted unless a person forced that task by name,
//! and then it is kept under `refs/orch/graveyard/` first; a ref moves only by compare-and-swap from
//! the value that was examined; the user's own checkout is never written during a run.
//! Never: prints, reads configuration of `orch`, or knows what a run is. Object ids cross this room's
//! border as hexadecimal text.

mod blobs;
mod changes;
mod checkout;
mod clean;
mod commit;
mod error;
mod exclude;
mod executable;
mod expected_merge;
mod features;
mod fingerprint;
#[cfg(test)]
mod fixture;
mod forward;
mod gone;
mod graveyard;
mod history;
mod hot;
mod identity;
mod ignored;
mod land;
mod landing_note;
mod landing_repair;
mod merge;
mod names;
mod pool;
mod predict;
mod private_index;
mod push;
mod put;
mod repo;
mod resolve;
mod rewind;
mod scan;
mod scratch;
mod settle;
mod snapshot;
mod snapshot_ref;
mod submodules;
mod sweep;
#[cfg(test)]
mod tests;
mod touched;
mod tree;
mod tree_diff;
mod uncommitted;
mod worktree;

pub use blobs::TreeFile;
pub use changes::{DiffOptions, WorktreeState};
pub use clean::{Proof, Removal, Removed};
pub use commit::Committed;
pub use error::GitError;
pub use expected_merge::{Clash, Side};
pub use features::{Feature, Features};
pub use fingerprint::Fingerprint;
pub use graveyard::{Buried, Grave, Restored};
pub use history::{HistoryLimits, PastCommit};
pub use hot::PathHistory;
pub use identity::Identity;
pub use land::Landed;
pub use merge::{Integration, Merge};
pub use pool::PoolEntry;
pub use predict::ClashingPair;
pub use push::{Pushed, Remote};
pub use put::{Edit, Put, Work};
pub use repo::{Head, Repo};
pub use resolve::Concluded;
pub use scratch::Scratch;
pub use snapshot_ref::{Kept as KeptSnapshot, LARGEST_FILE, Looked, Mark};
pub use touched::Changes;
pub use worktree::{Created, PoolLimits, WorktreeSpec, Worktrees};
