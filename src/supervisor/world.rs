//! What an attempt needs of the world: the repository, its worktrees, the places on disk.

use super::{Limits, SupervisorError};
use crate::forge::TOKEN_VARIABLES;
use crate::git::{PoolLimits, Repo, Worktrees};
use crate::journal::{Journal, Layout};
use crate::process::SupervisorLock;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// The repository and everything of `orch` in it. Shared by all attempts.
#[derive(Debug)]
pub struct World {
    /// The repository.
    pub repo: Repo,
    /// Its worktrees.
    pub worktrees: Worktrees,
    /// Where things lie.
    pub layout: Layout,
    /// The directory that `.worktrees/` is in.
    pub root: PathBuf,
    /// The least time between two snapshots of a worktree; `None`: none are taken.
    pub snapshots: Option<Duration>,
    /// What the machine must keep free.
    pub limits: Limits,
    /// Variables that nothing it starts inherits: the forge's tokens.
    pub withheld: &'static [&'static str],
    /// Whoever makes sure that a prompt is there.
    pub(super) prompts: Mutex<()>,
}

impl World {
    /// The world of a repository.
    ///
    /// # Errors
    /// The pool of worktrees cannot be read.
    pub fn new(
        repo: Repo,
        pool: PoolLimits,
        snapshots: Option<Duration>,
    ) -> Result<Self, SupervisorError> {
        let layout = Layout::new(repo.state_dir());
        let root = repo.root.clone().unwrap_or_else(|| repo.common_dir.clone());
        let worktrees = Worktrees::new(repo.clone(), pool)?;
        Ok(Self {
            repo,
            worktrees,
            layout,
            root,
            snapshots,
            limits: Limits::default(),
            prompts: Mutex::default(),
            withheld: &TOKEN_VARIABLES,
        })
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same where agents may have the forge's tokens.
    #[must_use]
    pub fn with_tokens_for_agents(self, given: bool) -> Self {
        let withheld: &[&str] = if given { &[] } else { &TOKEN_VARIABLES };
        Self { withheld, ..self }
    }

    /// Names that nothing run in a worktree inherits.
    pub(super) fn not_inherited(&self) -> Vec<String> {
        let names = crate::agent::inherited_to_remove().chain(self.withheld.iter().copied());
        names.map(str::to_owned).collect()
    }

    /// Becomes the one who asks the forge for this repository, until the lock is dropped.
    ///
    /// # Errors
    /// [`SupervisorError::Refused`] when there is one.
    pub fn lock_forge(&self) -> Result<SupervisorLock, SupervisorError> {
        let path = self.layout.dir().join("forge.lock");
        create_dir(self.layout.dir())?;
        SupervisorLock::acquire(&path)?.ok_or_else(|| {
            let holder =
                SupervisorLock::holder(&path).map(|holder| format!(" (process {})", holder.pid));
            SupervisorError::Refused(format!(
                "another orch is talking to GitHub for this repository{}; wait for it",
                holder.unwrap_or_default()
            ))
        })
    }

    /// Becomes the one who lands work, or has it changed for that, until the lock is dropped: two would only
    /// test the same things, or be in one worktree. `None` when there is one.
    ///
    /// # Errors
    /// The lock cannot be made.
    pub fn lock_landing(&self) -> Result<Option<SupervisorLock>, SupervisorError> {
        create_dir(self.layout.dir())?;
        Ok(SupervisorLock::acquire(&self.layout.merge_lock())?)
    }

    /// That somebody else lands work.
    pub(super) fn is_landing(&self) -> SupervisorError {
        let holder = SupervisorLock::holder(&self.layout.merge_lock()).map(|holder| holder.pid);
        SupervisorError::Merging(holder.map_or_else(String::new, |pid| format!(" (process {pid})")))
    }

    /// The absolute path of a task's worktree.
    #[must_use]
    pub fn worktree(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Becomes the one supervisor of this repository, until the lock is dropped.
    ///
    /// # Errors
    /// [`SupervisorError::Busy`] when there is one.
    pub fn lock(&self) -> Result<SupervisorLock, SupervisorError> {
        let path = self.layout.supervisor_lock();
        create_dir(self.layout.dir())?;
        SupervisorLock::acquire(&path)?.ok_or_else(|| {
            SupervisorError::Busy(SupervisorLock::holder(&path).map_or_else(
                || "its process id is not known".to_owned(),
                |holder| format!("process {}", holder.pid),
            ))
        })
    }

    /// Opens the journal, creating it where there is none.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn journal(&self) -> Result<Journal, SupervisorError> {
        Ok(Journal::open(&self.layout.journal())?)
    }
}

pub(super) fn create_dir(dir: &Path) -> Result<(), SupervisorError> {
    std::fs::create_dir_all(dir).map_err(SupervisorError::io(format!("create {}", dir.display())))
}
