//! Worktrees that only git makes faithfully, and patience with its locks.

use super::super::GitError;
use super::super::executable::git_with_stdin;
use super::discard::empty;
use super::{Intent, Undo, WorktreeSpec, Worktrees};
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

/// Attempts against the locks of other git processes, with pauses of 20 ms that double: five
/// seconds in all.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

impl Worktrees {
    /// `git worktree add`, again while another process is in its way.
    pub(super) fn through_git(
        &self,
        spec: &WorktreeSpec,
        intent: &Intent,
        undo: &Undo,
    ) -> Result<(), GitError> {
        let path = spec.path.as_os_str();
        let mut args: Vec<&OsStr> = vec!["worktree".as_ref(), "add".as_ref()];
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

/// Tries again while the reason is somebody else's lock.
pub(super) fn with_patience<E>(
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
