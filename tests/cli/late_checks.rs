//! Checks that start late where none is required: what they would say is waited for.

use crate::pull_requests::{check, opened, with_token};
use crate::support::Sandbox;
use crate::support::github::{GitHub, Rules};

/// Rules with one check that is not required, is reported late, and fails where there is `b.txt`.
fn late(looks: u32, workflows: u64) -> Rules {
    let mut build = check("build", false, 1, Some("b.txt"));
    build.late = looks;
    Rules { checks: vec![build], workflows, ..Rules::default() }
}

fn with_grace(sandbox: &Sandbox, grace: &str) {
    let config = sandbox.read("orch.toml");
    let config = config.replace("pace =", &format!("checks_grace = \"{grace}\"\npace ="));
    sandbox.write("orch.toml", config);
}

fn merged(github: &GitHub) -> Vec<u64> {
    let model = github.model();
    model.pulls.iter().filter(|pull| pull.merged.is_some()).map(|pull| pull.number).collect()
}

#[test]
fn what_has_no_check_yet_is_not_merged_before_it_has() {
    // That there are checks is shown by the base, or by workflows.
    for workflows in [0, 1] {
        let (sandbox, github) = opened(&["a", "b"], late(3, workflows));
        with_grace(&sandbox, "10m");
        let told = with_token(&sandbox, "pr merge").exits(1);
        assert!(told.stdout.contains("no check has been reported yet"), "{}", told.stdout);
        let told = with_token(&sandbox, "pr merge --batch --wait").exits(3);
        assert!(
            told.stdout.contains("#2 is not merged, these checks failed: build"),
            "{}",
            told.stdout
        );
        assert_eq!(merged(&github), [1]);
        github.is_true_to_life();
    }
}

#[test]
fn what_never_has_a_check_is_merged_in_the_end() {
    let (sandbox, github) = opened(&["a"], late(1_000_000, 0));
    with_grace(&sandbox, "500ms");
    with_token(&sandbox, "pr merge --batch --wait").exits(0);
    assert_eq!(merged(&github), [1]);
    // Where nothing shows that there are checks, none is waited for.
    let (sandbox, github) = opened(&["a"], Rules::default());
    with_grace(&sandbox, "10m");
    with_token(&sandbox, "pr merge").exits(0);
    assert_eq!(merged(&github), [1]);
}

#[test]
fn a_rollup_waits_for_its_checks_to_start() {
    let (sandbox, github) = opened(&["a", "b", "c"], late(2, 0));
    with_grace(&sandbox, "10m");
    let told = with_token(&sandbox, "pr merge --rollup --wait").exits(3);
    assert!(told.stdout.contains("2 of 3 merged"), "{}", told.stdout);
    assert!(!merged(&github).contains(&2));
    github.is_true_to_life();
}
