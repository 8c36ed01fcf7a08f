//! Files that are new, old, newer, damaged or not journals at all.

use super::{Place, append, events};
use crate::journal::{Journal, JournalError};
use crate::model::RunId;
use rusqlite::Connection;
use std::fs;

#[test]
fn where_there_is_no_journal_none_is_made_by_looking() {
    let place = Place::new();
    assert!(Journal::open_existing(&place.path()).unwrap().is_none());
    assert!(!place.path().exists());
    drop(place.open());
    assert!(Journal::open_existing(&place.path()).unwrap().is_some());
}

#[test]
fn an_empty_file_becomes_a_journal() {
    // What a crash between creating the file and the first migration leaves.
    let place = Place::new();
    fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    fs::write(place.path(), b"").unwrap();
    assert!(append(&mut place.open(), "run-1", 0, &[]));
}

#[test]
fn opening_again_migrates_nothing_and_keeps_everything() {
    let place = Place::new();
    append(&mut place.open(), "run-1", 0, &[]);
    let journal = place.open();
    assert_eq!(journal.events_after(&RunId::from("run-1"), 0).unwrap(), events(0, 1));
    assert_eq!(journal.check().unwrap(), None);
}

#[test]
fn many_may_create_it_at_the_same_time() {
    let place = Place::new();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| Journal::open(&place.path()))).collect();
        for opened in all {
            opened.join().unwrap().unwrap();
        }
    });
    assert_eq!(place.open().check().unwrap(), None);
}

#[test]
fn a_journal_of_a_newer_orch_is_refused_and_not_touched() {
    let place = Place::new();
    append(&mut place.open(), "run-1", 0, &[]);
    let raw = Connection::open(place.path()).unwrap();
    raw.pragma_update(None, "user_version", 999).unwrap();
    drop(raw);
    let before = fs::read(place.path()).unwrap();
    let error = Journal::open(&place.path()).unwrap_err();
    assert!(matches!(error, JournalError::Newer { found: 999, .. }), "{error}");
    assert!(error.to_string().contains("use the newer orch"), "{error}");
    assert!(fs::read(place.path()).unwrap() == before);
}

#[test]
fn what_is_not_a_journal_is_refused_and_not_touched() {
    let place = Place::new();
    fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    let text = "these are notes, and no database\n".repeat(100);
    fs::write(place.path(), &text).unwrap();
    let error = Journal::open(&place.path()).unwrap_err().to_string();
    assert!(error.contains("journal.db") && error.contains("not a database"), "{error}");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), text);
}

#[test]
fn a_file_cut_in_half_is_an_error_and_no_panic() {
    let place = Place::new();
    let mut journal = place.open();
    for after in 0..200 {
        append(&mut journal, "run-1", after, &[]);
    }
    // Closing writes everything into the one file.
    drop(journal);
    let whole = fs::read(place.path()).unwrap();
    fs::write(place.path(), &whole[..whole.len() / 2]).unwrap();
    let run = RunId::from("run-1");
    let outcome = Journal::open(&place.path()).and_then(|journal| {
        journal.check().and_then(|verdict| match verdict {
            None => journal.events_after(&run, 0).map(|_| ()),
            Some(_) => Ok(()),
        })?;
        journal.events_after(&run, 0)
    });
    assert!(matches!(outcome, Err(JournalError::Sqlite { .. })), "{outcome:?}");
}

#[test]
fn a_transaction_that_was_half_written_never_happened() {
    let place = Place::new();
    let mut journal = place.open();
    append(&mut journal, "run-1", 0, &[]);
    let wal = place.path().with_file_name("journal.db-wal");
    let after_one = fs::metadata(&wal).unwrap().len();
    append(&mut journal, "run-1", 1, &[]);
    // The files as a power cut in the middle of the second commit would leave them.
    let crashed = Place::new();
    fs::create_dir_all(crashed.path().parent().unwrap()).unwrap();
    fs::copy(place.path(), crashed.path()).unwrap();
    let log = fs::read(&wal).unwrap();
    let half = usize::try_from(after_one).unwrap() + 100;
    assert!(half < log.len());
    fs::write(crashed.path().with_file_name("journal.db-wal"), &log[..half]).unwrap();
    let mut survivor = crashed.open();
    assert_eq!(survivor.events_after(&RunId::from("run-1"), 0).unwrap(), events(0, 1));
    assert!(append(&mut survivor, "run-1", 1, &[]));
    assert_eq!(survivor.check().unwrap(), None);
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let place = Place::new();
    append(&mut place.open(), "run-1", 0, &[]);
    let raw = Connection::open(place.path()).unwrap();
    raw.execute("UPDATE events SET body = '{\"event\":\"from the future\"}'", []).unwrap();
    let error = place.open().events_after(&RunId::from("run-1"), 0).unwrap_err();
    assert!(matches!(error, JournalError::Unreadable { .. }), "{error}");
    assert!(error.to_string().contains("journal.db"), "{error}");
}

