//! `orch plan`: what each prompt will touch, what collides, in which order.

use crate::support::Sandbox;
use serde_json::{Value, json};

fn plan(sandbox: &Sandbox, arguments: &str) -> Value {
    sandbox.orch(&format!("plan --json {arguments}")).exits(0).json()
}

fn task<'p>(plan: &'p Value, name: &str) -> &'p Value {
    let tasks = plan["tasks"].as_array().unwrap();
    tasks.iter().find(|t| t["name"] == name).unwrap_or_else(|| panic!("no {name} in {plan}"))
}

fn target<'p>(plan: &'p Value, name: &str, path: &str) -> Option<&'p Value> {
    task(plan, name)["targets"].as_array().unwrap().iter().find(|t| t["path"] == path)
}

fn sorted(names: &Value) -> Vec<&str> {
    let mut names: Vec<_> = names.as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn two_tasks_that_write_one_file_conflict_and_are_ordered() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &["files: [src/count.txt]"], "");
    sandbox.task("b", &["files: ['src/c*.txt']"], "");
    sandbox.task("c", &["files: [README.md]"], "");
    let plan = plan(&sandbox, "--tasks prompts/a.md prompts/b.md prompts/c.md");

    assert_eq!(plan["schema"], "orch.plan/1");
    assert_eq!(plan["base"], sandbox.git(["rev-parse", "HEAD"]));
    let conflicts = plan["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{plan}");
    assert_eq!(sorted(&conflicts[0]["tasks"]), ["a", "b"]);
    assert_eq!(conflicts[0]["kind"], "write-write");
    assert_eq!(conflicts[0]["paths"], json!(["src/count.txt"]));

    assert_eq!(plan["waves"].as_array().unwrap().len(), 2);
    assert_eq!(sorted(&plan["waves"][0]), ["a", "c"]);
    assert_eq!(sorted(&plan["waves"][1]), ["b"]);
    let waits = &task(&plan, "b")["depends_on"][0];
    assert_eq!((&waits["task"], &waits["kind"]), (&json!("a"), &json!("conflict")));
}

#[test]
fn a_new_file_that_two_prompts_ask_for_is_said_to_be_created_by_both() {
    let sandbox = Sandbox::new();
    sandbox.prompt("a", &[], "Create src/tracing.txt with a list of spans.\n");
    sandbox.prompt("b", &[], "Add a new file src/tracing.txt. Change README.md.\n");
    let found = plan(&sandbox, "--tasks prompts/a.md prompts/b.md");
    let conflict = &found["conflicts"][0];
    assert_eq!(conflict["reason"], "both create src/tracing.txt");
    assert_eq!((&conflict["kind"], &conflict["orders"]), (&json!("write-write"), &json!(true)));
    sandbox.orch("execute --conflict-check --all-prompts").exits(3).complains("src/tracing.txt");
}

#[test]
fn names_and_verbs_of_any_language_are_understood() {
    let sandbox = Sandbox::new();
    sandbox.write("src/a.py", "class 日本クラス:\n    pass\n");
    sandbox.write("src/b.py", "x = 1\n");
    sandbox.commit_all("Add code");
    for (name, body) in [
        ("ja", "日本クラスにログを追加する"),
        ("fr", "Ne modifie pas src/a.py, corrige src/b.py"),
        ("es", "No modifiques src/a.py; arregla src/b.py"),
        ("ko", "src/a.py를 보고 src/b.py를 개선해줘"),
    ] {
        sandbox.prompt(name, &[], body);
    }
    let found = plan(&sandbox, "--all-prompts");
    assert_eq!(target(&found, "ja", "src/a.py").unwrap()["access"], "write");
    for name in ["fr", "es", "ko"] {
        assert_eq!(target(&found, name, "src/b.py").unwrap()["access"], "write", "{name}");
        let other = target(&found, name, "src/a.py");
        assert!(other.is_none_or(|other| other["access"] == "read"), "{name}: {found}");
    }
}

#[test]
fn two_tasks_that_move_one_submodule_conflict() {
    let sandbox = Sandbox::new();
    let head = sandbox.git(["rev-parse", "HEAD"]);
    let entry = format!("160000,{head},vendor/lib");
    sandbox.git(["update-index", "--add", "--cacheinfo", &entry]);
    sandbox.git(["commit", "-qm", "Add a submodule"]);
    sandbox.prompt("a", &[], "Update vendor/lib to its newest commit.\n");
    sandbox.prompt("b", &[], "Change vendor/lib back to the last release.\n");
    let found = plan(&sandbox, "--tasks prompts/a.md prompts/b.md");
    assert_eq!(found["conflicts"][0]["paths"], json!(["vendor/lib"]), "{found}");
}

