//! Finding the repository and where it stands.

use super::GitError;
use super::executable::{git_line, git_with_stdin};
use crate::model::shell_word;
use git2::RepositoryOpenFlags;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Once;

/// A repository by its places on disk. Cheap to clone and to send to another thread: every
/// operation opens libgit2's handle anew, because a handle must not be shared between threads.
#[derive(Clone, Debug)]
pub struct Repo {
    /// The common git directory (absolute): objects, refs, `worktrees/`, and `orch/`.
    pub common_dir: PathBuf,
    /// The main work tree (absolute); `None` for a bare repository.
    pub root: Option<PathBuf>,
    /// The work tree the command was started in, which is not `root` inside a linked worktree.
    pub checkout: Option<PathBuf>,
    /// Why libgit2 will not open it; everything then goes through the git executable.
    refused: Option<String>,
}

/// Where a checkout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub oid: String,
    /// The short name of the branch, `None` when detached.
    pub branch: Option<String>,
}

impl Repo {
    /// Finds the repository that contains `cwd`, or that `GIT_DIR` names.
    ///
    /// # Errors
    /// When there is none, or neither libgit2 nor the git executable can open it.
    pub fn discover(cwd: &Path) -> Result<Self, GitError> {
        let named = std::env::var_os("GIT_DIR").map(PathBuf::from);
        Self::discover_named(cwd, named.as_deref())
    }

    /// As [`Repo::discover`], with the value of `GIT_DIR` (relative to `cwd`) as an argument.
    fn discover_named(cwd: &Path, named: Option<&Path>) -> Result<Self, GitError> {
        settle_libgit2();
        let ceilings = std::env::var_os("GIT_CEILING_DIRECTORIES").unwrap_or_default();
        let ceilings = || std::env::split_paths(&ceilings);
        let opened = match named {
            Some(dir) => git2::Repository::open(cwd.join(dir)),
            // From the work tree, because a git directory that is elsewhere does not lead back to it.
            None => git2::Repository::open_ext(cwd, RepositoryOpenFlags::empty(), ceilings()),
        };
        let refusal = match opened {
            Ok(repo) => return Self::from_handle(&repo),
            Err(refusal) => refusal,
        };
        let git_dir = match named {
            Some(dir) => Ok(cwd.join(dir)),
            None => git2::Repository::discover_path(cwd, ceilings()),
        };
        match (refusal.code(), git_dir) {
            (git2::ErrorCode::NotFound, _) | (_, Err(_)) => {
                Err(GitError::NotARepository(named.unwrap_or(cwd).to_owned()))
            }
            (git2::ErrorCode::Owner, Ok(git_dir)) => Err(GitError::Refused(format!(
                "{} belongs to another user; if you trust it: git config --global --add safe.directory {}",
                git_dir.display(),
                shell_word(&cwd.display().to_string())
            ))),
            (_, Ok(git_dir)) => Self::from_executable(cwd, &git_dir, refusal),
        }
    }

    fn from_handle(repo: &git2::Repository) -> Result<Self, GitError> {
        let common_dir = plain(repo.commondir());
        let checkout = repo.workdir().map(plain);
        let root = if repo.is_worktree() { main_work_tree(&common_dir)? } else { checkout.clone() };
        Ok(Self { common_dir, root, checkout, refused: None })
    }

    /// For what libgit2 refuses to open: SHA-256, reftable, a partial clone, a newer extension.
    fn from_executable(cwd: &Path, git_dir: &Path, refusal: git2::Error) -> Result<Self, GitError> {
        let reason = refusal.message().to_owned();
        let at = format!("--git-dir={}", git_dir.display());
        let ask =
            |what: &str| git_line(cwd, &[at.as_str(), "rev-parse", "--path-format=absolute", what]);
        let Ok(common_dir) = ask("--git-common-dir").map(PathBuf::from) else {
            return Err(GitError::lib(format!(
                "open {} (the git executable cannot either; is it newer than this repository's format?)",
                git_dir.display()
            ))(refusal));
        };
        let linked = plain(git_dir) != common_dir;
        let checkout = if linked {
            let file = std::fs::read_to_string(git_dir.join("gitdir")).unwrap_or_default();
            Path::new(file.trim_end()).parent().map(Path::to_owned)
        } else {
            main_work_tree(&common_dir)?
        };
        let root = if linked { main_work_tree(&common_dir)? } else { checkout.clone() };
        Ok(Self { common_dir, root, checkout, refused: Some(reason) })
    }

