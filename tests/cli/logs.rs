//! `orch logs` and `orch diff`.

use crate::support::Sandbox;

#[test]
fn the_raw_log_is_what_the_agent_wrote() {
    let sandbox = Sandbox::new();
    // Invalid UTF-8, a NUL, a long line, and no newline at the end.
    sandbox.task(
        "a",
        &[],
        "printf 'one\\377\\000two\\n'; head -c 200000 /dev/zero | tr '\\0' x; printf end",
    );
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let mut command = sandbox.command("logs a --raw");
    let output = command.output().unwrap().stdout;
    let mut expected = b"one\xff\0two\n".to_vec();
    expected.extend(vec![b'x'; 200_000]);
    expected.extend(b"end");
    assert!(output == expected, "{} bytes instead of {}", output.len(), expected.len());
}

#[test]
fn a_log_has_both_streams() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo to-stdout; echo to-stderr >&2");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let log = sandbox.orch("logs a").exits(0).stdout;
    assert!(log.contains("to-stdout") && log.contains("to-stderr"), "{log}");
}

#[test]
fn a_followed_log_ends_with_its_task() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo before; started; wait_for go; echo after");
    let run = sandbox.start("execute --tasks prompts/a.md");
    sandbox.wait_for_start("a");
    let follow = sandbox.start("logs a -f");
    follow.wait_for_output("before");
    sandbox.open("go");
    let log = follow.finish().exits(0).stdout;
    assert!(log.contains("after"), "{log}");
    run.finish().exits(0);
}

#[test]
fn each_attempt_has_a_log_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo number $ORCH_ATTEMPT; [ $ORCH_ATTEMPT -gt 1 ]");
    sandbox.orch("execute --retries 1 --tasks prompts/a.md").exits(0);
    for number in ["1", "2"] {
        let log = sandbox.orch(&format!("logs a --attempt {number}")).exits(0).stdout;
        assert!(log.contains(&format!("number {number}")), "{log}");
    }
}

#[test]
fn the_diff_is_the_branch_against_its_base() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo five >> src/count.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let diff = sandbox.orch("diff a").exits(0).stdout;
    assert!(diff.contains("+five") && diff.contains("src/count.txt"), "{diff}");
    assert!(!diff.contains("README"), "{diff}");
}

#[test]
fn a_task_is_named_by_id_name_or_unambiguous_prefix() {
    let sandbox = Sandbox::new();
    sandbox.task("alpha", &[], "echo says-alpha");
    sandbox.task("alphabet", &[], "echo says-alphabet");
    sandbox.task("beta", &[], "echo says-beta");
    sandbox.orch("execute --all-prompts").exits(0);
    let id = sandbox.status_of("beta")["id"].as_str().unwrap().to_owned();
    for (name, says) in [
        ("alpha", "says-alpha\n"),
        ("alphab", "says-alphabet"),
        ("b", "says-beta"),
        (&id, "says-beta"),
    ] {
        let log = sandbox.orch(&format!("logs {name}")).exits(0).stdout;
        assert!(log.contains(says), "{name}: {log}");
    }
    sandbox.orch("logs alp").exits(2).complains("alphabet");
    sandbox.orch("logs nobody").exits(2).complains("nobody");
}
