//! A worktree's entry under `worktrees/` of the common git directory, as gitrepository-layout(5)
//! describes it.

use super::super::{GitError, Repo};
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The reason in `locked` while the worktree is being made. Git does the same with a word of its
/// own: `git worktree prune` must not take the entry away meanwhile.
const MAKING: &[u8] = b"orch is making this worktree\n";
/// Git's own word.
const GIT_MAKING: &[u8] = b"initializing";

/// One entry, which need not exist.
#[derive(Clone, Debug)]
pub(in crate::git) struct Admin {
    pub dir: PathBuf,
}

/// What `HEAD` is to hold.
#[derive(Clone, Copy, Debug)]
pub(in crate::git) enum HeadLine<'a> {
    Branch(&'a str),
    Detached(&'a str),
}

/// Who keeps an entry from being pruned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::git) enum Lock {
    None,
    /// `orch`, which is making it.
    Ours,
    /// `git worktree add`, which is making it.
    Git,
    /// A person, with a reason.
    Person(String),
}

impl Admin {
    pub fn named(repo: &Repo, name: &str) -> Self {
        Self { dir: repo.common_dir.join("worktrees").join(name) }
    }

    pub fn exists(&self) -> bool {
        self.dir.is_dir()
    }

    /// The folder of the worktree, as the entry records it.
    pub fn folder(&self) -> Option<PathBuf> {
        let mut bytes = fs::read(self.dir.join("gitdir")).ok()?;
        bytes.truncate(bytes.trim_ascii_end().len());
        // Relative with extensions.relativeWorktrees.
        let file = self.dir.join(std::ffi::OsString::from_vec(bytes));
        let file = file.canonicalize().unwrap_or(file);
        file.parent().map(Path::to_owned)
    }

    pub fn lock(&self) -> Lock {
        match fs::read(self.dir.join("locked")) {
            Err(_) => Lock::None,
            Ok(reason) if reason == MAKING || reason.is_empty() && self.folder().is_none() => {
                Lock::Ours
            }
            Ok(reason) if reason.trim_ascii_end() == GIT_MAKING => Lock::Git,
            Ok(reason) => Lock::Person(String::from_utf8_lossy(&reason).trim().to_owned()),
        }
    }

    /// Whether `folder` says that it belongs to this entry.
    pub fn owns(&self, folder: &Path) -> bool {
        git_file_target(folder).is_some_and(|dir| {
            dir == self.dir
                || matches!((dir.canonicalize(), self.dir.canonicalize()), (Ok(a), Ok(b)) if a == b)
        })
    }

    /// The branch `HEAD` is on (full name), or the commit.
    pub fn head(&self) -> Option<String> {
        let text = fs::read_to_string(self.dir.join("HEAD")).ok()?;
        let line = text.trim_end();
        Some(line.strip_prefix("ref: ").unwrap_or(line).to_owned())
    }

    /// Makes the entry, marked as being made. It is put together in `staging` and renamed: every
    /// git process that lists worktrees reads all entries, and dies of one without `commondir`.
    pub fn make(&self, staging: &Path, folder: &Path, head: HeadLine<'_>) -> Result<(), GitError> {
        self.write_and_rename(staging, folder, head)
            .map_err(GitError::io(format!("make the worktree entry {}", self.dir.display())))
    }

    fn write_and_rename(
        &self,
        staging: &Path,
        folder: &Path,
        head: HeadLine<'_>,
    ) -> io::Result<()> {
        if let Err(e) = fs::remove_dir_all(staging)
            && e.kind() != io::ErrorKind::NotFound
        {
            return Err(e);
        }
        fs::create_dir_all(staging)?;
        fs::write(staging.join("locked"), MAKING)?;
        fs::write(staging.join("gitdir"), git_dir_line(folder))?;
        fs::write(staging.join("commondir"), "../..\n")?;
        fs::write(staging.join("HEAD"), head.line())?;
        if let Some(parent) = self.dir.parent() {
            fs::create_dir_all(parent)?;
        }
        // Replaces an empty folder, and nothing else.
        fs::rename(staging, &self.dir)
    }

    /// Marks an entry as being made again.
    pub fn mark(&self) -> Result<(), GitError> {
        fs::write(self.dir.join("locked"), MAKING)
            .map_err(GitError::io(format!("lock {}", self.dir.display())))
    }

    /// The worktree is whole: takes the mark away.
    pub fn release(&self) -> Result<(), GitError> {
        fs::remove_file(self.dir.join("locked"))
            .map_err(GitError::io(format!("unlock {}", self.dir.display())))
    }

