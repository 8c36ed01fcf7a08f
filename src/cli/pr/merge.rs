//! `orch pr merge`.

use crate::cli::context::{self, Place, runtime};
use crate::cli::error::CliError;
use crate::cli::status::print;
use crate::forge::Method;
use crate::model::parse_duration;
use crate::report;
use crate::supervisor::{Desk, Ledger, MergeOptions, MergeOutcome, MergedPull};
use std::process::ExitCode;
use std::time::Duration;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
/// Merge pull requests on GitHub, in the plan's order, each at the commit that was pushed
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch pr merge --wait\n  orch pr merge fix-login --method squash\n\nA repository with a merge queue \
                  is given them for its queue; one that allows auto-merge merges what waits for\nchecks or reviews by \
                  itself. What changed on GitHub since it was pushed from here is never merged.\n\nExit codes: 0 all \
                  merged or handed over, 1 some wait, 3 some cannot be merged."
)]
pub(super) struct Args {
    /// Tasks (name, id, or an unambiguous prefix) [default: all with a pull request].
    task: Vec<String>,
    /// All of them, one after another; what is done when no task is named.
    #[arg(long, conflicts_with = "task")]
    batch: bool,
    /// How [default: the first of these that the repository allows].
    #[arg(long, value_name = "HOW")]
    method: Option<How>,
    /// Wait for checks and reviews.
    #[arg(long)]
    wait: bool,
    /// For how long.
    #[arg(long, value_name = "DUR", default_value = "2h", value_parser = parse_duration, requires = "wait")]
    timeout: Duration,
    /// Test them together as one, wait for its checks, and merge all at once; halved where it fails.
    #[arg(long, conflicts_with = "method")]
    rollup: bool,
    /// Ask GitHub even though it failed several times in a row just now.
    #[arg(long)]
    now: bool,
    /// The run (id, prefix, or `latest`).
    #[arg(long, default_value = "latest")]
    run: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum How {
    /// With a merge commit.
    Merge,
    /// As one commit.
    Squash,
    /// Each commit on top of the branch.
    Rebase,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, _, journal) = place.sound_history()?;
    let run = context::find_run(&journal, &args.run)?;
    let only = context::find_tasks(&journal, &run, &args.task)?;
    let (world, config) = place.world()?;
    let mut ledger = Ledger::open(journal, &run)?;
    let _lock = world.lock_forge()?;
    if ledger.state().forge.pulls.is_empty() {
        return Err(CliError::usage(format!(
            "{run} has no pull request yet; open them with: orch pr create"
        )));
    }
    let options = MergeOptions {
        only,
        method: args.method.map(|how| match how {
            How::Merge => Method::Merge,
            How::Squash => Method::Squash,
            How::Rebase => Method::Rebase,
        }),
        wait: args.wait.then_some(args.timeout),
        now: args.now,
    };
    let runtime = runtime()?;
    let mut tell = |line: &str| eprintln!("{line}");
    let merged = runtime.block_on(async {
        let mut desk = Desk::new(&world, &mut ledger, &config.github, &mut tell).await?;
        if args.rollup { desk.rollup(&options).await } else { desk.merge(&options).await }
    })?;
    let into = ledger.state().forge.pulls.first().map(|pull| pull.into.clone()).unwrap_or_default();
    print(&report::merged_pulls(&merged, &into))?;
    Ok(code(&merged))
}

fn code(merged: &[MergedPull]) -> ExitCode {
    use MergeOutcome as O;
    let code = |outcome: &O| match outcome {
        O::Merged(_) | O::HandedOver(_) => 0,
        O::Waiting(_) => 1,
        _ => 3,
    };
    ExitCode::from(merged.iter().map(|pull| code(&pull.outcome)).max().unwrap_or(0))
}
