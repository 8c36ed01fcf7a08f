//! Removing worktrees and branches whose work has landed; everything else is kept and listed.

use super::{Ledger, SupervisorError, World};
use crate::git::{Proof, Removal};
use crate::journal::TaskRef;
use crate::model::{Event, TaskId, TaskState, TaskView, shell_word};
use std::path::PathBuf;

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

/// Tasks whose removal is recorded in one step: one wait for the disk instead of so many, and no more to
/// look at again after a crash in between.
const BATCH: usize = 16;

/// What is to be known of a task to clean it.
struct Candidate {
    id: TaskId,
    name: String,
    state: TaskState,
    worktree: PathBuf,
    branch: String,
    /// Where its work may have landed.
    into: Vec<String>,
}

impl Candidate {
    fn of(world: &World, ledger: &Ledger, task: &TaskRef, view: &TaskView) -> Self {
        let state = ledger.state();
        let spec = &state.spec.tasks[task.index];
        let merged = state.tasks[task.index].merged.iter().map(|merged| merged.into.clone());
        let branches = merged.chain(state.spec.target.clone());
        let mut into: Vec<String> = branches.map(|branch| format!("refs/heads/{branch}")).collect();
        // Where the run began on a detached HEAD there is no branch that could contain it.
        into.push(state.spec.base.clone());
        into.dedup();
        // Squashed or rebased: its own commits are nowhere else, but the work is where it landed.
        if let Some(merged) = &state.tasks[task.index].merged
            && let Some(head) = &merged.head
            && let Ok(Some(tip)) = world.repo.branch_tip(&merged.into)
            && world.repo.contains(&tip, &merged.commit).unwrap_or(false)
        {
            into.push(head.clone());
        }
        Self {
            id: task.id.clone(),
            name: view.name.clone(),
            state: view.state,
            worktree: world.worktree(&spec.worktree),
            branch: spec.branch.clone(),
            into,
        }
    }

    fn kept(&self, reason: String) -> Kept {
        Kept { task: self.name.clone(), reason }
    }
}

/// Cleans tasks of one run, as far as their work has landed; in the order given, what became of each.
///
/// # Errors
/// Git or the journal refusing. What was removed before is recorded.
pub fn clean(
    world: &World,
    ledger: &mut Ledger,
    tasks: &[(TaskRef, TaskView)],
) -> Result<Vec<Result<Cleaned, Kept>>, SupervisorError> {
    let candidates: Vec<Candidate> =
        tasks.iter().map(|(task, view)| Candidate::of(world, ledger, task, view)).collect();
    let mut out = Vec::with_capacity(candidates.len());
    for batch in candidates.chunks(BATCH) {
        let mut done = side_by_side(batch, |candidate| take_one(world, candidate));
        let taken: Vec<usize> =
            (0..batch.len()).filter(|n| matches!(done[*n], Ok(Ok(_)))).collect();
        let proofs: Vec<Proof> = taken
            .iter()
            .filter_map(|n| done[*n].as_ref().ok()?.as_ref().ok().map(|(proof, _)| proof.clone()))
            .collect();
        let branches = world.repo.remove_branches(&proofs.iter().collect::<Vec<_>>());
        for (n, branch) in taken.into_iter().zip(branches) {
            if let Err(error) = branch {
                // Its worktree is gone, and had nothing else in it.
                done[n] = Ok(Err(batch[n].kept(error.to_string())));
            }
        }
        let gone = batch.iter().zip(&done).filter(|(_, done)| matches!(done, Ok(Ok(_))));
        let event =
            |task: &Candidate| Event::TaskCleaned { task: task.id.clone(), graveyard: None };
        ledger.record(gone.map(|(candidate, _)| event(candidate)).collect())?;
        for done in done {
            out.push(done?.map(|(_, cleaned)| cleaned));
        }
    }
    Ok(out)
}

