//! Is a worktree that somebody worked in clean enough to be used again?

use super::super::GitError;
use super::super::tree::{GITLINK, Listing, SYMLINK};
use super::super::worktree::{Admin, Stat, Worktrees, encode};
use super::refresh::has_kind;
use git2::{IndexEntryExtendedFlag, IndexEntryFlag, ObjectType, Oid, Repository};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What was found out about a clean worktree.
pub(super) struct Clean {
    pub oid: String,
    pub bytes: u64,
    pub files: usize,
    /// A new index for it.
    pub index: Vec<u8>,
    /// Ignored files and folders, to be removed; relative.
    ignored: Vec<PathBuf>,
}

impl Clean {
    /// Deletes what is ignored from the folder, wherever that is by now.
    pub fn remove_ignored(&self, root: &Path) -> Result<(), GitError> {
        for path in &self.ignored {
            let path = root.join(path);
            let folder = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir());
            let removed = if folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(GitError::io(format!("remove {}", path.display())))?;
            // Folders of nothing but ignored files; one with a file of the commit is never empty.
            let mut above = path.as_path();
            while let Some(parent) = above.parent()
                && parent != root
                && fs::remove_dir(parent).is_ok()
            {
                above = parent;
            }
        }
        Ok(())
    }
}

impl Worktrees {
    /// Examines a worktree; `None` if anything in it is not in its commit, or is of a kind that the
    /// pool does not take: submodules, sparse or unmerged entries, a rebase half way.
    pub(super) fn examine(&self, admin: &Admin, path: &Path) -> Result<Option<Clean>, GitError> {
        let doing = || format!("examine {}", path.display());
        let repo = Repository::open(path).map_err(GitError::lib(doing()))?;
        // Settings, sparse patterns, submodules and refs of its own.
        let special = ["config.worktree", "info/sparse-checkout", "modules", "refs/bisect"];
        let special = special.iter().chain(&["refs/worktree", "refs/rewritten"]);
        if repo.state() != git2::RepositoryState::Clean
            || special.into_iter().any(|name| admin.dir.join(name).exists())
        {
            return Ok(None);
        }
        let head = repo.head().and_then(|head| head.peel_to_commit());
        let oid = head.map_err(GitError::lib(doing()))?.id().to_string();
        let Some(plan) = self.plan(&oid)? else { return Ok(None) };
        // A split index, or a later version.
        let Ok(index) = repo.index() else { return Ok(None) };
        let Some(stats) = unchanged(path, &index, &admin.dir.join("index"), plan.listing())? else {
            return Ok(None);
        };
        let Some(ignored) = extras(&repo, path, plan.listing())? else { return Ok(None) };
        Ok(Some(Clean {
            oid,
            bytes: stats.iter().map(|stat| u64::from(stat.size())).sum(),
            files: stats.len(),
            index: encode(plan.listing(), &stats),
            ignored,
        }))
    }
}

/// The stat data of every file, if index, commit and folder agree.
fn unchanged(
    folder: &Path,
    index: &git2::Index,
    index_file: &Path,
    listing: &Listing,
) -> Result<Option<Vec<Stat>>, GitError> {
    if index.len() != listing.files.len() {
        return Ok(None);
    }
    let written = fs::metadata(index_file).map(|meta| Stat::of(&meta)).unwrap_or_default();
    let mut stats = Vec::with_capacity(listing.files.len());
    for (entry, file) in index.iter().zip(&listing.files) {
        let same = entry.path == listing.path(file)
            && entry.id == file.oid
            && entry.mode == file.mode
            && entry.mode != GITLINK
            && !is_special(entry.flags, entry.flags_extended);
        if !same {
            return Ok(None);
        }
        let path = folder.join(OsStr::from_bytes(&entry.path));
        let Ok(meta) = fs::symlink_metadata(&path) else { return Ok(None) };
        if !has_kind(&meta, file.mode) {
            return Ok(None);
        }
        let stat = Stat::of(&meta);
        // As git decides it: the stat data are those in the index, and older than the index.
        let known = stat.matches(&entry) && stat.is_older_than(&written);
        if !known && content_id(&path, file.mode)? != file.oid {
            return Ok(None);
        }
        stats.push(stat);
    }
    Ok(Some(stats))
}

/// Conflict stages, "assume unchanged", "skip worktree", "intent to add".
fn is_special(flags: u16, extended: u16) -> bool {
    let special = IndexEntryExtendedFlag::SKIP_WORKTREE | IndexEntryExtendedFlag::INTENT_TO_ADD;
    let stage = 0x3000;
    flags & (IndexEntryFlag::VALID.bits() | stage) != 0 || extended & special.bits() != 0
}

fn content_id(path: &Path, mode: u32) -> Result<Oid, GitError> {
    let doing = || format!("read {}", path.display());
    if mode == SYMLINK {
        let target = fs::read_link(path).map_err(GitError::io(doing()))?;
        return Oid::hash_object(ObjectType::Blob, target.as_os_str().as_bytes())
            .map_err(GitError::lib(doing()));
    }
    Oid::hash_file(ObjectType::Blob, path).map_err(GitError::lib(doing()))
}

/// What is in the folder beside the files of the commit, all of it ignored; `None` if something is
/// not. Empty folders count as ignored, as git sees none.
fn extras(
    repo: &Repository,
    root: &Path,
    listing: &Listing,
) -> Result<Option<Vec<PathBuf>>, GitError> {
    let files: HashSet<&[u8]> = listing.files.iter().map(|f| listing.path(f)).collect();
    let dirs: HashSet<&[u8]> = listing.dirs.iter().map(|d| listing.dir_path(d)).collect();
    let mut found = Vec::new();
    let mut stack = vec![PathBuf::new()];
    while let Some(dir) = stack.pop() {
        let place = root.join(&dir);
        let reading = || GitError::io(format!("read {}", place.display()));
        let mut empty = true;
        for entry in fs::read_dir(&place).map_err(reading())? {
            let entry = entry.map_err(reading())?;
            empty = false;
            let path = dir.join(entry.file_name());
            let name = path.as_os_str().as_bytes();
            let is_dir = entry.file_type().map_err(reading())?.is_dir();
            if name == b".git" || (!is_dir && files.contains(name)) {
                continue;
            }
            if is_dir && dirs.contains(name) {
                stack.push(path);
                continue;
            }
            // A pattern such as `build/` is about folders only.
            let mut asked = path.clone();
            if is_dir {
                asked.push("");
            }
            if repo.is_path_ignored(&asked).unwrap_or(false) {
                found.push(path);
            } else if is_dir && !root.join(&path).join(".git").exists() {
                stack.push(path);
            } else {
                return Ok(None);
            }
        }
        if empty {
            found.push(dir);
        }
    }
    Ok(Some(found))
}
