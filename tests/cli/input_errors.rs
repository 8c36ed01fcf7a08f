//! Wrong input: exit code 2, the place, what to do, and nothing was started or created.

use crate::support::{Finished, Sandbox};
use std::fs;
use std::path::Path;

/// Every path below `.git` and `.worktrees`; but for the cache of what is known of files by their content, which is
/// nobody's state and may be deleted at any time.
fn traces(sandbox: &Sandbox) -> Vec<String> {
    fn visit(folder: &Path, into: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            into.push(entry.path().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                visit(&entry.path(), into);
            }
        }
    }
    let mut found = Vec::new();
    visit(&sandbox.repo.join(".git"), &mut found);
    visit(&sandbox.repo.join(".worktrees"), &mut found);
    let orch = sandbox.repo.join(".git/orch").display().to_string();
    found.retain(|path| *path != orch && !path.starts_with(&format!("{orch}/cache.db")));
    found.sort();
    found
}

/// `plan` and `execute` both refuse, alike, and leave no trace.
#[track_caller]
fn refused(sandbox: &Sandbox, tasks: &str) -> Finished {
    let before = traces(sandbox);
    sandbox.orch(&format!("plan {tasks}")).exits(2);
    let told = sandbox.orch(&format!("execute --parallel {tasks}")).exits(2);
    assert_eq!(traces(sandbox), before);
    assert_eq!(told.stdout, "", "an error belongs on standard error");
    told
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let sandbox = Sandbox::new();
    sandbox.prompt("a", &["agent: shell", "depnds_on: [b]"], "# A\n");
    refused(&sandbox, "--tasks prompts/a.md")
        .complains("prompts/a.md:3")
        .complains("depnds_on")
        .complains("depends_on");
}

#[test]
fn the_front_matter_of_another_tool_is_ignored_aloud() {
    let sandbox = Sandbox::new();
    let front = ["change_type: fix", "dependencies: [b]", "references: [src]"];
    sandbox.prompt("a", &front, "# A\n\nText.\n");
    sandbox
        .orch("plan --json --tasks prompts/a.md")
        .exits(0)
        .complains("the front matter of prompts/a.md was written for another tool");
}

#[test]
fn a_bad_value_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    for (line, key) in
        [("timeout: soon", "timeout"), ("retries: many", "retries"), ("files: {a: b}", "files")]
    {
        sandbox.prompt("a", &["agent: claude", line], "# A\n\nText.\n");
        refused(&sandbox, "--tasks prompts/a.md").complains("prompts/a.md:3").complains(key);
    }
}

#[test]
fn broken_front_matter_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.write("prompts/open.md", "---\nagent: shell\n# never closed\n");
    refused(&sandbox, "--tasks prompts/open.md").complains("prompts/open.md:1");
    sandbox.write("prompts/bad.md", "---\nagent: [shell\n---\n# A\n");
    refused(&sandbox, "--tasks prompts/bad.md").complains("prompts/bad.md:");
}

#[test]
fn an_empty_prompt_is_an_error() {
    let sandbox = Sandbox::new();
    for content in ["", "\n \n", "\u{feff}", "---\nagent: shell\n---\n\n"] {
        sandbox.write("prompts/empty.md", content);
        refused(&sandbox, "--tasks prompts/empty.md").complains("prompts/empty.md");
    }
}

#[test]
fn a_missing_file_is_an_error() {
    let sandbox = Sandbox::new();
    refused(&sandbox, "--tasks prompts/nowhere.md").complains("prompts/nowhere.md");
}

#[test]
fn two_prompts_of_one_name_are_an_error() {
    let sandbox = Sandbox::new();
    sandbox.write("prompts/a.md", "# A\n\nText.\n");
    sandbox.write("more/a.md", "# Another\n\nText.\n");
    refused(&sandbox, "--tasks prompts/a.md more/a.md")
        .complains("prompts/a.md")
        .complains("more/a.md");
}

#[test]
fn an_unknown_dependency_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.task("alpha", &[], "");
    sandbox.task("b", &["depends_on: [alhpa]"], "");
    refused(&sandbox, "--all-prompts").complains("prompts/b.md").complains("alpha");
}

#[test]
fn an_unknown_agent_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.prompt("a", &["agent: cluade"], "# A\n\nText.\n");
    let told = sandbox.orch("execute --tasks prompts/a.md").exits(2).complains("cluade");
    assert!(told.stderr.contains("claude"), "{}", told.stderr);
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "");
    sandbox.write("orch.toml", "# mine\n[agents.scripted]\ncomand = [\"true\"]\n");
    refused(&sandbox, "--tasks prompts/a.md").complains("orch.toml:3").complains("command");
}

#[test]
fn one_bad_prompt_keeps_the_good_ones_from_starting() {
    let sandbox = Sandbox::new();
    sandbox.task("good", &[], "started");
    sandbox.prompt("bad", &["prioriti: 1"], "# Bad\n");
    refused(&sandbox, "--all-prompts").complains("prompts/bad.md:2").complains("priority");
    assert_eq!(sandbox.attempts().len(), 0);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let sandbox = Sandbox::new();
    sandbox.prompt("one", &["nonsense: 1"], "# One\n");
    sandbox.write("prompts/two.md", "");
    refused(&sandbox, "--all-prompts").complains("prompts/one.md:2").complains("prompts/two.md");
}

#[test]
fn outside_a_repository_nothing_works_and_it_says_so() {
    let sandbox = Sandbox::without_repository();
    sandbox.write("prompts/a.md", "# A\n\nText.\n");
    refused(&sandbox, "--tasks prompts/a.md").complains("not inside a git repository");
    for command in ["status", "resume", "merge", "clean"] {
        sandbox.orch(command).exits(2).complains("not inside a git repository");
    }
}

#[test]
fn a_repository_without_a_commit_has_nothing_to_start_from() {
    let sandbox = Sandbox::without_history();
    sandbox.write("prompts/a.md", "# A\n\nText.\n");
    refused(&sandbox, "--tasks prompts/a.md").complains("no commits").complains("git commit");
}

#[test]
fn without_an_identity_nothing_is_started_that_could_not_be_committed() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started");
    sandbox.forget_identity();
    let before = traces(&sandbox);
    sandbox.orch("execute --tasks prompts/a.md").exits(2).complains("user.email");
    assert_eq!(traces(&sandbox), before);
    assert_eq!(sandbox.attempts().len(), 0);
}

#[test]
fn nothing_to_do_is_wrong_usage() {
    let sandbox = Sandbox::new();
    sandbox.orch("execute").exits(2);
    sandbox.orch("execute --tasks").exits(2);
    sandbox.orch("execute --jobs 0 --all-prompts").exits(2);
}

#[test]
fn byte_order_marks_and_carriage_returns_are_read_over() {
    let sandbox = Sandbox::new();
    let text = "\u{feff}---\r\nagent: shell\r\ntitle: From elsewhere\r\n---\r\n# A\r\n\r\n```sh\r\ntrue\r\n```\r\n";
    sandbox.write("prompts/a.md", text);
    let plan = sandbox.orch("plan --json --tasks prompts/a.md").exits(0).json();
    assert_eq!(plan["tasks"][0]["title"], "From elsewhere");
}
