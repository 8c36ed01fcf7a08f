//! Watching a log grow.

use super::{Entry, LogReader};
use crate::process::{ProcessError, has_ended};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The entries of a log as they come, until the attempt has ended. Nothing is written and nobody
/// needs to be alive.
#[derive(Debug)]
pub struct Follower {
    dir: PathBuf,
    reader: LogReader,
}

impl Follower {
    /// Soon enough for a person who watches.
    const PERIOD: Duration = Duration::from_millis(100);

    /// Follows the log in an attempt's directory from its beginning.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), reader: LogReader::open(dir) }
    }

    /// The next entry; `None` once the attempt has ended and everything was read. Nothing is lost
    /// when it is dropped and asked again.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn next(&mut self) -> Result<Option<Entry>, ProcessError> {
        loop {
            // Asked before the log is read: what was written until then is read below.
            let ended = has_ended(&self.dir)?;
            let doing = || format!("read the log in {}", self.dir.display());
            let entry = self.reader.read().map_err(ProcessError::io(doing()))?;
            if entry.is_some() || ended {
                return Ok(entry);
            }
            tokio::time::sleep(Self::PERIOD).await;
        }
    }
}
