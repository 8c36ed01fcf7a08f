//! `orch report`: figures of a run whose truth is known.

use crate::support::Sandbox;
use serde_json::Value;

/// Two tasks that meet in a file one of them did not announce, one that does what it said, and one that fails.
fn known_run() -> Sandbox {
    let sandbox = Sandbox::new();
    let files = |list: &str| format!("files: [{list}]");
    sandbox.task("a", &[&files("\"src/count.txt\", \"never.txt\"")], "echo five >> src/count.txt");
    sandbox.task("b", &[&files("\"b.txt\"")], "echo b > b.txt; echo 5 >> src/count.txt");
    sandbox.task("c", &[&files("\"b.txt\"")], "echo c > c.txt");
    sandbox.task("bad", &[&files("\"bad.txt\"")], "echo bad > bad.txt; exit 1");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(1);
    sandbox
}

#[test]
fn precision_and_recall_are_those_of_the_run() {
    let sandbox = known_run();
    let report = sandbox.orch("report --json").exits(0).json();
    assert_eq!(report["schema"], "orch.report/1");
    for which in ["run", "all"] {
        let found = &report["prediction"][which];
        assert_eq!(found["tasks"], 3, "{found}");
        // Predicted: 2 of a, 1 of b, 1 of c. Changed: 1, 2, 1. Both: 1, 1, 0.
        let files = &found["files"];
        assert_eq!((&files["predicted"], &files["actual"], &files["hits"]), number(4, 4, 2));
        assert_eq!((&files["precision"], &files["recall"]), (&0.5.into(), &0.5.into()));
        // The plan expected b and c to meet; a and b did.
        let pairs = &found["conflicts"];
        assert_eq!((&pairs["predicted"], &pairs["actual"], &pairs["hits"]), number(1, 1, 0));
    }
    let run = &report["run"];
    assert_eq!((&run["succeeded"], &report["tasks"]), (&3.into(), &4.into()));
    assert!(run["work_seconds"].as_f64() > Some(0.0) && run["wall_seconds"].as_f64() > Some(0.0));
    assert!(run["predicted_parallelism"].as_f64() >= Some(1.0), "{run}");
    assert_eq!(report["failures"][0]["class"], "crashed");
    assert_eq!(report["failures"][0]["tasks"], 1);
    assert_eq!(report["agents"][0]["name"], "scripted");
    assert_eq!(report["agents"][0]["succeeded"], 3);
    let shown = sandbox.orch("report").exits(0).stdout;
    for words in ["3 of 4 tasks done", "precision 0.50, recall 0.50", "crashed", "scripted"] {
        assert!(shown.contains(words), "'{words}' is not in\n{shown}");
    }
}

fn number(a: u64, b: u64, c: u64) -> (&'static Value, &'static Value, &'static Value) {
    let leak = |n: u64| -> &'static Value { Box::leak(Box::new(n.into())) };
    (leak(a), leak(b), leak(c))
}

#[test]
fn all_runs_are_counted_also_when_they_were_cleaned() {
    let sandbox = known_run();
    sandbox.orch("merge c").exits(0);
    sandbox.orch("clean").exits(0);
    sandbox.task("d", &["files: [\"d.txt\"]"], "echo d > d.txt");
    sandbox.commit_all("Another");
    sandbox.orch("execute --tasks prompts/d.md").exits(0);
    let report = sandbox.orch("report --json").exits(0).json();
    assert_eq!(report["prediction"]["run"]["files"]["precision"], 1.0);
    assert_eq!(report["prediction"]["all"]["tasks"], 4);
    let all = sandbox.orch("report --all --json").exits(0).json();
    assert_eq!((&all["run"], &all["runs"]), (&Value::Null, &2.into()));
    assert_eq!(all["tasks"], 5);
    assert!(sandbox.orch("report --all").exits(0).stdout.starts_with("5 tasks of 2 runs"));
}

#[test]
fn without_a_run_it_is_said() {
    Sandbox::new().orch("report").exits(2).complains("no run");
}
