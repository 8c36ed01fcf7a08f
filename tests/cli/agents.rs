//! What counts as done: transcripts of real agents, replayed.

use crate::support::Sandbox;
use serde_json::Value;

const EDIT: &str = "echo 'written by the scripted model' > agent.txt";

/// Runs one replayed agent and returns its task.
fn replayed(dialect: &str, transcript: &str, code: i32, edits: &str) -> (Sandbox, Value) {
    let sandbox = Sandbox::new();
    sandbox.replay("agent", dialect, transcript, code, edits);
    let run = sandbox.orch("execute --json --retries 0 --tasks prompts/agent.md");
    let task = run.json()["tasks"][0].clone();
    let good = task["state"] == "succeeded";
    run.exits(i32::from(!good));
    sandbox.nothing_is_left_behind();
    (sandbox, task)
}

#[track_caller]
fn failed_with(class: &str, task: &Value) {
    assert_eq!(task["state"], "failed", "{task}");
    assert!(task["error"].to_string().contains(class), "not {class}: {}", task["error"]);
}

#[test]
fn claude_that_says_it_is_done_and_shows_it_succeeded() {
    let (sandbox, task) = replayed("claude", "claude-ok-accept", 0, EDIT);
    assert_eq!(task["state"], "succeeded", "{task}");
    let attempt = &task["attempts"][0];
    assert_eq!(attempt["session"], "5cb2ab2e-4caf-4615-a22d-4a932346219b");
    assert!((attempt["cost_usd"].as_f64().unwrap() - 0.012_25).abs() < 1e-9, "{attempt}");
    assert_eq!(attempt["tokens"]["input"], 2001);
    let branch = task["branch"].as_str().unwrap();
    assert_eq!(sandbox.show(branch, "agent.txt"), "written by the scripted model");
}

#[test]
fn claude_that_says_it_is_done_and_shows_nothing_did_not_succeed() {
    let (_sandbox, task) = replayed("claude", "claude-ok-accept", 0, "");
    failed_with("no_changes", &task);
}

#[test]
fn claude_that_exits_with_0_and_no_result_did_not_succeed() {
    let (_sandbox, task) = replayed("claude", "claude-sigint-hang", 0, EDIT);
    failed_with("no_result", &task);
}

#[test]
fn claude_whose_tools_were_denied_did_not_succeed() {
    let (_sandbox, task) = replayed("claude", "claude-bash-noperm", 0, "");
    failed_with("permission_denied", &task);
}

#[test]
fn claude_without_a_valid_key_is_told_to_log_in() {
    let (sandbox, task) = replayed("claude", "claude-401", 1, "");
    failed_with("auth", &task);
    let shown = sandbox.orch("status").stdout;
    assert!(shown.contains("auth"), "{shown}");
}

#[test]
fn claude_at_its_limit_says_when_it_lifts() {
    let (_sandbox, task) = replayed("claude", "claude-limit", 1, "");
    failed_with("quota", &task);
    // 1795264800 in the transcript.
    assert!(task["error"].to_string().contains("2026-11-21"), "{}", task["error"]);
}

#[test]
fn codex_that_completed_its_turn_succeeded() {
    let (_sandbox, task) = replayed("codex", "codex-ok", 0, EDIT);
    assert_eq!(task["state"], "succeeded", "{task}");
    let attempt = &task["attempts"][0];
    assert_eq!(attempt["session"], "01a1fdf2-9b5c-7d12-a19c-d3a87217346c");
    assert_eq!(attempt["tokens"]["output"], 84);
}

#[test]
fn codex_without_a_valid_key_did_not_succeed() {
    let (_sandbox, task) = replayed("codex", "codex-401", 1, "");
    failed_with("auth", &task);
}

#[test]
fn codex_that_never_completed_its_turn_did_not_succeed() {
    let (_sandbox, task) = replayed("codex", "codex-sigint-hang", 0, EDIT);
    failed_with("no_result", &task);
}

#[test]
fn an_agent_that_is_not_installed_is_a_clear_failure() {
    let sandbox = Sandbox::new();
    sandbox.write("orch.toml", "[agents.ghost]\ncommand = [\"/nowhere/ghost\", \"{prompt}\"]\n");
    sandbox.prompt("a", &["agent: ghost"], "# A\n\nText.\n");
    let told = sandbox.orch("execute --tasks prompts/a.md");
    assert!(told.code == 1 || told.code == 2, "{told:?}");
    assert!(format!("{}{}", told.stdout, told.stderr).contains("/nowhere/ghost"), "{told:?}");
}

#[test]
fn shell_runs_the_blocks_in_order_and_stops_at_the_first_failure() {
    let sandbox = Sandbox::new();
    let body = "# Steps\n\n```sh\necho one > steps.txt\n```\n\nThen:\n\n```sh\necho two >> steps.txt\nfalse\necho three >> steps.txt\n```\n\n```sh\necho four >> steps.txt\n```\n";
    sandbox.prompt("a", &["agent: shell"], body);
    sandbox.orch("execute --tasks prompts/a.md").exits(1);
    let steps = std::fs::read_to_string(sandbox.worktree_of("a").join("steps.txt")).unwrap();
    assert_eq!(steps, "one\ntwo\n");
}

#[test]
fn the_prompt_arrives_by_argument_by_stdin_and_by_file() {
    let sandbox = Sandbox::new();
    for (delivery, argument, script) in [
        ("arg", "{prompt}", "printf %s \"$1\" > got.txt; cat >> got.txt"),
        ("stdin", "-", "cat > got.txt"),
        ("file", "{prompt_file}", "cat \"$1\" > got.txt; cat >> got.txt"),
    ] {
        let toml = format!(
            "[agents.{delivery}]\ncommand = [\"/bin/sh\", \"-c\", '''{script}''', \"sh\", \"{argument}\"]\nprompt = \"{delivery}\"\noutput = \"plain\"\n"
        );
        sandbox.config(&toml);
        let front = format!("agent: {delivery}");
        sandbox.prompt(delivery, &[&front], "# Deliver\n\nThe words 'in' \"quotes\" & $HOME.\n");
    }
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    for delivery in ["arg", "stdin", "file"] {
        let got = sandbox.show(&sandbox.branch_of(delivery), "got.txt");
        assert!(got.contains("The words 'in' \"quotes\" & $HOME."), "{delivery}: {got}");
    }
}

#[test]
fn a_run_that_falls_back_says_so() {
    let sandbox = Sandbox::new();
    sandbox.configure("other", "plain", "stdin", "cat > /dev/null; echo x > agent.txt");
    sandbox.replay("agent", "claude", "claude-401", 1, "");
    // It is still in the last agent's section.
    sandbox.config("fallback = \"other\"\n");
    let run = sandbox.orch("execute --tasks prompts/agent.md").exits(0);
    assert!(run.stderr.contains("agent: tried again at once, by other"), "{}", run.stderr);
    assert!(run.stderr.contains("agent: implement (attempt 2) by other"), "{}", run.stderr);
}
