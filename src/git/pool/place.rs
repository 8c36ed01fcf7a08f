//! Where entries are: in the git directory, where neither git nor a person looks for worktrees.
//!
//! `orch/pool/NAME/` holds `tree/` (the files), `admin/` (what git keeps about a worktree, as under
//! `worktrees/` of the common git directory) and `entry` (who vouches for it). As git does not list
//! it, git commands work in `tree/` but no other command of the repository shows it.

use super::super::GitError;
use super::super::worktree::{Admin, Lock, TRASH, Worktrees, decode, files_in, is_whole};
use super::{PoolEntry, PoolLock, refresh};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Names of pool entries begin with this.
pub(super) const PREFIX: &str = "orch-pool-";
/// Entries that somebody changed begin with this. They are kept until the pool is emptied.
const CHANGED: &str = "changed-";
/// From the admin folder of an entry to the common git directory.
pub(super) const WAY_UP: &str = "../../../..";

impl Worktrees {
    /// Where the entries are.
    pub(in crate::git) fn pool_dir(&self) -> PathBuf {
        self.repo.state_dir().join("pool")
    }

    /// Where earlier versions had the entries, as worktrees that git listed.
    pub(in crate::git) fn former_pool_dir(&self) -> PathBuf {
        self.repo.worktrees_dir().join(".pool")
    }

    pub(super) fn entry_dir(&self, name: &str) -> PathBuf {
        self.pool_dir().join(name)
    }

    pub(super) fn entry_tree(&self, name: &str) -> PathBuf {
        self.entry_dir(name).join("tree")
    }

    /// What git needs to know of an entry.
    pub(in crate::git) fn entry_admin(&self, name: &str) -> Admin {
        Admin { dir: self.entry_dir(name).join("admin") }
    }

    fn voucher(&self, name: &str) -> PathBuf {
        self.entry_dir(name).join("entry")
    }

    pub(in crate::git) fn lock_pool(&self) -> Result<PoolLock, GitError> {
        Ok(PoolLock { _file: self.repo.lock_state("pool.lock")? })
    }

    /// The entries that are vouched for.
    pub(super) fn entries(&self) -> Vec<PoolEntry> {
        let read = |dir: PathBuf| {
            let entry: PoolEntry =
                serde_json::from_slice(&fs::read(dir.join("entry")).ok()?).ok()?;
            (entry.name.starts_with(PREFIX) && dir.ends_with(&entry.name)).then_some(entry)
        };
        files_in(&self.pool_dir()).into_iter().filter_map(read).collect()
    }

