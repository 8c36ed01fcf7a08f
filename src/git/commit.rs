//! Committing what an agent left uncommitted.
//!
//! Promise: nothing is lost. Everything tracked, deleted or untracked (but not ignored) becomes one
//! commit on top of what the agent committed itself, on the branch of the task and on no other.
//! Where that is not possible without guessing, an error says where the work is and nothing moves.
//! Hooks are not run and the commit is not signed: it records what is there, it does not judge it,
//! and neither a hook nor a passphrase prompt may make a finished task fail.

use super::changes::oid;
use super::checkout::{Checkout, Standing, run_with_input};
use super::private_index::add_arguments;
use super::uncommitted::{Look, Means, Uncommitted, by_library, names_a_filter};
use super::{GitError, Repo, names};
use crate::model::shell_word;
use std::path::Path;

/// The files a merge, cherry-pick or revert that has been concluded leaves behind.
const CONCLUDED: [&str; 6] =
    ["MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "CHERRY_PICK_HEAD", "REVERT_HEAD", "AUTO_MERGE"];

/// The mode of an entry that names a commit of another repository.
const GITLINK: u32 = 0o160_000;

/// For git's own commands that move refs.
const WITHOUT_HOOKS: [&str; 2] = ["-c", "core.hooksPath=/dev/null"];

/// What [`Repo::commit_worktree`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The branch's commit now.
    pub head: String,
    /// Whether there was something to commit.
    pub created: bool,
    /// Every path that differs between the base and `head`.
    pub files: Vec<String>,
    /// Repositories inside the worktree, which were left out.
    pub skipped: Vec<String>,
    /// What was found amiss and put right, one line each.
    pub notes: Vec<String>,
}

/// What goes into the commit.
struct Staged {
    tree: String,
    nested: Vec<Vec<u8>>,
}

impl Repo {
    /// Commits everything uncommitted in `worktree` on `branch` (a short name), under the user's
    /// identity. No process may be at work in the worktree: locks that a killed git left behind
    /// are removed.
    ///
    /// An agent that switched to a branch of its own (or detached HEAD) has its work brought onto
    /// `branch`, provided that nothing on `branch` is left out by that; HEAD is then put back, and
    /// the agent's own branch stays where it was. A merge or cherry-pick without conflicts is
    /// concluded.
    ///
    /// # Errors
    /// [`GitError::Refused`] when HEAD is somewhere that does not contain `branch`, or conflicts or
    /// a rebase are unresolved; [`GitError::InTheWay`] when it is no usable worktree;
    /// [`GitError::NoIdentity`]; what git refuses.
    pub fn commit_worktree(
        &self,
        worktree: &Path,
        branch: &str,
        base: &str,
        message: &str,
    ) -> Result<Committed, GitError> {
        let checkout = self.linked(worktree)?;
        let mut notes = self.remove_stale_locks(&checkout, branch)?;
        let repo = checkout.open().ok().filter(|repo| checkout.means(repo) == Means::Library);
        let reference = format!("refs/heads/{branch}");
        let standing = match &repo {
            Some(repo) => standing(repo),
            None => checkout.standing()?,
        };
        let (parent, tip) = self.examine(&checkout, &standing, &reference, base, &mut notes)?;
        let found = match &repo {
            Some(repo) => by_library(repo, Look::default())?,
            None => checkout.uncommitted(Look::default())?,
        };
        refuse_conflicts(&checkout, &found)?;
        // An agent's own `.gitattributes` may ask for a filter as of now.
        let repo = repo.filter(|_| !brings_a_filter(&checkout, &found));
        let staged = match &repo {
            Some(repo) => stage_by_library(repo, found)?,
            None => stage_by_executable(&checkout, found)?,
        };
        let merged = merge_heads(&checkout);
        let parent_tree = match &repo {
            Some(repo) => super::changes::tree(repo, &parent)?.id().to_string(),
            None => rev_parse(&checkout, &format!("{parent}^{{tree}}"))?,
        };
        let created = staged.tree != parent_tree || !merged.is_empty();
        let head = if created {
            let mut parents = vec![parent];
            parents.extend(merged);
            if let Some(repo) = &repo {
                self.write_commit(repo, &staged.tree, &parents, message)?
            } else {
                let git = |args: &[&str]| checkout.command(args);
                self.commit_tree(git, &staged.tree, &parents, message)?
            }
        } else {
            parent
        };
        move_branch(&checkout, repo.as_ref(), &reference, tip.as_deref(), &head)?;
        if standing.reference.as_deref() != Some(&reference) {
            let back = ["symbolic-ref", "-m", "orch: back to the task", "HEAD", &reference];
            checkout.git(&[&WITHOUT_HOOKS[..], &back].concat())?;
        }
        for file in CONCLUDED {
            // It is there only if something was concluded; a leftover would be no harm.
            _ = std::fs::remove_file(checkout.git_dir.join(file));
        }
        let files = self.changed_files(base, &head)?;
        let skipped = staged.nested.iter().map(|path| names::show(path)).collect();
        Ok(Committed { head, created, files, skipped, notes })
    }

