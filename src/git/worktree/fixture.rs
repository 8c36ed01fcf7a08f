//! Repositories for the tests of this room, and the comparison with git's own worktrees.

use super::super::Repo;
use super::super::executable::{git, git_line};
use super::{PoolLimits, WorktreeSpec, Worktrees};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(in crate::git) struct Fixture {
    pub dir: TempDir,
}

impl Fixture {
    /// A repository without commits.
    pub fn empty(init_args: &[&str]) -> Self {
        // In memory where there is such a place: some tests make thousands of worktrees.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.unwrap();
        let this = Self { dir };
        fs::create_dir(this.root()).unwrap();
        this.git(&[&["init", "-q", "-b", "main"], init_args].concat());
        for (key, value) in [
            ("user.name", "Tester"),
            ("user.email", "tester@example.com"),
            ("core.autocrlf", "false"),
            ("core.attributesfile", "/dev/null"),
            ("gc.auto", "0"),
        ] {
            this.git(&["config", key, value]);
        }
        this
    }

    /// A repository with files of every kind in one commit.
    pub fn varied() -> Self {
        let this = Self::empty(&[]);
        for n in 0..40 {
            this.write(&format!("src/m{}/f{n}.rs", n % 7), &format!("fn f{n}() {{}}\n"));
        }
        this.write("empty", "");
        this.write("a/b/c/d/deep.txt", "deep\n");
        this.write("a.b", "sorts between a and a/\n");
        this.write("a-b/x", "sorts before a/\n");
        this.write("grüße/日本語 \t.txt", "unicode\n");
        this.write("windows.txt", "one\r\ntwo\r\n");
        this.write(&format!("long/{}/{}", "p".repeat(200), "q".repeat(200)), "long\n");
        this.write(".gitattributes", "* text=auto\n*.bin binary\n*.sh eol=lf\n");
        this.write(".gitignore", "*.o\nbuild/\n");
        this.write("run.sh", "#!/bin/sh\n");
        fs::set_permissions(this.root().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("run.sh", this.root().join("link")).unwrap();
        symlink("nowhere/at all", this.root().join("a/dangling")).unwrap();
        this.commit("first");
        this
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("repo")
    }

    pub fn write(&self, path: &str, content: &str) {
        write(&self.root(), path, content);
    }

    pub fn git(&self, args: &[&str]) -> String {
        git_line(&self.root(), args).unwrap()
    }

    /// Commits everything and gives the commit.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn repo(&self) -> Repo {
        Repo::discover(&self.root()).unwrap()
    }

    pub fn worktrees(&self) -> Worktrees {
        Worktrees::new(self.repo(), PoolLimits::default()).unwrap()
    }

    /// A worktree `id` on branch `orch/id` at `HEAD`.
    pub fn spec(&self, id: &str) -> WorktreeSpec {
        WorktreeSpec {
            id: id.to_owned(),
            path: self.repo().worktrees_dir().join(id),
            branch: format!("orch/{id}"),
            base: self.repo().head().unwrap().oid,
        }
    }

    /// Git finds the worktree whole, clean, on its branch, and like one it makes itself.
    pub fn assert_as_git_makes_it(&self, spec: &WorktreeSpec) {
        let theirs = self.dir.path().join(format!("git-{}", spec.id));
        git(
            &self.root(),
            &["worktree", "add", "-q", "--detach", theirs.to_str().unwrap(), &spec.base],
        )
        .unwrap();
        assert_eq!(snapshot(&spec.path), snapshot(&theirs));
        let listing = |dir: &Path| git_line(dir, &["ls-files", "-s", "-z"]).unwrap();
        assert_eq!(listing(&spec.path), listing(&theirs));
        self.assert_sound(spec);
        self.git(&["fsck", "--strict"]);
        self.git(&["worktree", "remove", "--force", theirs.to_str().unwrap()]);
    }

    pub fn assert_sound(&self, spec: &WorktreeSpec) {
        let ask = |args: &[&str]| git_line(&spec.path, args).unwrap();
        assert_eq!(ask(&["status", "--porcelain", "--ignored"]), "");
        assert_eq!(ask(&["symbolic-ref", "--short", "HEAD"]), spec.branch);
        assert_eq!(ask(&["rev-parse", "HEAD"]), spec.base);
        assert_eq!(self.git(&["worktree", "prune", "-n", "-v"]), "");
        let list = self.git(&["worktree", "list", "--porcelain"]);
        assert!(list.contains(&format!("worktree {}\n", spec.path.display())), "{list}");
        assert!(!list.contains("locked"), "{list}");
    }

    /// Nothing half-made is left of a worktree.
    pub fn assert_no_trace(&self, spec: &WorktreeSpec) {
        assert!(!self.root().join(".git/worktrees").join(&spec.id).exists());
        assert_eq!(self.git(&["branch", "--list", &spec.branch]), "");
        assert!(!self.root().join(".git/orch/intents").join(&spec.id).exists());
    }
}

pub(in crate::git) fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Everything in a folder but `.git`: kind, right to execute, content.
pub(in crate::git) fn snapshot(root: &Path) -> BTreeMap<PathBuf, (char, u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut stack = vec![root.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let mode = meta.permissions().mode() & 0o777;
            let what = if meta.is_dir() {
                stack.push(path);
                ('d', mode, Vec::new())
            } else if meta.is_symlink() {
                ('l', mode, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
            } else {
                ('f', mode, fs::read(&path).unwrap())
            };
            if name != Path::new(".git") {
                found.insert(name, what);
            }
        }
    }
    found
}
