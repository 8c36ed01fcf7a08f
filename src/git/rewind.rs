//! Putting a task's worktree back to where it started, for another attempt.

use super::uncommitted::Look;
use super::{GitError, Repo};
use std::path::Path;

/// An untracked `.gitignore` goes with the first cleaning, and what only it ignored with the next, which
/// may uncover another: tools write such files into their own folders, one in another.
const LAYERS: u32 = 4;

impl Repo {
    /// Brings `worktree` back to `start` on `branch`, as if nothing had happened in it; ignored files
    /// (caches, installed dependencies) stay. What was there, committed or not, is first kept under
    /// `refs/orch/graveyard/TASK`. Nothing to put back is the cheap and normal case.
    ///
    /// No process may be at work in the worktree: locks that a killed git left behind are removed.
    /// Hooks are not run.
    ///
    /// # Errors
    /// When the worktree cannot be read, or what was there cannot be kept; then nothing was changed.
    pub fn rewind_worktree(
        &self,
        worktree: &Path,
        branch: &str,
        start: &str,
        task: &str,
    ) -> Result<Option<String>, GitError> {
        // Pinned to this worktree: should its link break now, git must not find the user's checkout.
        let checkout = self.linked(worktree)?;
        self.remove_stale_locks(&checkout, branch)?;
        let state = self.worktree_state(worktree, start)?;
        let on_branch = state.branch.as_deref() == Some(branch);
        let at_start = state.head.as_deref() == Some(start);
        if on_branch && at_start && state.dirty_count == 0 && state.operation.is_none() {
            return Ok(None);
        }
        let kept = self.keep(task, worktree, branch)?.refname;
        let quiet = |args: &[&str]| {
            checkout.git(&[&["-c", "core.hooksPath=/dev/null"], args].concat()).map(drop)
        };
        // A rebase or a bisect of the agent's would outlive the reset; without one these refuse.
        _ = quiet(&["rebase", "--quit"]);
        _ = quiet(&["bisect", "reset"]);
        quiet(&["reset", "--hard", "--quiet"])?;
        quiet(&["checkout", "--force", "--quiet", "-B", branch, start])?;
        for _ in 0..LAYERS {
            quiet(&["clean", "-ffd", "--quiet"])?;
            if checkout.uncommitted(Look::default())?.all().is_empty() {
                break;
            }
        }
        Ok(Some(kept))
    }
}
