//! Work in progress kept under `refs/orch/snapshots/`, taken while an agent is at work in the worktree.
//!
//! A snapshot is one commit: its tree is the worktree as it is, its parent the commit HEAD is at. Only
//! the latest of a task is kept, until the task has landed.
//! Promise: the worktree, its index and its locks are only read; no hook runs; git's configuration
//! is not written. Where nothing changed since the last look, nothing is written at all. Whoever writes these
//! refs holds `orch/snapshots.lock`, so that a lock of git's on one of them, found by the next to hold it, was
//! left by a process that was killed.

use super::changes::oid;
use super::checkout::{Checkout, run};
use super::commit::standing;
use super::executable::command;
use super::private_index::{PrivateIndex, add_arguments};
use super::uncommitted::{Look, Means, Uncommitted};
use super::{GitError, Repo, names};
use git2::build::TreeUpdateBuilder;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// Where snapshots are.
const SNAPSHOTS: &str = "refs/orch/snapshots/";
/// Where the snapshot that a retry starts from is held, whatever snapshots come after it.
const RETRIES: &str = "refs/orch/retries/";

/// Changed files above this size (bytes) are left out, and named in the snapshot: what a person or an
/// agent writes is far smaller, what a build or a download leaves unignored is not.
pub const LARGEST_FILE: u64 = 4 << 20;

/// What may be changed or new in a worktree (bytes, without files that are left out) for a snapshot to
/// be taken: each one writes all of it that is not in the repository yet.
pub const LARGEST_SNAPSHOT: u64 = 64 << 20;

/// A lock on a ref that is older was left by a process that was killed.
const LEFT: Duration = Duration::from_secs(1);

/// A private index that is older than this belongs to nobody who lives: no snapshot takes so long.
const ABANDONED: Duration = Duration::from_hours(1);

/// How a worktree looked: the same again means that there is nothing new to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(u64);

/// What a look at a worktree came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// For the next look.
    pub mark: Mark,
    /// The size (bytes) of what is changed or new and not left out.
    pub bytes: u64,
    /// Whether a snapshot was written.
    pub taken: bool,
}

/// A snapshot that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The commit.
    pub commit: String,
    /// When it was taken, seconds since the Unix epoch.
    pub taken_at: i64,
    /// Paths that were left out: too large, or repositories of their own.
    pub left_out: Vec<String>,
}

/// What is to be kept of the files that are not committed.
#[derive(Default)]
struct Found {
    /// Files and links; what is gone has no metadata.
    files: BTreeMap<Vec<u8>, Option<Metadata>>,
    left_out: Vec<Vec<u8>>,
    bytes: u64,
    mark: DefaultHasher,
}

impl Repo {
    /// Keeps the worktree of `task` as it is, unless it is as `before` or as it was at `start`.
    ///
    /// # Errors
    /// [`GitError::Refused`] when there is more than 64 MiB to keep; whatever cannot be
    /// read or written. The snapshot before stays then.
    pub fn take_snapshot(
        &self,
        task: &str,
        worktree: &Path,
        start: &str,
        before: Option<Mark>,
    ) -> Result<Looked, GitError> {
        let refname = named(SNAPSHOTS, task)?;
        let checkout = self.linked(worktree)?;
        let repo = checkout.open().ok().filter(|repo| checkout.means(repo) == Means::Library);
        let head = match &repo {
            Some(repo) => standing(repo),
            None => checkout.standing()?,
        };
        let head = head.oid;
        let uncommitted = checkout.uncommitted(Look { staged: true, ignored: false })?;
        let mut found = look(&checkout, &uncommitted);
        head.hash(&mut found.mark);
        let mark = Mark(found.mark.finish());
        let mut looked = Looked { mark, bytes: found.bytes, taken: false };
        let untouched = head.as_deref() == Some(start) && found.files.is_empty();
        if before == Some(mark) || untouched {
            return Ok(looked);
        }
        if found.bytes > LARGEST_SNAPSHOT {
            return Err(too_much(&found, worktree));
        }
        let tree = match (&repo, &head) {
            (Some(repo), Some(head)) => by_library(repo, head, &found)?,
            _ => by_executable(&checkout, &found)?,
        };
        let _turn = self.snapshots_turn()?;
        looked.taken = self.write_snapshot(&refname, task, &tree, head.as_deref(), &found)?;
        Ok(looked)
    }

