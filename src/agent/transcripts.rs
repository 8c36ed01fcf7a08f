//! Every recorded run of a real agent, judged: `tests/fixtures/transcripts/expected.tsv` has a line for each, and
//! a second one where it matters whether `orch` sent the signal or somebody else did.

use super::{Ended, Reader, Stopped, Verdict, find_builtin};
use crate::model::{AgentProfile, Ending, Exit, FailureClass, StopReason, Timestamp};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Around the time the runs were recorded, so that "12:52 PM" is still to come.
const NOW: &str = "2026-11-21T11:53:00Z";

struct Row(BTreeMap<String, String>);

impl Row {
    fn get(&self, column: &str) -> Option<&str> {
        let value = self.0.get(column).unwrap_or_else(|| panic!("no column {column}"));
        (value != "-").then_some(value)
    }

    fn name(&self) -> &str {
        self.get("name").unwrap()
    }

    fn profile(&self) -> AgentProfile {
        let agent = self.name().split('-').next().unwrap();
        let mut profile = find_builtin(agent).unwrap().clone();
        if self.name() == "claude-out-text" {
            profile.command = vec!["claude".to_owned(), "-p".to_owned()];
        }
        profile
    }

    fn ended(&self) -> Ended {
        let number = |column| self.get(column).map(|n| n.parse().unwrap());
        Ended {
            exit: Exit { code: number("code"), signal: number("signal") },
            stopped: self.get("stopped").map(|reason| match reason {
                "timeout" => stopped(StopReason::Timeout, "ran longer than 60 s"),
                "cancelled" => stopped(StopReason::Cancelled, "cancelled by a test"),
                other => panic!("{other}"),
            }),
            changed: Some(self.get("changed") == Some("yes")),
            spawn_error: None,
            now: at(NOW),
        }
    }

    fn output(&self) -> (Vec<u8>, Vec<u8>) {
        let read = |end: &str| {
            std::fs::read(folder().join(format!("{}.{end}", self.name()))).unwrap_or_default()
        };
        (read("stdout"), read("stderr"))
    }

    fn judged(&self) -> Verdict {
        let (stdout, stderr) = self.output();
        let mut reader = Reader::new(&self.profile()).in_time_zone(TimeZone::UTC);
        reader.feed_stderr(&stderr);
        reader.feed(&stdout);
        reader.finish(self.ended())
    }
}

fn stopped(reason: StopReason, words: &str) -> Stopped {
    Stopped { reason, words: words.to_owned() }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/transcripts")
}

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let text = std::fs::read_to_string(folder().join("expected.tsv")).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned));
    let columns: Vec<String> = lines.next().unwrap().collect();
    lines.map(|line| Row(columns.iter().cloned().zip(line).collect())).collect()
});

#[test]
fn every_recorded_run_is_in_the_table() {
    let mut recorded: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".stdout").map(str::to_owned)
        })
        .collect();
    recorded.sort();
    let mut judged: Vec<String> = ROWS.iter().map(|row| row.name().to_owned()).collect();
    judged.sort();
    judged.dedup();
    assert_eq!(judged, recorded);
    assert!(judged.len() > 90, "{}", judged.len());
}

