//! Putting right what a killed landing left (the states are listed in `land.rs`).
//!
//! Promise: a file is touched only when its content is exactly that of the other side of the
//! landing, the beginning of one side (a write that was cut short), or it is missing. Anything else is
//! somebody's work: it stays, and is named.

use super::changes::Version;
use super::checkout::{Checkout, run, run_with_input};
use super::land::LockedIndex;
use super::landing_note::{Landing, Note};
use super::{GitError, Repo, names};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

/// Which side of a landing the files shall have.
#[derive(Clone, Copy)]
enum Side {
    Old,
    New,
}

impl Repo {
    /// As [`Repo::finish_landing`], with the note in hand.
    pub(crate) fn finish(&self, note: &mut Note) -> Result<Vec<String>, GitError> {
        let Some(landing) = note.read()? else { return Ok(Vec::new()) };
        let checkout =
            Checkout { path: landing.checkout.clone(), git_dir: landing.git_dir.clone() };
        if !landing.began || !checkout.path.exists() || !checkout.git_dir.join("HEAD").exists() {
            // Nothing was touched yet, or the checkout is gone.
            LockedIndex::clear_away(&checkout)?;
            note.clear()?;
            return Ok(Vec::new());
        }
        let place = checkout.path.display();
        let current = self.ref_target(&format!("refs/heads/{}", landing.branch))?;
        let lock = checkout.git_dir.join("index.lock");
        // The git that was writing the lock, killed as well, leaves the lock's own lock.
        _ = std::fs::remove_file(checkout.git_dir.join("index.lock.lock"));
        let index = if lock.exists() {
            LockedIndex { checkout: &checkout }
        } else {
            // Either all was done but the note, or a person removed the lock as git suggests.
            LockedIndex::take(&checkout)?
        };
        let mut notes = Vec::new();
        let side = match current {
            Some(current) if current == landing.new => Side::New,
            Some(current) if current == landing.old => Side::Old,
            _ => {
                index.give_up()?;
                note.clear()?;
                return Ok(vec![format!(
                    "a landing on {} was cut short and the branch has moved since; look at: git -C \
                     {place} status",
                    landing.branch
                )]);
            }
        };
        let left = self.bring_files_to(side, &index, &landing)?;
        match side {
            Side::New => {
                index.refill()?;
                run(index.command(&["read-tree", "-i", "-m", &landing.old, &landing.new]))?;
                index.refresh();
                index.commit()?;
                notes.push(format!("finished a landing on {} that was cut short", landing.branch));
            }
            Side::Old => {
                index.give_up()?;
                notes.push(format!("took back a landing on {} that was cut short", landing.branch));
            }
        }
        if !left.is_empty() {
            notes.push(format!(
                "left as they are in {place}, because somebody changed them meanwhile: {}",
                names::some(&left)
            ));
        }
        note.clear()?;
        Ok(notes)
    }

    /// Takes a landing back that failed half-way.
    pub(crate) fn put_back(
        &self,
        index: &LockedIndex<'_>,
        landing: &Landing,
    ) -> Result<(), GitError> {
        self.bring_files_to(Side::Old, index, landing).map(drop)
    }

    /// Gives the files that the landing changes the content of one side; returns those that have
    /// neither.
    fn bring_files_to(
        &self,
        side: Side,
        index: &LockedIndex<'_>,
        landing: &Landing,
    ) -> Result<Vec<String>, GitError> {
        let checkout = index.checkout;
        let changes = self.tree_changes(&landing.old, &landing.new)?;
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for change in changes {
            let (other, wanted) = match side {
                Side::New => (change.old, change.new),
                Side::Old => (change.new, change.old),
            };
            from.push((change.path.clone(), other));
            to.push((change.path, wanted));
        }
        let unlike_from = Versions::new(checkout, &from)?.differing()?;
        let wanted = Versions::new(checkout, &to)?;
        let unlike_to = wanted.differing()?;
        let mut left = Vec::new();
        let mut write = Vec::new();
        // Removals first: a directory may stand where a file belongs.
        for ((path, version), (_, other)) in to.iter().zip(&from) {
            if !unlike_to.contains(path) {
                continue;
            }
            let place = checkout.path.join(names::path(path));
            let missing = std::fs::symlink_metadata(&place).is_err();
            let neither = !missing && unlike_from.contains(path) && !place.is_dir();
            if neither && !is_torn(checkout, path, &place, [other, version])? {
                left.push(names::show(path));
            } else if version.is_some() {
                write.extend_from_slice(path);
                write.push(0);
            } else {
                remove_file(&checkout.path, &place)?;
            }
        }
        wanted.write(&write)?;
        Ok(left)
    }
}

