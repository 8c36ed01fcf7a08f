//! Views: everything a person or a script sees is made here from events and state.
//!
//! Promise: the human view, `--json` and `--format ndjson` are folds over the same facts and cannot
//! disagree; output to something that is no terminal has no escape codes and one line a fact.
//! Never: decides, acts or reads the world; [`live`] is the only module that writes to the terminal,
//! because a live view must.

mod analytics;
mod doctor;
mod follow_ups;
mod landing;
pub mod live;
mod ndjson;
mod overlaps;
pub mod plan;
mod ps;
mod pulls;
mod rebuilt;
mod run;
mod selftest;
mod status;
mod style;
mod waits;
mod words;

pub use analytics::{Analytics, RunFacts, analytics, analytics_json};
pub use doctor::{Finding, Findings, Health, doctor, doctor_json};
pub use follow_ups::{follow_ups, follow_ups_json};
pub use landing::{cleaning, landing};
pub use ndjson::Ndjson;
pub use ps::{PsRow, ps, ps_json};
pub use pulls::{merged_pulls, pull_outcomes, pulls, pulls_json};
pub use rebuilt::rebuilt;
pub use run::summary;
pub use selftest::{Trial, selftest, selftest_json};
pub use status::{StatusJson, runs, status, task, task_line};
pub use style::Style;
pub use words::{bytes, duration, money};