    /// Where `orch` keeps its journal, logs and bookkeeping: `orch/` in the common git directory.
    pub fn state_dir(&self) -> PathBuf {
        self.common_dir.join("orch")
    }

    /// Waits for the file of that name in [`Repo::state_dir`] and locks it, until it is dropped. Processes that
    /// start meanwhile do not inherit it.
    pub(crate) fn lock_state(&self, name: &str) -> Result<File, GitError> {
        let path = self.state_dir().join(name);
        let open = || {
            std::fs::create_dir_all(self.state_dir())?;
            let file = File::options().write(true).create(true).truncate(false).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(GitError::io(format!("lock {}", path.display())))
    }

    /// Where worktrees are made: `.worktrees` in the main work tree; for a bare repository in its
    /// own directory, because the folder around it belongs to somebody else.
    pub fn worktrees_dir(&self) -> PathBuf {
        self.root.as_ref().unwrap_or(&self.common_dir).join(".worktrees")
    }

    /// Why libgit2 does not open this repository, if so.
    pub fn refused_by_libgit2(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// The directory in which git is asked about the checkout the command was started in.
    pub(crate) fn place(&self) -> &Path {
        self.checkout.as_ref().unwrap_or(&self.common_dir)
    }

    /// A libgit2 handle on the main repository.
    pub(crate) fn open(&self) -> Result<git2::Repository, GitError> {
        self.open_at(&self.common_dir)
    }

    /// A libgit2 handle on the checkout the command was started in, for `HEAD` and its settings.
    pub(crate) fn open_checkout(&self) -> Result<git2::Repository, GitError> {
        self.open_at(self.place())
    }

    fn open_at(&self, place: &Path) -> Result<git2::Repository, GitError> {
        settle_libgit2();
        if let Some(reason) = &self.refused {
            return Err(GitError::Refused(format!(
                "this needs libgit2, which cannot open {}: {reason}",
                self.common_dir.display()
            )));
        }
        git2::Repository::open(place).map_err(GitError::lib(format!("open {}", place.display())))
    }

    /// Where the checkout the command was started in stands.
    ///
    /// # Errors
    /// [`GitError::NoCommits`] for an unborn branch; whatever libgit2 refuses.
    pub fn head(&self) -> Result<Head, GitError> {
        if self.refused.is_some() {
            let dir = self.place();
            let oid = git_line(dir, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
                .map_err(|_| GitError::NoCommits)?;
            let branch = git_line(dir, &["symbolic-ref", "--quiet", "--short", "HEAD"]).ok();
            return Ok(Head { oid, branch });
        }
        let repo = self.open_checkout()?;
        let head = repo.head().map_err(|e| match e.code() {
            git2::ErrorCode::UnbornBranch | git2::ErrorCode::NotFound => GitError::NoCommits,
            _ => GitError::Libgit { doing: "read HEAD".into(), source: e },
        })?;
        let branch = if head.is_branch() { head.shorthand().ok().map(str::to_owned) } else { None };
        let oid = head.peel_to_commit().map_err(GitError::lib("read HEAD"))?.id().to_string();
        Ok(Head { oid, branch })
    }

    /// The commit a revision names: a branch, a tag, an abbreviated id, `HEAD~2`.
    ///
    /// # Errors
    /// [`GitError::UnknownRevision`] when nothing answers to it or it is not a commit.
    pub fn resolve(&self, rev: &str) -> Result<String, GitError> {
        let unknown = || GitError::UnknownRevision(rev.to_owned());
        if self.refused.is_some() {
            let spec = format!("{rev}^{{commit}}");
            let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", &spec];
            return git_line(self.place(), &args).map_err(|_| unknown());
        }
        let repo = self.open_checkout()?;
        let object = repo.revparse_single(rev).map_err(|_| unknown())?;
        Ok(object.peel_to_commit().map_err(|_| unknown())?.id().to_string())
    }

    /// The commit a local branch (short name) points at, `None` when there is no such branch.
    ///
    /// # Errors
    /// Whatever git refuses.
    pub fn branch_tip(&self, branch: &str) -> Result<Option<String>, GitError> {
        let name = format!("refs/heads/{branch}");
        if self.refused.is_some() {
            let args = ["for-each-ref", "--format=%(refname) %(objectname)", name.as_str()];
            let lines = git_line(self.place(), &args)?;
            return Ok(lines.lines().find_map(|line| {
                line.split_once(' ').filter(|(n, _)| *n == name).map(|(_, oid)| oid.to_owned())
            }));
        }
        branch_tip(&self.open()?, branch)
    }

    /// For each local branch (short name), whether it exists.
    ///
    /// # Errors
    /// Whatever git refuses.
    pub fn branches_exist(&self, branches: &[String]) -> Result<Vec<bool>, GitError> {
        if self.refused.is_none() {
            let handle = self.open()?;
            return branches.iter().map(|b| Ok(branch_tip(&handle, b)?.is_some())).collect();
        }
        branches.iter().map(|b| Ok(self.branch_tip(b)?.is_some())).collect()
    }

    /// The content of a file in the tree of a commit (or of a tree). `None` when there is no such
    /// file, or something else has its name.
    ///
    /// # Errors
    /// Whatever git refuses.
    pub fn read_blob(&self, oid: &str, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        if self.refused.is_some() {
            let name = format!("{oid}:{path}");
            let read = git_with_stdin(self.place(), &["cat-file", "blob", &name], Stdio::null());
            return Ok(read.ok().map(|output| output.stdout));
        }
        let repo = self.open()?;
        let tree = super::tree::find_tree(&repo, oid)?;
        let Ok(entry) = tree.get_path(Path::new(path)) else { return Ok(None) };
        match repo.find_blob(entry.id()) {
            Ok(blob) => Ok(Some(blob.content().to_vec())),
            Err(_) => Ok(None),
        }
    }
}

/// As [`Repo::branch_tip`], on a handle.
pub(super) fn branch_tip(
    handle: &git2::Repository,
    branch: &str,
) -> Result<Option<String>, GitError> {
    let doing = || format!("read branch {branch}");
    match handle.find_reference(&format!("refs/heads/{branch}")) {
        Ok(reference) => {
            let commit = reference.peel_to_commit().map_err(GitError::lib(doing()))?;
            Ok(Some(commit.id().to_string()))
        }
        Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(e) => Err(GitError::lib(doing())(e)),
    }
}

/// Settings of libgit2 that hold for the whole process. Hashing again what is read costs a third
/// of a checkout; git itself does not do it either.
fn settle_libgit2() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| git2::opts::strict_hash_verification(false));
}

/// The main work tree of a repository that was entered through a linked worktree.
fn main_work_tree(common_dir: &Path) -> Result<Option<PathBuf>, GitError> {
    let file = common_dir.join("config");
    let config =
        git2::Config::open(&file).map_err(GitError::lib(format!("read {}", file.display())))?;
    if config.get_bool("core.bare").unwrap_or(false) {
        return Ok(None);
    }
    if let Ok(named) = config.get_path("core.worktree") {
        return Ok(Some(
            common_dir
                .join(named)
                .canonicalize()
                .map_err(GitError::io(format!("find core.worktree of {}", common_dir.display())))?,
        ));
    }
    // With `git init --separate-git-dir` nothing leads from the git directory to its work tree.
    let usual = common_dir.file_name().is_some_and(|name| name == ".git");
    Ok(common_dir.parent().filter(|_| usual).map(Path::to_owned))
}

/// libgit2 ends directories with a slash; a path compared or joined elsewhere should not.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::super::worktree::fixture::Fixture;
    use super::*;

