//! The git executable, for what libgit2 cannot do faithfully.
//!
//! Promise: a call never waits for a person, speaks English whatever the locale, and works on the
//! repository of the directory it is given whatever the caller's environment points at.

use super::GitError;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What git itself calls local to a repository (`git rev-parse --local-env-vars`, git 2.47), and
/// two more that redirect refs or objects. Inherited from a hook they would aim git elsewhere.
const REPOSITORY_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_QUARANTINE_PATH",
];

/// Lines of standard error that are kept for the message.
const MESSAGE_LINES: usize = 5;

/// Runs `git ARGS` in `dir` to its end; a failing exit is an error with git's own words.
pub(crate) fn git<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> Result<Output, GitError> {
    git_with_stdin(dir, args, Stdio::null())
}

/// As [`git`], for a caller that needs to hand something over as standard input.
pub(crate) fn git_with_stdin<S: AsRef<OsStr>>(
    dir: &Path,
    args: &[S],
    stdin: Stdio,
) -> Result<Output, GitError> {
    let output = command(dir, args)
        .stdin(stdin)
        .output()
        .map_err(GitError::io(format!("start git in {}", dir.display())))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(GitError::Executable { command: subject(args), message: last_words(&output) })
}

/// Runs `git ARGS` in `dir` and gives its standard output as text without the final newline.
pub(crate) fn git_line<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> Result<String, GitError> {
    let output = git(dir, args)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
}

pub(crate) fn command<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args);
    for name in REPOSITORY_VARIABLES {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_EDITOR", "true");
    // The tests of this room must not depend on the settings of whoever runs them.
    #[cfg(test)]
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

/// Options whose value is the next argument, and says nothing about what the call is for.
const WITH_VALUE: [&str; 3] = ["-c", "-C", "-m"];

/// The sub-command and its first plain argument: enough to recognise the call in a message.
pub(crate) fn subject<S: AsRef<OsStr>>(args: &[S]) -> String {
    let mut is_value = false;
    let mut words = args
        .iter()
        .map(|a| a.as_ref().to_string_lossy())
        .filter(|a| {
            let plain = !is_value && !a.starts_with('-');
            is_value = !is_value && WITH_VALUE.contains(&a.as_ref());
            plain
        })
        .take(2)
        .collect::<Vec<_>>();
    if words.is_empty() {
        words.extend(args.first().map(|a| a.as_ref().to_string_lossy()));
    }
    words.join(" ")
}

/// Why git failed: the lines that say so, and of the others the last, which say what to do.
pub(crate) fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    if lines.is_empty() {
        return format!("ended with {} and said nothing", output.status);
    }
    let says_why = |line: &str| line.starts_with("fatal:") || line.starts_with("error:");
    // The first tells the cause, and where there are more, the others repeat it; the file that is
    // concerned is named there and nowhere else.
    let mut shown: Vec<usize> = (0..lines.len()).filter(|&n| says_why(lines[n])).collect();
    shown.truncate(MESSAGE_LINES - 2);
    let others = (0..lines.len()).rev().filter(|n| !shown.contains(n));
    let others: Vec<usize> = others.take(MESSAGE_LINES - shown.len()).collect();
    shown.extend(others);
    shown.sort_unstable();
    shown.iter().map(|&n| lines[n].trim()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_call_carries_the_words_of_git() {
        let dir = tempfile::tempdir().unwrap();
        let error = git(dir.path(), &["rev-parse", "--verify", "HEAD"]).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("git rev-parse HEAD: "), "{text}");
        assert!(text.contains("not a git repository"), "{text}");
    }

    #[test]
    fn the_line_that_names_the_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "-q"]).unwrap();
        std::fs::write(dir.path().join(".git/index.lock"), "").unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let text = git(dir.path(), &["add", "file"]).unwrap_err().to_string();
        assert!(text.starts_with("git add file: fatal: Unable to create"), "{text}");
        assert!(text.contains("index.lock") && text.contains("remove the file manually"), "{text}");
        assert_eq!(text.split("; ").count(), MESSAGE_LINES, "{text}");
    }

    #[test]
    fn the_value_of_an_option_is_not_the_subject() {
        let named = [
            (
                &["-c", "core.hooksPath=/dev/null", "update-ref", "-m", "log", "ref"][..],
                "update-ref ref",
            ),
            (&["commit-tree", "-m", "-c", "tree"], "commit-tree tree"),
            (&["status"], "status"),
            (&["--version"], "--version"),
        ];
        for (args, expected) in named {
            assert_eq!(subject(args), expected);
        }
    }

    #[test]
    fn the_output_of_a_call_is_its_line() {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "-q", "-b", "trunk"]).unwrap();
        assert_eq!(git_line(dir.path(), &["symbolic-ref", "HEAD"]).unwrap(), "refs/heads/trunk");
    }
}
