//! Removing worktrees and branches whose work is safe elsewhere.
//!
//! Promise: a worktree goes only with a [`Proof`] that its commits are merged and nothing in it is
//! uncommitted, or that everything is buried; the proof is checked again just before. What is
//! removed is first renamed out of the way, so a kill leaves either a worktree or none. Locked
//! worktrees, branches that are checked out elsewhere, and worktrees of other places stay.
//! Whether a process is still at work in it is the caller's business. Ignored files go with it.

use super::changes::tree;
use super::checkout::{run, run_with_input, same_place};
use super::executable::command;
use super::scratch::{admin_directory, remove_tree};
use super::snapshot::snapshot;
use super::submodules::unpushed_submodules;
use super::uncommitted::Look;
use super::{GitError, Repo, names};
use std::path::{Path, PathBuf};

/// Whether a worktree and its branch may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// They may.
    Safe(Proof),
    /// The branch has commits that are merged nowhere.
    Unmerged {
        /// How many.
        commits: usize,
    },
    /// The worktree has uncommitted or untracked files, an unfinished merge or rebase, or a submodule
    /// with commits of its own.
    Dirty {
        /// Which, or what.
        paths: Vec<String>,
    },
    /// Not something that `orch` may remove, and why.
    NotOurs(String),
}

/// That a worktree and its branch may go, as of when it was examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    worktree: PathBuf,
    branch: String,
    /// The branch's commit; `None` when the branch is gone already.
    tip: Option<String>,
    ground: Ground,
    /// Ignored files and directories that go with it, a directory counted once.
    pub ignored: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ground {
    /// The branch is contained in one of these.
    Merged(Vec<String>),
    /// Everything is kept; this is the tree of the work tree as it was buried.
    Buried(Option<String>),
}

impl Proof {
    pub(crate) fn buried(
        worktree: &Path,
        branch: &str,
        tip: Option<String>,
        tree: Option<String>,
    ) -> Self {
        let (worktree, branch) = (worktree.to_owned(), branch.to_owned());
        Self { worktree, branch, tip, ground: Ground::Buried(tree), ignored: 0 }
    }
}

/// What [`Repo::remove_worktree`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The worktree was there.
    pub worktree: bool,
    /// The branch was there and not checked out elsewhere.
    pub branch: bool,
}

