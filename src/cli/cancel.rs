//! `orch cancel`.

use super::context::{self, Place, runtime};
use super::error::CliError;
use crate::engine::{Standings, State};
use crate::model::{Event, TaskId, TaskState};
use crate::supervisor::{Ledger, cancel_without_supervisor};
use std::process::ExitCode;

/// Stop tasks; their branches and worktrees stay
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orch cancel fix-login\n  orch cancel --all")]
pub(super) struct Args {
    /// Tasks (name, id, or an unambiguous prefix).
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    task: Vec<String>,
    /// Every task of the run.
    #[arg(long)]
    all: bool,
    /// The run (id, prefix, or `latest`).
    #[arg(long, default_value = "latest")]
    run: String,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (world, lock, journal) = place.take()?;
    let run = context::find_run(&journal, &args.run)?;
    let ids = context::find_tasks(&journal, &run, &args.task)?;
    let mut ledger = Ledger::open(journal, &run)?;
    if let Some(lock) = &lock {
        context::take_up(&world, lock, &mut ledger)?;
    }
    let standings = ledger.state().standings();
    let open = |id: &TaskId| {
        let position = ledger.state().position(id);
        position
            .is_some_and(|p| !standings.is_settled(p) || !is_over(ledger.state(), &standings, p))
    };
    let all: Vec<TaskId> = ledger.state().spec.tasks.iter().map(|t| t.id.clone()).collect();
    let wanted = if args.all { all } else { ids };
    let (ids, ended): (Vec<TaskId>, Vec<TaskId>) = wanted.into_iter().partition(open);
    if !args.all {
        for id in &ended {
            let name =
                ledger.state().position(id).map(|p| ledger.state().spec.tasks[p].name.clone());
            eprintln!("{} has ended already", name.unwrap_or_else(|| id.to_string()));
        }
    }
    if ids.is_empty() {
        eprintln!("nothing to cancel");
        return Ok(ExitCode::SUCCESS);
    }
    let count = ids.len();
    if lock.is_some() {
        runtime()?.block_on(cancel_without_supervisor(&world, &mut ledger, ids))?;
        eprintln!("cancelled {count}; nothing of them runs any more");
    } else {
        // The live supervisor reads the journal and stops them.
        ledger.record(vec![Event::CancelRequested { tasks: ids }])?;
        eprintln!("asked the running supervisor to cancel {count}; see: orch status");
    }
    Ok(ExitCode::SUCCESS)
}

/// A task that ended (well or badly) has nothing left to cancel.
fn is_over(state: &State, standings: &Standings, position: usize) -> bool {
    let task = state.task_state(position, standings);
    task.is_final() && task != TaskState::Interrupted
}
