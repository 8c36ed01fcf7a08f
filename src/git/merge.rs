//! Merging in memory: objects are written, no ref moves, no checkout is touched.
//!
//! Most merges of tasks touch different files. Those are put together from the two lists of changes
//! alone, whatever the size of the tree. The others go through libgit2's recursive merge with
//! rename detection, or through `git merge-tree` where a merge driver is configured or libgit2
//! cannot read the repository.

use super::changes::{oid, tree};
use super::executable::{command, last_words};
use super::tree_diff::differences;
use super::{GitError, Repo, names};
use std::collections::BTreeMap;
use std::process::Stdio;

/// Files that one side added or removed, up to which renames are looked for: git's own default
/// (`merge.renameLimit`, git-config(1)).
const RENAME_LIMIT: u32 = 7000;

/// What merging two commits gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Ours contains theirs.
    UpToDate,
    /// Theirs (this commit) contains ours.
    FastForward(String),
    /// Both, without conflict.
    Clean {
        /// The merge commit.
        commit: String,
        /// Its tree.
        tree: String,
    },
    /// Both sides changed the same lines, or one removed what the other changed.
    Conflict {
        /// The paths, sorted.
        paths: Vec<String>,
    },
}

/// The start of a task that builds on others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integration {
    /// A commit that contains the base and every prerequisite.
    Clean(String),
    /// A prerequisite conflicts with those before it.
    Conflict {
        /// Its name.
        name: String,
        /// The paths, sorted.
        paths: Vec<String>,
    },
}

impl Repo {
    /// Merges `theirs` into `ours`.
    ///
    /// # Errors
    /// When a commit cannot be read, they have no common history, or there is no identity.
    pub fn merge_commits(
        &self,
        ours: &str,
        theirs: &str,
        message: &str,
    ) -> Result<Merge, GitError> {
        if self.contains(ours, theirs)? {
            return Ok(Merge::UpToDate);
        }
        if self.contains(theirs, ours)? {
            return Ok(Merge::FastForward(theirs.to_owned()));
        }
        let tree = match self.merge_trees(ours, theirs)? {
            Ok(tree) => tree,
            Err(paths) => return Ok(Merge::Conflict { paths }),
        };
        let parents = [ours.to_owned(), theirs.to_owned()];
        let commit = self.commit_of_tree(&tree, &parents, message)?;
        Ok(Merge::Clean { commit, tree })
    }

    /// Puts prerequisites together: `commits` are pairs of a commit and the name it is reported
    /// under. What another one contains is left out, and nothing is merged that can be
    /// fast-forwarded, so a single prerequisite is its own start.
    ///
    /// # Errors
    /// As [`Repo::merge_commits`].
    pub fn integrate(
        &self,
        base: &str,
        commits: &[(String, String)],
        message: &str,
    ) -> Result<Integration, GitError> {
        let mut needed: Vec<&(String, String)> = Vec::new();
        for (at, pair) in commits.iter().enumerate() {
            let mut covered = false;
            for (other_at, other) in commits.iter().enumerate() {
                // Of equal commits the first stays.
                covered |= other_at != at
                    && self.contains(&other.0, &pair.0)?
                    && (other.0 != pair.0 || other_at < at);
            }
            if !covered {
                needed.push(pair);
            }
        }
        let mut start = base.to_owned();
        for (commit, name) in needed {
            start = match self.merge_commits(&start, commit, message)? {
                Merge::UpToDate => start,
                Merge::FastForward(commit) | Merge::Clean { commit, .. } => commit,
                Merge::Conflict { paths } => {
                    return Ok(Integration::Conflict { name: name.clone(), paths });
                }
            };
        }
        Ok(Integration::Clean(start))
    }

    /// Writes a commit by whichever means the repository allows.
    pub(crate) fn commit_of_tree(
        &self,
        tree: &str,
        parents: &[String],
        message: &str,
    ) -> Result<String, GitError> {
        match self.open() {
            Ok(repo) => self.write_commit(&repo, tree, parents, message),
            Err(_) => self.commit_tree(
                |args: &[&str]| command(&self.common_dir, args),
                tree,
                parents,
                message,
            ),
        }
    }

    /// The tree of a merge, or the paths in conflict.
    pub(crate) fn merge_trees(&self, ours: &str, theirs: &str) -> Result<Merged, GitError> {
        match self.open() {
            Ok(repo) if !has_drivers(&repo) => merge_in_library(&repo, ours, theirs),
            _ => self.merge_tree(&[ours, theirs]),
        }
    }

    /// `git merge-tree` with these arguments.
    pub(crate) fn merge_tree(&self, what: &[&str]) -> Result<Merged, GitError> {
        let fixed = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"];
        let args = [&fixed[..], what].concat();
        let output = command(self.root.as_ref().unwrap_or(&self.common_dir), &args)
            .stdin(Stdio::null())
            .output()
            .map_err(GitError::io("start git"))?;
        let mut parts = names::nul_separated(&output.stdout).map(names::show);
        match (output.status.code(), parts.next()) {
            (Some(0), Some(tree)) => Ok(Ok(tree)),
            (Some(1), Some(_)) => Ok(Err(parts.collect())),
            _ => Err(GitError::Executable {
                command: format!("merge-tree {}", what.join(" ")),
                message: last_words(&output),
            }),
        }
    }
}

/// The tree, or the paths in conflict.
pub(crate) type Merged = Result<String, Vec<String>>;

