//! Agents that turn out to change the same lines.

use super::fixture::*;
use crate::model::{
    DependencyKind, Event, FailureClass, OnOverlap, OverlapPath, Policy, RunState, StopReason,
    TaskState,
};

fn found(task: &str, with: &str, conflict: bool) -> Event {
    let (lines, other_lines) = (vec![(3, 9)], Vec::new());
    let path = OverlapPath { path: "f".to_owned(), conflict, lines, other_lines };
    Event::OverlapFound {
        task: task.into(),
        with: Some(with.into()),
        paths: vec![path],
        path_count: 1,
    }
}

/// Two agents at work, the second one a little later.
fn two(on_overlap: OnOverlap) -> Run {
    let mut spec = Run::new(2, true, vec![task("a"), task("b"), task("c")]).state.spec;
    spec.policy = Policy { on_overlap, ..Policy::default() };
    let mut run = Run::of(spec);
    run.act();
    assert!(run.ok("a/branch.1").contains(&"start a/agent.1".to_owned()));
    run.now += 5;
    assert!(run.ok("b/branch.1").contains(&"start b/agent.1".to_owned()));
    run
}

fn stop(run: &mut Run, attempt: &str) {
    run.end(attempt, failed(FailureClass::Interrupted));
}

#[test]
fn the_agent_that_began_later_is_stopped_and_goes_on_when_the_other_has_ended() {
    let mut run = two(OnOverlap::Pause);
    run.apply(found("b", "a", false));
    assert_eq!(run.act(), [""; 0], "what merges is left alone");
    run.apply(found("b", "a", true));
    assert_eq!(run.act(), ["stop b/agent.1"]);
    stop(&mut run, "b/agent.1");
    // Its place is free for others.
    assert_eq!(run.act(), ["start c/branch.1"]);
    assert_eq!(run.ok("c/branch.1"), ["start c/agent.1"]);
    assert_eq!(run.task_state("b"), TaskState::Blocked);
    assert_eq!(run.view("b").blocked_on, ["a"]);
    assert_eq!(run.state.run_view().overlaps[0].paused.as_deref(), Some("b"));
    // It waits for the end, not for the conflict to go away: that may come back.
    run.apply(Event::OverlapGone { task: "b".into(), with: Some("a".into()) });
    assert_eq!(run.act(), [""; 0]);
    run.apply(found("b", "a", true));
    run.ok("a/agent.1");
    run.ok("a/commit.1");
    assert_eq!(run.ok("a/verify.1"), ["start b/agent.2"]);
    let b = run.state.position(&"b".into()).unwrap();
    assert!(run.state.attempt(&id("b/agent.2")).unwrap().beginning.keep);
    let told = run.state.previous_failure(b).unwrap().message;
    assert!(told.contains("the task a has meanwhile changed the same lines of f"), "{told}");
}

#[test]
fn a_pause_outlives_supervisors_and_counts_against_nothing() {
    let mut run = two(OnOverlap::Pause);
    run.apply(found("b", "a", true));
    run.act();
    stop(&mut run, "b/agent.1");
    run.apply(Event::DrainRequested);
    run.interrupt("a/agent.1");
    run.act();
    assert_eq!(run.finished(), Some(RunState::Interrupted));
    run.apply(Event::SupervisorStarted { pid: 2 });
    let next = run.act();
    assert!(next.contains(&"start a/agent.2".to_owned()), "{next:?}");
    assert!(!next.iter().any(|said| said.starts_with("start b/")), "{next:?}");
    // Whoever it waited for has failed: it goes on all the same.
    let next = run.fail("a/agent.2", FailureClass::Auth);
    assert!(next.contains(&"start b/agent.2".to_owned()), "{next:?}");
}

#[test]
fn only_agents_are_stopped_and_only_where_that_is_asked_for() {
    for on_overlap in [OnOverlap::Warn, OnOverlap::Order] {
        let mut run = two(on_overlap);
        run.apply(found("b", "a", true));
        assert_eq!(run.act(), [""; 0]);
        assert!(run.state.run_view().overlaps[0].conflict);
    }
    // The work of b is done: it is tested while a goes on.
    let mut run = two(OnOverlap::Pause);
    run.ok("b/agent.1");
    run.ok("b/commit.1");
    run.apply(found("b", "a", true));
    assert!(!run.act().iter().any(|said| said.starts_with("stop")));
}

#[test]
fn one_that_ends_by_itself_at_that_moment_is_not_held_up() {
    let mut run = two(OnOverlap::Pause);
    run.apply(found("b", "a", true));
    assert_eq!(run.act(), ["stop b/agent.1"]);
    assert!(run.ok("b/agent.1").contains(&"start b/commit.1".to_owned()));
}

#[test]
fn an_overlap_with_a_task_that_landed_is_nobodys_any_more() {
    let mut run = two(OnOverlap::Warn);
    run.apply(found("b", "a", true));
    let merged = |task: &str| Event::TaskMerged {
        task: task.into(),
        into: "main".to_owned(),
        commit: "c".to_owned(),
        head: None,
    };
    run.apply(merged("a"));
    assert!(run.state.run_view().overlaps.is_empty());
    // One of another run is none of this one's business.
    run.apply(found("b", "elsewhere", true));
    assert_eq!(run.state.overlaps.len(), 1);
}

#[test]
fn who_waits_for_a_declared_prerequisite_waits_for_it_paused_too() {
    let tasks = vec![task("a"), task("b"), after(task("d"), "b", DependencyKind::Declared)];
    let mut spec = Run::new(3, true, tasks).state.spec;
    spec.policy = Policy { on_overlap: OnOverlap::Pause, ..Policy::default() };
    let mut run = Run::of(spec);
    run.act();
    run.ok("a/branch.1");
    run.now += 5;
    run.ok("b/branch.1");
    run.apply(found("b", "a", true));
    run.act();
    stop(&mut run, "b/agent.1");
    assert_eq!(run.act(), [""; 0]);
    assert_eq!(run.view("d").blocked_on, ["b"]);
    assert_eq!(run.view("d").blocked_by, [""; 0], "nothing blocks it for good");
    run.apply(Event::AttemptStopping { attempt: id("a/agent.1"), reason: StopReason::Cancelled });
    run.cancel("a");
    run.end("a/agent.1", failed(FailureClass::Cancelled));
    assert_eq!(run.act(), ["start b/agent.2"]);
}
