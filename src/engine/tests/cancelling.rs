//! What a person stops, and asks for again.

use super::fixture::{Run, after, failed, id, step, task};
use crate::model::DependencyKind::{Conflict, Declared};
use crate::model::{Ending, Event, FailureClass, RunState, StopReason, TaskState};

#[test]
fn a_task_cancelled_before_it_starts_never_starts() {
    let mut run = Run::new(1, true, vec![task("a"), task("b")]);
    run.apply(Event::CancelRequested { tasks: vec!["a".into()] });
    assert_eq!(run.act(), ["start b/branch.1"]);
    assert_eq!(run.task_state("a"), TaskState::Cancelled);
}

#[test]
fn a_running_process_is_stopped_once_and_nothing_follows() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.ok("a/branch.1");
    assert_eq!(run.cancel("a"), ["stop a/agent.1"]);
    assert_eq!(run.act(), [""; 0], "it was told already");
    assert_eq!(run.fail("a/agent.1", FailureClass::Cancelled), ["finish cancelled"]);
    assert_eq!(run.task_state("a"), TaskState::Cancelled);
}

#[test]
fn a_step_of_the_supervisors_own_ends_by_itself_after_a_cancel() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    assert_eq!(run.cancel("a"), [""; 0]);
    assert_eq!(run.ok("a/branch.1"), ["finish cancelled"]);
}

#[test]
fn a_cancel_after_the_end_changes_nothing() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.succeed("a");
    assert_eq!(run.cancel("a"), [""; 0]);
    assert_eq!(
        (run.task_state("a"), run.finished()),
        (TaskState::Succeeded, Some(RunState::Succeeded))
    );
}

#[test]
fn a_cancelled_task_lets_those_behind_it_go_on_as_if_it_had_failed() {
    let b = after(task("b"), "a", Declared);
    let c = after(task("c"), "a", Conflict);
    let mut run = Run::new(4, true, vec![task("a"), b, c]);
    run.act();
    run.cancel("a");
    assert_eq!(run.fail("a/branch.1", FailureClass::Git), ["start c/branch.1"]);
    assert_eq!(run.task_state("b"), TaskState::Blocked);
}

#[test]
fn a_cancelled_task_does_not_wait_for_its_next_try() {
    let mut run = Run::new(1, true, vec![super::fixture::retries(task("a"), 3)]);
    run.act();
    run.ok("a/branch.1");
    assert_eq!(run.fail("a/agent.1", FailureClass::Crashed), ["again a/agent.2"]);
    assert_eq!(run.cancel("a"), ["finish cancelled"]);
}

#[test]
fn a_task_cancelled_and_asked_for_again_goes_on_where_it_was() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.ok("a/branch.1");
    run.cancel("a");
    run.fail("a/agent.1", FailureClass::Cancelled);
    assert_eq!(run.retry("a"), ["start a/agent.2"]);
    assert_eq!(run.finished(), None);
}

#[test]
fn a_task_asked_for_again_while_it_is_being_stopped_starts_again_after_that() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.ok("a/branch.1");
    run.cancel("a");
    assert_eq!(run.retry("a"), [""; 0], "the first attempt has not ended");
    assert_eq!(run.fail("a/agent.1", FailureClass::Cancelled), ["start a/agent.2"]);
}

#[test]
fn asking_again_never_forgets_an_attempt_that_still_runs() {
    let mut both = task("a");
    both.steps = vec![step("agent1", &[]), step("agent2", &[])].into();
    let mut run = Run::new(2, true, vec![both]);
    run.act();
    assert_eq!(run.fail("a/agent1.1", FailureClass::Refused), [""; 0]);
    assert_eq!(run.retry("a"), [""; 0], "agent2 is not done");
    assert_eq!(run.state.open_attempts().count(), 1);
    assert_eq!(run.ok("a/agent2.1"), ["start a/agent1.2", "start a/agent2.2"]);
}

#[test]
fn a_prerequisite_asked_for_again_opens_the_way_for_what_it_held_back() {
    let mut run = Run::new(4, true, vec![task("a"), after(task("b"), "a", Declared)]);
    run.act();
    run.fail("a/branch.1", FailureClass::Git);
    assert_eq!(run.finished(), Some(RunState::Failed));
    assert_eq!(run.retry("a"), ["start a/branch.2"]);
    run.ok("a/branch.2");
    run.ok("a/agent.1");
    run.ok("a/commit.1");
    assert_eq!(run.ok("a/verify.1"), ["start b/branch.1"]);
}

#[test]
fn a_prerequisite_asked_for_again_does_not_hold_up_what_has_started() {
    let mut run = Run::new(4, true, vec![task("a"), after(task("b"), "a", Conflict)]);
    run.act();
    run.fail("a/branch.1", FailureClass::Git);
    assert_eq!(run.retry("a"), ["start a/branch.2"]);
    assert_eq!(run.ok("b/branch.1"), ["start b/agent.1"]);
}

#[test]
fn what_has_succeeded_but_cannot_land_starts_again_with_its_branch() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.succeed("a");
    assert_eq!(run.retry("a"), ["start a/branch.2"]);
}

#[test]
fn cancelling_what_is_left_of_an_interrupted_run_ends_it() {
    let mut run = Run::new(1, true, vec![task("a"), task("b")]);
    run.act();
    run.apply(Event::DrainRequested);
    assert_eq!(run.ok("a/branch.1"), ["finish interrupted"]);
    run.apply(Event::CancelRequested { tasks: vec!["a".into(), "b".into()] });
    assert_eq!(run.act(), ["finish cancelled"]);
}

#[test]
fn one_stopped_by_a_person_and_then_by_ctrl_c_stays_cancelled() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.ok("a/branch.1");
    run.cancel("a");
    let reason = StopReason::Interrupted;
    run.apply(Event::AttemptStopping { attempt: id("a/agent.1"), reason });
    run.end("a/agent.1", failed(FailureClass::Interrupted));
    assert_eq!(run.act(), ["finish cancelled"]);
}

#[test]
fn what_was_cancelled_is_not_done_though_its_last_step_ends_well() {
    let mut last = task("a");
    last.steps[3].skip = Some("no verification commands".into());
    let mut run = Run::new(1, true, vec![last]);
    run.act();
    for step in ["branch", "agent"] {
        run.ok(&format!("a/{step}.1"));
    }
    run.cancel("a");
    run.end("a/commit.1", Ending::Succeeded);
    assert_eq!(run.act(), ["finish cancelled"]);
    // Asked for again, it is done: nothing of it is left to do.
    run.apply(Event::RetryRequested {
        tasks: vec!["a".into()],
        onto: None,
        snapshots: std::collections::BTreeMap::new(),
        edited: Vec::new(),
    });
    assert_eq!(run.act(), ["finish succeeded"]);
    run.cancel("a");
    assert_eq!(run.task_state("a"), TaskState::Succeeded, "too late");

    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    for step in ["branch", "agent", "commit"] {
        run.ok(&format!("a/{step}.1"));
    }
    assert_eq!(run.cancel("a"), ["stop a/verify.1"]);
    run.end("a/verify.1", Ending::Succeeded);
    assert_eq!(run.act(), ["finish cancelled"]);
}
