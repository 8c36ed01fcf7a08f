//! A checkout: a work tree together with the git directory that is its own.
//!
//! Promise: git never looks for a repository on its own here. In a worktree whose `.git` file is
//! gone, a plain `git add` would find the repository around it and act on the user's checkout.

use super::executable::{self, last_words, subject};
use super::{GitError, Repo, names};
use crate::model::shell_word;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A work tree and its own git directory (the common one for the main checkout, otherwise
/// `worktrees/NAME` inside it).
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    pub path: PathBuf,
    pub git_dir: PathBuf,
}

/// Where a checkout's HEAD stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// `None` on an unborn branch.
    pub oid: Option<String>,
    /// Full name of the ref, `None` when detached.
    pub reference: Option<String>,
}

impl Repo {
    /// Ties a worktree to this repository again that lost its `.git`; what is in it stays.
    ///
    /// # Errors
    /// When the repository does not know it.
    pub fn repair_worktree(&self, worktree: &Path) -> Result<(), GitError> {
        // Without a path: given one that has no .git, git mends it and complains. It may also complain of
        // others, which are not our concern.
        let done = executable::git(self.place(), &["worktree", "repair"]);
        if worktree.join(".git").exists() {
            return Ok(());
        }
        done?;
        Err(GitError::Gone(format!(
            "{} has no .git any more and the repository does not know it; move it away, then try again",
            worktree.display()
        )))
    }

    /// The checkout at `worktree`, after making sure that it is a linked worktree of this
    /// repository and that both sides know each other.
    pub(crate) fn linked(&self, worktree: &Path) -> Result<Checkout, GitError> {
        let unusable = |why: &str| {
            format!(
                "{} is not a usable worktree of this repository: {why}; if the files in it matter, \
                 try: git worktree repair {}",
                worktree.display(),
                shell_word(&worktree.display().to_string())
            )
        };
        let broken = |why: &str| GitError::InTheWay(unusable(why));
        if !worktree.exists() {
            return Err(GitError::Gone(format!(
                "the worktree {} is gone; if it was moved, this says where it is: git worktree list",
                worktree.display()
            )));
        }
        let dot_git = worktree.join(".git");
        let kind = std::fs::symlink_metadata(&dot_git)
            .map_err(|_| GitError::Gone(unusable("its .git is gone")))?;
        if !kind.is_file() {
            return Err(broken("its .git is a repository of its own"));
        }
        let text =
            std::fs::read(&dot_git).map_err(GitError::io(format!("read {}", dot_git.display())))?;
        let target = text
            .strip_prefix(b"gitdir:")
            .map(|rest| worktree.join(names::path(rest.trim_ascii())))
            .ok_or_else(|| broken("its .git does not name a git directory"))?;
        let git_dir = target
            .canonicalize()
            .map_err(|_| broken("the git directory that its .git names is gone"))?;
        if git_dir.parent() != self.common_dir.join("worktrees").canonicalize().ok().as_deref() {
            return Err(broken("its .git names a git directory of another repository"));
        }
        let back = std::fs::read(git_dir.join("gitdir"))
            .map_err(|_| broken("its git directory does not say where it is"))?;
        let back = git_dir.join(names::path(back.trim_ascii()));
        if back.canonicalize().ok() != dot_git.canonicalize().ok() {
            return Err(broken("its .git names the git directory of another worktree"));
        }
        Ok(Checkout { path: worktree.to_owned(), git_dir })
    }

    /// The main checkout, where there is one.
    pub(crate) fn main_checkout(&self) -> Option<Checkout> {
        let path = self.root.clone()?;
        Some(Checkout { path, git_dir: self.common_dir.clone() })
    }

    /// The checkouts on disk that have a branch (its full name) checked out.
    pub(crate) fn holders(&self, reference: &str) -> Result<Vec<Checkout>, GitError> {
        let is_it = |name: &Option<String>| name.as_deref() == Some(reference);
        // A HEAD that is a symbolic link is from before 2006, and git's own business.
        let odd = self.common_dir.join("HEAD").is_symlink();
        if odd || self.refused_by_libgit2().is_some() {
            let all = self.checkouts()?.into_iter().filter(|(_, name)| is_it(name));
            return Ok(all.map(|(checkout, _)| checkout).collect());
        }
        // As git reads them: HEAD of each, in its own git directory.
        let head = |git_dir: &Path| {
            let text = std::fs::read(git_dir.join("HEAD")).ok()?;
            Some(names::show(text.strip_prefix(b"ref: ")?.trim_ascii()))
        };
        let main = self.main_checkout().filter(|main| is_it(&head(&main.git_dir)));
        let mut found: Vec<Checkout> = main.into_iter().collect();
        let linked = self.common_dir.join("worktrees");
        for entry in std::fs::read_dir(linked).into_iter().flatten().flatten() {
            let git_dir = entry.path();
            if !is_it(&head(&git_dir)) {
                continue;
            }
            let Ok(place) = std::fs::read(git_dir.join("gitdir")) else { continue };
            let dot_git = git_dir.join(names::path(place.trim_ascii()));
            // A worktree whose directory is gone has nothing to protect.
            found.extend(dot_git.parent().and_then(|path| self.linked(path).ok()));
        }
        Ok(found)
    }

