//! What earlier commits changed: their messages and paths, never the contents of a file.
//!
//! The line of first parents is walked, so a merged branch is one change with all its files, as a task will
//! be one. Trees that are equal on both sides are not read.

use super::executable::git;
use super::tree_diff::{Difference, differences};
use super::{GitError, Repo};
use crate::model::PastChange;
use git2::Oid;
use serde::{Deserialize, Serialize};

/// Of a longer message the beginning is kept, in bytes: what a change is about stands in its first lines.
const LONGEST_MESSAGE: usize = 2_000;
/// Between the message and the paths of a commit, and before the next one, in the executable's output.
const MARKS: (char, char) = ('\u{1}', '\u{2}');
/// Begins the line of a message that names the task whose work the commit is.
const TASK_TRAILER: &str = "Orch-Task: ";

/// How much of the past is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Commits looked at.
    pub commits: usize,
    /// Changes of more files than this are passed over: a reformatting says nothing about what belongs
    /// together (Zimmermann et al., "Mining version histories to guide software changes", leave them out too).
    pub files: usize,
}

impl Default for HistoryLimits {
    /// A thousand changes are about a year of a busy project, and what was changed together before that says
    /// less; Zimmermann et al. leave out changes of more than 30 files.
    fn default() -> Self {
        Self { commits: 1_000, files: 30 }
    }
}

/// A commit on the line of first parents, as far as the past needs it. Whatever is said here of a commit
/// stays true, so it may be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastCommit {
    /// Its first parent.
    pub parent: String,
    /// What it changed; `None` for nothing, and for more files than [`HistoryLimits::files`].
    pub change: Option<PastChange>,
}

impl Repo {
    /// The changes that led to `base`, newest first, `base` itself included. Where the history ends
    /// early (a shallow clone), what is there.
    ///
    /// # Errors
    /// When `base` is no commit, or whatever git refuses.
    pub fn history(&self, base: &str, limits: HistoryLimits) -> Result<Vec<PastChange>, GitError> {
        let commits = self.past_commits(base, limits, &mut |_| false)?;
        Ok(commits.into_iter().filter_map(|(_, commit)| commit.change).collect())
    }

    /// The commits that led to `base` with their ids, newest first, `base` itself included, up to the first that
    /// is `known` already.
    ///
    /// # Errors
    /// As [`Repo::history`].
    pub fn past_commits(
        &self,
        base: &str,
        limits: HistoryLimits,
        known: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Vec<(String, PastCommit)>, GitError> {
        if self.refused_by_libgit2().is_some() {
            return self.past_by_executable(base, limits);
        }
        let repo = self.open()?;
        let unknown = |_| GitError::UnknownRevision(base.to_owned());
        let oid = Oid::from_str(base).map_err(unknown)?;
        let mut commit = repo.find_commit(oid).map_err(unknown)?;
        let mut tree = commit.tree().map_err(GitError::lib("read a tree of the history"))?;
        let mut past = Vec::new();
        while past.len() < limits.commits {
            let id = commit.id().to_string();
            if known(&id) {
                break;
            }
            // A root commit is no change of anything, and a shallow clone ends with a parent that is not there.
            let Ok(parent) = commit.parent(0) else { break };
            let Ok(before) = parent.tree() else { break };
            let paths = differences(&repo, &before, &tree)?.into_iter().map(name).collect();
            let change = change(&String::from_utf8_lossy(commit.message_bytes()), paths, limits);
            past.push((id, PastCommit { parent: parent.id().to_string(), change }));
            (commit, tree) = (parent, before);
        }
        Ok(past)
    }

    fn past_by_executable(
        &self,
        base: &str,
        limits: HistoryLimits,
    ) -> Result<Vec<(String, PastCommit)>, GitError> {
        let count = format!("--max-count={}", limits.commits);
        let args = [
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            "--no-renames",
            "--name-only",
            "-z",
            &count,
            "--format=%x02%H %P%n%B%x01",
            base,
            "--",
        ];
        let output = git(&self.common_dir, &args)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let commit = |text: &str| {
            let (head, paths) = text.split_once(MARKS.0)?;
            let (ids, message) = head.split_once('\n')?;
            let mut ids = ids.split_whitespace().map(str::to_owned);
            // A root commit is no change of anything.
            let (id, parent) = (ids.next()?, ids.next()?);
            let paths = paths.split('\0').map(|path| path.trim_start_matches('\n').to_owned());
            let paths = paths.filter(|path| !path.is_empty()).collect();
            Some((id, PastCommit { parent, change: change(message, paths, limits) }))
        };
        Ok(text.split(MARKS.1).filter_map(commit).collect())
    }
}

fn change(message: &str, paths: Vec<String>, limits: HistoryLimits) -> Option<PastChange> {
    (1..=limits.files).contains(&paths.len()).then(|| PastChange {
        message: shortened(message),
        tasks: trailers(message),
        paths,
    })
}

/// The tasks whose work it brought, as `orch` notes them when it lands something.
fn trailers(message: &str) -> Vec<String> {
    let values = message.lines().filter_map(|line| line.strip_prefix(TASK_TRAILER));
    values.map(|value| value.trim().to_owned()).collect()
}

fn name((path, ..): Difference) -> String {
    String::from_utf8_lossy(&path).into_owned()
}

fn shortened(message: &str) -> String {
    message[..message.floor_char_boundary(LONGEST_MESSAGE)].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{git, write};
    use super::*;

    #[test]
    fn a_merge_is_one_change_and_nothing_after_the_base_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        git(at, &["init", "-q", "-b", "main"]);
        let commit = |files: &[&str], message: &str| {
            for file in files {
                write(at, file, message);
            }
            git(at, &["add", "-A"]);
            let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
            git(at, &[&who[..], &["commit", "-q", "-m", message]].concat());
        };
        commit(&["a"], "first");
        git(at, &["checkout", "-q", "-b", "side"]);
        commit(&["b"], "b");
        commit(&["c"], "c");
        git(at, &["checkout", "-q", "main"]);
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        git(at, &[&who[..], &["merge", "-q", "--no-ff", "-m", "merged", "side"]].concat());
        commit(&["a", "d"], "last");
        let base = git(at, &["rev-parse", "HEAD"]).trim().to_owned();
        commit(&["later"], "later");
        let repo = Repo::discover(at).unwrap();
        let read = |limits| {
            let by_library = repo.history(&base, limits).unwrap();
            let commits = repo.past_commits(&base, limits, &mut |_| false).unwrap();
            assert_eq!(repo.past_by_executable(&base, limits).unwrap(), commits);
            let (second, _) = &commits[commits.len() - 1];
            let new = repo.past_commits(&base, limits, &mut |id| id == second).unwrap();
            assert_eq!(new, commits[..commits.len() - 1]);
            by_library.into_iter().map(|c| (c.message, c.paths.join(" "))).collect::<Vec<_>>()
        };
        let pair = |message: &str, paths: &str| (message.to_owned(), paths.to_owned());
        let all = [pair("last", "a d"), pair("merged", "b c")];
        assert_eq!(read(HistoryLimits::default()), all);
        assert_eq!(read(HistoryLimits { commits: 1, files: 30 }), all[..1]);
        assert!(repo.history(&base, HistoryLimits { commits: 9, files: 1 }).unwrap().is_empty());
        assert!(
            repo.history("0000000000000000000000000000000000000000", HistoryLimits::default())
                .is_err()
        );
    }
}
