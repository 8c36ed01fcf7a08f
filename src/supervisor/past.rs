//! What is known of earlier work: the commits that led to the base, and what tasks of earlier runs changed.
//!
//! A commit is read once: what was found is kept in the content cache under its id, so that a later plan reads
//! only the commits that are new. What a task changed is a change like any other, unless the history has it.

use crate::git::{GitError, HistoryLimits, PastCommit, Repo};
use crate::journal::{Cache, EntryKind, FinishedTask, Layout};
use crate::model::PastChange;
use std::collections::{BTreeSet, HashSet};

/// The cache's number for commits; those of the code's own entries are above 1,000. Another one for other
/// [`HistoryLimits`].
const COMMITS: EntryKind = 8;

/// The commits that led to `base`, newest first, with their ids. A prediction does without a history that
/// cannot be read.
pub(super) fn commits(repo: &Repo, base: &str) -> Vec<(String, PastCommit)> {
    let cache = Cache::open(&Layout::new(repo.state_dir()));
    let mut past = Vec::new();
    if let Err(error) = read(repo, &cache, base, &mut past) {
        tracing::debug!(%error, "the history was not read");
    }
    past
}

fn read(
    repo: &Repo,
    cache: &Cache,
    base: &str,
    past: &mut Vec<(String, PastCommit)>,
) -> Result<(), GitError> {
    let limits = HistoryLimits::default();
    let parse = |bytes: &[u8]| {
        let commit: PastCommit = serde_json::from_slice(bytes).ok()?;
        let parent = commit.parent.clone();
        Some((commit, parent))
    };
    let mut at = base.to_owned();
    loop {
        for commit in cache.follow(COMMITS, &at, limits.commits - past.len(), parse) {
            let id = std::mem::replace(&mut at, commit.parent.clone());
            past.push((id, commit));
        }
        let left = HistoryLimits { commits: limits.commits - past.len(), ..limits };
        if left.commits == 0 {
            return Ok(());
        }
        // The first one is not there, or cannot be used.
        let is_kept = |id: &str| id != at && !cache.get(COMMITS, &[id]).is_empty();
        let new = repo.past_commits(&at, left, &mut { is_kept })?;
        let Some((_, last)) = new.last() else { return Ok(()) };
        let entries: Vec<(&str, Vec<u8>)> = new
            .iter()
            .filter_map(|(id, commit)| Some((id.as_str(), serde_json::to_vec(commit).ok()?)))
            .collect();
        let entries: Vec<(&str, &[u8])> =
            entries.iter().map(|(id, bytes)| (*id, bytes.as_slice())).collect();
        cache.put(COMMITS, &entries);
        at.clone_from(&last.parent);
        past.extend(new);
    }
}

/// The changes that teach what belongs together, newest first: what tasks changed that has not landed, then the
/// history.
pub(super) fn changes(
    commits: Vec<(String, PastCommit)>,
    finished: Vec<FinishedTask>,
) -> Vec<PastChange> {
    let mut seen: HashSet<(String, BTreeSet<String>)> = HashSet::new();
    let mut taught: Vec<PastChange> = Vec::new();
    for task in finished {
        let change = PastChange {
            message: task.title.clone(),
            tasks: vec![task.id.to_string()],
            paths: task.changed.clone(),
        };
        let fits = (1..=HistoryLimits::default().files).contains(&change.paths.len());
        // The same prompt in another run is the same work once more.
        if fits
            && !has_landed(&task, &commits)
            && seen.insert((task.title, task.changed.into_iter().collect()))
        {
            taught.push(change);
        }
    }
    taught.into_iter().chain(commits.into_iter().filter_map(|(_, commit)| commit.change)).collect()
}

/// Whether the history has the work of a task: a commit that says so, or one after its start that changed the
/// very same files, as one made from a branch by other hands has no trailers.
fn has_landed(task: &FinishedTask, commits: &[(String, PastCommit)]) -> bool {
    let changed: BTreeSet<&str> = task.changed.iter().map(String::as_str).collect();
    let start = commits.iter().position(|(id, _)| Some(id) == task.start.as_ref());
    let later = start.unwrap_or(commits.len());
    commits.iter().enumerate().any(|(place, (_, commit))| {
        commit.change.as_ref().is_some_and(|change| {
            let is_named = change.tasks.iter().any(|id| id == task.id.as_str());
            is_named
                || (place < later
                    && change.paths.len() == changed.len()
                    && change.paths.iter().all(|path| changed.contains(path.as_str())))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Complexity, TaskId, WorkType};

    fn task(id: &str, title: &str, changed: &[&str]) -> FinishedTask {
        FinishedTask {
            id: TaskId::from(id),
            title: title.to_owned(),
            start: Some("start".to_owned()),
            changed: changed.iter().map(|&path| path.to_owned()).collect(),
            agent: "shell".to_owned(),
            work_type: WorkType::General,
            complexity: Complexity::Low,
            seconds: 1.0,
        }
    }

    fn commit(id: &str, tasks: &[&str], paths: &[&str]) -> (String, PastCommit) {
        let own = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
        let change = PastChange { message: id.to_owned(), tasks: own(tasks), paths: own(paths) };
        (id.to_owned(), PastCommit { parent: String::new(), change: Some(change) })
    }

    #[test]
    fn work_that_landed_is_counted_once() {
        let commits = vec![
            commit("merge", &["task-1"], &["a", "b", "more"]),
            commit("squashed", &[], &["c", "d"]),
            commit("start", &[], &["e", "f"]),
        ];
        let finished = vec![
            task("task-1", "said by its trailer", &["a", "b"]),
            task("task-2", "the same files later", &["d", "c"]),
            task("task-3", "the same files, but before it began", &["e", "f"]),
            task("task-4", "nowhere", &["a", "b"]),
            task("task-5", "nowhere", &["b", "a"]),
            task("task-6", "nothing", &[]),
        ];
        let told: Vec<String> =
            changes(commits, finished).into_iter().map(|change| change.message).collect();
        let taught = ["the same files, but before it began", "nowhere"];
        assert_eq!(told, [&taught[..], &["merge", "squashed", "start"]].concat());
    }
}
