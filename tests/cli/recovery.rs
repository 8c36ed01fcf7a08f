//! Killed at the worst moment: nothing lost, nothing done twice, nothing left behind.

use crate::support::{Running, Sandbox, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Works until the gate `go` opens, with a tool in a session of its own as real agents have.
const PATIENT: &str =
    "setsid sleep 1000 > /dev/null 2>&1 &\nstarted\nwait_for go\necho done > done.txt";

/// A run of `a`, `b` and, waiting for both, `c`; `a` and `b` are at work.
fn under_way(sandbox: &Sandbox) -> Running {
    sandbox.task("a", &[], PATIENT);
    sandbox.task("b", &[], PATIENT);
    sandbox.task("c", &["depends_on: [a, b]"], "echo c > c.txt");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("a");
    sandbox.wait_for_start("b");
    run
}

fn alive(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None).is_ok()
}

fn kill_supervisor(run: Running) {
    run.signal(Signal::SIGKILL);
    assert_eq!(run.finish().code, 128 + Signal::SIGKILL as i32);
}

fn each_ran_once(sandbox: &Sandbox) {
    for name in ["a", "b", "c"] {
        let status = sandbox.status_of(name);
        assert_eq!(status["state"], "succeeded", "{status}");
        assert_eq!(sandbox.attempts_of(name), 1, "{name}");
    }
    assert_eq!(sandbox.show(&sandbox.branch_of("a"), "done.txt"), "done");
    assert_eq!(sandbox.show(&sandbox.branch_of("c"), "done.txt"), "done");
    assert_eq!(sandbox.task_branches().len(), 3);
    sandbox.nothing_is_left_behind();
}

#[test]
fn agents_survive_their_supervisor_and_are_adopted() {
    let sandbox = Sandbox::new();
    let run = under_way(&sandbox);
    kill_supervisor(run);
    assert!(sandbox.attempts().iter().all(|a| alive(a.pid)), "an agent died with the supervisor");
    let resumed = sandbox.start("resume");
    wait_until("the run has a supervisor", || {
        sandbox.status()["run"]["supervisor"]["alive"] == true
    });
    sandbox.open("go");
    resumed.finish().exits(0);
    each_ran_once(&sandbox);
}

#[test]
fn nothing_starts_beside_agents_that_nobody_looks_after() {
    let sandbox = Sandbox::new();
    kill_supervisor(under_way(&sandbox));
    sandbox.task("other", &[], "echo other > other.txt");
    sandbox
        .orch("execute --tasks prompts/other.md")
        .exits(4)
        .complains("still at work")
        .complains("orch resume");
    assert_eq!(sandbox.attempts_of("other"), 0);
    sandbox.orch("cancel --all").exits(0);
    sandbox.no_process_is_left();
    sandbox.orch("execute --tasks prompts/other.md").exits(0);
}

#[test]
fn what_ended_while_nobody_watched_is_recorded() {
    let sandbox = Sandbox::new();
    let run = under_way(&sandbox);
    kill_supervisor(run);
    sandbox.open("go");
    sandbox.no_process_is_left();
    sandbox.orch("resume").exits(0);
    each_ran_once(&sandbox);
}

#[test]
fn a_supervisor_may_die_any_number_of_times() {
    let sandbox = Sandbox::new();
    let mut run = under_way(&sandbox);
    for _ in 0..3 {
        kill_supervisor(run);
        run = sandbox.start("resume");
        let pid = run.pid();
        wait_until("the next one is at work", || {
            sandbox.status()["run"]["supervisor"]["pid"] == pid
        });
    }
    sandbox.open("go");
    run.finish().exits(0);
    each_ran_once(&sandbox);
}

#[test]
fn cancel_ends_the_agents_when_no_supervisor_lives() {
    let sandbox = Sandbox::new();
    let run = under_way(&sandbox);
    kill_supervisor(run);
    sandbox.orch("cancel --all").exits(0);
    sandbox.nothing_is_left_behind();
    let status = sandbox.status();
    assert_eq!(status["run"]["state"], "cancelled", "{status}");
    assert_eq!(sandbox.status_of("a")["state"], "cancelled");
}

