//! What a batch of twenty pull requests costs: its requests, and, as a measurement that is no part of the tests,
//! how long it takes against what it must:
//! `cargo test --release --test cli -- --ignored --nocapture how_long_a_batch`.

use crate::pull_requests::{check, finished, opened, with_token};
use crate::support::github::{Rules, Trouble};
use std::time::{Duration, Instant};

#[test]
#[ignore = "a measurement of minutes"]
fn how_long_a_batch_of_twenty_takes() {
    let number = |name: &str, default| {
        std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
    };
    // What an answer takes, and the slowest check.
    let (latency, seconds) = (number("LATENCY_MS", 100), number("CHECK_SECONDS", 60));
    let names: Vec<String> = (0..20).map(|n| format!("t{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut build = check("build", true, 0, None);
    build.takes = Duration::from_secs(seconds);
    let (sandbox, github) = opened(&names, Rules::default());
    github.model().rules = Rules { checks: vec![build], slow_mergeability: 1, ..Rules::default() };
    let config = sandbox.read("orch.toml").replace("pace = \"5ms\"", "pace = \"1s\"");
    sandbox.write("orch.toml", config.replace("timeout = \"2s\"", "timeout = \"15s\""));
    github.fails("", "/", Trouble::Slow(latency), u32::MAX);
    github.model().born.clear();
    let (asked, began) = (github.model().requests.len(), Instant::now());
    // Longer than anything else in the tests may take.
    let mut command = sandbox.command("pr merge --batch --wait");
    let status = command.env("GITHUB_TOKEN", "test-token").status().unwrap();
    assert!(status.success());
    let took = began.elapsed().as_secs_f64();
    let model = github.model();
    assert_eq!(model.pulls.iter().filter(|pull| pull.merged.is_some()).count(), 20);
    // A look and a merge each, at GitHub's pace of one write a second.
    let merges = 20.0 * (1.0 + latency as f64 / 1000.0);
    let least = seconds as f64 + merges;
    println!(
        "20 pull requests, checks of {seconds} s, {latency} ms an answer: {took:.1} s, the checks and merges {least:.1} s \
         ({:.2} x the slowest check and the merges, {:.2} x the check plus them), {} requests",
        took / least,
        (took - merges) / seconds as f64,
        model.requests.len() - asked
    );
}

/// The figures of the documentation: requests for twenty tasks, from nothing to merged.
#[test]
fn a_batch_of_twenty_takes_few_requests() {
    let names: Vec<String> = (0..20).map(|n| format!("t{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (sandbox, github) = finished(&names);
    // A request that is given up as the machine is busy would be one more.
    let config = sandbox.read("orch.toml").replace("timeout = \"2s\"", "timeout = \"60s\"");
    sandbox.write("orch.toml", config);
    with_token(&sandbox, "pr create").exits(0);
    let opened = github.model().requests.len();
    with_token(&sandbox, "pr merge").exits(0);
    let all = github.model().requests.len();
    let mut kinds = std::collections::BTreeMap::new();
    for request in &github.model().requests {
        let digits = |part: &str| part.len() < 10 && part.parse::<u64>().is_ok();
        let kind: Vec<&str> = request.split('/').map(|p| if digits(p) { "N" } else { p }).collect();
        *kinds.entry(kind.join("/")).or_insert(0) += 1;
    }
    eprintln!("{opened} requests to open 20, {} to merge them: {kinds:#?}", all - opened);
    assert_eq!(github.model().pulls.iter().filter(|pull| pull.merged.is_some()).count(), 20);
    // Unavoidable: an issue, a pull request and a merge each.
    assert!(all <= 20 * (3 + 4), "{all} requests:\n{}", github.model().requests.join("\n"));
}
