//! `orch merge`.

use super::context::{self, Place, runtime};
use super::error::{CliError, Kind};
use crate::supervisor::{LandOptions, Landing, Ledger, Outcome, SupervisorError, World, land};
use std::process::ExitCode;

/// Land finished tasks on the branch the run began on, tested together
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch merge --dry-run\n  orch merge --verify 'cargo test'\n  orch merge fix-login add-docs"
)]
pub(super) struct Args {
    /// Tasks (name, id, or an unambiguous prefix) [default: every finished one].
    task: Vec<String>,
    /// A command that must pass on the merged tree (may be repeated) [default: those of the run].
    #[arg(long, value_name = "CMD")]
    verify: Vec<String>,
    /// Test nothing, not even what the run was told to verify.
    #[arg(long, conflicts_with = "verify")]
    no_verify: bool,
    /// The branch to land on [default: the one the run began on].
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// Predict conflicts; move nothing.
    #[arg(long)]
    dry_run: bool,
    /// The run (id, prefix, or `latest`).
    #[arg(long, default_value = "latest")]
    run: String,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, _, journal) = place.sound_history()?;
    let run = context::find_run(&journal, &args.run)?;
    let mut only = Vec::new();
    for name in &args.task {
        only.push(journal.find_task(Some(&run), name)?.id);
    }
    let (world, _) = place.world()?;
    let mut ledger = Ledger::open(journal, &run)?;
    let stored = &ledger.state().spec.verify;
    let verify = match (&args.verify, args.no_verify) {
        (_, true) => Vec::new(),
        (own, false) if own.is_empty() => stored.clone(),
        (own, false) => own.clone(),
    };
    let options = LandOptions { into: args.into.clone(), only, verify, dry_run: args.dry_run };
    let landing = do_merge(&world, &mut ledger, &options)?;
    super::status::print(&crate::report::landing(&landing, args.dry_run, place.style()))?;
    Ok(code(&landing, !args.task.is_empty()))
}

fn do_merge(
    world: &World,
    ledger: &mut Ledger,
    options: &LandOptions,
) -> Result<Landing, CliError> {
    let mut tell = |line: &str| eprintln!("{line}");
    runtime()?.block_on(land(world, ledger, options, &mut tell)).map_err(|error| match error {
        SupervisorError::Refused(message) => CliError::new(Kind::Conflict, message),
        other => other.into(),
    })
}

/// 3 when something could not be merged, 1 when something asked for by name has not finished.
fn code(landing: &Landing, named: bool) -> ExitCode {
    let is_stuck = |o: &Outcome| matches!(o, Outcome::Conflict { .. } | Outcome::Broken { .. });
    if landing.tasks.iter().any(|(_, o)| is_stuck(o)) {
        return ExitCode::from(3);
    }
    let unfinished = landing.tasks.iter().any(|(_, o)| matches!(o, Outcome::NotFinished(_)));
    ExitCode::from(u8::from(named && unfinished))
}

/// `--merge local` at the end of a run. Whether something could not be merged.
pub(super) fn merge_run(
    place: &Place,
    world: &World,
    ledger: &mut Ledger,
    show: bool,
) -> Result<bool, CliError> {
    let options =
        LandOptions { verify: ledger.state().spec.verify.clone(), ..LandOptions::default() };
    let landing = do_merge(world, ledger, &options)?;
    if show {
        super::status::print(&crate::report::landing(&landing, false, place.style()))?;
    }
    Ok(code(&landing, false) != ExitCode::SUCCESS)
}
