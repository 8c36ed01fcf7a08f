//! Branches of a remote: where they are, and moving them.
//!
//! Through the git executable, so that the user's transport, credentials and hooks are those of every push.
//! Nothing is overwritten that the caller has not seen: each push says what it replaces.

use super::executable::{command, git, last_words, subject};
use super::{GitError, Repo};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Answers git's question for a password with the token, which is in its environment and nowhere else.
const HELPER: &str = "!f() { test \"$1\" = get && echo username=x-access-token && echo \"password=$ORCH_PUSH_TOKEN\"; }; f";

/// A remote, and what opens it where the user's own credentials do not.
#[derive(Clone, Copy, Debug)]
pub struct Remote<'a> {
    /// Its name, or address.
    pub name: &'a str,
    /// The beginning of addresses (`https://github.com`) for which the token is meant, and the token.
    pub token: Option<(&'a str, &'a str)>,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The branch of the remote is at the commit.
    Done,
    /// It was not where it was said to be; nothing changed.
    Moved,
    /// The remote, or a hook, refused: its words.
    Refused(String),
}

impl Repo {
    /// The address that a push to this remote goes to; `None` where there is no such remote.
    ///
    /// # Errors
    /// Git cannot be started.
    pub fn remote_address(&self, remote: &str) -> Result<Option<String>, GitError> {
        match git(&self.common_dir, &["remote", "get-url", "--push", remote]) {
            Ok(output) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())),
            Err(GitError::Executable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The remote that a branch is pushed to: as git has it, or else the only one, or `origin`.
    ///
    /// # Errors
    /// Git cannot be started.
    pub fn remote_of(&self, branch: Option<&str>) -> Result<Option<String>, GitError> {
        let line = |args: &[&str]| match git(&self.common_dir, args) {
            Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            Err(GitError::Executable { .. }) => Ok(String::new()),
            Err(error) => Err(error),
        };
        let keys = [
            branch.map(|branch| format!("branch.{branch}.pushRemote")),
            Some("remote.pushDefault".to_owned()),
            branch.map(|branch| format!("branch.{branch}.remote")),
        ];
        for key in keys.into_iter().flatten() {
            let named = line(&["config", "--get", &key])?;
            // `.` is this repository: the branch follows a local one.
            if !named.is_empty() && named != "." {
                return Ok(Some(named));
            }
        }
        let all = line(&["remote"])?;
        let names: Vec<&str> = all.lines().collect();
        Ok(match names[..] {
            [only] => Some(only.to_owned()),
            _ => names.iter().find(|name| **name == "origin").map(|name| (*name).to_owned()),
        })
    }

    /// Where branches of the remote are, by their names: those that match the patterns.
    ///
    /// # Errors
    /// The remote cannot be reached.
    pub fn remote_tips(
        &self,
        remote: Remote<'_>,
        branches: &[String],
    ) -> Result<BTreeMap<String, String>, GitError> {
        let mut args: Vec<String> =
            ["ls-remote", "--heads", "--", remote.name].map(str::to_owned).into();
        args.extend(branches.iter().map(|branch| format!("refs/heads/{branch}")));
        let output = run(&self.common_dir, remote, &args)?;
        let text = String::from_utf8_lossy(&output).into_owned();
        let tip = |line: &str| {
            let (oid, name) = line.split_once('\t')?;
            Some((name.strip_prefix("refs/heads/")?.to_owned(), oid.to_owned()))
        };
        Ok(text.lines().filter_map(tip).collect())
    }

    /// Moves a branch of the remote from `expected` (`None`: it does not exist) to `commit`.
    ///
    /// # Errors
    /// The remote cannot be reached. What it refuses is an outcome.
    pub fn push(
        &self,
        remote: Remote<'_>,
        commit: &str,
        branch: &str,
        expected: Option<&str>,
    ) -> Result<Pushed, GitError> {
        let args = [
            "push".to_owned(),
            "--porcelain".to_owned(),
            format!("--force-with-lease=refs/heads/{branch}:{}", expected.unwrap_or_default()),
            "--".to_owned(),
            remote.name.to_owned(),
            format!("{commit}:refs/heads/{branch}"),
        ];
        let output = prepared(&self.common_dir, remote, &args)
            .output()
            .map_err(GitError::io(format!("start git in {}", self.common_dir.display())))?;
        if output.status.success() {
            return Ok(Pushed::Done);
        }
        let said = String::from_utf8_lossy(&output.stdout);
        match said.lines().find(|line| line.starts_with('!')) {
            Some(line) if line.contains("(stale info)") => Ok(Pushed::Moved),
            Some(_) => Ok(Pushed::Refused(last_words(&output))),
            None => {
                Err(GitError::Executable { command: subject(&args), message: last_words(&output) })
            }
        }
    }

    /// Brings a commit of the remote's branch here, and nothing else with it.
    ///
    /// # Errors
    /// The remote cannot be reached or does not have it.
    pub fn fetch_branch(&self, remote: Remote<'_>, branch: &str) -> Result<(), GitError> {
        let args = ["fetch", "--no-tags", "--no-write-fetch-head", "--quiet", "--", remote.name];
        let mut args: Vec<String> = args.map(str::to_owned).into();
        args.push(format!("refs/heads/{branch}"));
        run(&self.common_dir, remote, &args).map(drop)
    }
}

fn prepared(dir: &Path, remote: Remote<'_>, args: &[String]) -> Command {
    let mut all: Vec<String> = Vec::new();
    if let Some((place, _)) = remote.token {
        // After the user's own helpers, which git asks first.
        all.extend(["-c".to_owned(), format!("credential.{place}.helper={HELPER}")]);
    }
    all.extend(args.iter().cloned());
    let mut command = command(dir, &all);
    if let Some((_, token)) = remote.token {
        command.env("ORCH_PUSH_TOKEN", token);
    }
    // An unknown host, or a key with a passphrase, must not wait for an answer.
    if std::env::var_os("GIT_SSH_COMMAND").is_none() && std::env::var_os("GIT_SSH").is_none() {
        command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    }
    command.stdin(Stdio::null());
    command
}

fn run(dir: &Path, remote: Remote<'_>, args: &[String]) -> Result<Vec<u8>, GitError> {
    let output = prepared(dir, remote, args)
        .output()
        .map_err(GitError::io(format!("start git in {}", dir.display())))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(GitError::Executable { command: subject(args), message: last_words(&output) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::executable::git_line;

    /// A repository with two commits, and a bare one beside it.
    fn pair() -> (tempfile::TempDir, Repo, [String; 2]) {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        let git = |args: &[&str]| git_line(&work, args).unwrap();
        git_line(dir.path(), &["init", "-q", "--bare", "far"]).unwrap();
        git_line(dir.path(), &["init", "-q", "-b", "main", "work"]).unwrap();
        git(&["config", "user.name", "a"]);
        git(&["config", "user.email", "a@b"]);
        git(&["remote", "add", "origin", "../far"]);
        let commit = |message| {
            git(&["commit", "-q", "--allow-empty", "-m", message]);
            git(&["rev-parse", "HEAD"])
        };
        let commits = [commit("one"), commit("two")];
        let repo = Repo::discover(&work).unwrap();
        (dir, repo, commits)
    }

    #[test]
    fn a_branch_that_somebody_else_moved_is_not_overwritten() {
        let (dir, repo, [one, two]) = pair();
        let far = dir.path().join("far");
        let remote = Remote { name: far.to_str().unwrap(), token: None };
        let push = |commit, expected| repo.push(remote, commit, "orch/a", expected).unwrap();
        assert_eq!(push(&one, None), Pushed::Done);
        assert_eq!(push(&one, None), Pushed::Done, "it is there already");
        assert_eq!(push(&two, None), Pushed::Moved);
        assert_eq!(push(&two, Some(&one)), Pushed::Done);
        assert_eq!(push(&one, Some(&two)), Pushed::Done, "back, as it is ours");
        let tips = repo.remote_tips(remote, &["orch/a".to_owned(), "orch/b".to_owned()]).unwrap();
        assert_eq!(tips, [("orch/a".to_owned(), one)].into());
    }

    #[test]
    fn a_refusal_is_told_from_a_remote_that_is_not_there() {
        let (dir, repo, [one, _]) = pair();
        let far = dir.path().join("far");
        let hook = far.join("hooks/pre-receive");
        std::fs::write(&hook, "#!/bin/sh\necho no such luck >&2\nexit 1\n").unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&hook, executable).unwrap();
        let remote = Remote { name: far.to_str().unwrap(), token: None };
        let Pushed::Refused(why) = repo.push(remote, &one, "b", None).unwrap() else { panic!() };
        assert!(why.contains("no such luck"), "{why}");
        let gone = Remote { name: "/nowhere/at/all", token: None };
        assert!(repo.push(gone, &one, "b", None).is_err());
    }

    #[test]
    fn the_remote_is_the_one_that_git_would_push_to() {
        let (_dir, repo, _) = pair();
        let git = |args: &[&str]| git_line(&repo.common_dir, args).unwrap();
        assert_eq!(repo.remote_of(Some("main")).unwrap().as_deref(), Some("origin"));
        assert_eq!(repo.remote_address("origin").unwrap().as_deref(), Some("../far"));
        assert_eq!(repo.remote_address("other").unwrap(), None);
        git(&["remote", "add", "fork", "git@github.com:me/r.git"]);
        assert_eq!(repo.remote_of(None).unwrap().as_deref(), Some("origin"));
        git(&["config", "branch.main.pushRemote", "fork"]);
        assert_eq!(repo.remote_of(Some("main")).unwrap().as_deref(), Some("fork"));
    }
}