/// Whether a file is the beginning of one of its versions, the empty one included: git was killed while it
/// wrote it. All that it holds is in the repository.
fn is_torn(
    checkout: &Checkout,
    path: &[u8],
    place: &Path,
    versions: [&Option<Version>; 2],
) -> Result<bool, GitError> {
    if !std::fs::symlink_metadata(place).is_ok_and(|meta| meta.is_file()) {
        return Ok(false);
    }
    let found = std::fs::read(place).map_err(GitError::io(format!("read {}", place.display())))?;
    for version in versions.into_iter().flatten().filter(|version| version.mode.starts_with("100"))
    {
        let mut named = OsString::from("--path=");
        named.push(names::path(path));
        let args = ["cat-file".into(), "--filters".into(), named, version.oid.clone().into()];
        let whole = checkout.git(&args)?;
        if found.len() < whole.len() && whole.starts_with(&found) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes a file and the directories that are empty without it.
fn remove_file(top: &Path, place: &Path) -> Result<(), GitError> {
    std::fs::remove_file(place).map_err(GitError::io(format!("remove {}", place.display())))?;
    for parent in place.ancestors().skip(1).take_while(|parent| *parent != top) {
        if std::fs::remove_dir(parent).is_err() {
            break;
        }
    }
    Ok(())
}

/// Some paths at one version, in an index of their own: git compares and writes them with its
/// filters.
struct Versions<'c> {
    checkout: &'c Checkout,
    place: tempfile::TempDir,
    paths: &'c [(Vec<u8>, Option<Version>)],
}

impl<'c> Versions<'c> {
    fn new(
        checkout: &'c Checkout,
        paths: &'c [(Vec<u8>, Option<Version>)],
    ) -> Result<Self, GitError> {
        let place = tempfile::Builder::new()
            .prefix("orch-index-")
            .tempdir_in(&checkout.git_dir)
            .map_err(GitError::io("make a temporary index"))?;
        let versions = Self { checkout, place, paths };
        let mut info = Vec::new();
        for (path, version) in paths {
            if let Some(version) = version {
                info.extend_from_slice(format!("{} {}\t", version.mode, version.oid).as_bytes());
                info.extend_from_slice(path);
                info.push(0);
            }
        }
        run_with_input(versions.command(&["update-index", "-z", "--index-info"]), &info)?;
        Ok(versions)
    }

    /// The paths whose file is not this version (or is there where there should be none).
    fn differing(&self) -> Result<BTreeSet<Vec<u8>>, GitError> {
        _ = run(self.command(&["update-index", "-q", "--refresh"]));
        let listing = run(self.command(&["diff-files", "-z", "--name-only"]))?;
        let mut found: BTreeSet<Vec<u8>> =
            names::nul_separated(&listing).map(<[u8]>::to_vec).collect();
        for (path, _) in self.paths.iter().filter(|(_, version)| version.is_none()) {
            let place = self.checkout.path.join(names::path(path));
            // A directory is other files' business.
            if std::fs::symlink_metadata(place).is_ok_and(|meta| !meta.is_dir()) {
                found.insert(path.clone());
            }
        }
        Ok(found)
    }

    /// Writes files, named with a NUL after each.
    fn write(&self, paths: &[u8]) -> Result<(), GitError> {
        let args = ["checkout-index", "--force", "-z", "--stdin"];
        run_with_input(self.command(&args), paths).map(drop)
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.checkout.command(args);
        command.env("GIT_INDEX_FILE", self.place.path().join("index"));
        command
    }
}
