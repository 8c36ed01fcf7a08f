//! `orch status`.

use super::context::{self, Place, look_for_supervisor};
use super::error::CliError;
use crate::git::Repo;
use crate::journal::{Counts, Journal, Layout};
use crate::model::{
    AttemptId, LiveView, RunId, RunView, SnapshotView, TaskState, TaskView, Timestamp,
};
use crate::process::reading;
use crate::report::{self, StatusJson};
use crate::supervisor::now;
use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Tasks shown without `--all`; beyond it those that need a look come first.
const SHOWN: usize = 60;

/// States of tasks of which something runs.
const AT_WORK: [TaskState; 3] = [TaskState::Preparing, TaskState::Running, TaskState::Verifying];

/// Tasks whose processes are looked at; as many as nobody runs.
const LIVE: usize = 2000;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
/// Show what runs, waits and ended; works while a supervisor runs, after it ended, after it was killed
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch status\n  orch status fix-login\n  orch status --watch\n  orch status --json | jq \
                        .totals"
)]
pub(super) struct Args {
    /// A run (id, prefix, or `latest`), or a task.
    #[arg(default_value = "latest", value_name = "RUN|TASK")]
    what: String,
    /// One JSON document (orch.status/1; of a task: its entry alone).
    #[arg(long)]
    json: bool,
    /// Show it again every second until the run ends.
    #[arg(short, long, conflicts_with = "json")]
    watch: bool,
    /// Every task, however many.
    #[arg(short, long)]
    all: bool,
    /// List the runs.
    #[arg(long, conflicts_with_all = ["json", "watch", "all"])]
    runs: bool,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    if !args.watch {
        print(&place.look(|layout, journal| Ok(show(place, layout, journal, args)?.0))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (_, layout, journal) = place.history()?;
    loop {
        let (text, goes_on) = show(place, &layout, &journal, args)?;
        print(&format!("\x1b[H\x1b[2J{text}"))?;
        if !goes_on {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// What is shown, and whether it may change.
fn show(
    place: &Place,
    layout: &Layout,
    journal: &Journal,
    args: &Args,
) -> Result<(String, bool), CliError> {
    if args.runs {
        let mut runs = journal.runs(50)?;
        for run in &mut runs {
            look_for_supervisor(layout, run);
        }
        return Ok((report::runs(&runs), false));
    }
    if args.what != "latest" && !args.what.starts_with("run-") {
        return show_task(place, layout, journal, args);
    }
    let id = context::find_run(journal, &args.what)?;
    let mut run = journal.run_view(&id)?;
    let lost = look_for_supervisor(layout, &mut run);
    if args.json {
        return Ok((json_of(journal, &run, lost, Some(layout))?, false));
    }
    let mut text = human(place, layout, journal, &run, lost, args.all)?;
    if args.what == "latest" {
        for other in journal.unfinished(4)?.iter().filter(|other| other.id != id) {
            let _ = writeln!(text, "{0} is not finished; go on with: orch resume {0}", other.id);
        }
    }
    Ok((text, run.supervisor.alive))
}

fn show_task(
    place: &Place,
    layout: &Layout,
    journal: &Journal,
    args: &Args,
) -> Result<(String, bool), CliError> {
    let task = journal.find_task(None, &args.what)?;
    let mut view = journal.task_view(&task)?;
    let mut run = journal.run_view(&task.run)?;
    mark_lost(look_for_supervisor(layout, &mut run), std::slice::from_mut(&mut view));
    read_live(layout, &run.id, std::slice::from_mut(&mut view));
    view.snapshot = snapshot(&place.repo()?, &view);
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&view).unwrap_or_default())
    } else {
        report::task(&view, now(), place.style())
    };
    Ok((text, false))
}

/// What is kept of a task's work in progress. A status is shown without it rather than not at all.
fn snapshot(repo: &Repo, view: &TaskView) -> Option<SnapshotView> {
    let kept = repo.snapshot_of(view.id.as_str()).ok()??;
    let files = repo.changed_files(view.start.as_deref()?, &kept.commit).ok()?.len();
    let taken_at = Timestamp(kept.taken_at.saturating_mul(1000));
    Some(SnapshotView { commit: kept.commit, taken_at, files, left_out: kept.left_out })
}

/// What the processes of attempts without an end do now. One that cannot be read is shown without.
/// Whether there was any.
fn read_live(layout: &Layout, run: &RunId, tasks: &mut [TaskView]) -> bool {
    let mut any = false;
    for task in tasks {
        for attempt in task.attempts.iter_mut().filter(|attempt| attempt.finished_at.is_none()) {
            let id = AttemptId {
                task: task.id.clone(),
                step: attempt.step.as_str().into(),
                number: attempt.number,
            };
            let beat = reading(&layout.attempt(run, &id)).ok().flatten();
            attempt.live = beat.map(|beat| LiveView {
                heartbeat_at: beat.at,
                last_output_at: beat.last_output_at,
                last_cpu_at: beat.last_cpu_at,
                memory_bytes: beat.memory_bytes,
                peak_memory_bytes: beat.peak_memory_bytes,
                cpu_seconds: Duration::from_millis(beat.cpu_ms).as_secs_f64(),
                processes: beat.processes,
            });
            any |= attempt.live.is_some();
        }
    }
    any
}

fn human(
    place: &Place,
    layout: &Layout,
    journal: &Journal,
    run: &RunView,
    lost: bool,
    all: bool,
) -> Result<String, CliError> {
    let mut counts = journal.counts(&run.id)?;
    let total: u64 = counts.values().sum();
    let mut tasks =
        if all || total <= SHOWN as u64 { journal.tasks(&run.id)? } else { few(journal, &run.id)? };
    if lost {
        mark_lost(true, &mut tasks);
        for state in AT_WORK {
            let n = counts.remove(&state).unwrap_or(0);
            *counts.entry(TaskState::Interrupted).or_insert(0) += n;
        }
    }
    read_live(layout, &run.id, &mut tasks);
    Ok(report::status(run, &tasks, &counts, now(), place.style()))
}

/// Of a long run: what is at work, then what went wrong, then the beginning of the rest.
fn few(journal: &Journal, run: &RunId) -> Result<Vec<TaskView>, CliError> {
    use TaskState as S;
    let groups: [&[TaskState]; 3] = [
        &AT_WORK,
        &[
            S::Failed,
            S::TimedOut,
            S::Conflicted,
            S::Interrupted,
            S::GovernanceViolation,
            S::Cancelled,
        ],
        &[S::Succeeded, S::Merged, S::Queued, S::Blocked, S::Skipped],
    ];
    let mut out = Vec::new();
    for states in groups {
        let room = SHOWN.saturating_sub(out.len()).min(SHOWN / 2);
        out.extend(journal.tasks_in(run, states, room)?);
    }
    Ok(out)
}

/// At the end of a long run: what a person must know of.
pub(super) fn worth_showing(tasks: &[TaskView]) -> Vec<TaskView> {
    if tasks.len() <= SHOWN {
        return tasks.to_vec();
    }
    let bad = tasks.iter().filter(|t| !t.state.is_good() || !t.warnings.is_empty());
    bad.take(SHOWN).cloned().collect()
}

/// Nobody works on them any more.
fn mark_lost(lost: bool, tasks: &mut [TaskView]) {
    for task in tasks.iter_mut().filter(|_| lost) {
        if AT_WORK.contains(&task.state) {
            task.state = TaskState::Interrupted;
        }
    }
}

/// The document of a run whose supervisor has just ended it.
pub(super) fn json(journal: &Journal, run: &RunView) -> Result<String, CliError> {
    json_of(journal, run, false, None)
}

/// With `layout`, what runs is shown with what it does now.
fn json_of(
    journal: &Journal,
    run: &RunView,
    lost: bool,
    layout: Option<&Layout>,
) -> Result<String, CliError> {
    if lost {
        // Only tasks under way change their state.
        let mut tasks = journal.tasks(&run.id)?;
        mark_lost(true, &mut tasks);
        if let Some(layout) = layout {
            read_live(layout, &run.id, &mut tasks);
        }
        let mut counts = Counts::new();
        for task in &tasks {
            *counts.entry(task.state).or_insert(0) += 1;
        }
        return document(run, &tasks, &counts);
    }
    // Passed on as stored: with ten thousand tasks, reading them would be most of the time.
    let (mut raw, counts) = (journal.raw_tasks(&run.id)?, journal.counts(&run.id)?);
    if let Some(layout) = layout {
        for task in journal.tasks_in(&run.id, &AT_WORK, LIVE)? {
            let mut task = [task];
            if !read_live(layout, &run.id, &mut task) {
                continue;
            }
            // The identifier comes first in what is stored.
            let head = format!("{{\"id\":\"{}\"", task[0].id);
            if let Some(stored) = raw.iter_mut().find(|raw| raw.get().starts_with(&head)) {
                *stored = serde_json::value::to_raw_value(&task[0]).map_err(CliError::failed)?;
            }
        }
    }
    line(&StatusJson::new(run, raw.iter().map(|r| &**r).collect(), &counts, now()))
}

/// The document made of these tasks.
pub(super) fn document(
    run: &RunView,
    tasks: &[TaskView],
    counts: &Counts,
) -> Result<String, CliError> {
    let raw: Vec<_> = tasks
        .iter()
        .map(serde_json::value::to_raw_value)
        .collect::<Result<_, _>>()
        .map_err(CliError::failed)?;
    line(&StatusJson::new(run, raw.iter().map(|r| &**r).collect(), counts, now()))
}

fn line(document: &StatusJson<'_>) -> Result<String, CliError> {
    let mut text = serde_json::to_string(document).map_err(CliError::failed)?;
    text.push('\n');
    Ok(text)
}

/// Writes to stdout. A reader that has seen enough (`| head`) is not an error.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// For commands that need to know whether a supervisor works on a run.
pub(super) fn is_supervised(layout: &Layout, run: &mut RunView) -> bool {
    look_for_supervisor(layout, run);
    run.supervisor.alive
}
