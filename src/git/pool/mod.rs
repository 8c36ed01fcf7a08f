//! Worktrees that are kept ready: recycled after a task, or prepared ahead.
//!
//! A pool entry is a whole worktree under `.worktrees/.pool/`, detached at some commit, and a small
//! file under `orch/pool/` that vouches for it. Whoever takes an entry removes that file first, so
//! that an entry in unknown condition is one that nobody vouches for: it is deleted, never used.
//! Promise: what is handed out is checked file by file against its index, whatever happened to it
//! in between; nothing that was not recycled or prepared ever gets in.

mod recycle;
mod refresh;

use super::GitError;
use super::worktree::{
    Admin, HeadLine, Intent, Lock, Plan, Undo, WorktreeSpec, Worktrees, decode, empty, files_in,
    is_whole, unique,
};
use recycle::Clean;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Names of pool entries begin with this, as folders and in git's bookkeeping.
const PREFIX: &str = "orch-pool-";

/// A worktree that waits to be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolEntry {
    /// Its name in `git worktree list`.
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

impl Worktrees {
    /// What is in the pool, in no particular order.
    pub fn pool_entries(&self) -> Vec<PoolEntry> {
        self.entries()
    }

    /// Prepares up to `count` worktrees at `base`, as far as the limits allow. The answer is how
    /// many were made; none where worktrees go through the git executable.
    ///
    /// # Errors
    /// When the commit cannot be read or a file cannot be written; what was made before stays.
    pub fn prepare(&self, base: &str, count: usize) -> Result<usize, GitError> {
        if self.limits.count == 0 || count == 0 {
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
    /// in it are deleted. `false` if it is not clean, does not fit, or is not one that was written
    /// here; it is then as it was.
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

    /// Deletes what is in the pool. The answer is how many worktrees that were.
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
        drop(guard);
        empty(&trash);
        Ok(entries.len())
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
                Ok(true) => return Ok(true),
                Ok(false) => {}
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
        if self.limits.count == 0 || !self.vouchers_dir().exists() {
            return Ok(None);
        }
        let _guard = self.lock_pool()?;
        let mut entries = self.entries();
        entries.sort_by_key(|entry| entry.oid != spec.base);
        let Some(entry) = entries.into_iter().next() else { return Ok(None) };
        *undo = without_entry.clone();
        undo.admins.push(entry.name.clone());
        undo.folders.push(self.pool_dir().join(&entry.name));
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
    ) -> Result<bool, GitError> {
        let admin = Admin::named(&self.repo, &entry.name);
        let folder = self.pool_dir().join(&entry.name);
        if !is_whole(&admin) || admin.folder().as_ref() != Some(&folder) {
            return Ok(false);
        }
        let Ok(index) = fs::read(admin.dir.join("index")) else { return Ok(false) };
        let Some(cached) = decode(&index) else { return Ok(false) };
        if !refresh::is_untouched(&folder, &cached) {
            return Ok(false);
        }
        admin.mark()?;
        if entry.oid != spec.base {
            self.refresh(&admin, &folder, &cached, plan)?;
        }
        let target = Admin::named(&self.repo, &spec.id);
        let moving = || GitError::io(format!("move {} into place", entry.name));
        fs::rename(&admin.dir, &target.dir).map_err(moving())?;
        fs::rename(&folder, &spec.path).map_err(moving())?;
        target.join(&spec.path)?;
        target.set_head(HeadLine::Branch(&spec.branch))?;
        self.make_branch(spec, undo.branch.is_none())?;
        target.start_log(&spec.base, self.log_signature()?.as_deref())?;
        target.release()?;
        Ok(true)
    }

    fn prepare_one(
        &self,
        base: &str,
        plan: &Plan,
        expected_bytes: u64,
    ) -> Result<Option<u64>, GitError> {
        let name = format!("{PREFIX}{}", unique());
        let folder = self.pool_dir().join(&name);
        let (mut intent, _) = Intent::acquire(&self.intents_dir(), &name)?;
        let undo = Undo {
            admins: vec![name.clone()],
            folders: vec![folder.clone()],
            branch: None,
            pool: Some(name.clone()),
        };
        let mut trash = Vec::new();
        let result = self.prepare_held(base, plan, &undo, &mut intent, expected_bytes);
        let cleared = match &result {
            Ok(Some(_)) => Ok(()),
            _ => self.undo(&undo, &mut trash),
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
        let (Some(name), Some(folder)) = (&undo.pool, undo.folders.first()) else {
            return Ok(None);
        };
        {
            let _guard = self.lock_pool()?;
            if !self.has_room(expected_bytes) {
                return Ok(None);
            }
            intent.write(undo)?;
            fs::create_dir_all(folder)
                .map_err(GitError::io(format!("create {}", folder.display())))?;
        }
        let admin = Admin::named(&self.repo, name);
        admin.make(&self.staging_dir(name), folder, HeadLine::Detached(base))?;
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
        let folder = self.pool_dir().join(&name);
        let admin = Admin::named(&self.repo, id);
        let moving = || GitError::io(format!("move {} into the pool", path.display()));
        {
            let _guard = self.lock_pool()?;
            if !self.has_room(clean.bytes) {
                return Ok(false);
            }
            *undo = Undo {
                admins: vec![id.to_owned(), name.clone()],
                folders: vec![folder.clone()],
                branch: None,
                pool: Some(name.clone()),
            };
            intent.write(undo)?;
            clean.remove_ignored(path)?;
            fs::create_dir_all(self.pool_dir()).map_err(moving())?;
            // From here on it is the pool's: a crash before leaves a clean worktree where it was.
            fs::rename(path, &folder).map_err(moving())?;
        }
        admin.mark()?;
        admin.strip()?;
        admin.set_head(HeadLine::Detached(&clean.oid))?;
        admin.write_index(&clean.index)?;
        let target = Admin::named(&self.repo, &name);
        fs::rename(&admin.dir, &target.dir).map_err(moving())?;
        target.join(&folder)?;
        target.release()?;
        let Clean { oid, bytes, files, .. } = clean;
        self.vouch(&PoolEntry { name, oid, bytes, files })?;
        Ok(true)
    }

    pub(super) fn pool_dir(&self) -> PathBuf {
        self.repo.worktrees_dir().join(".pool")
    }

    /// Where the files are that vouch for entries.
    fn vouchers_dir(&self) -> PathBuf {
        self.repo.state_dir().join("pool")
    }

    pub(super) fn lock_pool(&self) -> Result<PoolLock, GitError> {
        let path = self.repo.state_dir().join("pool.lock");
        let open = || {
            fs::create_dir_all(self.repo.state_dir())?;
            let file = File::options().write(true).create(true).truncate(false).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        let file = open().map_err(GitError::io(format!("lock {}", path.display())))?;
        Ok(PoolLock { _file: file })
    }

    /// The entries that are vouched for.
    pub(super) fn entries(&self) -> Vec<PoolEntry> {
        let read = |path: PathBuf| serde_json::from_slice::<PoolEntry>(&fs::read(path).ok()?).ok();
        files_in(&self.vouchers_dir()).into_iter().filter_map(read).collect()
    }

    /// Whether the pool takes one more, counting those on their way in.
    fn has_room(&self, bytes: u64) -> bool {
        let folders = files_in(&self.pool_dir()).into_iter().filter(|folder| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
        });
        let held: u64 = self.entries().iter().map(|entry| entry.bytes).sum();
        folders.count() < self.limits.count && held + bytes <= self.limits.bytes
    }

    fn vouch(&self, entry: &PoolEntry) -> Result<(), GitError> {
        let path = self.vouchers_dir().join(&entry.name);
        let write = || {
            fs::create_dir_all(self.vouchers_dir())?;
            fs::write(&path, serde_json::to_vec(entry)?)
        };
        write().map_err(GitError::io(format!("write {}", path.display())))
    }

    /// Nobody vouches for the entry any more.
    pub(super) fn forget_entry(&self, name: &str) -> Result<(), GitError> {
        let path = self.vouchers_dir().join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(GitError::io(format!("remove {}", path.display()))(e))
            }
            _ => Ok(()),
        }
    }

    /// Throws an entry away, in whatever condition.
    pub(super) fn drop_entry(&self, name: &str, trash: &mut Vec<PathBuf>) -> Result<(), GitError> {
        self.forget_entry(name)?;
        self.set_aside(&self.pool_dir().join(name), trash)?;
        let admin = Admin::named(&self.repo, name);
        if name.starts_with(PREFIX) { admin.remove() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
