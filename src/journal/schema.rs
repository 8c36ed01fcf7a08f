//! The schema and its migrations.

use super::JournalError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// One script a version, applied in order; `PRAGMA user_version` counts them.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE runs (
        ord   INTEGER PRIMARY KEY,
        id    TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        view  TEXT NOT NULL
    );
    CREATE TABLE events (
        run  INTEGER NOT NULL REFERENCES runs(ord),
        seq  INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
    CREATE TABLE tasks (
        run   INTEGER NOT NULL REFERENCES runs(ord),
        idx   INTEGER NOT NULL,
        id    TEXT NOT NULL,
        name  TEXT NOT NULL,
        state TEXT NOT NULL,
        view  TEXT NOT NULL,
        PRIMARY KEY (run, idx)
    );
    CREATE INDEX tasks_by_id ON tasks (id);
    CREATE INDEX tasks_by_name ON tasks (name);
    CREATE INDEX tasks_by_state ON tasks (run, state, idx);
", "
    -- How many tasks of a run are in each state: counting ten thousand takes longer than the rest of a status.
    CREATE TABLE task_counts (
        run   INTEGER NOT NULL REFERENCES runs(ord),
        state TEXT NOT NULL,
        n     INTEGER NOT NULL,
        PRIMARY KEY (run, state)
    ) WITHOUT ROWID;
    INSERT INTO task_counts SELECT run, state, count(*) FROM tasks GROUP BY run, state;
    CREATE TRIGGER task_counted AFTER INSERT ON tasks BEGIN
        INSERT INTO task_counts VALUES (new.run, new.state, 1)
            ON CONFLICT (run, state) DO UPDATE SET n = n + 1;
    END;
    CREATE TRIGGER task_uncounted AFTER DELETE ON tasks BEGIN
        UPDATE task_counts SET n = n - 1 WHERE run = old.run AND state = old.state;
    END;
    CREATE TRIGGER task_recounted AFTER UPDATE OF state ON tasks WHEN new.state <> old.state BEGIN
        UPDATE task_counts SET n = n - 1 WHERE run = old.run AND state = old.state;
        INSERT INTO task_counts VALUES (new.run, new.state, 1)
            ON CONFLICT (run, state) DO UPDATE SET n = n + 1;
    END;
    PRAGMA application_id = 0x6f726368; -- 'orch', for file(1) and for whoever restores one
"];

/// Migrations known.
fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Opens the file with the settings every user of the journal relies on, migrating it forward.
pub(super) fn open(path: &Path) -> Result<Connection, JournalError> {
    let sql = |source| JournalError::Sqlite { path: path.to_owned(), source };
    let mut connection = Connection::open(path).map_err(sql)?;
    connection.busy_timeout(std::time::Duration::from_secs(30)).map_err(sql)?;
    let version = version(&connection).map_err(sql)?;
    let known = known();
    if version > known {
        return Err(JournalError::Newer { path: path.to_owned(), found: version, known });
    }
    // WAL: readers never wait for the writer. NORMAL: a commit alone does not wait for the disk;
    // `Turn::commit` does, where the events must be durable.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(sql)?;
    if version < known {
        if version > 0 {
            keep_as_it_was(&connection, path, version)?;
        }
        connection.pragma_update(None, "journal_mode", "WAL").map_err(sql)?;
        migrate(&mut connection).map_err(sql)?;
    }
    Ok(connection)
}

/// Before a migration the journal is copied to `journal.schema-N.db`, for whoever needs the older `orch`
/// once more.
fn keep_as_it_was(connection: &Connection, path: &Path, from: i64) -> Result<(), JournalError> {
    let copy = super::backup::copy(connection, path)?;
    let sql = |source| JournalError::Sqlite { path: path.to_owned(), source };
    // Another process may have migrated meanwhile, and kept what there was.
    if Connection::open(copy.path()).and_then(|copy| version(&copy)).map_err(sql)? == from {
        let to = path.with_file_name(format!("journal.schema-{from}.db"));
        copy.persist(&to)
            .map_err(|e| JournalError::io(format!("write {}", to.display()))(e.error))?;
    }
    Ok(())
}

/// What `PRAGMA application_id` of a journal says: "orch".
const APPLICATION: i64 = 0x6f72_6368;

/// Whether the file was written by `orch`, and by none newer than this.
///
/// # Errors
/// It was not.
pub(super) fn is_ours(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let sql = |source| JournalError::Sqlite { path: path.to_owned(), source };
    let found = version(connection).map_err(sql)?;
    if found > known() {
        return Err(JournalError::Newer { path: path.to_owned(), found, known: known() });
    }
    let id: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(sql)?;
    // The first schema did not say.
    if found == 0 || (id != APPLICATION && !(found == 1 && id == 0)) {
        return Err(JournalError::Refused(format!(
            "{}: a database, but no journal of orch",
            path.display()
        )));
    }
    Ok(())
}

/// Opens the file without writing anything, not even beside it: what was committed since the last
/// checkpoint is seen only where its log may be used.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let usable = |connection: Connection| {
        version(&connection)?;
        connection.query_row("SELECT count(*) FROM runs", [], |_| Ok(()))?;
        Ok(connection)
    };
    Connection::open_with_flags(path, flags)
        .and_then(usable)
        .or_else(|_| open_immutable(path).and_then(usable))
}

/// Opens a file of this version that nobody else has open: without a lock, and without its log.
pub(super) fn open_quiet(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open_immutable(path)?;
    if version(&connection)? == known() {
        Ok(connection)
    } else {
        Err(rusqlite::Error::InvalidQuery)
    }
}

/// Opens a file that nobody changes: without a lock, its log, or anything beside it.
pub(super) fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let name =
        path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have migrated while this one waited for the lock.
    let from = usize::try_from(version(&transaction)?).unwrap_or(0);
    for script in MIGRATIONS.iter().skip(from) {
        transaction.execute_batch(script)?;
    }
    transaction.pragma_update(None, "user_version", known())?;
    transaction.commit()
}
