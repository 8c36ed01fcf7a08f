//! The core, rule by rule. Each test builds a run, plays events and looks at what is decided.

mod cancelling;
mod ending;
mod fixture;
mod holding;
mod ordering;
mod overlaps;
mod policies;
mod recovery;
mod retrying;
