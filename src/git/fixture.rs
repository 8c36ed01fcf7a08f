//! Repositories for the tests of this room, made and judged by the git executable.

use super::Repo;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A repository in a temporary directory, with a first commit on `main`.
pub(crate) struct Fixture {
    _place: tempfile::TempDir,
    pub root: PathBuf,
    pub repo: Repo,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// `init` gets the given arguments as well.
    pub fn with(init: &[&str]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap().join("repo");
        std::fs::create_dir(&root).unwrap();
        git(&root, &[&["init", "-q", "-b", "main"], init].concat());
        // Local settings, so that those of whoever runs the tests do not matter.
        for (key, value) in [
            ("user.name", "Ada"),
            ("user.email", "ada@example.com"),
            ("core.autocrlf", "false"),
            ("core.excludesFile", "/dev/null"),
            ("core.attributesFile", "/dev/null"),
            ("commit.gpgSign", "false"),
            ("gc.auto", "0"),
        ] {
            git(&root, &["config", key, value]);
        }
        std::fs::write(root.join(".git/info/exclude"), "/.worktrees/\n").unwrap();
        std::fs::write(root.join("a.txt"), lines("a", 20)).unwrap();
        std::fs::write(root.join("b.txt"), lines("b", 20)).unwrap();
        std::fs::create_dir(root.join("src")).unwrap();
        std::fs::write(root.join("src/c.txt"), lines("c", 20)).unwrap();
        git(&root, &["add", "-A"]);
        git(&root, &["commit", "-qm", "first"]);
        let repo = Repo::discover(&root).unwrap();
        Self { _place: place, root, repo }
    }

    /// A directory beside the repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.root.with_file_name(name)
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(&self.root, args)
    }

    pub fn oid(&self, what: &str) -> String {
        self.git(&["rev-parse", "--verify", what])
    }

    /// A worktree as the program makes it, on `orch/NAME`.
    pub fn worktree(&self, name: &str) -> PathBuf {
        let path = self.root.join(".worktrees").join(name);
        let branch = format!("orch/{name}");
        self.git(&["worktree", "add", "-q", "-b", &branch, path.to_str().unwrap(), "main"]);
        path
    }

    /// A commit on a new branch from `from` with these files (`None` removes one), made without
    /// touching the checkout.
    pub fn branch(&self, name: &str, from: &str, files: &[(&str, Option<&str>)]) -> String {
        let place = self.beside("elsewhere");
        self.git(&["worktree", "add", "-q", "-b", name, place.to_str().unwrap(), from]);
        for (file, content) in files {
            match content {
                Some(content) => write(&place, file, content),
                None => std::fs::remove_file(place.join(file)).unwrap(),
            }
        }
        git(&place, &["add", "-A"]);
        git(&place, &["commit", "-qm", name]);
        self.git(&["worktree", "remove", "--force", place.to_str().unwrap()]);
        self.oid(name)
    }

    /// git's own opinion of the repository.
    pub fn is_sound(&self) {
        self.git(&["fsck", "--strict", "--no-dangling"]);
    }
}

/// Runs git without anybody's settings; it must succeed. The output without the final newline.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let output = try_git(dir, args);
    assert!(
        output.status.success(),
        "git {args:?} in {}: {}",
        dir.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
}

pub(crate) fn try_git(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command.env("HOME", dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "protocol.file.allow");
    command.env("GIT_CONFIG_VALUE_0", "always").output().unwrap()
}

pub(crate) fn write(dir: &Path, file: &str, content: &str) {
    let path = dir.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

pub(crate) fn read(dir: &Path, file: &str) -> String {
    std::fs::read_to_string(dir.join(file)).unwrap()
}

/// `count` lines, all different.
pub(crate) fn lines(word: &str, count: usize) -> String {
    let lines: Vec<String> = (1..=count).map(|n| format!("{word} {n}\n")).collect();
    lines.concat()
}
