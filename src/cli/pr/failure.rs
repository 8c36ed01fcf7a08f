//! `orch report --issue`.

use crate::cli::context::{self, Place, runtime};
use crate::cli::error::CliError;
use crate::cli::status::print;
use crate::supervisor::{Desk, Ledger};
use std::process::ExitCode;

/// Files an issue about what failed in a run; the one that is there already is shown again.
pub(in crate::cli) fn report_failure(place: &Place, run: &str) -> Result<ExitCode, CliError> {
    let (_, _, journal) = place.sound_history()?;
    let run = context::find_run(&journal, run)?;
    let (world, config) = place.world()?;
    let mut ledger = Ledger::open(journal, &run)?;
    let _lock = world.lock_forge()?;
    let mut tell = |line: &str| eprintln!("{line}");
    let issue = runtime()?.block_on(async {
        let mut desk = Desk::new(&world, &mut ledger, &config.github, &mut tell).await?;
        desk.report_failure().await
    })?;
    print(&format!("issue #{}: {}\n", issue.number, issue.url))?;
    Ok(ExitCode::SUCCESS)
}
