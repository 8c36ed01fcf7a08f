//! Appending: the order of events, whoever writes them.

use super::{Place, append, events, run_view, task_view};
use crate::journal::{Journal, Projection};
use crate::model::{RunId, RunState, TaskState};

fn numbers(journal: &Journal, run: &str, after: u64) -> Vec<u64> {
    let found = journal.events_after(&RunId::from(run), after).unwrap();
    found.iter().map(|recorded| recorded.seq).collect()
}

#[test]
fn what_was_committed_is_read_in_order() {
    let place = Place::new();
    let mut journal = place.open();
    let run = RunId::from("run-1");
    let view = run_view("run-1", RunState::Running);
    let turn = journal.turn(&run, 0).unwrap().unwrap();
    turn.commit(&events(0, 12), &Projection { run: &view, tasks: &[] }, true).unwrap();
    assert_eq!(numbers(&place.open(), "run-1", 0), (1..=12).collect::<Vec<_>>());
    assert_eq!(numbers(&place.open(), "run-1", 9), [10, 11, 12]);
    assert_eq!(numbers(&place.open(), "run-1", 12), [0; 0]);
    assert_eq!(numbers(&place.open(), "another", 0), [0; 0]);
}

#[test]
fn a_writer_that_has_not_seen_the_newest_event_is_told_so() {
    let place = Place::new();
    let (mut one, mut two) = (place.open(), place.open());
    assert!(append(&mut one, "run-1", 0, &[]));
    assert!(!append(&mut two, "run-1", 0, &[]), "one was first");
    assert_eq!(numbers(&two, "run-1", 0), [1]);
    assert!(append(&mut two, "run-1", 1, &[]));
    assert!(!append(&mut one, "run-1", 1, &[]), "two was first");
    assert!(!append(&mut one, "run-1", 9, &[]), "there is no such event yet");
    assert_eq!(numbers(&one, "run-1", 0), [1, 2]);
}

#[test]
fn runs_are_numbered_each_for_itself() {
    let place = Place::new();
    let mut journal = place.open();
    assert!(append(&mut journal, "run-1", 0, &[]));
    assert!(append(&mut journal, "run-2", 0, &[]));
    assert!(append(&mut journal, "run-1", 1, &[]));
    assert_eq!(numbers(&journal, "run-2", 0), [1]);
    let runs: Vec<String> = journal.runs(9).unwrap().into_iter().map(|r| r.id.0).collect();
    assert_eq!(runs, ["run-2", "run-1"], "newest first");
    assert_eq!(journal.runs(1).unwrap().len(), 1);
}

#[test]
fn two_writers_leave_no_gap_and_no_double() {
    let place = Place::new();
    drop(place.open());
    let write = |own: usize| {
        let mut journal = place.open();
        let (mut seen, mut written) = (0, 0);
        while written < 25 {
            let task = task_view(&format!("task-{own}"), "name", TaskState::Running);
            if append(&mut journal, "run-1", seen, &[(own, task)]) {
                written += 1;
                seen += 1;
            } else {
                seen += numbers(&journal, "run-1", seen).len() as u64;
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write(0));
        scope.spawn(|| write(1));
    });
    let journal = place.open();
    assert_eq!(numbers(&journal, "run-1", 0), (1..=50).collect::<Vec<_>>());
    assert_eq!(journal.tasks(&RunId::from("run-1")).unwrap().len(), 2);
}

#[test]
fn a_turn_that_is_dropped_leaves_nothing_behind() {
    let place = Place::new();
    let (mut one, mut two) = (place.open(), place.open());
    drop(one.turn(&RunId::from("run-1"), 0).unwrap().unwrap());
    assert_eq!(two.find_run("latest").unwrap(), None);
    assert!(append(&mut two, "run-1", 0, &[]));
}

#[test]
fn events_and_projections_are_written_together_or_not_at_all() {
    let place = Place::new();
    let mut journal = place.open();
    append(&mut journal, "run-1", 0, &[(0, task_view("task-1", "a", TaskState::Queued))]);
    let run = RunId::from("run-1");
    let view = run_view("run-1", RunState::Failed);
    let tasks = [(0, task_view("task-1", "a", TaskState::Failed))];
    // The number 1 is taken, so the second event cannot be written.
    let mut twice = events(1, 1);
    twice.extend(events(0, 1));
    let turn = journal.turn(&run, 1).unwrap().unwrap();
    assert!(turn.commit(&twice, &Projection { run: &view, tasks: &tasks }, true).is_err());
    assert_eq!(numbers(&journal, "run-1", 0), [1]);
    assert_eq!(journal.run_view(&run).unwrap().state, RunState::Running);
    assert_eq!(journal.tasks(&run).unwrap()[0].state, TaskState::Queued);
}

#[test]
fn a_reader_sees_the_last_commit_while_another_writes() {
    let place = Place::new();
    let (mut writer, reader) = (place.open(), place.open());
    append(&mut writer, "run-1", 0, &[(0, task_view("task-1", "a", TaskState::Queued))]);
    let run = RunId::from("run-1");
    let before = reader.data_version().unwrap();
    let turn = writer.turn(&run, 1).unwrap().unwrap();
    assert_eq!(reader.tasks(&run).unwrap()[0].state, TaskState::Queued);
    assert_eq!(numbers(&reader, "run-1", 0), [1]);
    assert_eq!(reader.data_version().unwrap(), before, "nothing was written yet");
    let view = run_view("run-1", RunState::Running);
    let tasks = [(0, task_view("task-1", "a", TaskState::Running))];
    turn.commit(&events(1, 1), &Projection { run: &view, tasks: &tasks }, true).unwrap();
    assert_ne!(reader.data_version().unwrap(), before);
    assert_eq!(reader.tasks(&run).unwrap()[0].state, TaskState::Running);
}

#[test]
fn only_the_projections_given_change() {
    let place = Place::new();
    let mut journal = place.open();
    let tasks = [
        (0, task_view("task-1", "a", TaskState::Running)),
        (1, task_view("task-2", "b", TaskState::Queued)),
        (2, task_view("task-3", "c", TaskState::Queued)),
    ];
    append(&mut journal, "run-1", 0, &tasks);
    append(&mut journal, "run-1", 1, &[(1, task_view("task-2", "b", TaskState::Running))]);
    let run = RunId::from("run-1");
    let names: Vec<String> = journal.tasks(&run).unwrap().into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let counts = journal.counts(&run).unwrap();
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [(TaskState::Queued, 1), (TaskState::Running, 2)]
    );
    let running = journal.tasks_in(&run, &[TaskState::Running], 9).unwrap();
    assert_eq!(running.into_iter().map(|t| t.name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(journal.tasks_in(&run, &[TaskState::Running], 1).unwrap().len(), 1);
    let raw = journal.raw_tasks(&run).unwrap();
    let read: crate::model::TaskView = serde_json::from_str(raw[1].get()).unwrap();
    assert_eq!(read, journal.tasks(&run).unwrap()[1]);
}
