//! The steps of making a worktree, in the order that survives being killed between any two.

use super::super::GitError;
use super::super::exclude::exclude_worktrees;
use super::by_git::with_patience;
use super::discard::empty;
use super::ground::settle;
use super::{
    Admin, Checkout, Created, HeadLine, Intent, Plan, Stat, Undo, WorktreeSpec, Worktrees, encode,
};
use git2::Oid;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

impl Worktrees {
    /// Makes the worktree, or finds that it is there.
    ///
    /// # Errors
    /// [`GitError::InTheWay`] names what is in the way and leaves it alone; [`GitError::Refused`]
    /// for a branch that has other commits or is checked out elsewhere, and for a locked entry.
    /// After any error nothing half-made is left, or the next call clears it up.
    pub fn create(&self, spec: &WorktreeSpec) -> Result<Created, GitError> {
        let spec = settle(spec)?;
        exclude_worktrees(&self.repo.common_dir)?;
        self.sweep_once();
        if self.stands(&spec)? {
            return Ok(Created::Existing);
        }
        let plan = self.plan(&spec.base)?;
        let (mut intent, left) = Intent::acquire(&self.intents_dir(), &spec.id)?;
        let mut trash = Vec::new();
        if let Some(left) = left {
            self.undo_of_the_dead(&left, &mut trash)?;
        }
        let mut undo = Undo::default();
        let made = self.make(&spec, plan.as_ref(), &mut intent, &mut undo, &mut trash);
        let cleared = match &made {
            Ok(_) => Ok(()),
            Err(_) => self.undo(&undo, &mut trash),
        };
        // If clearing up failed too (a full disk), the intent stays and the next call does it.
        if cleared.is_ok() {
            intent.finish();
        }
        empty(&trash);
        made
    }

    fn make(
        &self,
        spec: &WorktreeSpec,
        plan: Option<&Plan>,
        intent: &mut Intent,
        undo: &mut Undo,
        trash: &mut Vec<PathBuf>,
    ) -> Result<Created, GitError> {
        // Looked at again, now that nobody else is at it.
        if self.stands(spec)? {
            return Ok(Created::Existing);
        }
        self.clear_stale(spec, trash)?;
        let branch_exists = self.branch_exists_at_base(spec, plan)?;
        let wanted = Undo {
            admins: vec![spec.id.clone()],
            folders: vec![spec.path.clone()],
            branch: (!branch_exists).then(|| (spec.branch.clone(), spec.base.clone())),
            pool: None,
        };
        *undo = wanted.clone();
        let Some(plan) = plan else {
            intent.write(undo)?;
            self.through_git(spec, intent, undo)?;
            return Ok(Created::ThroughGit);
        };
        if self.take_from_pool(spec, plan, intent, undo, trash)? {
            return Ok(Created::FromPool);
        }
        *undo = wanted;
        intent.write(undo)?;
        let admin = Admin::named(&self.repo, &spec.id);
        admin.make(&self.staging_dir(&spec.id), &spec.path, HeadLine::Branch(&spec.branch))?;
        make_branch(&plan.handle, spec, branch_exists)?;
        self.fill(&admin, &spec.path, &spec.base, plan)?;
        admin.release()?;
        Ok(Created::Fresh)
    }

    /// Writes the folder, all files of the commit and the index.
    pub(in crate::git) fn fill(
        &self,
        admin: &Admin,
        folder: &Path,
        base: &str,
        plan: &Plan,
    ) -> Result<Vec<Stat>, GitError> {
        fs::create_dir_all(folder).map_err(GitError::io(format!("create {}", folder.display())))?;
        admin.write_git_file(folder)?;
        let wanted: Vec<u32> = (0..).take(plan.listing().files.len()).collect();
        let stats = self.write_files(plan, folder, &wanted, false)?;
        admin.write_index(&encode(plan.listing(), &stats))?;
        admin.start_log(base, log_signature(&plan.handle)?.as_deref())?;
        Ok(stats)
    }

    /// Writes some files of a plan, on as many processors as others leave.
    pub(in crate::git) fn write_files(
        &self,
        plan: &Plan,
        target: &Path,
        wanted: &[u32],
        folders_exist: bool,
    ) -> Result<Vec<Stat>, GitError> {
        let turn = Turn::begin(&self.busy);
        let threads = turn.threads;
        let listing = plan.listing();
        Checkout { repo: &self.repo, listing, target, wanted, folders_exist, threads }
            .run(&plan.handle)
    }
}

/// Creates the branch, unless it was found to exist at the right commit.
pub(in crate::git) fn make_branch(
    handle: &git2::Repository,
    spec: &WorktreeSpec,
    exists: bool,
) -> Result<(), GitError> {
    if exists {
        return Ok(());
    }
    let doing = || format!("create branch {}", spec.branch);
    let oid = Oid::from_str(&spec.base).map_err(GitError::lib(doing()))?;
    let name = format!("refs/heads/{}", spec.branch);
    let note = format!("branch: Created from {}", spec.base);
    with_patience(
        || handle.reference(&name, oid, false, &note).map(|_| ()),
        // The second: another process packed the refs and removed the emptied folder.
        |e| e.code() == git2::ErrorCode::Locked || e.message().contains("No such file"),
    )
    .map_err(GitError::lib(doing()))
}

/// Name, mail and time as a reflog line has them; `None` if no log is to be kept.
pub(in crate::git) fn log_signature(handle: &git2::Repository) -> Result<Option<String>, GitError> {
    let config = handle.config().map_err(GitError::lib("read the settings of git"))?;
    let wanted = config.get_string("core.logallrefupdates").ok();
    let keep = match wanted.as_deref() {
        None => !handle.is_bare(),
        Some("always") => true,
        Some(_) => config.get_bool("core.logallrefupdates").unwrap_or(true),
    };
    if !keep {
        return Ok(None);
    }
    let unknown = || git2::Signature::now("unknown", "unknown");
    let who = handle.signature().or_else(|_| unknown()).map_err(GitError::lib("read the time"))?;
    let (minutes, sign) = (who.when().offset_minutes().abs(), who.when().sign());
    let [name, mail] = [who.name_bytes(), who.email_bytes()].map(String::from_utf8_lossy);
    let seconds = who.when().seconds();
    let zone = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
    Ok(Some(format!("{name} <{mail}> {seconds} {zone}")))
}

/// One checkout's share of the processors.
struct Turn<'a> {
    busy: &'a AtomicUsize,
    threads: usize,
}

impl<'a> Turn<'a> {
    fn begin(busy: &'a AtomicUsize) -> Self {
        let others = busy.fetch_add(1, Ordering::Relaxed);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // Beyond two threads, the lock of the folder's inode is what they wait for.
        Self { busy, threads: (cores.min(2) / (others + 1)).max(1) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