    /// Points the entry and the folder at each other.
    pub fn join(&self, folder: &Path) -> Result<(), GitError> {
        self.set_folder(folder)?;
        self.replace_git_file(folder)
    }

    /// Writes `.git` in a new folder.
    pub fn write_git_file(&self, folder: &Path) -> Result<(), GitError> {
        let path = folder.join(".git");
        fs::write(&path, self.git_file_line())
            .map_err(GitError::io(format!("write {}", path.display())))
    }

    /// Puts the folder of another entry, which is complete, in the place of this one.
    pub fn move_from(&self, other: &Self) -> io::Result<()> {
        let parent = self.dir.parent().unwrap_or(&self.dir);
        fs::create_dir_all(parent)?;
        match fs::rename(&other.dir, &self.dir) {
            // Git removes the folder around it with the last worktree, maybe just now.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(parent)?;
                fs::rename(&other.dir, &self.dir)
            }
            other => other,
        }
    }

    /// Where the common git directory is, from the entry.
    pub fn set_common(&self, way: &str) -> Result<(), GitError> {
        replace(&self.dir.join("commondir"), format!("{way}\n").as_bytes())
    }

    /// Names the folder that the entry is to belong to, which does not yet say so itself.
    pub fn set_folder(&self, folder: &Path) -> Result<(), GitError> {
        replace(&self.dir.join("gitdir"), &git_dir_line(folder))
    }

    /// Makes a folder say that it belongs to this entry.
    pub fn replace_git_file(&self, folder: &Path) -> Result<(), GitError> {
        replace(&folder.join(".git"), &self.git_file_line())
    }

    pub fn set_head(&self, head: HeadLine<'_>) -> Result<(), GitError> {
        replace(&self.dir.join("HEAD"), head.line().as_bytes())
    }

    /// Begins the history of `HEAD` anew, if `signature` (name, mail, time) is given.
    pub fn start_log(&self, oid: &str, signature: Option<&str>) -> Result<(), GitError> {
        let logs = self.dir.join("logs");
        let Some(signature) = signature else { return Ok(()) };
        let zeros = "0".repeat(oid.len());
        let line = format!("{zeros} {oid} {signature}\tworktree: created by orch\n");
        fs::create_dir_all(&logs)
            .and_then(|()| fs::write(logs.join("HEAD"), line))
            .map_err(GitError::io(format!("write {}", logs.display())))
    }

    pub fn write_index(&self, bytes: &[u8]) -> Result<(), GitError> {
        replace(&self.dir.join("index"), bytes)
    }

    /// Removes all that a former user left in the entry: logs, hooks' leftovers, `ORIG_HEAD`.
    pub fn strip(&self) -> Result<(), GitError> {
        let kept = ["gitdir", "commondir", "HEAD", "index", "locked"];
        for path in super::discard::files_in(&self.dir) {
            if kept.iter().any(|name| path.file_name().is_some_and(|n| n == *name)) {
                continue;
            }
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(GitError::io(format!("remove {}", path.display())))?;
        }
        Ok(())
    }

    /// Removes the entry. Nothing is an error that leaves it gone.
    pub fn remove(&self) -> Result<(), GitError> {
        match fs::remove_dir_all(&self.dir) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(GitError::io(format!("remove {}", self.dir.display()))(e))
            }
            _ => Ok(()),
        }
    }

    /// What `.git` holds in the folder.
    pub fn git_file_line(&self) -> Vec<u8> {
        [b"gitdir: ", self.dir.as_os_str().as_bytes(), b"\n"].concat()
    }
}

impl HeadLine<'_> {
    fn line(self) -> String {
        match self {
            Self::Branch(name) => format!("ref: refs/heads/{name}\n"),
            Self::Detached(oid) => format!("{oid}\n"),
        }
    }
}

fn git_dir_line(folder: &Path) -> Vec<u8> {
    [folder.as_os_str().as_bytes(), b"/.git\n"].concat()
}

/// Where the `.git` file of a folder leads.
pub(in crate::git) fn git_file_target(folder: &Path) -> Option<PathBuf> {
    let bytes = fs::read(folder.join(".git")).ok()?;
    let name = bytes.strip_prefix(b"gitdir: ")?.trim_ascii_end();
    Some(folder.join(std::ffi::OsStr::from_bytes(name)))
}

/// A reader sees the old content or the new, never a part.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), GitError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".orch");
    let temporary = PathBuf::from(name);
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        drop(file);
        fs::rename(&temporary, path)
    };
    write().map_err(GitError::io(format!("write {}", path.display())))
}
