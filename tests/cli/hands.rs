//! The operator's hands: pausing, going on, more or fewer jobs, following one task. Every request is in the
//! history before the command returns, so that it finds the supervisor of the day.

use crate::support::{Running, Sandbox, wait_until};
use nix::sys::signal::Signal;

const WORKS: &str =
    "started\necho at work\nwait_for go\necho $ORCH_TASK_NAME > $ORCH_TASK_NAME.txt";

fn run_state(sandbox: &Sandbox) -> String {
    sandbox.status()["run"]["state"].as_str().unwrap().to_owned()
}

fn kill(run: Running) {
    run.signal(Signal::SIGKILL);
    run.finish();
}

/// `a` is at work, `b` and `c` wait for its place.
fn one_of_three(sandbox: &Sandbox) -> Running {
    for name in ["a", "b", "c"] {
        sandbox.task(name, &[], WORKS);
    }
    let run = sandbox.start("execute --parallel --jobs 1 --all-prompts");
    sandbox.wait_for_start("a");
    run
}

#[test]
fn a_paused_run_starts_nothing_until_it_is_resumed() {
    let sandbox = Sandbox::new();
    let run = one_of_three(&sandbox);
    sandbox.orch("pause").exits(0).complains("1 running may finish");
    wait_until("it is paused", || run_state(&sandbox) == "paused");
    assert_eq!(sandbox.status()["run"]["supervisor"]["alive"], true);
    sandbox.orch("pause").exits(0).complains("paused already");
    sandbox.open("go");
    // What was done is committed, and then nothing happens though a place is free.
    let commit = || sandbox.status_of("a")["commit"].as_str().map(str::to_owned);
    let base = sandbox.git(["rev-parse", "main"]);
    wait_until("a is committed", || commit().is_some_and(|oid| oid != base));
    let human = sandbox.orch("status").exits(0).stdout;
    assert!(human.contains("paused (process ") && human.contains("next: orch resume"), "{human}");
    assert_eq!(sandbox.attempts().len(), 1);
    sandbox.orch("resume").exits(0).complains("goes on");
    run.finish().exits(0).complains("paused: what runs may finish");
    assert_eq!(sandbox.attempts().len(), 3);
}

#[test]
fn a_live_run_that_is_not_paused_is_not_resumed() {
    let sandbox = Sandbox::new();
    let run = one_of_three(&sandbox);
    sandbox.orch("resume").exits(4);
    sandbox.open("go");
    run.finish().exits(0);
    sandbox.orch("pause").exits(2).complains("is over (succeeded)");
    sandbox.orch("jobs 2").exits(2).complains("is over (succeeded)");
}

#[test]
fn a_paused_run_whose_supervisor_died_is_taken_over_and_goes_on() {
    let sandbox = Sandbox::new();
    let run = one_of_three(&sandbox);
    sandbox.orch("pause").exits(0);
    wait_until("it is paused", || run_state(&sandbox) == "paused");
    kill(run);
    assert_eq!(run_state(&sandbox), "interrupted");
    sandbox.orch("pause").exits(0).complains("nobody works on");
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.attempts().len(), 3);
}

#[test]
fn more_jobs_start_at_once_and_fewer_end_nobody() {
    let sandbox = Sandbox::new();
    let run = one_of_three(&sandbox);
    sandbox.orch("jobs 3").exits(0).complains("3 jobs");
    sandbox.wait_for_start("b");
    sandbox.wait_for_start("c");
    assert_eq!(sandbox.status()["run"]["jobs"], 3);
    sandbox.orch("jobs 1").exits(0).complains("1 job");
    wait_until("it is told", || run.stderr_so_far().contains("jobs: 1"));
    assert_eq!(sandbox.status()["totals"]["running"], 3);
    sandbox.open("go");
    run.finish().exits(0);
    sandbox.orch("jobs 0").exits(2);
}

#[test]
fn requests_to_a_supervisor_that_dies_hold_for_the_next() {
    let sandbox = Sandbox::new();
    let run = one_of_three(&sandbox);
    // Stopped while it writes to the journal, it would let nobody else.
    wait_until("the start is recorded", || {
        let attempts = sandbox.status_of("a")["attempts"].as_array().cloned().unwrap_or_default();
        attempts.iter().any(|one| one["step"] == "implement" && one["pid"].is_u64())
    });
    // It does not read any more, and then it is gone.
    run.signal(Signal::SIGSTOP);
    sandbox.orch("jobs 2").exits(0);
    sandbox.orch("cancel b").exits(0).complains("asked the running supervisor");
    kill(run);
    let resumed = sandbox.start("resume");
    sandbox.wait_for_start("c");
    assert_eq!(sandbox.status_of("a")["state"], "running");
    sandbox.open("go");
    resumed.finish().exits(1);
    assert_eq!(sandbox.status_of("b")["state"], "cancelled");
    assert_eq!(sandbox.attempts_of("b"), 0);
    // Asked of nobody: whoever takes the run over next does it.
    sandbox.orch("jobs 1").exits(2);
}

#[test]
fn jobs_may_be_asked_for_while_nobody_works_on_the_run() {
    let sandbox = Sandbox::new();
    kill(one_of_three(&sandbox));
    sandbox.orch("jobs 3").exits(0).complains("once it goes on");
    let resumed = sandbox.start("resume");
    sandbox.wait_for_start("b");
    sandbox.wait_for_start("c");
    sandbox.open("go");
    resumed.finish().exits(0);
}

