//! What in a checkout is not committed.
//!
//! Two ways to the same answer: libgit2, which is fast because it trusts the stat data in the index
//! and starts no process, and `git status` where libgit2 would be wrong (see [`Means`]).

use super::checkout::Checkout;
use super::{GitError, names};
use std::collections::BTreeSet;
use std::path::Path;

/// How a checkout can be read and written faithfully.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// libgit2 does what git does.
    Library,
    /// Filters, a sparse checkout, submodules, line-ending conversion, or a repository format
    /// that libgit2 cannot read.
    Executable,
}

/// What is not committed; paths from the top of the checkout, as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uncommitted {
    /// Tracked, and different in the work tree from the index.
    pub changed: BTreeSet<Vec<u8>>,
    /// Different in the index from HEAD.
    pub staged: BTreeSet<Vec<u8>>,
    /// Untracked files that are not ignored.
    pub untracked: BTreeSet<Vec<u8>>,
    /// Untracked repositories inside the checkout (without a trailing slash).
    pub nested: BTreeSet<Vec<u8>>,
    /// Left unmerged.
    pub conflicted: BTreeSet<Vec<u8>>,
    /// Ignored files and directories, a directory counted once; only when asked for.
    pub ignored: u64,
}

/// What to look for besides changed, untracked and unmerged files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    /// Compare the index with HEAD.
    pub staged: bool,
    /// Count what is ignored.
    pub ignored: bool,
}

impl Uncommitted {
    /// Every path, once.
    pub fn all(&self) -> BTreeSet<&[u8]> {
        [&self.changed, &self.staged, &self.untracked, &self.nested, &self.conflicted]
            .into_iter()
            .flatten()
            .map(Vec::as_slice)
            .collect()
    }

    /// Every path as text.
    pub fn names(&self) -> Vec<String> {
        self.all().into_iter().map(names::show).collect()
    }
}

impl Checkout {
    /// Looks at the checkout without writing anything, not even refreshed stat data.
    pub(crate) fn uncommitted(&self, look: Look) -> Result<Uncommitted, GitError> {
        if let Ok(repo) = self.open()
            && self.means(&repo) == Means::Library
        {
            return by_library(&repo, look);
        }
        by_executable(|args| self.git(args), look)
    }

    /// Decides how to deal with this checkout.
    pub(crate) fn means(&self, repo: &git2::Repository) -> Means {
        let Ok(config) = repo.config() else { return Means::Executable };
        let set = |key: &str| config.get_bool(key).unwrap_or(false);
        let converts =
            |key: &str| config.get_string(key).is_ok_and(|v| !v.eq_ignore_ascii_case("false"));
        if set("core.sparseCheckout") || converts("core.autocrlf") || converts("core.safecrlf") {
            return Means::Executable;
        }
        let Ok(index) = repo.index() else { return Means::Executable };
        let mut attributes = vec![repo.commondir().join("info/attributes")];
        if let Ok(global) = config.get_path("core.attributesFile") {
            attributes.push(global);
        } else if let Ok(xdg) = git2::Config::find_xdg() {
            attributes.push(xdg.with_file_name("attributes"));
        }
        attributes.push(self.path.join(".gitattributes"));
        for entry in index.iter() {
            if entry.path == b".gitmodules" {
                return Means::Executable;
            }
            if entry.path.ends_with(b"/.gitattributes") {
                attributes.push(self.path.join(names::path(&entry.path)));
            }
        }
        if attributes.iter().any(|file| names_a_filter(file)) {
            return Means::Executable;
        }
        Means::Library
    }
}

/// The same through `git status`, run by `git`.
pub(crate) fn by_executable(
    git: impl Fn(&[&str]) -> Result<Vec<u8>, GitError>,
    look: Look,
) -> Result<Uncommitted, GitError> {
    let mut args = vec![
        "--no-optional-locks",
        "status",
        "--porcelain=v2",
        "-z",
        "--no-renames",
        "--untracked-files=all",
    ];
    args.push(if look.ignored { "--ignored=traditional" } else { "--ignored=no" });
    let output = git(&args)?;
    let mut found = Uncommitted::default();
    for record in names::nul_separated(&output) {
        // The path is what follows a fixed number of fields.
        let field = |n: usize| record.splitn(n + 1, |&b| b == b' ').nth(n).unwrap_or_default();
        match record[0] {
            b'1' => {
                let path = field(8).to_vec();
                let state = field(1);
                if state.first() != Some(&b'.') {
                    found.staged.insert(path.clone());
                }
                if state.get(1) != Some(&b'.') {
                    found.changed.insert(path);
                }
            }
            b'u' => _ = found.conflicted.insert(field(10).to_vec()),
            b'?' => found.add_untracked(field(1)),
            b'!' => found.ignored += 1,
            _ => {}
        }
    }
    Ok(found)
}

