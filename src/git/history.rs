//! What earlier commits changed: their messages and paths, never the contents of a file.
//!
//! The line of first parents is walked, so a merged branch is one change with all its files, as a task will
//! be one. Trees that are equal on both sides are not read.

use super::executable::git;
use super::tree_diff::{Difference, differences};
use super::{GitError, Repo};
use crate::model::PastChange;
use git2::Oid;

/// Of a longer message the beginning is kept, in bytes: what a change is about stands in its first lines.
const LONGEST_MESSAGE: usize = 2_000;
/// Between the message and the paths of a commit, and before the next one, in the executable's output.
const MARKS: (char, char) = ('\u{1}', '\u{2}');

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

impl Repo {
    /// The changes that led to `base`, newest first, `base` itself included. Where the history ends
    /// early (a shallow clone), what is there.
    ///
    /// # Errors
    /// When `base` is no commit, or whatever git refuses.
    pub fn history(&self, base: &str, limits: HistoryLimits) -> Result<Vec<PastChange>, GitError> {
        if self.refused_by_libgit2().is_some() {
            return self.history_by_executable(base, limits);
        }
        let repo = self.open()?;
        let unknown = |_| GitError::UnknownRevision(base.to_owned());
        let oid = Oid::from_str(base).map_err(unknown)?;
        let mut commit = repo.find_commit(oid).map_err(unknown)?;
        let mut tree = commit.tree().map_err(GitError::lib("read a tree of the history"))?;
        let mut past = Vec::new();
        for _ in 0..limits.commits {
            // A root commit is no change of anything, and a shallow clone ends with a parent that is not there.
            let Ok(parent) = commit.parent(0) else { break };
            let Ok(before) = parent.tree() else { break };
            let changed = differences(&repo, &before, &tree)?;
            if (1..=limits.files).contains(&changed.len()) {
                past.push(PastChange {
                    message: shortened(&String::from_utf8_lossy(commit.message_bytes())),
                    paths: changed.into_iter().map(name).collect(),
                });
            }
            (commit, tree) = (parent, before);
        }
        Ok(past)
    }

    fn history_by_executable(
        &self,
        base: &str,
        limits: HistoryLimits,
    ) -> Result<Vec<PastChange>, GitError> {
        let count = format!("--max-count={}", limits.commits);
        let args = [
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            "--no-renames",
            "--name-only",
            "-z",
            &count,
            "--format=%x02%B%x01",
            base,
            "--",
        ];
        let output = git(&self.common_dir, &args)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let commits = text.split(MARKS.1).filter_map(|commit| commit.split_once(MARKS.0));
        Ok(commits
            .map(|(message, paths)| PastChange {
                message: shortened(message),
                paths: paths
                    .split('\0')
                    .map(|path| path.trim_start_matches('\n').to_owned())
                    .filter(|path| !path.is_empty())
                    .collect(),
            })
            .filter(|change| (1..=limits.files).contains(&change.paths.len()))
            .collect())
    }
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
            assert_eq!(
                repo.history_by_executable(&base, limits).unwrap()[..by_library.len()],
                by_library
            );
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
