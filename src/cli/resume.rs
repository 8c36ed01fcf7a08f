//! `orch resume`.

use super::context::{self, Place};
use super::detached;
use super::error::CliError;
use super::execute::{Form, supervise, tell_rebuilt};
use crate::journal::Journal;
use crate::model::{Event, RunState};
use crate::process::SupervisorLock;
use crate::supervisor::{Ledger, SupervisorError, World, restore_prompts};
use std::path::PathBuf;
use std::process::ExitCode;

/// Go on with an interrupted (or paused) run: adopts agents still alive, keeps finished work, re-runs what was lost
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orch resume\n  orch resume run-20260101-120000-ab12 --detach")]
pub(super) struct Args {
    /// The run (id, prefix, or `latest`).
    #[arg(default_value = "latest")]
    run: String,
    /// Go on in the background; follow with `orch status`.
    #[arg(long, conflicts_with_all = ["json", "format"])]
    detach: bool,
    /// Keep this file, where standard error goes, from growing without end (`--detach` says it).
    #[arg(long, value_name = "FILE", hide = true)]
    log: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (world, _) = place.world()?;
    if let Some(log) = &args.log {
        detached::keep_bounded(log);
    }
    // A clear answer where nothing ever ran, before anything is made.
    if !world.layout.journal().exists() && !world.has_run() {
        return Err(context::nothing_yet());
    }
    if let Some(code) = continue_paused(&world, args)? {
        return Ok(code);
    }
    let lock = world.lock()?;
    let (journal, rebuilt) = world.take_journal(&lock)?;
    tell_rebuilt(rebuilt.as_ref());
    let ledger = match open(journal, &args.run) {
        Err(Stop::Damage(damage)) => {
            let (journal, rebuilt) = world.rebuild_journal(&lock, &damage)?;
            tell_rebuilt(Some(&rebuilt));
            open(journal, &args.run).map_err(Stop::into_error)?
        }
        other => other.map_err(Stop::into_error)?,
    };
    let id = ledger.state().spec.id.clone();
    restore_prompts(&world.layout, &ledger.state().spec)?;
    let over =
        matches!(ledger.state().finished, Some((state, _)) if state != RunState::Interrupted);
    if over && ledger.state().open_attempts().next().is_none() {
        let (state, _) =
            ledger.state().finished.unwrap_or((RunState::Failed, crate::supervisor::now()));
        let view = super::status::json(ledger.journal(), &ledger.state().run_view())?;
        if args.form.is_json() {
            super::status::print(&view)?;
        } else {
            eprintln!(
                "{id} is over ({state}); nothing to resume. To run failed tasks again: orch retry TASK"
            );
        }
        return Ok(ExitCode::from(u8::from(state != RunState::Succeeded)));
    }
    world.repo.identity()?;
    if args.detach {
        drop(lock);
        return detached::start(place, &world, &id);
    }
    let code = supervise(place, &world, ledger, args.form)?;
    drop(lock);
    Ok(code)
}

/// A paused run that a supervisor works on only needs to be told; `None` for any other.
fn continue_paused(world: &World, args: &Args) -> Result<Option<ExitCode>, CliError> {
    if SupervisorLock::holder(&world.layout.supervisor_lock()).is_none() {
        return Ok(None);
    }
    let journal = world.journal()?;
    let Some(live) = context::live_run(&world.layout, &journal)? else { return Ok(None) };
    let meant = args.run == "latest" || context::find_run(&journal, &args.run)? == live.id;
    if !meant || live.state != RunState::Paused {
        return Ok(None);
    }
    let mut ledger = Ledger::open(journal, &live.id)?;
    ledger.record(vec![Event::ContinueRequested])?;
    eprintln!("{} goes on; follow with: orch status --watch", live.id);
    Ok(Some(ExitCode::SUCCESS))
}

/// Why a run could not be opened.
enum Stop {
    Damage(SupervisorError),
    Other(CliError),
}

impl Stop {
    fn into_error(self) -> CliError {
        match self {
            Self::Damage(error) => error.into(),
            Self::Other(error) => error,
        }
    }
}

impl<E: Into<SupervisorError>> From<E> for Stop {
    fn from(error: E) -> Self {
        let error = error.into();
        if error.is_damage() { Self::Damage(error) } else { Self::Other(error.into()) }
    }
}

/// The run that is meant: the newest that is not over comes before a newer one that is.
fn open(journal: Journal, name: &str) -> Result<Ledger, Stop> {
    let unfinished = journal.unfinished(1)?.pop().filter(|_| name == "latest");
    let id = match unfinished {
        Some(run) => run.id,
        None => journal.find_run(name)?.ok_or_else(|| Stop::Other(context::nothing_yet()))?,
    };
    Ok(Ledger::open(journal, &id)?)
}
