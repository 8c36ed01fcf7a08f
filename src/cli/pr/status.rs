//! `orch pr status`.

use crate::cli::context::{self, Place, runtime};
use crate::cli::error::CliError;
use crate::cli::status::print;
use crate::report;
use crate::supervisor::{Desk, Ledger};
use std::process::ExitCode;

/// Show checks, reviews and mergeability of the run's pull requests
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orch pr status\n  orch pr status fix-login --json")]
pub(super) struct Args {
    /// Tasks (name, id, or an unambiguous prefix) [default: all with a pull request].
    task: Vec<String>,
    /// One JSON document (orch.pr/1).
    #[arg(long)]
    json: bool,
    /// The run (id, prefix, or `latest`).
    #[arg(long, default_value = "latest")]
    run: String,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, _, journal) = place.sound_history()?;
    let run = context::find_run(&journal, &args.run)?;
    let only = context::find_tasks(&journal, &run, &args.task)?;
    let (world, config) = place.world()?;
    let mut ledger = Ledger::open(journal, &run)?;
    let _lock = world.lock_forge()?;
    let queued = ledger.state().pulls_missing().len();
    let pulls = if ledger.state().forge.pulls.is_empty() {
        Vec::new()
    } else {
        let runtime = runtime()?;
        let mut tell = |line: &str| eprintln!("{line}");
        runtime.block_on(async {
            let mut desk = Desk::new(&world, &mut ledger, &config.github, &mut tell).await?;
            desk.standing(&only, &config.github.reviewers).await
        })?
    };
    print(&if args.json {
        report::pulls_json(&run, &pulls, queued)
    } else {
        report::pulls(&pulls, queued)
    })?;
    Ok(ExitCode::SUCCESS)
}
