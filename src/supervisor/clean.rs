//! Removing worktrees and branches whose work has landed; everything else is kept and listed.

use super::{Ledger, SupervisorError, World};
use crate::git::{Proof, Removal};
use crate::journal::TaskRef;
use crate::model::{Event, TaskState, TaskView};

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// The task's name.
    pub task: String,
    /// Whether the worktree was kept, empty, for a later task.
    pub recycled: bool,
    /// The ref that keeps its work, when it was forced.
    pub graveyard: Option<String>,
}

/// What was not, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The task's name.
    pub task: String,
    /// One line.
    pub reason: String,
}

/// Cleans one task. With `force`, what would be lost is first kept under `refs/orch/graveyard/`.
/// `ledger` is the one of the task's run; the caller has made sure that no supervisor works on the task.
///
/// # Errors
/// Git or the journal refusing.
pub fn clean(
    world: &World,
    ledger: &mut Ledger,
    task: &TaskRef,
    view: &TaskView,
    force: bool,
) -> Result<Result<Cleaned, Kept>, SupervisorError> {
    let kept = |reason: String| Ok(Err(Kept { task: view.name.clone(), reason }));
    let spec = &ledger.state().spec.tasks[task.index];
    let (worktree, branch) = (world.worktree(&spec.worktree), spec.branch.clone());
    if force {
        if let Some(step) = still_running(world, ledger, task)? {
            return Err(SupervisorError::Refused(format!(
                "{}: its {step} is still running though no supervisor is; stop it first: orch cancel {} --run {}",
                view.name, view.name, task.run
            )));
        }
        let buried = world.repo.bury(task.id.as_str(), &worktree, &branch)?;
        world.repo.remove_worktree(&buried.proof)?;
        let graveyard = Some(buried.refname);
        let event = Event::TaskCleaned { task: task.id.clone(), graveyard: graveyard.clone() };
        ledger.record(vec![event])?;
        return Ok(Ok(Cleaned { task: view.name.clone(), recycled: false, graveyard }));
    }
    let proof = match would_clean(world, ledger, task, view)? {
        Ok(proof) => proof,
        Err(reason) => return Ok(Err(reason)),
    };
    let snapshot = snapshot(world, &proof, task, view)?;
    let recycled =
        worktree.is_dir() && world.worktrees.recycle(task.id.as_str(), &worktree).unwrap_or(false);
    match world.repo.remove_worktree(&proof) {
        Ok(_) => {}
        // It changed while we looked, or git refused: kept, as promised; the others go on.
        Err(error) => return kept(error.to_string()),
    }
    if let Some((commit, true)) = &snapshot
        && let Err(error) = world.repo.forget_snapshot(task.id.as_str(), Some(commit))
    {
        // It moved meanwhile, or git refused: kept, and harmless.
        tracing::warn!(task = %view.name, %error, "its snapshot was kept");
    }
    ledger.record(vec![Event::TaskCleaned { task: task.id.clone(), graveyard: None }])?;
    Ok(Ok(Cleaned { task: view.name.clone(), recycled, graveyard: None }))
}

/// The snapshot of a task, and whether it may go: its task has landed, or all of it is merged.
fn snapshot(
    world: &World,
    proof: &Proof,
    task: &TaskRef,
    view: &TaskView,
) -> Result<Option<(String, bool)>, SupervisorError> {
    let Some(kept) = world.repo.snapshot_commit(task.id.as_str())? else { return Ok(None) };
    let landed = matches!(view.state, TaskState::Succeeded | TaskState::Merged);
    let may_go = landed || world.repo.is_contained(proof, &kept)?;
    Ok(Some((kept, may_go)))
}

/// The step of a task of which something still runs.
fn still_running(
    world: &World,
    ledger: &Ledger,
    task: &TaskRef,
) -> Result<Option<String>, SupervisorError> {
    for (id, _) in ledger.state().open_attempts().filter(|(id, _)| id.task == task.id) {
        let dir = world.layout.attempt(&task.run, &id);
        if dir.is_dir() && !crate::process::has_ended(&dir)? {
            return Ok(Some(id.step.to_string()));
        }
    }
    Ok(None)
}

/// Whether a task may be cleaned without force, or why not.
///
/// # Errors
/// Git refusing.
pub fn would_clean(
    world: &World,
    ledger: &Ledger,
    task: &TaskRef,
    view: &TaskView,
) -> Result<Result<Proof, Kept>, SupervisorError> {
    let kept = |reason: String| Ok(Err(Kept { task: view.name.clone(), reason }));
    let spec = &ledger.state().spec.tasks[task.index];
    let (worktree, branch) = (world.worktree(&spec.worktree), spec.branch.clone());
    match view.state {
        TaskState::Interrupted => return kept("interrupted; go on with: orch resume".to_owned()),
        state if !state.is_final() => return kept(format!("{state}")),
        _ => {}
    }
    let mut into: Vec<String> = ledger.state().tasks[task.index]
        .merged
        .iter()
        .map(|merged| merged.into.clone())
        .chain(ledger.state().spec.target.clone())
        .map(|branch| format!("refs/heads/{branch}"))
        .collect();
    // Where the run began on a detached HEAD there is no branch that could contain it.
    into.push(ledger.state().spec.base.clone());
    match world.repo.removal_check(&worktree, &branch, &into)? {
        Removal::Safe(proof) => Ok(Ok(proof)),
        Removal::Unmerged { commits } => {
            let s = if commits == 1 { "" } else { "s" };
            kept(format!("{commits} unmerged commit{s} on {branch}"))
        }
        Removal::Dirty { paths } => {
            kept(format!("uncommitted: {}", super::escape::some(&paths, 3)))
        }
        Removal::NotOurs(reason) => kept(reason),
    }
}