#[test]
fn cancel_reaches_a_live_supervisor() {
    let sandbox = Sandbox::new();
    let run = under_way(&sandbox);
    sandbox.orch("cancel a").exits(0);
    wait_until("a is cancelled", || sandbox.status_of("a")["state"] == "cancelled");
    assert_eq!(sandbox.status_of("b")["state"], "running");
    sandbox.open("go");
    run.finish().exits(1);
    assert_eq!(sandbox.status_of("b")["state"], "succeeded");
    assert_eq!(sandbox.attempts_of("c"), 0);
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_killed_shim_takes_its_agent_along() {
    let sandbox = Sandbox::new();
    // Were it tried again, the second attempt would end at once.
    sandbox.task("a", &[], &format!("[ $ORCH_ATTEMPT = 1 ] || exit 0\n{PATIENT}"));
    let run = sandbox.start("execute --json --tasks prompts/a.md");
    sandbox.wait_for_start("a");
    let agent = sandbox.attempts()[0].pid;
    assert!(alive(agent));
    kill(sandbox.shim_of("a"), Signal::SIGKILL).unwrap();
    wait_until("the agent is gone", || !alive(agent));
    run.finish();
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_shim_killed_after_its_supervisor_leaves_nothing_to_adopt() {
    let sandbox = Sandbox::new();
    sandbox.task(
        "a",
        &[],
        &format!("[ -e $SANDBOX/gates/go ] || {{ {PATIENT}; }}; echo again > a.txt"),
    );
    let run = sandbox.start("execute --tasks prompts/a.md");
    sandbox.wait_for_start("a");
    let shim = sandbox.shim_of("a");
    kill_supervisor(run);
    kill(shim, Signal::SIGKILL).unwrap();
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.show(&sandbox.branch_of("a"), "a.txt"), "again");
    sandbox.nothing_is_left_behind();
}

#[test]
fn what_takes_the_supervisor_down_each_time_is_not_started_for_ever() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started; exec sleep 1000");
    sandbox.task("b", &["depends_on: [a]"], "echo b > b.txt");
    let mut run = sandbox.start("execute --all-prompts");
    for lost in 1..=4_usize {
        let shim_now = || sandbox.status_of("a")["attempts"][lost - 1]["pid"].as_i64();
        wait_until("a is at work", || sandbox.attempts_of("a") == lost && shim_now().is_some());
        let shim = Pid::from_raw(i32::try_from(shim_now().unwrap()).unwrap());
        kill_supervisor(run);
        kill(shim, Signal::SIGKILL).unwrap();
        run = sandbox.start("resume");
    }
    run.finish().exits(1);
    assert_eq!(sandbox.attempts_of("a"), 4, "three are forgiven");
    let task = sandbox.status_of("a");
    assert_eq!(
        (&task["state"], &task["error"]["class"]),
        (&"interrupted".into(), &"interrupted".into())
    );
    assert_eq!(sandbox.status_of("b")["blocked_by"], serde_json::json!(["a"]));
    let result = result_of(&sandbox, &task, 4);
    assert_eq!((&result["lost"], &result["error"]["class"]), (&true.into(), &"interrupted".into()));
    let context = &result["error"]["context"];
    assert_eq!(
        (&context["phase"], &context["found_later"]),
        (&"implementation".into(), &true.into())
    );
    sandbox.nothing_is_left_behind();
}

/// The `result.json` of an attempt at the task's agent.
fn result_of(sandbox: &Sandbox, task: &serde_json::Value, attempt: u32) -> serde_json::Value {
    let (run, id) = (sandbox.status(), task["id"].as_str().unwrap());
    let run = run["run"]["id"].as_str().unwrap();
    let path = format!(".git/orch/runs/{run}/{id}/implement.{attempt}/result.json");
    serde_json::from_str(&sandbox.read(&path)).unwrap()
}

#[test]
fn a_result_says_why_the_attempt_failed() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "exit 3");
    sandbox.orch("execute --all-prompts").exits(1);
    let task = sandbox.status_of("a");
    let result = result_of(&sandbox, &task, 1);
    assert_eq!(result["exit"]["code"], 3, "{result}");
    assert_eq!(result["error"], task["error"], "the same everywhere");
    assert_eq!(result["error"]["context"]["phase"], "implementation");
    assert!(result["error"]["context"]["load"].is_number(), "{result}");
}

