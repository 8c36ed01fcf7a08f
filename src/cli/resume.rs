//! `orch resume`.

use super::context::{self, Place};
use super::detached;
use super::error::CliError;
use super::execute::{Form, supervise};
use crate::journal::Journal;
use crate::model::{Event, RunState};
use crate::process::SupervisorLock;
use crate::supervisor::{Ledger, World, has_run};
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
    if !world.layout.journal().exists() && !has_run(&world.layout) {
        return Err(context::nothing_yet(&world.layout));
    }
    match continue_paused(&world, args) {
        Ok(Some(code)) => return Ok(code),
        // Rebuilt below, unless somebody is at work on it.
        Err(damage) if !damage.is_damage() => return Err(damage),
        _ => {}
    }
    let lock = world.lock()?;
    let (journal, rebuilt) = world.take_journal_unchecked(&lock)?;
    context::tell_rebuilt(rebuilt.as_ref());
    let opened = open(journal, &args.run).and_then(|mut ledger| {
        ledger.finish_check()?;
        Ok(ledger)
    });
    let ledger = match opened {
        Err(damage) if damage.is_damage() => {
            let (journal, rebuilt) = world.rebuild_journal(&lock, &damage)?;
            context::tell_rebuilt(Some(&rebuilt));
            open(journal, &args.run)?
        }
        other => other?,
    };
    let id = ledger.state().spec.id.clone();
    let mut ledger = ledger;
    context::take_up(&world, &lock, &mut ledger)?;
    if is_over(&ledger) {
        let sent = super::pr::send_queued(place, &world, &mut ledger)?;
        let (state, _) =
            ledger.state().finished.unwrap_or((RunState::Failed, crate::supervisor::now()));
        let view = super::status::json(ledger.journal(), &ledger.state().run_view())?;
        if args.form.is_json() {
            super::status::print(&view)?;
        } else if !sent {
            eprintln!(
                "{id} is over ({state}); nothing to resume. To run failed tasks again: orch retry TASK"
            );
        }
        return Ok(ExitCode::from(u8::from(state != RunState::Succeeded)));
    }
    world.repo.identity()?;
    context::refuse_unreachable(&world)?;
    if args.detach {
        drop(lock);
        return detached::start(place, &world, &id);
    }
    let code = supervise(place, &world, &lock, ledger, args.form)?;
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

/// The run that is meant: the newest that is not over comes before a newer one that is.
fn open(journal: Journal, name: &str) -> Result<Ledger, CliError> {
    let unfinished = journal.unfinished(1)?.pop().filter(|_| name == "latest");
    let id = match unfinished {
        Some(run) => run.id,
        None => context::find_run(&journal, name)?,
    };
    let ledger = Ledger::open(journal, &id)?;
    if is_over(&ledger) {
        // Nobody will meet the damage of a large one later, and this is what is advised against it.
        ledger.journal().refuse_damage()?;
    }
    Ok(ledger)
}

fn is_over(ledger: &Ledger) -> bool {
    let state = ledger.state();
    matches!(state.finished, Some((state, _)) if state != RunState::Interrupted)
        && state.open_attempts().next().is_none()
}
