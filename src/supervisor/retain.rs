//! How long logs and results are kept: those of the newest runs, and of every run that has unmerged work.

use super::{SupervisorError, World};
use crate::journal::Journal;
use crate::model::{RunId, RunState, RunView};
use std::fs;
use std::io::ErrorKind;

/// Removes `runs/RUN` of the runs before the newest `keep` that are over and of whose tasks neither worktree
/// nor branch is left; which. What happened in them stays in the journal.
///
/// # Errors
/// The journal or git refusing; a directory that cannot be removed.
pub fn forget_old_runs(
    world: &World,
    journal: &Journal,
    keep: u32,
) -> Result<Vec<RunId>, SupervisorError> {
    let mut gone = Vec::new();
    for run in journal.runs(u32::MAX)?.iter().skip(keep as usize) {
        let dir = world.layout.run(&run.id);
        if !dir.is_dir() || !is_over(run) || has_work(world, journal, &run.id)? {
            continue;
        }
        // First what a rebuilt journal would begin the run anew from.
        for path in [dir.join("run.json"), dir.clone()] {
            let removed =
                if path == dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(SupervisorError::io(format!("remove {}", path.display()))(error));
                }
                _ => {}
            }
        }
        gone.push(run.id.clone());
    }
    Ok(gone)
}

fn is_over(run: &RunView) -> bool {
    matches!(run.state, RunState::Succeeded | RunState::Failed | RunState::Cancelled)
}

fn has_work(world: &World, journal: &Journal, run: &RunId) -> Result<bool, SupervisorError> {
    for task in journal.tasks(run)? {
        let branch =
            task.branch.as_deref().map(|branch| world.repo.branch_tip(branch)).transpose()?;
        if task.worktree.is_some() || branch.flatten().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