#[test]
fn a_worktree_that_a_person_removed_is_made_again_or_not_needed() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started; wait_for go; echo a > a.txt");
    let run = sandbox.start("execute --all-prompts");
    sandbox.wait_for_start("a");
    let (shim, worktree) = (sandbox.shim_of("a"), sandbox.worktree_of("a"));
    kill_supervisor(run);
    kill(shim, Signal::SIGKILL).unwrap();
    wait_until("the agent is gone", || {
        std::fs::remove_dir_all(&worktree).is_ok() && !worktree.exists()
    });
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    std::fs::remove_dir_all(&worktree).unwrap();
    sandbox.orch("merge").exits(0);
    assert_eq!(sandbox.show("main", "a.txt"), "a");
    sandbox.orch("clean").exits(0);
    assert_eq!(sandbox.task_branches(), Vec::<String>::new());
}

#[test]
fn interrupted_once_it_lets_what_runs_finish() {
    let sandbox = Sandbox::new();
    let run = under_way(&sandbox);
    let before = run.stderr_so_far();
    run.signal(Signal::SIGINT);
    wait_until("it said what it does", || run.stderr_so_far() != before);
    sandbox.open("go");
    run.finish().exits(130);
    sandbox.nothing_is_left_behind();
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
    assert_eq!(sandbox.attempts_of("c"), 0);
    sandbox.orch("resume").exits(0);
    each_ran_once(&sandbox);
}

#[test]
fn interrupted_twice_it_ends_what_runs() {
    let sandbox = Sandbox::new();
    let run = under_way(&sandbox);
    let before = run.stderr_so_far();
    run.signal(Signal::SIGINT);
    wait_until("it said what it does", || run.stderr_so_far() != before);
    run.signal(Signal::SIGINT);
    run.finish().exits(130);
    sandbox.nothing_is_left_behind();
    // And nothing of it is in the way of going on.
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    for name in ["a", "b", "c"] {
        assert_eq!(sandbox.status_of(name)["state"], "succeeded", "{name}");
    }
}

#[test]
fn two_supervisors_do_not_share_a_repository() {
    let sandbox = Sandbox::new();
    let run = under_way(&sandbox);
    sandbox.task("late", &[], "echo late > late.txt");
    sandbox.orch("execute --tasks prompts/late.md").exits(4);
    assert_eq!(sandbox.attempts_of("late"), 0);
    sandbox.orch("resume").exits(4);
    sandbox.open("go");
    run.finish().exits(0);
    each_ran_once(&sandbox);
}

#[test]
fn retry_runs_what_failed_and_only_that() {
    let sandbox = Sandbox::new();
    sandbox.task("good", &[], "echo good > good.txt");
    sandbox.task("bad", &[], "[ -e $SANDBOX/gates/fixed ]; echo better > bad.txt");
    sandbox.task("next", &["depends_on: [bad]"], "cat bad.txt > next.txt");
    sandbox.orch("execute --parallel --all-prompts").exits(1);
    sandbox.open("fixed");
    sandbox.orch("retry bad").exits(0);
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.show(&sandbox.branch_of("next"), "next.txt"), "better");
    assert_eq!(sandbox.attempts_of("good"), 1);
    assert_eq!(sandbox.attempts_of("bad"), 2);
    assert_eq!(sandbox.status()["run"]["state"], "succeeded");
}

#[test]
fn a_task_whose_agent_removed_its_worktree_is_done_by_a_retry() {
    for remove in ["cd / && rm -rf \"$ORCH_WORKTREE\"", "rm .git"] {
        let sandbox = Sandbox::new();
        sandbox.task("a", &[], &format!("echo a > a.txt; [ -e ../../mended ] || {{ {remove}; }}"));
        sandbox.orch("execute --tasks prompts/a.md").exits(1);
        let failed = sandbox.status_of("a");
        assert_eq!(failed["error"]["class"], "worktree_gone", "{failed}");
        sandbox.write("mended", "");
        sandbox.orch("retry a").exits(0);
        assert_eq!(sandbox.show(&sandbox.branch_of("a"), "a.txt"), "a");
        assert_eq!(sandbox.attempts_of("a"), 2);
        sandbox.nothing_is_left_behind();
    }
}
