//! A merge in a task's worktree, begun for whoever resolves its conflicts, and concluded when they are
//! gone.

use super::{GitError, Repo, names};
use std::ffi::OsString;
use std::path::Path;

/// What begins a line that a conflict left.
const MARKERS: [&[u8]; 3] = [b"<<<<<<< ", b"||||||| ", b">>>>>>> "];

/// How a merge in a worktree was concluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concluded {
    /// The branch has both sides; its commit.
    Both(String),
    /// These files have conflict markers.
    Markers(Vec<String>),
    /// The branch does not have both sides.
    OneSide,
}

impl Repo {
    /// Begins to merge `commit` into a clean worktree of `branch`, without concluding it. Returns the paths
    /// in conflict; in the files are both sides and what they began from. No hooks are run.
    ///
    /// # Errors
    /// When the worktree is not clean; what git refuses.
    pub fn begin_merge(&self, worktree: &Path, commit: &str) -> Result<Vec<String>, GitError> {
        let checkout = self.linked(worktree)?;
        let fixed = ["-c", "core.hooksPath=/dev/null", "-c", "merge.conflictStyle=diff3"];
        let merge = ["merge", "--no-ff", "--no-commit", "--quiet", commit];
        let merged = checkout.git(&[&fixed[..], &merge].concat());
        let left = checkout.git(&["diff", "--name-only", "--diff-filter=U", "-z"])?;
        let left: Vec<String> = names::nul_separated(&left).map(names::show).collect();
        if left.is_empty() {
            merged?;
        }
        Ok(left)
    }

    /// Commits the merge of `commit` into `branch` that was begun at `tip` and resolved since.
    ///
    /// # Errors
    /// As [`Repo::commit_worktree`].
    pub fn conclude_merge(
        &self,
        worktree: &Path,
        branch: &str,
        tip: &str,
        commit: &str,
        message: &str,
    ) -> Result<Concluded, GitError> {
        let checkout = self.linked(worktree)?;
        let changed = checkout.git(&["diff", "--name-only", "-z", tip])?;
        let mut marked = Vec::new();
        for path in names::nul_separated(&changed) {
            let text = std::fs::read(worktree.join(names::path(path))).unwrap_or_default();
            let before = self.read_blob(tip, &names::show(path))?.unwrap_or_default();
            let has = |text: &[u8]| {
                text.split(|b| *b == b'\n').any(|l| MARKERS.iter().any(|m| l.starts_with(m)))
            };
            // A file that is about conflicts had them before.
            if has(&text) && !has(&before) {
                marked.push(names::show(path));
            }
        }
        if !marked.is_empty() {
            return Ok(Concluded::Markers(marked));
        }
        let left = checkout.git(&["diff", "--name-only", "--diff-filter=U", "-z"])?;
        let mut add: Vec<OsString> =
            ["-c", "core.safecrlf=false", "add", "--all", "--sparse", "--"].map(Into::into).into();
        let fixed = add.len();
        for path in names::nul_separated(&left) {
            let mut pathspec = OsString::from(":(top,literal)");
            pathspec.push(names::path(path));
            add.push(pathspec);
        }
        if add.len() > fixed {
            checkout.git(&add)?;
        }
        let head = self.commit_worktree(worktree, branch, tip, message)?.head;
        let both = self.contains(&head, tip)? && self.contains(&head, commit)?;
        Ok(if both { Concluded::Both(head) } else { Concluded::OneSide })
    }
}
