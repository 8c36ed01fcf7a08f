//! A worktree's files as they are, as a tree of the repository.
//!
//! The worktree's own index is only read. Repositories inside it are kept as plain files, and so
//! are those of their commits that they have pushed nowhere.

use super::checkout::{Checkout, run};
use super::executable::command;
use super::private_index::PrivateIndex;
use super::{GitError, Repo, names};
use std::path::Path;

/// A worktree as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Everything tracked, changed, or untracked and not ignored.
    pub tree: String,
    /// Where its HEAD is.
    pub head: Option<String>,
    /// Commits of repositories inside it that exist nowhere else; their objects are here now.
    pub nested: Vec<String>,
}

/// Takes a snapshot; `None` when there is no directory. Where the worktree's link to the
/// repository is broken its files are compared with `tip`.
pub(crate) fn snapshot(
    repo: &Repo,
    worktree: &Path,
    tip: Option<&str>,
) -> Result<Option<Snapshot>, GitError> {
    if std::fs::symlink_metadata(worktree).is_err() {
        return Ok(None);
    }
    if let Ok(checkout) = repo.linked(worktree) {
        let head = checkout.standing()?.oid;
        let index = PrivateIndex::new(&checkout)?;
        let (tree, nested) = files(repo, &checkout, &index)?;
        return Ok(Some(Snapshot { tree, head, nested }));
    }
    let checkout = Checkout { path: worktree.to_owned(), git_dir: repo.common_dir.clone() };
    let index = PrivateIndex::empty(&checkout)?;
    if let Some(tip) = tip {
        index.git(&["read-tree", tip])?;
    }
    let (tree, nested) = files(repo, &checkout, &index)?;
    Ok(Some(Snapshot { tree, head: tip.map(str::to_owned), nested }))
}

fn files(
    repo: &Repo,
    checkout: &Checkout,
    index: &PrivateIndex<'_>,
) -> Result<(String, Vec<String>), GitError> {
    let mut commits = Vec::new();
    for path in index.add_everything()? {
        let inner = Checkout {
            path: checkout.path.join(names::path(&path)),
            git_dir: checkout.git_dir.clone(),
        };
        let (tree, deeper) = files(repo, &inner, &PrivateIndex::empty(&inner)?)?;
        let mut prefix = std::ffi::OsString::from("--prefix=");
        prefix.push(names::path(&path));
        prefix.push("/");
        index.git(&["read-tree".into(), prefix, tree.into()])?;
        commits.extend(deeper);
        commits.extend(unpushed(repo, &inner.path)?);
    }
    let tree = names::show(index.git(&["write-tree"])?.trim_ascii());
    Ok((tree, commits))
}

/// Brings the commits of a repository that none of its remotes has into ours.
fn unpushed(repo: &Repo, nested: &Path) -> Result<Vec<String>, GitError> {
    let mut tips = std::collections::BTreeSet::new();
    let heads = ["for-each-ref", "--format=%(objectname)", "refs/heads"];
    for args in [&heads[..], &["rev-parse", "--verify", "-q", "HEAD"]] {
        // Without a commit there is no HEAD, and nothing to keep.
        let listing = run(command(nested, args)).unwrap_or_default();
        tips.extend(listing.split(|&b| b == b'\n').filter(|t| !t.is_empty()).map(names::show));
    }
    let mut kept = Vec::new();
    for tip in tips {
        let missing = ["rev-list", "--max-count=1", &tip, "--not", "--remotes"];
        if run(command(nested, &missing))?.is_empty() {
            continue;
        }
        let mut fetch = command(&repo.common_dir, &["fetch", "--quiet", "--no-tags"]);
        fetch.args(["--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"]);
        run({
            fetch.arg(nested).arg(&tip);
            fetch
        })?;
        kept.push(tip);
    }
    Ok(kept)
}
