//! `orch resume`.

use super::context::{self, Place};
use super::error::CliError;
use super::execute::{Form, supervise};
use crate::journal::{Journal, Layout};
use crate::model::{Event, RunId, RunState};
use crate::supervisor::{Ledger, World};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

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
    #[command(flatten)]
    form: Form,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    // A clear answer where nothing ever ran, before anything is made.
    let (_, layout, journal) = place.history()?;
    if let Some(code) = continue_paused(&layout, journal, args)? {
        return Ok(code);
    }
    let (world, _) = place.world()?;
    let lock = world.lock()?;
    let journal = world.journal()?;
    // The newest run that is not over comes before a newer one that is.
    let unfinished = journal.unfinished(1)?.pop().filter(|_| args.run == "latest");
    let id = match unfinished {
        Some(run) => run.id,
        None => context::find_run(&journal, &args.run)?,
    };
    let ledger = Ledger::open(journal, &id)?;
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
        return detach(place, &world, &id);
    }
    let code = supervise(place, &world, ledger, args.form)?;
    drop(lock);
    Ok(code)
}

/// A paused run that a supervisor works on only needs to be told; `None` for any other.
fn continue_paused(
    layout: &Layout,
    journal: Journal,
    args: &Args,
) -> Result<Option<ExitCode>, CliError> {
    let Some(live) = context::live_run(layout, &journal)? else { return Ok(None) };
    let meant = args.run == "latest" || context::find_run(&journal, &args.run)? == live.id;
    if !meant || live.state != RunState::Paused {
        return Ok(None);
    }
    let mut ledger = Ledger::open(journal, &live.id)?;
    ledger.record(vec![Event::ContinueRequested])?;
    eprintln!("{} goes on; follow with: orch status --watch", live.id);
    Ok(Some(ExitCode::SUCCESS))
}

/// Starts `orch resume RUN` in a session of its own and returns once it has taken the run over.
pub(super) fn detach(place: &Place, world: &World, run: &RunId) -> Result<ExitCode, CliError> {
    let program = std::env::current_exe()
        .map_err(|e| CliError::failed(format!("find the orch executable: {e}")))?;
    let log = world.layout.run(run).join("supervisor.log");
    let file = log
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::File::create(&log))
        .map_err(|e| CliError::failed(format!("write {}: {e}", log.display())))?;
    let mut command = Command::new(program);
    command
        .args(["resume", run.as_str(), "--format", "ndjson"])
        .current_dir(&place.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file);
    let mut child = crate::process::in_own_session(&mut command)
        .spawn()
        .map_err(|e| CliError::failed(format!("start the supervisor: {e}")))?;
    // It is in the background once its first event is recorded; a quick run may be over by then.
    let journal = world.journal()?;
    loop {
        if journal.run_view(run)?.supervisor.pid == Some(child.id()) {
            break;
        }
        if child.try_wait()?.is_some() {
            let words = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(CliError::failed(format!(
                "the supervisor in the background ended at once: {}",
                words.trim()
            )));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    super::status::print(&format!("{run}\n"))?;
    eprintln!("running in the background; follow with: orch status --watch");
    Ok(ExitCode::SUCCESS)
}
