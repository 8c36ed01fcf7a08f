//! Breakers, fallbacks, limits and money, as a run lives through them.

use super::fixture::*;
use crate::engine::next_wakeup;
use crate::model::{
    AgentProfile, AttemptEnd, BreakerState, Dialect, Ending, Event, Failure, FailureClass as C,
    OnLimit, Policy, PromptDelivery, RunState, TaskSpec, TaskState, Timestamp, Usage,
};

fn profile(name: &str, fallback: Option<&str>) -> AgentProfile {
    AgentProfile {
        name: name.into(),
        command: vec![name.into(), "--resume".into(), "{session}".into()],
        resume_command: None,
        prompt: PromptDelivery::Stdin,
        output: Dialect::Claude,
        requires_changes: None,
        env: std::collections::BTreeMap::new(),
        model: None,
        fallback: fallback.map(str::to_owned),
        waiting: Vec::new(),
    }
}

fn by(agent: &str, name: &str) -> TaskSpec {
    TaskSpec { agent: agent.into(), ..task(name) }
}

/// Agents `ann`, which falls back to `bob`, and `cat`; their worktrees are made.
fn run(jobs: u32, tasks: Vec<TaskSpec>, policy: Policy) -> Run {
    let mut spec = Run::new(jobs, true, tasks).state.spec;
    spec.policy = policy;
    for one in [profile("ann", Some("bob")), profile("bob", None), profile("cat", None)] {
        spec.agents.insert(one.name.clone(), one);
    }
    let mut run = Run::of(spec);
    for _ in 0..2 {
        let started = run.act();
        for words in started {
            if let Some(branch) = words.strip_prefix("start ").filter(|w| w.contains("/branch")) {
                run.end(branch, Ending::Succeeded);
            }
        }
    }
    run.act();
    run
}

fn limited(until: i64) -> Ending {
    let mut failure = Failure::new(C::RateLimited, "slow down");
    failure.retry_at = Some(Timestamp(until));
    Ending::Failed { failure }
}

fn breaker(run: &Run, name: &str) -> (BreakerState, Option<Timestamp>) {
    let view = run.state.run_view();
    let breaker = view.breakers.into_iter().find(|b| b.name == name).unwrap();
    (breaker.state, breaker.retry_at)
}

#[test]
fn a_limit_is_waited_for_and_costs_no_retry() {
    let tasks = vec![by("cat", "a"), by("cat", "b"), by("bob", "c")];
    let mut run = run(3, tasks, Policy::default());
    run.end("a/agent.1", limited(5_000));
    assert_eq!(run.act(), ["again a/agent.2"]);
    assert_eq!(breaker(&run, "agent:cat"), (BreakerState::Open, Some(Timestamp(5_000))));
    assert_eq!(run.ok("c/agent.1"), ["start c/commit.1"], "another agent goes on");
    run.end("b/agent.1", limited(5_000));
    assert_eq!(run.act(), ["again b/agent.2"]);
    run.ok("c/commit.1");
    assert_eq!(run.ok("c/verify.1"), [""; 0]);
    assert_eq!(next_wakeup(&run.state, Timestamp(0)), Some(Timestamp(5_000)));
    // One on trial, then the others.
    assert_eq!(run.later(5_000), ["start a/agent.2"]);
    assert_eq!(run.ok("a/agent.2"), ["start a/commit.1", "start b/agent.2"]);
    assert_eq!(breaker(&run, "agent:cat"), (BreakerState::Closed, None));
}

#[test]
fn after_a_limit_half_as_many_run_and_one_more_with_each_success() {
    let names = ["a", "b", "c", "d"];
    let mut run = run(4, names.iter().map(|n| by("cat", n)).collect(), Policy::default());
    for name in names {
        run.end(&format!("{name}/agent.1"), limited(1_000));
    }
    run.act();
    assert_eq!(run.state.agents["cat"].at_most, Some(2), "halved once, not once for each");
    assert_eq!(run.later(1_000), ["start a/agent.2"]);
    assert_eq!(
        run.ok("a/agent.2"),
        ["start a/commit.1", "start b/agent.2", "start c/agent.2", "start d/agent.2"]
    );
}

