//! The ledger: two of them on one run stay in step, and what is shown is what is known.

use super::Ledger;
use crate::engine::State;
use crate::journal::Journal;
use crate::model::{
    AttemptEnd, AttemptId, BuiltIn, Complexity, Dependency, DependencyKind, Ending, Event, Failure,
    FailureClass, MergeMode, Phase, RunId, RunSpec, RunState, StepKind, StepSpec, TaskSpec,
    TaskState, WorkType,
};
use std::path::PathBuf;

/// A run whose task `b` waits for `a`; each has one step.
fn spec() -> RunSpec {
    let step = StepSpec {
        id: "branch".into(),
        phase: Phase::BranchCreation,
        kind: StepKind::BuiltIn { action: BuiltIn::Branch },
        needs: Vec::new(),
        skip: None,
        timeout_ms: None,
        idle_timeout_ms: None,
        retries: 0,
    };
    let task = |name: &str| TaskSpec {
        id: name.into(),
        name: name.into(),
        prompt: String::new(),
        title: String::new(),
        branch: String::new(),
        worktree: String::new(),
        agent: String::new(),
        model: None,
        role: None,
        workflow: String::new(),
        work_type: WorkType::General,
        complexity: Complexity::Low,
        depends_on: Vec::new(),
        writes: Vec::new(),
        targets: Vec::new(),
        skip: None,
        steps: vec![step.clone()].into(),
    };
    let mut b = task("b");
    let kind = DependencyKind::Declared;
    b.depends_on.push(Dependency { task: "a".into(), kind, reason: String::new() });
    RunSpec {
        id: RunId::from("run-1"),
        base: "base".into(),
        target: None,
        jobs: 2,
        parallel: true,
        merge: MergeMode::None,
        verify: Vec::new(),
        grace_ms: 0,
        log_cap: 0,
        estimate_seconds: None,
        tasks: vec![task("a"), b],
        agents: std::collections::BTreeMap::new(),
        policy: crate::model::Policy::default(),
        estimate_parallel_seconds: None,
        conflicts: Vec::new(),
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("journal.db")
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.path()).unwrap()
    }

    fn create(&self) -> Ledger {
        Ledger::create(self.journal(), spec()).unwrap()
    }

    fn open(&self) -> Ledger {
        Ledger::open(self.journal(), &RunId::from("run-1")).unwrap()
    }

    /// What the projections say.
    fn shown(&self) -> Vec<TaskState> {
        let tasks = self.journal().tasks(&RunId::from("run-1")).unwrap();
        tasks.into_iter().map(|task| task.state).collect()
    }

    /// What follows from the events.
    fn known(&self) -> Vec<TaskState> {
        let history = self.journal().events_after(&RunId::from("run-1"), 0).unwrap();
        let state = State::replay(&history).unwrap();
        let standings = state.standings();
        (0..state.tasks.len()).map(|task| state.task_state(task, &standings)).collect()
    }
}

fn starting(task: &str) -> Event {
    let attempt = AttemptId { task: task.into(), step: "branch".into(), number: 1 };
    Event::AttemptStarting { attempt, agent: None }
}

fn ended(task: &str, ending: Ending) -> Event {
    let attempt = AttemptId { task: task.into(), step: "branch".into(), number: 1 };
    Event::AttemptEnded { attempt, end: Box::new(AttemptEnd::of(ending)) }
}

fn failed() -> Ending {
    Ending::Failed { failure: Failure::new(FailureClass::Auth, "no key") }
}

#[test]
fn a_new_run_is_shown_at_once() {
    let place = Place::new();
    let ledger = place.create();
    assert_eq!(place.shown(), [TaskState::Queued, TaskState::Blocked]);
    assert_eq!(ledger.state().seq, 1);
    assert_eq!(place.open().state(), ledger.state());
}

#[test]
fn a_run_is_created_once() {
    let place = Place::new();
    place.create();
    let error = Ledger::create(place.journal(), spec()).unwrap_err().to_string();
    assert_eq!(error, "run run-1 exists already");
}

#[test]
fn a_run_that_is_not_there_cannot_be_opened() {
    let error = Ledger::open(Place::new().journal(), &RunId::from("run-1")).unwrap_err();
    assert!(error.to_string().contains("no first event"), "{error}");
}

#[test]
fn a_change_shows_in_the_tasks_that_follow_from_it() {
    let place = Place::new();
    let mut ledger = place.create();
    ledger.record(vec![starting("a")]).unwrap();
    assert_eq!(place.shown(), [TaskState::Preparing, TaskState::Blocked]);
    ledger.record(vec![ended("a", Ending::Succeeded)]).unwrap();
    assert_eq!(place.shown(), [TaskState::Succeeded, TaskState::Queued]);
    assert_eq!(place.shown(), place.known());
}

