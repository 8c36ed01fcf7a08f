//! How long a batch of pull requests takes against what it must: a measurement, not part of the tests.
//! `cargo test --release --test cli -- --ignored --nocapture how_long_a_batch`.

use crate::pull_requests::{check, opened, with_token};
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
    with_token(&sandbox, "pr merge --batch --wait").exits(0);
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
