//! An index of our own for someone else's checkout.
//!
//! Promise: the checkout's own index is only read. What is added keeps the stat data of the copied
//! index, so unchanged files are not read again.

use super::checkout::{Checkout, run};
use super::uncommitted::{Look, by_executable};
use super::{GitError, names};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Names of private indexes begin with this.
pub(crate) const PREFIX: &str = "orch-index-";

/// A copy of a checkout's index, removed on drop.
pub(crate) struct PrivateIndex<'c> {
    checkout: &'c Checkout,
    place: TempDir,
    /// Where new objects go instead of the repository, and the repository's own objects.
    objects: Option<(PathBuf, PathBuf)>,
}

impl<'c> PrivateIndex<'c> {
    /// Without entries; new objects go to the repository.
    pub(crate) fn empty(checkout: &'c Checkout) -> Result<Self, GitError> {
        let place = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&checkout.git_dir)
            .map_err(GitError::io(format!("write in {}", checkout.git_dir.display())))?;
        Ok(Self { checkout, place, objects: None })
    }

    /// A copy of the checkout's; new objects go to the repository.
    pub(crate) fn new(checkout: &'c Checkout) -> Result<Self, GitError> {
        let doing = || format!("copy the index of {}", checkout.path.display());
        let private = Self::empty(checkout)?;
        let place = &private.place;
        let copy = copy_index(&checkout.git_dir.join("index"), &place.path().join("index"));
        match copy {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(GitError::io(doing())(error));
            }
            _ => {}
        }
        Ok(private)
    }

    /// New objects go to a temporary directory and vanish with it.
    pub(crate) fn with_objects_apart(
        checkout: &'c Checkout,
        common_dir: &Path,
    ) -> Result<Self, GitError> {
        let mut index = Self::new(checkout)?;
        let objects = index.place.path().join("objects");
        std::fs::create_dir(&objects)
            .map_err(GitError::io(format!("create {}", objects.display())))?;
        index.objects = Some((objects, common_dir.join("objects")));
        Ok(index)
    }

    /// Adds every change, deletion and untracked file, but no repository inside the checkout;
    /// those are returned.
    pub(crate) fn add_everything(&self) -> Result<Vec<Vec<u8>>, GitError> {
        let nested = by_executable(|args| self.git(args), Look::default())?.nested;
        self.git(&add_arguments(nested.iter().map(Vec::as_slice)))?;
        Ok(nested.into_iter().collect())
    }

    /// Runs git with this index.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<Vec<u8>, GitError> {
        run(self.command(args))
    }

    fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = self.checkout.command(args);
        command.env("GIT_INDEX_FILE", self.place.path().join("index"));
        if let Some((ours, theirs)) = &self.objects {
            command.env("GIT_OBJECT_DIRECTORY", ours);
            command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(theirs));
        }
        command
    }
}

/// Copies an index with its time: git takes an entry that is as young as the index for possibly
/// changed, and a younger copy would make it trust such entries.
pub(crate) fn copy_index(from: &Path, to: &Path) -> std::io::Result<()> {
    let time = std::fs::metadata(from)?.modified()?;
    std::fs::copy(from, to)?;
    std::fs::File::options().append(true).open(to)?.set_modified(time)
}

/// A directory for a colon-separated list, in quotation marks so that it may contain a colon.
fn quoted(directory: &Path) -> OsString {
    let Some(text) = directory.to_str() else { return directory.into() };
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")).into()
}

/// `git add` of everything but the repositories at `nested`. Without hooks, and without refusing
/// what `core.safecrlf` only exists to warn a person about.
pub(crate) fn add_arguments<'a>(nested: impl Iterator<Item = &'a [u8]>) -> Vec<OsString> {
    let fixed = ["-c", "core.safecrlf=false", "-c", "core.hooksPath=/dev/null"];
    let mut args: Vec<OsString> = fixed.iter().map(Into::into).collect();
    args.extend(["add", "--all", "--sparse", "--", ":/"].iter().map(Into::into));
    for path in nested {
        let mut pathspec = OsString::from(":(top,exclude,literal)");
        pathspec.push(names::path(path));
        args.push(pathspec);
    }
    args
}
