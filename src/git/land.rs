//! Landing: a branch moves to a commit that was tested, together with the checkout that has it.
//!
//! The order of things, and what a SIGKILL between any two of them leaves:
//!
//! 1. `orch/landing` in the common git directory is locked and names the branch, its old and new
//!    commit, and the checkout. The lock is handed down to the git that writes the checkout, so
//!    whoever gets it knows that nobody is still at it.
//! 2. The checkout's `index.lock` is made as a copy of its index: from now on no git command can
//!    commit a half-written state. It is a second name of `orch-index.lock`, which proves whose it is
//!    until the note says so.
//! 3. `git read-tree -m -u` writes the files and that copy. It checks first that it overwrites
//!    nothing, and does filters, sparse checkouts and line endings as git does.
//! 4. The branch moves by compare-and-swap. It is `git update-ref` that does it, so the user's
//!    `reference-transaction` hook is heard, and HEAD's reflog tells what happened.
//! 5. `index.lock` becomes the index.
//! 6. The note of step 1 is emptied.
//!
//! After a kill `git status` shows files of the new commit as changes, and `git commit` refuses
//! because of `index.lock`; the next landing (or [`Repo::finish_landing`]) puts the files back
//! when the branch did not move yet, and finishes when it did. Files that somebody changed
//! meanwhile are left as they are and named.
//!
//! Hooks for people who check out or merge by hand (`post-checkout`, `post-merge`) are not run.

use super::checkout::{Checkout, run, run_holding};
use super::executable::command;
use super::landing_note::{Landing, Note};
use super::private_index::PrivateIndex;
use super::{GitError, Repo, names};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Brings an index's stat data up to date.
const REFRESH: [&str; 3] = ["update-index", "-q", "--refresh"];

/// What [`Repo::land`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// The branch's commit now.
    pub commit: String,
    /// The checkout that was updated with it.
    pub checkout: Option<PathBuf>,
    /// What was found amiss from an earlier landing and put right, one line each.
    pub notes: Vec<String>,
}

impl Repo {
    /// Moves `branch` (a short name) from `expected` to `new`, which must contain it. A checkout
    /// that has the branch must be clean and is updated with it.
    ///
    /// Landing what has landed already does nothing, so it may be repeated after a crash.
    ///
    /// # Errors
    /// [`GitError::Moved`] when the branch is not at `expected`; [`GitError::Refused`] when a
    /// checkout is dirty, busy, or has files in the way, with what to do.
    pub fn land(
        &self,
        branch: &str,
        expected: &str,
        new: &str,
        reason: &str,
    ) -> Result<Landed, GitError> {
        let reference = format!("refs/heads/{branch}");
        let mut note = Note::open(&self.common_dir)?;
        let notes = self.finish(&mut note)?;
        match self.ref_target(&reference)? {
            Some(found) if found == new => {
                return Ok(Landed { commit: found, checkout: None, notes });
            }
            Some(found) if found == expected => {}
            found => return Err(moved(&reference, expected, found)),
        }
        if !self.contains(new, expected)? {
            return Err(GitError::Refused(format!(
                "{new} does not contain {branch} ({expected}); landing it would lose commits"
            )));
        }
        let Some(checkout) = self.holder(&reference)? else {
            let update = ["update-ref", "-m", reason, &reference, new, expected];
            run(command(&self.common_dir, &update))
                .map_err(|error| self.not_moved(&reference, expected, error))?;
            return Ok(Landed { commit: new.into(), checkout: None, notes });
        };
        let landing = Landing {
            branch: branch.to_owned(),
            old: expected.to_owned(),
            new: new.to_owned(),
            checkout: checkout.path.clone(),
            git_dir: checkout.git_dir.clone(),
            began: false,
        };
        self.land_in(&checkout, &landing, &mut note, reason)?;
        Ok(Landed { commit: new.into(), checkout: Some(checkout.path), notes })
    }

    /// Puts right what a killed landing left. Nothing to do is the normal case.
    ///
    /// # Errors
    /// [`GitError::Refused`] while another process is landing; what git refuses.
    pub fn finish_landing(&self) -> Result<Vec<String>, GitError> {
        let mut note = Note::open(&self.common_dir)?;
        self.finish(&mut note)
    }

