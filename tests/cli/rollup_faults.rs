//! `orch pr merge --rollup` while GitHub fails, loses answers, or `orch` is killed: everything lands once.

use crate::pull_requests::{check, killed_at, opened, with_token};
use crate::support::github::{GitHub, Rules, Trouble};
use crate::support::{Sandbox, wait_until};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Three pull requests of which `c` breaks the check.
fn three() -> (Sandbox, GitHub) {
    let rules = Rules { checks: vec![check("build", true, 1, Some("c.txt"))], ..Rules::default() };
    let (sandbox, github) = opened(&NAMES, rules);
    // Shorter than anybody's patience.
    let config = sandbox.read("orch.toml").replace("timeout = \"2s\"", "timeout = \"1s\"");
    sandbox.write("orch.toml", config);
    (sandbox, github)
}

/// Runs it until it has nothing left to do, then looks.
#[track_caller]
fn ends_well(sandbox: &Sandbox, github: &GitHub, case: &str) {
    let mut tries = 0;
    wait_until(&format!("{case}: the rollup ends"), || {
        tries += 1;
        if tries > 3 {
            github.model().faults.clear();
        }
        // 3: one of them breaks the check, and is said to.
        let told = with_token(sandbox, "pr merge --rollup --wait --now");
        told.code == 3 && told.stdout.contains("these checks failed: build")
    });
    let model = github.model();
    let merged = |name: &str| {
        let branch = model.pulls.iter().find(|pull| pull.head.contains(&format!("/{name}-")));
        branch.is_some_and(|pull| pull.merged.is_some())
    };
    assert!(merged("a") && merged("b") && !merged("c"), "{case}\n{}", model.requests.join("\n"));
    for (name, there) in [("a", true), ("b", true), ("c", false)] {
        let file = format!("main:{name}.txt");
        assert_eq!(model.git(&["cat-file", "-e", &file]).is_some(), there, "{case}: {file}");
    }
    let log = model.git(&["log", "--format=%s", "main"]).unwrap();
    let heads = log.lines().filter(|line| *line == "The task a" || *line == "The task b").count();
    assert_eq!(heads, 2, "{case}: each once\n{log}");
    let left = model.git(&["for-each-ref", "refs/heads/orch/rollup*"]).unwrap();
    assert_eq!(left, "", "{case}");
    assert!(model.mistakes.is_empty(), "{case}: {:?}", model.mistakes);
    drop(model);
    for (name, state) in [("a", "merged"), ("b", "merged"), ("c", "succeeded")] {
        assert_eq!(sandbox.status_of(name)["state"], state, "{case}: {name}");
    }
}

/// How many cases of each are tried; `ORCH_TEST_CASES=12` tries all.
fn cases() -> usize {
    std::env::var("ORCH_TEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3)
}

#[test]
fn a_fault_at_any_request_lands_everything_once() {
    let faults = [
        ("POST", "/pulls", Trouble::Lost),
        ("PUT", "/merge", Trouble::Lost),
        ("GET", "/check-runs", Trouble::Status(503)),
        ("POST", "/pulls", Trouble::Status(502)),
        ("PUT", "/merge", Trouble::Status(500)),
        ("PATCH", "/pulls", Trouble::Lost),
        ("DELETE", "/git/refs", Trouble::Lost),
        ("DELETE", "/git/refs", Trouble::Reset),
        ("", "/", Trouble::Limited(Some(0))),
    ];
    for (verb, path, what) in faults.into_iter().take(cases()) {
        let (sandbox, github) = three();
        github.fails(verb, path, what.clone(), 2);
        ends_well(&sandbox, &github, &format!("{verb} {path} {what:?}"));
    }
}

#[test]
fn a_kill_at_any_request_lands_everything_once() {
    for after in [11, 15, 19, 2, 4, 6, 8, 10, 13, 17, 21, 23].into_iter().take(cases()) {
        let (sandbox, github) = three();
        killed_at(&sandbox, &github, "pr merge --rollup --wait --now", after);
        ends_well(&sandbox, &github, &format!("killed at request {after}"));
    }
}
