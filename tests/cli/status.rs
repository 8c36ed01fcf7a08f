//! `orch status`: while a supervisor works, after it ended, after it was killed.

use crate::support::{Sandbox, wait_until};
use nix::sys::signal::Signal;

#[test]
fn it_answers_while_the_run_is_under_way() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started; wait_for go; echo a > a.txt");
    sandbox.task("b", &["depends_on: [a]"], "echo b > b.txt");
    let run = sandbox.start("execute --parallel --all-prompts");
    sandbox.wait_for_start("a");
    // The agent may be faster than the note that it started.
    wait_until("the start is recorded", || !sandbox.status_of("a")["attempts"][0]["pid"].is_null());
    let status = sandbox.status();
    assert_eq!(status["schema"], "orch.status/1");
    assert_eq!(status["run"]["state"], "running");
    assert_eq!(status["run"]["supervisor"]["alive"], true);
    assert_eq!(status["run"]["supervisor"]["pid"], run.pid());
    assert_eq!(status["totals"]["running"], 1);
    let a = sandbox.status_of("a");
    assert_eq!(a["state"], "running");
    assert!(a["attempts"][0]["pid"].as_i64().unwrap() > 1);
    assert!(a["attempts"][0]["finished_at"].is_null());
    assert_eq!(sandbox.status_of("b")["state"], "blocked");
    assert!(sandbox.orch("status").exits(0).stdout.contains('a'));
    sandbox.open("go");
    run.finish().exits(0);
}

#[test]
fn it_answers_after_the_run_and_is_what_execute_printed() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    let printed = sandbox.orch("execute --json --tasks prompts/a.md").exits(0).json();
    let status = sandbox.status();
    assert_eq!(status["run"]["state"], "succeeded");
    assert_eq!(status["run"]["supervisor"]["alive"], false);
    assert!(status["run"]["finished_at"].is_string());
    assert_eq!(status["totals"]["succeeded"], 1);
    assert_eq!(status["tasks"], printed["tasks"]);
    let id = status["run"]["id"].as_str().unwrap();
    assert_eq!(sandbox.orch(&format!("status {id} --json")).exits(0).json(), status);
    assert_eq!(sandbox.orch("status latest --json").exits(0).json(), status);
}

#[test]
fn it_answers_after_the_supervisor_was_killed() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started; wait_for go");
    let run = sandbox.start("execute --tasks prompts/a.md");
    sandbox.wait_for_start("a");
    run.signal(Signal::SIGKILL);
    run.finish();
    let status = sandbox.status();
    assert_eq!(status["run"]["state"], "interrupted");
    assert_eq!(status["run"]["supervisor"]["alive"], false);
    sandbox.orch("cancel --all");
}

#[test]
fn a_detached_run_goes_on_by_itself() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started; wait_for go; echo a > a.txt");
    sandbox.orch("execute --detach --tasks prompts/a.md").exits(0);
    sandbox.wait_for_start("a");
    assert_eq!(sandbox.status()["run"]["supervisor"]["alive"], true);
    sandbox.open("go");
    wait_until("the run succeeded", || sandbox.status()["run"]["state"] == "succeeded");
    assert_eq!(sandbox.show(&sandbox.branch_of("a"), "a.txt"), "a");
    sandbox.nothing_is_left_behind();
}

#[test]
fn without_a_run_there_is_nothing_to_tell() {
    let sandbox = Sandbox::new();
    sandbox.orch("status").exits(2).complains("orch execute");
}

#[test]
fn an_unknown_run_is_wrong_usage() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    sandbox.orch("status run-19990101-000000-0000").exits(2).complains("run-19990101");
}
