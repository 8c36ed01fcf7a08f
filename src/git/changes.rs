//! What changed between commits, and in a worktree whose task still runs.

use super::checkout::{Checkout, run};
use super::executable::command;
use super::private_index::PrivateIndex;
use super::tree_diff::differences;
use super::uncommitted::Look;
use super::{GitError, Repo, names};
use std::path::Path;

/// Names of uncommitted files that [`WorktreeState`] keeps.
const DIRTY_SHOWN: usize = 50;

/// Where a worktree stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeState {
    /// The commit that HEAD is at; `None` on a branch without commits.
    pub head: Option<String>,
    /// Short name of the branch that is checked out; `None` when detached.
    pub branch: Option<String>,
    /// Uncommitted and untracked (not ignored) paths, the first 50.
    pub dirty: Vec<String>,
    /// How many there are.
    pub dirty_count: usize,
    /// `a merge`, `a rebase`, ... that was begun and not ended.
    pub operation: Option<&'static str>,
    /// Commits of HEAD that the base does not have.
    pub ahead: usize,
}

/// How a difference is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffOptions {
    /// A summary instead of the lines.
    pub stat: bool,
    /// With the colours of a terminal.
    pub color: bool,
    /// Only the paths.
    pub name_only: bool,
}

/// A path that differs between two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeChange {
    pub path: Vec<u8>,
    /// Before; `None` where it was added.
    pub old: Option<Version>,
    /// After; `None` where it was removed.
    pub new: Option<Version>,
}

/// What a tree has at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// As git writes it, such as `100644`.
    pub mode: String,
    pub oid: String,
}

impl DiffOptions {
    fn args(self) -> Vec<&'static str> {
        // A patch that `git apply` takes, whatever the settings of the person who asks.
        let mut args = vec!["diff", "--no-ext-diff", "--no-textconv", "--submodule=short"];
        args.extend(["--src-prefix=a/", "--dst-prefix=b/"]);
        args.push(if self.color { "--color=always" } else { "--color=never" });
        args.extend(self.stat.then_some("--stat"));
        args.extend(self.name_only.then_some("--name-only"));
        args
    }
}

impl Repo {
    /// Every path that differs between two commits, sorted; of a rename both sides.
    ///
    /// # Errors
    /// When one of them does not exist or cannot be read.
    pub fn changed_files(&self, base: &str, head: &str) -> Result<Vec<String>, GitError> {
        let paths = self.changed_paths(base, head)?;
        Ok(paths.iter().map(|path| names::show(path)).collect())
    }

    pub(crate) fn changed_paths(&self, base: &str, head: &str) -> Result<Vec<Vec<u8>>, GitError> {
        if base == head {
            return Ok(Vec::new());
        }
        if let Ok(repo) = self.open() {
            let found = differences(&repo, &tree(&repo, base)?, &tree(&repo, head)?)?;
            return Ok(found.into_iter().map(|(path, ..)| path).collect());
        }
        let args = ["diff-tree", "-r", "-z", "--no-renames", "--name-only", base, head, "--"];
        let output = run(command(&self.common_dir, &args))?;
        Ok(names::nul_separated(&output).map(<[u8]>::to_vec).collect())
    }

    /// What differs between two commits, path by path.
    pub(crate) fn tree_changes(&self, old: &str, new: &str) -> Result<Vec<TreeChange>, GitError> {
        let args = ["diff-tree", "-r", "-z", "--no-renames", "--full-index", old, new, "--"];
        let output = run(command(&self.common_dir, &args))?;
        let mut fields = names::nul_separated(&output);
        let mut found = Vec::new();
        while let (Some(what), Some(path)) = (fields.next(), fields.next()) {
            let what = String::from_utf8_lossy(what);
            let words: Vec<&str> = what.trim_start_matches(':').split(' ').collect();
            if let [old_mode, new_mode, old_oid, new_oid, _] = words[..] {
                let version = |mode: &str, oid: &str| {
                    (mode != "000000").then(|| Version { mode: mode.into(), oid: oid.into() })
                };
                found.push(TreeChange {
                    path: path.to_vec(),
                    old: version(old_mode, old_oid),
                    new: version(new_mode, new_oid),
                });
            }
        }
        Ok(found)
    }

