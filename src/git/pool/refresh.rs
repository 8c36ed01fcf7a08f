//! Worktrees that exist already: is one as it was written, and how does it become another commit.

use super::super::GitError;
use super::super::tree::{EXECUTABLE, GITLINK, SYMLINK};
use super::super::worktree::{Admin, Cached, Plan, Stat, Worktrees, encode};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Entries below which a second thread is not worth starting.
const WORTH_A_THREAD: usize = 2_000;

/// Whether a folder holds exactly the files of its index, each with the stat data it was written
/// with, and nothing else: no file, folder or link more, ignored or not.
pub(super) fn is_untouched(folder: &Path, cached: &[Cached<'_>]) -> bool {
    let children = children_by_folder(cached);
    let folders: Vec<(&[u8], u32)> = children.into_iter().collect();
    all_of(cached, |entry| {
        let meta = fs::symlink_metadata(folder.join(OsStr::from_bytes(entry.path)));
        meta.is_ok_and(|meta| has_kind(&meta, entry.mode) && Stat::of(&meta).same_file(&entry.stat))
    }) && all_of(&folders, |(path, count)| {
        let path = folder.join(OsStr::from_bytes(path));
        // A link to a folder elsewhere would pass for one.
        let real = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir());
        real && fs::read_dir(&path).is_ok_and(|list| list.count() == *count as usize)
    })
}

/// Whether a file on disk is of the kind its mode says, with the same right to be executed.
pub(super) fn has_kind(meta: &Metadata, mode: u32) -> bool {
    match mode {
        SYMLINK => meta.is_symlink(),
        GITLINK => meta.is_dir(),
        _ => meta.is_file() && (meta.permissions().mode() & 0o100 != 0) == (mode == EXECUTABLE),
    }
}

/// For every folder (the root is empty) how many names are directly in it.
fn children_by_folder<'a>(cached: &[Cached<'a>]) -> HashMap<&'a [u8], u32> {
    // `.git` is in the root.
    let mut children = HashMap::from([(&b""[..], 1)]);
    for entry in cached {
        if entry.mode == GITLINK {
            children.entry(entry.path).or_insert(0);
        }
        let mut path = entry.path;
        loop {
            let parent = parent(path);
            let known = children.contains_key(parent);
            *children.entry(parent).or_insert(0) += 1;
            if known {
                break;
            }
            path = parent;
        }
    }
    children
}

fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|b| *b == b'/').map_or(&[], |at| &path[..at])
}

/// `all` over two threads.
fn all_of<T: Sync>(items: &[T], holds: impl Fn(&T) -> bool + Sync) -> bool {
    if items.len() < WORTH_A_THREAD {
        return items.iter().all(holds);
    }
    let (left, right) = items.split_at(items.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| left.iter().all(&holds));
        right.iter().all(&holds) && other.join().unwrap_or(false)
    })
}

impl Worktrees {
    /// Brings an untouched folder from what its index holds to a plan: deletes what is gone or
    /// different, writes what is new or different, and writes the index.
    pub(super) fn refresh(
        &self,
        admin: &Admin,
        folder: &Path,
        cached: &[Cached<'_>],
        plan: &Plan,
    ) -> Result<(), GitError> {
        let files = &plan.listing().files;
        let mut stats = vec![Stat::default(); files.len()];
        let (mut wanted, mut gone) = (Vec::new(), Vec::new());
        let mut old = cached.iter().peekable();
        for (position, file) in (0_u32..).zip(files) {
            let path = plan.listing().path(file);
            while let Some(entry) = old.next_if(|entry| entry.path < path) {
                gone.push(entry);
            }
            match old.next_if(|entry| entry.path == path) {
                Some(entry) if entry.oid == file.oid && entry.mode == file.mode => {
                    stats[position as usize] = entry.stat;
                    continue;
                }
                Some(entry) => gone.push(entry),
                None => {}
            }
            wanted.push(position);
        }
        gone.extend(old);
        delete(folder, &gone)?;
        let written = self.write_files(plan, folder, &wanted, true)?;
        for (position, stat) in wanted.into_iter().zip(written) {
            stats[position as usize] = stat;
        }
        admin.write_index(&encode(plan.listing(), &stats))
    }
}

/// Deletes files, and the folders that are empty then.
fn delete(folder: &Path, gone: &[&Cached<'_>]) -> Result<(), GitError> {
    for entry in gone {
        let path = folder.join(OsStr::from_bytes(entry.path));
        let removed =
            if entry.mode == GITLINK { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        removed.map_err(GitError::io(format!("remove {}", path.display())))?;
    }
    // Deeper ones first, because a later path of the same folder may have kept it until now.
    for entry in gone.iter().rev() {
        let mut path: PathBuf = folder.join(OsStr::from_bytes(entry.path));
        while path.pop() && path != folder && fs::remove_dir(&path).is_ok() {}
    }
    Ok(())
}