#[test]
fn one_task_after_the_other_has_no_jobs_to_change() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], WORKS);
    let run = sandbox.start("execute --all-prompts");
    sandbox.wait_for_start("a");
    sandbox.orch("jobs 2").exits(2).complains("without --parallel");
    sandbox.open("go");
    run.finish().exits(0);
}

#[test]
fn one_two_or_all_tasks_are_cancelled() {
    let sandbox = Sandbox::new();
    let run = one_of_three(&sandbox);
    sandbox.orch("cancel a b").exits(0);
    sandbox.wait_for_start("c");
    sandbox.orch("cancel --all").exits(0);
    run.finish().exits(1);
    for name in ["a", "b", "c"] {
        assert_eq!(sandbox.status_of(name)["state"], "cancelled");
    }
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_retry_asked_of_a_supervisor_that_dies_is_done_by_the_next() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "[ -e $SANDBOX/gates/mended ] || exit 1\necho a > a.txt");
    sandbox.task("b", &[], WORKS);
    let run = sandbox.start("execute --parallel --jobs 1 --all-prompts");
    sandbox.wait_for_start("b");
    run.signal(Signal::SIGSTOP);
    sandbox.open("mended");
    sandbox.orch("retry a").exits(0);
    kill(run);
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.attempts_of("a"), 2);
    assert_eq!(sandbox.attempts_of("b"), 1);
}

#[test]
fn a_task_is_followed_through_its_steps_to_its_end() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &["verify: [\"echo judged\"]"], WORKS);
    sandbox.task("b", &[], "started\nwait_for late\nexit 3");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("a");
    sandbox.wait_for_start("b");
    let attached = sandbox.start("attach a");
    attached.wait_for_output("at work");
    sandbox.open("go");
    let attached = attached.finish().exits(0).complains("succeeded");
    assert!(attached.stdout.contains("judged"), "{}", attached.stdout);
    assert!(!attached.stderr.contains(" b"), "{}", attached.stderr);

    // Ctrl-C ends the following and nothing else.
    let interrupted = sandbox.start("attach b");
    wait_until("it follows", || interrupted.stderr_so_far().contains("running"));
    interrupted.signal(Signal::SIGINT);
    assert_eq!(interrupted.finish().code, 130);
    assert_eq!(sandbox.status_of("b")["state"], "running");
    let failing = sandbox.start("attach b");
    wait_until("it follows", || failing.stderr_so_far().contains("running"));
    sandbox.open("late");
    failing.finish().exits(1).complains("exited with 3");
    run.finish().exits(1);
    // Of what is over only the end is told.
    let over = sandbox.orch("attach a").exits(0).complains("succeeded");
    assert_eq!((over.stderr.lines().count(), over.stdout.as_str()), (1, ""), "{over:?}");
    sandbox.orch("attach b").exits(1).complains("failed");
}

#[test]
fn whoever_follows_is_told_when_the_supervisor_is_gone() {
    let sandbox = Sandbox::new();
    let run = one_of_three(&sandbox);
    let attached = sandbox.start("attach b");
    wait_until("it follows", || !attached.stderr_so_far().is_empty());
    kill(run);
    attached.finish().exits(130).complains("go on with: orch resume");
}

#[test]
fn a_run_that_waits_for_a_limit_says_until_when() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    // The limit another run of this user met; the agent's program is the account.
    let later = std::time::SystemTime::now() + std::time::Duration::from_hours(3);
    let later = jiff::Timestamp::try_from(later).unwrap();
    let limits = format!(r#"{{"sh":{{"until":"{later}","detail":"5-hour limit reached"}}}}"#);
    let folder = sandbox.root.join("home/.local/state/orch");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("limits.json"), limits).unwrap();
    let run = sandbox.start("execute --all-prompts");
    let at = later.strftime("%H:%M").to_string();
    let text = format!("waiting: agent scripted is limited until {at} (5-hour limit reached)");
    wait_until("it says so", || run.stderr_so_far().contains(&text));
    let shown = sandbox.orch("status").exits(0).stdout;
    assert!(shown.contains(&format!("next attempt at {at}")), "{shown}");
    sandbox.orch("cancel --all").exits(0);
    let told = run.finish().exits(1);
    assert_eq!(told.stderr.matches("waiting:").count(), 1, "{}", told.stderr);
    assert!(!told.stdout.contains("next attempt at"), "{}", told.stdout);
}

#[test]
fn retry_without_a_name_takes_what_failed_and_points_at_earlier_runs() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "[ -e $SANDBOX/gates/mended ] || exit 1\necho a > a.txt");
    sandbox.task("b", &[], "echo b > b.txt");
    sandbox.orch("execute --tasks prompts/b.md").exits(0);
    let first = sandbox.status()["run"]["id"].as_str().unwrap().to_owned();
    sandbox.orch("execute --tasks prompts/a.md").exits(1);
    sandbox.orch("retry b").exits(2).complains(&format!("orch retry b --run {first}"));
    sandbox.open("mended");
    sandbox.orch("retry").exits(0);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
    sandbox.orch("retry").exits(0).complains("nothing to retry");
}

#[test]
fn what_nobody_works_on_is_not_said_to_need_no_retry() {
    let sandbox = Sandbox::new();
    let run = one_of_three(&sandbox);
    kill(run);
    sandbox.orch("retry").exits(1).complains("go on with: orch resume run-");
    sandbox.orch("retry a").exits(2).complains("go on with: orch resume run-");
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    sandbox.orch("retry").exits(0).complains("nothing to retry");
}