    #[test]
    fn it_is_found_from_everywhere() {
        let fixture = Fixture::varied();
        let root = fixture.root();
        let linked = fixture.dir.path().canonicalize().unwrap().join("linked");
        fixture.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
        for (cwd, checkout) in [
            (root.clone(), &root),
            (root.join("src/m1"), &root),
            (root.join(".git"), &root),
            (linked.clone(), &linked),
            (linked.join("src/m1"), &linked),
        ] {
            let repo = Repo::discover_named(&cwd, None).unwrap();
            assert_eq!(repo.common_dir, root.join(".git"), "{}", cwd.display());
            assert_eq!(repo.root.as_ref(), Some(&root), "{}", cwd.display());
            assert_eq!(repo.checkout.as_ref(), Some(checkout), "{}", cwd.display());
            assert_eq!(repo.state_dir(), root.join(".git/orch"));
        }
    }

    #[test]
    fn git_dir_names_it_whatever_the_directory() {
        let fixture = Fixture::varied();
        let elsewhere = tempfile::tempdir().unwrap();
        let absolute = fixture.root().join(".git");
        let repo = Repo::discover_named(elsewhere.path(), Some(&absolute)).unwrap();
        assert_eq!(repo.root, Some(fixture.root()));
        let repo = Repo::discover_named(&fixture.root(), Some(Path::new(".git"))).unwrap();
        assert_eq!(repo.root, Some(fixture.root()));
        let missing = Repo::discover_named(elsewhere.path(), Some(Path::new("none")));
        assert!(matches!(missing, Err(GitError::NotARepository(_))));
    }

