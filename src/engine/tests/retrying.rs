//! What is tried again, from where, and how often.

use super::fixture::{Run, failed, id, retries, step, task};
use crate::engine::{Verdict, next_wakeup, retry_verdict};
use crate::model::{Event, FailureClass as C, TaskState, Timestamp};

/// A run whose task `a` is at its agent, which may be tried again so often.
fn at_its_agent(tries: u32) -> Run {
    let mut run = Run::new(1, true, vec![retries(task("a"), tries)]);
    run.act();
    run.ok("a/branch.1");
    run
}

#[test]
fn a_failure_is_tried_again_where_the_same_request_may_end_differently() {
    for (class, again) in [
        (C::Auth, false),
        (C::RateLimited, true),
        (C::Overloaded, true),
        (C::Quota, false),
        (C::ContextTooLong, false),
        (C::MaxTurns, true),
        (C::PermissionDenied, false),
        (C::Refused, false),
        (C::BadCommand, false),
        (C::Crashed, true),
        (C::Killed, true),
        (C::NoResult, true),
        (C::NoChanges, true),
        (C::VerifyFailed, true),
        (C::SetupFailed, true),
        (C::Timeout, true),
        (C::Idle, true),
        (C::Cancelled, false),
        (C::Interrupted, true),
        (C::Conflict, false),
        (C::EscapedWorktree, false),
        (C::Git, true),
        (C::WorktreeGone, true),
        (C::Internal, false),
    ] {
        let mut run = at_its_agent(1);
        run.end("a/agent.1", failed(class));
        let next = match retry_verdict(&run.state, 0) {
            Verdict::Retry(again) => Some(again.attempt),
            Verdict::GiveUp => None,
        };
        assert_eq!(next, again.then(|| id("a/agent.2")), "{class}");
    }
}

#[test]
fn a_failure_is_tried_again_as_often_as_was_asked_for() {
    for tries in 0..3 {
        let mut run = at_its_agent(tries);
        for n in 1..=tries {
            let next = run.fail(&format!("a/agent.{n}"), C::Crashed);
            assert_eq!(next, [format!("again a/agent.{}", n + 1)]);
            assert_eq!(run.task_state("a"), TaskState::Queued);
            run.later(10);
        }
        let next = run.fail(&format!("a/agent.{}", tries + 1), C::Crashed);
        assert_eq!(next, ["finish failed"], "with {tries} retries");
        assert_eq!(run.task_state("a"), TaskState::Failed);
    }
}

#[test]
fn a_try_waits_for_its_time() {
    let mut run = at_its_agent(1);
    assert_eq!(run.fail("a/agent.1", C::Crashed), ["again a/agent.2"]);
    assert_eq!(next_wakeup(&run.state, Timestamp(0)), Some(Timestamp(10)));
    assert_eq!(run.later(9), [""; 0]);
    assert_eq!(run.later(1), ["start a/agent.2"]);
    assert_eq!(next_wakeup(&run.state, Timestamp(10)), None);
}

#[test]
fn nothing_wakes_a_run_for_a_task_that_was_cancelled() {
    let mut run = at_its_agent(1);
    run.fail("a/agent.1", C::Crashed);
    run.apply(Event::CancelRequested { tasks: vec!["a".into()] });
    assert_eq!(next_wakeup(&run.state, Timestamp(0)), None);
}

#[test]
fn a_failed_test_is_mended_by_the_agent() {
    let mut run = at_its_agent(1);
    run.ok("a/agent.1");
    run.ok("a/commit.1");
    assert_eq!(run.fail("a/verify.1", C::VerifyFailed), ["again a/agent.2"]);
    assert_eq!(run.later(10), ["start a/agent.2"]);
    assert_eq!(run.ok("a/agent.2"), ["start a/commit.2"]);
    assert_eq!(run.ok("a/commit.2"), ["start a/verify.2"]);
    assert_eq!(run.fail("a/verify.2", C::VerifyFailed), ["finish failed"]);
}

