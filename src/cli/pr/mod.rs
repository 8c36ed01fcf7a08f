//! `orch pr`: pull requests on GitHub.

mod create;
mod failure;
mod follow_up;
mod merge;
mod status;

pub(super) use create::{send_queued, send_run};
pub(super) use failure::report_failure;

use super::context::Place;
use super::error::CliError;
use std::process::ExitCode;

/// Open, watch, follow up and merge pull requests on GitHub
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch pr create\n  orch pr status\n  orch pr address\n  orch pr fix --wait\n  orch pr merge --wait\n\nThe repository is the one that \
                  the remote names, the token that of GITHUB_TOKEN, GH_TOKEN or `gh auth token`\n(see [github] in \
                  orch.toml)."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(create::Args),
    Status(status::Args),
    Address(follow_up::Address),
    Fix(follow_up::Fix),
    Merge(merge::Args),
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    match &args.command {
        Command::Create(args) => create::run(place, args),
        Command::Status(args) => status::run(place, args),
        Command::Address(args) => follow_up::address(place, args),
        Command::Fix(args) => follow_up::fix(place, args),
        Command::Merge(args) => merge::run(place, args),
    }
}