    /// Whether the pool takes one more, counting those on their way in and those that were changed.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let held = files_in(&self.pool_dir()).into_iter().filter(|dir| {
            let name = name_of(dir);
            dir.is_dir() && (name.starts_with(PREFIX) || name.starts_with(CHANGED))
        });
        let held_bytes: u64 = self.entries().iter().map(|entry| entry.bytes).sum();
        held.count() < self.limits.count && held_bytes + bytes <= self.limits.bytes
    }

    /// Whether a rename can lead from the pool to where worktrees are.
    pub(super) fn is_on_one_file_system(&self) -> bool {
        // Either may not exist yet, and is then made in the folder around it.
        let device = |dir: &Path| {
            dir.ancestors().find_map(|dir| fs::metadata(dir).ok()).map(|meta| meta.dev())
        };
        device(&self.pool_dir()) == device(&self.repo.worktrees_dir())
    }

    pub(super) fn vouch(&self, entry: &PoolEntry) -> Result<(), GitError> {
        let path = self.voucher(&entry.name);
        let text = serde_json::to_vec(entry).map_err(io::Error::from);
        text.and_then(|text| fs::write(&path, text))
            .map_err(GitError::io(format!("write {}", path.display())))
    }

    /// Nobody vouches for the entry any more.
    pub(in crate::git) fn forget_entry(&self, name: &str) -> Result<(), GitError> {
        let path = self.voucher(name);
        match fs::remove_file(&path) {
            Err(e) if !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(GitError::io(format!("remove {}", path.display()))(e))
            }
            _ => Ok(()),
        }
    }

    /// Throws an entry away, in whatever condition.
    pub(in crate::git) fn drop_entry(
        &self,
        name: &str,
        trash: &mut Vec<PathBuf>,
    ) -> Result<(), GitError> {
        self.forget_entry(name)?;
        let dir = self.entry_dir(name);
        if name.starts_with(PREFIX) && dir.is_dir() { self.set_aside(&dir, trash) } else { Ok(()) }
    }

    /// Keeps an entry that nobody vouches for any more, out of the way: somebody changed its files.
    pub(super) fn keep_changed(&self, name: &str) -> Result<(), GitError> {
        let kept = format!("{CHANGED}{name}");
        fs::rename(self.entry_dir(name), self.entry_dir(&kept))
            .map_err(GitError::io(format!("keep the changed entry {name} of the pool")))?;
        let tree = self.entry_tree(&kept);
        tracing::warn!(
            folder = %tree.display(),
            "files of a pool entry were changed; it is kept until: orch clean --pool"
        );
        // So that git shows what was changed, if what it needs for that is there.
        let _ = self.entry_admin(&kept).join(&tree);
        Ok(())
    }

    /// Throws away what was changed and kept.
    pub(super) fn drop_changed(&self, trash: &mut Vec<PathBuf>) -> Result<usize, GitError> {
        let changed = |dir: &PathBuf| name_of(dir).starts_with(CHANGED);
        let kept: Vec<PathBuf> = files_in(&self.pool_dir()).into_iter().filter(changed).collect();
        for dir in &kept {
            self.set_aside(dir, trash)?;
        }
        Ok(kept.len())
    }

    /// Finds what waits to be deleted, and throws away entries that nobody answers for.
    pub(in crate::git) fn sweep_pool(
        &self,
        claimed: &[String],
        trash: &mut Vec<PathBuf>,
    ) -> Result<(), GitError> {
        let known: Vec<String> = self.entries().into_iter().map(|entry| entry.name).collect();
        for dir in files_in(&self.pool_dir()) {
            let name = name_of(&dir);
            if name.starts_with(TRASH) {
                trash.push(dir);
            } else if !known.contains(&name) && !claimed.contains(&name) {
                self.drop_entry(&name, trash)?;
            }
        }
        Ok(())
    }

    /// Throws away the entries of earlier versions, if they are as they were left. A file in place
    /// of the entry's folder vouches for each.
    pub(in crate::git) fn sweep_former_pool(
        &self,
        claimed: &[String],
        trash: &mut Vec<PathBuf>,
    ) -> Result<(), GitError> {
        let waiting = files_in(&self.former_pool_dir());
        trash.extend(waiting.into_iter().filter(|dir| name_of(dir).starts_with(TRASH)));
        for voucher in files_in(&self.pool_dir()) {
            let name = name_of(&voucher);
            if !name.starts_with(PREFIX) || !voucher.is_file() || claimed.contains(&name) {
                continue;
            }
            let folder = self.former_pool_dir().join(&name);
            let admin = Admin::named(&self.repo, &name);
            if folder.exists() {
                if admin.lock() != Lock::None || !is_as_left(&admin, &folder) {
                    continue;
                }
                self.set_aside(&folder, trash)?;
            }
            admin.remove()?;
            // Last, as it is what this is found again by.
            fs::remove_file(&voucher)
                .map_err(GitError::io(format!("remove {}", voucher.display())))?;
        }
        Ok(())
    }
}

/// Whether a worktree, listed by git or not, holds the files of its index and nothing else.
fn is_as_left(admin: &Admin, folder: &Path) -> bool {
    is_whole(admin)
        && admin.folder() == folder.canonicalize().ok()
        && fs::read(admin.dir.join("index")).is_ok_and(|index| {
            decode(&index).is_some_and(|cached| refresh::is_untouched(folder, &cached))
        })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
