//! Worktrees that are kept ready: recycled after a task, or prepared ahead.
//!
//! A pool entry is a whole worktree in the git directory, detached at some commit and not listed by
//! git, with a small file that vouches for it. Whoever takes an entry removes that file first, so
//! that an entry in unknown condition is one that nobody vouches for: it is deleted, never used.
//! Promise: what is handed out is checked file by file against its index, whatever happened to it
//! in between; nothing that was not recycled or prepared ever gets in. An entry whose files somebody
//! changed is not used either, and is kept until the pool is emptied.

mod place;
mod recycle;
mod refresh;

use super::GitError;
use super::worktree::{
    Admin, HeadLine, Intent, Lock, Plan, Undo, WorktreeSpec, Worktrees, decode, empty, is_whole,
    log_signature, make_branch, unique,
};
use place::{PREFIX, WAY_UP};
use recycle::Clean;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A worktree that waits to be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolEntry {
    /// The name of its folder.
    pub name: String,
    /// The commit its files are of.
    pub oid: String,
    /// The size of all its files together.
    pub bytes: u64,
    /// How many they are.
    pub files: usize,
}

/// The right to add entries to the pool and to take them, until it is dropped. Held for moments.
#[derive(Debug)]
pub(super) struct PoolLock {
    _file: File,
}

/// What came of taking an entry.
enum Moved {
    In,
    /// Its files are not all there, or not as they were written.
    Changed,
    /// There are no files.
    NotWhole,
}

impl Worktrees {
    /// What is in the pool, in no particular order.
    pub fn pool_entries(&self) -> Vec<PoolEntry> {
        self.entries()
    }

    /// Prepares up to `count` worktrees at `base`, as far as the limits allow. The answer is how
    /// many were made; none where worktrees go through the git executable, or are on another file
    /// system than the git directory.
    ///
    /// # Errors
    /// When the commit cannot be read or a file cannot be written; what was made before stays.
    pub fn prepare(&self, base: &str, count: usize) -> Result<usize, GitError> {
        if self.limits.count == 0 || count == 0 || !self.is_on_one_file_system() {
            return Ok(0);
        }
        super::exclude::exclude_worktrees(&self.repo.common_dir)?;
        self.sweep_once();
        let Some(plan) = self.plan(base)? else { return Ok(0) };
        let mut made = 0;
        let mut expected_bytes = 0;
        while made < count {
            let Some(bytes) = self.prepare_one(base, &plan, expected_bytes)? else { break };
            expected_bytes = bytes;
            made += 1;
        }
        Ok(made)
    }

    /// Takes a finished worktree into the pool, off its branch, which stays as it is. Ignored files
    /// in it are deleted. `false` if it is not clean, does not fit, is not one that was written here,
    /// or is on another file system than the git directory; it is then as it was.
    ///
    /// # Errors
    /// When something cannot be read or moved; a second call, or the next process, clears up.
    pub fn recycle(&self, id: &str, path: &Path) -> Result<bool, GitError> {
        self.sweep_once();
        let admin = Admin::named(&self.repo, id);
        let path = path.canonicalize().map_err(GitError::io(format!("find {}", path.display())))?;
        let made_here = self.repo.worktrees_dir().canonicalize().ok().as_deref() == path.parent();
        let free = is_whole(&admin) && admin.lock() == Lock::None;
        let theirs = !made_here || !free || admin.folder().as_ref() != Some(&path);
        if self.limits.count == 0 || theirs {
            return Ok(false);
        }
        let (mut intent, left) = Intent::acquire(&self.intents_dir(), id)?;
        let mut trash = Vec::new();
        if let Some(left) = left {
            self.undo(&left, &mut trash)?;
        }
        let mut undo = Undo::default();
        let recycled = self.recycle_held(id, &path, &mut intent, &mut undo);
        let cleared = if recycled.is_err() { self.undo(&undo, &mut trash) } else { Ok(()) };
        if cleared.is_ok() {
            intent.finish();
        }
        empty(&trash);
        recycled
    }

