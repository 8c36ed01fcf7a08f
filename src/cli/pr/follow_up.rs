//! `orch pr address` and `orch pr fix`.

use crate::cli::context::{self, Place, runtime};
use crate::cli::error::CliError;
use crate::cli::status::print;
use crate::config::Config;
use crate::model::parse_duration;
use crate::report;
use crate::supervisor::{Desk, FollowUpOptions, FollowUpOutcome, FollowedUp, Ledger};
use std::process::ExitCode;
use std::time::Duration;

/// Give what reviewers said on pull requests to the tasks' agents, and answer them
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch pr address\n  orch pr address fix-login --from some-bot\n\nRemarks on lines, reviews and \
                  comments that have no answer go to the agent of the task, in its worktree, with its session where it\n\
                  can go on with one. What it does is committed, verified by the task's commands, and pushed, never by \
                  force. Then\neach is answered with the commit, and threads are resolved where it changed something. \
                  What was answered, or resolved, is not\ntaken up again: answer in the thread, or unresolve it, to ask \
                  for more.\n\nWhat a remark says steers an agent that runs on your machine. So only people are heard who \
                  are an owner, member or\ncollaborator of the repository, and you; what others (and bots) write is \
                  never shown to an agent, but listed as skipped. To\nhear someone else as well: --from LOGIN, or \
                  [github] reviewers in orch.toml.\n\nExit codes: 0 all that was open is addressed, 1 something is not, 3 \
                  a branch cannot be pushed."
)]
pub(super) struct Address {
    /// Tasks (name, id, or an unambiguous prefix) [default: all with an open pull request].
    task: Vec<String>,
    /// Hear this account too, whatever it is to the repository (may be repeated).
    #[arg(long, value_name = "LOGIN")]
    from: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Give checks that fail on pull requests to the tasks' agents, until they pass
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch pr fix\n  orch pr fix fix-login --wait --max 5\n\nWhat the checks say (their summary, the \
                  lines they mark, the end of a GitHub Actions log) goes to the agent of the task, in its\nworktree. What \
                  it does is committed, verified by the task's commands, and pushed, never by force; then the checks run \
                  again.\nWith --wait they are waited for, and the agent is asked again, up to --max times for a pull \
                  request in all, whichever\ncommand asked.\n\nExit codes: 0 nothing fails, or (without --wait) a fix was \
                  pushed; 1 checks fail and the agent could not mend them, or\nwas asked often enough; 3 a branch cannot \
                  be pushed."
)]
pub(super) struct Fix {
    /// Tasks (name, id, or an unambiguous prefix) [default: all with an open pull request].
    task: Vec<String>,
    /// How often an agent is asked about a pull request, in all [default: fixes in [github], 3].
    #[arg(long, value_name = "N")]
    max: Option<u32>,
    /// Wait for checks to end.
    #[arg(long)]
    wait: bool,
    /// For how long, each time.
    #[arg(long, value_name = "DUR", default_value = "2h", value_parser = parse_duration, requires = "wait")]
    timeout: Duration,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// One JSON document (orch.follow-up/1).
    #[arg(long)]
    json: bool,
    /// Ask GitHub even though it failed several times in a row just now.
    #[arg(long)]
    now: bool,
    /// The run (id, prefix, or `latest`).
    #[arg(long, default_value = "latest")]
    run: String,
}

pub(super) fn address(place: &Place, args: &Address) -> Result<ExitCode, CliError> {
    follow_up(place, &args.task, &args.common, "address", |options, _| {
        options.reviewers.extend(args.from.iter().cloned());
    })
}

pub(super) fn fix(place: &Place, args: &Fix) -> Result<ExitCode, CliError> {
    follow_up(place, &args.task, &args.common, "fix", |options, config| {
        options.most = args.max.unwrap_or(config.github.fixes);
        options.wait = args.wait.then_some(args.timeout);
    })
}

fn follow_up(
    place: &Place,
    tasks: &[String],
    common: &Common,
    command: &str,
    set: impl FnOnce(&mut FollowUpOptions, &Config),
) -> Result<ExitCode, CliError> {
    let (_, _, journal) = place.sound_history()?;
    let run = context::find_run(&journal, &common.run)?;
    let only = context::find_tasks(&journal, &run, tasks)?;
    let (world, config) = place.world()?;
    let mut ledger = Ledger::open(journal, &run)?;
    let lock = world.lock_forge()?;
    ledger.catch_up()?;
    let mut options = FollowUpOptions {
        only,
        reviewers: config.github.reviewers.clone(),
        helper: crate::supervisor::profiles(&config)?.remove(&config.agent),
        now: common.now,
        ..FollowUpOptions::default()
    };
    set(&mut options, &config);
    let done = if ledger.state().forge.pulls.is_empty() && options.only.is_empty() {
        Vec::new()
    } else {
        let mut tell = |line: &str| eprintln!("{line}");
        runtime()?.block_on(async {
            let mut desk = Desk::new(&world, &mut ledger, &config.github, &mut tell).await?;
            desk.hold(lock);
            match command {
                "fix" => desk.fix(&options).await,
                _ => desk.address(&options).await,
            }
        })?
    };
    print(&if common.json {
        report::follow_ups_json(&done, command)
    } else {
        report::follow_ups(&done, command)
    })?;
    Ok(code(&done))
}

fn code(done: &[FollowedUp]) -> ExitCode {
    use FollowUpOutcome as O;
    let code = |outcome: &O| match outcome {
        O::NothingOpen
        | O::Addressed { .. }
        | O::Passed(_)
        | O::Pending(_)
        | O::Fixed { .. }
        | O::Merged => 0,
        O::NotMended { .. }
        | O::GivenUp { .. }
        | O::Failed { .. }
        | O::NoPullRequest
        | O::Closed
        | O::Busy(_)
        | O::OfMany(_)
        | O::Waiting(_) => 1,
        O::Diverged | O::Refused(_) => 3,
    };
    ExitCode::from(done.iter().map(|followed| code(&followed.outcome)).max().unwrap_or(0))
}
