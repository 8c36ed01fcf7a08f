//! Copies of the journal: made while it is in use, and put in its place.

use super::{Journal, JournalError, schema};
use crate::model::{Recorded, Timestamp};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

impl Journal {
    /// Copies everything committed so far to the file `to`, which appears whole or not at all. Whoever
    /// writes meanwhile is not held up. What is there already is replaced only with `replace`.
    ///
    /// # Errors
    /// The file exists, cannot be written, or the journal is damaged.
    pub fn backup(&self, to: &Path, replace: bool) -> Result<(), JournalError> {
        let exists = || {
            let file = to.display();
            JournalError::Refused(format!("{file} exists already; overwrite it with: --force"))
        };
        if !replace && fs::symlink_metadata(to).is_ok() {
            return Err(exists());
        }
        let copy = copy(&self.connection, to)?;
        let kept = if replace { copy.persist(to) } else { copy.persist_noclobber(to) };
        match kept {
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
            Err(error) => Err(JournalError::io(format!("write {}", to.display()))(error.error)),
            Ok(file) => settle(&file, to),
        }
    }

    /// Puts a copy of the backup `from` in the place of the journal at `path`; where the replaced one is
    /// kept, if there was one. The caller has made sure that no supervisor works.
    ///
    /// # Errors
    /// `from` is no sound journal that this version can read. Nothing was changed then.
    pub fn restore(
        from: &Path,
        path: &Path,
        at: Timestamp,
    ) -> Result<Option<PathBuf>, JournalError> {
        super::write::refuse_directory(path)?;
        let same = |a: &Path, b: &Path| a.canonicalize().ok() == b.canonicalize().ok();
        if path.exists() && same(from, path) {
            let file = from.display();
            return Err(JournalError::Refused(format!("{file} is the journal itself")));
        }
        let copy = match with_its_log(from, path)? {
            Some(whole) => copy(&validated(&whole.path().join(WHOLE), from)?, path)?,
            None => copy(&validated(from, from)?, path)?,
        };
        // A backup of an earlier version is brought to this one before it counts.
        drop(schema::open(copy.path())?);
        settle(copy.as_file(), copy.path())?;
        replace(path, copy, "replaced", at)
    }
}

/// The name of a file that is read together with its log.
const WHOLE: &str = "journal.db";

/// A journal that was copied together with its log, both copied to a directory beside `to`: to use the log is
/// to write beside it, and nothing is left beside a person's file. `None` where a file has no log.
fn with_its_log(from: &Path, to: &Path) -> Result<Option<tempfile::TempDir>, JournalError> {
    let log = beside(from, "-wal");
    if !fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Ok(None);
    }
    let dir = to.parent().unwrap_or(Path::new("."));
    let both = || {
        fs::create_dir_all(dir)?;
        let whole = tempfile::Builder::new().prefix(".journal-").tempdir_in(dir)?;
        let file = whole.path().join(WHOLE);
        fs::copy(from, &file)?;
        fs::copy(&log, beside(&file, "-wal"))?;
        Ok(Some(whole))
    };
    both().map_err(JournalError::io(format!("copy {} to {}", from.display(), dir.display())))
}

/// Opens a file of which every event can be read, without anything being written beside it. `name` is what
/// a person knows it as.
fn validated(path: &Path, name: &Path) -> Result<Connection, JournalError> {
    let refuse = |why: String| JournalError::Refused(format!("{}: {why}", name.display()));
    if !path.is_file() {
        return Err(refuse("there is no such file".to_owned()));
    }
    let open = if path == name { schema::open_immutable } else { schema::open_to_read };
    let connection = open(path)
        .and_then(|connection| {
            connection.query_row("SELECT count(*) FROM runs", [], |_| Ok(()))?;
            Ok(connection)
        })
        .map_err(|error| refuse(format!("this is no journal of orch ({error})")))?;
    schema::is_ours(&connection, name)?;
    match unsound(&connection) {
        Ok(None) => Ok(connection),
        Ok(Some(what)) => Err(refuse(format!("it is damaged ({what})"))),
        Err(error) => Err(refuse(format!("it is damaged ({error})"))),
    }
}

/// What is wrong with a journal, each of its events included.
fn unsound(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Ok(Some(verdict));
    }
    let mut query = connection.prepare("SELECT body FROM events")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if let Err(error) = serde_json::from_str::<Recorded>(row.get_ref(0)?.as_str()?) {
            return Ok(Some(format!("an event: {error}")));
        }
    }
    Ok(None)
}

/// A copy in a temporary file beside `to`. One step, so that what is copied is one moment of the journal.
pub(super) fn copy(from: &Connection, to: &Path) -> Result<NamedTempFile, JournalError> {
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let doing = || format!("write a copy of the journal in {}", dir.display());
    let file = tempfile::Builder::new()
        .prefix(".journal-")
        .suffix(".part")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(dir)
        .map_err(JournalError::io(doing()))?;
    let sql = |source| JournalError::Sqlite { path: file.path().to_owned(), source };
    let mut target = Connection::open(file.path()).map_err(sql)?;
    {
        let backup = Backup::new(from, &mut target).map_err(sql)?;
        loop {
            match backup.step(-1).map_err(sql)? {
                StepResult::Done => break,
                // Only while a checkpoint or another copy has its hands on it.
                _ => std::thread::sleep(std::time::Duration::from_millis(5)),
            }
        }
    }
    target.close().map_err(|(_, source)| sql(source))?;
    Ok(file)
}

/// Puts a journal that was made beside it in the place of the one at `path`, which is kept as
/// `journal.LABEL-TIME.db` with its log. At no moment is there none.
pub(super) fn replace(
    path: &Path,
    with: NamedTempFile,
    label: &str,
    at: Timestamp,
) -> Result<Option<PathBuf>, JournalError> {
    let doing = || format!("replace {}", path.display());
    let io = |error| JournalError::io(doing())(error);
    let kept = if path.exists() { Some(keep(path, label, at).map_err(io)?) } else { None };
    // Its own log must not be taken for one of the journal that comes.
    if let Err(error) = fs::remove_file(beside(path, "-shm"))
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(io(error));
    }
    let file = with.persist(path).map_err(|error| io(error.error))?;
    settle(&file, path)?;
    Ok(kept)
}

fn keep(path: &Path, label: &str, at: Timestamp) -> io::Result<PathBuf> {
    let stamp = at.to_string().replace([':', '.'], "-");
    let mut name = path.with_file_name(format!("journal.{label}-{stamp}.db"));
    let mut n = 1;
    while fs::symlink_metadata(&name).is_ok() {
        n += 1;
        name = path.with_file_name(format!("journal.{label}-{stamp}-{n}.db"));
    }
    fs::hard_link(path, &name).or_else(|_| fs::copy(path, &name).map(drop))?;
    match fs::rename(beside(path, "-wal"), beside(&name, "-wal")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(name),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Waits until the file and its name are on the disk.
fn settle(file: &File, path: &Path) -> Result<(), JournalError> {
    let sync = || {
        file.sync_all()?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
    };
    sync().map_err(JournalError::io(format!("sync {}", path.display())))
}
