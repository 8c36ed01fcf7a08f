//! What differs between two trees, at the price of the difference.
//!
//! libgit2's own comparison reads every sub-tree of both sides; here equal ones are passed over, so
//! two commits of a large repository compare as fast as those of a small one.

use super::GitError;
use git2::{FileMode, Oid, Repository, Tree};
use std::collections::BTreeMap;

/// What a tree has at a path: git's mode, and the object.
pub(crate) type Entry = (i32, Oid);

/// A path with what one side and the other have there.
pub(crate) type Difference = (Vec<u8>, Option<Entry>, Option<Entry>);

/// Every path that differs, sorted; a rename is one path gone and one come.
pub(crate) fn differences(
    repo: &Repository,
    old: &Tree<'_>,
    new: &Tree<'_>,
) -> Result<Vec<Difference>, GitError> {
    let mut found = Vec::new();
    walk(repo, Some(old.id()), Some(new.id()), &[], &mut found)
        .map_err(GitError::lib("compare trees"))?;
    found.sort();
    Ok(found)
}

fn walk(
    repo: &Repository,
    old: Option<Oid>,
    new: Option<Oid>,
    directory: &[u8],
    found: &mut Vec<Difference>,
) -> Result<(), git2::Error> {
    let mut names: BTreeMap<Vec<u8>, [Option<Entry>; 2]> = BTreeMap::new();
    for (side, tree) in [old, new].into_iter().enumerate() {
        let Some(tree) = tree else { continue };
        for entry in &repo.find_tree(tree)? {
            let sides = names.entry(entry.name_bytes().to_vec()).or_default();
            sides[side] = Some((entry.filemode_raw(), entry.id()));
        }
    }
    for (name, [old, new]) in names {
        if old == new {
            continue;
        }
        let path = [directory, &name].concat();
        let (old_tree, old) = split(old);
        let (new_tree, new) = split(new);
        if old_tree.is_some() || new_tree.is_some() {
            walk(repo, old_tree, new_tree, &[&path, &b"/"[..]].concat(), found)?;
        }
        if old != new {
            found.push((path, old, new));
        }
    }
    Ok(())
}

/// An entry as a directory, or as anything else.
fn split(entry: Option<Entry>) -> (Option<Oid>, Option<Entry>) {
    match entry {
        Some((mode, tree)) if mode == i32::from(FileMode::Tree) => (Some(tree), None),
        other => (None, other),
    }
}