    /// Removes the locks that a killed git left in a worktree in which no process is at work.
    ///
    /// # Errors
    /// [`GitError::InTheWay`] when it is no usable worktree; a lock that cannot be removed.
    pub fn unlock_worktree(&self, worktree: &Path, branch: &str) -> Result<(), GitError> {
        self.remove_stale_locks(&self.linked(worktree)?, branch).map(drop)
    }

    /// Removes the locks that a killed git leaves: the worktree's own, and its branch's.
    pub(crate) fn remove_stale_locks(
        &self,
        checkout: &Checkout,
        branch: &str,
    ) -> Result<Vec<String>, GitError> {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        let mut notes = Vec::new();
        let of_branch = self.common_dir.join("refs/heads").join(format!("{branch}.lock"));
        for lock in
            [checkout.git_dir.join("index.lock"), checkout.git_dir.join("HEAD.lock"), of_branch]
        {
            match std::fs::remove_file(&lock) {
                Ok(()) => notes.push(format!("removed a stale lock: {}", lock.display())),
                // A reference table is a file where the loose refs would be a directory.
                Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {}
                Err(error) => {
                    return Err(GitError::io(format!("remove {}", lock.display()))(error));
                }
            }
        }
        Ok(notes)
    }

    /// The commit to build on, and the branch's present value.
    fn examine(
        &self,
        checkout: &Checkout,
        standing: &Standing,
        reference: &str,
        base: &str,
        notes: &mut Vec<String>,
    ) -> Result<(String, Option<String>), GitError> {
        let place = checkout.path.display();
        let word = shell_word(&place.to_string());
        let branch = reference.trim_start_matches("refs/heads/");
        let doing = checkout.operation();
        if let Some(operation) = doing.filter(|o| o.contains("rebase") || o.contains("several")) {
            return Err(GitError::Refused(format!(
                "the agent left {place} in the middle of {operation}; its work is there and on \
                 branch {branch}; finish it there (git status says how), then retry the task"
            )));
        }
        let here = standing.reference.as_deref().map_or("a detached HEAD".to_owned(), |name| {
            format!("branch {}", name.trim_start_matches("refs/heads/"))
        });
        let Some(parent) = standing.oid.clone() else {
            return Err(GitError::Refused(format!(
                "the agent left {place} on {here}, which has no commits, instead of branch {branch}; \
                 switch back there: git -C {word} switch {branch}"
            )));
        };
        if standing.reference.as_deref() == Some(reference) {
            return Ok((parent.clone(), Some(parent)));
        }
        let tip = self.ref_target(reference)?;
        // Where the agent deleted or renamed the branch, its work must at least contain the base.
        if !self.contains(&parent, tip.as_deref().unwrap_or(base))? {
            return Err(GitError::Refused(format!(
                "the agent left {place} on {here}, which does not contain the work on branch \
                 {branch}; bring both together there, then retry the task: git -C {word} switch \
                 {branch}"
            )));
        }
        notes.push(format!("the agent left the worktree on {here}; its work is on {branch} now"));
        Ok((parent, tip))
    }

    /// The commit a ref points at, if it exists.
    pub(crate) fn ref_target(&self, reference: &str) -> Result<Option<String>, GitError> {
        if let Ok(repo) = self.open() {
            return match repo.find_reference(reference).and_then(|r| r.peel_to_commit()) {
                Ok(commit) => Ok(Some(commit.id().to_string())),
                Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
                Err(error) => Err(GitError::lib(format!("read {reference}"))(error)),
            };
        }
        let peeled = format!("{reference}^{{commit}}");
        let args = ["rev-parse", "--verify", "-q", peeled.as_str()];
        let output = super::checkout::run(super::executable::command(&self.common_dir, &args));
        Ok(output.ok().map(|oid| names::show(oid.trim_ascii())))
    }

