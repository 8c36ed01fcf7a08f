//! `.worktrees` in `info/exclude`, so that the user's `git status` never lists it.

use super::GitError;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

/// What is added, and what where `.worktrees` is a symbolic link, which the first is not about.
const PATTERN: &str = ".worktrees/";
const LINK_PATTERN: &str = "/.worktrees";

/// Adds the pattern to the repository's own exclude file, once. What the file holds stays; a
/// file that is a symbolic link is written through. Safe against another process doing the same.
pub(super) fn exclude_worktrees(common_dir: &Path) -> Result<(), GitError> {
    let info = common_dir.join("info");
    let path = info.join("exclude");
    let failed = |e| GitError::io(format!("add {PATTERN} to {}", path.display()))(e);
    // Beside the git directory, unless that is separate; then a link is not known for one.
    let link = common_dir.parent().is_some_and(|top| top.join(".worktrees").is_symlink());
    if is_excluded(&std::fs::read(&path).unwrap_or_default(), link) {
        return Ok(());
    }
    std::fs::create_dir_all(&info).map_err(failed)?;
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
    append(&mut file, link).map_err(failed)
}

/// Under the lock of the file itself: looks again, then adds the line in one write.
fn append(file: &mut File, link: bool) -> std::io::Result<()> {
    file.lock()?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    if is_excluded(&content, link) {
        return Ok(());
    }
    let start = if content.is_empty() || content.ends_with(b"\n") { "" } else { "\n" };
    let pattern = if link { LINK_PATTERN } else { PATTERN };
    file.write_all(format!("{start}{pattern}\n").as_bytes())
}

/// Whether a line covers `.worktrees`, which may be a symbolic link.
fn is_excluded(content: &[u8], link: bool) -> bool {
    let forms = [".worktrees", "/.worktrees", ".worktrees/", "/.worktrees/"];
    let forms = if link { &forms[..2] } else { &forms[..] };
    content
        .split(|b| *b == b'\n')
        .any(|line| forms.iter().any(|form| line.trim_ascii_end() == form.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_added_once_and_what_was_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("info/exclude");
        std::fs::create_dir(dir.path().join("info")).unwrap();
        std::fs::write(&path, "# mine\n*.swp").unwrap();
        exclude_worktrees(dir.path()).unwrap();
        exclude_worktrees(dir.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n*.swp\n.worktrees/\n");
    }

    #[test]
    fn a_missing_file_and_folder_are_made() {
        let dir = tempfile::tempdir().unwrap();
        exclude_worktrees(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join("info/exclude")).unwrap();
        assert_eq!(text, ".worktrees/\n");
    }

    #[test]
    fn many_at_once_add_one_line() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| exclude_worktrees(dir.path()).unwrap());
            }
        });
        let text = std::fs::read_to_string(dir.path().join("info/exclude")).unwrap();
        assert_eq!(text, ".worktrees/\n");
    }

    #[test]
    fn a_pattern_of_the_users_own_is_enough() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("info")).unwrap();
        let path = dir.path().join("info/exclude");
        std::fs::write(&path, "/.worktrees\r\n").unwrap();
        exclude_worktrees(dir.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "/.worktrees\r\n");
    }

    #[test]
    fn a_link_is_covered_too() {
        use crate::git::fixture::{git, write};
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let top = dir.path();
        git(top, &["init", "-q"]);
        let status = || git(top, &["status", "--porcelain"]);
        write(top, ".git/info/exclude", ".worktrees/\n");
        write(top, ".worktrees/t/file", "");
        exclude_worktrees(&top.join(".git")).unwrap();
        assert_eq!(
            (status(), crate::git::fixture::read(top, ".git/info/exclude")),
            (String::new(), ".worktrees/\n".into())
        );
        std::fs::remove_dir_all(top.join(".worktrees")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), top.join(".worktrees")).unwrap();
        assert_eq!(status(), "?? .worktrees");
        exclude_worktrees(&top.join(".git")).unwrap();
        assert_eq!(status(), "");
    }
}
