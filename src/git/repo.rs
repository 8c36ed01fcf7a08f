//! Finding the repository and where it stands.

use super::GitError;
use std::path::{Path, PathBuf};

/// A repository by its places on disk. Cheap to clone and to send to another thread: every
/// operation opens libgit2's handle anew, because a handle must not be shared between threads.
#[derive(Clone, Debug)]
pub struct Repo {
    /// The common git directory (absolute): objects, refs, `worktrees/`, and `orch/`.
    pub common_dir: PathBuf,
    /// The main work tree (absolute), where `.worktrees/` is made. For a bare repository: the
    /// directory that holds it... `None`.
    pub root: Option<PathBuf>,
    /// The work tree the command was started in, which is not `root` inside a linked worktree.
    pub checkout: Option<PathBuf>,
}

/// Where a checkout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub oid: String,
    /// The short name of the branch, `None` when detached.
    pub branch: Option<String>,
}

impl Repo {
    /// Finds the repository that contains `cwd`.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn discover(cwd: &Path) -> Result<Self, GitError> {
        let repo = git2::Repository::discover(cwd)
            .map_err(|_| GitError::NotARepository(cwd.to_owned()))?;
        let common_dir = repo.commondir().to_owned();
        let checkout = repo.workdir().map(Path::to_owned);
        let main = git2::Repository::open(&common_dir)
            .map_err(GitError::lib(format!("open {}", common_dir.display())))?;
        let root = main.workdir().map(Path::to_owned);
        Ok(Self { common_dir, root, checkout })
    }

    /// A libgit2 handle on the main repository.
    pub(crate) fn open(&self) -> Result<git2::Repository, GitError> {
        git2::Repository::open(&self.common_dir)
            .map_err(GitError::lib(format!("open {}", self.common_dir.display())))
    }

    /// Where the checkout the command was started in stands.
    ///
    /// # Errors
    /// [`GitError::NoCommits`] for an unborn branch; whatever libgit2 refuses.
    pub fn head(&self) -> Result<Head, GitError> {
        let place = self.checkout.as_ref().unwrap_or(&self.common_dir);
        let repo = git2::Repository::open(place)
            .map_err(GitError::lib(format!("open {}", place.display())))?;
        if repo.is_empty().unwrap_or(false) {
            return Err(GitError::NoCommits);
        }
        let head = repo.head().map_err(|e| match e.code() {
            git2::ErrorCode::UnbornBranch | git2::ErrorCode::NotFound => GitError::NoCommits,
            _ => GitError::Libgit { doing: "read HEAD".into(), source: e },
        })?;
        let branch = if head.is_branch() { head.shorthand().ok().map(str::to_owned) } else { None };
        let oid = head.peel_to_commit().map_err(GitError::lib("read HEAD"))?.id().to_string();
        Ok(Head { oid, branch })
    }
}
