//! The lock a shim holds for its life.
//!
//! Taken with flock(2), so the kernel gives it back whatever the death. It is closed on exec: the
//! agent never holds it.

use super::layout;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Proof that nobody else acts on the attempt: no shim lives and no other recovery is at work.
pub(super) struct AttemptLock {
    _file: File,
}

impl AttemptLock {
    /// Takes it, trying again while others look at it; `None` when it stays taken.
    pub(super) fn take(dir: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let path = layout::lock(dir);
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::Error(e)) => return Err(e),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(None),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

/// Looks whether the lock is held, without keeping it.
pub(super) struct LockProbe(File);

impl LockProbe {
    /// `None` where there is no lock file: no shim ever got that far.
    pub(super) fn open(dir: &Path) -> io::Result<Option<Self>> {
        match File::open(layout::lock(dir)) {
            Ok(file) => Ok(Some(Self(file))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub(super) fn is_held(&self) -> io::Result<bool> {
        match self.0.try_lock_shared() {
            Ok(()) => self.0.unlock().map(|()| false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}
