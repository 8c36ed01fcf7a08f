//! `orch merge`.

use super::context::{self, Place, runtime};
use super::error::{CliError, Kind};
use crate::config::Config;
use crate::model::{OnConflict, Strategy};
use crate::supervisor::{LandOptions, Landing, Ledger, Outcome, SupervisorError, World, land};
use std::process::ExitCode;

/// Land finished tasks on the branch the run began on, tested together
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch merge --dry-run\n  orch merge --verify 'cargo test'\n  orch merge fix-login add-docs\n  orch merge --strategy squash --jobs 3"
)]
pub(super) struct Args {
    /// Tasks (name, id, or an unambiguous prefix) [default: every finished one].
    task: Vec<String>,
    /// A command that must pass on the merged tree (may be repeated) [default: those of the run].
    #[arg(long, value_name = "CMD", value_parser = command)]
    verify: Vec<String>,
    /// Test nothing, not even what the run was told to verify.
    #[arg(long, conflicts_with = "verify")]
    no_verify: bool,
    /// The branch to land on [default: the one the run began on].
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// How work becomes part of the branch [default: as in orch.toml, or merge].
    #[arg(long, value_enum, value_name = "HOW")]
    strategy: Option<StrategyChoice>,
    /// How many tests of merged trees may run at the same time, while the cause of a failing one is looked for
    /// [default: the run's].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    jobs: Option<u32>,
    /// Tasks that go first, in this order, where no dependency says otherwise (separated by commas).
    #[arg(long, value_name = "TASK", value_delimiter = ',')]
    first: Vec<String>,
    /// Test again what was tested before.
    #[arg(long)]
    retest: bool,
    /// Predict conflicts, between tasks too; move nothing, test nothing but what --verify says.
    #[arg(long)]
    dry_run: bool,
    /// The run (id, prefix, or `latest`).
    #[arg(long, default_value = "latest")]
    run: String,
}

/// A command that does something: an empty one passes whatever it is run on.
fn command(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("a command must not be empty; to test nothing: --no-verify".to_owned());
    }
    Ok(text.to_owned())
}

/// `--strategy`.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum StrategyChoice {
    /// A merge commit for each task, unless the branch can be moved to its work.
    Merge,
    /// One commit for each task.
    Squash,
    /// The commits of each task, one by one.
    Rebase,
}

impl From<StrategyChoice> for Strategy {
    fn from(choice: StrategyChoice) -> Self {
        match choice {
            StrategyChoice::Merge => Self::Merge,
            StrategyChoice::Squash => Self::Squash,
            StrategyChoice::Rebase => Self::Rebase,
        }
    }
}

/// What `orch.toml` says about landing.
fn configured(config: &Config) -> Result<LandOptions, CliError> {
    let profiles = crate::supervisor::profiles(config)?;
    let wanted = config.on_conflict == OnConflict::Agent;
    Ok(LandOptions {
        setup: config.setup.clone().unwrap_or_default(),
        timeout_ms: config.timeout.map(|limit| limit.as_millis().try_into().unwrap_or(u64::MAX)),
        strategy: config.merge_strategy,
        changelog: config.changelog.clone(),
        protected: config.protected.clone(),
        resolver: profiles.get(&config.agent).filter(|_| wanted).cloned(),
        ..LandOptions::default()
    })
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, _, journal) = place.sound_history()?;
    let run = context::find_run(&journal, &args.run)?;
    let only = context::find_tasks(&journal, &run, &args.task)?;
    let order = context::find_tasks(&journal, &run, &args.first)?;
    let (world, config) = place.world()?;
    let mut ledger = Ledger::open(journal, &run)?;
    let stored = &ledger.state().spec.verify;
    let verify = match (&args.verify, args.no_verify || args.dry_run) {
        (own, _) if !own.is_empty() => own.clone(),
        (_, true) => Vec::new(),
        (_, false) => stored.clone(),
    };
    let configured = configured(&config)?;
    let options = LandOptions {
        into: args.into.clone(),
        only,
        verify,
        dry_run: args.dry_run,
        strategy: args.strategy.map_or(configured.strategy, Into::into),
        jobs: args.jobs,
        order,
        retest: args.retest,
        ..configured
    };
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
    let is_stuck = |o: &Outcome| {
        matches!(
            o,
            Outcome::Conflict { .. }
                | Outcome::Broken { .. }
                | Outcome::Held { .. }
                | Outcome::BranchFails { .. }
        )
    };
    if landing.obstacle.is_some() || landing.tasks.iter().any(|(_, o)| is_stuck(o)) {
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
    let (_, config) = place.configured()?;
    let options =
        LandOptions { verify: ledger.state().spec.verify.clone(), ..configured(&config)? };
    let landing = do_merge(world, ledger, &options)?;
    if show {
        super::status::print(&crate::report::landing(&landing, false, place.style()))?;
    }
    Ok(code(&landing, false) != ExitCode::SUCCESS)
}