    /// Writes a commit object; no ref moves.
    pub(crate) fn write_commit(
        &self,
        repo: &git2::Repository,
        tree: &str,
        parents: &[String],
        message: &str,
    ) -> Result<String, GitError> {
        let doing = || GitError::lib("write a commit");
        let (author, committer) = self.signatures(Some(repo))?;
        let tree = repo.find_tree(oid(tree)?).map_err(doing())?;
        let parents = parents
            .iter()
            .map(|parent| repo.find_commit(oid(parent)?).map_err(doing()))
            .collect::<Result<Vec<_>, _>>()?;
        let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
        let message = git2::message_prettify(message, None).map_err(doing())?;
        let commit = repo.commit(None, &author, &committer, &message, &tree, &parents);
        Ok(commit.map_err(doing())?.to_string())
    }

    /// The same through the git executable, for repositories that libgit2 cannot read.
    pub(crate) fn commit_tree(
        &self,
        git: impl Fn(&[&str]) -> std::process::Command,
        tree: &str,
        parents: &[String],
        message: &str,
    ) -> Result<String, GitError> {
        self.signatures(None)?;
        let mut args = vec!["commit-tree", tree];
        for parent in parents {
            args.extend(["-p", parent]);
        }
        args.extend(["-F", "-"]);
        let message = format!("{}\n", message.trim());
        let output = run_with_input(git(&args), message.as_bytes())?;
        Ok(names::show(output.trim_ascii()))
    }
}

/// HEAD through libgit2.
pub(crate) fn standing(repo: &git2::Repository) -> Standing {
    let reference = repo.find_reference("HEAD").ok();
    let reference = reference.and_then(|r| r.symbolic_target_bytes().map(names::show));
    let oid = repo.head().and_then(|head| head.peel_to_commit());
    Standing { oid: oid.ok().map(|commit| commit.id().to_string()), reference }
}

fn refuse_conflicts(checkout: &Checkout, found: &Uncommitted) -> Result<(), GitError> {
    if found.conflicted.is_empty() {
        return Ok(());
    }
    let paths: Vec<String> = found.conflicted.iter().map(|path| names::show(path)).collect();
    Err(GitError::Refused(format!(
        "the agent left conflicts unresolved in {} ({}); resolve them there, then retry the task",
        checkout.path.display(),
        names::some(&paths)
    )))
}

fn brings_a_filter(checkout: &Checkout, found: &Uncommitted) -> bool {
    found
        .all()
        .iter()
        .filter(|path| path.ends_with(b".gitattributes") || path.ends_with(b".gitmodules"))
        .any(|path| {
            path.ends_with(b".gitmodules") || names_a_filter(&checkout.path.join(names::path(path)))
        })
}

