//! Appending to the journal.

use super::JournalError;
use super::schema;
use crate::model::{Recorded, RunId, RunView, TaskView};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::path::{Path, PathBuf};

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

/// What `orch status` will show after an append.
#[derive(Debug)]
pub struct Projection<'a> {
    /// The run.
    pub run: &'a RunView,
    /// The tasks that changed, by their position in the plan.
    pub tasks: &'a [(usize, TaskView)],
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Append {
    /// It is on the disk.
    Done,
    /// Someone else appended first: read [`Journal::events_after`], fold, and try again.
    Behind,
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
        Ok(Self { connection: schema::open(path)?, path: path.to_owned() })
    }

    /// Opens the journal if there is one.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_existing(path: &Path) -> Result<Option<Self>, JournalError> {
        if path.is_file() { Self::open(path).map(Some) } else { Ok(None) }
    }

    /// Appends events that directly follow `after` (0 for a new run), with what they change in the
    /// projections, as one durable step.
    ///
    /// # Errors
    /// A full disk, a damaged file. Nothing was appended then.
    pub fn append(
        &mut self,
        run: &RunId,
        after: u64,
        events: &[Recorded],
        projection: &Projection<'_>,
    ) -> Result<Append, JournalError> {
        let path = self.path.clone();
        let sql = |source| JournalError::Sqlite { path: path.clone(), source };
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
        if u64::try_from(last).ok() != Some(after) {
            return Ok(Append::Behind);
        }
        write_run(&transaction, run, ord, events, projection).map_err(sql)?;
        transaction.commit().map_err(sql)?;
        Ok(Append::Done)
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

fn text(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
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
        insert.execute(params![ord, event.seq.cast_signed(), text(event)?])?;
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
