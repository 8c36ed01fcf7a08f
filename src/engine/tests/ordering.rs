//! What starts, and when.

use super::fixture::{Run, after, step, task};
use crate::model::DependencyKind::{Conflict, Declared, Import};
use crate::model::{FailureClass, TaskState};
use TaskState::{Blocked, Failed, Succeeded};

#[test]
fn steps_run_in_the_order_of_their_needs() {
    let mut run = Run::new(1, true, vec![task("a")]);
    assert_eq!(run.act(), ["start a/branch.1"]);
    assert_eq!(run.ok("a/branch.1"), ["start a/agent.1"]);
    assert_eq!(run.ok("a/agent.1"), ["start a/commit.1"]);
    assert_eq!(run.ok("a/commit.1"), ["start a/verify.1"]);
    assert_eq!(run.ok("a/verify.1"), ["finish succeeded"]);
    assert_eq!(run.task_state("a"), TaskState::Succeeded);
}

#[test]
fn steps_that_need_nothing_of_each_other_run_together() {
    let mut both = task("a");
    both.steps = vec![
        step("branch", &[]),
        step("verify1", &["branch"]),
        step("verify2", &["branch"]),
        step("commit", &["verify1", "verify2"]),
    ]
    .into();
    let mut run = Run::new(2, true, vec![both]);
    run.act();
    assert_eq!(run.ok("a/branch.1"), ["start a/verify1.1", "start a/verify2.1"]);
    assert_eq!(run.ok("a/verify2.1"), [""; 0]);
    assert_eq!(run.ok("a/verify1.1"), ["start a/commit.1"]);
}

#[test]
fn what_cannot_apply_is_skipped_and_holds_nothing_up() {
    let mut a = task("a");
    a.steps[0].skip = Some("no".into());
    a.steps[3].skip = Some("no".into());
    let mut run = Run::new(1, true, vec![a]);
    assert_eq!(run.act(), ["start a/agent.1"]);
    run.ok("a/agent.1");
    assert_eq!(run.ok("a/commit.1"), ["finish succeeded"]);
}

#[test]
fn a_prompt_that_is_done_is_never_started() {
    let mut done = task("a");
    (done.skip, done.steps) = (Some("COMPLETED".into()), Vec::new().into());
    let mut run = Run::new(1, true, vec![done, after(task("b"), "a", Declared)]);
    assert_eq!(run.act(), ["start b/branch.1"]);
    assert_eq!(run.task_state("a"), TaskState::Skipped);
}

#[test]
fn no_more_processes_run_than_there_are_jobs() {
    let mut run = Run::new(2, true, vec![task("a"), task("b"), task("c"), task("d")]);
    run.act();
    run.ok("a/branch.1");
    run.ok("b/branch.1");
    run.ok("c/branch.1");
    assert_eq!(run.ok("d/branch.1"), [""; 0], "two agents run");
    assert_eq!(run.ok("a/agent.1"), ["start a/commit.1", "start c/agent.1"]);
}

#[test]
fn a_task_that_has_begun_goes_before_one_that_has_not() {
    let mut run = Run::new(1, true, vec![task("a"), task("b")]);
    run.act();
    run.ok("a/branch.1");
    run.ok("b/branch.1");
    run.ok("a/agent.1");
    run.now += 1;
    assert_eq!(run.state.open_attempts().count(), 2, "b's agent while a commits");
    assert_eq!(run.ok("a/commit.1"), [""; 0]);
    assert_eq!(run.ok("b/agent.1"), ["start a/verify.1", "start b/commit.1"]);
}

#[test]
fn branches_are_made_ahead_but_no_more_than_there_are_jobs() {
    let mut run = Run::new(2, true, "abcdef".chars().map(|c| task(&c.to_string())).collect());
    assert_eq!(run.act(), ["start a/branch.1", "start b/branch.1"]);
    assert_eq!(run.ok("a/branch.1"), ["start a/agent.1", "start c/branch.1"]);
    assert_eq!(run.ok("b/branch.1"), ["start b/agent.1", "start d/branch.1"]);
    assert_eq!(run.ok("c/branch.1"), [""; 0], "two are ahead already");
}

#[test]
fn a_task_that_waits_for_its_next_try_leaves_its_place_to_others() {
    let tasks = ["a", "b"].map(|name| super::fixture::retries(task(name), 1));
    let mut run = Run::new(1, true, tasks.to_vec());
    run.act();
    run.ok("a/branch.1");
    let next = run.fail("a/agent.1", FailureClass::RateLimited);
    assert!(next.contains(&"again a/agent.2".to_owned()), "{next:?}");
    let b = run.state.attempt(&super::fixture::id("b/branch.1"));
    assert!(b.is_some(), "the slot is free, so b begins");
}

