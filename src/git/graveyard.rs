//! Keeping what a person has removed by force.
//!
//! A burial is one commit under `refs/orch/graveyard/`. Its tree is the worktree as it was, with
//! everything uncommitted and untracked (not what is ignored); its parents are the branch and
//! HEAD; its message says what is needed to bring it back. It stays until a person deletes the ref.

use super::checkout::run;
use super::clean::Proof;
use super::executable::command;
use super::snapshot::{Snapshot, snapshot};
use super::{GitError, Repo, names};
use std::path::{Path, PathBuf};

/// Where burials are.
const GRAVEYARD: &str = "refs/orch/graveyard/";

/// Tried for a free name before giving up: nobody buries one task so often.
const NAMES: u32 = 10_000;

/// Something kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buried {
    /// The ref that keeps it.
    pub refname: String,
    /// With it, [`Repo::remove_worktree`] removes worktree and branch.
    pub proof: Proof,
}

/// One entry of the graveyard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grave {
    /// The ref that keeps it.
    pub refname: String,
    /// The task.
    pub task: String,
    /// The branch's short name.
    pub branch: String,
    /// The branch's commit; `None` when there was no branch.
    pub head: Option<String>,
    /// The commit whose tree is the worktree as it was.
    pub snapshot: String,
    /// Where the worktree was.
    pub worktree: PathBuf,
    /// When, seconds since the Unix epoch.
    pub buried_at: i64,
}

/// What [`Repo::restore`] brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The branch, which exists again.
    pub branch: String,
    /// Its commit.
    pub head: String,
    /// For [`Repo::unpack`] once the worktree is there again.
    pub snapshot: String,
    /// Where the worktree was.
    pub worktree: PathBuf,
    /// The ref that still keeps it.
    pub refname: String,
}

impl Repo {
    /// Keeps everything in a task's worktree and on its branch, to remove both. Neither is changed.
    /// What the latest burial of the task holds already is not buried again: it may be that the
    /// removal was interrupted.
    ///
    /// # Errors
    /// [`GitError::Refused`] for what may not be removed, such as a locked worktree; what git
    /// refuses. Then nothing may be removed.
    pub fn bury(&self, task: &str, worktree: &Path, branch: &str) -> Result<Buried, GitError> {
        match self.not_removable(worktree, branch)? {
            Some(reason) => Err(GitError::Refused(reason)),
            None => self.keep(task, worktree, branch),
        }
    }

    /// As [`Repo::bury`], also where nothing is to be removed.
    pub(crate) fn keep(
        &self,
        task: &str,
        worktree: &Path,
        branch: &str,
    ) -> Result<Buried, GitError> {
        let first = format!("{GRAVEYARD}{task}");
        if !git2::Reference::is_valid_name(&first) {
            return Err(GitError::InTheWay(format!("'{task}' cannot be part of a ref's name")));
        }
        let tip = self.ref_target(&format!("refs/heads/{branch}"))?;
        let taken = snapshot(self, worktree, tip.as_deref())?;
        let graves = self.graveyard_list()?;
        let known = latest(&graves, task)
            .filter(|grave| grave.branch == branch)
            .filter(|grave| self.holds(grave, tip.as_deref(), taken.as_ref()));
        let refname = if let Some(grave) = known {
            grave.refname.clone()
        } else {
            let kept = tip.clone().or_else(|| taken.as_ref().and_then(|t| t.head.clone()));
            let tree = match (&taken, &kept) {
                (Some(taken), _) => taken.tree.clone(),
                (None, Some(commit)) => format!("{commit}^{{tree}}"),
                (None, None) => {
                    return Err(GitError::InTheWay(format!(
                        "there is nothing to keep of {task}: neither {} nor branch {branch} exists",
                        worktree.display()
                    )));
                }
            };
            let parents = parents(tip.as_deref(), taken.as_ref());
            let commit = self.burial(task, worktree, branch, tip.as_deref(), &parents, &tree)?;
            self.new_grave(&first, &commit)?
        };
        let proof = Proof::buried(worktree, branch, tip, taken.map(|taken| taken.tree));
        Ok(Buried { refname, proof })
    }