impl Uncommitted {
    /// With every file asked for, only a repository is still shown as a directory.
    fn add_untracked(&mut self, path: &[u8]) {
        match path.strip_suffix(b"/") {
            Some(repository) => self.nested.insert(repository.to_vec()),
            None => self.untracked.insert(path.to_vec()),
        };
    }
}

/// The same through libgit2.
pub(crate) fn by_library(repo: &git2::Repository, look: Look) -> Result<Uncommitted, GitError> {
    let mut index = repo.index().map_err(GitError::lib("read the index"))?;
    index.read(false).map_err(GitError::lib("read the index"))?;
    let mut options = git2::DiffOptions::new();
    options
        .include_untracked(true)
        .recurse_untracked_dirs(true)
        .include_typechange(true)
        .include_unreadable(true)
        .include_ignored(look.ignored)
        .skip_binary_check(true)
        .update_index(false);
    let diff = repo
        .diff_index_to_workdir(Some(&index), Some(&mut options))
        .map_err(GitError::lib("compare the work tree with the index"))?;
    let mut found = Uncommitted::default();
    for delta in diff.deltas() {
        let file = if delta.status() == git2::Delta::Deleted {
            delta.old_file()
        } else {
            delta.new_file()
        };
        let path = file.path_bytes().unwrap_or_default().to_vec();
        match delta.status() {
            git2::Delta::Untracked => found.add_untracked(&path),
            // To libgit2 a repository without files is an empty directory, and that is ignored.
            git2::Delta::Ignored if !repo.is_path_ignored(names::path(&path)).unwrap_or(true) => {
                let top = repo.workdir().unwrap_or(Path::new(""));
                find_repositories(top, &path, &mut found.nested);
            }
            git2::Delta::Ignored => found.ignored += 1,
            git2::Delta::Conflicted => _ = found.conflicted.insert(path),
            git2::Delta::Unmodified => {}
            // The worktree of a sparse checkout that was switched off again may still hold these.
            git2::Delta::Deleted if skips(&index, &path) => {}
            _ => _ = found.changed.insert(path),
        }
    }
    if index.has_conflicts() {
        for conflict in index.conflicts().map_err(GitError::lib("read the index"))?.flatten() {
            let side = conflict.our.or(conflict.their).or(conflict.ancestor);
            found.conflicted.extend(side.map(|entry| entry.path));
        }
    }
    if look.staged {
        let head = repo.head().ok().and_then(|head| head.peel_to_tree().ok());
        let diff = repo
            .diff_tree_to_index(head.as_ref(), Some(&index), None)
            .map_err(GitError::lib("compare the index with HEAD"))?;
        for delta in diff.deltas().filter(|d| d.status() != git2::Delta::Conflicted) {
            let path = delta.new_file().path_bytes().or(delta.old_file().path_bytes());
            found.staged.extend(path.map(<[u8]>::to_vec));
        }
    }
    Ok(found)
}

/// Repositories in a directory that holds no files of its own.
fn find_repositories(top: &Path, directory: &[u8], found: &mut BTreeSet<Vec<u8>>) {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    let place = top.join(names::path(directory));
    if place.join(".git").exists() {
        found.insert(directory.to_vec());
        return;
    }
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let name = entry.file_name();
            let inner = [directory, b"/", name.as_encoded_bytes()].concat();
            find_repositories(top, &inner, found);
        }
    }
}

/// Whether an index entry is marked as not to be in the work tree.
fn skips(index: &git2::Index, path: &[u8]) -> bool {
    index.get_path(&names::path(path), 0).is_some_and(|entry| {
        git2::IndexEntryExtendedFlag::from_bits_truncate(entry.flags_extended).is_skip_worktree()
    })
}

/// Whether an attributes file asks for a conversion that libgit2 does not do as git does.
pub(crate) fn names_a_filter(file: &Path) -> bool {
    std::fs::read(file).is_ok_and(|text| {
        String::from_utf8_lossy(&text).split_ascii_whitespace().any(|word| {
            ["filter=", "working-tree-encoding=", "eol=crlf"].iter().any(|w| word.starts_with(w))
                || ["ident", "crlf", "crlf=input"].contains(&word)
        })
    })
}
