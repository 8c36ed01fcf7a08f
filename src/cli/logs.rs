//! `orch logs`.

use super::context::{self, Place, runtime};
use super::error::CliError;
use crate::journal::{Journal, Layout, TaskRef};
use crate::model::{AttemptId, LogView, StepId, TaskView};
use crate::process::{Entry, Follower, LogReader, Stream};
use crate::report::bytes;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Show what an agent printed
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch logs fix-login -f\n  orch logs fix-login --attempt 1 --raw > out.jsonl\n  orch \
                        logs fix-login --step verify"
)]
pub(super) struct Args {
    /// The task (name, id, or an unambiguous prefix).
    task: String,
    /// Wait for more until the task ends.
    #[arg(short, long)]
    follow: bool,
    /// The attempt [default: the last].
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// The step [default: the last that printed].
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// The agent's standard output, byte for byte.
    #[arg(long)]
    raw: bool,
    /// The run (id, prefix, or `latest`) [default: the newest that has the task].
    #[arg(long)]
    run: Option<String>,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, layout, journal) = place.history()?;
    let task = context::find_task(&journal, args.run.as_deref(), &args.task)?;
    let mut shown: Option<AttemptId> = None;
    loop {
        let view = journal.task_view(&task)?;
        match choose(&view, &task, args, shown.as_ref()) {
            Some(attempt) => {
                show(&layout, &task, &attempt, args)?;
                shown = Some(attempt);
            }
            None if shown.is_none() && !args.follow => {
                let what = match (args.step.as_deref(), args.attempt) {
                    (Some(step), Some(n)) => format!("attempt {n} of step '{step}'"),
                    (Some(step), None) => format!("step '{step}'"),
                    (None, Some(n)) => format!("attempt {n}"),
                    (None, None) => "output".to_owned(),
                };
                return Err(CliError::usage(format!(
                    "{} has no {what} yet; it is {}",
                    view.name, view.state
                )));
            }
            None => {}
        }
        if !args.follow || args.attempt.is_some() || !is_live(&layout, &journal, &task, &view)? {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether more output may come.
fn is_live(
    layout: &Layout,
    journal: &Journal,
    task: &TaskRef,
    before: &TaskView,
) -> Result<bool, CliError> {
    let mut run = journal.run_view(&task.run)?;
    Ok(!before.state.is_final() && super::status::is_supervised(layout, &mut run))
}

/// The attempt to show; while following, one that comes after what was shown.
fn choose(
    view: &TaskView,
    task: &TaskRef,
    args: &Args,
    after: Option<&AttemptId>,
) -> Option<AttemptId> {
    let id =
        |step: &str, number| AttemptId { task: task.id.clone(), step: StepId::from(step), number };
    let wanted = |log: &&LogView| {
        args.step.as_ref().is_none_or(|step| log.step == *step)
            && args.attempt.is_none_or(|n| n == log.attempt)
    };
    let mut all = view.logs.iter().filter(wanted);
    let chosen = match after {
        // The agent is what one wants to read, unless something else failed or runs.
        None if args.step.is_none() && view.state.is_good() => {
            let agents = view.attempts.iter().filter(|a| a.outcome.as_deref() == Some("succeeded"));
            let steps: Vec<&str> = agents.map(|a| a.step.as_str()).collect();
            let mut logs = all.clone().filter(|log| steps.contains(&log.step.as_str()));
            logs.next_back().or_else(|| all.next_back())
        }
        None => all.next_back(),
        Some(after) => {
            all.find(|log| log.step == after.step.as_str() && log.attempt == after.number)?;
            all.next()
        }
    };
    chosen.map(|log| id(&log.step, log.attempt))
}

fn show(layout: &Layout, task: &TaskRef, attempt: &AttemptId, args: &Args) -> Result<(), CliError> {
    let dir = layout.attempt(&task.run, attempt);
    let mut out = std::io::stdout().lock();
    let mut write = |entry: Entry| -> Result<bool, CliError> {
        let written = match entry {
            Entry::Output { stream: Stream::Stderr, .. } | Entry::Dropped(_) if args.raw => Ok(()),
            Entry::Output { bytes, .. } => out.write_all(&bytes),
            Entry::Dropped(n) => writeln!(out, "\n[… {} not kept …]", bytes(n)),
        };
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(true),
        }
    };
    if args.follow {
        let mut follower = Follower::new(&dir);
        runtime()?.block_on(async {
            while let Some(entry) = follower.next().await.map_err(CliError::failed)? {
                if !write(entry)? {
                    break;
                }
                std::io::stdout().flush()?;
            }
            Ok::<(), CliError>(())
        })?;
    } else {
        for entry in LogReader::open(&dir) {
            if !write(entry?)? {
                break;
            }
        }
    }
    Ok(())
}