    /// Removes the locks that killed processes of `orch` left on snapshots.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn unlock_snapshots(&self) -> Result<(), GitError> {
        self.snapshots_turn().map(drop)
    }

    /// Waits until nobody else writes snapshots; what locks there are then are nobody's.
    fn snapshots_turn(&self) -> Result<File, GitError> {
        let turn = self.lock_state("snapshots.lock")?;
        for prefix in [SNAPSHOTS, RETRIES] {
            let dir = std::fs::read_dir(self.common_dir.join(prefix));
            for entry in dir.into_iter().flatten().flatten() {
                let path = entry.path();
                // No ref may be called so. A pack-refs of git's holds one for some milliseconds.
                let is_left = path.extension().is_some_and(|extension| extension == "lock")
                    && entry.metadata().is_ok_and(|lock| {
                        let age = lock.modified().ok().and_then(|at| at.elapsed().ok());
                        lock.is_file() && age.is_some_and(|age| age > LEFT)
                    });
                if is_left && let Err(error) = std::fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "a lock of a killed process stays");
                }
            }
        }
        Ok(turn)
    }

    /// Writes the commit and moves the ref; `false` if that is what the ref has already.
    fn write_snapshot(
        &self,
        refname: &str,
        task: &str,
        tree: &str,
        head: Option<&str>,
        found: &Found,
    ) -> Result<bool, GitError> {
        let mut message = format!("orch: work in progress of {task}\n\nOrch-Task: {task}\n");
        for path in &found.left_out {
            let path = names::show(path).replace('\n', "\\n");
            // Writing to a string cannot fail.
            let _ = writeln!(message, "{LEFT_OUT}{path}");
        }
        let before = self.ref_target(refname)?;
        let doing = || format!("write {refname}");
        if self.refused_by_libgit2().is_none() {
            let repo = self.open()?;
            let parent =
                head.map(|head| repo.find_commit(oid(head)?).map_err(GitError::lib(doing())));
            let parent = parent.transpose()?;
            if let Some(before) = &before {
                let old = repo.find_commit(oid(before)?).map_err(GitError::lib(doing()))?;
                let same_parent = old.parent_ids().next() == parent.as_ref().map(git2::Commit::id);
                if old.tree_id() == oid(tree)? && same_parent {
                    return Ok(false);
                }
            }
            let write = || {
                let who = git2::Signature::now(NAME, MAIL)?;
                let tree = repo.find_tree(git2::Oid::from_str(tree)?)?;
                let parents: Vec<_> = parent.iter().collect();
                let commit = repo.commit(None, &who, &who, &message, &tree, &parents)?;
                match &before {
                    None => repo.reference(refname, commit, false, LOG),
                    Some(old) => repo.reference_matching(
                        refname,
                        commit,
                        true,
                        git2::Oid::from_str(old)?,
                        LOG,
                    ),
                }
                .map(drop)
            };
            write().map_err(GitError::lib(doing()))?;
            return Ok(true);
        }
        if let Some(before) = &before {
            let asked = [format!("{before}^{{tree}}"), format!("{before}^@")];
            let asked = run(command(&self.common_dir, &["rev-parse", &asked[0], &asked[1]]))?;
            if names::show(&asked).lines().eq(std::iter::once(tree).chain(head)) {
                return Ok(false);
            }
        }
        let mut args = vec!["commit-tree", tree, "-m", &message];
        args.extend(head.iter().flat_map(|head| ["-p", head]));
        let mut write = command(&self.common_dir, &args);
        for role in ["AUTHOR", "COMMITTER"] {
            write.env(format!("GIT_{role}_NAME"), NAME).env(format!("GIT_{role}_EMAIL"), MAIL);
        }
        let commit = names::show(run(write)?.trim_ascii());
        self.move_ref(refname, &commit, before.as_deref())?;
        Ok(true)
    }

    fn move_ref(&self, refname: &str, to: &str, from: Option<&str>) -> Result<(), GitError> {
        let nothing = "0".repeat(to.len());
        let update = ["update-ref", "-m", LOG, refname, to, from.unwrap_or(&nothing)];
        let args = [&["-c", "core.hooksPath=/dev/null"][..], &update].concat();
        run(command(&self.common_dir, &args)).map(drop)
    }

    /// The commit of the snapshot that is kept of a task.
    ///
    /// # Errors
    /// When the ref cannot be read.
    pub fn snapshot_commit(&self, task: &str) -> Result<Option<String>, GitError> {
        self.ref_target(&named(SNAPSHOTS, task)?)
    }

    /// The snapshot that is kept of a task.
    ///
    /// # Errors
    /// When the ref cannot be read.
    pub fn snapshot_of(&self, task: &str) -> Result<Option<Kept>, GitError> {
        let Some(commit) = self.ref_target(&named(SNAPSHOTS, task)?)? else { return Ok(None) };
        let args = ["log", "-1", "--no-show-signature", "--format=%ct%n%b", &commit, "--"];
        let said = names::show(&run(command(&self.common_dir, &args))?);
        let (time, body) = said.split_once('\n').unwrap_or((&said, ""));
        let left_out = body.lines().filter_map(|line| line.strip_prefix(LEFT_OUT));
        Ok(Some(Kept {
            commit,
            taken_at: time.parse().unwrap_or(0),
            left_out: left_out.map(str::to_owned).collect(),
        }))
    }

    /// Holds the snapshot of a task for a retry that starts from it, and tells which commit that is.
    ///
    /// # Errors
    /// [`GitError::InTheWay`] when none is kept; what git refuses.
    pub fn hold_snapshot(&self, task: &str) -> Result<String, GitError> {
        let none = || GitError::InTheWay(format!("no snapshot is kept of {task}"));
        let kept = self.ref_target(&named(SNAPSHOTS, task)?)?.ok_or_else(none)?;
        let refname = named(RETRIES, task)?;
        let _turn = self.snapshots_turn()?;
        let before = self.ref_target(&refname)?;
        if before.as_deref() != Some(&kept) {
            self.move_ref(&refname, &kept, before.as_deref())?;
        }
        Ok(kept)
    }

    /// Lets go of what is kept of a task, provided that the snapshot is the one at `commit`.
    ///
    /// # Errors
    /// When a ref cannot be deleted; one that moved meanwhile is such a ref.
    pub fn forget_snapshot(&self, task: &str, commit: Option<&str>) -> Result<(), GitError> {
        let _turn = self.snapshots_turn()?;
        for (refname, known) in [(named(SNAPSHOTS, task)?, commit), (named(RETRIES, task)?, None)] {
            let Some(found) = self.ref_target(&refname)? else { continue };
            let args = ["-c", "core.hooksPath=/dev/null", "update-ref", "-d", &refname];
            let expected = known.unwrap_or(&found);
            run(command(&self.common_dir, &[&args[..], &[expected]].concat()))?;
        }
        Ok(())
    }
}