    /// The one checkout that has the branch, if any.
    fn holder(&self, reference: &str) -> Result<Option<Checkout>, GitError> {
        let mut holders = Vec::new();
        for (checkout, branch) in self.checkouts()? {
            if branch.as_deref() == Some(reference) {
                holders.push(checkout);
            } else if rebases(&checkout, reference) {
                return Err(busy(&checkout, "a rebase"));
            }
        }
        if let [one, other, ..] = &holders[..] {
            return Err(GitError::Refused(format!(
                "{} is checked out twice, in {} and {}; switch one of them to another branch, then \
                 run orch merge again",
                reference.trim_start_matches("refs/heads/"),
                one.path.display(),
                other.path.display()
            )));
        }
        let holder = holders.pop();
        if let Some(checkout) = &holder
            && let Some(operation) = checkout.operation()
        {
            return Err(busy(checkout, operation));
        }
        Ok(holder)
    }

    fn land_in(
        &self,
        checkout: &Checkout,
        landing: &Landing,
        note: &mut Note,
        reason: &str,
    ) -> Result<(), GitError> {
        note.write(landing)?;
        let index = match LockedIndex::take(checkout) {
            Ok(index) => index,
            Err(error) => {
                note.clear()?;
                return Err(error);
            }
        };
        note.began()?;
        index.refresh();
        if let Err(error) = self.check(checkout, landing, |args| run(index.command(args))) {
            index.give_up()?;
            note.clear()?;
            return Err(error);
        }
        if let Err(error) = self.update(&index, landing, note, reason) {
            self.put_back(&index, landing)?;
            index.give_up()?;
            note.clear()?;
            return Err(error);
        }
        index.commit()?;
        note.clear()
    }

    /// Why [`Repo::land`] would refuse to bring the checkout of a branch along. Only looks.
    ///
    /// # Errors
    /// What git refuses, and what cannot be read.
    pub fn would_refuse(
        &self,
        branch: &str,
        old: &str,
        new: &str,
    ) -> Result<Option<String>, GitError> {
        // A landing that was cut short is put right first, and the checkout is another one then.
        if Note::is_pending(&self.common_dir) {
            return Ok(None);
        }
        let looked = self.holder(&format!("refs/heads/{branch}")).and_then(|holder| {
            let Some(checkout) = holder else { return Ok(()) };
            let index = PrivateIndex::new(&checkout)?;
            _ = index.git(&REFRESH);
            let landing = Landing {
                branch: branch.to_owned(),
                old: old.to_owned(),
                new: new.to_owned(),
                checkout: checkout.path.clone(),
                git_dir: checkout.git_dir.clone(),
                began: false,
            };
            self.check(&checkout, &landing, |args| index.git(args))
        });
        match looked {
            Ok(()) => Ok(None),
            Err(GitError::Refused(why)) => Ok(Some(why)),
            Err(error) => Err(error),
        }
    }

    /// Refuses a checkout that is not clean, or has files in the way. `git` has an index whose stat data are
    /// up to date.
    fn check(
        &self,
        checkout: &Checkout,
        landing: &Landing,
        git: impl Fn(&[&str]) -> Result<Vec<u8>, GitError>,
    ) -> Result<(), GitError> {
        refuse_dirt(checkout, git)?;
        let in_the_way = self.in_the_way(checkout, landing)?;
        if in_the_way.is_empty() {
            return Ok(());
        }
        Err(GitError::Refused(format!(
            "these files in {} are not tracked and would be overwritten: {}; move them away, then \
             run orch merge again",
            checkout.path.display(),
            names::some(&in_the_way)
        )))
    }

    fn update(
        &self,
        index: &LockedIndex<'_>,
        landing: &Landing,
        note: &Note,
        reason: &str,
    ) -> Result<(), GitError> {
        let (old, new) = (landing.old.as_str(), landing.new.as_str());
        run_holding(index.command(&["read-tree", "-m", "-u", old, new]), note.lock())?;
        let reference = format!("refs/heads/{}", landing.branch);
        run(index.checkout.command(&["update-ref", "-m", reason, &reference, new, old]))
            .map_err(|error| self.not_moved(&reference, old, error))?;
        Ok(())
    }