#[test]
fn an_agent_that_cannot_apply_mends_nothing() {
    let mut a = retries(task("a"), 1);
    a.steps.insert(3, step("agent2", &["commit"]));
    a.steps[3].skip = Some("no reviewer".into());
    let mut run = Run::new(1, true, vec![a]);
    run.act();
    run.ok("a/branch.1");
    run.ok("a/agent.1");
    assert_eq!(run.ok("a/commit.1"), ["start a/verify.1"]);
    assert_eq!(run.fail("a/verify.1", C::VerifyFailed), ["again a/agent.2"]);
}

#[test]
fn failures_of_the_agent_and_of_its_tests_count_together() {
    let mut run = at_its_agent(1);
    run.fail("a/agent.1", C::Crashed);
    run.later(10);
    run.ok("a/agent.2");
    run.ok("a/commit.1");
    assert_eq!(run.fail("a/verify.1", C::VerifyFailed), ["finish failed"]);
}

#[test]
fn a_failed_commit_does_not_cost_another_agent() {
    let mut a = retries(task("a"), 3);
    a.steps[2].retries = 1;
    let mut run = Run::new(1, true, vec![a]);
    run.act();
    run.ok("a/branch.1");
    run.ok("a/agent.1");
    assert_eq!(run.fail("a/commit.1", C::Git), ["again a/commit.2"]);
    assert_eq!(run.later(10), ["start a/commit.2"]);
    assert_eq!(run.fail("a/commit.2", C::Git), ["finish failed"]);
    assert_eq!(run.retry("a"), ["start a/commit.3"]);
}

#[test]
fn without_its_worktree_a_task_begins_at_its_agent_again() {
    let mut run = at_its_agent(1);
    run.ok("a/agent.1");
    assert_eq!(run.fail("a/commit.1", C::WorktreeGone), ["again a/agent.2"]);
    assert_eq!(run.later(10), ["start a/agent.2"]);
    run.ok("a/agent.2");
    assert_eq!(run.fail("a/commit.2", C::WorktreeGone), ["finish failed"]);
    assert_eq!(run.retry("a"), ["start a/agent.3"]);
    assert_eq!(run.ok("a/agent.3"), ["start a/commit.3"]);
}

#[test]
fn an_edited_prompt_costs_another_agent_even_where_only_the_commit_failed() {
    let mut run = at_its_agent(0);
    run.ok("a/agent.1");
    assert_eq!(run.fail("a/commit.1", C::Git), ["finish failed"]);
    run.apply(Event::RetryRequested {
        tasks: vec!["a".into()],
        onto: None,
        snapshots: std::collections::BTreeMap::new(),
        edited: vec!["a".into()],
    });
    assert_eq!(run.act(), ["start a/agent.2"]);
    run.ok("a/agent.2");
    assert_eq!(run.fail("a/commit.2", C::Git), ["finish failed"]);
    assert_eq!(run.retry("a"), ["start a/commit.3"], "of the text as it was used");
}

#[test]
fn a_failed_set_up_is_tried_again_by_itself() {
    let mut a = task("a");
    let mut setup = step("setup", &["branch"]);
    setup.retries = 1;
    a.steps[1].needs = vec!["setup".into()];
    a.steps.insert(1, setup);
    let mut run = Run::new(1, true, vec![a]);
    run.act();
    run.ok("a/branch.1");
    assert_eq!(run.fail("a/setup.1", C::SetupFailed), ["again a/setup.2"]);
    run.later(10);
    assert_eq!(run.ok("a/setup.2"), ["start a/agent.1"]);
}

#[test]
fn an_attempt_lost_to_a_dead_shim_does_not_count_as_a_failure_but_not_for_ever() {
    let mut run = at_its_agent(0);
    for n in 1..=3 {
        let next = run.fail(&format!("a/agent.{n}"), C::Interrupted);
        assert_eq!(next, [format!("again a/agent.{}", n + 1)]);
        run.later(10);
    }
    assert_eq!(run.fail("a/agent.4", C::Interrupted), ["finish failed"]);
    assert_eq!(run.task_state("a"), TaskState::Interrupted);
}

