//! Which files of a checkout are worth a closer look.
//!
//! A file whose stat data are those in the index, and older than the index, is unchanged: that is
//! git's own rule, and here it is applied by several threads. Untracked files are found by name,
//! without asking for their stat data, and ignore rules are only read where there are any. What is
//! returned is a superset of what changed; libgit2 judges it.

use super::names;
use super::worktree::Stat;
use git2::{Index, IndexEntry, IndexEntryExtendedFlag, IndexEntryFlag};
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::Path;
use std::time::SystemTime;

/// Files for which a thread more is worth its start (git's `THREAD_COST`, preload-index.c).
const WORTH_A_THREAD: usize = 500;

/// With more than this to look at, one look at everything is cheaper.
const WORTH_A_LIST: usize = 1_000;

/// The bits of an entry's flags that hold its stage (gitformat-index(5)).
const STAGE: u16 = 0x3000;

/// The paths that may have changed, or are not tracked (ignored ones too; of a directory that is
/// not tracked only its own name). `None` when only a look at everything will do.
pub(crate) fn candidates(root: &Path, index: &Index) -> Option<Vec<Vec<u8>>> {
    let written = fs::metadata(index.path()?).ok()?.modified().ok()?;
    let entries: Vec<IndexEntry> = index.iter().collect();
    if entries.iter().any(|entry| entry.flags & STAGE != 0) {
        return None;
    }
    let files: HashSet<&[u8]> = entries.iter().map(|entry| &entry.path[..]).collect();
    let mut directories: HashSet<&[u8]> = HashSet::from([&b""[..]]);
    for entry in &entries {
        let mut path = &entry.path[..];
        while let Some(at) = path.iter().rposition(|&b| b == b'/') {
            path = &path[..at];
            if !directories.insert(path) {
                break;
            }
        }
    }
    let folders: Vec<&[u8]> = directories.iter().copied().collect();
    let mut found = in_parallel(&entries, |entry, found| {
        if !is_unchanged(root, entry, written) {
            found.push(entry.path.clone());
        }
        Some(())
    })?;
    found.extend(in_parallel(&folders, |folder, found| {
        let Ok(listing) = fs::read_dir(root.join(names::path(folder))) else {
            // It is gone; its files are among the changed ones.
            return Some(());
        };
        for entry in listing {
            let entry = entry.ok()?;
            let name = entry.file_name();
            if name == ".git" {
                // A repository inside a tracked directory changes what git sees of it.
                if folder.is_empty() {
                    continue;
                }
                return None;
            }
            let mut path = folder.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_encoded_bytes());
            let kind = entry.file_type().ok()?;
            if directories.contains(&path[..]) {
                if !kind.is_dir() {
                    // What is behind a link is not what is tracked.
                    return None;
                }
            } else if !files.contains(&path[..]) {
                found.push(path);
            }
        }
        Some(())
    })?);
    (found.len() <= WORTH_A_LIST).then_some(found)
}

fn is_unchanged(root: &Path, entry: &IndexEntry, written: SystemTime) -> bool {
    let extended = IndexEntryExtendedFlag::from_bits_truncate(entry.flags_extended);
    if extended.is_skip_worktree() || entry.flags & IndexEntryFlag::VALID.bits() != 0 {
        return true;
    }
    if extended.is_intent_to_add() {
        return false;
    }
    fs::symlink_metadata(root.join(names::path(&entry.path))).is_ok_and(|meta| {
        has_kind(&meta, entry.mode)
            && Stat::of(&meta).matches(entry)
            && meta.modified().is_ok_and(|time| time < written)
    })
}

/// A change of the mode changes `ctime`, so only the kind is left to compare.
fn has_kind(meta: &Metadata, mode: u32) -> bool {
    const KIND: u32 = 0o170_000;
    match mode & KIND {
        0o100_000 => meta.is_file(),
        0o120_000 => meta.is_symlink(),
        _ => false,
    }
}

/// Does `each` for every item on as many threads as are worth it, and gathers what they find.
fn in_parallel<T: Sync>(
    items: &[T],
    each: impl Fn(&T, &mut Vec<Vec<u8>>) -> Option<()> + Sync,
) -> Option<Vec<Vec<u8>>> {
    let all = |items: &[T]| {
        let mut found = Vec::new();
        items.iter().try_for_each(|item| each(item, &mut found)).map(|()| found)
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (items.len() / WORTH_A_THREAD).clamp(1, processors);
    if threads == 1 {
        return all(items);
    }
    std::thread::scope(|scope| {
        let parts: Vec<_> = items
            .chunks(items.len().div_ceil(threads))
            .map(|part| scope.spawn(|| all(part)))
            .collect();
        let mut found = Vec::new();
        for part in parts {
            found.extend(part.join().ok()??);
        }
        Some(found)
    })
}
