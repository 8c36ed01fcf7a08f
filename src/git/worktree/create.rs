//! The steps of making a worktree, in the order that survives being killed between any two.

use super::super::exclude::exclude_worktrees;
use super::super::executable::git_with_stdin;
use super::super::{GitError, Repo};
use super::admin::Lock;
use super::discard::{empty, files_in, is_whole};
use super::{
    Admin, Checkout, Created, HeadLine, Intent, Plan, Stat, Undo, WorktreeSpec, Worktrees, encode,
};
use git2::Oid;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Attempts against the locks of other git processes, with pauses of 20 ms that double: five
/// seconds in all.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

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
            self.undo(&left, &mut trash)?;
        }
        let mut undo = Undo::default();
        let made = self.make(&spec, plan.as_deref(), &mut intent, &mut undo, &mut trash);
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
        trash: &mut Vec<std::path::PathBuf>,
    ) -> Result<Created, GitError> {
        // Looked at again, now that nobody else is at it.
        if self.stands(spec)? {
            return Ok(Created::Existing);
        }
        self.clear_stale(spec, trash)?;
        let branch_exists = self.branch_exists_at_base(spec)?;
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
        self.make_branch(spec, branch_exists)?;
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
        let wanted: Vec<u32> = (0..).take(plan.listing.files.len()).collect();
        let stats = self.write_files(plan, folder, &wanted, false)?;
        admin.write_index(&encode(&plan.listing, &stats))?;
        admin.start_log(base, self.log_signature()?.as_deref())?;
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
        let listing = &plan.listing;
        Checkout { repo: &self.repo, listing, target, wanted, folders_exist, threads }.run()
    }

    /// Creates the branch, unless it was found to exist at the right commit.
    pub(in crate::git) fn make_branch(
        &self,
        spec: &WorktreeSpec,
        exists: bool,
    ) -> Result<(), GitError> {
        if exists {
            return Ok(());
        }
        let doing = || format!("create branch {}", spec.branch);
        let handle = self.repo.open()?;
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
    pub(in crate::git) fn log_signature(&self) -> Result<Option<String>, GitError> {
        let handle = self.repo.open()?;
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
        let who =
            handle.signature().or_else(|_| unknown()).map_err(GitError::lib("read the time"))?;
        let (minutes, sign) = (who.when().offset_minutes().abs(), who.when().sign());
        let [name, mail] = [who.name_bytes(), who.email_bytes()].map(String::from_utf8_lossy);
        let seconds = who.when().seconds();
        let zone = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
        Ok(Some(format!("{name} <{mail}> {seconds} {zone}")))
    }

    /// Whether the worktree is there and whole.
    fn stands(&self, spec: &WorktreeSpec) -> Result<bool, GitError> {
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
            spec.path.display()
        )))
    }

    /// Makes sure that nothing is at the path, and removes an entry whose folder is gone.
    fn clear_stale(
        &self,
        spec: &WorktreeSpec,
        trash: &mut Vec<std::path::PathBuf>,
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
    fn branch_exists_at_base(&self, spec: &WorktreeSpec) -> Result<bool, GitError> {
        let Some(tip) = self.repo.branch_tip(&spec.branch)? else { return Ok(false) };
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

    fn through_git(
        &self,
        spec: &WorktreeSpec,
        intent: &Intent,
        undo: &Undo,
    ) -> Result<(), GitError> {
        let path = spec.path.as_os_str();
        let mut args: Vec<&std::ffi::OsStr> = vec!["worktree".as_ref(), "add".as_ref()];
        args.push("--quiet".as_ref());
        if undo.branch.is_some() {
            args.extend(["-b".as_ref(), spec.branch.as_ref(), path, spec.base.as_ref()]);
        } else {
            args.extend([path, spec.branch.as_ref()]);
        }
        with_patience(
            || {
                // The child holds the lock of the intent as its standard input, which is at its end:
                // should we be killed, the next process waits for it instead of pulling the floor away.
                let lock = intent.share().map_err(GitError::io("share the lock with git"))?;
                let done = git_with_stdin(self.repo.place(), &args, Stdio::from(lock));
                if done.is_err() {
                    // A half-made branch or folder would make the next attempt fail.
                    let mut trash = Vec::new();
                    self.undo(undo, &mut trash)?;
                    empty(&trash);
                }
                done.map(|_| ())
            },
            is_contention,
        )
    }
}

/// Checks the arguments and makes the path the one git would record.
fn settle(spec: &WorktreeSpec) -> Result<WorktreeSpec, GitError> {
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

/// Tries again while the reason is somebody else's lock.
fn with_patience<E>(
    mut attempt: impl FnMut() -> Result<(), E>,
    passing: impl Fn(&E) -> bool,
) -> Result<(), E> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(error) if passing(&error) => std::thread::sleep(pause),
            other => return other,
        }
        pause *= 2;
    }
    attempt()
}

/// Git says so in words only. The last is not a lock: git dies when it reads an entry that another
/// `git worktree add` is writing.
fn is_contention(error: &GitError) -> bool {
    let GitError::Executable { message, .. } = error else { return false };
    [".lock': File exists", "could not lock", "cannot lock ref", "Unable to create", "/commondir"]
        .iter()
        .any(|words| message.contains(words))
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