#[test]
fn files_named_in_the_text_are_found_with_their_line() {
    let sandbox = Sandbox::new();
    let body = "# Look around\n\nChange `src/count.txt`.\n\n- and list.txt\n\n```sh\nsed -i s/a/b/ README.md\n```\n\nNot src/nothing.txt.\n";
    sandbox.prompt("text", &["agent: shell"], body);
    let plan = plan(&sandbox, "--tasks prompts/text.md");
    for path in ["src/count.txt", "src/deep/er/list.txt", "README.md"] {
        assert!(target(&plan, "text", path).is_some(), "{path} is missing in {plan}");
    }
    assert!(target(&plan, "text", "src/nothing.txt").is_none());
    // Three lines of front matter come before the text.
    let evidence = &target(&plan, "text", "src/count.txt").unwrap()["evidence"][0];
    assert_eq!(evidence["line"], 6);
    assert!(evidence["text"].as_str().unwrap().contains("Change"));
}

#[test]
fn a_declared_dependency_orders_tasks_that_share_nothing() {
    let sandbox = Sandbox::new();
    sandbox.task("first", &[], "");
    sandbox.task("second", &["depends_on: [first]"], "");
    let plan = plan(&sandbox, "--tasks prompts/second.md prompts/first.md");
    assert_eq!(plan["waves"], json!([["first"], ["second"]]));
    assert_eq!(plan["critical_path"], json!(["first", "second"]));
    assert_eq!(task(&plan, "second")["depends_on"][0]["kind"], "declared");
}

#[test]
fn a_cycle_is_named_in_full() {
    let sandbox = Sandbox::new();
    sandbox.task("hen", &["depends_on: [chick]"], "");
    sandbox.task("egg", &["depends_on: [hen]"], "");
    sandbox.task("chick", &["depends_on: [egg]"], "");
    let prompts = "prompts/hen.md prompts/egg.md prompts/chick.md";
    let told = sandbox.orch(&format!("plan --tasks {prompts}")).exits(2).complains("cycle");
    for name in ["hen", "egg", "chick"] {
        assert!(told.stderr.contains(name), "{name} is not named: {}", told.stderr);
    }
}

#[test]
fn a_finished_prompt_is_skipped_and_says_why() {
    let sandbox = Sandbox::new();
    sandbox.task("front", &["status: implemented"], "");
    sandbox.prompt("line", &["agent: scripted"], "# Old\n\nStatus: COMPLETED\n");
    sandbox.prompt("heading", &["agent: scripted"], "# Older - IMPLEMENTED\n\nText.\n");
    sandbox.task("open", &[], "");
    let plan = plan(&sandbox, "--all-prompts");
    for name in ["front", "line", "heading"] {
        assert_eq!(task(&plan, name)["state"], "skipped", "{name}");
        assert!(task(&plan, name)["skip_reason"].is_string(), "{name}");
    }
    assert_eq!(task(&plan, "open")["state"], "ready");
}

#[test]
fn every_view_names_every_task() {
    let sandbox = Sandbox::new();
    sandbox.task("alpha", &["files: [src/count.txt]"], "");
    sandbox.task("omega", &["files: [src/count.txt]"], "");
    for (option, mark) in [("", "alpha"), ("--dot", "digraph"), ("--mermaid", "flowchart")] {
        let arguments = format!("plan {option} --tasks prompts/alpha.md prompts/omega.md");
        let view = sandbox.orch(&arguments).exits(0).stdout;
        for word in [mark, "alpha", "omega"] {
            assert!(view.contains(word), "plan {option} lacks {word}:\n{view}");
        }
    }
}

#[test]
fn planning_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &["files: [src/count.txt]"], "started");
    let before = (sandbox.checkout(), sandbox.task_branches(), sandbox.worktrees());
    let told = sandbox.orch("plan --all-prompts").exits(0);
    assert!(told.stdout.contains("src/count.txt"), "{told:?}");
    assert_eq!(before, (sandbox.checkout(), sandbox.task_branches(), sandbox.worktrees()));
    assert_eq!(sandbox.attempts().len(), 0);
}

#[test]
fn a_plan_from_a_sub_folder_reads_paths_from_there() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &["files: [src/count.txt]"], "");
    let mut command = sandbox.command("plan --json --tasks ../prompts/a.md");
    command.current_dir(sandbox.repo.join("src"));
    let plan = Sandbox::finish(command).exits(0).json();
    assert!(target(&plan, "a", "src/count.txt").is_some(), "{plan}");
}

