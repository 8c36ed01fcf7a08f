//! Worktrees that git still lists though their folders are gone.

use super::{GitError, Repo};

impl Repo {
    /// Their names, as git lists them; of locked ones none, as their folder may come back (a disk that is
    /// not mounted now).
    ///
    /// # Errors
    /// The repository cannot be read by libgit2.
    pub fn gone_worktrees(&self) -> Result<Vec<String>, GitError> {
        let doing = || "list the worktrees";
        let repo = git2::Repository::open(&self.common_dir).map_err(GitError::lib(doing()))?;
        let names = repo.worktrees().map_err(GitError::lib(doing()))?;
        let is_gone = |name: &&str| {
            repo.find_worktree(name).is_ok_and(|found| {
                let locked = matches!(found.is_locked(), Ok(git2::WorktreeLockStatus::Locked(_)));
                !locked && !found.path().exists()
            })
        };
        let names = names.iter().filter_map(|name| name.ok().flatten());
        Ok(names.filter(is_gone).map(str::to_owned).collect())
    }

    /// Removes git's entries of worktrees whose folders are gone; branches stay.
    ///
    /// # Errors
    /// libgit2 refuses, such as for a worktree whose folder is there after all.
    pub fn forget_worktrees(&self, gone: &[String]) -> Result<(), GitError> {
        let doing = |name: &str| format!("forget the worktree {name}");
        let repo = git2::Repository::open(&self.common_dir)
            .map_err(GitError::lib("list the worktrees"))?;
        for name in gone {
            // Without options only what has no folder is pruned.
            let found = repo.find_worktree(name).map_err(GitError::lib(doing(name)))?;
            found.prune(None).map_err(GitError::lib(doing(name)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;

    #[test]
    fn only_an_entry_without_a_folder_is_forgotten() {
        let fixture = Fixture::new();
        let (gone, here) = (fixture.worktree("gone"), fixture.worktree("here"));
        let away = fixture.worktree("away");
        fixture.git(&["worktree", "lock", away.to_str().unwrap()]);
        std::fs::remove_dir_all(&gone).unwrap();
        std::fs::remove_dir_all(&away).unwrap();
        assert_eq!(fixture.repo.gone_worktrees().unwrap(), ["gone"]);
        assert!(fixture.repo.forget_worktrees(&["here".to_owned()]).is_err());
        fixture.repo.forget_worktrees(&["gone".to_owned()]).unwrap();
        assert!(fixture.repo.gone_worktrees().unwrap().is_empty());
        assert!(here.exists() && fixture.repo.branch_tip("orch/gone").unwrap().is_some());
    }
}
