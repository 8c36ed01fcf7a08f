//! What a person or the machine holds back.

use super::fixture::*;
use crate::model::{Event, Resource, RunState, StopReason};

fn limited(limit: Option<u32>) -> Event {
    Event::ParallelismLimited { limit, reason: "test".to_owned() }
}

#[test]
fn a_paused_run_starts_nothing_and_lets_what_runs_go_on() {
    let mut run = Run::new(2, true, vec![task("a"), task("b"), task("c")]);
    run.act();
    run.ok("a/branch.1");
    run.apply(Event::PauseRequested);
    assert_eq!(run.ok("b/branch.1"), [""; 0]);
    // What the agent made is committed; the verification waits.
    assert_eq!(run.ok("a/agent.1"), ["start a/commit.1"]);
    assert_eq!(run.ok("a/commit.1"), [""; 0]);
    assert_eq!(run.state.run_view().state, RunState::Paused);
    run.apply(Event::ContinueRequested);
    assert_eq!(run.act(), ["start a/verify.1", "start b/agent.1"]);
    assert_eq!(run.state.run_view().state, RunState::Running);
}

#[test]
fn a_paused_run_is_drained_and_taken_over_like_any() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.apply(Event::PauseRequested);
    assert_eq!(run.act(), [""; 0]);
    run.apply(Event::DrainRequested);
    assert_eq!(run.act(), ["finish interrupted"]);
    run.apply(Event::SupervisorStarted { pid: 2 });
    assert_eq!(run.act(), ["start a/branch.1"]);
}

#[test]
fn jobs_change_while_the_run_goes_on() {
    let mut run = Run::new(1, true, vec![task("a"), task("b"), task("c")]);
    run.act();
    assert_eq!(run.ok("a/branch.1"), ["start a/agent.1", "start b/branch.1"]);
    run.apply(Event::JobsRequested { jobs: 3 });
    assert_eq!(run.act(), ["start c/branch.1"]);
    run.apply(limited(Some(1)));
    assert_eq!(run.ok("b/branch.1"), [""; 0], "the machine's limit is the lower one");
    assert_eq!(run.state.jobs(), 1);
    run.apply(limited(None));
    assert_eq!(run.act(), ["start b/agent.1"]);
    run.apply(limited(Some(1)));
    run.apply(Event::SupervisorStarted { pid: 2 });
    assert_eq!(run.state.jobs(), 3, "a request outlives the supervisor, a reading does not");
}

#[test]
fn a_shortage_holds_new_work_until_it_is_over() {
    for resource in [Resource::Disk, Resource::Memory] {
        let mut run = Run::new(1, true, vec![task("a")]);
        run.apply(Event::ResourceShort { resource, detail: "12 MiB free".to_owned() });
        assert_eq!(run.act(), [""; 0], "it waits, and is not over");
        run.apply(Event::ResourceRecovered { resource });
        assert_eq!(run.act(), ["start a/branch.1"]);
    }
}

#[test]
fn what_was_ended_for_want_of_memory_starts_again_later_without_counting() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.ok("a/branch.1");
    let attempt = id("a/agent.1");
    run.apply(Event::AttemptStopping { attempt, reason: StopReason::OutOfMemory });
    run.end("a/agent.1", failed(crate::model::FailureClass::Interrupted));
    assert_eq!(run.act(), [""; 0]);
    assert_eq!(run.later(60_000), ["start a/agent.2"]);
}

#[test]
fn a_quiet_attempt_is_told_of_while_it_runs() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.ok("a/branch.1");
    run.apply(Event::AttemptStalled { attempt: id("a/agent.1"), quiet_seconds: 90 });
    assert_eq!(run.act(), [""; 0]);
    assert_eq!(run.view("a").warnings, ["agent, attempt 1: no output and no work for 90 s"]);
    run.ok("a/agent.1");
    assert_eq!(run.view("a").warnings, [""; 0]);
}
