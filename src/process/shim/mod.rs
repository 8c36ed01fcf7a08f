//! The shim: one process between the supervisor and an agent, so that neither's death hurts.
//!
//! Duty: hold the attempt's lock, execute the agent once, keep its output, end it when told or when
//! a limit is reached, leave nothing of it behind, and write the result durably before exiting.
//! Promise: whatever becomes of the supervisor, the agent runs on; whatever becomes of the shim,
//! the agent does not. Never: looks into the output, or decides anything beyond the spec.

mod agent;
mod limits;
mod readings;
mod requests;
mod supervise;

use super::durable::{self, Reserved};
use super::lock::AttemptLock;
use super::log::LogWriter;
use super::platform::{self, Group};
use super::spec::StoredSpec;
use super::start::READY;
use super::tree::Tree;
use super::{ProcessError, ProcessId, layout};
use requests::Requests;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What a shim leaves in the attempt's directory before it executes the agent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ShimRecord {
    /// Who it is.
    pub shim: ProcessId,
    /// The control group of the agent's processes, where there is one.
    pub group: Option<PathBuf>,
}

/// What `orch shim DIR` does. Its exit code says whether there is a result; what went wrong goes to
/// standard error, which is a file in the directory.
#[must_use]
pub fn shim(dir: &Path) -> ExitCode {
    // Fails when the supervisor has done it already.
    let _ = nix::unistd::setsid();
    match run(dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(dir: &Path) -> Result<(), ProcessError> {
    platform::become_subreaper().map_err(ProcessError::io("become the reaper of orphans"))?;
    // One thread: the parent-death signal is tied to the thread that forks, and memory counts.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ProcessError::io("start the runtime"))?
        .block_on(attempt(dir))
}

async fn attempt(dir: &Path) -> Result<(), ProcessError> {
    /// Others hold the lock for a moment to look whether it is held.
    const LOCK_PATIENCE: Duration = Duration::from_secs(5);
    /// A result that cannot be written is tried again: a full disk may be emptied.
    const RESULT_TRIES: u32 = 50;
    const RESULT_PAUSE: Duration = Duration::from_millis(200);

    // Before anyone is told that we exist: a request to stop must not find its default action.
    let requests = Requests::listen()?;
    let lock = AttemptLock::take(dir, LOCK_PATIENCE)
        .map_err(ProcessError::io(format!("lock {}", dir.display())))?
        .ok_or_else(|| ProcessError::AlreadyStarted(dir.to_owned()))?;
    let marks = [layout::refused(dir), layout::shim(dir), layout::result(dir)];
    if marks.iter().any(|mark| mark.exists()) {
        return Err(ProcessError::AlreadyStarted(dir.to_owned()));
    }
    let StoredSpec { key, spec } = durable::read(&layout::spec(dir))?.ok_or_else(|| {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        ProcessError::io(format!("read {}", layout::spec(dir).display()))(missing)
    })?;
    let reserved = Reserved::new(layout::result(dir))?;
    let log = LogWriter::create(dir, spec.log_cap)
        .map_err(ProcessError::io(format!("write {}", layout::log(dir).display())))?;
    let tree = Tree::new(key.clone(), Group::create(&key));
    let me = ProcessId::current();
    let group = tree.group().map(|group| group.path().to_owned());
    durable::publish(&layout::shim(dir), &ShimRecord { shim: me, group })?;
    acknowledge(me);

    let result = supervise::supervise(dir, &key, &spec, log, tree, requests).await;
    let mut tries = 1;
    while let Err(error) = reserved.commit(&result) {
        if tries == RESULT_TRIES {
            return Err(ProcessError::io(format!("write {}", layout::result(dir).display()))(
                error,
            ));
        }
        tries += 1;
        tokio::time::sleep(RESULT_PAUSE).await;
    }
    remove_if_empty(&layout::errors(dir));
    drop(lock);
    Ok(())
}

/// Tells whoever started us, if they still live, and lets go of them.
fn acknowledge(me: ProcessId) {
    let mut out = io::stdout();
    // A supervisor that died meanwhile does not read it, and that changes nothing.
    let _ = writeln!(out, "{READY}{}", me.start).and_then(|()| out.flush());
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdout(null);
    }
}

fn remove_if_empty(path: &Path) {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
        let _ = fs::remove_file(path);
    }
}
