//! The binary from the outside, by its contract: one file per theme. One crate, because linking is
//! the slow part of a test that mostly waits.
#![expect(clippy::unwrap_used, reason = "these are tests: a surprise must end them")]

mod help;
#[path = "../support/mod.rs"]
mod support;
