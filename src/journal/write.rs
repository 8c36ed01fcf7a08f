//! Appending to the journal.

use super::JournalError;
use super::salvage::Check;
use super::schema;
use crate::model::{Recorded, RunId, RunView, TaskView};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::fs::File;
use std::path::{Path, PathBuf};

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    /// Dropped, and so ended, before the connection.
    pub(super) check: Option<Check>,
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    wal: Wal,
}

/// The write-ahead log, which a commit is in. It exists as long as a connection does.
#[derive(Debug, Default)]
struct Wal(Option<File>);

impl Wal {
    /// Waits until everything committed is on the disk: what `synchronous = FULL` does, where asked.
    fn sync(&mut self, journal: &Path) -> Result<(), JournalError> {
        let mut name = journal.as_os_str().to_owned();
        name.push("-wal");
        let io = |source| JournalError::Io { doing: format!("sync {}", name.display()), source };
        if self.0.is_none() {
            self.0 = Some(File::open(&name).map_err(io)?);
        }
        self.0.as_ref().map_or(Ok(()), |file| file.sync_data().map_err(io))
    }
}

/// What `orch status` will show after an append.
#[derive(Debug)]
pub struct Projection<'a> {
    /// The run.
    pub run: &'a RunView,
    /// The tasks that changed, by their position in the plan.
    pub tasks: &'a [(usize, TaskView)],
}

/// The right to append to a run: the caller has seen every event, and no other process can write until
/// this is committed or dropped.
#[derive(Debug)]
pub struct Turn<'j> {
    transaction: rusqlite::Transaction<'j>,
    wal: &'j mut Wal,
    path: &'j Path,
    run: RunId,
    ord: Option<i64>,
}

impl Journal {
    /// Opens (and creates or migrates) the journal at `path`.
    ///
    /// # Errors
    /// A newer schema, a damaged file, no permission.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|source| JournalError::Io {
                doing: format!("create {}", dir.display()),
                source,
            })?;
        }
        refuse_directory(path)?;
        Ok(Self::of(schema::open(path)?, path))
    }

    /// Opens the journal if there is one.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_existing(path: &Path) -> Result<Option<Self>, JournalError> {
        refuse_directory(path)?;
        if !path.is_file() {
            return Ok(None);
        }
        // On a full disk, or where one may only read, what happened can still be looked at.
        let open = Self::open(path).or_else(|error| match schema::open_to_read(path) {
            Ok(connection) => Ok(Self::of(connection, path)),
            Err(_) => Err(error),
        });
        open.map(Some)
    }

    pub(super) fn of(connection: Connection, path: &Path) -> Self {
        Self { check: None, connection, path: path.to_owned(), wal: Wal::default() }
    }

    /// Asks for the turn to append events that directly follow number `after` (0 for a new run).
    /// `None`: someone else appended first; read [`Journal::events_after`], fold, and ask again.
    ///
    /// # Errors
    /// A damaged file, or another process that holds the turn for longer than 30 seconds.
    pub fn turn(&mut self, run: &RunId, after: u64) -> Result<Option<Turn<'_>>, JournalError> {
        self.finish_check()?;
        let path = self.path.as_path();
        let sql = |source| JournalError::Sqlite { path: path.to_owned(), source };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(sql)?;
        let ord: Option<i64> = transaction
            .prepare_cached("SELECT ord FROM runs WHERE id = ?1")
            .and_then(|mut s| s.query_row([run.as_str()], |row| row.get(0)).optional())
            .map_err(sql)?;
        let last: i64 = match ord {
            None => 0,
            Some(ord) => transaction
                .prepare_cached("SELECT coalesce(max(seq), 0) FROM events WHERE run = ?1")
                .and_then(|mut s| s.query_row([ord], |row| row.get(0)))
                .map_err(sql)?,
        };
        if last != after.cast_signed() {
            return Ok(None);
        }
        Ok(Some(Turn { transaction, wal: &mut self.wal, path, run: run.clone(), ord }))
    }

    /// Whether anything was synced through this handle.
    #[cfg(test)]
    pub(super) fn has_synced(&self) -> bool {
        self.wal.0.is_some()
    }

    /// A number that changes when another process has written.
    ///
    /// # Errors
    /// A damaged file.
    pub fn data_version(&self) -> Result<i64, JournalError> {
        self.connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|source| self.sql(source))
    }

    pub(super) fn sql(&self, source: rusqlite::Error) -> JournalError {
        JournalError::Sqlite { path: self.path.clone(), source }
    }
}

/// Nothing is made in the place of what a person put there.
pub(super) fn refuse_directory(path: &Path) -> Result<(), JournalError> {
    if path.is_dir() {
        let path = path.display();
        return Err(JournalError::Refused(format!(
            "{path} is a directory, where the journal should be; move it away, then: orch resume"
        )));
    }
    Ok(())
}

fn text(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

impl Turn<'_> {
    /// Appends the events with what they change in the projections, as one step; with `durable` it is on
    /// the disk when this returns, else with the next step that is.
    ///
    /// # Errors
    /// A full disk, a damaged file. Nothing was appended then.
    pub fn commit(
        self,
        events: &[Recorded],
        projection: &Projection<'_>,
        durable: bool,
    ) -> Result<(), JournalError> {
        let sql = |source| JournalError::Sqlite { path: self.path.to_owned(), source };
        write_run(&self.transaction, &self.run, self.ord, events, projection).map_err(sql)?;
        self.transaction.commit().map_err(sql)?;
        if durable { self.wal.sync(self.path) } else { Ok(()) }
    }
}

fn write_run(
    transaction: &rusqlite::Transaction<'_>,
    run: &RunId,
    ord: Option<i64>,
    events: &[Recorded],
    projection: &Projection<'_>,
) -> rusqlite::Result<()> {
    let (state, view) = (projection.run.state.to_string(), text(projection.run)?);
    let ord = if let Some(ord) = ord {
        transaction
            .prepare_cached("UPDATE runs SET state = ?2, view = ?3 WHERE ord = ?1")?
            .execute(params![ord, state, view])?;
        ord
    } else {
        transaction.execute(
            "INSERT INTO runs (id, state, view) VALUES (?1, ?2, ?3)",
            params![run.as_str(), state, view],
        )?;
        transaction.last_insert_rowid()
    };
    let mut insert =
        transaction.prepare_cached("INSERT INTO events (run, seq, body) VALUES (?1, ?2, ?3)")?;
    for event in events {
        let body =
            event.to_json().map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        insert.execute(params![ord, event.seq.cast_signed(), body])?;
    }
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO tasks (run, idx, id, name, state, view) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (run, idx) DO UPDATE SET state = excluded.state, view = excluded.view",
    )?;
    for (idx, task) in projection.tasks {
        let idx = i64::try_from(*idx).unwrap_or(i64::MAX);
        let (id, name) = (task.id.as_str(), task.name.as_str());
        upsert.execute(params![ord, idx, id, name, task.state.to_string(), text(task)?])?;
    }
    Ok(())
}
