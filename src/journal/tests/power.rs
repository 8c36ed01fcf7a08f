//! A power failure: of what was written after the last sync, anything may be missing.

use super::{Place, run_view, task_view};
use crate::journal::{Journal, Projection};
use crate::model::{Event, Recorded, RunId, RunState, TaskState, Timestamp};
use std::fs;

/// A long event, so that one commit is several pages of the log.
fn event(seq: u64) -> Recorded {
    let message = "m".repeat(usize::try_from(seq % 7).unwrap() * 1500);
    let event = Event::TaskWarned { task: "task-1".into(), message };
    Recorded { seq, at: Timestamp(0), event }
}

/// A journal, its file and its log, and for each durable commit the length of the log and the last event.
struct Recording {
    database: Vec<u8>,
    log: Vec<u8>,
    synced: Vec<(usize, u64)>,
}

fn record() -> Recording {
    let place = Place::new();
    let mut journal = place.open();
    let database = fs::read(place.path()).unwrap();
    let log = place.path().with_file_name("journal.db-wal");
    let mut synced = Vec::new();
    let run = RunId::from("run-1");
    for seq in 1..=12_u64 {
        let view = run_view("run-1", RunState::Running);
        let tasks = [(0, task_view("task-1", "a", TaskState::Running))];
        let turn = journal.turn(&run, seq - 1).unwrap().unwrap();
        let durable = seq % 3 != 0;
        turn.commit(&[event(seq)], &Projection { run: &view, tasks: &tasks }, durable).unwrap();
        if durable {
            synced.push((usize::try_from(fs::metadata(&log).unwrap().len()).unwrap(), seq));
        }
    }
    assert!(fs::read(place.path()).unwrap() == database, "nothing was checkpointed");
    Recording { database, log: fs::read(log).unwrap(), synced }
}

impl Recording {
    /// The history that is found with this log.
    fn history(&self, log: &[u8]) -> Vec<Recorded> {
        let place = Place::new();
        fs::create_dir_all(place.path().parent().unwrap()).unwrap();
        fs::write(place.path(), &self.database).unwrap();
        fs::write(place.path().with_file_name("journal.db-wal"), log).unwrap();
        let journal = Journal::open_sound(&place.path()).unwrap();
        let found = journal.events_after(&RunId::from("run-1"), 0).unwrap();
        assert_eq!(journal.check().unwrap(), None);
        let counted: u64 = journal.counts(&RunId::from("run-1")).unwrap().values().sum();
        assert_eq!(counted, u64::from(!found.is_empty()), "projections are of the same moment");
        found
    }

    /// What is found is a beginning of the history with everything that was durable within `length`.
    fn is_kept(&self, log: &[u8], length: usize) {
        let found = self.history(log);
        let expected: Vec<Recorded> = (1..=found.len() as u64).map(event).collect();
        assert!(found == expected, "not a beginning, at {length}");
        let durable =
            self.synced.iter().filter(|(end, _)| *end <= length).map(|(_, seq)| *seq).max();
        assert!(found.len() as u64 >= durable.unwrap_or(0), "{} at {length}", found.len());
    }
}

#[test]
fn a_log_cut_anywhere_gives_a_beginning_with_everything_that_was_synced() {
    let recording = record();
    let whole = recording.log.len();
    // The log's header has 32 bytes, a frame 24 and a page.
    let boundaries = (0..).map(|n| 32 + n * 4120).take_while(|at| *at <= whole);
    for at in boundaries {
        for length in [at, at + 1, at + 24, at + 2000] {
            let length = length.min(whole);
            recording.is_kept(&recording.log[..length], length);
        }
    }
    recording.is_kept(&[], 0);
    assert_eq!(recording.history(&recording.log).len(), 12);
}

#[test]
fn blocks_that_never_reached_the_disk_end_the_history_before_them() {
    let recording = record();
    for (length, _) in &recording.synced {
        for fill in [0_u8, 0xff] {
            let mut log = recording.log.clone();
            // Lengths are on the disk before the blocks are, which then have zeros or something old.
            log[*length..].fill(fill);
            recording.is_kept(&log, *length);
        }
    }
}

#[test]
fn the_last_commit_before_every_sync_is_found_by_whoever_copies_the_files_then() {
    let recording = record();
    for (length, seq) in &recording.synced {
        let found = recording.history(&recording.log[..*length]);
        assert_eq!(found.last().map(|last| last.seq), Some(*seq));
    }
}
