//! What was found in the content of files, kept by their blobs: a file of its own, `cache.db`.
//!
//! Promise: it never fails. A cache that cannot be opened, read or written is one that knows nothing;
//! a damaged one is removed and begun again; it may be deleted at any time, also while it is used. Every
//! entry proves itself by a sum over its key and content, so that the file needs no syncing.
//! Never: holds anything that cannot be found again by reading the repository.

use super::Layout;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Kinds of entries; the caller gives each kind of content, and each form of it, another number.
pub type EntryKind = i64;

/// Size above which the least recently used half is dropped, bytes: ten repositories of 10,000 files, or
/// the many versions of one.
const LARGEST: i64 = 64 << 20;

/// How old the note of an entry's last use may become, seconds: a week. Noting every use would be a write
/// for every file at every call.
const STALE: i64 = 7 * 24 * 3600;

/// How long another process's write is waited for; after that the work is done without.
const PATIENCE: Duration = Duration::from_millis(250);

/// Bytes a page: most entries are smaller and thousands are read at a time.
const PAGE: i64 = 16 << 10;

/// Another number for another form of the table.
const SCHEMA: i64 = 1;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS entries (
        kind INTEGER NOT NULL,
        blob TEXT NOT NULL,
        used INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (kind, blob)
    ) WITHOUT ROWID;
";

const ONE: &str = "SELECT used, body FROM entries WHERE kind = ?1 AND blob = ?2";

/// The content cache of one repository, shared by its worktrees and by all `orch` processes.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl Cache {
    /// Opens it, making it where there is none.
    #[must_use]
    pub fn open(layout: &Layout) -> Self {
        let path = layout.dir().join("cache.db");
        let connection = open(&path)
            .or_else(|error| {
                if !is_damage(&error) {
                    return Err(error);
                }
                remove(&path);
                open(&path)
            })
            .map_err(|error| tracing::debug!(%error, path = %path.display(), "no content cache"))
            .ok();
        Self { path, connection: Mutex::new(connection) }
    }

    /// The entries that are there, by the place of their blob in `blobs`.
    #[must_use]
    pub fn get(&self, kind: EntryKind, blobs: &[&str]) -> HashMap<usize, Vec<u8>> {
        self.with(|connection| get(connection, kind, blobs)).unwrap_or_default()
    }

    /// The entry of `first` and those that follow it, each named by the one before, at most `most`: with an
    /// entry, `next` gives what it is and the name of the one that comes after it.
    #[must_use]
    pub fn follow<T>(
        &self,
        kind: EntryKind,
        first: &str,
        most: usize,
        next: impl Fn(&[u8]) -> Option<(T, String)>,
    ) -> Vec<T> {
        self.with(|connection| follow(connection, kind, first, most, next)).unwrap_or_default()
    }

    /// Keeps some entries. Nobody waits for the disk.
    pub fn put(&self, kind: EntryKind, entries: &[(&str, &[u8])]) {
        if !entries.is_empty() {
            self.with(|connection| put(connection, kind, entries));
        }
    }

    /// Does something with the file; what goes wrong is no business of the caller's.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Option<T> {
        let mut guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        match work(guard.as_mut()?) {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::debug!(%error, path = %self.path.display(), "the content cache failed");
                if is_damage(&error) {
                    *guard = None;
                    remove(&self.path);
                    *guard = open(&self.path).ok();
                }
                None
            }
        }
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    if let Some(dir) = path.parent() {
        // Where it cannot be made, opening says so.
        let _ = std::fs::create_dir_all(dir);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(path, flags).or_else(|_| {
        // A repository that belongs to another, or is on a medium that cannot be written.
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    })?;
    connection.busy_timeout(PATIENCE)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == SCHEMA {
        connection.pragma_update(None, "synchronous", "OFF")?;
        return Ok(connection);
    }
    if version != 0 {
        return Err(rusqlite::Error::InvalidQuery);
    }
    connection.pragma_update(None, "page_size", PAGE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.execute_batch(TABLE)?;
    connection.pragma_update(None, "user_version", SCHEMA)?;
    Ok(connection)
}

/// Whether the file is of no use any more. A newer form counts: it can be found again by whoever needs it.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, SchemaChanged, Unknown};
    match error.sqlite_error_code() {
        Some(code) => matches!(code, DatabaseCorrupt | NotADatabase | SchemaChanged | Unknown),
        None => true,
    }
}

fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        // What is not there or cannot be removed will be seen when it is opened.
        let _ = std::fs::remove_file(name);
    }
}

fn get(
    connection: &mut Connection,
    kind: EntryKind,
    blobs: &[&str],
) -> rusqlite::Result<HashMap<usize, Vec<u8>>> {
    let now = seconds();
    let mut found = HashMap::with_capacity(blobs.len());
    let mut stale = Vec::new();
    {
        // One transaction: without it each statement takes the file's lock again.
        let transaction = connection.transaction()?;
        let mut statement = transaction.prepare_cached(ONE)?;
        // In the order of the key: each page is read once.
        let mut sorted: Vec<(usize, &&str)> = blobs.iter().enumerate().collect();
        sorted.sort_unstable_by_key(|(_, blob)| **blob);
        for (place, blob) in sorted {
            let mut rows = statement.query(params![kind, blob])?;
            let Some(row) = rows.next()? else { continue };
            let used: i64 = row.get(0)?;
            if let Some(content) = proven(kind, blob, row.get_ref(1)?.as_blob()?) {
                found.insert(place, content.to_vec());
                if now - used > STALE {
                    stale.push(*blob);
                }
            }
        }
    }
    if !stale.is_empty() {
        // Where it cannot be noted, the entry is only dropped sooner.
        let _ = note_use(connection, kind, &stale, now);
    }
    Ok(found)
}

fn follow<T>(
    connection: &mut Connection,
    kind: EntryKind,
    first: &str,
    most: usize,
    next: impl Fn(&[u8]) -> Option<(T, String)>,
) -> rusqlite::Result<Vec<T>> {
    let now = seconds();
    let (mut found, mut stale) = (Vec::new(), Vec::new());
    let mut name = first.to_owned();
    {
        let transaction = connection.transaction()?;
        let mut statement = transaction.prepare_cached(ONE)?;
        while found.len() < most {
            let mut rows = statement.query(params![kind, name])?;
            let Some(row) = rows.next()? else { break };
            let used: i64 = row.get(0)?;
            let Some(content) = proven(kind, &name, row.get_ref(1)?.as_blob()?) else { break };
            let Some((value, after)) = next(content) else { break };
            found.push(value);
            let name = std::mem::replace(&mut name, after);
            if now - used > STALE {
                stale.push(name);
            }
        }
    }
    if !stale.is_empty() {
        let stale: Vec<&str> = stale.iter().map(String::as_str).collect();
        let _ = note_use(connection, kind, &stale, now);
    }
    Ok(found)
}

fn note_use(
    connection: &mut Connection,
    kind: EntryKind,
    blobs: &[&str],
    now: i64,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut update = transaction
            .prepare_cached("UPDATE entries SET used = ?3 WHERE kind = ?1 AND blob = ?2")?;
        for blob in blobs {
            update.execute(params![kind, blob, now])?;
        }
    }
    transaction.commit()
}

fn put(
    connection: &mut Connection,
    kind: EntryKind,
    entries: &[(&str, &[u8])],
) -> rusqlite::Result<()> {
    let now = seconds();
    // In the order of the key: each page is written once.
    let mut sorted: Vec<&(&str, &[u8])> = entries.iter().collect();
    sorted.sort_unstable_by_key(|(blob, _)| *blob);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT OR REPLACE INTO entries (kind, blob, used, body) VALUES (?1, ?2, ?3, ?4)",
        )?;
        let mut body = Vec::new();
        for (blob, content) in sorted {
            body.clear();
            body.extend_from_slice(&sum(kind, blob, content).to_le_bytes());
            body.extend_from_slice(content);
            insert.execute(params![kind, blob, now, body])?;
        }
    }
    drop_oldest(&transaction, LARGEST)?;
    transaction.commit()
}