#[test]
fn nothing_to_record_records_nothing() {
    let place = Place::new();
    let mut ledger = place.create();
    assert_eq!(ledger.record(Vec::new()).unwrap(), []);
    assert_eq!(place.open().state().seq, 1);
}

#[test]
fn a_second_writer_is_folded_in_before_what_is_recorded() {
    let place = Place::new();
    let mut one = place.create();
    let mut two = place.open();
    one.record(vec![starting("a")]).unwrap();
    let new = two.record(vec![Event::CancelRequested { tasks: vec!["b".into()] }]).unwrap();
    let names: Vec<u64> = new.iter().map(|recorded| recorded.seq).collect();
    assert_eq!(names, [2, 3], "the other's event is told too");
    assert_eq!(one.catch_up().unwrap().len(), 1);
    assert_eq!(one.state(), two.state());
    assert_eq!(place.shown(), place.known());
    assert_eq!(place.shown(), [TaskState::Preparing, TaskState::Cancelled]);
}

#[test]
fn catching_up_tells_each_event_of_others_once_and_none_of_ones_own() {
    let place = Place::new();
    let mut one = place.create();
    let mut two = place.open();
    one.record(vec![starting("a")]).unwrap();
    assert_eq!(one.catch_up().unwrap(), []);
    two.catch_up().unwrap();
    two.record(vec![Event::DrainRequested]).unwrap();
    let new = one.catch_up().unwrap();
    assert_eq!(new.into_iter().map(|r| r.event).collect::<Vec<_>>(), [Event::DrainRequested]);
    assert_eq!(one.catch_up().unwrap(), []);
}

#[test]
fn a_run_does_not_end_over_what_another_process_has_just_asked_for() {
    let place = Place::new();
    let mut supervisor = place.create();
    supervisor.record(vec![starting("a"), ended("a", failed())]).unwrap();
    // The supervisor has decided that the run is over, and before it says so:
    place
        .open()
        .record(vec![Event::RetryRequested {
            tasks: vec!["a".into()],
            onto: None,
            snapshots: std::collections::BTreeMap::new(),
            edited: Vec::new(),
        }])
        .unwrap();
    let new = supervisor.record(vec![Event::RunFinished { state: RunState::Failed }]).unwrap();
    assert_eq!(new.len(), 1, "{new:?}");
    assert_eq!(supervisor.state().finished, None);
    assert_eq!(supervisor.state(), place.open().state());
    // With nothing new, it ends.
    supervisor.record(vec![Event::RunFinished { state: RunState::Failed }]).unwrap();
    assert_eq!(place.open().run_state(), Some(RunState::Failed));
}

#[test]
fn what_could_not_be_written_is_neither_known_nor_shown_and_is_written_later() {
    let place = Place::new();
    let mut ledger = place.create();
    ledger.record(vec![starting("a")]).unwrap();
    let before = ledger.state().clone();
    ledger.journal().refuse_events(true);
    assert!(ledger.record(vec![ended("a", Ending::Succeeded)]).is_err());
    assert_eq!(*ledger.state(), before);
    assert_eq!(place.shown(), place.known());
    ledger.journal().refuse_events(false);
    ledger.record(vec![ended("a", Ending::Succeeded)]).unwrap();
    assert_eq!(place.shown(), place.known());
    assert_eq!(place.shown(), [TaskState::Succeeded, TaskState::Queued]);
}

#[test]
fn many_writers_agree_in_the_end() {
    let place = Place::new();
    place.create();
    std::thread::scope(|scope| {
        for own in 0..3 {
            let place = &place;
            scope.spawn(move || {
                let mut ledger = place.open();
                for n in 0..10 {
                    let message = format!("{own}.{n}");
                    let task = if n % 2 == 0 { "a".into() } else { "b".into() };
                    ledger.record(vec![Event::TaskWarned { task, message }]).unwrap();
                }
            });
        }
    });
    let ledger = place.open();
    assert_eq!(ledger.state().seq, 31);
    assert_eq!(ledger.state().tasks.iter().map(|t| t.warnings.len()).sum::<usize>(), 30);
    let shown = place.journal().tasks(&RunId::from("run-1")).unwrap();
    for (task, shown) in ledger.state().tasks.iter().zip(shown) {
        assert_eq!(task.warnings, shown.warnings);
    }
}

impl Ledger {
    fn run_state(&self) -> Option<RunState> {
        self.state.finished.map(|(state, _)| state)
    }
}
