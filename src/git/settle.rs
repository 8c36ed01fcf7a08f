//! Waiting until a commit is on the disk.
//!
//! Neither libgit2 nor git (as it is configured by default) syncs loose objects: after a power failure a
//! branch may name a commit that is not there. What the journal calls done must not be lost that way.

use super::{GitError, Repo};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

impl Repo {
    /// Syncs what is new in `commit` beside `since`, and the branch (a short name) that points to it. An
    /// object that is in a pack was synced when the pack was made. How many objects were.
    ///
    /// # Errors
    /// What the file system refuses, or libgit2. A repository that libgit2 cannot open is left to git.
    pub fn settle(&self, commit: &str, since: &str, branch: &str) -> Result<usize, GitError> {
        if self.refused_by_libgit2().is_some() {
            return Ok(0);
        }
        let repo = self.open()?;
        let lib = |e| GitError::lib(format!("read what is new in {commit}"))(e);
        let mut new = BTreeSet::new();
        let mut walk = repo.revwalk().map_err(lib)?;
        walk.push(super::changes::oid(commit)?).map_err(lib)?;
        walk.hide(super::changes::oid(since)?).map_err(lib)?;
        for oid in walk {
            let commit = repo.find_commit(oid.map_err(lib)?).map_err(lib)?;
            let tree = commit.tree().map_err(lib)?;
            let before = commit.parent(0).and_then(|parent| parent.tree()).ok();
            new.extend([commit.id(), tree.id()]);
            gather(&repo, before.as_ref(), &tree, &mut new).map_err(lib)?;
        }
        let objects = self.common_dir.join("objects");
        let mut folders = BTreeSet::from([objects.clone()]);
        let mut synced = 0;
        for oid in new {
            let name = oid.to_string();
            let folder = objects.join(&name[..2]);
            if sync(&folder.join(&name[2..]))? {
                folders.insert(folder);
                synced += 1;
            }
        }
        let reference = self.common_dir.join("refs/heads").join(branch);
        if sync(&reference)? {
            folders.extend(reference.parent().map(Path::to_owned));
        }
        for folder in folders {
            sync(&folder)?;
        }
        Ok(synced)
    }
}

/// Trees and blobs of `tree` that are not in `before` at the same place.
fn gather(
    repo: &git2::Repository,
    before: Option<&git2::Tree<'_>>,
    tree: &git2::Tree<'_>,
    new: &mut BTreeSet<git2::Oid>,
) -> Result<(), git2::Error> {
    for entry in tree {
        let old = before.and_then(|before| before.get_name_bytes(entry.name_bytes()));
        if old.as_ref().is_some_and(|old| old.id() == entry.id()) || !new.insert(entry.id()) {
            continue;
        }
        if entry.kind() == Some(git2::ObjectType::Tree) {
            let below = repo.find_tree(entry.id())?;
            let old = old.and_then(|old| repo.find_tree(old.id()).ok());
            gather(repo, old.as_ref(), &below, new)?;
        }
    }
    Ok(())
}

/// Whether there is such a file (or folder), which is on the disk then.
fn sync(path: &Path) -> Result<bool, GitError> {
    let doing = |path: &Path| format!("sync {}", PathBuf::from(path).display());
    match File::open(path) {
        Ok(file) => file.sync_all().map(|()| true).map_err(GitError::io(doing(path))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(GitError::io(doing(path))(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::worktree::fixture::Fixture;

    #[test]
    fn every_new_object_is_synced_and_no_other() {
        let fixture = Fixture::varied();
        let repo = fixture.repo();
        let start = repo.head().unwrap().oid;
        assert_eq!(repo.settle(&start, &start, "main").unwrap(), 0);
        for n in 1..=2 {
            std::fs::create_dir_all(fixture.root().join("new/deep")).unwrap();
            std::fs::write(fixture.root().join("new/deep/file"), format!("{n}\n")).unwrap();
            fixture.git(&["add", "new"]);
            fixture.git(&["commit", "-qm", "more"]);
        }
        let head = repo.head().unwrap().oid;
        let new = fixture.git(&["rev-list", "--objects", &head, "--not", &start]);
        assert_eq!(new.lines().count(), 10, "2 x (commit, 3 trees, blob)");
        assert_eq!(repo.settle(&head, &start, "main").unwrap(), 10);
        fixture.git(&["repack", "-adq"]);
        assert_eq!(repo.settle(&head, &start, "main").unwrap(), 0, "packed");
    }
}
