//! A place of its own: HOME, git configuration, temporary directory, and a repository with history.

use super::leaks;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// See the [module documentation](super).
pub struct Sandbox {
    _dir: TempDir,
    /// Everything below is inside.
    pub root: PathBuf,
    /// The user's checkout.
    pub repo: PathBuf,
}

impl Sandbox {
    /// A repository on `main` with three commits: nested directories, an executable, a symlink.
    pub fn new() -> Self {
        let sandbox = Self::without_history();
        sandbox.write("README.md", "# words\n\nCounts words.\n");
        sandbox.write("src/count.txt", "one\ntwo\nthree\n");
        sandbox.write("src/deep/er/list.txt", "alpha\nbeta\n");
        sandbox.git(["add", "."]);
        sandbox.git(["commit", "-qm", "Count words"]);
        sandbox.write("bin/words", "#!/bin/sh\nwc -w \"$@\"\n");
        let script = sandbox.repo.join("bin/words");
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
        symlink("../README.md", sandbox.repo.join("src/about")).unwrap();
        sandbox.git(["add", "."]);
        sandbox.git(["commit", "-qm", "Run from anywhere"]);
        sandbox.write("src/count.txt", "one\ntwo\nthree\nfour\n");
        sandbox.git(["commit", "-qam", "Count to four"]);
        sandbox
    }

    /// A repository without a commit.
    pub fn without_history() -> Self {
        let sandbox = Self::without_repository();
        sandbox.git(["init", "-q", "-b", "main"]);
        sandbox
    }

    /// An empty directory where the repository would be.
    pub fn without_repository() -> Self {
        let dir = TempDir::with_prefix("orch-test-").unwrap();
        let root = dir.path().canonicalize().unwrap();
        let repo = root.join("repo");
        for folder in ["repo", "home", "tmp", "gates", "behaviour", "agents"] {
            fs::create_dir(root.join(folder)).unwrap();
        }
        fs::write(
            root.join("home/.gitconfig"),
            "[user]\n\tname = Ada Tester\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n",
        )
        .unwrap();
        Self { _dir: dir, root, repo }
    }

    /// Takes away who the user is.
    pub fn forget_identity(&self) {
        fs::write(self.root.join("home/.gitconfig"), "[user]\n\tuseConfigOnly = true\n").unwrap();
    }

    /// Gives `command` this sandbox's world and nothing else's.
    pub fn furnish<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.join("home"))
            .env("TMPDIR", self.root.join("tmp"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.root.join("home/.gitconfig"))
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .current_dir(&self.repo)
    }

    /// Runs git in the user's checkout and returns what it printed, trimmed.
    #[track_caller]
    pub fn git<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> String {
        self.git_in(&self.repo, args)
    }

    /// The same elsewhere.
    #[track_caller]
    pub fn git_in<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        args: I,
    ) -> String {
        let mut git = Command::new("git");
        self.furnish(&mut git)
            .args(args)
            .current_dir(folder)
            .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z");
        let output = git.output().unwrap();
        assert!(
            output.status.success(),
            "{git:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Writes a file of the user's checkout, with its folders.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.repo.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Reads a file of the user's checkout.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.repo.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Commits everything in the user's checkout, as a user does before a run.
    pub fn commit_all(&self, message: &str) {
        self.git(["add", "-A"]);
        self.git(["commit", "-qm", message]);
    }

    /// The short names of the branches below `orch/`.
    pub fn task_branches(&self) -> Vec<String> {
        let list = self.git(["for-each-ref", "--format=%(refname:short)", "refs/heads/orch"]);
        list.lines().map(str::to_owned).collect()
    }

    /// What is in `.worktrees/`.
    pub fn worktrees(&self) -> Vec<String> {
        let entries = fs::read_dir(self.repo.join(".worktrees"));
        let names = entries.into_iter().flatten().flatten().map(|e| e.file_name());
        // What starts with a dot is the program's own (a pool, say) and no task's worktree.
        let mut names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }

    /// The content of `path` on `branch`.
    #[track_caller]
    pub fn show(&self, branch: &str, path: &str) -> String {
        self.git(["show", &format!("{branch}:{path}")])
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A failed test must not leave its agents to the next one.
        leaks::end_everything_in(&self.root);
    }
}
