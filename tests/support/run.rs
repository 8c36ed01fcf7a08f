//! The binary under test, and what it said.

use super::wait::PATIENCE;
use super::{Sandbox, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The binary: what cargo built for this test, or `$ORCH_TEST_BIN`.
fn binary() -> PathBuf {
    std::env::var_os("ORCH_TEST_BIN").map_or_else(|| env!("CARGO_BIN_EXE_orch").into(), Into::into)
}

/// An invocation that ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; a signal counts as 128 + its number.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The same, when it exited with `code`.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "exit code\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// The same, when standard error contains `text`.
    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "'{text}' is not in stderr:\n{}", self.stderr);
        self
    }

    /// Standard output as one JSON document and nothing else.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| {
            panic!("not one JSON document: {e}\n{}{}", self.stdout, self.stderr)
        })
    }

    /// Standard output as one JSON document a line.
    #[track_caller]
    pub fn ndjson(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// An invocation under way. Its output goes to files, so that it never waits for a reader.
pub struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends a signal to the process, as a terminal's Ctrl-C or a person's `kill` would.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// What it printed on standard error so far.
    pub fn stderr_so_far(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Waits until it has printed `text` on standard output.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        wait_until(&format!("'{text}' was printed"), || {
            let out = fs::read(&self.out).unwrap_or_default();
            String::from_utf8_lossy(&out).contains(text)
        });
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let mut status = None;
        wait_until("orch ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        Finished {
            code: status.code().or(status.signal().map(|s| 128 + s)).unwrap(),
            stdout: fs::read_to_string(&self.out).unwrap(),
            stderr: fs::read_to_string(&self.err).unwrap(),
        }
    }
}

impl Sandbox {
    /// `orch` with `arguments` as a shell would split them ('single quotes' keep words together),
    /// not started yet.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(binary());
        self.furnish(&mut command).args(words(arguments)).stdin(Stdio::null());
        command
    }

    /// Runs `orch` with `arguments` to its end.
    #[track_caller]
    pub fn orch(&self, arguments: &str) -> Finished {
        Self::finish(self.command(arguments))
    }

    /// Runs a prepared command to its end.
    #[track_caller]
    pub fn finish(command: Command) -> Finished {
        let output = assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap();
        let status = output.status;
        Finished {
            code: status.code().or(status.signal().map(|s| 128 + s)).unwrap(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts `orch` with `arguments`.
    pub fn start(&self, arguments: &str) -> Running {
        let stream = |name: &str| {
            let unique = tempfile::Builder::new().prefix(name).tempfile_in(&self.root).unwrap();
            unique.keep().unwrap().1
        };
        let (out, err) = (stream("out-"), stream("err-"));
        let child = self
            .command(arguments)
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Running { child, out, err }
    }

    /// `orch status --json`.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.orch("status --json").exits(0).json()
    }

    /// The task `name` of `orch status --json`.
    #[track_caller]
    pub fn status_of(&self, name: &str) -> Value {
        task(&self.status(), name)
    }

    /// The shim of a task's first attempt, as soon as its start is recorded.
    #[track_caller]
    pub fn shim_of(&self, name: &str) -> Pid {
        let mut shim = None;
        wait_until("the shim is known", || {
            shim = self.status_of(name)["attempts"][0]["pid"].as_i64();
            shim.is_some()
        });
        Pid::from_raw(i32::try_from(shim.unwrap()).unwrap())
    }

    /// The branch of the task `name`.
    #[track_caller]
    pub fn branch_of(&self, name: &str) -> String {
        let task = self.status_of(name);
        task["branch"].as_str().unwrap_or_else(|| panic!("{name} has no branch: {task}")).to_owned()
    }

    /// The worktree of the task `name`.
    #[track_caller]
    pub fn worktree_of(&self, name: &str) -> PathBuf {
        let task = self.status_of(name);
        let path = task["worktree"].as_str();
        self.repo.join(path.unwrap_or_else(|| panic!("{name} has no worktree: {task}")))
    }
}

/// Words between spaces; what is between single quotes is one word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in line.split('\'').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The task `name` of a status document.
#[track_caller]
pub fn task(status: &Value, name: &str) -> Value {
    let tasks = status["tasks"].as_array().unwrap_or_else(|| panic!("no tasks in {status}"));
    let found = tasks.iter().find(|t| t["name"] == name);
    found.unwrap_or_else(|| panic!("no task {name} in {status}")).clone()
}
