//! The binary from the outside, by its contract: one file per theme. One crate, because linking is
//! the slow part of a test that mostly waits.
#![expect(clippy::unwrap_used, reason = "these are tests: a surprise must end them")]

mod agent_words;
mod agents;
mod ahead;
mod batch_of_twenty;
mod decompose;
mod durability;
mod execute;
mod follow_ups;
mod hands;
mod help;
mod input_errors;
mod isolation;
mod late_checks;
mod logs;
mod merge_clean;
mod merge_queue;
mod merge_ways;
mod older_journal;
mod overlaps;
mod plan;
mod pull_requests;
mod recovery;
mod report;
mod resources;
mod rollup_faults;
mod service;
mod sessions;
mod snapshots;
mod status;
#[path = "../support/mod.rs"]
mod support;
