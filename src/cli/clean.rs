//! `orch clean`.

use super::context::{Place, look_for_supervisor};
use super::error::CliError;
use crate::git::WorktreeSpec;
use crate::journal::{Journal, Layout, TaskRef};
use crate::model::{Event, RunId, TaskView, shell_word};
use crate::supervisor::{Cleaned, Ledger, World, clean, clean_by_force, would_clean};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process::ExitCode;

/// Remove worktrees and branches whose work is merged; anything unmerged or dirty is kept and listed
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch clean\n  orch clean --force spike     # the only way to lose work; kept under \
                  refs/orch/graveyard/\n  orch clean --restore spike   # brings it back"
)]
pub(super) struct Args {
    /// Remove this task's worktree and branch whatever is in them (may be repeated).
    #[arg(long, value_name = "TASK")]
    force: Vec<String>,
    /// Bring back what `--force` removed.
    #[arg(long, value_name = "TASK", conflicts_with = "force")]
    restore: Vec<String>,
    /// Also delete the worktrees that are kept ready for later tasks.
    #[arg(long, conflicts_with = "restore")]
    pool: bool,
    /// Show what would be removed and kept.
    #[arg(long, conflicts_with_all = ["force", "restore", "pool"])]
    dry_run: bool,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, layout, journal) = place.sound_history()?;
    let (world, config) = place.world()?;
    if !args.restore.is_empty() {
        return restore(&world, &journal, &args.restore);
    }
    world.repo.sweep_scratch()?;
    world.repo.sweep_objects();
    if !args.dry_run {
        world.repo.unlock_snapshots()?;
    }
    world.worktrees.sweep_once();
    let wanted = if args.force.is_empty() {
        journal.uncleaned()?
    } else {
        args.force.iter().map(|name| journal.find_task(None, name)).collect::<Result<_, _>>()?
    };
    let (mut cleaned, mut kept) = (Vec::new(), Vec::new());
    let mut ledgers: BTreeMap<RunId, Ledger> = BTreeMap::new();
    let mut landed: BTreeMap<RunId, Vec<(TaskRef, TaskView)>> = BTreeMap::new();
    for task in wanted {
        let ledger = match ledgers.entry(task.run.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Ledger::open(world.journal()?, &task.run)?),
        };
        let view = journal.task_view(&task)?;
        if !args.force.is_empty() {
            refuse_at_work(&layout, &journal, &task, &view)?;
            cleaned.push(clean_by_force(&world, ledger, &task, &view)?);
        } else if args.dry_run {
            match would_clean(&world, ledger, &task, &view)? {
                Ok(()) => {
                    cleaned.push(Cleaned { task: view.name, recycled: false, graveyard: None });
                }
                Err(reason) => kept.push(reason),
            }
        } else {
            landed.entry(task.run.clone()).or_default().push((task, view));
        }
    }
    for (run, tasks) in landed {
        let Some(ledger) = ledgers.get_mut(&run) else { continue };
        for done in clean(&world, ledger, &tasks)? {
            match done {
                Ok(done) => cleaned.push(done),
                Err(reason) => kept.push(reason),
            }
        }
    }
    let forgotten = if args.dry_run {
        Vec::new()
    } else {
        crate::supervisor::forget_old_runs(&world, &journal, config.keep_runs)?
    };
    let drained = if args.pool { world.worktrees.drain().map_err(CliError::from)? } else { 0 };
    super::status::print(&crate::report::cleaning(
        &cleaned,
        &kept,
        drained,
        forgotten.len(),
        args.dry_run,
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// What a supervisor works on is not taken from under it.
fn refuse_at_work(
    layout: &Layout,
    journal: &Journal,
    task: &TaskRef,
    view: &TaskView,
) -> Result<(), CliError> {
    let mut run = journal.run_view(&task.run)?;
    look_for_supervisor(layout, &mut run);
    if run.supervisor.alive && !view.state.is_final() {
        return Err(CliError::usage(format!(
            "{} is {}; stop it first: orch cancel {}",
            view.name,
            view.state,
            shell_word(&view.name)
        )));
    }
    Ok(())
}

fn restore(world: &World, journal: &Journal, names: &[String]) -> Result<ExitCode, CliError> {
    for name in names {
        let task = journal.find_task(None, name)?;
        let restored = world.repo.restore(task.id.as_str())?;
        let mut ledger = Ledger::open(world.journal()?, &task.run)?;
        let spec = &ledger.state().spec.tasks[task.index];
        let worktree = world.worktree(&spec.worktree);
        let spec = WorktreeSpec {
            id: task.id.to_string(),
            path: worktree.clone(),
            branch: restored.branch.clone(),
            base: restored.head.clone(),
        };
        world.worktrees.create(&spec)?;
        world.repo.unpack(&restored.snapshot, &worktree)?;
        ledger.record(vec![Event::TaskRestored { task: task.id.clone() }])?;
        super::status::print(&format!(
            "restored {} to {} on {}; still kept under {}\n",
            task.name,
            worktree.display(),
            restored.branch,
            restored.refname
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
