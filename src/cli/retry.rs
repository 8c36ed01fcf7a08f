//! `orch retry`.

use super::context::{self, Place};
use super::error::CliError;
use super::execute::{Form, supervise};
use crate::model::{Event, TaskId, TaskState};
use crate::supervisor::{Ledger, SupervisorError};
use std::process::ExitCode;

/// Run failed, cancelled or lost tasks again
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch retry fix-login\n  orch retry --failed\n\nWhat the failed attempt left in the \
                  worktree is kept under refs/orch/graveyard/ and the agent starts\nfrom the task's base again. A \
                  task in conflict does not run again; it can be merged once more."
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
        let retryable = matches!(
            now_is,
            TaskState::Failed
                | TaskState::TimedOut
                | TaskState::Cancelled
                | TaskState::Conflicted
                | TaskState::Interrupted
        );
        if args.failed && retryable {
            again.push(task.id.clone());
        } else if ids.contains(&task.id) {
            if !retryable {
                return Err(CliError::usage(format!(
                    "{} is {now_is}; only a task that failed, was cancelled or was lost can run again",
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
    match world.lock() {
        Ok(lock) => {
            world.repo.identity()?;
            ledger.record(vec![Event::RetryRequested { tasks: again }])?;
            let code = supervise(place, &world, ledger, args.form)?;
            drop(lock);
            Ok(code)
        }
        Err(SupervisorError::Busy(_)) => {
            let count = again.len();
            ledger.record(vec![Event::RetryRequested { tasks: again }])?;
            eprintln!("asked the running supervisor to run {count} again; see: orch status");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error.into()),
    }
}
