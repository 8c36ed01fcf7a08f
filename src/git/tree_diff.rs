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

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, write};
    use super::*;

    /// What `git diff-tree` says of two commits.
    fn by_git(fixture: &Fixture, old: &str, new: &str) -> Vec<String> {
        let told = fixture.git(&["diff-tree", "-r", "--no-renames", "--name-only", old, new]);
        let mut paths: Vec<String> = told.lines().map(str::to_owned).collect();
        paths.sort();
        paths
    }

    #[test]
    fn it_says_what_git_says_also_where_files_and_folders_change_places() {
        let fixture = Fixture::new();
        let commit = |files: &[&str]| {
            fixture.git(&["rm", "-rqf", "."]);
            for file in files {
                write(&fixture.root, file, file);
            }
            fixture.git(&["add", "-A"]);
            fixture.git(&["commit", "-qm", "next"]);
            fixture.oid("HEAD")
        };
        // In git's order a folder stands behind `a-b` and `a.b`, before `a0`.
        let commits = [
            commit(&["a", "a-b", "a.b", "a0", "d/e/f", "d/g"]),
            commit(&["a/x", "a/y/z", "a-b", "a0", "d/e", "d/g"]),
            commit(&["a", "a.b", "a0/a0", "d"]),
            commit(&["a/x", "a-b/c", "b"]),
        ];
        let repo = fixture.repo.open().unwrap();
        let tree = |id: &str| repo.find_commit(Oid::from_str(id).unwrap()).unwrap().tree().unwrap();
        for old in &commits {
            for new in &commits {
                let found = differences(&repo, &tree(old), &tree(new)).unwrap();
                let mut paths: Vec<String> = found
                    .iter()
                    .map(|(path, ..)| String::from_utf8_lossy(path).into_owned())
                    .collect();
                paths.dedup();
                assert_eq!(paths, by_git(&fixture, old, new));
                assert!(found.iter().all(|(_, was, is)| was != is));
            }
        }
    }
}