#[test]
fn a_limit_may_also_be_met_by_the_fallback_or_end_the_run() {
    let policy = Policy { on_limit: OnLimit::Fallback, ..Policy::default() };
    let mut run = self::run(1, vec![by("ann", "a")], policy);
    run.end("a/agent.1", limited(5_000));
    assert_eq!(run.act(), ["again a/agent.2", "start a/agent.2"]);
    let view = run.view("a");
    assert_eq!(view.attempts[1].agent.as_deref(), Some("bob"));
    let policy = Policy { on_limit: OnLimit::Stop, ..Policy::default() };
    let mut run = self::run(1, vec![by("ann", "a"), by("ann", "b")], policy);
    run.end("a/agent.1", limited(5_000));
    assert_eq!(run.act(), ["finish failed"]);
    assert_eq!(run.view("b").error.unwrap().class, C::RateLimited);
}

#[test]
fn a_login_that_fails_costs_one_attempt_and_names_the_others() {
    let tasks = vec![
        by("cat", "a"),
        by("cat", "b"),
        after(by("cat", "c"), "b", crate::model::DependencyKind::Declared),
    ];
    let mut run = run(1, tasks, Policy::default());
    assert_eq!(run.fail("a/agent.1", C::Auth), ["finish failed"]);
    for name in ["a", "b"] {
        assert_eq!(run.task_state(name), TaskState::Failed);
        assert_eq!(run.view(name).error.unwrap().class, C::Auth);
    }
    assert!(run.view("b").error.unwrap().message.contains("agent 'cat'"));
    // What waits for one of them is no failure of its own.
    assert_eq!(run.task_state("c"), TaskState::Blocked);
    assert_eq!(run.view("c").blocked_by, ["b"]);
    assert_eq!(run.finished(), Some(RunState::Failed));
    // A person who asks again has mended it, perhaps: one attempt shows.
    run.apply(Event::RetryRequested {
        tasks: vec!["a".into()],
        onto: None,
        snapshots: std::collections::BTreeMap::new(),
        edited: Vec::new(),
    });
    assert_eq!(run.act(), ["start a/agent.2"]);
    assert_eq!(run.fail("a/agent.2", C::Auth), ["finish failed"]);
}

#[test]
fn whoever_waited_for_the_last_task_before_the_login_failed_says_so_once_that_is_done() {
    let declared = crate::model::DependencyKind::Declared;
    let tasks = vec![by("ann", "a"), by("cat", "b"), after(by("cat", "c"), "a", declared)];
    let mut run = run(2, tasks, Policy::default());
    run.fail("b/agent.1", C::Auth);
    assert_eq!(run.task_state("c"), TaskState::Blocked);
    run.ok("a/agent.1");
    run.ok("a/commit.1");
    assert_eq!(run.ok("a/verify.1"), ["finish failed"]);
    assert_eq!(run.task_state("c"), TaskState::Failed);
    assert_eq!(run.view("c").error.unwrap().class, C::Auth);
}

#[test]
fn a_login_that_fails_is_what_a_fallback_is_for() {
    let mut run = run(1, vec![by("ann", "a"), by("ann", "b")], Policy::default());
    assert_eq!(run.fail("a/agent.1", C::Auth), ["again a/agent.2", "start b/agent.1"]);
    assert_eq!(run.view("b").attempts[0].agent.as_deref(), Some("bob"));
    assert_eq!(run.fail("b/agent.1", C::Auth), ["finish failed"], "bob cannot log in either");
    assert_eq!(run.view("a").error.unwrap().class, C::Auth);
}

#[test]
fn failures_of_an_agent_in_a_row_cool_down_and_one_shows_whether_it_works() {
    let names = ["a", "b", "c", "d", "e"];
    let mut run = run(1, names.iter().map(|n| by("cat", n)).collect(), Policy::default());
    for name in ["a", "b", "c"] {
        run.fail(&format!("{name}/agent.1"), C::Overloaded);
        if name != "c" {
            let next = if name == "a" { "b" } else { "c" };
            if run.state.position(&next.into()).is_some() {
                run.end(&format!("{next}/branch.1"), Ending::Succeeded);
                run.act();
            }
        }
    }
    assert_eq!(breaker(&run, "agent:cat"), (BreakerState::Open, Some(Timestamp(300_000))));
    assert_eq!(run.later(299_999), [""; 0]);
}

#[test]
fn a_failed_verification_goes_on_in_its_worktree_and_session() {
    let mut run = run(1, vec![retries(by("cat", "a"), 1)], Policy::default());
    let mut end = AttemptEnd::of(Ending::Succeeded);
    end.usage = Usage { session: Some("s-1".into()), ..Usage::default() };
    run.apply(Event::AttemptEnded { attempt: id("a/agent.1"), end: Box::new(end) });
    run.act();
    run.ok("a/commit.1");
    run.fail("a/verify.1", C::VerifyFailed);
    let step = run.state.tasks[0].steps[1].clone();
    assert!(step.next.keep);
    assert_eq!(step.next.session.as_deref(), Some("s-1"));
    run.later(10);
    assert!(run.state.attempt(&id("a/agent.2")).unwrap().beginning.keep);
}