/// Whether a merge driver of the user's is configured, which libgit2 would pass over.
pub(crate) fn has_drivers(repo: &git2::Repository) -> bool {
    let Ok(config) = repo.config() else { return true };
    config.entries(Some(r"merge\..*\.driver")).is_ok_and(|mut entries| entries.next().is_some())
}

pub(crate) fn merge_in_library(
    repo: &git2::Repository,
    ours: &str,
    theirs: &str,
) -> Result<Merged, GitError> {
    let doing = || GitError::lib(format!("merge {theirs} into {ours}"));
    let bases = repo.merge_bases(oid(ours)?, oid(theirs)?).map_err(doing())?;
    if let [base] = bases[..]
        && let Some(tree) = merge_apart(repo, &base.to_string(), ours, theirs)?
    {
        return Ok(Ok(tree));
    }
    let commit = |text: &str| repo.find_commit(oid(text)?).map_err(doing());
    let index = repo.merge_commits(&commit(ours)?, &commit(theirs)?, Some(&options()));
    outcome(repo, index.map_err(doing())?)
}

/// How libgit2 merges here.
pub(crate) fn options() -> git2::MergeOptions {
    let mut options = git2::MergeOptions::new();
    options.find_renames(true).target_limit(RENAME_LIMIT);
    options
}

/// What a merge in an index came to.
pub(crate) fn outcome(repo: &git2::Repository, mut index: git2::Index) -> Result<Merged, GitError> {
    let doing = || GitError::lib("merge two trees");
    if !index.has_conflicts() {
        let tree = index.write_tree_to(repo).map_err(doing())?;
        return Ok(Ok(tree.to_string()));
    }
    let mut paths = Vec::new();
    for conflict in index.conflicts().map_err(doing())? {
        let conflict = conflict.map_err(doing())?;
        for side in [conflict.our, conflict.their, conflict.ancestor].into_iter().flatten() {
            paths.push(names::show(&side.path));
        }
    }
    paths.sort();
    paths.dedup();
    Ok(Err(paths))
}

/// One side's change of a path: its new mode and object, or nothing where it was removed.
pub(crate) type Change = Option<(git2::FileMode, git2::Oid)>;

/// The merge of two sides that touched different paths. `None` where it takes more than that:
/// a path (or a directory above it) changed on both sides, or a rename could carry one side's
/// change to another place.
pub(crate) fn merge_apart(
    repo: &git2::Repository,
    base: &str,
    ours: &str,
    theirs: &str,
) -> Result<Option<String>, GitError> {
    let base = tree(repo, base)?;
    let our_tree = tree(repo, ours)?;
    let (Some(our), Some(their)) =
        (changes(repo, &base, &our_tree)?, changes(repo, &base, &tree(repo, theirs)?)?)
    else {
        return Ok(None);
    };
    let apart = !their.keys().any(|path| touches(&our, path))
        && !our.keys().any(|path| touches(&their, path))
        && !may_move(&our, &their)
        && !may_move(&their, &our);
    if !apart {
        return Ok(None);
    }
    let mut update = git2::build::TreeUpdateBuilder::new();
    for (path, change) in their {
        match change {
            Some((mode, id)) => update.upsert(names::path(&path), id, mode),
            None => update.remove(names::path(&path)),
        };
    }
    // A file that became a directory is more than libgit2 can do in one update.
    Ok(update.create_updated(repo, &our_tree).ok().map(|tree| tree.to_string()))
}

/// Whether `changes` has this path or one above it.
pub(crate) fn touches(changes: &BTreeMap<Vec<u8>, Change>, path: &[u8]) -> bool {
    changes.contains_key(path)
        || path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .any(|(at, _)| changes.contains_key(&path[..at]))
}

/// Whether one side removed something from a directory and the other added something to it: then
/// the directory may have been renamed.
pub(crate) fn may_move(one: &BTreeMap<Vec<u8>, Change>, other: &BTreeMap<Vec<u8>, Change>) -> bool {
    let directory = |path: &[u8]| {
        path.iter().rposition(|&b| b == b'/').map(|at| path[..at].to_vec()).unwrap_or_default()
    };
    let left: std::collections::BTreeSet<Vec<u8>> = one
        .iter()
        .filter(|(_, change)| change.is_none())
        .map(|(path, _)| directory(path))
        .filter(|directory| !directory.is_empty())
        .collect();
    !left.is_empty()
        && other.iter().any(|(path, change)| {
            change.is_some()
                && left.iter().any(|left| {
                    path.strip_prefix(&left[..]).is_some_and(|rest| rest.first() == Some(&b'/'))
                })
        })
}

/// What a side changed; `None` when submodules are among it.
pub(crate) fn changes(
    repo: &git2::Repository,
    base: &git2::Tree<'_>,
    side: &git2::Tree<'_>,
) -> Result<Option<BTreeMap<Vec<u8>, Change>>, GitError> {
    let mut found = BTreeMap::new();
    for (path, old, new) in differences(repo, base, side)? {
        let modes = [old, new].map(|entry| entry.map(|(mode, _)| mode));
        if modes.contains(&Some(i32::from(git2::FileMode::Commit))) {
            return Ok(None);
        }
        found.insert(path, new.map(|(mode, id)| (file_mode(mode), id)));
    }
    Ok(Some(found))
}

/// A mode of git's as libgit2 names it; historical modes of plain files are plain files.
fn file_mode(mode: i32) -> git2::FileMode {
    match mode {
        0o100_755 => git2::FileMode::BlobExecutable,
        0o120_000 => git2::FileMode::Link,
        _ => git2::FileMode::Blob,
    }
}
