//! `orch pr create`.

use crate::cli::context::{self, Place, runtime};
use crate::cli::error::{CliError, Kind};
use crate::cli::status::print;
use crate::config::Config;
use crate::report;
use crate::supervisor::{
    Desk, Ledger, PullChoice, PullOptions, PullOutcome, SupervisorError, World, queue_pulls,
};
use std::process::ExitCode;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
/// Push finished tasks and open a pull request for each, or bring those up to date that exist
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch pr create\n  orch pr create fix-login --draft\n  orch pr create --unified\n\nWhat cannot be \
                  sent now is queued, and sent by the next `orch pr create` or `orch resume`. Nothing is ever opened\n\
                  twice: what exists is looked up first."
)]
pub(in crate::cli) struct Args {
    /// Tasks (name, id, or an unambiguous prefix) [default: every finished one].
    task: Vec<String>,
    /// One pull request for all of them.
    #[arg(long)]
    unified: bool,
    /// As drafts.
    #[arg(long)]
    draft: bool,
    /// No issues, whatever orch.toml says.
    #[arg(long)]
    no_issues: bool,
    /// The branch they go to [default: the one the run began on].
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// Ask GitHub even though it failed several times in a row just now.
    #[arg(long)]
    now: bool,
    /// The run (id, prefix, or `latest`).
    #[arg(long, default_value = "latest")]
    run: String,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, _, journal) = place.sound_history()?;
    let run = context::find_run(&journal, &args.run)?;
    let named = context::find_tasks(&journal, &run, &args.task)?;
    let (world, config) = place.world()?;
    let mut ledger = Ledger::open(journal, &run)?;
    let lock = world.lock_forge()?;
    let choice = if named.is_empty() { PullChoice::Finished } else { PullChoice::Named(named) };
    let options = PullOptions {
        unified: args.unified,
        draft: args.draft,
        issues: config.github.issues && !args.no_issues,
        into: args.into.clone().or_else(|| config.into.clone()),
    };
    let mut outcomes = queue_pulls(&mut ledger, &choice, &options)?;
    if ledger.state().forge.wanted.is_none() {
        print(&report::pull_outcomes(&outcomes))?;
        return Ok(code(&outcomes, !args.task.is_empty()));
    }
    let result = send(&world, &mut ledger, &config, args.now, &mut |line| eprintln!("{line}"));
    outcomes.extend(result?);
    drop(lock);
    print(&report::pull_outcomes(&outcomes))?;
    Ok(code(&outcomes, !args.task.is_empty()))
}

fn send(
    world: &World,
    ledger: &mut Ledger,
    config: &Config,
    now: bool,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<(String, PullOutcome)>, SupervisorError> {
    let runtime = runtime().map_err(|error| SupervisorError::Refused(error.to_string()))?;
    runtime.block_on(async {
        let mut desk = Desk::new(world, ledger, &config.github, tell).await?;
        let outcomes = desk.send(now).await;
        let calls = desk.calls();
        tracing::debug!(calls.reads, calls.writes, "requests to GitHub");
        outcomes
    })
}

/// 3 when something could not be done, 1 when something was not done yet.
fn code(outcomes: &[(String, PullOutcome)], named: bool) -> ExitCode {
    use PullOutcome as O;
    let any = |is: fn(&O) -> bool| outcomes.iter().any(|(_, outcome)| is(outcome));
    if any(|o| matches!(o, O::Conflict(_) | O::Foreign(_) | O::Refused(_))) {
        return ExitCode::from(3);
    }
    let late = any(|o| matches!(o, O::Queued(_)));
    let unfinished = named && any(|o| matches!(o, O::NotFinished(_)));
    ExitCode::from(u8::from(late || unfinished))
}

/// `--merge pr` at the end of a run. What GitHub does or does not do changes nothing about the run.
pub(in crate::cli) fn send_run(
    place: &Place,
    world: &World,
    ledger: &mut Ledger,
    show: bool,
) -> Result<(), CliError> {
    let (_, config) = place.configured()?;
    let options = PullOptions { issues: config.github.issues, ..PullOptions::default() };
    let queued = queue_pulls(ledger, &PullChoice::Finished, &options);
    let sent = queued.and_then(|mut outcomes| {
        let _lock = world.lock_forge()?;
        if ledger.state().forge.wanted.is_some() {
            outcomes.extend(send(world, ledger, &config, false, &mut |line| eprintln!("{line}"))?);
        }
        Ok(outcomes)
    });
    match sent {
        Ok(outcomes) if show => print(&report::pull_outcomes(&outcomes)),
        Ok(_) => Ok(()),
        Err(error) => {
            eprintln!("pull requests are not open yet: {error}\nopen them with: orch pr create");
            Ok(())
        }
    }
}

/// What an earlier command could not send. Whether there was anything.
pub(in crate::cli) fn send_queued(
    place: &Place,
    world: &World,
    ledger: &mut Ledger,
) -> Result<bool, CliError> {
    if ledger.state().pulls_missing().is_empty() {
        return Ok(false);
    }
    let (_, config) = place.configured()?;
    let _lock = world.lock_forge()?;
    let sent = send(world, ledger, &config, false, &mut |line| eprintln!("{line}"));
    let outcomes = sent.map_err(|error| CliError::new(Kind::Failed, error))?;
    eprint!("{}", report::pull_outcomes(&outcomes));
    Ok(true)
}
