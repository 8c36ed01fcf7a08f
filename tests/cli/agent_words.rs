//! What a run says of an agent: its failure's cause, its own bytes, its time.

use crate::support::Sandbox;

#[test]
fn an_agent_at_its_time_limit_is_reported_with_what_held_it_up() {
    let sandbox = Sandbox::new();
    let stuck = "echo 'API Error: 429 slow down' >&2; exec sleep 1000";
    sandbox.task("stuck", &["timeout: 1s"], stuck);
    let task =
        sandbox.orch("execute --json --tasks prompts/stuck.md").exits(1).json()["tasks"][0].clone();
    let error = task["error"].to_string();
    assert!(error.contains("timeout"), "{error}");
    assert!(error.contains("stopped after its time limit of 1 s"), "{error}");
    assert!(error.contains("its last error was: API Error: 429 slow down"), "{error}");
}

#[test]
fn a_failing_test_of_a_plain_agent_is_tried_again() {
    let sandbox = Sandbox::new();
    let behaviour = "[ $ORCH_ATTEMPT -gt 1 ] || { echo 'AssertionError: got status: 401'; exit 1; }\necho done > done.txt";
    sandbox.task("a", &[], behaviour);
    sandbox.orch("execute --retries 1 --tasks prompts/a.md").exits(0);
    assert_eq!(sandbox.attempts_of("a"), 2);
}

#[test]
fn the_shell_agents_raw_log_is_its_blocks_output() {
    let sandbox = Sandbox::new();
    let body = "# Two blocks\n\n```sh\necho one > one.txt; echo one\n```\n\n```sh\necho two\n```\n";
    sandbox.prompt("blocks", &["agent: shell"], body);
    sandbox.orch("execute --tasks prompts/blocks.md").exits(0);
    assert_eq!(sandbox.orch("logs blocks --raw").exits(0).stdout, "one\ntwo\n");
    let all = sandbox.orch("logs blocks").exits(0).stdout;
    assert!(all.contains("+ block 2 (line "), "{all}");
}

#[test]
fn every_line_of_the_event_stream_has_its_time() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo done > done.txt");
    let lines = sandbox.orch("execute --format ndjson --tasks prompts/a.md").exits(0).ndjson();
    assert!(!lines.is_empty());
    for line in lines {
        assert!(line["at"].is_string(), "{line}");
    }
}

#[test]
fn a_silent_verification_is_not_quoted_with_its_own_command() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &["verify: [\"true\", \"false\"]"], "echo done > done.txt");
    let task =
        sandbox.orch("execute --json --tasks prompts/a.md").exits(1).json()["tasks"][0].clone();
    let error = task["error"].to_string();
    assert!(error.contains("failed with exit code 1"), "{error}");
    assert!(!error.contains("$ "), "{error}");
}