    /// Whether a burial holds all that there is now.
    fn holds(&self, grave: &Grave, tip: Option<&str>, taken: Option<&Snapshot>) -> bool {
        let Some(taken) = taken else {
            // Once the worktree is gone its files are nowhere else, and then the branch may be too.
            return tip.is_none() || grave.head.as_deref() == tip;
        };
        let [tree, above] = ["^{tree}", "^@"].map(|of| format!("{}{of}", grave.snapshot));
        let asked = run(command(&self.common_dir, &["rev-parse", &tree, &above]));
        let buried = names::show(&asked.unwrap_or_default());
        let mut now = vec![taken.tree.as_str()];
        now.extend(parents(tip, Some(taken)));
        grave.head.as_deref() == tip && buried.lines().eq(now)
    }

    fn burial(
        &self,
        task: &str,
        worktree: &Path,
        branch: &str,
        tip: Option<&str>,
        parents: &[&str],
        tree: &str,
    ) -> Result<String, GitError> {
        let place = names::show(worktree.as_os_str().as_encoded_bytes());
        let message = format!(
            "orch: keep {task}\n\nOrch-Task: {task}\nOrch-Branch: {branch}\nOrch-Head: {}\n\
             Orch-Worktree: {place}\n",
            tip.unwrap_or("none")
        );
        let mut args = vec!["commit-tree", tree, "-m", &message];
        for parent in parents {
            args.extend(["-p", parent]);
        }
        let commit = run(command(&self.common_dir, &args)).or_else(|error| {
            // Keeping work must not fail for want of a name.
            let mut nameless = command(&self.common_dir, &args);
            for role in ["AUTHOR", "COMMITTER"] {
                nameless.env(format!("GIT_{role}_NAME"), "orch");
                nameless.env(format!("GIT_{role}_EMAIL"), "orch@localhost");
            }
            run(nameless).map_err(|_| error)
        })?;
        Ok(names::show(commit.trim_ascii()))
    }

    /// Points a new ref at a burial: the task's name, or with a number where that is taken.
    fn new_grave(&self, first: &str, commit: &str) -> Result<String, GitError> {
        let nothing = "0".repeat(commit.len());
        for number in 1..NAMES {
            let refname = if number == 1 { first.to_owned() } else { format!("{first}-{number}") };
            if self.ref_target(&refname)?.is_some() {
                continue;
            }
            let create = ["update-ref", "-m", "orch: keep", &refname, commit, &nothing];
            match run(command(&self.common_dir, &create)) {
                Ok(_) => return Ok(refname),
                // Somebody was faster: the next number is free.
                Err(_) if self.ref_target(&refname)?.is_some() => {}
                Err(error) => return Err(error),
            }
        }
        Err(GitError::InTheWay(format!("too many refs named {first}")))
    }

    /// What the graveyard holds, oldest first.
    ///
    /// # Errors
    /// When the refs cannot be read.
    pub fn graveyard_list(&self) -> Result<Vec<Grave>, GitError> {
        let format = "--format=%(refname)%00%(objectname)%00%(committerdate:unix)%00\
                      %(contents:body)%00%00";
        let args = ["for-each-ref", "--sort=committerdate", format, GRAVEYARD];
        let listing = run(command(&self.common_dir, &args))?;
        let listing = String::from_utf8_lossy(&listing);
        Ok(listing.split("\0\0\n").filter_map(grave).collect())
    }