/// Keeps the file below `largest` bytes: what is dropped makes room for what comes.
fn drop_oldest(connection: &Connection, largest: i64) -> rusqlite::Result<()> {
    let read = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = read("page_count")? - read("freelist_count")?;
    if pages * read("page_size")? <= largest {
        return Ok(());
    }
    connection.execute(
        "DELETE FROM entries WHERE (kind, blob) IN (SELECT kind, blob FROM entries ORDER BY used \
         LIMIT (SELECT (count(*) + 1) / 2 FROM entries))",
        [],
    )?;
    Ok(())
}

/// The content of an entry that is what was put there.
fn proven<'b>(kind: EntryKind, blob: &str, body: &'b [u8]) -> Option<&'b [u8]> {
    let (proof, content) = body.split_first_chunk::<8>()?;
    (u64::from_le_bytes(*proof) == sum(kind, blob, content)).then_some(content)
}

/// FNV-1a over eight bytes at a time: against accidents, not against malice.
fn sum(kind: EntryKind, blob: &str, content: &[u8]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |sum: u64, value: u64| (sum ^ value).wrapping_mul(PRIME).rotate_left(29);
    let mut sum = step(0xcbf2_9ce4_8422_2325, kind.cast_unsigned());
    for part in [blob.as_bytes(), content] {
        let (chunks, rest) = part.as_chunks::<8>();
        sum = chunks.iter().fold(sum, |sum, chunk| step(sum, u64::from_le_bytes(*chunk)));
        sum = rest.iter().fold(sum, |sum, byte| step(sum, u64::from(*byte)));
        sum = step(sum, part.len() as u64);
    }
    sum
}

