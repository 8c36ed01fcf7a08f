//! `orch retry`.

use super::context::{self, Place};
use super::error::CliError;
use super::execute::{Form, dollars, supervise};
use crate::engine::{Standings, State};
use crate::journal::{Journal, JournalError};
use crate::model::{Event, RunId, TaskId, TaskState, shell_word};
use crate::report::money;
use crate::supervisor::{Ledger, World, follow_up_at_work};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Run tasks again that failed, were cancelled or lost, or cannot land
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch retry fix-login\n  orch retry                  # every task that did not succeed, as --failed\n  orch retry fix-login \
                  --from-snapshot\n\nWhat the failed attempt left in the \
                  worktree is kept under refs/orch/graveyard/ and the agent starts\nfrom the task's base again; a task \
                  that conflicted starts from where the target branch is now. A prompt that was\nedited since is used \
                  as it is now."
)]
pub(super) struct Args {
    /// Tasks (name, id, or an unambiguous prefix).
    #[arg(conflicts_with = "failed")]
    task: Vec<String>,
    /// Every task of the run that did not succeed; the same as naming none.
    #[arg(long)]
    failed: bool,
    /// Go on from the latest snapshot of each task's worktree instead of its base (see: orch status TASK).
    #[arg(long)]
    from_snapshot: bool,
    /// What the run may cost from now on, in US dollars, what was spent included.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    max_cost_usd: Option<f64>,
    /// The run (id, prefix, or `latest`).
    #[arg(long, default_value = "latest")]
    run: String,
    #[command(flatten)]
    form: Form,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (world, lock, journal) = place.take()?;
    let run = context::find_run(&journal, &args.run)?;
    let mut ids: Vec<TaskId> = Vec::new();
    for name in &args.task {
        ids.push(find_task(&journal, &run, name)?);
    }
    let every = args.task.is_empty();
    let mut ledger = Ledger::open(journal, &run)?;
    if let Some(lock) = &lock {
        context::take_up(&world, lock, &mut ledger)?;
    }
    let state = ledger.state();
    let standings = state.standings();
    let mut again = Vec::new();
    for id in &ids {
        if let Some(step) = follow_up_at_work(&world, state, id)? {
            let name = state.position(id).map_or("it", |at| &state.spec.tasks[at].name);
            return Err(CliError::usage(format!(
                "the {step} of {name} is at work in its worktree; wait for it: orch pr {step} {}",
                shell_word(name)
            )));
        }
    }
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
        if every && ended_badly {
            again.push(task.id.clone());
        } else if ids.contains(&task.id) {
            // By name also what succeeded but cannot land: it breaks what it is merged with.
            if !ended_badly && now_is != TaskState::Succeeded {
                let go_on = match state.blocked_by(position, &standings).first() {
                    Some(root) if now_is == TaskState::Blocked => {
                        format!("; it follows by itself after: orch retry {}", shell_word(root))
                    }
                    _ => go_on(state, &standings, lock.is_some()),
                };
                return Err(CliError::usage(format!(
                    "{} is {now_is}; only a task that has ended and has not landed can run again{go_on}",
                    task.name
                )));
            }
            again.push(task.id.clone());
        }
    }
    if again.is_empty() {
        let go_on = go_on(state, &standings, lock.is_some());
        eprintln!("nothing to retry{go_on}");
        // What nobody works on will not succeed by itself.
        return Ok(ExitCode::from(u8::from(!go_on.is_empty())));
    }
    if lock.is_some() {
        context::refuse_unreachable(&world)?;
    }
    for task in again.iter().filter_map(|id| state.position(id)) {
        let spent = state.task_budget(task).filter(|budget| budget.spent_usd > 0.0);
        if let Some(budget) = spent {
            eprintln!(
                "{} has cost {} of {}; asked for again, it may cost as much once more \
                 (max_task_cost_usd)",
                state.spec.tasks[task].name,
                money(budget.spent_usd),
                money(budget.max_usd)
            );
        }
    }
    for line in built_on_it(state, &again) {
        eprintln!("{line}");
    }
    let target = ledger.state().spec.target.clone();
    let onto = target.map(|branch| world.repo.branch_tip(&branch)).transpose()?.flatten();
    let mut edited = Vec::new();
    for id in &again {
        if refresh_prompt(&world, &ledger, id)? {
            edited.push(id.clone());
        }
    }
    let snapshots =
        if args.from_snapshot { hold_snapshots(&world, &ledger, &again)? } else { BTreeMap::new() };
    let count = again.len();
    let most = args.max_cost_usd.map(Some);
    let mut asked: Vec<Event> =
        most.map(|max_cost_usd| Event::BudgetRequested { max_cost_usd }).into_iter().collect();
    asked.push(Event::RetryRequested { tasks: again, onto, snapshots, edited });
    let Some(lock) = lock else {
        ledger.record(asked)?;
        eprintln!("asked the running supervisor to run {count} again; see: orch status");
        return Ok(ExitCode::SUCCESS);
    };
    world.repo.identity()?;
    ledger.record(asked)?;
    supervise(place, &world, &lock, ledger, args.form)
}

