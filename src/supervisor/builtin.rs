//! Steps that the supervisor does itself: branch and commit.

use super::World;
use super::attempt::internal;
use crate::engine::State;
use crate::git::{GitError, Integration, WorktreeSpec};
use crate::model::{AttemptEnd, AttemptId, BuiltIn, Ending, Failure, FailureClass, TaskSpec};
use std::sync::Arc;

/// What a built-in step needs to know, taken from the state when it starts.
pub(super) struct Job {
    action: BuiltIn,
    task: Option<TaskSpec>,
    run: String,
    base: String,
    start: Option<String>,
    prerequisites: Vec<(String, String)>,
    /// The start is to be worked out anew.
    anew: bool,
}

impl Job {
    pub(super) fn of(state: &State, id: &AttemptId, action: BuiltIn) -> Self {
        let position = state.position(&id.task);
        let onto = position.and_then(|p| state.tasks[p].onto.clone());
        Self {
            action,
            anew: onto.is_some(),
            task: position.map(|p| state.spec.tasks[p].clone()),
            run: state.spec.id.to_string(),
            base: onto.unwrap_or_else(|| state.spec.base.clone()),
            start: position.and_then(|p| state.start(p)).map(str::to_owned),
            prerequisites: position.map(|p| state.start_commits(p)).unwrap_or_default(),
        }
    }
}

/// Does the step. Doing it again after a crash is harmless.
pub(super) async fn perform(world: Arc<World>, job: Job) -> AttemptEnd {
    let done = tokio::task::spawn_blocking(move || {
        let Some(task) = &job.task else { return Err(internal("no such task")) };
        match job.action {
            BuiltIn::Branch => branch(&world, &job, task),
            BuiltIn::Commit => commit(&world, &job, task),
            BuiltIn::Issue | BuiltIn::PullRequest | BuiltIn::Changelog | BuiltIn::Review => {
                Err(internal("this step cannot be done yet"))
            }
        }
    })
    .await;
    match done {
        Ok(Ok(end)) => end,
        Ok(Err(failure)) => AttemptEnd::failed(failure),
        Err(panic) => AttemptEnd::failed(internal(panic)),
    }
}

fn git_failure(error: &GitError) -> Failure {
    if matches!(error, GitError::Gone(_)) {
        return Failure::new(FailureClass::WorktreeGone, error.to_string()).suggest(
            "orch retry starts its agent again in a new worktree, with --from-snapshot from what is kept of its \
             work (see: orch status TASK)",
        );
    }
    Failure::new(FailureClass::Git, error.to_string())
}

fn branch(world: &World, job: &Job, task: &TaskSpec) -> Result<AttemptEnd, Failure> {
    // A branch that exists already was made by an attempt of which only the record was lost.
    let start = match &job.start {
        Some(start) if !job.anew => start.clone(),
        _ => start_commit(world, job, task)?,
    };
    let spec = WorktreeSpec {
        id: task.id.to_string(),
        path: world.worktree(&task.worktree),
        branch: task.branch.clone(),
        base: start.clone(),
    };
    let created = world.worktrees.create(&spec).map_err(|e| git_failure(&e))?;
    if !job.prerequisites.is_empty() {
        // A merge of what they did, which nothing else keeps.
        world.repo.settle(&start, &job.base, &task.branch).map_err(|e| git_failure(&e))?;
    }
    if job.start.is_some() {
        // What an earlier attempt left is kept aside.
        world
            .repo
            .rewind_worktree(&spec.path, &spec.branch, &start, task.id.as_str())
            .map_err(|e| git_failure(&e))?;
    }
    let mut end = AttemptEnd::of(Ending::Succeeded);
    end.commit = Some(start);
    tracing::debug!(task = %task.id, how = ?created, "worktree");
    Ok(end)
}

/// The base, with the work of the task's prerequisites merged into it.
fn start_commit(world: &World, job: &Job, task: &TaskSpec) -> Result<String, Failure> {
    if job.prerequisites.is_empty() {
        return Ok(job.base.clone());
    }
    let names: Vec<&str> = job.prerequisites.iter().map(|(_, name)| name.as_str()).collect();
    let message = format!(
        "Merge {} as the start of {}\n\nOrch-Run: {}\n",
        names.join(", "),
        task.name,
        job.run
    );
    match world.repo.integrate(&job.base, &job.prerequisites, &message) {
        Ok(Integration::Clean(oid)) => Ok(oid),
        Ok(Integration::Conflict { name, paths }) => Err(Failure::new(
            FailureClass::Conflict,
            format!("its prerequisites cannot be merged: {name} conflicts in {}", paths.join(", ")),
        )
        .suggest("make one prerequisite depend on the other, then run orch retry")),
        Err(error) => Err(git_failure(&error)),
    }
}

fn commit(world: &World, job: &Job, task: &TaskSpec) -> Result<AttemptEnd, Failure> {
    let start = job.start.as_deref().unwrap_or(&job.base);
    let message = format!("{}\n\nOrch-Task: {}\nOrch-Run: {}\n", subject(task), task.id, job.run);
    let worktree = world.worktree(&task.worktree);
    let committed = world
        .repo
        .commit_worktree(&worktree, &task.branch, start, &message)
        .map_err(|e| git_failure(&e))?;
    world.repo.settle(&committed.head, start, &task.branch).map_err(|e| git_failure(&e))?;
    let mut end = AttemptEnd::of(Ending::Succeeded);
    end.commit = Some(committed.head);
    end.files_changed = Some(committed.files);
    if !committed.skipped.is_empty() {
        let skipped = committed.skipped.join(", ");
        end.note = Some(format!("nested repositories were left out of the commit: {skipped}"));
    }
    Ok(end)
}

/// The title as a commit subject: one line of at most 72 characters.
pub(super) fn subject(task: &TaskSpec) -> String {
    let title = task.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = if title.is_empty() { task.name.clone() } else { title };
    if title.chars().count() <= 72 {
        return title;
    }
    let cut: String = title.chars().take(71).collect();
    format!("{}…", cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words))
}
