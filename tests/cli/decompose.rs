//! `--decompose`: prompts that are several tasks.

use crate::support::Sandbox;
use serde_json::{Value, json};

const PARTS: &str = "# Greet\n\nKeep the rest as it is.\n\n## Count\n\nChange `src/count.txt`:\n\n```sh\necho five >> src/count.txt\n```\n\n## List\n\nChange `src/deep/er/list.txt`:\n\n```sh\necho gamma >> src/deep/er/list.txt\n```\n";

fn names(plan: &Value) -> Vec<&str> {
    plan["tasks"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect()
}

#[test]
fn parts_that_touch_different_files_run_side_by_side_and_land() {
    let sandbox = Sandbox::new();
    sandbox.prompt("greet", &["agent: shell"], PARTS);
    sandbox.task("after", &["depends_on: [greet]"], "cat src/count.txt > seen.txt");
    let whole = sandbox.orch("plan --json --all-prompts").exits(0).json();
    assert_eq!((names(&whole), &whole["decompositions"]), (vec!["after", "greet"], &json!([])));

    let plan = sandbox.orch("plan --json --all-prompts --decompose auto").exits(0).json();
    assert_eq!(names(&plan), ["after", "greet.1-count", "greet.2-list"]);
    assert_eq!(plan["waves"], json!([["greet.1-count", "greet.2-list"], ["after"]]));
    assert_eq!(plan["tasks"][1]["part_of"], "greet");
    assert_eq!(plan["tasks"][1]["targets"][0]["evidence"][0]["line"], 10);
    let told = plan["decompositions"].as_array().unwrap();
    assert_eq!(told[1]["into"], json!(["greet.1-count", "greet.2-list"]));
    assert!(told[0]["into"].as_array().unwrap().is_empty() && told[0]["reason"].is_string());

    sandbox.write("orch.toml", format!("decompose = \"auto\"\n{}", sandbox.read("orch.toml")));
    sandbox.commit_all("Split prompts");
    let done = sandbox.orch("execute --parallel --json --all-prompts").exits(0).json();
    let changed = |name: &str| {
        let tasks = done["tasks"].as_array().unwrap();
        tasks.iter().find(|t| t["name"] == name).unwrap()["files_changed"].clone()
    };
    assert_eq!(changed("greet.1-count"), json!(["src/count.txt"]));
    assert_eq!(changed("greet.2-list"), json!(["src/deep/er/list.txt"]));
    sandbox.orch("merge").exits(0);
    assert!(sandbox.read("seen.txt").ends_with("five\n"));
}

#[test]
fn what_does_not_come_apart_stays_one_and_says_why() {
    let sandbox = Sandbox::new();
    let same = "# Both\n\n- Change src/count.txt\n- Change src/count.txt again\n";
    let vague = "# All\n\n- Change src/count.txt\n- Make everything nicer\n";
    let chain = "# Chain\n\n1. Change src/count.txt\n2. Then change README.md\n";
    for (name, body) in [("same", same), ("vague", vague), ("chain", chain)] {
        sandbox.prompt(name, &[], body);
    }
    let plan = sandbox.orch("plan --json --all-prompts --decompose auto").exits(0).json();
    assert_eq!(names(&plan), ["chain", "same", "vague"]);
    let reasons: Vec<&str> = plan["decompositions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "its parts go one after the other: nothing would run side by side",
            "its parts write the same files: src/count.txt",
            "its part 'Make everything nicer' does not say which files it writes",
        ]
    );
}

#[test]
fn how_it_is_tested_is_said_to_every_part() {
    let sandbox = Sandbox::new();
    let body = "# Work\n\n## Count\nChange src/count.txt.\n\n## Read me\nChange README.md.\n\n## Testing\nRun the tests.\n";
    sandbox.prompt("work", &[], body);
    let plan = sandbox.orch("plan --json --all-prompts --decompose auto").exits(0).json();
    assert_eq!(names(&plan), ["work.1-count", "work.2-read-me"]);
    // Tests that are to be written are a part like any other.
    sandbox.prompt("work", &[], &body.replace("Run the tests.", "Change src/deep/er/list.txt."));
    let plan = sandbox.orch("plan --json --all-prompts --decompose auto").exits(0).json();
    assert_eq!(names(&plan), ["work.1-count", "work.2-read-me", "work.3-testing"]);
    // A part that takes from a file does not write it.
    let body = "1. Change src/count.txt\n2. Change src/deep/er/list.txt\n3. Update README.md from src/count.txt\n";
    sandbox.prompt("work", &[], body);
    let plan = sandbox.orch("plan --json --all-prompts --decompose auto").exits(0).json();
    assert_eq!(plan["waves"].as_array().unwrap().len(), 2, "{plan}");
    assert_eq!(plan["waves"][0].as_array().unwrap().len(), 2, "{plan}");
}

/// A planner that prints `answer`.
fn planner(sandbox: &Sandbox, answer: &str) {
    let file = sandbox.root.join("answer");
    std::fs::write(&file, answer).unwrap();
    sandbox.configure(
        "planner",
        "plain",
        "stdin",
        "cat > /dev/null; touch left-behind; cat \"$1/answer\"",
    );
}

#[test]
fn an_agent_may_say_how_to_split() {
    let sandbox = Sandbox::new();
    sandbox.prompt("wide", &[], "# Wide\n\nDo it all.\n");
    let subtask = |name: &str, file: &str, after: &[&str]| {
        json!({"name": name, "title": name, "prompt": "Do it.", "files": [file], "creates": [], "reads": [],
               "depends_on": after})
    };
    let answer = |subtasks: Value| {
        json!({"tasks": [{"task": "wide", "reason": "two files", "subtasks": subtasks}]})
            .to_string()
    };
    let good = answer(json!([
        subtask("count", "src/count.txt", &[]),
        subtask("read", "README.md", &["count"])
    ]));
    planner(&sandbox, &format!("Here it is:\n```json\n{good}\n```\n"));
    let plan = sandbox.orch("plan --json --all-prompts --decompose agent:planner").exits(0).json();
    assert_eq!(plan["waves"], json!([["wide.1-count"], ["wide.2-read"]]));
    assert_eq!(plan["decompositions"][0]["reason"], "two files");
    assert!(!sandbox.repo.join("left-behind").exists());
    assert_eq!(sandbox.git(["worktree", "list"]).lines().count(), 1);

    let bad = answer(json!([
        subtask("count", "src/none.txt", &["read"]),
        subtask("read", "README.md", &["count"])
    ]));
    planner(&sandbox, &bad);
    sandbox
        .orch("plan --all-prompts --decompose agent:planner")
        .exits(2)
        .complains("there is no file 'src/none.txt'")
        .complains("these wait for each other: count, read");
    planner(&sandbox, "no idea");
    sandbox.orch("execute --all-prompts --decompose agent:planner").exits(2).complains("no idea");
    sandbox.orch("plan --all-prompts --decompose agent:nobody").exits(2).complains("no such agent");
}