/// What there is to do instead in a run that is not over and that nobody works on.
fn go_on(state: &State, standings: &Standings, nobody_works: bool) -> String {
    let is_open = (0..state.tasks.len()).any(|task| !standings.is_settled(task));
    if nobody_works && is_open && state.finished.is_none() {
        format!(
            "; {0} is not finished and nobody works on it, go on with: orch resume {0}",
            state.spec.id
        )
    } else {
        String::new()
    }
}

/// What it means for others that tasks which had succeeded are done again: whoever started from the old work
/// stays as it is.
fn built_on_it(state: &State, again: &[TaskId]) -> Vec<String> {
    let redone =
        again.iter().filter_map(|id| state.position(id)).filter(|task| state.is_done(*task));
    let lines = redone.filter_map(|task| {
        let (id, name) = (&state.spec.tasks[task].id, &state.spec.tasks[task].name);
        let others = state.spec.tasks.iter().enumerate().filter(|(other, spec)| {
            let depends = spec.depends_on.iter().any(|before| before.task == *id);
            depends && state.was_started(*other) && !again.contains(&spec.id)
        });
        let others: Vec<&str> = others.map(|(_, spec)| spec.name.as_str()).collect();
        let more = others.len() > 1;
        let words: Vec<String> = others.iter().map(|name| shell_word(name)).collect();
        others.first()?;
        Some(format!(
            "{} started from what {name} had done and {} as {}; to build on the new work: orch retry {}, once \
             {name} is done",
            others.join(", "),
            if more { "stay" } else { "stays" },
            if more { "they are" } else { "it is" },
            words.join(" "),
        ))
    });
    lines.collect()
}

/// The task of the run, or where else there is one of that name.
fn find_task(journal: &Journal, run: &RunId, name: &str) -> Result<TaskId, CliError> {
    let error = match journal.find_task(Some(run), name) {
        Ok(found) => return Ok(found.id),
        Err(error) => error,
    };
    match journal.find_task(None, name) {
        Ok(other) if matches!(error, JournalError::NotFound(_)) => Err(CliError::usage(format!(
            "no task '{name}' in {run}, but {0} has one; run that again with: orch retry {1} --run {0}",
            other.run,
            shell_word(&other.name)
        ))),
        _ => Err(error.into()),
    }
}

/// The snapshots to go on from, held so that a later one does not replace them.
fn hold_snapshots(
    world: &World,
    ledger: &Ledger,
    tasks: &[TaskId],
) -> Result<BTreeMap<TaskId, String>, CliError> {
    let state = ledger.state();
    let standings = state.standings();
    let mut held = BTreeMap::new();
    for id in tasks {
        let Some(position) = state.position(id) else { continue };
        let (name, now_is) =
            (&state.spec.tasks[position].name, state.task_state(position, &standings));
        // Those start from where the target is now: an older tree would take others' work back.
        if matches!(now_is, TaskState::Succeeded | TaskState::Conflicted) {
            return Err(CliError::usage(format!(
                "{name} is {now_is}: its work is on its branch, and a snapshot of it does not fit where \
                 it starts again; retry it without --from-snapshot"
            )));
        }
        if world.repo.snapshot_of(id.as_str())?.is_none() {
            return Err(CliError::usage(format!(
                "no snapshot is kept of {name}; retry it without --from-snapshot"
            )));
        }
        held.insert(id.clone(), world.repo.hold_snapshot(id.as_str())?);
    }
    Ok(held)
}

/// A prompt that was edited since is what the user wants to be run. Whether it was.
fn refresh_prompt(world: &World, ledger: &Ledger, id: &TaskId) -> Result<bool, CliError> {
    let state = ledger.state();
    let Some(task) = state.position(id).map(|p| &state.spec.tasks[p]) else { return Ok(false) };
    let (edited, stored) = (world.root.join(&task.prompt), world.layout.prompt(&state.spec.id, id));
    let Ok(text) = std::fs::read(&edited) else { return Ok(false) };
    if std::fs::read(&stored).is_ok_and(|before| before == text) {
        return Ok(false);
    }
    // What is wrong with it is said before anything starts.
    crate::prompt::load(std::slice::from_ref(&edited), &world.root)?;
    std::fs::write(&stored, text)
        .map_err(|e| CliError::failed(format!("write {}: {e}", stored.display())))?;
    eprintln!("{} was edited since; the new text is used", task.prompt);
    Ok(true)
}
