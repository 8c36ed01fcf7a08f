//! `orch selftest`: the supervisor is killed at every record of a run, and must converge.

mod scratch;

use super::context::Place;
use super::error::CliError;
use crate::report::{self, Trial};
use scratch::{Outcome, Scratch};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

/// Kill a supervisor at every record of a run, in a scratch repository, and see that it converges
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch selftest\n  orch selftest --json | jq '.trials[] | select(.fault)'\n\nNothing of \
                  yours is touched: the repository, HOME and git's configuration are made for it\nin the temporary \
                  directory, and removed."
)]
pub(super) struct Args {
    /// One JSON document (orch.selftest/1).
    #[arg(long)]
    json: bool,
    /// Keep the directories of trials that went wrong.
    #[arg(long)]
    keep: bool,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let began = Instant::now();
    let folder = tempfile::Builder::new().prefix("orch-selftest-").tempdir()?;
    let root = folder.path().canonicalize()?;
    eprintln!("a run that nobody disturbs ...");
    let reference = Scratch::new(&root.join("undisturbed"))?.undisturbed()?;
    let places: Vec<(u64, &str)> =
        (1..=reference.records).flat_map(|n| [(n, "before"), (n, "after")]).collect();
    eprintln!("{} records; a run for each, killed before and after it ...", reference.records);
    let trials = all(&root, &places, &reference, args.keep);
    let faults = trials.iter().filter(|trial| trial.fault.is_some()).count();
    let seconds = began.elapsed().as_secs_f64();
    let text = if args.json {
        report::selftest_json(&trials, seconds).map_err(CliError::failed)?
    } else {
        report::selftest(&trials, seconds, place.style())
    };
    super::status::print(&text)?;
    if faults > 0 && args.keep {
        eprintln!("kept in {}", folder.keep().display());
    }
    Ok(ExitCode::from(u8::from(faults > 0)))
}

/// Runs the trials, some at a time: most of a trial is waiting.
fn all(
    root: &std::path::Path,
    places: &[(u64, &str)],
    reference: &Outcome,
    keep: bool,
) -> Vec<Trial> {
    let workers = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some((record, when)) = places.get(n).copied() else { return };
                    let dir = root.join(format!("{when}-{record}"));
                    let trial = one(&dir, record, when, reference);
                    if trial.fault.is_none() || !keep {
                        // What is left goes with the folder around it.
                        let _ = std::fs::remove_dir_all(&dir);
                    }
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((n, trial));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, trial)| trial).collect()
}

fn one(dir: &std::path::Path, record: u64, when: &str, reference: &Outcome) -> Trial {
    let mut trial = Trial {
        record,
        killed: when.to_owned(),
        event: String::new(),
        recovered_seconds: 0.0,
        fault: None,
    };
    let disturbed = Scratch::new(dir).and_then(|scratch| {
        let last = scratch.crash(when, record)?;
        trial.event = last;
        let began = Instant::now();
        let outcome = scratch.recover()?;
        trial.recovered_seconds = began.elapsed().as_secs_f64();
        Ok(outcome)
    });
    trial.fault = match disturbed {
        Ok(outcome) => outcome.difference(reference),
        Err(error) => Some(error.to_string()),
    };
    trial
}