    #[test]
    fn outside_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let found = Repo::discover_named(dir.path(), None);
        assert!(matches!(found, Err(GitError::NotARepository(_))), "{found:?}");
    }

    #[test]
    fn a_separate_git_directory_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        super::super::executable::git(&top, &["init", "-q", "--separate-git-dir=gd", "proj"])
            .unwrap();
        let repo = Repo::discover_named(&top.join("proj"), None).unwrap();
        assert_eq!((repo.common_dir, repo.root), (top.join("gd"), Some(top.join("proj"))));
    }

    #[test]
    fn head_and_revisions() {
        let fixture = Fixture::varied();
        let repo = fixture.repo();
        let head = repo.head().unwrap();
        assert_eq!(head.branch.as_deref(), Some("main"));
        for rev in ["HEAD", "main", "refs/heads/main", &head.oid[..8], "HEAD^{commit}"] {
            assert_eq!(repo.resolve(rev).unwrap(), head.oid, "{rev}");
        }
        for rev in ["nothing", "HEAD~7", "HEAD:src", "--help"] {
            let refused = repo.resolve(rev);
            assert!(matches!(refused, Err(GitError::UnknownRevision(_))), "{rev}: {refused:?}");
        }
        fixture.git(&["tag", "-a", "-m", "tag", "v1"]);
        assert_eq!(repo.resolve("v1").unwrap(), head.oid);
        fixture.git(&["checkout", "-q", "--detach"]);
        assert_eq!(repo.head().unwrap(), Head { oid: head.oid.clone(), branch: None });
        assert_eq!(repo.branch_tip("main").unwrap(), Some(head.oid));
        assert_eq!(repo.branch_tip("mai").unwrap(), None);
    }

    #[test]
    fn the_tree_is_read_without_a_checkout() {
        let fixture = Fixture::varied();
        let repo = fixture.repo();
        let head = repo.head().unwrap().oid;
        let theirs = fixture.git(&["ls-tree", "-r", "-z", "--name-only", "HEAD"]);
        let theirs: Vec<&str> = theirs.split_terminator('\0').collect();
        assert_eq!(repo.tree_paths(&head).unwrap(), theirs);
        let read = |path| repo.read_blob(&head, path).unwrap();
        assert_eq!(read("a/b/c/d/deep.txt").as_deref(), Some(&b"deep\n"[..]));
        assert_eq!(read("empty").as_deref(), Some(&b""[..]));
        assert_eq!((read("a"), read("missing"), read("")), (None, None, None));
    }
}