    /// Brings the branch of a buried task back: the latest burial under that name, or the one whose
    /// ref is named. The ref stays.
    ///
    /// # Errors
    /// [`GitError::InTheWay`] when nothing is buried under that name; [`GitError::Refused`] when a
    /// branch of that name has other work.
    pub fn restore(&self, task: &str) -> Result<Restored, GitError> {
        let graves = self.graveyard_list()?;
        let named = |grave: &&Grave| {
            grave.refname == task || grave.refname.strip_prefix(GRAVEYARD) == Some(task)
        };
        let Some(grave) = latest(&graves, task).or_else(|| graves.iter().find(named)) else {
            return Err(GitError::InTheWay(format!(
                "nothing is kept of {task}; what is kept: git for-each-ref {GRAVEYARD}"
            )));
        };
        // Without a branch it was the worktree's HEAD that was kept, as the first parent.
        let head = match &grave.head {
            Some(head) => head.clone(),
            None => self
                .resolve_commit(&format!("{}^1", grave.snapshot))
                .unwrap_or_else(|| grave.snapshot.clone()),
        };
        let reference = format!("refs/heads/{}", grave.branch);
        match self.ref_target(&reference)? {
            None => {
                let nothing = "0".repeat(head.len());
                let create = ["update-ref", "-m", "orch: restore", &reference, &head, &nothing];
                run(command(&self.common_dir, &create))?;
            }
            Some(found) if self.contains(&found, &head)? => {}
            Some(_) => {
                return Err(GitError::Refused(format!(
                    "branch {} exists and has other work; rename it, then restore again: git \
                     branch -m {} OTHER-NAME",
                    grave.branch, grave.branch
                )));
            }
        }
        let Grave { refname, branch, snapshot, worktree, .. } = grave.clone();
        Ok(Restored { branch, head, snapshot, worktree, refname })
    }

    fn resolve_commit(&self, name: &str) -> Option<String> {
        let args = ["rev-parse", "--verify", "-q", name];
        run(command(&self.common_dir, &args)).ok().map(|oid| names::show(oid.trim_ascii()))
    }

    /// Puts the uncommitted files of a burial into a clean worktree again, uncommitted.
    ///
    /// # Errors
    /// [`GitError::Refused`] when the worktree is not clean.
    pub fn unpack(&self, snapshot: &str, worktree: &Path) -> Result<(), GitError> {
        let checkout = self.linked(worktree)?;
        let look = super::uncommitted::Look { staged: true, ignored: false };
        let dirty = checkout.uncommitted(look)?.names();
        if !dirty.is_empty() {
            return Err(GitError::Refused(format!(
                "{} has uncommitted changes ({}); commit them first",
                worktree.display(),
                names::some(&dirty)
            )));
        }
        let source = format!("--source={snapshot}");
        let args = ["restore", &source, "--worktree", "--no-overlay", "--", ":/"];
        checkout.git(&args).map(drop)
    }
}

/// The latest burial of a task; within one second the numbers tell.
fn latest<'g>(graves: &'g [Grave], task: &str) -> Option<&'g Grave> {
    graves.iter().filter(|grave| grave.task == task).max_by_key(|grave| {
        let number = grave.refname.strip_prefix(GRAVEYARD).and_then(|r| r.strip_prefix(task));
        let number = number.and_then(|n| n.strip_prefix('-')).and_then(|n| n.parse::<u32>().ok());
        (grave.buried_at, number)
    })
}

/// What a burial comes after: the branch, HEAD, and the commits of repositories inside.
fn parents<'s>(tip: Option<&'s str>, taken: Option<&'s Snapshot>) -> Vec<&'s str> {
    let mut parents: Vec<&str> = tip.into_iter().collect();
    if let Some(taken) = taken {
        parents.extend(taken.head.as_deref());
        parents.extend(taken.nested.iter().map(String::as_str));
    }
    let mut seen = std::collections::BTreeSet::new();
    parents.retain(|parent| seen.insert(*parent));
    parents
}

/// One record of the listing.
fn grave(record: &str) -> Option<Grave> {
    let mut fields = record.split('\0');
    let (refname, snapshot, time) = (fields.next()?, fields.next()?, fields.next()?);
    let body = fields.next()?;
    let value = |key: &str| {
        body.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).map(str::to_owned)
    };
    Some(Grave {
        refname: refname.to_owned(),
        task: value("Orch-Task")?,
        branch: value("Orch-Branch")?,
        head: value("Orch-Head").filter(|head| head != "none"),
        snapshot: snapshot.to_owned(),
        worktree: value("Orch-Worktree")?.into(),
        buried_at: time.parse().ok()?,
    })
}
