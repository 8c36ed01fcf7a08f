//! `orch resume`.

use super::context::{self, Place};
use super::error::CliError;
use super::execute::{Form, supervise, tell_rebuilt};
use crate::journal::{Journal, Layout};
use crate::model::{Event, RunId, RunState};
use crate::process::SupervisorLock;
use crate::supervisor::{Ledger, SupervisorError, World, restore_prompts};
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
    let (world, _) = place.world()?;
    // A journal that cannot be read is for whoever holds the lock to look at; and opening it without need
    // would write its log into it.
    if SupervisorLock::holder(&world.layout.supervisor_lock()).is_some()
        && let Ok((_, layout, journal)) = place.history()
        && let Some(code) = continue_paused(&layout, journal, args)?
    {
        return Ok(code);
    }
    // A clear answer where nothing ever ran, before anything is made.
    if !world.layout.journal().exists() && !world.has_run() {
        return Err(context::nothing_yet());
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
        return detach(place, &world, &id);
    }
    let code = supervise(place, &world, ledger, args.form)?;
    drop(lock);
    Ok(code)
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
