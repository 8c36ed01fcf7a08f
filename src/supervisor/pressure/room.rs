//! Making room: what can be made again goes, the oldest first, until there is enough.

use crate::journal::Journal;
use crate::model::{TaskView, Timestamp, bytes};
use crate::process;
use crate::supervisor::World;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct Freed {
    /// Worktrees that were kept ready for later tasks.
    prepared: usize,
    /// Folders, from the repository's root.
    folders: Vec<String>,
    bytes: u64,
}

impl Freed {
    fn remove(&mut self, folder: &Path, worktree: &Path, task: &str) {
        let size = occupied(folder);
        if std::fs::remove_dir_all(folder).is_ok() {
            let name = folder.strip_prefix(worktree).unwrap_or(folder);
            self.folders.push(format!("{} of {task}", name.display()));
            self.bytes += size;
        }
    }

    /// One line for a person; `None` when there was nothing to remove.
    pub(in crate::supervisor) fn notice(&self) -> Option<String> {
        let mut what = Vec::new();
        if self.prepared > 0 {
            let s = if self.prepared == 1 { "" } else { "s" };
            what.push(format!("{} worktree{s} kept ready for later tasks", self.prepared));
        }
        if !self.folders.is_empty() {
            let shown: Vec<&str> = self.folders.iter().take(3).map(String::as_str).collect();
            let more = self.folders.len().saturating_sub(shown.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            what.push(format!(
                "build folders that git ignores: {}{more} ({})",
                shown.join(", "),
                bytes(self.bytes)
            ));
        }
        (!what.is_empty()).then(|| format!("short of room on disk; removed {}", what.join("; ")))
    }
}

/// The tasks that have a worktree and that nothing more happens to, of all runs.
pub(in crate::supervisor) fn finished(journal: &Journal) -> Vec<TaskView> {
    use crate::model::TaskState as S;
    let tasks = journal.uncleaned().unwrap_or_default();
    let views = tasks.iter().filter_map(|task| journal.task_view(task).ok());
    views.filter(|view| view.state.is_final() && view.state != S::Interrupted).collect()
}

/// Removes prepared worktrees, then ignored folders in the worktrees of finished tasks, those that ended
/// first first, until `wanted` bytes are free.
pub(in crate::supervisor) fn make_room(world: &World, finished: &[TaskView], wanted: u64) -> Freed {
    let mut freed = Freed::default();
    let enough = || free(world).is_none_or(|free| free >= wanted);
    if enough() {
        return freed;
    }
    freed.prepared = world.worktrees.drain().unwrap_or(0);
    let mut oldest_first: Vec<&TaskView> = finished.iter().collect();
    oldest_first.sort_by_key(|view| view.finished_at.unwrap_or(Timestamp(i64::MAX)));
    for view in oldest_first {
        let Some(relative) = &view.worktree else { continue };
        let worktree = world.worktree(relative);
        for folder in world.repo.ignored_folders(&worktree).unwrap_or_default() {
            if enough() {
                return freed;
            }
            freed.remove(&folder, &worktree, &view.name);
        }
    }
    freed
}

fn free(world: &World) -> Option<u64> {
    let places = [world.root.join(".worktrees"), world.layout.dir().to_owned()];
    places.iter().filter_map(|place| process::disk_space(place)).map(|space| space.free).min()
}

/// Removes what git ignores from the worktree of a task that the full disk has ended: half of a build is of
/// no use, and without this room the task could not even be recorded as ended.
pub(in crate::supervisor) fn clear_ignored(world: &World, worktree: &Path, name: &str) -> Freed {
    let mut freed = Freed::default();
    for folder in world.repo.ignored_folders(worktree).unwrap_or_default() {
        freed.remove(&folder, worktree, name);
    }
    freed
}

/// Bytes that everything below a path occupies on disk; a file of several names counts once.
pub(in crate::supervisor) fn occupied(path: &Path) -> u64 {
    /// stat(2) counts in these, whatever the file system.
    const BLOCK: u64 = 512;
    let mut total = 0;
    let mut seen = HashSet::new();
    let mut todo: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(place) = todo.pop() {
        let Ok(meta) = std::fs::symlink_metadata(&place) else { continue };
        if meta.nlink() > 1 && !meta.is_dir() && !seen.insert((meta.dev(), meta.ino())) {
            continue;
        }
        total += meta.blocks() * BLOCK;
        if meta.is_dir() {
            let entries = std::fs::read_dir(&place).into_iter().flatten().flatten();
            todo.extend(entries.map(|entry| entry.path()));
        }
    }
    total
}
