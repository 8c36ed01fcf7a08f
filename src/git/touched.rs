//! What a worktree holds that is not as its task began, kept up from the paths that somebody touched.
//!
//! A file is compared with the commit the task began at, not with HEAD or the index: what the agent commits,
//! stages or resets meanwhile changes nothing about it, and a file that is put back is no change.
//! Promise: the worktree is only read, and no object is written where libgit2 can do it (where it cannot, see
//! [`Means`], git itself writes what a snapshot would).

use super::changes::{oid, tree};
use super::checkout::Checkout;
use super::snapshot_ref::{LARGEST_FILE, tree_by_executable};
use super::tree::{EXECUTABLE, GITLINK, Listing, REGULAR, SYMLINK};
use super::tree_diff::differences;
use super::uncommitted::{Look, Means};
use super::{GitError, Repo, names};
use git2::{ObjectType, Oid, Repository, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file as it stands: git's mode, and its content's object id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub mode: u32,
    pub id: Oid,
    /// Larger than what is ever read for this: `id` is made of its size and times.
    pub large: bool,
}

/// The files that differ from a commit; `None`: gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub(crate) files: BTreeMap<Vec<u8>, Option<Version>>,
    /// The tree that holds them, where git wrote one.
    pub(crate) tree: Option<String>,
}

impl Changes {
    fn of(repo: &Repository, old: &Tree<'_>, new: &Tree<'_>) -> Result<Self, GitError> {
        let found = differences(repo, old, new)?.into_iter().map(|(path, _, new)| {
            let version = new.map(|(raw, id)| Version { mode: mode(raw), id, large: false });
            (path, version)
        });
        Ok(Self { files: found.collect(), tree: None })
    }

    /// The files, sorted, as git has their names.
    pub fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.files.keys().map(Vec::as_slice)
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files that both have, sorted, as text: the same path, or one a directory of the other's file.
    #[must_use]
    pub fn shared(&self, other: &Self) -> Vec<String> {
        let (few, many) = if self.len() <= other.len() { (self, other) } else { (other, self) };
        let mut shared = BTreeSet::new();
        for path in few.files.keys() {
            if many.files.contains_key(path) {
                shared.insert(path);
            }
        }
        for (one, two) in [(self, other), (other, self)] {
            // A file of one side in the place of a directory of the other.
            for (path, version) in &one.files {
                let below = [path.as_slice(), b"/"].concat();
                let inside =
                    version.is_some().then(|| two.files.range(below.clone()..)).into_iter();
                let mut inside = inside.flatten().take_while(|(p, _)| p.starts_with(&below));
                if inside.any(|(_, version)| version.is_some()) {
                    shared.insert(path);
                }
            }
        }
        shared.into_iter().map(|path| names::show(path)).collect()
    }

    /// Something that is the same as long as the given files are.
    #[must_use]
    pub fn mark(&self, paths: &[String]) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        for path in paths {
            if let Some(version) = self.files.get(path.as_bytes()) {
                let version = version.map(|v| (v.mode, v.id));
                (path, version.map(|(mode, id)| (mode, id.as_bytes().to_vec()))).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

impl Repo {
    /// Brings `changes` up to date with the worktree of a task that began at `start`, after the given paths
    /// (from the worktree's root) were touched; `None`: any may have been. Returns folders that were found
    /// among them, and are not ignored.
    ///
    /// # Errors
    /// When it is no worktree of this repository, or cannot be read.
    pub fn look_at(
        &self,
        worktree: &Path,
        start: &str,
        touched: Option<&BTreeSet<PathBuf>>,
        changes: &mut Changes,
    ) -> Result<Vec<PathBuf>, GitError> {
        let checkout = self.linked(worktree)?;
        let repo = checkout.open().ok().filter(|repo| checkout.means(repo) == Means::Library);
        let Some(repo) = repo else {
            let tree = tree_by_executable(&checkout)?;
            *changes = self.by_diff_tree(start, &tree)?;
            changes.tree = Some(tree);
            return Ok(Vec::new());
        };
        let base = tree(&repo, start)?;
        let modes_count = repo.config().and_then(|c| c.get_bool("core.fileMode")).unwrap_or(true);
        let top = &checkout.path;
        let mut look = Glance { top, repo: &repo, base: &base, modes_count, folders: Vec::new() };
        let mut candidates: BTreeSet<Vec<u8>> = BTreeSet::new();
        if let Some(touched) = touched {
            for path in touched {
                let path = path.as_os_str().as_bytes();
                look.expand(path, &mut candidates)?;
                let below = [path, b"/"].concat();
                let known = changes.files.range(below.clone()..).map(|(path, _)| path);
                candidates.extend(known.take_while(|known| known.starts_with(&below)).cloned());
            }
        } else {
            everything(self, &checkout, &repo, &base, &mut candidates)?;
            candidates.extend(changes.files.keys().cloned());
            look.find_folders();
        }
        for path in candidates {
            match look.judge(&path)? {
                Now::Is(version) => _ = changes.files.insert(path, Some(version)),
                Now::Gone => _ = changes.files.insert(path, None),
                Now::Same => _ = changes.files.remove(&path),
            }
        }
        changes.tree = None;
        Ok(look.folders)
    }

    /// The folders of a commit's tree, its root included, from the root.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn folders(&self, commit: &str) -> Result<Vec<PathBuf>, GitError> {
        if self.refused_by_libgit2().is_some() {
            // Such a worktree is looked at as a whole, whatever was touched in it.
            let mut found = BTreeSet::from([PathBuf::new()]);
            for path in self.tree_paths(commit)? {
                found.extend(Path::new(&path).ancestors().skip(1).map(Path::to_owned));
            }
            return Ok(found.into_iter().collect());
        }
        let listing = Listing::read(&self.open()?, commit)?;
        Ok(listing.dirs.iter().map(|dir| names::path(listing.dir_path(dir))).collect())
    }

    /// What a task that began at `start` and ended at `commit` has changed.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn changes_between(&self, start: &str, commit: &str) -> Result<Changes, GitError> {
        let Ok(repo) = self.open() else { return self.by_diff_tree(start, commit) };
        Changes::of(&repo, &tree(&repo, start)?, &tree(&repo, commit)?)
    }

    /// What `tip` changed since it parted from `start`.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn changes_since(&self, start: &str, tip: &str) -> Result<Changes, GitError> {
        if self.contains(start, tip)? {
            return Ok(Changes::default());
        }
        let Ok(repo) = self.open() else {
            let args = ["merge-base", start, tip];
            let base = super::executable::git_line(&self.common_dir, &args)?;
            return self.by_diff_tree(&base, tip);
        };
        let doing = || GitError::lib(format!("compare {start} with {tip}"));
        let base = repo.merge_base(oid(start)?, oid(tip)?).map_err(doing())?;
        Changes::of(&repo, &tree(&repo, &base.to_string())?, &tree(&repo, tip)?)
    }

