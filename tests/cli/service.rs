//! Without a terminal: in the background, and as a service of the system.

use crate::support::{Sandbox, wait_until};
use nix::sys::signal::Signal;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const WORKS: &str = "started\nwait_for go\necho done > done.txt";

/// `sh -c SCRIPT` in the sandbox; `$0` is the program and `$@` what is behind `orch`.
fn sh(sandbox: &Sandbox, script: &str, arguments: &str) -> Command {
    let orch = sandbox.command(arguments);
    let mut sh = Command::new("sh");
    sandbox.furnish(&mut sh).args(["-c", script]).arg(orch.get_program()).args(orch.get_args());
    sh.stdin(Stdio::null());
    sh
}

#[test]
fn a_detached_run_survives_the_end_of_its_terminal() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], WORKS);
    // As a terminal that is closed does it: SIGHUP to everything that was started there.
    let mut terminal = sh(&sandbox, "\"$0\" \"$@\"; kill -HUP 0", "execute --detach --all-prompts");
    terminal.process_group(0);
    let said = Sandbox::finish(terminal).exits(128 + Signal::SIGHUP as i32);
    let run = said.stdout.trim();
    assert!(run.starts_with("run-") && !run.contains('\n'), "{run}");
    assert!(
        said.stderr.contains("orch attach") && said.stderr.contains("supervisor.log"),
        "{}",
        said.stderr
    );
    sandbox.wait_for_start("a");
    let status = sandbox.status();
    assert_eq!(status["run"]["id"], run);
    assert_eq!(status["run"]["supervisor"]["alive"], true, "{status}");
    let attached = sandbox.start("attach a");
    sandbox.open("go");
    attached.finish().exits(0);
    wait_until("the run is over", || sandbox.status()["run"]["state"] == "succeeded");
    sandbox.nothing_is_left_behind();
}

#[test]
fn closed_standard_streams_are_no_hindrance() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.task("b", &[], "exit 1");
    let closed = |arguments| sh(&sandbox, "exec \"$0\" \"$@\" <&- >&- 2>&-", arguments);
    Sandbox::finish(closed("execute --parallel --all-prompts")).exits(1);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
    assert_eq!(sandbox.status_of("b")["state"], "failed");
    // No agent was given a file of the run's as its standard output by mistake.
    Sandbox::finish(closed("retry b")).exits(1);
    assert_eq!(sandbox.attempts_of("b"), 2);
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_service_that_is_stopped_drains_and_goes_on_when_it_is_started_again() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], WORKS);
    sandbox.task("b", &[], "echo b > b.txt");
    let service = sandbox.start("execute --parallel --jobs 1 --all-prompts --format ndjson");
    sandbox.wait_for_start("a");
    service.signal(Signal::SIGTERM);
    service.wait_for_output("drain_requested");
    sandbox.open("go");
    service.finish().exits(130);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
    assert_eq!(sandbox.attempts_of("b"), 0);
    sandbox.orch("resume --format ndjson").exits(0);
    assert_eq!(sandbox.attempts_of("a"), 1);
    assert_eq!(sandbox.status_of("b")["state"], "succeeded");
}

#[test]
fn a_service_that_must_stop_now_ends_its_agents_and_keeps_their_work() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo half > half.txt\nstarted\nwait_for go\necho done > done.txt");
    let service = sandbox.start("execute --all-prompts --format ndjson");
    sandbox.wait_for_start("a");
    // As the unit in contrib/ does it: the request to drain, then systemd's own signal.
    service.signal(Signal::SIGINT);
    service.signal(Signal::SIGTERM);
    service.finish().exits(130);
    sandbox.nothing_is_left_behind();
    assert_eq!(sandbox.status_of("a")["state"], "interrupted");
    assert!(sandbox.orch("diff a --snapshot").exits(0).stdout.contains("+half"));
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
}
