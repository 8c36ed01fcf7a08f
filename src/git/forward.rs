//! Bringing a task's worktree to what somebody else pushed to its branch.

use super::{GitError, Repo};
use std::path::Path;

impl Repo {
    /// Moves a clean worktree, and the branch it is on, forward to a commit that contains what is there.
    /// Hooks are not run.
    ///
    /// # Errors
    /// When it is not clean, on another branch, or the commit does not contain it; then nothing was changed.
    pub fn fast_forward(
        &self,
        worktree: &Path,
        branch: &str,
        commit: &str,
    ) -> Result<(), GitError> {
        let state = self.worktree_state(worktree, commit)?;
        if state.branch.as_deref() != Some(branch) || state.dirty_count > 0 {
            return Err(GitError::Refused(format!(
                "{} is not clean and on {branch}; commit or put away what is there",
                worktree.display()
            )));
        }
        let checkout = self.linked(worktree)?;
        let args = ["-c", "core.hooksPath=/dev/null", "merge", "--ff-only", "--quiet", commit];
        checkout.git(&args).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::worktree::fixture::Fixture;

    #[test]
    fn only_forward_and_only_what_is_clean() {
        let fixture = Fixture::varied();
        let repo = fixture.repo();
        let start = repo.head().unwrap().oid;
        let worktree = fixture.root().with_file_name("forward-tree");
        let path = worktree.to_str().unwrap();
        fixture.git(&["worktree", "add", "-q", "-b", "orch/t", path, &start]);
        fixture.git(&["commit", "-q", "--allow-empty", "-m", "theirs"]);
        let theirs = repo.head().unwrap().oid;
        std::fs::write(worktree.join("mine"), "x").unwrap();
        repo.fast_forward(&worktree, "orch/t", &theirs).expect_err("it is not clean");
        std::fs::remove_file(worktree.join("mine")).unwrap();
        repo.fast_forward(&worktree, "orch/other", &theirs).expect_err("another branch");
        repo.fast_forward(&worktree, "orch/t", &theirs).unwrap();
        assert_eq!(repo.branch_tip("orch/t").unwrap(), Some(theirs.clone()));
        let other = fixture.git(&["commit-tree", &format!("{start}^{{tree}}"), "-m", "other"]);
        repo.fast_forward(&worktree, "orch/t", &other)
            .expect_err("it does not contain what is there");
        assert_eq!(repo.branch_tip("orch/t").unwrap(), Some(theirs));
    }
}