#[test]
fn more_attempts_lost_than_are_forgiven_cost_a_retry_each() {
    let mut run = at_its_agent(2);
    for n in 1..=5 {
        let class = if n % 2 == 0 { C::Killed } else { C::Interrupted };
        assert_eq!(run.fail(&format!("a/agent.{n}"), class), [format!("again a/agent.{}", n + 1)]);
        run.later(100);
    }
    assert_eq!(run.fail("a/agent.6", C::Killed), ["finish failed"]);
}

#[test]
fn an_attempt_interrupted_on_purpose_starts_again_at_once_and_never_counts() {
    let mut run = at_its_agent(0);
    for n in 1..=9 {
        run.interrupt(&format!("a/agent.{n}"));
        assert_eq!(run.act(), [format!("start a/agent.{}", n + 1)]);
    }
    assert_eq!(run.fail("a/agent.10", C::Interrupted), ["again a/agent.11"], "the first one lost");
}

#[test]
fn a_task_asked_for_again_has_all_its_tries() {
    let mut run = at_its_agent(1);
    run.fail("a/agent.1", C::Crashed);
    run.later(10);
    assert_eq!(run.fail("a/agent.2", C::Crashed), ["finish failed"]);
    assert_eq!(run.retry("a"), ["start a/agent.3"]);
    assert_eq!(run.fail("a/agent.3", C::Crashed), ["again a/agent.4"]);
    run.later(10);
    assert_eq!(run.fail("a/agent.4", C::Crashed), ["finish failed"]);
}

#[test]
fn a_step_is_not_tried_again_while_another_of_its_task_runs() {
    let mut both = task("a");
    both.steps = vec![step("agent1", &[]), step("agent2", &[])].into();
    let mut run = Run::new(2, true, vec![retries(both, 1)]);
    run.act();
    assert_eq!(run.fail("a/agent1.1", C::Crashed), [""; 0]);
    assert_eq!(run.ok("a/agent2.1")[0], "again a/agent1.2");
}

#[test]
fn a_task_that_failed_in_one_step_does_not_wait_for_another() {
    let mut both = task("a");
    both.steps = vec![step("commit1", &[]), step("agent2", &[])].into();
    both.steps[0].retries = 1;
    let mut run = Run::new(2, true, vec![both]);
    run.act();
    run.interrupt("a/agent2.1");
    // It is decided before the next attempt of the other step is.
    run.end("a/commit1.1", failed(C::Git));
    assert_eq!(run.act(), ["again a/commit1.2", "start a/agent2.2"]);
    assert_eq!(run.fail("a/agent2.2", C::Auth), ["finish failed"]);
}

#[test]
fn the_agent_is_told_of_the_failure_that_led_to_it_and_of_no_interruption() {
    let mut run = at_its_agent(2);
    assert_eq!(run.state.previous_failure(0), None);
    run.now += 1;
    run.fail("a/agent.1", C::Crashed);
    assert_eq!(run.state.previous_failure(0).map(|f| f.class), Some(C::Crashed));
    run.later(10);
    run.now += 1;
    run.end("a/agent.2", failed(C::Interrupted));
    assert_eq!(run.state.previous_failure(0), None);
}

#[test]
fn a_lost_verification_is_run_again_and_not_the_agent() {
    let mut run = at_its_agent(3);
    run.ok("a/agent.1");
    run.ok("a/commit.1");
    assert_eq!(run.fail("a/verify.1", C::Interrupted), ["again a/verify.2"]);
    assert_eq!(run.later(10), ["start a/verify.2"]);
    assert_eq!(run.ok("a/verify.2"), ["finish succeeded"]);
}

#[test]
fn a_skipped_step_is_no_way_around_what_it_needs() {
    let mut spec = task("a");
    let mut setup = step("setup", &["branch"]);
    setup.skip = Some("there is nothing to set up".to_owned());
    spec.steps.insert(1, setup);
    spec.steps[2].needs = vec!["setup".into()];
    let mut run = Run::new(1, true, vec![spec]);
    run.act();
    run.succeed("a");
    assert_eq!(run.task_state("a"), TaskState::Succeeded);
    let next = run.retry("a");
    assert_eq!(next, ["start a/branch.2"], "the agent works in what that makes");
}