#[test]
fn text_declares_dependencies_and_a_cycle_names_the_sentence() {
    let sandbox = Sandbox::new();
    sandbox.prompt("api", &["agent: scripted"], "# The api\n\nDepends on: model\n");
    sandbox.prompt("model", &["agent: scripted"], "# The model\n\nWrite it.\n");
    sandbox.prompt("ui", &["agent: scripted"], "# The ui\n\nStart after api is done.\n");
    let first = plan(&sandbox, "--all-prompts");
    assert_eq!(first["waves"], json!([["model"], ["api"], ["ui"]]));
    let reason = task(&first, "ui")["depends_on"][0]["reason"].as_str().unwrap();
    assert_eq!(reason, "declared in prompts/ui.md:6: \"Start after api is done.\"");
    sandbox.prompt("model", &["agent: scripted"], "# The model\n\nIt depends on `ui`.\n");
    sandbox
        .orch("plan --all-prompts")
        .exits(2)
        .complains("prompts/model.md:6 \"It depends on `ui`.\"")
        .complains("prompts/api.md:6 \"Depends on: model\"");
}

#[test]
fn a_file_that_git_merges_by_union_keeps_nobody_waiting() {
    let sandbox = Sandbox::new();
    sandbox.write("CHANGELOG.md", "# Changes\n");
    sandbox.commit_all("Keep a change log");
    sandbox.task("a", &["files: [CHANGELOG.md]"], "");
    sandbox.task("b", &["files: [CHANGELOG.md]"], "");
    assert_eq!(plan(&sandbox, "--all-prompts")["waves"], json!([["a"], ["b"]]));
    sandbox.write(".gitattributes", "CHANGELOG.md merge=union\n");
    let merged = plan(&sandbox, "--all-prompts");
    assert_eq!(merged["waves"], json!([["a", "b"]]));
    assert_eq!(merged["conflicts"][0]["orders"], false);
    assert!(merged["conflicts"][0]["hint"].as_str().unwrap().contains("merge=union"));
    assert_eq!(merged["hot_files"][0]["kind"], "change log");
    sandbox.orch("execute --dry-run --conflict-check --all-prompts").exits(0);
}

#[test]
fn thresholds_come_from_the_configuration() {
    let sandbox = Sandbox::new();
    for name in ["a", "b"] {
        sandbox.prompt(
            name,
            &["agent: shell"],
            "# Reword\n\nChange src/count.txt.\n\n```sh\ntrue\n```\n",
        );
    }
    assert_eq!(plan(&sandbox, "--all-prompts")["waves"].as_array().unwrap().len(), 2);
    sandbox.write("orch.toml", "[conflicts]\norder_from = 1.0\n");
    let loose = plan(&sandbox, "--all-prompts");
    assert_eq!(loose["waves"].as_array().unwrap().len(), 1);
    assert_eq!(loose["conflicts"][0]["orders"], false);
    sandbox.write("orch.toml", "[conflicts]\norder_from = 2\n");
    sandbox.orch("plan --all-prompts").exits(2).complains("orch.toml:2: `order_from`");
}

#[test]
fn what_a_run_changed_teaches_the_next_plan() {
    let sandbox = Sandbox::new();
    sandbox.write("src/deep/test_count.txt", "four\n");
    let both = "echo more >> src/count.txt; echo more >> src/deep/test_count.txt";
    for n in 1..=8 {
        let after =
            format!("depends_on: [{}]", if n > 1 { format!("t{}", n - 1) } else { String::new() });
        sandbox.task(&format!("t{n}"), &["files: [src/count.txt]", &after], both);
    }
    sandbox.prompt("next", &[], "# Count further\n\nChange `src/count.txt`.\n");
    sandbox.commit_all("Prompts");
    let evidence = || {
        let plan = plan(&sandbox, "--tasks prompts/next.md");
        let target = target(&plan, "next", "src/deep/test_count.txt").cloned();
        target.map(|target| target["evidence"].to_string())
    };
    assert_eq!(evidence(), None, "nothing has ever changed both");

    let tasks: Vec<String> = (1..=8).map(|n| format!("prompts/t{n}.md")).collect();
    sandbox.orch(&format!("execute --tasks {}", tasks.join(" "))).exits(0);
    let taught = evidence().expect("all eight changed both");
    assert!(taught.contains("in 8 of the 9 changes of src/count.txt"), "{taught}");

    sandbox.orch("merge").exits(0);
    // Which of eight changes that are equally alike is shown does not matter.
    let landed = evidence().expect("all eight changed both");
    assert_eq!(landed.split("\"past\"").next(), taught.split("\"past\"").next(), "counted once");
}
