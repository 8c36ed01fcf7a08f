//! What git ignores in a worktree: what can be built again.

use super::{GitError, Repo, names};
use git2::{Repository, Status, StatusOptions};
use std::path::{Path, PathBuf};

impl Repo {
    /// Folders of the worktree that git ignores as a whole (`target/`, `node_modules/`), absolute.
    /// Ignored files beside tracked ones are left out: they may be somebody's settings; and so is a
    /// folder with a repository of its own, whose work may be nowhere else.
    ///
    /// # Errors
    /// The worktree cannot be read by libgit2.
    pub fn ignored_folders(&self, worktree: &Path) -> Result<Vec<PathBuf>, GitError> {
        let doing = || format!("look for ignored folders in {}", worktree.display());
        let repo = Repository::open(worktree).map_err(GitError::lib(doing()))?;
        let mut options = StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(true);
        let statuses = repo.statuses(Some(&mut options)).map_err(GitError::lib(doing()))?;
        let folders = statuses
            .iter()
            .filter(|entry| entry.status() == Status::IGNORED)
            .filter_map(|entry| {
                let name = entry.path_bytes().strip_suffix(b"/")?.to_vec();
                Some(worktree.join(names::path(&name)))
            })
            .filter(|folder| !folder.is_symlink() && !has_repository(folder))
            .collect();
        Ok(folders)
    }
}

/// Whether there is a `.git` anywhere below. What cannot be read may hide one.
fn has_repository(folder: &Path) -> bool {
    let mut todo = vec![folder.to_owned()];
    while let Some(dir) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { return true };
        for entry in entries {
            let Ok(entry) = entry else { return true };
            if entry.file_name() == ".git" {
                return true;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                todo.push(entry.path());
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use std::fs;

    #[test]
    fn only_whole_folders_without_work_are_named() {
        let fixture = Fixture::new();
        let root = fixture.root.clone();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(".gitignore", "target/\n.env\nclones/\n*.o\n");
        write("target/debug/a", "x");
        write("lib/target/b", "x");
        write("lib/kept.rs", "x");
        write(".env", "SECRET=1");
        write("clones/theirs/.git/HEAD", "x");
        write("src/a.o", "x");
        write("src/a.c", "x");
        let mut found = fixture.repo.ignored_folders(&root).unwrap();
        found.sort();
        assert_eq!(found, [root.join("lib/target"), root.join("target")]);
    }
}