    fn by_diff_tree(&self, old: &str, new: &str) -> Result<Changes, GitError> {
        let files = self.tree_changes(old, new)?.into_iter().map(|change| {
            let version = change.new.map(|new| Version {
                mode: u32::from_str_radix(&new.mode, 8).unwrap_or(REGULAR),
                // Only compared with others of its kind: of a longer id the beginning will do.
                id: Oid::from_str(new.oid.get(..40).unwrap_or(&new.oid)).unwrap_or(Oid::ZERO_SHA1),
                large: false,
            });
            (change.path, version)
        });
        Ok(Changes { files: files.collect(), tree: None })
    }
}

/// Everything that may differ from `base`.
fn everything(
    all: &Repo,
    checkout: &Checkout,
    repo: &Repository,
    base: &Tree<'_>,
    candidates: &mut BTreeSet<Vec<u8>>,
) -> Result<(), GitError> {
    let uncommitted = checkout.uncommitted(Look { staged: true, ignored: false })?;
    candidates.extend(uncommitted.all().into_iter().map(<[u8]>::to_vec));
    for nested in &uncommitted.nested {
        candidates.remove(nested);
    }
    let head = repo.head().ok().and_then(|head| head.peel_to_tree().ok());
    if let Some(head) = head.filter(|head| head.id() != base.id()) {
        let found = differences(&all.open()?, base, &head)?;
        candidates.extend(found.into_iter().map(|(path, ..)| path));
    }
    Ok(())
}

/// How a file stands to the commit.
enum Now {
    /// As the commit has it, or no file that counts.
    Same,
    /// The commit has it.
    Gone,
    Is(Version),
}

struct Glance<'g> {
    top: &'g Path,
    repo: &'g Repository,
    base: &'g Tree<'g>,
    /// `core.fileMode`.
    modes_count: bool,
    folders: Vec<PathBuf>,
}