    /// Why a branch did not move: somebody else moved it, a hook of the user's said no, or git did.
    fn not_moved(&self, reference: &str, expected: &str, error: GitError) -> GitError {
        let error = self.why_not(reference, expected, error);
        let GitError::Executable { message, .. } = &error else { return error };
        // A hook hears of the end of the transaction too, and may say the same again.
        let mut said: Vec<&str> = Vec::new();
        for words in message.split("; ").filter(|words| !words.trim().is_empty()) {
            if !said.contains(&words) {
                said.push(words);
            }
        }
        let branch = reference.trim_start_matches("refs/heads/");
        let hook = self.open().ok().and_then(|repo| {
            super::features::hook(self, &repo.config().ok()?, "reference-transaction")
        });
        let (who, hint) = match hook {
            Some(hook) => (
                format!("{branch} did not move; the hook {} may have refused it", hook.display()),
                "do what the hook asks for",
            ),
            None => (format!("git did not move {branch}"), "see to that"),
        };
        GitError::Refused(format!(
            "{who}: {}; nothing was landed; {hint}, then run orch merge again",
            said.join("; ")
        ))
    }

    /// A refused compare-and-swap: because the ref moved, or for git's own reason.
    pub(crate) fn why_not(&self, reference: &str, expected: &str, error: GitError) -> GitError {
        match self.ref_target(reference) {
            Ok(Some(found)) if found == expected => error,
            Ok(found) => moved(reference, expected, found),
            Err(_) => error,
        }
    }

    /// Files that are not tracked, ignored ones too, where the new commit has a file.
    fn in_the_way(&self, checkout: &Checkout, landing: &Landing) -> Result<Vec<String>, GitError> {
        let mut added = Vec::new();
        let mut removed = BTreeSet::new();
        for change in self.tree_changes(&landing.old, &landing.new)? {
            if change.old.is_none() {
                added.push(change.path);
            } else if change.new.is_none() {
                removed.insert(change.path);
            }
        }
        // On a file system that ignores case, a file renamed in case only is in its own way.
        let folded: BTreeSet<Vec<u8>> = removed.iter().map(|p| p.to_ascii_lowercase()).collect();
        let goes = |path: &[u8]| removed.contains(path);
        let mut found = Vec::new();
        for path in added {
            let parents = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
            let blocked = parents.map(|at| &path[..at]).any(|parent| {
                let meta = std::fs::symlink_metadata(checkout.path.join(names::path(parent)));
                meta.is_ok_and(|meta| !meta.is_dir()) && !goes(parent)
            });
            let place = checkout.path.join(names::path(&path));
            let taken = match std::fs::symlink_metadata(&place) {
                Ok(meta) if meta.is_dir() => holds_others(&place, &path, &goes),
                Ok(_) => !folded.contains(&path.to_ascii_lowercase()),
                Err(_) => false,
            };
            if blocked || taken {
                found.push(names::show(&path));
            }
        }
        Ok(found)
    }
}

fn moved(reference: &str, expected: &str, found: Option<String>) -> GitError {
    GitError::Moved {
        name: reference.to_owned(),
        expected: expected.to_owned(),
        found: found.unwrap_or_else(|| "nothing".to_owned()),
    }
}

/// Refuses when a tracked file is changed or something is staged.
fn refuse_dirt(
    checkout: &Checkout,
    git: impl Fn(&[&str]) -> Result<Vec<u8>, GitError>,
) -> Result<(), GitError> {
    let mut dirty = BTreeSet::new();
    for cached in [None, Some("--cached")] {
        let mut args = vec!["diff-index", "-z", "--name-only", "--no-renames"];
        args.push("--ignore-submodules=dirty");
        args.extend(cached);
        args.extend(["HEAD", "--"]);
        let listing = git(&args)?;
        dirty.extend(names::nul_separated(&listing).map(names::show));
    }
    if dirty.is_empty() {
        return Ok(());
    }
    let dirty: Vec<String> = dirty.into_iter().collect();
    let place = checkout.path.display();
    Err(GitError::Refused(format!(
        "{place} has uncommitted changes ({}); commit or stash your changes in {place}, then \
         run orch merge again",
        names::some(&dirty)
    )))
}

fn busy(checkout: &Checkout, operation: &str) -> GitError {
    GitError::Refused(format!(
        "{} is in the middle of {operation}; finish or abort it, then run orch merge again",
        checkout.path.display()
    ))
}

