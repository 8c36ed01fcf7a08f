//! Worktrees: one for each task, made in parallel, whole or not at all.
//!
//! Duty: makes a worktree at a commit on a branch of its own, from the pool, by writing the files
//! itself, or through the git executable where only that is faithful.
//! Promise: the result is byte for byte what `git worktree add` makes, and git's own commands accept
//! it. Called again after a crash at any instant, with the same arguments, it completes or begins
//! again; what an agent did in a worktree that was once handed out is never touched.
//! Never: writes git's configuration (whose lock is what parallel `git worktree add` loses to),
//! deletes what it did not make, or moves an existing branch.

mod admin;
mod by_git;
mod checkout;
mod create;
mod discard;
mod ground;
mod index_file;
mod intent;
mod plan;
mod sha1;

use super::{GitError, Repo};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

pub(super) use admin::{Admin, HeadLine, Lock};
pub(super) use checkout::Checkout;
pub(super) use create::{log_signature, make_branch};
pub(super) use discard::{TRASH, empty, files_in, is_whole, unique};
pub(super) use index_file::{Cached, Stat, decode, encode};
pub(super) use intent::{Intent, Undo};
pub(super) use plan::Plan;

/// A worktree to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeSpec {
    /// The name of the entry in git's bookkeeping, and of the folder: letters, digits, `.`, `_`, `-`.
    pub id: String,
    /// Where it is to be (absolute); its last component is `id`.
    pub path: PathBuf,
    /// The short name of the branch it is to be on.
    pub branch: String,
    /// The commit it begins at (full id).
    pub base: String,
}

/// How a worktree came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was there already, with whatever was done in it since.
    Existing,
    /// A recycled or prepared one was taken from the pool.
    FromPool,
    /// Written here.
    Fresh,
    /// Made by `git worktree add`, because of the repository's features.
    ThroughGit,
}

/// How much the pool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Worktrees; 0 turns the pool off.
    pub count: usize,
    /// Bytes of all files in them together.
    pub bytes: u64,
}

impl Default for PoolLimits {
    /// Eight worktrees (a run rarely has more tasks at once), four gibibytes.
    fn default() -> Self {
        Self { count: 8, bytes: 4 << 30 }
    }
}

/// Makes worktrees in one repository. Shared between threads: every method may run in many at once,
/// and in several processes.
#[derive(Debug)]
pub struct Worktrees {
    pub(super) repo: Repo,
    pub(super) limits: PoolLimits,
    plans: Mutex<plan::Plans>,
    /// Whether what dead processes left was cleared up.
    swept: Mutex<bool>,
    /// Checkouts at work in this process, which share the processors.
    busy: AtomicUsize,
}

impl Worktrees {
    /// Nothing on disk is looked at until the first worktree is asked for.
    ///
    /// # Errors
    /// None at present; a later version may refuse limits.
    pub fn new(repo: Repo, limits: PoolLimits) -> Result<Self, GitError> {
        Ok(Self {
            repo,
            limits,
            plans: Mutex::default(),
            swept: Mutex::new(false),
            busy: AtomicUsize::new(0),
        })
    }

    /// The repository the worktrees belong to.
    pub fn repo(&self) -> &Repo {
        &self.repo
    }
}

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;