/// Since 1970; what a clock that is wrong does is that entries are dropped sooner or later.
fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn place() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().join("orch"));
        (dir, layout)
    }

    fn body(cache: &Cache, kind: EntryKind, blob: &str) -> Option<Vec<u8>> {
        cache.get(kind, &[blob]).remove(&0)
    }

    #[test]
    fn what_was_put_is_there_for_every_process() {
        let (_dir, layout) = place();
        let cache = Cache::open(&layout);
        cache.put(1, &[("b", b"two"), ("a", b"one")]);
        cache.put(2, &[("a", b"")]);
        let other = Cache::open(&layout);
        let found = other.get(1, &["x", "a", "b"]);
        assert_eq!(found, HashMap::from([(1, b"one".to_vec()), (2, b"two".to_vec())]));
        assert_eq!(body(&other, 2, "a"), Some(Vec::new()));
        other.put(1, &[("a", b"new")]);
        assert_eq!(body(&cache, 1, "a").unwrap(), b"new");
        assert_eq!(body(&cache, 3, "a"), None);
    }

    #[test]
    fn entries_that_name_each_other_are_followed() {
        let (_dir, layout) = place();
        let cache = Cache::open(&layout);
        cache.put(1, &[("a", b"b"), ("b", b"c"), ("c", b"d"), ("x", b"x")]);
        let name = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let from = |first, most| cache.follow(1, first, most, |b| name(b).zip(name(b)));
        assert_eq!(from("a", 9), ["b", "c", "d"]);
        assert_eq!(from("b", 1), ["c"]);
        assert_eq!(from("x", 3), ["x", "x", "x"]);
        assert!(from("d", 9).is_empty());
    }

    #[test]
    fn it_may_be_deleted_while_it_is_used() {
        let (_dir, layout) = place();
        let cache = Cache::open(&layout);
        cache.put(1, &[("a", b"one")]);
        remove(&layout.dir().join("cache.db"));
        cache.put(1, &[("b", b"two")]);
        let _ = body(&cache, 1, "a");
        let fresh = Cache::open(&layout);
        fresh.put(1, &[("c", b"three")]);
        assert_eq!(body(&fresh, 1, "c").unwrap(), b"three");
    }

    #[test]
    fn a_damaged_one_is_begun_again() {
        let (_dir, layout) = place();
        let path = layout.dir().join("cache.db");
        for damage in [b"no database at all".to_vec(), vec![0; 100_000]] {
            fs::create_dir_all(layout.dir()).unwrap();
            fs::write(&path, damage).unwrap();
            let cache = Cache::open(&layout);
            assert_eq!(body(&cache, 1, "a"), None);
            cache.put(1, &[("a", b"one")]);
            assert_eq!(body(&cache, 1, "a").unwrap(), b"one");
            drop(cache);
            remove(&path);
        }
        // A page in the middle, seen only when it is read.
        let many: Vec<(String, Vec<u8>)> =
            (0..2_000).map(|n| (format!("{n:04}"), vec![7; 200])).collect();
        let entries: Vec<(&str, &[u8])> =
            many.iter().map(|(blob, body)| (blob.as_str(), body.as_slice())).collect();
        Cache::open(&layout).put(1, &entries);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle - 8_192..middle + 8_192].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        let cache = Cache::open(&layout);
        let blobs: Vec<&str> = many.iter().map(|(blob, _)| blob.as_str()).collect();
        for body in cache.get(1, &blobs).values() {
            assert_eq!(body, &vec![7; 200]);
        }
        cache.put(1, &entries);
        assert_eq!(cache.get(1, &blobs).len(), many.len());
    }

    #[test]
    fn an_entry_that_is_not_what_was_put_is_not_believed() {
        let (_dir, layout) = place();
        let cache = Cache::open(&layout);
        cache.put(1, &[("a", b"one"), ("b", b"two")]);
        cache
            .with(|c| {
                c.execute(
                    "UPDATE entries SET body = (SELECT body FROM entries WHERE blob = 'b')",
                    [],
                )
            })
            .unwrap();
        assert_eq!((body(&cache, 1, "a"), body(&cache, 1, "b")), (None, Some(b"two".to_vec())));
    }

    #[test]
    fn a_newer_form_and_a_place_that_cannot_be_written_are_no_obstacle() {
        let (dir, layout) = place();
        Cache::open(&layout).with(|c| c.pragma_update(None, "user_version", 99)).unwrap();
        let cache = Cache::open(&layout);
        cache.put(1, &[("a", b"one")]);
        assert_eq!(body(&cache, 1, "a").unwrap(), b"one");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let nowhere = Cache::open(&Layout::new(file.join("orch")));
        nowhere.put(1, &[("a", b"one")]);
        assert_eq!(body(&nowhere, 1, "a"), None);
    }

    #[test]
    fn the_least_recently_used_are_dropped() {
        let (_dir, layout) = place();
        let cache = Cache::open(&layout);
        let names: Vec<String> = (0..1_000).map(|n| format!("{n:04}")).collect();
        let content = vec![1; 1_000];
        let entries: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), content.as_slice())).collect();
        cache.put(1, &entries);
        let old = seconds() - 2 * STALE;
        cache.with(|c| c.execute("UPDATE entries SET used = ?1", [old])).unwrap();
        let used: Vec<&str> = names[..400].iter().map(String::as_str).collect();
        assert_eq!(cache.get(1, &used).len(), 400);
        cache.with(|c| drop_oldest(c, 1 << 19)).unwrap();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let left = cache.get(1, &all);
        assert_eq!(left.len(), 500);
        assert!((0..400).all(|place| left.contains_key(&place)));
    }
}
