//! The user's checkout, so completely that a change of it cannot hide.

use super::Sandbox;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

impl Sandbox {
    /// HEAD, branches that are not `orch`'s, index, status, configuration, and every file with its
    /// mode, time and content.
    pub fn checkout(&self) -> String {
        let mut text = String::new();
        for path in [".git/HEAD", ".git/config"] {
            let _ = writeln!(text, "{path}: {}", self.read(path));
        }
        for command in [
            &["for-each-ref", "--exclude=refs/heads/orch", "--exclude=refs/orch"][..],
            &["ls-files", "--stage"],
            &["status", "--porcelain=v2", "--branch"],
            &["stash", "list"],
        ] {
            let _ = writeln!(text, "git {command:?}:\n{}", self.git(command));
        }
        describe(&self.repo, &mut text);
        text
    }
}

fn describe(folder: &Path, text: &mut String) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|p| !p.ends_with(".git") && !p.ends_with(".worktrees")) {
        let meta = fs::symlink_metadata(path).unwrap();
        let _ = write!(text, "{} {:o} ", path.display(), meta.mode());
        if meta.is_dir() {
            let _ = writeln!(text);
            describe(path, text);
        } else if meta.is_symlink() {
            let _ = writeln!(text, "-> {}", fs::read_link(path).unwrap().display());
        } else {
            let content = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
            let _ = writeln!(text, "{}.{} {content:?}", meta.mtime(), meta.mtime_nsec());
        }
    }
}