const NAME: &str = "orch";
const MAIL: &str = "orch@localhost";
const LOG: &str = "orch: work in progress";
const LEFT_OUT: &str = "Orch-Left-Out: ";

fn named(prefix: &str, task: &str) -> Result<String, GitError> {
    let name = format!("{prefix}{task}");
    if git2::Reference::is_valid_name(&name) {
        Ok(name)
    } else {
        Err(GitError::InTheWay(format!("'{task}' cannot be part of a ref's name")))
    }
}

/// Looks at every file that is not committed, and at none's content.
fn look(checkout: &Checkout, uncommitted: &Uncommitted) -> Found {
    let mut found = Found::default();
    for path in uncommitted.all() {
        path.hash(&mut found.mark);
        if uncommitted.nested.contains(path) {
            found.left_out.push(path.to_owned());
            continue;
        }
        let meta = std::fs::symlink_metadata(checkout.path.join(names::path(path))).ok();
        if let Some(meta) = &meta {
            let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
            (meta.ino(), meta.mode(), meta.len(), times).hash(&mut found.mark);
        }
        let large = |m: &Metadata| m.is_file() && m.len() > LARGEST_FILE;
        // What is neither file nor link is nothing that git keeps: a socket, or a directory with a
        // repository in it. A directory in place of a file is the end of the file.
        let strange = |m: &Metadata| !m.is_file() && !m.is_symlink() && !m.is_dir();
        if meta.as_ref().is_some_and(|m| large(m) || strange(m)) {
            found.left_out.push(path.to_owned());
            continue;
        }
        let meta = meta.filter(|meta| !meta.is_dir());
        found.bytes += meta.as_ref().map_or(0, Metadata::len);
        found.files.insert(path.to_owned(), meta);
    }
    found
}