#[test]
fn without_parallel_a_task_ends_before_the_next_begins() {
    let mut run = Run::new(1, false, vec![task("a"), task("b")]);
    assert_eq!(run.act(), ["start a/branch.1"]);
    let next = run.succeed("a");
    assert_eq!(next.last().map(String::as_str), Some("start b/branch.1"), "{next:?}");
    assert_eq!(next.iter().filter(|n| n.contains(" b/")).count(), 1);
}

#[test]
fn without_parallel_a_task_that_waits_for_its_next_try_keeps_its_turn() {
    let mut run = Run::new(1, false, vec![super::fixture::retries(task("a"), 1), task("b")]);
    run.act();
    run.ok("a/branch.1");
    assert_eq!(run.fail("a/agent.1", FailureClass::Crashed), ["again a/agent.2"]);
    assert_eq!(run.later(10), ["start a/agent.2"]);
}

#[test]
fn without_parallel_a_task_asked_for_again_waits_for_its_turn() {
    let mut run = Run::new(1, false, vec![task("a"), task("b")]);
    run.act();
    assert_eq!(run.fail("a/branch.1", FailureClass::Git), ["start b/branch.1"]);
    run.ok("b/branch.1");
    assert_eq!(run.retry("a"), [""; 0]);
    let steps = ["agent", "commit", "verify"];
    let next: Vec<String> = steps.iter().flat_map(|s| run.ok(&format!("b/{s}.1"))).collect();
    assert_eq!(next.last().map(String::as_str), Some("start a/branch.2"));
}

#[test]
fn a_dependent_starts_when_its_prerequisite_has_succeeded() {
    for kind in [Declared, Conflict, Import] {
        let mut run = Run::new(4, true, vec![task("a"), after(task("b"), "a", kind)]);
        assert_eq!(run.act(), ["start a/branch.1"]);
        assert_eq!(run.task_state("b"), TaskState::Blocked);
        assert_eq!(run.view("b").blocked_on, ["a"]);
        let next = run.succeed("a");
        assert_eq!(next.last().map(String::as_str), Some("start b/branch.1"), "{kind}");
    }
}

#[test]
fn only_a_declared_prerequisite_must_have_succeeded() {
    for (kind, next) in
        [(Declared, "finish failed"), (Conflict, "start b/branch.1"), (Import, "start b/branch.1")]
    {
        let mut run = Run::new(4, true, vec![task("a"), after(task("b"), "a", kind)]);
        run.act();
        assert_eq!(run.fail("a/branch.1", FailureClass::Git), [next], "{kind}");
    }
}

#[test]
fn a_failure_holds_back_the_chain_behind_it_and_nothing_else() {
    let b = after(task("b"), "a", Declared);
    let c = after(task("c"), "b", Declared);
    // What only shares files with a task that never starts has nothing to wait for.
    let d = after(task("d"), "c", Conflict);
    let mut run = Run::new(4, true, vec![task("a"), b, c, d, task("e")]);
    assert_eq!(run.act(), ["start a/branch.1", "start e/branch.1"]);
    assert_eq!(run.fail("a/branch.1", FailureClass::Git), ["start d/branch.1"]);
    run.succeed("d");
    assert_eq!(run.succeed("e").last().map(String::as_str), Some("finish failed"));
    let states = ["a", "b", "c", "d", "e"].map(|t| run.task_state(t));
    assert_eq!(states, [Failed, Blocked, Blocked, Succeeded, Succeeded]);
    assert_eq!(
        (run.view("b").blocked_on, run.view("c").blocked_on),
        (vec!["a".into()], vec!["b".into()])
    );
}

#[test]
fn the_work_of_prerequisites_is_what_a_task_starts_from() {
    let mut run = Run::new(4, true, vec![task("a"), after(task("b"), "a", Conflict)]);
    run.act();
    run.ok("a/branch.1");
    run.ok("a/agent.1");
    let mut end = crate::model::AttemptEnd::of(crate::model::Ending::Succeeded);
    end.commit = Some("work".into());
    let attempt = super::fixture::id("a/commit.1");
    run.apply(crate::model::Event::AttemptEnded { attempt, end: Box::new(end) });
    assert_eq!(run.state.start_commits(1), [], "a is not done yet");
    run.act();
    run.ok("a/verify.1");
    assert_eq!(run.state.start_commits(1), [("work".to_owned(), "a".to_owned())]);
}
