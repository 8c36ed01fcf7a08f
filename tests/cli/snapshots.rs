//! Work in progress is kept while an agent is at it, shown, and gone on from.

use crate::support::{Sandbox, wait_until};
use nix::sys::signal::Signal;

const FAILS: &str =
    "echo half > half.txt\necho more >> src/count.txt\nstarted\nwait_for go\nexit 1";

/// How often, at most: here it is waited for.
const OFTEN: &str = "[worktrees]\nsnapshots = \"0.1s\"";

fn refs(sandbox: &Sandbox) -> String {
    sandbox.git(["for-each-ref", "--format=%(refname)", "refs/orch/snapshots", "refs/orch/retries"])
}

#[test]
fn what_an_agent_is_at_is_kept_while_it_runs() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], FAILS);
    sandbox.config(OFTEN);
    let run = sandbox.start("execute --all-prompts");
    sandbox.wait_for_start("a");
    wait_until("a snapshot is kept", || !refs(&sandbox).is_empty());
    let shown = sandbox.orch("diff a --snapshot").exits(0).stdout;
    assert!(shown.contains("+half") && shown.contains("+more"), "{shown}");
    let status = sandbox.orch("status a --json").exits(0).json();
    assert_eq!(status["snapshot"]["files"], 2, "{status}");
    // Nothing of it is on the branch or in the worktree's index.
    let worktree = sandbox.worktree_of("a");
    assert_eq!(sandbox.git_in(&worktree, ["diff", "--cached", "--name-only"]), "");
    run.signal(Signal::SIGKILL);
    run.finish();
    sandbox.open("go");
    sandbox.no_process_is_left();
    assert!(sandbox.orch("diff a --snapshot").exits(0).stdout.contains("+half"));
}

#[test]
fn a_retry_goes_on_from_the_snapshot_of_a_failed_attempt() {
    let sandbox = Sandbox::new();
    sandbox.task(
        "a",
        &[],
        &format!("if [ -e half.txt ]; then echo whole > whole.txt; exit; fi\n{FAILS}"),
    );
    sandbox.open("go");
    sandbox.orch("execute --all-prompts").exits(1);
    let shown = sandbox.orch("status a").exits(0).stdout;
    assert!(shown.contains("snapshot") && shown.contains("2 files"), "{shown}");
    sandbox.orch("retry a --from-snapshot").exits(0);
    let branch = sandbox.branch_of("a");
    assert_eq!(sandbox.show(&branch, "whole.txt"), "whole");
    assert_eq!(sandbox.show(&branch, "half.txt"), "half");
    assert!(sandbox.show(&branch, "src/count.txt").ends_with("more"));
    // Landed, it is let go of.
    sandbox.orch("merge").exits(0);
    assert_ne!(refs(&sandbox), "");
    sandbox.orch("clean").exits(0);
    assert_eq!(refs(&sandbox), "");
}

#[test]
fn a_cancelled_and_a_lost_attempt_leave_a_snapshot() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], FAILS);
    sandbox.task("b", &[], FAILS);
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("a");
    sandbox.wait_for_start("b");
    sandbox.orch("cancel a").exits(0);
    wait_until("a is cancelled", || sandbox.status_of("a")["state"] == "cancelled");
    assert!(sandbox.orch("diff a --snapshot --name-only").exits(0).stdout.contains("half.txt"));
    // Both die: nothing but a look at the worktree tells what b had done.
    run.signal(Signal::SIGKILL);
    run.finish();
    let shim = sandbox.status_of("b")["attempts"][0]["pid"].as_i64().unwrap();
    let shim = nix::unistd::Pid::from_raw(i32::try_from(shim).unwrap());
    nix::sys::signal::kill(shim, Signal::SIGKILL).unwrap();
    sandbox.no_process_is_left();
    sandbox.orch("cancel b").exits(0);
    assert!(sandbox.orch("diff b --snapshot --name-only").exits(0).stdout.contains("half.txt"));
}

#[test]
fn a_request_for_a_snapshot_survives_the_supervisor() {
    let sandbox = Sandbox::new();
    let again = "if [ -e half.txt ]; then cat half.txt > whole.txt; exit; fi";
    sandbox.task("a", &[], &format!("{again}\necho half > half.txt\nexit 1"));
    sandbox.task("b", &[], "started\nwait_for go\necho b > b.txt");
    let run = sandbox.start("execute --parallel --jobs 1 --all-prompts");
    sandbox.wait_for_start("b");
    wait_until("a failed", || sandbox.status_of("a")["state"] == "failed");
    run.signal(Signal::SIGSTOP);
    sandbox.orch("retry a --from-snapshot").exits(0);
    run.signal(Signal::SIGKILL);
    run.finish();
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.show(&sandbox.branch_of("a"), "whole.txt"), "half");
}

#[test]
fn without_a_snapshot_it_is_said() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "exit 1");
    sandbox.task("b", &[], "echo b > b.txt");
    sandbox.orch("execute --all-prompts").exits(1);
    sandbox.orch("retry a --from-snapshot").exits(2).complains("no snapshot is kept of a");
    sandbox.orch("diff a --snapshot").exits(2).complains("no snapshot is kept of a");
    sandbox.orch("retry b --from-snapshot").exits(2).complains("on its branch");
}