    /// Deletes what is in the pool, and the folder of the worktrees if nothing else is in it. The
    /// answer is how many worktrees that were.
    ///
    /// # Errors
    /// When the pool cannot be locked or an entry cannot be moved away.
    pub fn drain(&self) -> Result<usize, GitError> {
        self.sweep_once();
        let mut trash = Vec::new();
        let guard = self.lock_pool()?;
        let entries = self.entries();
        for entry in &entries {
            self.drop_entry(&entry.name, &mut trash)?;
        }
        let changed = self.drop_changed(&mut trash)?;
        drop(guard);
        empty(&trash);
        let _ = fs::remove_dir(self.repo.worktrees_dir());
        Ok(entries.len() + changed)
    }

    /// Makes `spec` from an entry of the pool. `false` when there is none that holds.
    pub(super) fn take_from_pool(
        &self,
        spec: &WorktreeSpec,
        plan: &Plan,
        intent: &mut Intent,
        undo: &mut Undo,
        trash: &mut Vec<PathBuf>,
    ) -> Result<bool, GitError> {
        let without_entry = undo.clone();
        while let Some(entry) = self.claim(spec, &without_entry, intent, undo)? {
            match self.move_in(&entry, spec, plan, undo) {
                Ok(Moved::In) => return Ok(true),
                Ok(Moved::NotWhole) => {}
                Ok(Moved::Changed) => self.keep_changed(&entry.name)?,
                // Whatever is wrong with the entry, a fresh worktree may still be made.
                Err(error) => tracing::warn!(%error, entry.name, "pool entry given up"),
            }
            self.drop_entry(&entry.name, trash)?;
            self.undo(undo, trash)?;
        }
        Ok(false)
    }

    /// Takes the best entry off the list: one at the same commit, or any.
    fn claim(
        &self,
        spec: &WorktreeSpec,
        without_entry: &Undo,
        intent: &mut Intent,
        undo: &mut Undo,
    ) -> Result<Option<PoolEntry>, GitError> {
        if self.limits.count == 0 || !self.pool_dir().exists() {
            return Ok(None);
        }
        let _guard = self.lock_pool()?;
        let mut entries = self.entries();
        entries.sort_by_key(|entry| entry.oid != spec.base);
        let Some(entry) = entries.into_iter().next() else { return Ok(None) };
        *undo = without_entry.clone();
        undo.pool = Some(entry.name.clone());
        intent.write(undo)?;
        self.forget_entry(&entry.name)?;
        Ok(Some(entry))
    }

    /// Checks an entry, brings it to the base, and moves it to its place.
    fn move_in(
        &self,
        entry: &PoolEntry,
        spec: &WorktreeSpec,
        plan: &Plan,
        undo: &Undo,
    ) -> Result<Moved, GitError> {
        let admin = self.entry_admin(&entry.name);
        let tree = self.entry_tree(&entry.name);
        if !is_whole(&admin) || admin.folder() != tree.canonicalize().ok() {
            return Ok(if tree.exists() { Moved::Changed } else { Moved::NotWhole });
        }
        let Ok(index) = fs::read(admin.dir.join("index")) else { return Ok(Moved::Changed) };
        let Some(cached) = decode(&index) else { return Ok(Moved::Changed) };
        if !refresh::is_untouched(&tree, &cached) {
            return Ok(Moved::Changed);
        }
        admin.mark()?;
        // By its files and not its commit: nothing keeps git from pruning the objects of an entry,
        // so that its index must not stay unless it names those of the base.
        if !plan.is_that_of(&cached) {
            self.refresh(&admin, &tree, &cached, plan)?;
        }
        let target = Admin::named(&self.repo, &spec.id);
        // Git reads what is under `worktrees/` at any time, so it gets there in its final form.
        admin.set_common("../..")?;
        admin.set_head(HeadLine::Branch(&spec.branch))?;
        admin.set_folder(&spec.path)?;
        let moving = || GitError::io(format!("move {} into place", entry.name));
        fs::rename(&tree, &spec.path).map_err(moving())?;
        target.replace_git_file(&spec.path)?;
        target.move_from(&admin).map_err(moving())?;
        let _ = fs::remove_dir(self.entry_dir(&entry.name));
        make_branch(&plan.handle, spec, undo.branch.is_none())?;
        target.start_log(&spec.base, log_signature(&plan.handle)?.as_deref())?;
        target.release()?;
        Ok(Moved::In)
    }

