//! `orch report`.

use super::context::{Place, find_run, look_for_supervisor};
use super::error::CliError;
use crate::journal::Journal;
use crate::model::RunView;
use crate::report::{self, Analytics, RunFacts};
use std::process::ExitCode;

/// Runs that are looked at, the newest: prediction changes with the code, and so does what it says.
const RUNS: u32 = 1000;

/// Show what a run took and cost, what failed, and how well the plan knew beforehand
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch report\n  orch report run-20260101-120000-ab12\n  orch report --all\n  orch report \
                  --json | jq .prediction"
)]
pub(super) struct Args {
    /// The run (id, prefix, or `latest`).
    #[arg(default_value = "latest", value_name = "RUN")]
    run: String,
    /// All runs together.
    #[arg(long, conflicts_with = "run")]
    all: bool,
    /// One JSON document (orch.report/1).
    #[arg(long)]
    json: bool,
    /// File an issue on GitHub about what failed in the run, with the ends of the logs; once.
    #[arg(long, conflicts_with_all = ["all", "json"])]
    issue: bool,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    if args.issue {
        return super::pr::report_failure(place, &args.run);
    }
    let text = place.look(|layout, journal| {
        let chosen = find_run(journal, &args.run)?;
        let mut runs = journal.runs(RUNS)?;
        if !runs.iter().any(|run| run.id == chosen) {
            runs.push(journal.run_view(&chosen)?);
        }
        let facts: Result<Vec<RunFacts>, CliError> = runs
            .into_iter()
            .map(|mut run| {
                look_for_supervisor(layout, &mut run);
                facts(journal, run)
            })
            .collect();
        let analytics = Analytics::of((!args.all).then_some(&chosen), &facts?);
        Ok(if args.json {
            report::analytics_json(&analytics)
        } else {
            report::analytics(&analytics, place.style())
        })
    })?;
    super::status::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn facts(journal: &Journal, run: RunView) -> Result<RunFacts, CliError> {
    let (spec, tasks) = (journal.run_spec(&run.id)?, journal.tasks(&run.id)?);
    Ok(RunFacts { spec, run, tasks })
}
