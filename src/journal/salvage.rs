//! What can still be read of a damaged journal.

use super::{Journal, JournalError, backup, schema};
use crate::model::{Event, Recorded, Timestamp};
use rusqlite::Connection;
use serde::de::IgnoredAny;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// Up to this size the whole file is always looked through, which takes some milliseconds; a larger one only
/// where its last user did not come to an end.
const LOOKED_THROUGH: u64 = 16 << 20;

/// Numbers of runs without a readable event after which there are none, where the table of runs is lost.
const GAP: i64 = 100;

impl Journal {
    /// Opens the journal for the one supervisor at work. A file that is shorter than it says, or that is
    /// damaged anywhere (of a large one: as a crash may have done), is an error here and not later.
    ///
    /// # Errors
    /// [`JournalError::Damaged`]; otherwise as [`Journal::open`].
    pub fn open_sound(path: &Path) -> Result<Self, JournalError> {
        let mut journal = Self::open_checking(path)?;
        journal.finish_check()?;
        Ok(journal)
    }

    /// As [`Journal::open_sound`], for who has something to read meanwhile: the file is looked through beside
    /// that, by another thread. Nothing is written before [`Journal::finish_check`] has told what it found.
    ///
    /// # Errors
    /// As there, as far as it is known at once.
    pub fn open_checking(path: &Path) -> Result<Self, JournalError> {
        super::write::refuse_directory(path)?;
        let damaged = |what: String| JournalError::Damaged { path: path.to_owned(), what };
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let crashed = fs::metadata(Path::new(&log)).is_ok_and(|log| log.len() > 0);
        if !crashed && let Some(what) = too_short(path) {
            return Err(damaged(what));
        }
        let mut journal = Self::open(path).map_err(JournalError::or_damaged)?;
        let size = fs::metadata(path).map_or(0, |file| file.len());
        if crashed || size <= LOOKED_THROUGH {
            match Check::begin(path) {
                Some(check) => journal.check = Some(check),
                None => journal.refuse_damage()?,
            }
        }
        Ok(journal)
    }

    /// Waits for what the look through the file has found.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], and what keeps it from being found out.
    pub fn finish_check(&mut self) -> Result<(), JournalError> {
        match self.check.take().and_then(Check::end) {
            None => Ok(()),
            Some(Ok(found)) => found,
            // It did not come to an end, so it is done here.
            Some(Err(_)) => self.refuse_damage(),
        }
    }

    /// For whoever is to write to a journal that was opened.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], and what keeps it from being found out.
    pub fn refuse_damage(&self) -> Result<(), JournalError> {
        match self.check()? {
            Some(what) => Err(JournalError::Damaged { path: self.path.clone(), what }),
            None => Ok(()),
        }
    }

    /// What is damaged, if anything: the file's structure, its indexes, or a row that is no JSON text.
    ///
    /// # Errors
    /// When even that cannot be found out.
    pub fn check(&self) -> Result<Option<String>, JournalError> {
        let found =
            self.mapped(|| self.look_through()).map_err(|source| self.sql(source).or_damaged());
        match found {
            Err(JournalError::Damaged { what, .. }) => Ok(Some(what)),
            other => other,
        }
    }

    fn look_through(&self) -> rusqlite::Result<Option<String>> {
        let verdict: String =
            self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Ok(Some(verdict));
        }
        for (table, column) in [("runs", "view"), ("events", "body"), ("tasks", "view")] {
            let mut query = self.connection.prepare(&format!("SELECT {column} FROM {table}"))?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                if let Err(error) = serde_json::from_str::<IgnoredAny>(row.get_ref(0)?.as_str()?) {
                    return Ok(Some(format!("a row of {table} is no JSON ({error})")));
                }
            }
        }
        Ok(None)
    }

    /// The beginnings of runs that can be read, each without a gap from its first event on.
    #[must_use]
    pub fn salvage(path: &Path) -> Vec<Vec<Recorded>> {
        let Ok(connection) = Connection::open(path) else { return Vec::new() };
        let mut found = Vec::new();
        let (mut run, mut empty) = (1, 0);
        while empty < GAP {
            let history = readable(&connection, run);
            if history.is_empty() {
                empty += 1;
            } else {
                empty = 0;
                found.push(history);
            }
            run += 1;
        }
        found
    }

    /// Makes a new journal with `write` and puts it in the place of the damaged one at `path`, which is
    /// kept; where.
    ///
    /// # Errors
    /// What the file system refuses, or `write`. The damaged one is still in its place then.
    pub fn rebuild<E: From<JournalError>>(
        path: &Path,
        at: Timestamp,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Option<PathBuf>, E> {
        let dir = path.parent().unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".journal-")
            .suffix(".part")
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(dir)
            .map_err(JournalError::io(format!("write in {}", dir.display())))?;
        drop(schema::open(file.path())?);
        write(file.path())?;
        Ok(backup::replace(path, file, "corrupt", at)?)
    }
}

/// A look through the whole file by a thread of its own, with a connection of its own.
#[derive(Debug)]
pub(super) struct Check(Option<JoinHandle<Result<(), JournalError>>>);

impl Check {
    /// `None` where no thread can be had.
    fn begin(path: &Path) -> Option<Self> {
        let path = path.to_owned();
        let look = move || Journal::of(schema::open(&path)?, &path).refuse_damage();
        let thread = std::thread::Builder::new().name("orch-check".to_owned()).spawn(look);
        thread.ok().map(|thread| Self(Some(thread)))
    }

    fn end(mut self) -> Option<std::thread::Result<Result<(), JournalError>>> {
        self.0.take().map(JoinHandle::join)
    }
}

impl Drop for Check {
    /// The last of a journal's connections tidies up after all of them, which is not to be this one.
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

/// What a file says of its own length, where that is more than there is.
fn too_short(path: &Path) -> Option<String> {
    let mut header = [0_u8; 100];
    let mut file = fs::File::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    if size == 0 {
        return None;
    }
    if file.read_exact(&mut header).is_err() {
        return Some(format!("it has only {size} bytes"));
    }
    // See "The Database Header" of SQLite's file format: the page size, 1 for 64 KiB, and the pages.
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 1 << 16,
        size => u64::from(size),
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    (page * pages > size).then(|| format!("it has {size} bytes instead of {}", page * pages))
}

/// The events of a run up to the first that cannot be read.
fn readable(connection: &Connection, run: i64) -> Vec<Recorded> {
    let mut out: Vec<Recorded> = Vec::new();
    let Ok(mut query) = connection.prepare("SELECT body FROM events WHERE run = ?1 ORDER BY seq")
    else {
        return out;
    };
    let Ok(mut rows) = query.query([run]) else { return out };
    while let Ok(Some(row)) = rows.next() {
        let Ok(body) = row.get::<_, String>(0) else { break };
        let Ok(recorded) = serde_json::from_str::<Recorded>(&body) else { break };
        let first = matches!(recorded.event, Event::RunCreated { .. });
        if recorded.seq != out.len() as u64 + 1 || first != out.is_empty() {
            break;
        }
        out.push(recorded);
    }
    out
}
