//! The note that a landing leaves in case it is killed, and the lock that goes with it.

use super::GitError;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The second line of a note whose landing holds the checkout's index.
const BEGAN: &str = "began\n";

/// A landing that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Landing {
    /// Short name of the branch.
    pub branch: String,
    /// The commit it moves from.
    pub old: String,
    /// The commit it moves to.
    pub new: String,
    /// The checkout that moves with it.
    pub checkout: PathBuf,
    /// That checkout's own git directory.
    pub git_dir: PathBuf,
    /// Whether `index.lock` in it is ours.
    #[serde(skip)]
    pub began: bool,
}

/// How long another landing is waited for: the git of one that was killed ends by itself, as soon as it has
/// written its files.
const PATIENCE: Duration = Duration::from_secs(3);

/// `orch/landing` in the common git directory, locked.
pub(crate) struct Note {
    file: File,
    place: PathBuf,
}

impl Drop for Note {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that another thread is just starting still has
        // the file for a moment.
        _ = self.file.unlock();
    }
}

impl Note {
    /// Opens and locks it.
    pub fn open(common_dir: &Path) -> Result<Self, GitError> {
        let place = common_dir.join("orch").join("landing");
        let doing = || GitError::io(format!("open {}", place.display()));
        std::fs::create_dir_all(common_dir.join("orch")).map_err(doing())?;
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&place)
            .map_err(doing())?;
        let began = Instant::now();
        let locked = loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                other => break other,
            }
        };
        match locked {
            Ok(()) => Ok(Self { file, place }),
            Err(TryLockError::WouldBlock) => Err(GitError::Refused(
                "another orch is landing work in this repository; run orch merge again when it has \
                 ended"
                    .to_owned(),
            )),
            Err(TryLockError::Error(error)) => Err(doing()(error)),
        }
    }

    /// Whether a landing is under way or was cut short.
    pub fn is_pending(common_dir: &Path) -> bool {
        std::fs::metadata(common_dir.join("orch").join("landing")).is_ok_and(|meta| meta.len() > 0)
    }

    /// What an earlier landing left, if it did not end. A note cut short by a crash was written
    /// before anything else happened, and says nothing.
    pub fn read(&mut self) -> Result<Option<Landing>, GitError> {
        let mut text = String::new();
        self.file
            .rewind()
            .and_then(|()| self.file.read_to_string(&mut text))
            .map_err(GitError::io(format!("read {}", self.place.display())))?;
        let (first, rest) = text.split_once('\n').unwrap_or_default();
        let landing: Option<Landing> = serde_json::from_str(first).ok();
        Ok(landing.map(|landing| Landing { began: rest == BEGAN, ..landing }))
    }

    /// Writes it durably.
    pub fn write(&mut self, landing: &Landing) -> Result<(), GitError> {
        let mut text = serde_json::to_string(landing).map_err(|error| {
            GitError::io(format!("write {}", self.place.display()))(error.into())
        })?;
        text.push('\n');
        self.clear()?;
        self.append(&text)
    }

    /// Adds that `index.lock` is ours from now on.
    pub fn began(&mut self) -> Result<(), GitError> {
        self.append(BEGAN)
    }

    /// Empties it.
    pub fn clear(&mut self) -> Result<(), GitError> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(self.failed())
    }

    /// The lock, for a child that must hold it as well.
    pub fn lock(&self) -> &File {
        &self.file
    }

    fn append(&mut self, text: &str) -> Result<(), GitError> {
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_all())
            .map_err(self.failed())
    }

    fn failed(&self) -> impl FnOnce(std::io::Error) -> GitError + use<> {
        GitError::io(format!("write {}", self.place.display()))
    }
}
