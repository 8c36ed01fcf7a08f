//! Temporary files that a killed process left among the objects.

use super::Repo;
use std::fs;
use std::time::{Duration, SystemTime};

/// How libgit2 names what it is about to rename to an object.
const PREFIX: &str = "tmp_object_git2_";

/// An object is written within milliseconds; what is older was left.
const LEFT: Duration = Duration::from_mins(1);

impl Repo {
    /// Removes what processes of `orch` that were killed while they wrote an object left; how many. Files
    /// of git itself are for `git gc`.
    pub fn sweep_objects(&self) -> usize {
        let entries = fs::read_dir(self.common_dir.join("objects")).into_iter().flatten().flatten();
        let left = entries.filter(|entry| {
            let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            ours && entry
                .metadata()
                .and_then(|file| file.modified())
                .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > LEFT))
        });
        left.filter(|entry| fs::remove_file(entry.path()).is_ok()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::super::worktree::fixture::Fixture;
    use super::*;
    use std::fs::File;

    #[test]
    fn only_what_was_left_by_a_dead_process_is_removed() {
        let fixture = Fixture::varied();
        let objects = fixture.root().join(".git/objects");
        let long_ago = SystemTime::now() - Duration::from_hours(1);
        for (name, old) in [
            ("tmp_object_git2_old", true),
            ("tmp_object_git2_new", false),
            ("tmp_obj_of_git", true),
        ] {
            let file = File::create(objects.join(name)).unwrap();
            if old {
                file.set_modified(long_ago).unwrap();
            }
        }
        assert_eq!(fixture.repo().sweep_objects(), 1);
        assert!(!objects.join("tmp_object_git2_old").exists());
        assert!(objects.join("tmp_object_git2_new").exists());
        assert!(objects.join("tmp_obj_of_git").exists());
        fixture.git(&["fsck", "--strict"]);
    }
}