/// HEAD's tree with the files put in: no index is needed for that.
fn by_library(repo: &git2::Repository, head: &str, found: &Found) -> Result<String, GitError> {
    let doing = |path: &[u8]| GitError::lib(format!("keep {}", names::show(path)));
    let base = super::changes::tree(repo, head)?;
    let top = repo.workdir().unwrap_or(Path::new(""));
    let modes_count = repo.config().and_then(|c| c.get_bool("core.fileMode")).unwrap_or(true);
    let (mut gone, mut here) = (TreeUpdateBuilder::new(), TreeUpdateBuilder::new());
    for (path, meta) in &found.files {
        let place = top.join(names::path(path));
        let known = base.get_path(&names::path(path)).ok();
        let executable = |meta: &Metadata| match &known {
            Some(entry) if !modes_count => entry.filemode() == EXECUTABLE,
            _ => modes_count && meta.permissions().mode() & 0o100 != 0,
        };
        match meta {
            None => {
                if known.is_some() {
                    gone.remove(path.as_slice());
                }
            }
            Some(meta) if meta.is_symlink() => {
                let target = std::fs::read_link(&place)
                    .map_err(GitError::io(format!("read {}", place.display())))?;
                let id = repo.blob(target.as_os_str().as_encoded_bytes()).map_err(doing(path))?;
                here.upsert(path.as_slice(), id, git2::FileMode::Link);
            }
            Some(meta) => {
                let id = repo.blob_path(&place).map_err(doing(path))?;
                let mode = if executable(meta) {
                    git2::FileMode::BlobExecutable
                } else {
                    git2::FileMode::Blob
                };
                here.upsert(path.as_slice(), id, mode);
            }
        }
    }
    // Removals first: they make room for directories, and directories for files.
    let writing = || GitError::lib("write the tree of a snapshot");
    let without = gone.create_updated(repo, &base).map_err(writing())?;
    let without = repo.find_tree(without).map_err(writing())?;
    Ok(here.create_updated(repo, &without).map_err(writing())?.to_string())
}

/// As a tree entry has it.
const EXECUTABLE: i32 = 0o100_755;

/// The tree of a checkout as it is, through the executable; objects go to the repository.
///
/// # Errors
/// [`GitError::Refused`] when there is more to write than a snapshot may hold; what git refuses.
pub(super) fn tree_by_executable(checkout: &Checkout) -> Result<String, GitError> {
    let uncommitted = checkout.uncommitted(Look { staged: true, ignored: false })?;
    let found = look(checkout, &uncommitted);
    if found.bytes > LARGEST_SNAPSHOT {
        return Err(too_much(&found, &checkout.path));
    }
    by_executable(checkout, &found)
}

fn too_much(found: &Found, worktree: &Path) -> GitError {
    GitError::Refused(format!(
        "{} MiB in {} are changed or new, and snapshots end at {} MiB; what is not source belongs into \
         .gitignore",
        found.bytes >> 20,
        worktree.display(),
        LARGEST_SNAPSHOT >> 20
    ))
}

/// The same where filters, sparse checkouts or submodules are, or a repository libgit2 cannot read.
fn by_executable(checkout: &Checkout, found: &Found) -> Result<String, GitError> {
    sweep(&checkout.git_dir);
    let index = PrivateIndex::new(checkout)?;
    index.git(&add_arguments(found.left_out.iter().map(Vec::as_slice)))?;
    Ok(names::show(index.git(&["write-tree"])?.trim_ascii()))
}

/// Private indexes of processes that were killed.
fn sweep(git_dir: &Path) {
    for entry in std::fs::read_dir(git_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
        if name.as_encoded_bytes().starts_with(super::private_index::PREFIX.as_bytes())
            && age.is_some_and(|age| age > ABANDONED)
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