#[test]
fn a_lost_attempt_goes_on_with_its_session_or_starts_afresh() {
    for session in [Some("s-1"), None] {
        let mut run = run(1, vec![by("cat", "a")], Policy::default());
        let mut end = AttemptEnd::of(failed(C::Interrupted));
        end.usage.session = session.map(str::to_owned);
        run.apply(Event::AttemptEnded { attempt: id("a/agent.1"), end: Box::new(end) });
        assert_eq!(run.act(), ["again a/agent.2"]);
        let next = &run.state.tasks[0].steps[1].next;
        assert_eq!((next.keep, next.session.as_deref()), (session.is_some(), session));
    }
}

#[test]
fn a_stall_is_handed_to_the_fallback() {
    let mut run = run(1, vec![retries(by("ann", "a"), 1)], Policy::default());
    run.fail("a/agent.1", C::Idle);
    assert_eq!(run.state.tasks[0].steps[1].next.agent.as_deref(), Some("bob"));
}

#[test]
fn a_backup_agent_takes_over_a_stall_once_whatever_the_retries() {
    let mut run = run(1, vec![by("ann", "a")], Policy::default());
    assert_eq!(run.fail("a/agent.1", C::Idle), ["again a/agent.2", "start a/agent.2"]);
    assert_eq!(run.view("a").attempts.last().unwrap().agent.as_deref(), Some("bob"));
    assert_eq!(run.fail("a/agent.2", C::Idle), ["finish failed"]);
}

#[test]
fn a_service_without_room_is_waited_for_though_it_does_not_say_how_long() {
    for class in [C::RateLimited, C::Overloaded] {
        let mut run = run(1, vec![by("cat", "a")], Policy::default());
        for n in 1..=20 {
            let next = format!("again a/agent.{}", n + 1);
            assert_eq!(run.fail(&format!("a/agent.{n}"), class), [next], "{class:?}");
            run.later(1_000_000_000 * i64::from(n));
        }
        assert_eq!(run.fail("a/agent.21", class), ["finish failed"], "not for ever");
    }
    let policy = Policy { on_limit: OnLimit::Stop, ..Policy::default() };
    let mut run = run(1, vec![by("cat", "a")], policy);
    assert_eq!(run.fail("a/agent.1", C::RateLimited), ["finish failed"]);
}

#[test]
fn a_limit_that_should_have_lifted_just_now_is_waited_for_a_little_longer() {
    let mut run = run(1, vec![by("cat", "a"), by("cat", "b")], Policy::default());
    run.later(1_000_000);
    run.end("a/agent.1", limited(999_000));
    assert_eq!(run.act(), ["again a/agent.2"]);
    assert_eq!(breaker(&run, "agent:cat"), (BreakerState::Open, Some(Timestamp(1_060_000))));
    // One that lifted long ago is no reason to wait.
    let quota = |until| {
        let mut failure = Failure::new(C::Quota, "no credit");
        failure.retry_at = Some(Timestamp(until));
        Ending::Failed { failure }
    };
    let mut run = self::run(1, vec![by("cat", "a")], Policy::default());
    run.later(1_000_000);
    run.end("a/agent.1", quota(300_000));
    assert_eq!(run.act(), ["finish failed"]);
}

#[test]
fn what_somebody_killed_goes_on_with_its_session_and_counts_for_nothing() {
    let mut run = run(1, vec![by("cat", "a")], Policy::default());
    for n in 1..=3 {
        let mut end = AttemptEnd::failed(Failure::new(C::Killed, "by signal 9"));
        end.usage.session = Some("s1".into());
        run.apply(Event::AttemptEnded { attempt: id(&format!("a/agent.{n}")), end: Box::new(end) });
        assert_eq!(run.act(), [format!("again a/agent.{}", n + 1)]);
        let next = &run.state.tasks[0].steps[1].next;
        assert_eq!((next.session.as_deref(), next.keep), (Some("s1"), true));
        run.later(1_000_000 * i64::from(n));
    }
    assert_eq!(run.fail("a/agent.4", C::Killed), ["finish failed"], "not for ever");
}