impl Glance<'_> {
    /// The files that a touched path stands for.
    fn expand(&mut self, path: &[u8], found: &mut BTreeSet<Vec<u8>>) -> Result<(), GitError> {
        if path.split(|&b| b == b'/').any(|part| part == b".git") {
            return Ok(());
        }
        let meta = self.top.join(names::path(path)).symlink_metadata().ok();
        if !path.is_empty() {
            found.insert(path.to_vec());
        }
        if meta.is_some_and(|meta| meta.is_dir()) {
            self.walk(path, found);
        }
        // What the commit has below it, and may no longer be there.
        let entry =
            if path.is_empty() { None } else { self.base.get_path(&names::path(path)).ok() };
        if let Some(entry) = entry.filter(|entry| entry.kind() == Some(ObjectType::Tree)) {
            let tree = self.repo.find_tree(entry.id()).map_err(GitError::lib("read a tree"))?;
            tree.walk(git2::TreeWalkMode::PreOrder, |below, entry| {
                if entry.kind() != Some(ObjectType::Tree) {
                    found.insert([path, b"/", below.as_bytes(), entry.name_bytes()].concat());
                }
                git2::TreeWalkResult::Ok
            })
            .map_err(GitError::lib("read a tree"))?;
        }
        Ok(())
    }

    /// The files of a folder, unless it is ignored or a repository of its own.
    fn walk(&mut self, folder: &[u8], found: &mut BTreeSet<Vec<u8>>) {
        let mut todo = vec![folder.to_vec()];
        while let Some(folder) = todo.pop() {
            let place = self.top.join(names::path(&folder));
            let nested = !folder.is_empty() && place.join(".git").exists();
            if nested || (!self.has(&folder) && self.is_ignored(&[&folder, &b"/"[..]].concat())) {
                continue;
            }
            self.folders.push(names::path(&folder));
            for entry in std::fs::read_dir(&place).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if name == ".git" {
                    continue;
                }
                let mut path = folder.clone();
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(name.as_bytes());
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    todo.push(path);
                } else {
                    found.insert(path);
                }
            }
        }
    }

    /// The folders that the commit does not have.
    fn find_folders(&mut self) {
        let mut todo = vec![PathBuf::new()];
        while let Some(folder) = todo.pop() {
            for entry in std::fs::read_dir(self.top.join(&folder)).into_iter().flatten().flatten() {
                let path = folder.join(entry.file_name());
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || entry.file_name() == ".git"
                {
                    continue;
                }
                let name = path.as_os_str().as_bytes();
                if !self.has(name) {
                    let nested = self.top.join(&path).join(".git").exists();
                    if nested || self.is_ignored(&[name, &b"/"[..]].concat()) {
                        continue;
                    }
                    self.folders.push(path.clone());
                }
                todo.push(path);
            }
        }
    }

    fn has(&self, path: &[u8]) -> bool {
        path.is_empty() || self.base.get_path(&names::path(path)).is_ok()
    }

    fn is_ignored(&self, path: &[u8]) -> bool {
        self.repo.is_path_ignored(names::path(path)).unwrap_or(false)
    }

    fn judge(&self, path: &[u8]) -> Result<Now, GitError> {
        let place = self.top.join(names::path(path));
        let before = self.base.get_path(&names::path(path)).ok();
        let meta = place.symlink_metadata().ok().filter(|meta| meta.is_file() || meta.is_symlink());
        let before = before.map(|entry| (mode(entry.filemode_raw()), entry.id(), entry.kind()));
        let gone = if matches!(before, Some((.., Some(ObjectType::Blob)))) {
            Now::Gone
        } else {
            Now::Same
        };
        let Some(meta) = meta else { return Ok(gone) };
        let foreign = || self.is_ignored(path) || self.is_nested(path);
        if before.map_or_else(foreign, |(mode, ..)| mode == GITLINK) {
            return Ok(Now::Same);
        }
        let Some(mut now) = version(&place, &meta)? else { return Ok(gone) };
        if let Some((mode, ..)) = before.filter(|_| !self.modes_count && now.mode != SYMLINK) {
            now.mode = mode;
        }
        let same = before.is_some_and(|(mode, id, _)| mode == now.mode && id == now.id);
        Ok(if same { Now::Same } else { Now::Is(now) })
    }

    /// Whether it is in a repository of its own.
    fn is_nested(&self, path: &[u8]) -> bool {
        let path = names::path(path);
        let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        above.into_iter().any(|above| self.top.join(above).join(".git").exists())
    }
}

/// Historical modes of plain files are plain files.
fn mode(raw: i32) -> u32 {
    match u32::try_from(raw) {
        Ok(mode @ (EXECUTABLE | SYMLINK | GITLINK)) => mode,
        _ => REGULAR,
    }
}

/// `None` for a file that went away meanwhile.
fn version(place: &Path, meta: &Metadata) -> Result<Option<Version>, GitError> {
    let doing = || GitError::lib(format!("read {}", place.display()));
    if meta.is_symlink() {
        let Ok(target) = std::fs::read_link(place) else { return Ok(None) };
        let id =
            Oid::hash_object(ObjectType::Blob, target.as_os_str().as_bytes()).map_err(doing())?;
        return Ok(Some(Version { mode: SYMLINK, id, large: false }));
    }
    let mode = if meta.permissions().mode() & 0o100 == 0 { REGULAR } else { EXECUTABLE };
    let large = meta.len() > LARGEST_FILE;
    let text;
    let bytes = if large {
        text = format!("{} {} {}", meta.len(), meta.mtime(), meta.mtime_nsec()).into_bytes();
        text
    } else {
        match std::fs::read(place) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(GitError::io(format!("read {}", place.display()))(error)),
        }
    };
    let id = Oid::hash_object(ObjectType::Blob, &bytes).map_err(doing())?;
    Ok(Some(Version { mode, id, large }))
}
