//! `orch ps`.

use super::context::Place;
use super::error::CliError;
use crate::journal::{Journal, Layout};
use crate::model::{RunView, TaskState, TaskView};
use crate::process::{LogReader, SupervisorLock, live};
use crate::report::{self, PsRow};
use crate::supervisor::{knows_all, now};
use std::process::ExitCode;

/// Unfinished runs that are looked at: there is one supervisor, but runs can be left behind.
const RUNS: u32 = 20;

/// Tasks of a run that are looked at; as many processes as nobody runs.
const TASKS: usize = 2000;

/// Show the processes of the attempts that run, also when no supervisor is at work
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch ps\n  orch ps fix-login\n  orch ps --json | jq '.attempts[].memory_bytes'"
)]
pub(super) struct Args {
    /// Only those of these tasks.
    #[arg(value_name = "TASK")]
    tasks: Vec<String>,
    /// One JSON document (orch.ps/1).
    #[arg(long)]
    json: bool,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, layout, journal) = place.history()?;
    let mut wanted = Vec::new();
    for name in &args.tasks {
        wanted.push(journal.find_task(None, name)?.id);
    }
    let mut rows = Vec::new();
    for run in looked_at(&layout, &journal)? {
        for task in at_work(&layout, &journal, &run)? {
            if wanted.is_empty() || wanted.contains(&task.id) {
                rows.extend(attempts(&layout, &run, &task));
            }
        }
    }
    let supervisor = SupervisorLock::holder(&layout.supervisor_lock()).map(|holder| holder.pid);
    let text = if args.json {
        report::ps_json(&rows, supervisor, now())
    } else {
        report::ps(&rows, supervisor, now(), place.style())
    };
    super::status::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs of which something may run: they are not over, or the journal is older than what happened in them.
pub(super) fn looked_at(layout: &Layout, journal: &Journal) -> Result<Vec<RunView>, CliError> {
    let mut runs = journal.unfinished(RUNS)?;
    for run in journal.runs(RUNS)? {
        if !runs.iter().any(|known| known.id == run.id) && !knows_all(layout, journal, &run.id)? {
            runs.push(run);
        }
    }
    Ok(runs)
}

/// Attempts of a run that live.
pub(super) fn alive(layout: &Layout, journal: &Journal, run: &RunView) -> Result<usize, CliError> {
    let tasks = at_work(layout, journal, run)?;
    let directories = tasks.iter().flat_map(|task| directories(layout, run, task));
    Ok(directories.filter(|(dir, ..)| matches!(live(dir), Ok(Some(_)))).count())
}

/// Tasks of which something may run: also those that were cancelled a moment ago, and any where the journal
/// is older than what happened.
pub(super) fn at_work(
    layout: &Layout,
    journal: &Journal,
    run: &RunView,
) -> Result<Vec<TaskView>, CliError> {
    use TaskState as S;
    if !knows_all(layout, journal, &run.id)? {
        return Ok(journal.tasks(&run.id)?);
    }
    let states = [S::Preparing, S::Running, S::Verifying, S::Queued, S::Interrupted, S::Cancelled];
    let tasks = journal.tasks_in(&run.id, &states, TASKS)?;
    Ok(tasks.into_iter().filter(|task| task.started_at.is_some()).collect())
}

/// The directories of a task's attempts, with step and number.
pub(super) fn directories(
    layout: &Layout,
    run: &RunView,
    task: &TaskView,
) -> Vec<(std::path::PathBuf, String, u32)> {
    let entries = std::fs::read_dir(layout.task(&run.id, &task.id)).into_iter().flatten().flatten();
    let mut out: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (step, number) = name.rsplit_once('.')?;
            Some((entry.path(), step.to_owned(), number.parse().ok()?))
        })
        .filter(|(path, ..)| path.is_dir())
        .collect();
    out.sort();
    out
}

fn attempts(layout: &Layout, run: &RunView, task: &TaskView) -> Vec<PsRow> {
    let found = directories(layout, run, task).into_iter().filter_map(|(dir, step, attempt)| {
        // One that cannot be read must not hide the others.
        let live = live(&dir).ok().flatten()?;
        Some(PsRow {
            run: run.id.clone(),
            task: task.id.clone(),
            name: task.name.clone(),
            step,
            attempt,
            live,
            last_line: LogReader::last_line(&dir),
        })
    });
    found.collect()
}
