//! A worktree's files as they are, as a tree of the repository.
//!
//! The worktree's own index is only read. Repositories inside it are kept as plain files, and
//! those of their commits that they have pushed nowhere are kept too; so are those of submodules.

use super::checkout::{Checkout, run, same_place};
use super::executable::command;
use super::private_index::PrivateIndex;
use super::submodules::{submodules, unpushed};
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
        let (tree, mut nested) = files(repo, &checkout, &index)?;
        for git_dir in submodules(&checkout)?.keys() {
            nested.extend(bring_unpushed(repo, git_dir)?);
        }
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
        let ask = |what: &[&str]| -> Result<Vec<u8>, GitError> {
            let asked = command(&inner.path, &[&["rev-parse"], what].concat());
            Ok(run(asked)?.trim_ascii_end().to_vec())
        };
        let common = ask(&["--path-format=absolute", "--git-common-dir"])?;
        if same_place(&names::path(&common), &repo.common_dir) {
            // Another worktree of this repository: only a detached HEAD may be nowhere else.
            commits.extend(ask(&["--verify", "-q", "HEAD"]).ok().map(|oid| names::show(&oid)));
        } else {
            commits.extend(bring_unpushed(repo, &names::path(&ask(&["--absolute-git-dir"])?))?);
        }
    }
    let tree = names::show(index.git(&["write-tree"])?.trim_ascii());
    Ok((tree, commits))
}

/// Brings the commits of a repository that none of its remotes has into ours.
fn bring_unpushed(repo: &Repo, git_dir: &Path) -> Result<Vec<String>, GitError> {
    let tips = unpushed(git_dir)?.tips;
    for tip in &tips {
        let mut fetch = command(&repo.common_dir, &["fetch", "--quiet", "--no-tags"]);
        fetch.args(["--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"]);
        fetch.arg(git_dir).arg(tip);
        run(fetch)?;
    }
    Ok(tips)
}