fn costs(run: &mut Run, attempt: &str, dollars: f64) -> Vec<String> {
    let mut end = AttemptEnd::of(Ending::Succeeded);
    end.usage.cost_usd = Some(dollars);
    run.apply(Event::AttemptEnded { attempt: id(attempt), end: Box::new(end) });
    run.act()
}

#[test]
fn money_is_not_spent_that_is_not_there() {
    let policy = Policy { max_cost_usd: Some(2.5), ..Policy::default() };
    let tasks = ["a", "b", "c", "d"].iter().map(|n| by("cat", n)).collect();
    let mut run = run(4, tasks, policy);
    assert_eq!(run.state.agents["cat"].running, 1, "what it costs is not known yet");
    let started = costs(&mut run, "a/agent.1", 1.0);
    let agents = started.iter().filter(|words| words.contains("/agent")).count();
    assert_eq!(agents, 1, "a third might cost more than there is: {started:?}");
    run.ok("a/commit.1");
    run.ok("a/verify.1");
    costs(&mut run, "b/agent.1", 1.0);
    run.ok("b/commit.1");
    assert_eq!(run.ok("b/verify.1"), ["finish failed"]);
    for name in ["c", "d"] {
        assert_eq!(run.task_state(name), TaskState::Failed);
        assert_eq!(run.view(name).error.unwrap().class, C::Budget);
    }
    run.apply(Event::BudgetRequested { max_cost_usd: Some(10.0) });
    run.apply(Event::RetryRequested {
        tasks: vec!["c".into()],
        onto: None,
        snapshots: std::collections::BTreeMap::new(),
        edited: Vec::new(),
    });
    assert!(!run.act().is_empty());
}

#[test]
fn what_can_never_be_is_named() {
    use crate::model::DependencyKind::Declared;
    let tasks = vec![task("a"), after(task("b"), "a", Declared), after(task("c"), "b", Declared)];
    let mut run = Run::new(1, true, tasks);
    run.act();
    run.ok("a/branch.1");
    assert_eq!(run.fail("a/agent.1", C::Refused), ["finish failed"]);
    assert_eq!(run.view("c").blocked_by, ["a", "b"]);
    assert_eq!(run.view("b").blocked_by, ["a"]);
    // No plan has a circle; if one did, the run would be over at once and say so.
    let circle = vec![after(task("a"), "b", Declared), after(task("b"), "a", Declared)];
    let mut run = Run::new(1, true, circle);
    assert_eq!(run.act(), ["finish failed"]);
    assert_eq!(run.view("a").blocked_by, ["a", "b"]);
}

#[test]
fn what_waits_for_a_limit_names_the_agent_unless_another_takes_over() {
    let waited_for = |agent: &str, on_limit| {
        let policy = Policy { on_limit, ..Policy::default() };
        let mut run = run(1, vec![by(agent, "a"), by(agent, "b")], policy);
        run.end("a/agent.1", limited(5_000));
        run.act();
        let standings = run.state.standings();
        let names = run.state.agents_waited_for(&standings, Timestamp(run.now));
        let names: Vec<_> = names.into_iter().map(|(name, at)| (name.to_owned(), at.0)).collect();
        let lifted = run.state.agents_waited_for(&standings, Timestamp(5_000));
        assert!(lifted.is_empty(), "{lifted:?}");
        names
    };
    assert_eq!(waited_for("cat", OnLimit::Wait), [("cat".to_owned(), 5_000)]);
    assert_eq!(waited_for("ann", OnLimit::Wait), [("ann".to_owned(), 5_000)]);
    assert_eq!(waited_for("ann", OnLimit::Fallback), []);
}

#[test]
fn a_task_that_may_cost_no_more_says_so_beside_what_failed() {
    let policy = Policy { max_task_cost_usd: Some(1.0), ..Policy::default() };
    let mut run = run(1, vec![retries(by("cat", "a"), 3)], policy);
    costs(&mut run, "a/agent.1", 0.75);
    run.ok("a/commit.1");
    assert_eq!(run.fail("a/verify.1", C::VerifyFailed), ["finish failed"]);
    let error = run.view("a").error.unwrap();
    assert_eq!(error.class, C::VerifyFailed);
    let hint = error.suggestion.unwrap();
    assert!(hint.starts_with("not tried again: the task has cost $0.75 of $1.00"), "{hint}");
    let budget = run.state.task_budget(0).unwrap();
    assert_eq!((budget.spent_usd, budget.max_usd), (0.75, 1.0));
}