    /// Where a worktree stands, and how many commits it is ahead of `base`.
    ///
    /// # Errors
    /// When it is not a worktree of this repository, or cannot be read.
    pub fn worktree_state(&self, worktree: &Path, base: &str) -> Result<WorktreeState, GitError> {
        let checkout = self.linked(worktree)?;
        let standing = checkout.standing()?;
        let mut dirty = checkout.uncommitted(Look { staged: true, ignored: false })?.names();
        let dirty_count = dirty.len();
        dirty.truncate(DIRTY_SHOWN);
        let ahead = match &standing.oid {
            Some(head) => self.ahead(base, head)?,
            None => 0,
        };
        let branch = standing.reference.as_deref();
        Ok(WorktreeState {
            branch: branch.map(|r| r.strip_prefix("refs/heads/").unwrap_or(r).to_owned()),
            head: standing.oid,
            dirty,
            dirty_count,
            operation: checkout.operation(),
            ahead,
        })
    }

    /// How many commits `head` has that `base` does not.
    pub(crate) fn ahead(&self, base: &str, head: &str) -> Result<usize, GitError> {
        if let Ok(repo) = self.open() {
            let counted = repo.graph_ahead_behind(oid(head)?, oid(base)?);
            return Ok(counted.map_err(GitError::lib(format!("compare {base} with {head}")))?.0);
        }
        let range = format!("{base}..{head}");
        let output = run(command(&self.common_dir, &["rev-list", "--count", &range]))?;
        Ok(String::from_utf8_lossy(&output).trim().parse().unwrap_or(0))
    }

    /// Whether a commit contains another one, or is it.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn contains_commit(&self, commit: &str, ancestor: &str) -> Result<bool, GitError> {
        self.contains(commit, ancestor)
    }

    /// Whether everything in `ancestor` is also in `commit`.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn contains(&self, commit: &str, ancestor: &str) -> Result<bool, GitError> {
        Ok(commit == ancestor || self.ahead(commit, ancestor)? == 0)
    }

    /// The difference of two commits, as `git diff` prints it.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn diff(&self, base: &str, head: &str, options: DiffOptions) -> Result<Vec<u8>, GitError> {
        let mut args = options.args();
        args.extend([base, head, "--"]);
        run(command(self.root.as_ref().unwrap_or(&self.common_dir), &args))
    }

    /// The difference between `base` and a worktree as it is now, with what is uncommitted and
    /// untracked. Nothing is written to the worktree, its index, or the repository, so an agent
    /// may be at work in it.
    ///
    /// # Errors
    /// When it is not a worktree of this repository; what git refuses.
    pub fn diff_worktree(
        &self,
        base: &str,
        worktree: &Path,
        options: DiffOptions,
    ) -> Result<Vec<u8>, GitError> {
        let checkout: Checkout = self.linked(worktree)?;
        let index = PrivateIndex::with_objects_apart(&checkout, &self.common_dir)?;
        index.add_everything()?;
        let mut args = options.args();
        args.extend(["--cached", base, "--"]);
        index.git(&args)
    }
}

/// An object id from outside.
pub(crate) fn oid(text: &str) -> Result<git2::Oid, GitError> {
    git2::Oid::from_str(text).map_err(GitError::lib(format!("read the object id '{text}'")))
}

/// The tree of a commit.
pub(crate) fn tree<'r>(
    repo: &'r git2::Repository,
    commit: &str,
) -> Result<git2::Tree<'r>, GitError> {
    repo.find_commit(oid(commit)?)
        .and_then(|commit| commit.tree())
        .map_err(GitError::lib(format!("read the tree of {commit}")))
}
