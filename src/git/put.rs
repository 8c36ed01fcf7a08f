//! Putting a branch's work onto a tip: merged, squashed or rebased; in memory, no ref moves.
//!
//! No hook of the user's is run for the commits made here, as none is on a server: `pre-merge-commit` and
//! `commit-msg` are about a person's checkout. `reference-transaction` is heard when the branch moves.

use super::changes::{oid, tree};
use super::checkout::{run, run_with_input};
use super::executable::command;
use super::merge::{has_drivers, merge_apart};
use super::{GitError, Repo, names};
use crate::model::Strategy;
use std::fmt;
use std::path::Path;

/// A change of one file that goes with the work. Given what is there, it says what is to be; `None`: as is.
pub type Edit<'e> = &'e dyn Fn(Option<&[u8]>) -> Option<Vec<u8>>;

/// What is put onto a tip, and how.
#[derive(Clone, Copy)]
pub struct Work<'w> {
    /// The work's last commit.
    pub commit: &'w str,
    /// How.
    pub strategy: Strategy,
    /// The first line of a merge commit.
    pub merge_subject: &'w str,
    /// The first line of a squashed commit.
    pub squash_subject: &'w str,
    /// `Key: value` lines for the commits that are made.
    pub trailers: &'w [(&'w str, String)],
    /// Commits whose work is on the tip, if not they themselves.
    pub landed: &'w [String],
    /// A file that changes with it.
    pub edit: Option<(&'w str, Edit<'w>)>,
}

impl fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edit = self.edit.map(|(path, _)| path);
        f.debug_struct("Work")
            .field("commit", &self.commit)
            .field("strategy", &self.strategy)
            .field("edit", &edit)
            .finish_non_exhaustive()
    }
}

/// What came of putting work onto a tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The tip has all of it.
    Nothing,
    /// It fits.
    Clean {
        /// The new tip.
        commit: String,
        /// Its tree.
        tree: String,
        /// Its commits could not be put there one by one without losing something, so they are one commit.
        squashed: bool,
    },
    /// It does not.
    Conflict {
        /// The paths, sorted.
        paths: Vec<String>,
    },
}

impl Repo {
    /// Puts work onto `tip`.
    ///
    /// # Errors
    /// A commit that cannot be read; no identity; a rebase in a repository that libgit2 cannot open.
    pub fn put(&self, tip: &str, work: &Work<'_>) -> Result<Put, GitError> {
        let ours = self.with_landed(tip, work)?;
        if self.contains(&ours, work.commit)? {
            return Ok(Put::Nothing);
        }
        match work.strategy {
            Strategy::Merge => self.put_merged(tip, &ours, work),
            Strategy::Squash => self.put_squashed(tip, &ours, work),
            Strategy::Rebase => self.put_rebased(tip, &ours, work),
        }
    }

    /// The tip as a merge sees it: where the work builds on commits that landed as others, it is merged as
    /// if the tip had them, or what they did would conflict with itself.
    fn with_landed(&self, tip: &str, work: &Work<'_>) -> Result<String, GitError> {
        let mut parents = vec![tip.to_owned()];
        for landed in work.landed {
            if self.contains(work.commit, landed)? && !self.contains(tip, landed)? {
                parents.push(landed.clone());
            }
        }
        if parents.len() == 1 {
            return Ok(tip.to_owned());
        }
        self.commit_of_tree(&self.tree_of(tip)?, &parents, "What landed in other commits")
    }

    /// The tree of a commit.
    ///
    /// # Errors
    /// When there is no such commit.
    pub fn tree_of(&self, commit: &str) -> Result<String, GitError> {
        if let Ok(repo) = self.open() {
            return Ok(tree(&repo, commit)?.id().to_string());
        }
        let args = ["rev-parse", "--verify", &format!("{commit}^{{tree}}")];
        Ok(names::show(run(command(&self.common_dir, &args))?.trim_ascii()))
    }

