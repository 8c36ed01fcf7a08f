//! What `orch selftest` found.

use super::style::Style;
use super::words::{count, duration};
use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;

/// One run that was killed at one place.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// The number of the record.
    pub record: u64,
    /// `before` it was written, or `after`.
    pub killed: String,
    /// The last event that was recorded when the supervisor died.
    pub event: String,
    /// From `orch resume` to the end of the run, seconds.
    pub recovered_seconds: f64,
    /// How it differs from an undisturbed run; `None` when it does not.
    pub fault: Option<String>,
}

/// A table, and what it comes to.
#[must_use]
pub fn selftest(trials: &[Trial], seconds: f64, style: Style) -> String {
    let mut out = String::from(
        "record  killed  last event on disk                    recovered  converged\n",
    );
    for trial in trials {
        let verdict = trial.fault.as_deref().unwrap_or("yes");
        let _ = writeln!(
            out,
            "{:>6}  {:<6}  {:<36}  {:>8.2}s  {verdict}",
            trial.record, trial.killed, trial.event, trial.recovered_seconds
        );
    }
    let faults = trials.iter().filter(|trial| trial.fault.is_some()).count();
    let verdict = if faults == 0 {
        style.bold("every one converged to what an undisturbed run makes, and nothing ran twice")
    } else {
        style.bold(&format!("{faults} did not converge"))
    };
    let took = duration(Duration::from_secs_f64(seconds));
    let _ = writeln!(out, "{} in {took}: {verdict}", count(trials.len(), "kill"));
    out
}

/// The same as one JSON document.
///
/// # Errors
/// A number that JSON cannot say.
pub fn selftest_json(trials: &[Trial], seconds: f64) -> Result<String, serde_json::Error> {
    let converged = trials.iter().all(|trial| trial.fault.is_none());
    let document = serde_json::json!({
        "schema": "orch.selftest/1",
        "converged": converged,
        "seconds": seconds,
        "trials": trials,
    });
    Ok(format!("{}\n", serde_json::to_string(&document)?))
}
