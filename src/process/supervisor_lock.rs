//! One supervisor at a time.

use super::{ProcessError, ProcessId};
use std::fs::{self, File, TryLockError};
use std::io::{Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Held by the supervisor at work; the kernel releases it whatever the supervisor's end.
#[derive(Debug)]
pub struct SupervisorLock {
    _file: File,
}

impl SupervisorLock {
    /// Takes the lock on `path` (made if missing, in a directory that exists) and records who holds
    /// it; `None` when another living process does.
    ///
    /// # Errors
    /// When the file cannot be opened, locked or written.
    pub fn acquire(path: &Path) -> Result<Option<Self>, ProcessError> {
        /// A supervisor killed between fork and exec leaves the lock to its child until the exec.
        const PATIENCE: Duration = Duration::from_millis(200);
        let doing = || format!("lock {}", path.display());
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(ProcessError::io(doing()))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => return Err(ProcessError::io(doing())(e)),
                Err(TryLockError::WouldBlock) => {
                    if Self::holder(path).is_some() || Instant::now() >= deadline {
                        return Ok(None);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
        let mut record = || {
            let bytes = serde_json::to_vec(&ProcessId::current())?;
            file.rewind()?;
            file.write_all(&bytes)?;
            file.set_len(bytes.len() as u64)
        };
        record().map_err(ProcessError::io(doing()))?;
        Ok(Some(Self { _file: file }))
    }

    /// The living process that recorded itself last. Does not touch the lock.
    #[must_use]
    pub fn holder(path: &Path) -> Option<ProcessId> {
        let holder: ProcessId = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        holder.is_alive().then_some(holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("supervisor.lock");
        assert_eq!(SupervisorLock::holder(&path), None);
        let first = SupervisorLock::acquire(&path).unwrap().expect("nobody holds it");
        assert!(SupervisorLock::acquire(&path).unwrap().is_none());
        assert_eq!(SupervisorLock::holder(&path), Some(ProcessId::current()));
        drop(first);
        assert!(SupervisorLock::acquire(&path).unwrap().is_some());
    }

    #[test]
    fn a_record_of_an_earlier_process_with_our_number_is_not_us() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("supervisor.lock");
        let mut other = ProcessId::current();
        other.start -= 1;
        fs::write(&path, serde_json::to_vec(&other).unwrap()).unwrap();
        assert_eq!(SupervisorLock::holder(&path), None);
        assert!(SupervisorLock::acquire(&path).unwrap().is_some());
    }
}