    /// Every checkout that exists on disk, with the branch that it has checked out.
    pub(crate) fn checkouts(&self) -> Result<Vec<(Checkout, Option<String>)>, GitError> {
        let listing =
            run(executable::command(&self.common_dir, &["worktree", "list", "--porcelain", "-z"]))?;
        let mut found = Vec::new();
        let (mut path, mut branch, mut bare) = (None, None, false);
        // An empty line ends each block; with -z that is two NULs in a row.
        for line in listing.split(|&b| b == 0) {
            if let Some(place) = line.strip_prefix(b"worktree ") {
                path = Some(names::path(place));
            } else if let Some(name) = line.strip_prefix(b"branch ") {
                branch = Some(names::show(name));
            } else if line == b"bare" {
                bare = true;
            } else if line.is_empty()
                && let Some(path) = path.take()
            {
                let checkout = if found.is_empty() && !bare {
                    self.main_checkout().filter(|main| same_place(&main.path, &path))
                } else {
                    None
                };
                // A worktree whose directory is gone has nothing to protect.
                if let Some(checkout) = checkout.or_else(|| self.linked(&path).ok()) {
                    found.push((checkout, branch.take()));
                }
                (branch, bare) = (None, false);
            }
        }
        Ok(found)
    }
}

impl Checkout {
    /// libgit2's handle on it.
    pub(crate) fn open(&self) -> Result<git2::Repository, GitError> {
        git2::Repository::open(&self.path)
            .map_err(GitError::lib(format!("open {}", self.path.display())))
    }

    /// The git executable, aimed at this checkout and no other.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = executable::command(&self.path, args);
        command.env("GIT_DIR", &self.git_dir).env("GIT_WORK_TREE", &self.path);
        command
    }

    /// Runs git in it and gives its standard output.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<Vec<u8>, GitError> {
        run(self.command(args))
    }

    /// Where HEAD stands.
    pub(crate) fn standing(&self) -> Result<Standing, GitError> {
        let symbolic = self.command(&["symbolic-ref", "-q", "HEAD"]).stdin(Stdio::null()).output();
        let symbolic = symbolic.map_err(GitError::io("start git"))?;
        let reference =
            symbolic.status.success().then(|| names::show(symbolic.stdout.trim_ascii_end()));
        let oid = self.git(&["rev-parse", "--verify", "-q", "HEAD^{commit}"]).ok();
        Ok(Standing { oid: oid.map(|o| names::show(o.trim_ascii())), reference })
    }

    /// What the checkout is in the middle of, as a person calls it.
    pub(crate) fn operation(&self) -> Option<&'static str> {
        [
            ("rebase-merge", "a rebase"),
            ("rebase-apply", "a rebase (or git am)"),
            ("sequencer", "a cherry-pick or revert of several commits"),
            ("MERGE_HEAD", "a merge"),
            ("CHERRY_PICK_HEAD", "a cherry-pick"),
            ("REVERT_HEAD", "a revert"),
            ("BISECT_LOG", "a bisect"),
        ]
        .into_iter()
        .find(|(file, _)| self.git_dir.join(file).exists())
        .map(|(_, name)| name)
    }
}

/// Runs git to its end; a failing exit is an error with git's own words. Standard input is closed.
pub(crate) fn run(mut command: Command) -> Result<Vec<u8>, GitError> {
    finish(command.stdin(Stdio::null()))
}

/// As [`run`], with `input` as standard input.
pub(crate) fn run_with_input(mut command: Command, input: &[u8]) -> Result<Vec<u8>, GitError> {
    let mut file = tempfile::tempfile().map_err(GitError::io("make a temporary file"))?;
    std::io::Write::write_all(&mut file, input)
        .and_then(|()| std::io::Seek::rewind(&mut file))
        .map_err(GitError::io("write a temporary file"))?;
    finish(command.stdin(file))
}

/// As [`run`], with `lock` as standard input: the lock lives as long as any process that has it.
pub(crate) fn run_holding(mut command: Command, lock: &File) -> Result<Vec<u8>, GitError> {
    let lock = lock.try_clone().map_err(GitError::io("share the lock"))?;
    finish(command.stdin(lock))
}

fn finish(command: &mut Command) -> Result<Vec<u8>, GitError> {
    let output = command.output().map_err(GitError::io("start git"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let args: Vec<&OsStr> = command.get_args().collect();
    Err(GitError::Executable { command: subject(&args), message: last_words(&output) })
}

/// Whether two paths lead to the same place.
pub(crate) fn same_place(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