impl Repo {
    /// Whether everything in `commit` is in `into` (a branch or a commit): reachable from it,
    /// or brought there by other commits. The latter is said only where it is sure: merging
    /// `commit` would change nothing (a squash merge), or `git cherry` finds every one of its
    /// commits there (cherry-picks, a rebase). A false answer costs a kept branch, no more.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn is_merged(&self, commit: &str, into: &str) -> Result<bool, GitError> {
        let into = self.commit_named(into)?;
        if self.contains(&into, commit)? {
            return Ok(true);
        }
        if let Ok(repo) = self.open()
            && Self::adds_nothing(&repo, commit, &into)?
        {
            return Ok(true);
        }
        let count = ["rev-list", "--count", "--merges", commit, "--not", &into];
        if run(command(&self.common_dir, &count))?.trim_ascii() != b"0" {
            return Ok(false);
        }
        let cherry = run(command(&self.common_dir, &["cherry", &into, commit]))?;
        Ok(!cherry.is_empty() && cherry.split(|&b| b == b'\n').all(|line| !line.starts_with(b"+")))
    }

    /// Whether merging `commit`, which changes something, would change nothing in `into`.
    fn adds_nothing(repo: &git2::Repository, commit: &str, into: &str) -> Result<bool, GitError> {
        let Ok(base) = repo.merge_base(super::changes::oid(into)?, super::changes::oid(commit)?)
        else {
            return Ok(false);
        };
        if tree(repo, &base.to_string())?.id() == tree(repo, commit)?.id() {
            // Its commits take each other back: what they had in between is nowhere else.
            return Ok(false);
        }
        let merged = super::merge::merge_in_library(repo, into, commit)?;
        Ok(merged.is_ok_and(|merged| tree(repo, into).is_ok_and(|t| t.id().to_string() == merged)))
    }

    /// Whether a commit is merged where the work that `proof` is about is.
    ///
    /// # Errors
    /// As [`Repo::is_merged`].
    pub fn is_contained(&self, proof: &Proof, commit: &str) -> Result<bool, GitError> {
        let Ground::Merged(into) = &proof.ground else { return Ok(false) };
        for target in into {
            if self.is_merged(commit, target)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn commit_named(&self, name: &str) -> Result<String, GitError> {
        let peeled = format!("{name}^{{commit}}");
        if let Ok(repo) = self.open() {
            let found = repo.revparse_single(&peeled);
            return Ok(found.map_err(GitError::lib(format!("find {name}")))?.id().to_string());
        }
        let args = ["rev-parse", "--verify", "--end-of-options", peeled.as_str()];
        Ok(names::show(run(command(&self.common_dir, &args))?.trim_ascii()))
    }

    /// Examines a worktree under `.worktrees/` and its branch. The work counts as merged when it
    /// is in any of `into` (branches or commits; those that do not exist are passed over).
    ///
    /// # Errors
    /// When the repository or the worktree cannot be read.
    pub fn removal_check(
        &self,
        worktree: &Path,
        branch: &str,
        into: &[String],
    ) -> Result<Removal, GitError> {
        let tip = self.ref_target(&format!("refs/heads/{branch}"))?;
        let mut commits: Vec<String> = tip.iter().cloned().collect();
        let mut ignored = 0;
        if let Some(reason) = self.not_removable(worktree, branch)? {
            return Ok(Removal::NotOurs(reason));
        }
        if std::fs::symlink_metadata(worktree).is_ok() {
            let checkout = match self.linked(worktree) {
                Ok(checkout) => checkout,
                Err(error) => return Ok(Removal::NotOurs(error.to_string())),
            };
            let found = checkout.uncommitted(Look { staged: true, ignored: true })?;
            ignored = found.ignored;
            let mut paths = found.names();
            paths
                .extend(checkout.operation().map(|operation| format!("({operation}, unfinished)")));
            paths.extend(unpushed_submodules(&checkout)?);
            if !paths.is_empty() {
                return Ok(Removal::Dirty { paths });
            }
            commits.extend(match checkout.open() {
                Ok(repo) => super::commit::standing(&repo).oid,
                Err(_) => checkout.standing()?.oid,
            });
        }
        commits.dedup();
        let into: Vec<String> =
            into.iter().filter(|name| self.commit_named(name).is_ok()).cloned().collect();
        for commit in &commits {
            let mut merged = false;
            for target in &into {
                merged = merged || self.is_merged(commit, target)?;
            }
            if !merged {
                let mut count = vec!["rev-list", "--count", commit, "--not"];
                count.extend(into.iter().map(String::as_str));
                let count = names::show(run(command(&self.common_dir, &count))?.trim_ascii());
                return Ok(Removal::Unmerged { commits: count.parse().unwrap_or(1) });
            }
        }
        let (worktree, branch) = (worktree.to_owned(), branch.to_owned());
        Ok(Removal::Safe(Proof { worktree, branch, tip, ground: Ground::Merged(into), ignored }))
    }

    /// Why `orch` may not remove a worktree and its branch, whatever is in them, if so.
    pub(crate) fn not_removable(
        &self,
        worktree: &Path,
        branch: &str,
    ) -> Result<Option<String>, GitError> {
        let place = worktree.display();
        let home = self.worktrees_dir();
        if !worktree.parent().is_some_and(|parent| same_place(parent, &home)) {
            return Ok(Some(format!("{place} is not in {}", home.display())));
        }
        if worktree.is_symlink() {
            return Ok(Some(format!("{place} is a symbolic link")));
        }
        let admin = admin_directory(&self.common_dir, worktree);
        if admin.is_some_and(|admin| admin.join("locked").exists()) {
            let unlock = format!("git worktree unlock {place}");
            return Ok(Some(format!("{place} is locked; if nobody needs that, run: {unlock}")));
        }
        if worktree.exists() {
            return Ok(None);
        }
        let reference = format!("refs/heads/{branch}");
        let holders = self.holders(&reference)?;
        let moved = holders.into_iter().find(|checkout| checkout.git_dir != self.common_dir);
        Ok(moved.map(|checkout| {
            let now = checkout.path.display();
            format!(
                "its worktree was moved to {now}; once it is not needed, run: git worktree remove \
                 {now}"
            )
        }))
    }

    /// Removes what `proof` is about, after examining it again.
    ///
    /// # Errors
    /// [`GitError::Refused`] when it is no longer as it was examined; [`GitError::Moved`] when the
    /// branch moved meanwhile (the worktree is gone then; it had nothing else in it).
    pub fn remove_worktree(&self, proof: &Proof) -> Result<Removed, GitError> {
        let worktree = self.take_worktree(proof)?;
        let branch = self.remove_branches(&[proof]).pop().unwrap_or(Ok(false))?;
        Ok(Removed { worktree, branch })
    }

    /// Removes the worktree that `proof` is about, after examining it again; the branch stays, for
    /// [`Repo::remove_branches`]. `false` if there was none.
    ///
    /// # Errors
    /// [`GitError::Refused`] when it is no longer as it was examined.
    pub fn take_worktree(&self, proof: &Proof) -> Result<bool, GitError> {
        self.examine_again(proof)?;
        if std::fs::symlink_metadata(&proof.worktree).is_ok() {
            let admin = admin_directory(&self.common_dir, &proof.worktree);
            let claim = self.claim("trash")?;
            let doing = format!("move {} away", proof.worktree.display());
            if let Err(error) = std::fs::rename(&proof.worktree, &claim.path) {
                claim.settle()?;
                return Err(GitError::io(doing)(error));
            }
            if let Some(admin) = admin {
                remove_tree(&admin)?;
            }
            // What cannot be removed now is removed by the next sweep.
            _ = claim.settle();
            return Ok(true);
        }
        if let Some(admin) = admin_directory(&self.common_dir, &proof.worktree) {
            remove_tree(&admin)?;
        }
        Ok(false)
    }

    fn examine_again(&self, proof: &Proof) -> Result<(), GitError> {
        let Proof { worktree, branch, .. } = proof;
        let changed = |what: String| {
            Err(GitError::Refused(format!(
                "{} was kept: {what} since it was examined; run orch clean again",
                worktree.display()
            )))
        };
        match &proof.ground {
            Ground::Merged(into) => match self.removal_check(worktree, branch, into)? {
                Removal::Safe(now) if now.tip == proof.tip => Ok(()),
                Removal::Safe(_) => changed(format!("{branch} moved")),
                Removal::Unmerged { .. } => changed(format!("{branch} got new commits")),
                Removal::Dirty { paths } => changed(format!("{} changed", names::some(&paths))),
                Removal::NotOurs(reason) => Err(GitError::Refused(reason)),
            },
            Ground::Buried(tree) => {
                if let Some(reason) = self.not_removable(worktree, branch)? {
                    return Err(GitError::Refused(reason));
                }
                if self.ref_target(&format!("refs/heads/{branch}"))? != proof.tip {
                    return changed(format!("{branch} moved"));
                }
                let now = snapshot(self, worktree, proof.tip.as_deref())?;
                if now.map(|now| now.tree) == *tree { Ok(()) } else { changed("it changed".into()) }
            }
        }
    }

    /// Deletes the branches of worktrees that were taken, each if it is still where it was examined; for
    /// each whether it was there and not checked out elsewhere.
    ///
    /// Through git and in one go: libgit2 writes the packed refs anew from what it read before it had
    /// their lock, so that two deletions at a time undo each other.
    pub fn remove_branches(&self, proofs: &[&Proof]) -> Vec<Result<bool, GitError>> {
        let wanted = |proof: &Proof| -> Result<Option<String>, GitError> {
            let Some(tip) = &proof.tip else { return Ok(None) };
            let reference = format!("refs/heads/{}", proof.branch);
            let free = self.holders(&reference)?.is_empty();
            Ok(free.then(|| format!("delete {reference} {tip}\n")))
        };
        let wanted: Vec<_> = proofs.iter().map(|proof| wanted(proof)).collect();
        let all: String = wanted.iter().flatten().flatten().map(String::as_str).collect();
        let delete = |lines: &str| {
            let git = command(&self.common_dir, &["update-ref", "--stdin"]);
            run_with_input(git, lines.as_bytes()).map(drop)
        };
        // All or none: where one moved, each is tried for itself.
        let together = all.is_empty() || delete(&all).is_ok();
        let one = |(proof, line): (&&Proof, Result<Option<String>, GitError>)| {
            let (Some(line), Some(tip)) = (line?, &proof.tip) else { return Ok(false) };
            if !together {
                let reference = format!("refs/heads/{}", proof.branch);
                delete(&line).map_err(|error| self.why_not(&reference, tip, error))?;
            }
            Ok(true)
        };
        let done: Vec<_> = proofs.iter().zip(wanted).map(one).collect();
        let gone = proofs.iter().zip(&done).filter(|(_, done)| matches!(done, Ok(true)));
        self.forget_settings(&gone.map(|(proof, _)| proof.branch.as_str()).collect::<Vec<_>>());
        done
    }

    /// Removes the settings of branches, where there are any: a push may have left an upstream. Those that
    /// stay are no harm.
    fn forget_settings(&self, branches: &[&str]) {
        let ask = ["config", "--local", "--name-only", "-z", "--get-regexp", r"^branch\..*\."];
        let asked = run(command(&self.common_dir, &ask)).unwrap_or_default();
        let keys: Vec<String> = names::nul_separated(&asked).map(names::show).collect();
        for branch in branches {
            let section = format!("branch.{branch}");
            if keys.iter().any(|key| key.starts_with(&format!("{section}."))) {
                _ = run(command(&self.common_dir, &["config", "--remove-section", &section]));
            }
        }
    }
}
