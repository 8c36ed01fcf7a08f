//! How far the first reading of a repository's code is: one line on a terminal, rewritten in place.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Nothing is said about what takes less than this.
const AFTER: Duration = Duration::from_secs(1);

/// Time between two lines: what an eye can follow.
const BETWEEN: Duration = Duration::from_millis(100);

/// A line that counts files, gone when it is dropped.
#[derive(Debug)]
pub(super) struct Indexing {
    /// `None` where stderr is no terminal.
    shown: Option<Mutex<Shown>>,
}

#[derive(Debug)]
struct Shown {
    since: Instant,
    last: Option<Instant>,
}

impl Indexing {
    pub(super) fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let shown = Shown { since: Instant::now(), last: None };
        Self { shown: is_terminal.then(|| Mutex::new(shown)) }
    }

    /// `done` of `all` files were read.
    pub(super) fn tell(&self, done: usize, all: usize) {
        // Another thread is at it.
        let Some(Ok(mut shown)) = self.shown.as_ref().map(Mutex::try_lock) else { return };
        let due = shown.since.elapsed() >= AFTER
            && shown.last.is_none_or(|last| last.elapsed() >= BETWEEN);
        if due {
            shown.last = Some(Instant::now());
            // A terminal that is gone has nobody to tell.
            let _ = write!(std::io::stderr(), "\r\x1b[K{}", line(done, all));
        }
    }
}

impl Drop for Indexing {
    fn drop(&mut self) {
        let shown = self.shown.as_ref().and_then(|shown| shown.lock().ok());
        if shown.is_some_and(|shown| shown.last.is_some()) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(done: usize, all: usize) -> String {
    format!("reading the code, once: {done} of {all} files")
}