#[test]
fn every_recorded_run_is_judged_as_it_was() {
    let mut wrong = Vec::new();
    for row in ROWS.iter() {
        let verdict = row.judged();
        let mut check = |what: &str, found: String, expected: &str| {
            if found != expected {
                wrong.push(format!("{}: {what} is {found}, not {expected}", row.name()));
            }
        };
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let failure = verdict.ending.failure();
        let class = failure.map_or("success".to_owned(), |failure| failure.class.to_string());
        check("ending", class, row.get("expected").unwrap());
        if let (Some(failure), Some(words)) = (failure, row.get("message_contains")) {
            if !failure.message.contains(words) {
                check("message", failure.message.clone(), words);
            }
            assert!(!failure.message.contains('\n'), "{}", failure.message);
            assert!(failure.suggestion.is_some(), "{}", row.name());
        }
        let lifts = failure.and_then(|failure| failure.retry_at).map(|at| at.0);
        let expected = row.get("lifts").map(|text| at(text).0);
        check("lifts", format!("{lifts:?}"), &format!("{expected:?}"));
        let usage = &verdict.usage;
        check("session", text(usage.session.clone()), row.get("session").unwrap_or("-"));
        for (column, count) in [
            ("input", usage.tokens.input),
            ("output", usage.tokens.output),
            ("cache_read", usage.tokens.cache_read),
            ("cache_write", usage.tokens.cache_write),
        ] {
            check(column, count.to_string(), row.get(column).unwrap());
        }
        let micro = |dollars: f64| format!("{dollars:.6}");
        let cost = row.get("cost").map(|cost| micro(cost.parse().unwrap()));
        check("cost", text(usage.cost_usd.map(micro)), &text(cost));
        check("turns", text(usage.turns.map(|n| n.to_string())), row.get("turns").unwrap_or("-"));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_success_without_a_change_is_none() {
    for row in ROWS.iter().filter(|row| row.get("expected") == Some("success")) {
        for changed in [Some(false), None] {
            let (stdout, stderr) = row.output();
            let mut reader = Reader::new(&row.profile());
            reader.feed(&stdout);
            reader.feed_stderr(&stderr);
            let verdict = reader.finish(Ended { changed, ..row.ended() });
            let class = verdict.ending.failure().map(|failure| failure.class);
            assert_eq!(class, Some(FailureClass::NoChanges), "{}", row.name());
        }
    }
}

#[test]
fn whatever_an_agent_says_after_it_was_stopped_does_not_count() {
    for row in ROWS.iter() {
        for (reason, class) in [
            (StopReason::Timeout, FailureClass::Timeout),
            (StopReason::IdleTimeout, FailureClass::Idle),
            (StopReason::Cancelled, FailureClass::Cancelled),
            (StopReason::Interrupted, FailureClass::Interrupted),
        ] {
            let (stdout, _) = row.output();
            let mut reader = Reader::new(&row.profile());
            reader.feed(&stdout);
            let verdict =
                reader.finish(Ended { stopped: Some(stopped(reason, "x")), ..row.ended() });
            assert_eq!(verdict.ending.failure().unwrap().class, class, "{}", row.name());
        }
    }
}

/// A log may hold both streams in one.
#[test]
fn both_streams_in_one_give_the_same_ending() {
    for row in ROWS.iter() {
        let (stdout, stderr) = row.output();
        let mut reader = Reader::new(&row.profile()).in_time_zone(TimeZone::UTC);
        let separate = row.judged().ending;
        reader.feed(&stderr);
        reader.feed(&stdout);
        let class = |ending: &Ending| ending.failure().map(|failure| failure.class);
        let mixed = reader.finish(row.ended()).ending;
        assert_eq!(class(&mixed), class(&separate), "{}", row.name());
    }
}

#[test]
fn a_byte_at_a_time_says_the_same_as_all_at_once() {
    for row in ROWS.iter() {
        let (stdout, stderr) = row.output();
        let mut reader = Reader::new(&row.profile()).in_time_zone(TimeZone::UTC);
        stderr.chunks(1).for_each(|byte| reader.feed_stderr(byte));
        stdout.chunks(1).for_each(|byte| reader.feed(byte));
        assert_eq!(reader.finish(row.ended()), row.judged(), "{}", row.name());
    }
}

/// The bytes of the terminal event that a truncated output must still have to count as done.
fn proof(row: &Row, stdout: &[u8]) -> usize {
    let text = String::from_utf8_lossy(stdout);
    let marker = match row.name().split('-').next().unwrap() {
        "codex" => "{\"type\":\"turn.completed\"",
        "opencode" => "\"reason\":\"stop\"",
        "aider" => "received",
        _ if row.name() == "claude-out-text" => "PING-1 \n",
        _ => "{\"type\":\"result\"",
    };
    text.find(marker).unwrap_or_else(|| panic!("{} has no {marker}", row.name())) + marker.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_cut_output_is_never_a_success_without_its_proof(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        noise in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let row = which.get(&ROWS);
        let (stdout, stderr) = row.output();
        let cut = cut.index(stdout.len() + 1);
        let mut reader = Reader::new(&row.profile());
        reader.feed(&stdout[..cut]);
        reader.feed_stderr(&stderr);
        // The case that looks best: it exited 0, and something changed.
        let exit = Exit { code: Some(0), signal: None };
        let ended = Ended { exit, stopped: None, changed: Some(true), ..row.ended() };
        let verdict = reader.finish(ended.clone());
        if verdict.ending == Ending::Succeeded {
            prop_assert!(cut >= proof(row, &stdout), "{} cut at {cut}", row.name());
        }
        // Noise in the middle must not hurt either; what it makes of the verdict is not promised.
        let mut noisy = Reader::new(&row.profile());
        noisy.feed(&stdout[..cut]);
        noisy.feed(&noise);
        noisy.feed(&stdout[cut..]);
        noisy.feed_stderr(&noise);
        let _ = noisy.progress();
        let _ = noisy.finish(ended);
    }
}
