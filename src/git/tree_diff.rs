//! What differs between two trees, at the price of the difference.
//!
//! libgit2's own comparison reads every sub-tree of both sides; here equal ones are passed over, so
//! two commits of a large repository compare as fast as those of a small one.

use super::GitError;
use super::tree::{DIRECTORY, entry};
use git2::{Odb, Oid, Repository, Tree};
use std::cmp::Ordering;

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
    let odb = repo.odb().map_err(GitError::lib("open the object database"))?;
    let mut found = Vec::new();
    walk(&odb, Some(old.id()), Some(new.id()), &[], &mut found)?;
    found.sort();
    Ok(found)
}

/// One of a tree's entries.
#[derive(Clone, Copy)]
struct Item<'t> {
    name: &'t [u8],
    mode: u32,
    id: Oid,
    /// Where the next one begins.
    next: usize,
}

impl<'t> Item<'t> {
    fn read(tree: &'t [u8], at: usize) -> Result<Option<Self>, GitError> {
        let found = entry(tree, at)?;
        Ok(found.map(|(mode, name, id, next)| Self { name, mode, id, next }))
    }

    fn is_directory(&self) -> bool {
        self.mode == DIRECTORY
    }

    /// Git's order of a tree's entries, where a directory is called as if it ended with a slash.
    fn order(&self, other: &Self) -> Ordering {
        let shared = self.name.len().min(other.name.len());
        let end = |item: &Self| {
            item.name.get(shared).copied().or_else(|| item.is_directory().then_some(b'/'))
        };
        self.name[..shared].cmp(&other.name[..shared]).then_with(|| end(self).cmp(&end(other)))
    }

    fn entry(&self) -> Entry {
        (self.mode.cast_signed(), self.id)
    }
}

fn walk(
    odb: &Odb<'_>,
    old: Option<Oid>,
    new: Option<Oid>,
    directory: &[u8],
    found: &mut Vec<Difference>,
) -> Result<(), GitError> {
    let read = |id: Option<Oid>| id.map(|id| odb.read(id)).transpose();
    let failed = |error| GitError::lib("compare trees")(error);
    let (old, new) = (read(old).map_err(failed)?, read(new).map_err(failed)?);
    let old = old.as_ref().map_or(&[][..], |object| object.data());
    let new = new.as_ref().map_or(&[][..], |object| object.data());
    let (mut left, mut right) = (Item::read(old, 0)?, Item::read(new, 0)?);
    loop {
        let (before, after) = match (left, right) {
            (None, None) => return Ok(()),
            (Some(one), Some(other)) => match one.order(&other) {
                Ordering::Less => (left, None),
                Ordering::Equal => (left, right),
                Ordering::Greater => (None, right),
            },
            one => one,
        };
        if let Some(item) = before {
            left = Item::read(old, item.next)?;
        }
        if let Some(item) = after {
            right = Item::read(new, item.next)?;
        }
        let (was, is) = (before.map(|i| i.entry()), after.map(|i| i.entry()));
        let Some(item) = before.or(after).filter(|_| was != is) else { continue };
        let path = [directory, item.name].concat();
        // Of two with the same place in the order both are directories, or neither is.
        if item.is_directory() {
            let (was, is) = (was.map(|(_, id)| id), is.map(|(_, id)| id));
            walk(odb, was, is, &[&path, &b"/"[..]].concat(), found)?;
        } else {
            found.push((path, was, is));
        }
    }
}
