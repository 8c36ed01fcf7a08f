//! Why a crash at any instant loses nothing: the state is a fold, and deciding has no memory.

use super::fixture::{Run, after, failed, id, retries, step, task};
use crate::engine::State;
use crate::model::DependencyKind::{Conflict, Declared};
use crate::model::{
    Action, AttemptEnd, Ending, Event, FailureClass, Recorded, StopReason, TaskState, Timestamp,
};

/// A run in which most things happen.
fn eventful() -> Run {
    let tasks = vec![
        retries(task("a"), 1),
        after(task("b"), "a", Conflict),
        after(task("c"), "b", Declared),
        task("d"),
    ];
    let mut run = Run::new(2, true, tasks);
    run.act();
    run.ok("a/branch.1");
    run.ok("d/branch.1");
    run.apply(Event::AttemptStarted { attempt: id("a/agent.1"), pid: 7 });
    run.fail("a/agent.1", FailureClass::Overloaded);
    run.cancel("d");
    run.fail("d/agent.1", FailureClass::Cancelled);
    run.later(10);
    run.interrupt("a/agent.2");
    run.apply(Event::SupervisorStarted { pid: 2 });
    run.act();
    run.fail("a/agent.3", FailureClass::Refused);
    run.apply(Event::TaskWarned { task: "b".into(), message: "mind".into() });
    run.fail("b/branch.1", FailureClass::Git);
    run.retry("d");
    run.ok("d/agent.2");
    run
}

#[test]
fn the_journal_replays_to_the_live_state() {
    let run = eventful();
    let lines: Vec<String> =
        run.journal.iter().map(|r| serde_json::to_string(r).unwrap()).collect();
    let read: Vec<Recorded> = lines.iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(State::replay(&read), Some(run.state));
}

#[test]
fn a_history_without_its_beginning_is_none() {
    assert_eq!(State::replay(&[]), None);
    assert_eq!(State::replay(&eventful().journal[1..]), None);
}

#[test]
fn the_same_state_leads_to_the_same_decision() {
    let run = eventful();
    let mut state = State::replay(&run.journal[..1]).unwrap();
    for recorded in &run.journal[1..] {
        state.apply(recorded);
        let twice = [0, 0].map(|_| crate::engine::decide(&state, recorded.at));
        assert_eq!(twice[0], twice[1]);
    }
}

#[test]
fn an_intent_on_record_is_not_decided_again() {
    let mut run = Run::new(4, true, vec![task("a"), task("b")]);
    let first = run.decide();
    assert_eq!(first.len(), 2);
    let Action::Start { attempt, .. } = first[0].clone() else { panic!("{first:?}") };
    run.apply(Event::AttemptStarting { attempt, agent: None });
    assert_eq!(run.decide(), first[1..]);
}

#[test]
fn events_about_what_is_not_known_change_nothing() {
    let mut run = eventful();
    let before = run.state.clone();
    let end = || Box::new(AttemptEnd::of(Ending::Succeeded));
    for event in [
        Event::AttemptStarting { attempt: id("x/agent.1"), agent: None },
        Event::AttemptStarting { attempt: id("a/nothing.1"), agent: None },
        Event::AttemptStarted { attempt: id("x/agent.1"), pid: 1 },
        Event::AttemptAdopted { attempt: id("a/agent.99"), pid: 1 },
        Event::AttemptStopping { attempt: id("a/agent.99"), reason: StopReason::Cancelled },
        Event::AttemptEnded { attempt: id("a/agent.99"), end: end() },
        Event::AttemptEnded { attempt: id("x/agent.1"), end: end() },
        Event::RetryScheduled {
            attempt: id("x/agent.2"),
            not_before: Timestamp(0),
            agent: None,
            keep: false,
            session: None,
        },
        Event::StepSkipped { task: "x".into(), step: "agent".into(), reason: String::new() },
        Event::CancelRequested { tasks: vec!["x".into()] },
        Event::TaskWarned { task: "x".into(), message: String::new() },
        Event::TaskCleaned { task: "x".into(), graveyard: None },
        Event::TaskRestored { task: "x".into() },
        Event::TaskMerged {
            task: "x".into(),
            into: "main".into(),
            commit: String::new(),
            head: None,
        },
        Event::MergeConflicted {
            task: "x".into(),
            into: "main".into(),
            paths: Vec::new(),
            with: Vec::new(),
        },
    ] {
        run.apply(event);
        run.state.seq = before.seq;
        assert_eq!(run.state, before, "{:?}", run.journal.last());
    }
}

#[test]
fn an_attempt_ends_once() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.ok("a/branch.1");
    run.end("a/agent.1", Ending::Succeeded);
    run.end("a/agent.1", failed(FailureClass::Crashed));
    assert_eq!(run.act(), ["start a/commit.1"]);
}

#[test]
fn what_died_with_its_supervisor_starts_again_and_nothing_else_does() {
    let mut run = Run::new(2, true, vec![task("a"), task("b")]);
    run.act();
    run.ok("a/branch.1");
    // a's agent lives on, b's branch was being made.
    run.apply(Event::SupervisorStarted { pid: 2 });
    run.apply(Event::AttemptAdopted { attempt: id("a/agent.1"), pid: 9 });
    run.interrupt("b/branch.1");
    assert_eq!(run.act(), ["start b/branch.2"]);
    assert_eq!(run.view("a").attempts[0].pid, Some(9));
}

#[test]
fn a_task_that_landed_stays_landed() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.succeed("a");
    let conflicted = Event::MergeConflicted {
        task: "a".into(),
        into: "main".into(),
        paths: vec!["x".into()],
        with: Vec::new(),
    };
    run.apply(conflicted);
    assert_eq!(run.task_state("a"), TaskState::Conflicted);
    assert!(run.view("a").error.is_some());
    let (into, commit) = ("main".into(), "oid".into());
    run.apply(Event::TaskMerged { task: "a".into(), into, commit, head: None });
    run.apply(Event::RetryRequested {
        tasks: vec!["a".into()],
        onto: None,
        snapshots: std::collections::BTreeMap::new(),
        edited: Vec::new(),
    });
    assert_eq!(run.task_state("a"), TaskState::Merged);
    assert_eq!(run.view("a").error, None);
}

#[test]
fn a_view_says_what_each_step_is_at() {
    let mut a = retries(task("a"), 1);
    a.steps.push(step("verify2", &["verify"]));
    a.steps[4].skip = Some("no reviewer".into());
    let mut run = Run::new(1, true, vec![a]);
    run.act();
    run.ok("a/branch.1");
    run.fail("a/agent.1", FailureClass::Crashed);
    let shown: Vec<String> = run.view("a").steps.into_iter().map(|s| s.state).collect();
    assert_eq!(shown, ["done", "pending", "pending", "pending", "skipped"]);
    let view = run.view("a");
    assert_eq!(view.attempts[0].outcome.as_deref(), Some("crashed"));
    assert!(view.steps[1].reason.as_ref().is_some_and(|r| r.contains("tried again")));
    assert_eq!((view.state, view.finished_at), (TaskState::Queued, None));
}