#[test]
fn what_must_be_durable_is_synced_and_the_rest_waits_for_that() {
    let place = Place::new();
    let mut journal = place.open();
    let mode: String =
        journal.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert!(!journal.has_synced());
    append(&mut journal, "run-1", 0, &[]);
    assert!(journal.has_synced());
}

#[test]
fn looking_at_a_quiet_journal_leaves_no_trace_and_sees_everything() {
    let place = Place::new();
    append(&mut place.open(), "run-1", 0, &[]);
    let folder = place.path().parent().unwrap().to_owned();
    let file = fs::File::options().write(true).open(place.path()).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    file.set_modified(long_ago).unwrap();
    let names = || -> Vec<_> {
        let entries = fs::read_dir(&folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names().len(), 1, "{:?}", names());
    let seen = Journal::look(&place.path(), |journal| {
        assert_eq!(names().len(), 1, "made for a look: {:?}", names());
        journal.find_run("latest")
    });
    assert_eq!(seen.unwrap(), Some(Some(RunId::from("run-1"))));
    assert_eq!(file.metadata().unwrap().modified().unwrap(), long_ago);
}

#[test]
fn what_is_written_while_one_looks_is_seen() {
    let place = Place::new();
    append(&mut place.open(), "run-1", 0, &[]);
    let file = fs::File::options().write(true).open(place.path()).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let looks = std::cell::Cell::new(0);
    let seen = Journal::look(&place.path(), |journal| {
        looks.set(looks.get() + 1);
        if looks.get() == 1 {
            // Written, checkpointed and closed behind the back of the one who looks.
            append(&mut place.open(), "run-1", 1, &[]);
        }
        journal.events_after(&RunId::from("run-1"), 0)
    });
    assert_eq!((seen.unwrap().unwrap(), looks.get()), (events(0, 2), 2));
}

#[test]
fn a_journal_of_the_first_schema_is_counted_when_it_is_opened() {
    let place = Place::new();
    let task = super::task_view("task-1", "a", crate::model::TaskState::Queued);
    append(&mut place.open(), "run-1", 0, &[(0, task)]);
    let raw = Connection::open(place.path()).unwrap();
    raw.execute_batch(
        "DROP TRIGGER task_counted; DROP TRIGGER task_uncounted; DROP TRIGGER task_recounted;
         DROP TABLE task_counts; PRAGMA user_version = 1",
    )
    .unwrap();
    drop(raw);
    let counts = place.open().counts(&RunId::from("run-1")).unwrap();
    assert_eq!(counts, [(crate::model::TaskState::Queued, 1)].into());
}

#[test]
fn a_copy_with_its_log_is_restored_whole_and_nothing_is_left_beside_it() {
    let place = Place::new();
    let mut journal = place.open();
    append(&mut journal, "run-1", 0, &[]);
    // As `cp` takes both while they are in use.
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy.db");
    fs::copy(place.path(), &copy).unwrap();
    fs::copy(place.path().with_file_name("journal.db-wal"), copies.path().join("copy.db-wal"))
        .unwrap();
    let elsewhere = Place::new();
    fs::create_dir_all(elsewhere.path().parent().unwrap()).unwrap();
    Journal::restore(&copy, &elsewhere.path(), crate::model::Timestamp(0)).unwrap();
    let restored = elsewhere.open();
    assert_eq!(restored.events_after(&RunId::from("run-1"), 0).unwrap(), events(0, 1));
    let mut left: Vec<_> =
        fs::read_dir(&copies).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["copy.db", "copy.db-wal"]);
    let made = fs::read_dir(elsewhere.path().parent().unwrap()).unwrap();
    let made = made.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(made.into_iter().all(|name| !name.starts_with('.')));
}

#[test]
fn an_index_that_disagrees_with_its_table_is_damage() {
    let place = Place::new();
    append(
        &mut place.open(),
        "run-1",
        0,
        &[(0, super::task_view("t", "t", super::TaskState::Queued))],
    );
    let raw = Connection::open(place.path()).unwrap();
    raw.execute_batch(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX tasks_by_name ON tasks (state)'
             WHERE name = 'tasks_by_name';",
    )
    .unwrap();
    drop(raw);
    let error = Journal::open_sound(&place.path()).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
}
