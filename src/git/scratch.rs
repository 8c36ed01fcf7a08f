//! Worktrees for a moment: verification runs in them, then they go.
//!
//! Promise: only what was made here is removed. Each has a claim in `orch/scratch/` of the common
//! git directory, written before the worktree and locked while its owner lives; a sweep removes
//! what an unlocked claim names, and nothing without one.

use super::checkout::run;
use super::executable::command;
use super::{GitError, Repo};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A detached worktree that is removed on drop.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    claim: Claim,
}

impl Scratch {
    /// The worktree (absolute).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it as a killed process does.
    #[cfg(test)]
    pub(crate) fn abandon(self) {
        self.claim.file.unlock().unwrap();
        std::mem::forget(self);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next sweep.
        _ = self.claim.settle();
    }
}

impl Repo {
    /// Makes a detached worktree at `commit`.
    ///
    /// # Errors
    /// When the commit does not exist or cannot be checked out.
    pub fn scratch(&self, commit: &str) -> Result<Scratch, GitError> {
        let claim = self.claim("scratch")?;
        let path = claim.path.clone();
        let mut add = command(
            self.root.as_ref().unwrap_or(&self.common_dir),
            &["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach"],
        );
        add.arg(&path).arg(commit);
        match run(add) {
            Ok(_) => Ok(Scratch { path, claim }),
            Err(error) => {
                _ = claim.settle();
                Err(error)
            }
        }
    }

    /// Removes what killed processes left; returns the directories.
    ///
    /// # Errors
    /// When the claims cannot be read. A directory that cannot be removed is left for the next
    /// time.
    pub fn sweep_scratch(&self) -> Result<Vec<PathBuf>, GitError> {
        let claims = self.claims();
        let entries = match std::fs::read_dir(&claims) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(GitError::io(format!("read {}", claims.display()))(error)),
        };
        let mut swept = Vec::new();
        for entry in entries.flatten() {
            let Some(claim) = self.abandoned(&entry.path()) else { continue };
            let there = claim.path.exists();
            if claim.settle().is_ok() && there {
                swept.push(claim.path);
            }
        }
        Ok(swept)
    }

    /// Claims a path under `.worktrees` that does not exist.
    pub(crate) fn claim(&self, kind: &str) -> Result<Claim, GitError> {
        let claims = self.claims();
        std::fs::create_dir_all(&claims)
            .map_err(GitError::io(format!("create {}", claims.display())))?;
        let file = tempfile::Builder::new()
            .prefix(&format!("{kind}-"))
            .tempfile_in(&claims)
            .map_err(GitError::io(format!("write in {}", claims.display())))?;
        let (file, note) = file
            .keep()
            .map_err(|error| GitError::io(format!("write in {}", claims.display()))(error.error))?;
        // Nobody else knows the name yet, so the lock is free.
        file.lock().map_err(GitError::io(format!("lock {}", note.display())))?;
        let name = note.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = self.worktrees_dir().join(format!(".{name}"));
        let mut claim = Claim { note, path, common_dir: self.common_dir.clone(), file };
        claim
            .file
            .write_all(claim.path.as_os_str().as_encoded_bytes())
            .and_then(|()| claim.file.sync_all())
            .map_err(GitError::io(format!("write {}", claim.note.display())))?;
        Ok(claim)
    }

    /// A claim whose owner is dead.
    fn abandoned(&self, note: &Path) -> Option<Claim> {
        let file = File::options().read(true).write(true).open(note).ok()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
        }
        let name = note.file_name()?.to_str()?;
        let path = self.worktrees_dir().join(format!(".{name}"));
        let written = std::fs::read(note).ok()?;
        // A claim that was cut short was made before its directory.
        let ours = written == path.as_os_str().as_encoded_bytes();
        if !ours && path.exists() {
            return None;
        }
        Some(Claim { note: note.to_owned(), path, common_dir: self.common_dir.clone(), file })
    }

    fn claims(&self) -> PathBuf {
        self.common_dir.join("orch").join("scratch")
    }
}

/// The right to remove a directory.
#[derive(Debug)]
pub(crate) struct Claim {
    note: PathBuf,
    /// The directory; it need not exist.
    pub path: PathBuf,
    common_dir: PathBuf,
    /// Locked as long as the owner lives.
    file: File,
}

impl Claim {
    /// Removes the directory, what git knows of it, and the claim.
    pub fn settle(&self) -> Result<(), GitError> {
        let admin = self.admin_directory();
        remove_tree(&self.path)?;
        if let Some(admin) = admin {
            remove_tree(&admin)?;
        }
        std::fs::remove_file(&self.note)
            .map_err(GitError::io(format!("remove {}", self.note.display())))
    }

    /// The git directory of the worktree: the one that says it belongs to our path.
    fn admin_directory(&self) -> Option<PathBuf> {
        admin_directory(&self.common_dir, &self.path)
    }
}

/// The directory in `worktrees/` whose `gitdir` names this worktree.
pub(crate) fn admin_directory(common_dir: &Path, worktree: &Path) -> Option<PathBuf> {
    let dot_git = worktree.join(".git");
    std::fs::read_dir(common_dir.join("worktrees")).ok()?.flatten().map(|e| e.path()).find(
        |admin| {
            std::fs::read(admin.join("gitdir")).is_ok_and(|text| {
                let named = admin.join(super::names::path(text.trim_ascii()));
                named == dot_git || super::checkout::same_place(&named, &dot_git)
            })
        },
    )
}

/// Removes a directory and everything in it, also from directories that were made read-only (as
/// package caches are). That it is not there is fine.
pub(crate) fn remove_tree(path: &Path) -> Result<(), GitError> {
    let removed = match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            make_writable(path);
            std::fs::remove_dir_all(path)
        }
        other => other,
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(GitError::io(format!("remove {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

#[expect(clippy::permissions_set_readonly_false, reason = "the directory is about to be removed")]
fn make_writable(directory: &Path) {
    let Ok(meta) = std::fs::symlink_metadata(directory) else { return };
    if !meta.is_dir() {
        return;
    }
    let mut permissions = meta.permissions();
    if permissions.readonly() {
        permissions.set_readonly(false);
        // If it fails, the removal that follows says why.
        _ = std::fs::set_permissions(directory, permissions);
    }
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        make_writable(&entry.path());
    }
}
