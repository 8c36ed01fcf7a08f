//! How a run ends, and how it is drained.

use super::fixture::{Run, after, id, retries, step, task};
use crate::model::DependencyKind::Declared;
use crate::model::{Event, FailureClass, RunState, StopReason, TaskState};

#[test]
fn a_run_of_nothing_succeeds() {
    assert_eq!(Run::new(1, true, Vec::new()).act(), ["finish succeeded"]);
}

#[test]
fn a_run_ends_as_its_tasks_did() {
    use FailureClass::Auth;
    // What becomes of each task: none is good, some class failed, `Cancelled` was cancelled.
    for (ends, state) in [
        (vec![None, None], RunState::Succeeded),
        (vec![None, Some(Auth)], RunState::Failed),
        (vec![None, Some(FailureClass::Cancelled)], RunState::Cancelled),
        (vec![Some(Auth), Some(FailureClass::Cancelled)], RunState::Failed),
    ] {
        let mut run = Run::new(1, true, vec![task("a"), task("b")]);
        for (name, end) in ["a", "b"].iter().zip(ends) {
            run.act();
            match end {
                None => drop(run.succeed(name)),
                Some(FailureClass::Cancelled) => {
                    run.cancel(name);
                    run.ok(&format!("{name}/branch.1"));
                }
                Some(class) => drop(run.fail(&format!("{name}/branch.1"), class)),
            }
        }
        assert_eq!(run.finished(), Some(state));
    }
}

#[test]
fn a_finished_run_decides_nothing() {
    let mut run = Run::new(1, true, vec![task("a"), after(task("b"), "a", Declared)]);
    run.act();
    run.fail("a/branch.1", FailureClass::Git);
    assert_eq!(run.finished(), Some(RunState::Failed));
    run.now = i64::MAX / 2;
    assert_eq!(run.decide(), []);
}

#[test]
fn a_draining_run_lets_what_runs_finish_and_starts_nothing_new() {
    let mut run = Run::new(1, true, vec![task("a"), task("b")]);
    run.act();
    run.ok("a/branch.1");
    run.apply(Event::DrainRequested);
    assert_eq!(run.ok("b/branch.1"), [""; 0], "b has not begun");
    assert_eq!(run.ok("a/agent.1"), ["start a/commit.1"]);
    assert_eq!(run.ok("a/commit.1"), ["start a/verify.1"]);
    assert_eq!(run.ok("a/verify.1"), ["finish interrupted"]);
    assert_eq!(run.task_state("a"), TaskState::Succeeded);
    assert_eq!(run.task_state("b"), TaskState::Interrupted);
}

#[test]
fn a_draining_run_whose_tasks_are_all_done_is_not_interrupted() {
    let mut run = Run::new(1, true, vec![task("a")]);
    run.act();
    run.ok("a/branch.1");
    run.apply(Event::DrainRequested);
    run.ok("a/agent.1");
    run.ok("a/commit.1");
    assert_eq!(run.ok("a/verify.1"), ["finish succeeded"]);
}

#[test]
fn a_draining_run_starts_no_agent_after_set_up() {
    let mut a = task("a");
    a.steps[1].needs = vec!["setup".into()];
    a.steps.insert(1, step("setup", &["branch"]));
    let mut run = Run::new(1, true, vec![a]);
    run.act();
    run.ok("a/branch.1");
    run.apply(Event::DrainRequested);
    assert_eq!(run.ok("a/setup.1"), ["finish interrupted"]);
    run.apply(Event::SupervisorStarted { pid: 2 });
    assert_eq!(run.act(), ["start a/agent.1"]);
}

#[test]
fn a_draining_run_tries_nothing_again() {
    let mut run = Run::new(1, true, vec![retries(task("a"), 1), retries(task("b"), 1)]);
    run.act();
    run.ok("a/branch.1");
    run.ok("b/branch.1");
    assert_eq!(
        run.fail("a/agent.1", FailureClass::Crashed),
        ["again a/agent.2", "start b/agent.1"]
    );
    run.apply(Event::DrainRequested);
    assert_eq!(run.later(10), [""; 0], "the time of a's next try came and went");
    assert_eq!(run.fail("b/agent.1", FailureClass::Crashed), ["finish interrupted"]);
    assert_eq!(run.task_state("a"), TaskState::Interrupted);
    assert_eq!(run.task_state("b"), TaskState::Interrupted, "resumed, it is tried again");
    run.apply(Event::SupervisorStarted { pid: 2 });
    assert_eq!(run.act(), ["start a/agent.2", "again b/agent.2"]);
}

#[test]
fn a_second_interrupt_stops_what_runs_and_it_starts_again_when_the_run_is_resumed() {
    let mut run = Run::new(2, true, vec![task("a"), task("b")]);
    run.act();
    run.ok("a/branch.1");
    run.ok("a/agent.1");
    run.ok("a/commit.1");
    run.ok("b/branch.1");
    run.apply(Event::DrainRequested);
    run.apply(Event::DrainRequested);
    // One was told by the supervisor already, as it does at once.
    let reason = StopReason::Interrupted;
    run.apply(Event::AttemptStopping { attempt: id("a/verify.1"), reason });
    assert_eq!(run.act(), ["stop b/agent.1"], "even if its shim is not up yet");
    assert_eq!(run.fail("a/verify.1", FailureClass::Interrupted), [""; 0], "not again now");
    assert_eq!(run.ok("b/agent.1"), ["finish interrupted"], "and nothing after it");
    run.apply(Event::SupervisorStarted { pid: 2 });
    assert_eq!(run.act(), ["start a/verify.2", "start b/commit.1"]);
}