    fn prepare_one(
        &self,
        base: &str,
        plan: &Plan,
        expected_bytes: u64,
    ) -> Result<Option<u64>, GitError> {
        let name = format!("{PREFIX}{}", unique());
        let (mut intent, _) = Intent::acquire(&self.intents_dir(), &name)?;
        let undo = Undo { pool: Some(name.clone()), ..Undo::default() };
        let mut trash = Vec::new();
        let result = self.prepare_held(base, plan, &undo, &mut intent, expected_bytes);
        let cleared = match &result {
            Ok(Some(_)) => Ok(()),
            _ => self.undo(&undo, &mut trash).and_then(|()| self.drop_entry(&name, &mut trash)),
        };
        if cleared.is_ok() {
            intent.finish();
        }
        empty(&trash);
        result
    }

    fn prepare_held(
        &self,
        base: &str,
        plan: &Plan,
        undo: &Undo,
        intent: &mut Intent,
        expected_bytes: u64,
    ) -> Result<Option<u64>, GitError> {
        let Some(name) = &undo.pool else { return Ok(None) };
        let folder = &self.entry_tree(name);
        {
            let _guard = self.lock_pool()?;
            if !self.has_room(expected_bytes) {
                return Ok(None);
            }
            intent.write(undo)?;
            fs::create_dir_all(folder)
                .map_err(GitError::io(format!("create {}", folder.display())))?;
        }
        let admin = self.entry_admin(name);
        admin.make(&self.staging_dir(name), folder, HeadLine::Detached(base))?;
        admin.set_common(WAY_UP)?;
        let stats = self.fill(&admin, folder, base, plan)?;
        let bytes = stats.iter().map(|stat| u64::from(stat.size())).sum();
        let entry =
            PoolEntry { name: name.clone(), oid: base.to_owned(), bytes, files: stats.len() };
        let _guard = self.lock_pool()?;
        let others: u64 = self.entries().iter().map(|entry| entry.bytes).sum();
        if others + bytes > self.limits.bytes {
            return Ok(None);
        }
        admin.release()?;
        self.vouch(&entry)?;
        Ok(Some(bytes))
    }

    fn recycle_held(
        &self,
        id: &str,
        path: &Path,
        intent: &mut Intent,
        undo: &mut Undo,
    ) -> Result<bool, GitError> {
        let Some(clean) = self.examine(&Admin::named(&self.repo, id), path)? else {
            return Ok(false);
        };
        let name = format!("{PREFIX}{}", unique());
        let tree = self.entry_tree(&name);
        let moving = || GitError::io(format!("move {} into the pool", path.display()));
        {
            let _guard = self.lock_pool()?;
            if !self.has_room(clean.bytes) {
                return Ok(false);
            }
            *undo =
                Undo { admins: vec![id.to_owned()], pool: Some(name.clone()), ..Undo::default() };
            intent.write(undo)?;
            fs::create_dir_all(self.entry_dir(&name)).map_err(moving())?;
            // From here on it is the pool's: a crash before leaves a clean worktree where it was.
            if let Err(error) = fs::rename(path, &tree) {
                let _ = fs::remove_dir(self.entry_dir(&name));
                let elsewhere = error.kind() == ErrorKind::CrossesDevices;
                return if elsewhere { Ok(false) } else { Err(moving()(error)) };
            }
        }
        if let Err(error) = clean.remove_ignored(&tree) {
            // It has not been changed but for ignored files, and is its owner's again.
            fs::rename(&tree, path).map_err(moving())?;
            let _ = fs::remove_dir(self.entry_dir(&name));
            return Err(error);
        }
        let admin = self.entry_admin(&name);
        fs::rename(&Admin::named(&self.repo, id).dir, &admin.dir).map_err(moving())?;
        admin.mark()?;
        admin.set_common(WAY_UP)?;
        admin.strip()?;
        admin.set_head(HeadLine::Detached(&clean.oid))?;
        admin.write_index(&clean.index)?;
        admin.join(&tree)?;
        admin.release()?;
        let Clean { oid, bytes, files, .. } = clean;
        self.vouch(&PoolEntry { name, oid, bytes, files })?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