/// Whether a checkout is rebasing the branch: HEAD is detached then, but git will move the branch.
fn rebases(checkout: &Checkout, reference: &str) -> bool {
    ["rebase-merge/head-name", "rebase-apply/head-name"].iter().any(|file| {
        std::fs::read(checkout.git_dir.join(file))
            .is_ok_and(|name| name.trim_ascii() == reference.as_bytes())
    })
}

/// Whether a directory holds anything that does not go away.
fn holds_others(directory: &Path, path: &[u8], goes: &impl Fn(&[u8]) -> bool) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else { return true };
    entries.flatten().any(|entry| {
        let mut inner = path.to_vec();
        inner.push(b'/');
        inner.extend_from_slice(entry.file_name().as_encoded_bytes());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => holds_others(&entry.path(), &inner, goes),
            _ => !goes(&inner),
        }
    })
}

/// A checkout's index while its `index.lock` is ours.
pub(crate) struct LockedIndex<'c> {
    pub checkout: &'c Checkout,
}

impl<'c> LockedIndex<'c> {
    /// Takes the lock as git does: by being the one who creates it.
    pub fn take(checkout: &'c Checkout) -> Result<Self, GitError> {
        let taken = Self { checkout };
        let (lock, own) = (taken.lock(), taken.own());
        taken.fill(&own)?;
        match std::fs::hard_link(&own, &lock) {
            Ok(()) => Ok(taken),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                taken.disown();
                Err(GitError::Refused(format!(
                    "another git command seems to be at work in {}; let it end (if there is none, \
                     remove {}), then run orch merge again",
                    checkout.path.display(),
                    lock.display()
                )))
            }
            Err(_) => {
                // A file system without second names: a kill in the next moment leaves a lock that nobody
                // dares remove.
                taken.disown();
                std::fs::File::create_new(&lock)
                    .map_err(GitError::io(format!("create {}", lock.display())))?;
                taken.refill()?;
                Ok(taken)
            }
        }
    }

    /// Removes the lock that a landing left which was killed before its note named it as its own, if there
    /// is one; another's stays.
    pub fn clear_away(checkout: &'c Checkout) -> Result<(), GitError> {
        use std::os::unix::fs::MetadataExt;
        let left = Self { checkout };
        let file = |path: &Path| {
            let meta = std::fs::symlink_metadata(path).ok()?;
            Some((meta.dev(), meta.ino()))
        };
        let own = file(&left.own());
        if own.is_some() && own == file(&left.lock()) {
            return left.give_up();
        }
        left.disown();
        Ok(())
    }

    /// Fills the lock with the index as it is.
    pub fn refill(&self) -> Result<(), GitError> {
        self.fill(&self.lock())
    }

    fn fill(&self, file: &Path) -> Result<(), GitError> {
        let index = self.checkout.git_dir.join("index");
        let place = self.checkout.path.display();
        match super::private_index::copy_index(&index, file) {
            // Without one git takes every file for deleted, and so must we.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !index.exists() => {
                Err(GitError::Refused(format!(
                    "{place} has no index, as after git clone --no-checkout; make one with: git reset \
                     (and if its files are missing: git checkout -- .), then run orch merge again"
                )))
            }
            copied => copied.map_err(GitError::io(format!("copy the index of {place}"))),
        }
    }

    /// The other name of the lock.
    fn own(&self) -> PathBuf {
        self.checkout.git_dir.join("orch-index.lock")
    }

    fn disown(&self) {
        _ = std::fs::remove_file(self.own());
    }

    fn lock(&self) -> PathBuf {
        self.checkout.git_dir.join("index.lock")
    }

    /// git on the locked copy.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> std::process::Command {
        let mut command = self.checkout.command(args);
        command.env("GIT_INDEX_FILE", self.lock());
        command
    }

    /// Brings stat data up to date; that files differ is not its business.
    pub fn refresh(&self) {
        _ = run(self.command(&REFRESH));
    }

    /// The copy becomes the index.
    pub fn commit(self) -> Result<(), GitError> {
        self.disown();
        std::fs::rename(self.lock(), self.checkout.git_dir.join("index"))
            .map_err(GitError::io(format!("replace the index of {}", self.checkout.path.display())))
    }

    /// The index stays as it was.
    pub fn give_up(self) -> Result<(), GitError> {
        let lock = self.lock();
        std::fs::remove_file(&lock).map_err(GitError::io(format!("remove {}", lock.display())))?;
        self.disown();
        Ok(())
    }
}
