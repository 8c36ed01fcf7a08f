//! `orch retry`.

use super::context::{self, Place};
use super::error::CliError;
use super::execute::{Form, supervise};
use crate::model::{Event, TaskId, TaskState};
use crate::supervisor::{Ledger, SupervisorError, World};
use std::process::ExitCode;

/// Run tasks again that failed, were cancelled or lost, or cannot land
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch retry fix-login\n  orch retry --failed\n\nWhat the failed attempt left in the \
                  worktree is kept under refs/orch/graveyard/ and the agent starts\nfrom the task's base again; a task \
                  that conflicted starts from where the target branch is now. A prompt that was\nedited since is used \
                  as it is now."
)]
pub(super) struct Args {
    /// Tasks (name, id, or an unambiguous prefix).
    #[arg(required_unless_present = "failed", conflicts_with = "failed")]
    task: Vec<String>,
    /// Every task of the run that did not succeed.
    #[arg(long)]
    failed: bool,
    /// The run (id, prefix, or `latest`).
    #[arg(long, default_value = "latest")]
    run: String,
    #[command(flatten)]
    form: Form,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, _, journal) = place.history()?;
    let run = context::find_run(&journal, &args.run)?;
    let mut ids: Vec<TaskId> = Vec::new();
    for name in &args.task {
        ids.push(journal.find_task(Some(&run), name)?.id);
    }
    let mut ledger = Ledger::open(journal, &run)?;
    let state = ledger.state();
    let standings = state.standings();
    let mut again = Vec::new();
    for (position, task) in state.spec.tasks.iter().enumerate() {
        let now_is = state.task_state(position, &standings);
        let ended_badly = matches!(
            now_is,
            TaskState::Failed
                | TaskState::TimedOut
                | TaskState::Cancelled
                | TaskState::Conflicted
                | TaskState::Interrupted
        );
        if args.failed && ended_badly {
            again.push(task.id.clone());
        } else if ids.contains(&task.id) {
            // By name also what succeeded but cannot land: it breaks what it is merged with.
            if !ended_badly && now_is != TaskState::Succeeded {
                return Err(CliError::usage(format!(
                    "{} is {now_is}; only a task that has ended and has not landed can run again",
                    task.name
                )));
            }
            again.push(task.id.clone());
        }
    }
    if again.is_empty() {
        eprintln!("nothing to retry");
        return Ok(ExitCode::SUCCESS);
    }
    let (world, _) = place.world()?;
    let target = ledger.state().spec.target.clone();
    let onto = target.map(|branch| world.repo.branch_tip(&branch)).transpose()?.flatten();
    for id in &again {
        refresh_prompt(&world, &ledger, id)?;
    }
    match world.lock() {
        Ok(lock) => {
            world.repo.identity()?;
            ledger.record(vec![Event::RetryRequested { tasks: again, onto }])?;
            let code = supervise(place, &world, ledger, args.form)?;
            drop(lock);
            Ok(code)
        }
        Err(SupervisorError::Busy(_)) => {
            let count = again.len();
            ledger.record(vec![Event::RetryRequested { tasks: again, onto }])?;
            eprintln!("asked the running supervisor to run {count} again; see: orch status");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error.into()),
    }
}

/// A prompt that was edited since is what the user wants to be run.
fn refresh_prompt(world: &World, ledger: &Ledger, id: &TaskId) -> Result<(), CliError> {
    let state = ledger.state();
    let Some(task) = state.position(id).map(|p| &state.spec.tasks[p]) else { return Ok(()) };
    let (edited, stored) = (world.root.join(&task.prompt), world.layout.prompt(&state.spec.id, id));
    let Ok(text) = std::fs::read(&edited) else { return Ok(()) };
    if std::fs::read(&stored).is_ok_and(|before| before == text) {
        return Ok(());
    }
    // What is wrong with it is said before anything starts.
    crate::prompt::load(std::slice::from_ref(&edited), &world.root)?;
    std::fs::write(&stored, text)
        .map_err(|e| CliError::failed(format!("write {}: {e}", stored.display())))?;
    eprintln!("{} was edited since; the new text is used", task.prompt);
    Ok(())
}
