//! What is under way, on disk and locked, so that the next process can clear up after a crash.
//!
//! One small file for each worktree being made or recycled. Its lock says whether somebody is at
//! it; its content, written before the first step, says what to throw away if nobody is any more.

use super::super::GitError;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for another thread or process that is making the same worktree. A large
/// checkout through a slow filter takes minutes.
const PATIENCE: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_millis(10);

/// What may be half done when the process dies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::git) struct Undo {
    /// Entries under `worktrees/` of the common git directory.
    pub admins: Vec<String>,
    /// Folders of worktrees.
    pub folders: Vec<PathBuf>,
    /// A branch that did not exist before (short name), and the commit it is created at.
    pub branch: Option<(String, String)>,
    /// The name of a pool entry that is taken or added.
    pub pool: Option<String>,
}

/// The right to make one worktree, until it is dropped.
#[derive(Debug)]
pub(in crate::git) struct Intent {
    file: File,
    path: PathBuf,
}

impl Intent {
    /// Waits for the right, and gives what a dead owner left undone.
    pub fn acquire(dir: &Path, name: &str) -> Result<(Self, Option<Undo>), GitError> {
        let path = dir.join(name);
        let failed = |e| GitError::io(format!("lock {}", path.display()))(e);
        fs::create_dir_all(dir).map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&path).map_err(failed)?;
            match Self::lock(file, &path).map_err(failed)? {
                Some(mut intent) => {
                    let left = intent.read();
                    return Ok((intent, left));
                }
                None if Instant::now() > deadline => {
                    return Err(GitError::Refused(format!(
                        "somebody else has been making worktree {name} for {} s ({} is locked); try again later",
                        PATIENCE.as_secs(),
                        path.display()
                    )));
                }
                None => std::thread::sleep(PAUSE),
            }
        }
    }

    /// The right to one whose owner is dead; `None` while somebody lives that holds it.
    pub fn of_the_dead(path: &Path) -> Option<(Self, Option<Undo>)> {
        let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        let mut intent = Self::lock(file, path).ok()??;
        let left = intent.read();
        Some((intent, left))
    }

    /// What is written in an intent, whoever holds it.
    pub fn peek(path: &Path) -> Option<Undo> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// `None` when it is locked, or was finished between opening and locking.
    fn lock(file: File, path: &Path) -> std::io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        let held = file.metadata()?;
        let named =
            fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (held.dev(), held.ino()));
        Ok(named.then(|| Self { file, path: path.to_owned() }))
    }

    fn read(&mut self) -> Option<Undo> {
        let mut text = Vec::new();
        self.file.rewind().and_then(|()| self.file.read_to_end(&mut text)).ok()?;
        // Cut short, it was being written, and nothing had been done yet.
        serde_json::from_slice(&text).ok()
    }

    /// Says what is to be thrown away should this process die.
    pub fn write(&mut self, undo: &Undo) -> Result<(), GitError> {
        let text = serde_json::to_vec(undo)
            .map_err(|e| GitError::io(format!("write {}", self.path.display()))(e.into()))?;
        let mut store = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(&text)
        };
        store().map_err(GitError::io(format!("write {}", self.path.display())))
    }

    /// The lock itself, to hand to a child that must not be thought dead with us. Its lock lives
    /// for as long as anybody holds it.
    pub fn share(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Leaves it as a killed process does. A child that another test is just starting would hold a
    /// merely dropped lock for a moment longer.
    #[cfg(test)]
    pub fn abandon(self) {
        self.file.unlock().unwrap();
    }

    /// The work is done, or undone: nothing is left to say.
    pub fn finish(self) {
        // Left behind, it says something that is no longer so; the next reader finds that out.
        let _ = fs::remove_file(&self.path);
    }
}