    /// The newest commit that both have; `None` without common history.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, GitError> {
        if let Ok(repo) = self.open() {
            return match repo.merge_base(oid(one)?, oid(other)?) {
                Ok(base) => Ok(Some(base.to_string())),
                Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
                Err(error) => Err(GitError::lib("find where two commits part")(error)),
            };
        }
        let base = run(command(&self.common_dir, &["merge-base", one, other]));
        Ok(base.ok().map(|base| names::show(base.trim_ascii())))
    }

    fn put_merged(&self, tip: &str, ours: &str, work: &Work<'_>) -> Result<Put, GitError> {
        let message = with_trailers(work.merge_subject, work.trailers);
        let merged = match (self.contains(work.commit, tip)?, work.edit) {
            (true, None) => return self.clean(work.commit.to_owned()),
            (true, Some(_)) => self.tree_of(work.commit)?,
            (false, _) => match self.merge_trees(ours, work.commit)? {
                Ok(tree) => tree,
                Err(paths) => return Ok(Put::Conflict { paths }),
            },
        };
        let tree = self.edited(&merged, work)?;
        let parents = [tip.to_owned(), work.commit.to_owned()];
        let commit = self.commit_of_tree(&tree, &parents, &message)?;
        Ok(Put::Clean { commit, tree, squashed: false })
    }

    fn put_squashed(&self, tip: &str, ours: &str, work: &Work<'_>) -> Result<Put, GitError> {
        let merged = if self.contains(work.commit, tip)? {
            self.tree_of(work.commit)?
        } else {
            match self.merge_trees(ours, work.commit)? {
                Ok(tree) => tree,
                Err(paths) => return Ok(Put::Conflict { paths }),
            }
        };
        self.put_squashed_tree(tip, &merged, work)
    }

    /// One commit with this tree on top of `tip`.
    fn put_squashed_tree(&self, tip: &str, merged: &str, work: &Work<'_>) -> Result<Put, GitError> {
        if merged == self.tree_of(tip)? {
            return Ok(Put::Nothing);
        }
        let tree = self.edited(merged, work)?;
        let message = with_trailers(work.squash_subject, work.trailers);
        let commit = self.commit_of_tree(&tree, &[tip.to_owned()], &message)?;
        Ok(Put::Clean { commit, tree, squashed: false })
    }

    fn put_rebased(&self, tip: &str, ours: &str, work: &Work<'_>) -> Result<Put, GitError> {
        let repo = self.open().map_err(|_| {
            GitError::Refused(
                "this repository cannot be opened by libgit2, which the strategy rebase needs; use merge or \
                 squash"
                    .to_owned(),
            )
        })?;
        if self.merge_base(tip, work.commit)?.is_none() {
            return Err(GitError::Refused(format!(
                "{} has no history in common with {tip}; merge it by hand",
                work.commit
            )));
        }
        let commits = own_commits(&repo, tip, work)?;
        let linear = !commits.iter().any(|(_, parents)| *parents != 1);
        let above = self.contains(work.commit, tip)?;
        if work.edit.is_none() && linear && above {
            let carries = |id: &git2::Oid| has_trailer(&repo, *id, work.trailers);
            if commits.iter().all(|(id, _)| carries(id)) {
                return self.clean(work.commit.to_owned());
            }
        }
        let merged = if above {
            Ok(self.tree_of(work.commit)?)
        } else {
            self.merge_trees(ours, work.commit)?
        };
        let replayed = self.replayed(&repo, tip, &commits, work)?;
        // What is only in a merge commit is in none of the others: only the same tree is the same work.
        let now = match (replayed, merged) {
            (Some((now, tree)), Ok(merged)) if tree == merged => now,
            (Some((now, _)), Err(_)) if linear => now,
            (_, Err(paths)) => return Ok(Put::Conflict { paths }),
            (_, Ok(merged)) => {
                return Ok(match self.put_squashed_tree(tip, &merged, work)? {
                    Put::Clean { commit, tree, .. } => Put::Clean { commit, tree, squashed: true },
                    other => other,
                });
            }
        };
        if now == tip {
            return Ok(Put::Nothing);
        }
        let tree = self.tree_of(&now)?;
        let edited = self.edited(&tree, work)?;
        if edited == tree {
            return self.clean(now);
        }
        let last = repo.find_commit(oid(&now)?).map_err(GitError::lib("read a commit"))?;
        let parent = last.parent_id(0).map_err(GitError::lib("read a commit"))?.to_string();
        self.clean(self.replay(&repo, last.id(), &edited, &parent, work.trailers)?)
    }

    /// The commits, but not the merges among them, one by one on top of `tip`: the last and its tree. `None`
    /// where that does not go.
    fn replayed(
        &self,
        repo: &git2::Repository,
        tip: &str,
        commits: &[(git2::Oid, usize)],
        work: &Work<'_>,
    ) -> Result<Option<(String, String)>, GitError> {
        let (mut now, mut tree) = (tip.to_owned(), self.tree_of(tip)?);
        for (id, parents) in commits {
            match parents {
                0 => return Ok(None),
                1 => {}
                _ => continue,
            }
            let Ok(picked) = self.pick(repo, &now, *id)? else { return Ok(None) };
            if picked != tree {
                now = self.replay(repo, *id, &picked, &now, work.trailers)?;
                tree = picked;
            }
        }
        Ok(Some((now, tree)))
    }

    fn clean(&self, commit: String) -> Result<Put, GitError> {
        Ok(Put::Clean { tree: self.tree_of(&commit)?, commit, squashed: false })
    }

    /// What a commit changed, on top of `tip`: the tree, or the paths in conflict.
    fn pick(
        &self,
        repo: &git2::Repository,
        tip: &str,
        id: git2::Oid,
    ) -> Result<super::merge::Merged, GitError> {
        let doing = || GitError::lib(format!("put {id} onto {tip}"));
        let commit = repo.find_commit(id).map_err(doing())?;
        let parent = commit.parent_id(0).map_err(doing())?;
        if has_drivers(repo) {
            let base = format!("--merge-base={parent}");
            return self.merge_tree(&[&base, tip, &id.to_string()]);
        }
        if let Some(tree) = merge_apart(repo, &parent.to_string(), tip, &id.to_string())? {
            return Ok(Ok(tree));
        }
        let ours = repo.find_commit(oid(tip)?).map_err(doing())?;
        let index = repo.cherrypick_commit(&commit, &ours, 0, Some(&super::merge::options()));
        super::merge::outcome(repo, index.map_err(doing())?)
    }

    /// A commit as it was, by whom it was, with another tree and parent.
    fn replay(
        &self,
        repo: &git2::Repository,
        id: git2::Oid,
        tree: &str,
        parent: &str,
        trailers: &[(&str, String)],
    ) -> Result<String, GitError> {
        let doing = || GitError::lib(format!("write {id} anew"));
        let commit = repo.find_commit(id).map_err(doing())?;
        let (_, committer) = self.signatures(Some(repo))?;
        let text = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        let text =
            if has_trailer(repo, id, trailers) { text } else { with_trailers(&text, trailers) };
        let tree = repo.find_tree(oid(tree)?).map_err(doing())?;
        let parent = repo.find_commit(oid(parent)?).map_err(doing())?;
        let written = repo.commit(None, &commit.author(), &committer, &text, &tree, &[&parent]);
        Ok(written.map_err(doing())?.to_string())
    }

    /// The tree with the work's edit.
    fn edited(&self, tree: &str, work: &Work<'_>) -> Result<String, GitError> {
        let Some((path, edit)) = work.edit else { return Ok(tree.to_owned()) };
        let before = self.read_blob(tree, path)?;
        let mode = self.mode_in(tree, path)?;
        if mode.as_deref() == Some("120000") {
            let target =
                String::from_utf8_lossy(before.as_deref().unwrap_or_default()).into_owned();
            return Err(GitError::Refused(format!(
                "{path} is a symbolic link to {target}, which an entry would replace by a file; nothing was \
                 landed; name the file that it leads to instead (changelog in orch.toml), then run orch merge \
                 again"
            )));
        }
        if before.is_none() && mode.is_some() {
            return Err(GitError::Refused(format!("{path} is a folder in {tree}, not a file")));
        }
        let Some(after) = edit(before.as_deref()) else { return Ok(tree.to_owned()) };
        let mode = mode.unwrap_or_else(|| "100644".to_owned());
        let Ok(repo) = self.open() else {
            return self.edited_by_executable(tree, path, &mode, &after);
        };
        let doing = || GitError::lib(format!("write {path}"));
        let base = repo.find_tree(oid(tree)?).map_err(doing())?;
        let mode = match mode.as_str() {
            "100755" => git2::FileMode::BlobExecutable,
            _ => git2::FileMode::Blob,
        };
        let blob = repo.blob(&after).map_err(doing())?;
        let mut update = git2::build::TreeUpdateBuilder::new();
        update.upsert(path, blob, mode);
        Ok(update.create_updated(&repo, &base).map_err(doing())?.to_string())
    }

    /// The mode of a path in a tree, as `git ls-tree` writes it; `None` where there is nothing.
    fn mode_in(&self, tree: &str, path: &str) -> Result<Option<String>, GitError> {
        let Ok(repo) = self.open() else {
            let listing = run(command(
                &self.common_dir,
                &["ls-tree", "-z", "--full-tree", tree, "--", path],
            ))?;
            let mode = names::show(&listing).split(' ').next().map(str::to_owned);
            return Ok(mode.filter(|mode| !mode.is_empty()));
        };
        let tree = repo.find_tree(oid(tree)?).map_err(GitError::lib("read a tree"))?;
        Ok(tree.get_path(Path::new(path)).ok().map(|entry| format!("{:06o}", entry.filemode())))
    }

    fn edited_by_executable(
        &self,
        tree: &str,
        path: &str,
        mode: &str,
        after: &[u8],
    ) -> Result<String, GitError> {
        let place = tempfile::tempdir().map_err(GitError::io("make a temporary index"))?;
        let git = |args: &[&str]| {
            let mut git = command(&self.common_dir, args);
            git.env("GIT_INDEX_FILE", place.path().join("index"));
            git
        };
        let blob = run_with_input(git(&["hash-object", "-w", "--stdin"]), after)?;
        run(git(&["read-tree", tree]))?;
        let entry = format!("{mode},{},{path}", names::show(blob.trim_ascii()));
        run(git(&["update-index", "--add", "--cacheinfo", &entry]))?;
        Ok(names::show(run(git(&["write-tree"]))?.trim_ascii()))
    }

    /// The hooks of the user's that would be run, were it a person who merges.
    #[must_use]
    pub fn merge_hooks(&self) -> Vec<&'static str> {
        let Ok(config) = self.open().and_then(|repo| repo.config().map_err(GitError::lib("read")))
        else {
            return Vec::new();
        };
        let names = ["pre-merge-commit", "prepare-commit-msg", "commit-msg"];
        names
            .into_iter()
            .filter(|name| super::features::hook(self, &config, name).is_some())
            .collect()
    }
}

