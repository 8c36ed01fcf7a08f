//! Throwing away what is half made, and only that.

use super::super::executable::git;
use super::super::{GitError, Repo};
use super::admin::{Lock, git_file_target};
use super::{Admin, Intent, Undo, Worktrees};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};

/// Folders in the pool that only wait to be deleted begin with this.
pub(in crate::git) const TRASH: &str = "trash-";

impl Worktrees {
    /// Where the intents are.
    pub(in crate::git) fn intents_dir(&self) -> PathBuf {
        self.repo.state_dir().join("intents")
    }

    /// Where an entry for git's bookkeeping is put together before it is renamed into place.
    pub(in crate::git) fn staging_dir(&self, name: &str) -> PathBuf {
        self.repo.state_dir().join("staging").join(name)
    }

    /// Undoes what was begun and did not end. What is whole is left alone: then the work had ended,
    /// or had not begun. Folders to delete are moved aside and added to `trash`.
    pub(in crate::git) fn undo(
        &self,
        undo: &Undo,
        trash: &mut Vec<PathBuf>,
    ) -> Result<(), GitError> {
        let mut admins: Vec<Admin> =
            undo.admins.iter().map(|name| Admin::named(&self.repo, name)).collect();
        admins.extend(undo.pool.iter().map(|name| self.entry_admin(name)));
        if admins.iter().any(is_whole) {
            return Ok(());
        }
        if let Some(name) = &undo.pool {
            self.forget_entry(name)?;
        }
        for folder in &undo.folders {
            let ours = folder.starts_with(self.former_pool_dir())
                || admins.iter().any(|admin| admin.owns(folder))
                || git_file_target(folder)
                    .is_some_and(|dir| admins.iter().any(|admin| admin.dir == dir))
                || barely_begun(folder, &admins);
            if ours {
                self.set_aside(folder, trash)?;
            } else {
                // Made, but nothing written to it yet. Anything in it keeps it.
                let _ = fs::remove_dir(folder);
            }
        }
        for name in undo.admins.iter().chain(&undo.pool) {
            let _ = fs::remove_dir_all(self.staging_dir(name));
        }
        if let Some(name) = &undo.pool {
            self.drop_entry(name, trash)?;
        }
        for admin in admins {
            let of_nobody = admin.folder().is_none_or(|folder| !admin.owns(&folder));
            if matches!(admin.lock(), Lock::Ours | Lock::Git) || (of_nobody && admin.exists()) {
                admin.remove()?;
            }
        }
        match &undo.branch {
            Some((name, oid)) => delete_branch_at(&self.repo, name, oid),
            None => Ok(()),
        }
    }

