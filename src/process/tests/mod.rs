//! Whole attempts. The shim is this test executable: it executes itself as the one test
//! [`shim_entry`], with the attempt's directory as its last argument.

mod dying;
mod output;
mod readings;
mod starting;
mod stopping;

use super::*;
use crate::model::{Exit, StopReason};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Not a test: what the shim's process runs. Without a directory there is nothing to do.
#[test]
fn shim_entry() {
    if let Some(dir) = std::env::args().next_back().map(PathBuf::from)
        && dir.join("spec.json").exists()
    {
        let code = shim(&dir);
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
    }
}

fn launcher() -> Launcher {
    let entry = ["process::tests::shim_entry", "--exact", "--nocapture", "--test-threads=1"];
    Launcher {
        program: std::env::current_exe().unwrap(),
        arguments: entry.into_iter().map(Into::into).collect(),
    }
}

/// An attempt in a directory of its own. Scripts find a directory for marks in `$MARKS`, which is
/// also where they run.
struct Trial {
    home: TempDir,
    spec: ShimSpec,
}

impl Trial {
    fn of(argv: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let marks = home.path().join("marks");
        std::fs::create_dir(&marks).unwrap();
        let env = BTreeMap::from([("MARKS".to_owned(), marks.to_str().unwrap().to_owned())]);
        let spec = ShimSpec {
            argv: argv.iter().map(|&a| a.to_owned()).collect(),
            cwd: marks,
            env,
            env_remove: vec![],
            stdin: None,
            timeout_ms: Some(60_000),
            idle_timeout_ms: None,
            grace_ms: 30_000,
            log_cap: 64 << 20,
        };
        Self { home, spec }
    }

    fn sh(script: &str) -> Self {
        Self::of(&["sh", "-c", script])
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("attempt")
    }

    async fn start(&self) -> Running {
        start_with(&launcher(), &self.dir(), &self.spec).await.unwrap()
    }

    async fn run(&self) -> ShimResult {
        done(self.start().await.wait().await.unwrap())
    }

    /// The process that wrote its number into this mark.
    async fn process(&self, mark: &str) -> ProcessId {
        let path = self.home.path().join("marks").join(mark);
        let read = || {
            let text = std::fs::read_to_string(&path).ok()?;
            ProcessId::of(text.strip_suffix('\n')?.parse().ok()?)
        };
        eventually(mark, || read().is_some()).await;
        read().unwrap()
    }

    fn stdout(&self) -> Vec<u8> {
        bytes_of(&self.dir(), Stream::Stdout)
    }

    fn stderr(&self) -> Vec<u8> {
        bytes_of(&self.dir(), Stream::Stderr)
    }
}

fn done(finished: Finished) -> ShimResult {
    match finished {
        Finished::Done(result) => result,
        Finished::Lost { .. } => panic!("the shim was lost"),
    }
}

fn bytes_of(dir: &Path, stream: Stream) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = Vec::new();
    LogReader::open(dir).stream(stream).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Waits for a condition, for as long as no working machine needs.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn exited(code: i32) -> Exit {
    Exit { code: Some(code), signal: None }
}

fn signalled(signal: i32) -> Exit {
    Exit { code: None, signal: Some(signal) }
}
