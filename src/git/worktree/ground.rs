//! What is there before a worktree is made: it itself, remains of it, or something of somebody's.

use super::super::repo::branch_tip;
use super::super::{GitError, Repo};
use super::admin::Lock;
use super::discard::{files_in, is_whole};
use super::{Admin, Plan, WorktreeSpec, Worktrees};
use crate::model::shell_word;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Worktrees {
    /// Whether the worktree is there and whole.
    pub(super) fn stands(&self, spec: &WorktreeSpec) -> Result<bool, GitError> {
        let admin = Admin::named(&self.repo, &spec.id);
        if !is_whole(&admin) || admin.folder().as_deref() != Some(&spec.path) {
            return Ok(false);
        }
        let head = admin.head().unwrap_or_default();
        let on_it = head.strip_prefix("refs/heads/") == Some(&spec.branch);
        // Whoever works in it may have detached HEAD or made another branch; that is their work.
        if on_it || self.repo.branch_tip(&spec.branch)?.is_some() {
            return Ok(true);
        }
        Err(GitError::Refused(format!(
            "{} is a worktree on {head}, and there is no branch {}; remove it with: git worktree remove {}",
            spec.path.display(),
            spec.branch,
            shell_word(&spec.path.display().to_string())
        )))
    }

    /// Makes sure that nothing is at the path, and removes an entry whose folder is gone.
    pub(super) fn clear_stale(
        &self,
        spec: &WorktreeSpec,
        trash: &mut Vec<PathBuf>,
    ) -> Result<(), GitError> {
        let admin = Admin::named(&self.repo, &spec.id);
        let folder = admin.folder();
        let owned = folder.as_ref().is_some_and(|folder| admin.owns(folder));
        let here = folder.as_deref() == Some(spec.path.as_path());
        match admin.lock() {
            Lock::Person(reason) => {
                return Err(GitError::Refused(format!(
                    "worktree {} is locked ({reason}) and its folder is gone; run: git worktree unlock {}",
                    spec.id, spec.id
                )));
            }
            Lock::Git => {
                return Err(GitError::InTheWay(format!(
                    "git worktree add is making {}; if it no longer runs: git worktree unlock {} && git worktree prune",
                    spec.id, spec.id
                )));
            }
            // Marked as ours, and no intent: the machine went down. It was never handed out.
            Lock::Ours if owned && here => self.set_aside(&spec.path, trash)?,
            Lock::None if owned && !here => {
                let other = folder.unwrap_or_default();
                return Err(GitError::InTheWay(format!(
                    "the name {} is taken by the worktree {}; remove that or choose another id",
                    spec.id,
                    other.display()
                )));
            }
            Lock::Ours | Lock::None => {}
        }
        require_free(&spec.path)?;
        if admin.exists() { admin.remove() } else { Ok(()) }
    }

    /// Whether the branch exists; only at the base, and nowhere checked out, may it.
    pub(super) fn branch_exists_at_base(
        &self,
        spec: &WorktreeSpec,
        plan: Option<&Plan>,
    ) -> Result<bool, GitError> {
        let tip = match plan {
            Some(plan) => branch_tip(&plan.handle, &spec.branch)?,
            None => self.repo.branch_tip(&spec.branch)?,
        };
        let Some(tip) = tip else { return Ok(false) };
        if tip != spec.base {
            return Err(GitError::Refused(format!(
                "branch {} already exists at {tip}, not at the base {}; rename or delete it: git branch -m {} NEW-NAME",
                spec.branch, spec.base, spec.branch
            )));
        }
        match holder(&self.repo, &spec.branch) {
            Some(place) => Err(GitError::Refused(format!(
                "branch {} is checked out in {place}; switch that to another branch",
                spec.branch
            ))),
            None => Ok(true),
        }
    }
}

/// Checks the arguments and makes the path the one git would record.
pub(super) fn settle(spec: &WorktreeSpec) -> Result<WorktreeSpec, GitError> {
    let bad = |what: &str| Err(GitError::Refused(format!("worktree {:?}: {what}", spec.id)));
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if spec.id.is_empty() || !spec.id.chars().all(plain) || spec.id.starts_with('.') {
        return bad("its id must consist of letters, digits, '.', '_' and '-'");
    }
    let (Some(parent), Some(name)) = (spec.path.parent(), spec.path.file_name()) else {
        return bad("its path has no parent folder");
    };
    if !spec.path.is_absolute() || name != spec.id.as_str() {
        return bad("its path must be absolute and end in the id");
    }
    fs::create_dir_all(parent).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => GitError::InTheWay(format!(
            "{} is not a folder, so no worktree can be made in it; move it away",
            parent.display()
        )),
        _ => GitError::io(format!("create {}", parent.display()))(e),
    })?;
    let parent =
        parent.canonicalize().map_err(GitError::io(format!("find {}", parent.display())))?;
    Ok(WorktreeSpec { path: parent.join(name), ..spec.clone() })
}

fn require_free(path: &Path) -> Result<(), GitError> {
    let what = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(GitError::io(format!("look at {}", path.display()))(e)),
        Ok(meta) if meta.is_dir() && files_in(path).is_empty() => return Ok(()),
        Ok(meta) if meta.is_dir() => "a folder that is not empty",
        Ok(meta) if meta.is_symlink() => "a symbolic link",
        Ok(_) => "a file",
    };
    Err(GitError::InTheWay(format!(
        "{} is {what}, where a worktree is to be made; move it away",
        path.display()
    )))
}

/// The checkout that is on a branch, if its folder still exists.
fn holder(repo: &Repo, branch: &str) -> Option<String> {
    let full = format!("refs/heads/{branch}");
    let main = Admin { dir: repo.common_dir.clone() };
    if let Some(root) = &repo.root
        && main.head().as_deref() == Some(&full)
    {
        return Some(root.display().to_string());
    }
    files_in(&repo.common_dir.join("worktrees")).into_iter().find_map(|dir| {
        let admin = Admin { dir };
        let folder = admin.folder()?;
        let held = admin.head().as_deref() == Some(&full) && admin.owns(&folder);
        held.then(|| folder.display().to_string())
    })
}