/// The commits of the work that the tip does not have, oldest first, each with the number of its parents.
fn own_commits(
    repo: &git2::Repository,
    tip: &str,
    work: &Work<'_>,
) -> Result<Vec<(git2::Oid, usize)>, GitError> {
    let doing = || GitError::lib(format!("list the commits of {}", work.commit));
    let mut walk = repo.revwalk().map_err(doing())?;
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).map_err(doing())?;
    walk.push(oid(work.commit)?).map_err(doing())?;
    walk.hide(oid(tip)?).map_err(doing())?;
    for landed in work.landed {
        walk.hide(oid(landed)?).map_err(doing())?;
    }
    let mut found = Vec::new();
    for id in walk {
        let id = id.map_err(doing())?;
        found.push((id, repo.find_commit(id).map_err(doing())?.parent_count()));
    }
    Ok(found)
}

/// Whether a commit's message has the first of the trailers.
fn has_trailer(repo: &git2::Repository, id: git2::Oid, trailers: &[(&str, String)]) -> bool {
    let Some((key, value)) = trailers.first() else { return true };
    let line = format!("{key}: {value}");
    repo.find_commit(id).is_ok_and(|commit| {
        String::from_utf8_lossy(commit.message_bytes()).lines().any(|l| l.trim() == line)
    })
}

/// The message with trailers: in the block that it ends with, where that is one.
fn with_trailers(message: &str, trailers: &[(&str, String)]) -> String {
    let message = message.trim_end();
    if trailers.is_empty() {
        return format!("{message}\n");
    }
    let last = message.rsplit("\n\n").next().filter(|last| last.len() < message.len());
    let is_trailer = |line: &str| {
        line.split_once(": ").is_some_and(|(key, _)| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
    };
    let gap = if last.is_some_and(|last| last.lines().all(is_trailer)) { "\n" } else { "\n\n" };
    let lines: Vec<String> =
        trailers.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{message}{gap}{}\n", lines.join("\n"))
}
