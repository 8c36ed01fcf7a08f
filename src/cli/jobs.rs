//! `orch jobs`.

use super::context::{self, Place};
use super::error::CliError;
use crate::model::{Event, RunState};
use std::process::ExitCode;

/// Change how many processes a run has at the same time
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch jobs 8\n  orch jobs 1 run-20260101-120000-ab12\n\nFewer jobs end nobody: what \
                  runs finishes, and nothing new starts until so few are left. Holds until\nit is changed again, \
                  also after orch resume."
)]
pub(super) struct Args {
    /// Processes at the same time.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    jobs: u32,
    /// The run (id, prefix, or `latest`: the one a supervisor works on).
    #[arg(default_value = "latest")]
    run: String,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let mut asked = context::ask(place, &args.run)?;
    let spec = &asked.ledger.state().spec;
    let (id, parallel) = (spec.id.clone(), spec.parallel);
    match asked.ledger.state().finished {
        Some((state, _)) if state != RunState::Interrupted => {
            return Err(CliError::usage(format!("{id} is over ({state}); it has no jobs")));
        }
        _ if !parallel => {
            return Err(CliError::usage(format!(
                "{id} was started without --parallel: it does one task at a time"
            )));
        }
        _ => {}
    }
    let jobs = args.jobs;
    asked.ledger.record(vec![Event::JobsRequested { jobs }])?;
    let s = if jobs == 1 { "" } else { "s" };
    let then = if asked.alive { "" } else { ", once it goes on: orch resume" };
    eprintln!("{id}: {jobs} job{s}{then}");
    Ok(ExitCode::SUCCESS)
}