/// Does `each` for every item, on as many threads as there are processors; the results in order.
fn side_by_side<T: Sync, R: Send>(items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let size = items.len().div_ceil(processors).max(1);
    std::thread::scope(|scope| {
        let each = &each;
        let parts: Vec<_> = items
            .chunks(size)
            .map(|part| scope.spawn(move || part.iter().map(each).collect::<Vec<R>>()))
            .collect();
        let joined = parts.into_iter().map(std::thread::ScopedJoinHandle::join);
        // A panic goes on where it would have without the thread.
        joined
            .flat_map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Takes a worktree away whose work has landed; its branch is next.
fn take_one(
    world: &World,
    task: &Candidate,
) -> Result<Result<(Proof, Cleaned), Kept>, SupervisorError> {
    let proof = match examine(world, task)? {
        Ok(proof) => proof,
        Err(reason) => return Ok(Err(reason)),
    };
    let snapshot = snapshot(world, &proof, task)?;
    let worktree = &task.worktree;
    let recycled =
        worktree.is_dir() && world.worktrees.recycle(task.id.as_str(), worktree).unwrap_or(false);
    if let Err(error) = world.repo.take_worktree(&proof) {
        // It changed while we looked, or git refused: kept, as promised; the others go on.
        return Ok(Err(task.kept(error.to_string())));
    }
    if let Some(commit) = &snapshot
        && let Err(error) = world.repo.forget_snapshot(task.id.as_str(), Some(commit))
    {
        // It moved meanwhile, or git refused: kept, and harmless.
        tracing::warn!(task = %task.name, %error, "its snapshot was kept");
    }
    Ok(Ok((proof, Cleaned { task: task.name.clone(), recycled, graveyard: None })))
}

/// Removes one task's worktree and branch whatever is in them; what would be lost is first kept under
/// `refs/orch/graveyard/`. The caller has made sure that no supervisor works on the task.
///
/// # Errors
/// A process of the task that still runs; git or the journal refusing.
pub fn clean_by_force(
    world: &World,
    ledger: &mut Ledger,
    task: &TaskRef,
    view: &TaskView,
) -> Result<Cleaned, SupervisorError> {
    if let Some(step) = super::follow_up_at_work(world, ledger.state(), &task.id)? {
        return Err(SupervisorError::Refused(format!(
            "the {step} of {} is at work in its worktree; wait for it: orch pr {step} {}",
            view.name,
            shell_word(&view.name)
        )));
    }
    if let Some(step) = still_running(world, ledger, task)? {
        return Err(SupervisorError::Refused(format!(
            "{}: its {step} is still running though no supervisor is; stop it first: orch cancel {} --run {}",
            view.name,
            shell_word(&view.name),
            task.run
        )));
    }
    let candidate = Candidate::of(world, ledger, task, view);
    let buried = world.repo.bury(task.id.as_str(), &candidate.worktree, &candidate.branch)?;
    world.repo.remove_worktree(&buried.proof)?;
    let graveyard = Some(buried.refname);
    ledger
        .record(vec![Event::TaskCleaned { task: task.id.clone(), graveyard: graveyard.clone() }])?;
    Ok(Cleaned { task: view.name.clone(), recycled: false, graveyard })
}

/// The snapshot of a task, if it may go: its task has landed, or all of it is merged.
fn snapshot(
    world: &World,
    proof: &Proof,
    task: &Candidate,
) -> Result<Option<String>, SupervisorError> {
    let Some(kept) = world.repo.snapshot_commit(task.id.as_str())? else { return Ok(None) };
    let landed = matches!(task.state, TaskState::Succeeded | TaskState::Merged);
    let may_go = landed || world.repo.is_contained(proof, &kept)?;
    Ok(may_go.then_some(kept))
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

/// Whether a task may be cleaned, or why not.
///
/// # Errors
/// Git refusing.
pub fn would_clean(
    world: &World,
    ledger: &Ledger,
    task: &TaskRef,
    view: &TaskView,
) -> Result<Result<(), Kept>, SupervisorError> {
    Ok(examine(world, &Candidate::of(world, ledger, task, view))?.map(drop))
}

fn examine(world: &World, task: &Candidate) -> Result<Result<Proof, Kept>, SupervisorError> {
    let kept = |reason: String| Ok(Err(task.kept(reason)));
    match task.state {
        TaskState::Interrupted => return kept("interrupted; go on with: orch resume".to_owned()),
        state if !state.is_final() => return kept(format!("{state}")),
        _ => {}
    }
    match world.repo.removal_check(&task.worktree, &task.branch, &task.into)? {
        Removal::Safe(proof) => Ok(Ok(proof)),
        Removal::Unmerged { commits } => {
            let s = if commits == 1 { "" } else { "s" };
            kept(format!("{commits} unmerged commit{s} on {}", task.branch))
        }
        Removal::Dirty { paths } => {
            kept(format!("uncommitted: {}", super::escape::some(&paths, 3)))
        }
        Removal::NotOurs(reason) => kept(reason),
    }
}