/// The commits that a merge in progress brings in.
fn merge_heads(checkout: &Checkout) -> Vec<String> {
    let text = std::fs::read_to_string(checkout.git_dir.join("MERGE_HEAD")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Repositories that the agent staged as if they were submodules, without declaring them: their
/// commits exist nowhere but in the worktree.
fn undeclared(path: &[u8], mode: u32, head: Option<&git2::Tree<'_>>) -> bool {
    mode == GITLINK && head.is_none_or(|tree| tree.get_path(&names::path(path)).is_err())
}

fn stage_by_library(repo: &git2::Repository, found: Uncommitted) -> Result<Staged, GitError> {
    let doing = |path: &[u8]| GitError::lib(format!("add {} to the index", names::show(path)));
    let mut index = repo.index().map_err(GitError::lib("read the index"))?;
    let mut dirty = false;
    let mut nested: Vec<Vec<u8>> = found.nested.into_iter().collect();
    let head = repo.head().ok().and_then(|head| head.peel_to_tree().ok());
    let undeclared = index.iter().filter(|e| undeclared(&e.path, e.mode, head.as_ref()));
    for path in undeclared.map(|entry| entry.path).collect::<Vec<_>>() {
        index.remove_path(&names::path(&path)).map_err(doing(&path))?;
        nested.push(path);
        dirty = true;
    }
    let (mut gone, mut here) = (Vec::new(), Vec::new());
    for path in found.changed.into_iter().chain(found.untracked) {
        if nested.contains(&path) {
            continue;
        }
        let place = repo.workdir().map(|top| top.join(names::path(&path))).unwrap_or_default();
        let is_link = |entry: git2::IndexEntry| entry.mode == GITLINK;
        match std::fs::symlink_metadata(&place) {
            Err(_) => gone.push(path),
            Ok(meta) if !meta.is_dir() => here.push(path),
            Ok(_) if index.get_path(&names::path(&path), 0).is_some_and(is_link) => here.push(path),
            // A directory took the place of a file; what is in it is untracked.
            Ok(_) => {
                if place.join(".git").exists() {
                    nested.push(path.clone());
                }
                gone.push(path);
            }
        }
    }
    // Removals first: they make room for directories, and directories for files.
    for path in &gone {
        index.remove_path(&names::path(path)).map_err(doing(path))?;
        dirty = true;
    }
    for path in &here {
        index.add_path(&names::path(path)).map_err(doing(path))?;
        dirty = true;
    }
    let tree = index.write_tree().map_err(GitError::lib("write the tree"))?;
    if dirty {
        index.write().map_err(GitError::lib("write the index"))?;
    }
    Ok(Staged { tree: tree.to_string(), nested })
}

fn stage_by_executable(checkout: &Checkout, found: Uncommitted) -> Result<Staged, GitError> {
    let mut nested: Vec<Vec<u8>> = found.nested.into_iter().collect();
    checkout.git(&add_arguments(nested.iter().map(Vec::as_slice)))?;
    nested.extend(unstage_undeclared(checkout)?);
    let tree = checkout.git(&["write-tree"])?;
    Ok(Staged { tree: names::show(tree.trim_ascii()), nested })
}

/// See [`undeclared`]; here a declared submodule is one that `.gitmodules` names.
fn unstage_undeclared(checkout: &Checkout) -> Result<Vec<Vec<u8>>, GitError> {
    let staged = checkout.git(&[
        "diff-index",
        "--cached",
        "-z",
        "--no-renames",
        "--diff-filter=A",
        "HEAD",
    ])?;
    let mut fields = names::nul_separated(&staged);
    let mut links = Vec::new();
    while let (Some(what), Some(path)) = (fields.next(), fields.next()) {
        if what.starts_with(b":000000 160000") {
            links.push(path.to_vec());
        }
    }
    if links.is_empty() {
        return Ok(links);
    }
    let file = checkout.path.join(".gitmodules");
    let args = ["config", "-z", "--file", ".gitmodules", "--get-regexp", r"submodule\..*\.path"];
    let declared = if file.exists() { checkout.git(&args).unwrap_or_default() } else { Vec::new() };
    links.retain(|link| {
        !names::nul_separated(&declared).any(|entry| entry.ends_with(&[b"\n", &link[..]].concat()))
    });
    for link in &links {
        let mut args: Vec<std::ffi::OsString> =
            ["update-index", "--force-remove", "--"].iter().map(Into::into).collect();
        args.push(names::path(link).into());
        checkout.git(&args)?;
    }
    Ok(links)
}

fn rev_parse(checkout: &Checkout, what: &str) -> Result<String, GitError> {
    let output = checkout.git(&["rev-parse", "--verify", what])?;
    Ok(names::show(output.trim_ascii()))
}

/// Moves the branch from `tip` (`None`: it must not exist) to `head`.
fn move_branch(
    checkout: &Checkout,
    repo: Option<&git2::Repository>,
    reference: &str,
    tip: Option<&str>,
    head: &str,
) -> Result<(), GitError> {
    const LOG: &str = "orch: commit what the agent left";
    if tip == Some(head) {
        return Ok(());
    }
    let Some(repo) = repo else {
        let nothing = "0".repeat(head.len());
        let update = ["update-ref", "-m", LOG, reference, head, tip.unwrap_or(&nothing)];
        let args = [&WITHOUT_HOOKS[..], &update].concat();
        return checkout.git(&args).map(drop);
    };
    let moved = match tip {
        Some(tip) => repo.reference_matching(reference, oid(head)?, true, oid(tip)?, LOG),
        None => repo.reference(reference, oid(head)?, false, LOG),
    };
    moved.map(drop).map_err(|error| match error.code() {
        git2::ErrorCode::Modified | git2::ErrorCode::Exists => GitError::Moved {
            name: reference.to_owned(),
            expected: tip.unwrap_or("nothing").to_owned(),
            found: repo.refname_to_id(reference).map_or("nothing".into(), |o| o.to_string()),
        },
        _ => GitError::lib(format!("move {reference}"))(error),
    })
}