    /// As [`Self::undo`], where the process that began it is known to be dead: a lock that it held
    /// on the new branch goes too, or nobody could ever make the branch.
    pub(in crate::git) fn undo_of_the_dead(
        &self,
        undo: &Undo,
        trash: &mut Vec<PathBuf>,
    ) -> Result<(), GitError> {
        // In a whole worktree an agent may be at work, and the lock may be its own.
        let whole = undo.admins.iter().any(|name| is_whole(&Admin::named(&self.repo, name)));
        if let (Some((branch, _)), false) = (&undo.branch, whole) {
            let lock = self.repo.common_dir.join("refs/heads").join(format!("{branch}.lock"));
            match fs::remove_file(&lock) {
                // A reference table is a file where the loose refs would be a directory.
                Err(e) if !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Err(GitError::io(format!("remove {}", lock.display()))(e));
                }
                _ => {}
            }
        }
        self.undo(undo, trash)
    }

    /// Once in a process (further calls do nothing): finds the intents of dead owners, and what is in the pool that nobody
    /// answers for. A failure here only means that the rubbish stays for the next time.
    pub fn sweep_once(&self) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if !*swept {
            *swept = true;
            if let Err(error) = self.sweep() {
                tracing::warn!(%error, "left-over worktrees could not be cleared up");
            }
        }
    }

    fn sweep(&self) -> Result<(), GitError> {
        let intents = files_in(&self.intents_dir());
        if intents.is_empty() && !self.pool_dir().exists() && !self.former_pool_dir().exists() {
            return Ok(());
        }
        let mut trash = Vec::new();
        let guard = self.lock_pool()?;
        for path in intents {
            if let Some((intent, left)) = Intent::of_the_dead(&path) {
                if let Some(left) = left {
                    self.undo_of_the_dead(&left, &mut trash)?;
                }
                intent.finish();
            }
        }
        let claimed = self.claimed_entries();
        self.sweep_pool(&claimed, &mut trash)?;
        self.sweep_former_pool(&claimed, &mut trash)?;
        drop(guard);
        empty(&trash);
        let _ = fs::remove_dir(self.former_pool_dir());
        Ok(())
    }

    /// Pool entries that a living intent is about.
    pub(in crate::git) fn claimed_entries(&self) -> Vec<String> {
        let intents = files_in(&self.intents_dir());
        intents.iter().filter_map(|path| Intent::peek(path)?.pool).collect()
    }

    /// Moves a folder out of the way at once; deleting it may take long.
    pub(in crate::git) fn set_aside(
        &self,
        folder: &Path,
        trash: &mut Vec<PathBuf>,
    ) -> Result<(), GitError> {
        if fs::symlink_metadata(folder).is_err() {
            return Ok(());
        }
        // The second is for a worktree on another file system than the git directory.
        for dir in [self.pool_dir(), self.former_pool_dir()] {
            let aside = dir.join(format!("{TRASH}{}", unique()));
            if fs::create_dir_all(&dir).and_then(|()| fs::rename(folder, &aside)).is_ok() {
                trash.push(aside);
                return Ok(());
            }
            let _ = fs::remove_dir(&dir);
        }
        fs::remove_dir_all(folder).map_err(GitError::io(format!("remove {}", folder.display())))
    }
}

/// Deletes what was set aside. What cannot be deleted is in nobody's way, and is tried again.
pub(in crate::git) fn empty(trash: &[PathBuf]) {
    for folder in trash {
        if let Err(error) = fs::remove_dir_all(folder)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, folder = %folder.display(), "could not be deleted");
        }
    }
    // The folder of the pool goes with the last of them, so that nothing is left.
    for pool in trash.iter().filter_map(|folder| folder.parent()) {
        let _ = fs::remove_dir(pool);
    }
}

/// A name that no other thread or process makes at this time.
pub(in crate::git) fn unique() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() & 0xffff_ffff);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{time:x}-{count:x}", std::process::id())
}

/// An entry and a folder that point at each other, and nobody at work on them.
pub(in crate::git) fn is_whole(admin: &Admin) -> bool {
    matches!(admin.lock(), Lock::None | Lock::Person(_))
        && admin.folder().is_some_and(|folder| admin.owns(&folder))
}

/// Whether a folder holds nothing but the beginning of a `.git` file that leads to one of `admins`:
/// the process died between creating the file and writing it.
fn barely_begun(folder: &Path, admins: &[Admin]) -> bool {
    let entries = files_in(folder);
    let begun = |path: &PathBuf| {
        let named = path.file_name().is_some_and(|name| name == ".git" || name == ".git.orch");
        named
            && fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
            && fs::read(path)
                .is_ok_and(|text| admins.iter().any(|a| a.git_file_line().starts_with(&text)))
    };
    !entries.is_empty() && entries.iter().all(begun)
}

/// Deletes a branch if it still is where it was created.
fn delete_branch_at(repo: &Repo, branch: &str, oid: &str) -> Result<(), GitError> {
    if repo.branch_tip(branch)?.as_deref() != Some(oid) {
        return Ok(());
    }
    let name = format!("refs/heads/{branch}");
    if repo.refused_by_libgit2().is_some() {
        return git(repo.place(), &["update-ref", "-d", &name, oid]).map(|_| ());
    }
    let handle = repo.open()?;
    // Compares with the value it was found at, under the lock of the ref.
    let deleted = handle.find_reference(&name).and_then(|mut found| found.delete());
    deleted.map_err(GitError::lib(format!("delete the half-made branch {branch}")))
}

/// The paths in a folder, none if it does not exist.
pub(in crate::git) fn files_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).map(|list| list.flatten().map(|entry| entry.path()));
    entries.map(Iterator::collect).unwrap_or_default()
}
