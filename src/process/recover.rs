//! Finding out what became of an attempt whose supervisor died, and leaving nothing of it behind.
//!
//! The order is: result file, then the shim's lock, then survivors. The lock is taken before
//! anything is concluded from its being free, and a mark is left while it is held: a shim that a
//! dead supervisor had just spawned finds the mark and refuses. So an attempt never runs after it
//! was declared lost.

use super::identity::ProcessId;
use super::lock::{AttemptLock, LockProbe};
use super::platform::{self, Group};
use super::running::{Finished, settle_elsewhere};
use super::shim::ShimRecord;
use super::spec::StoredSpec;
use super::tree::Hunt;
use super::{ProcessError, ShimResult, Stop, Stopper, durable, layout, tree, until_next};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What became of an attempt.
#[derive(Debug)]
pub enum Recovery {
    /// The agent was never executed and never will be. The directory is spent all the same.
    NeverStarted,
    /// It ended and its shim reported.
    Finished(ShimResult),
    /// Its shim lives.
    Alive(Adopted),
    /// Its shim died without a report. Nothing of the attempt is left.
    Lost {
        /// Processes that had to be ended.
        survivors_ended: usize,
    },
}

/// An attempt started by another process, whose shim lives.
#[derive(Debug)]
pub struct Adopted {
    pub(super) dir: PathBuf,
    pub(super) stopper: Stopper,
}

impl Adopted {
    /// How often the lock is tried: one system call, so that two hundred attempts cost nothing.
    const PERIOD: Duration = Duration::from_millis(250);

    /// The shim's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.stopper.shim.pid
    }

    /// A handle that can stop the attempt while another task waits.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper
    }

    /// See [`Stopper::stop`].
    pub fn stop(&self, how: Stop) -> bool {
        self.stopper.stop(how)
    }

    /// Waits until nothing of the attempt is left.
    ///
    /// # Errors
    /// When the result cannot be read, or processes survive SIGKILL.
    pub async fn wait(self) -> Result<Finished, ProcessError> {
        let doing = || format!("watch the lock of {}", self.dir.display());
        if let Some(probe) = LockProbe::open(&self.dir).map_err(ProcessError::io(doing()))? {
            while probe.is_held().map_err(ProcessError::io(doing()))? {
                tokio::time::sleep(until_next(Self::PERIOD)).await;
            }
        }
        settle_elsewhere(self.dir).await
    }
}

/// Finds out what became of the attempt in `dir`, ends what is left of a lost one, and adopts a
/// living one. May block for some seconds; asking again gives the same answer.
///
/// # Errors
/// When files cannot be read, or processes survive SIGKILL.
pub fn recover(dir: &Path) -> Result<Recovery, ProcessError> {
    /// From the lock to `shim.json` a shim needs milliseconds.
    const STARTING: Duration = Duration::from_secs(30);
    let dir = &std::path::absolute(dir)
        .map_err(ProcessError::io(format!("find the directory {}", dir.display())))?;
    // Who starts an attempt writes the spec first: without it there is no shim, not even a late one.
    if !layout::spec(dir).exists() {
        return Ok(Recovery::NeverStarted);
    }
    let deadline = Instant::now() + STARTING;
    loop {
        if let Some(result) = durable::read_if_whole(&layout::result(dir))? {
            return Ok(Recovery::Finished(result));
        }
        if let Some(settled) = try_settle(dir, Duration::ZERO)? {
            return Ok(match settled {
                Settled::Finished(result) => Recovery::Finished(result),
                Settled::NeverStarted => Recovery::NeverStarted,
                Settled::Lost { survivors_ended } => Recovery::Lost { survivors_ended },
            });
        }
        let record: Option<ShimRecord> = durable::read_if_whole(&layout::shim(dir))?;
        // Whoever holds the lock without being that shim is another recovery, soon done.
        if let Some(record) = record.filter(|record| record.shim.is_alive()) {
            return Ok(Recovery::Alive(Adopted {
                dir: dir.clone(),
                stopper: Stopper { shim: record.shim },
            }));
        }
        if Instant::now() >= deadline {
            return Err(busy(dir));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether an attempt can produce no more output: it reported, or no shim holds its lock.
///
/// # Errors
/// When its lock cannot be tried.
pub fn has_ended(dir: &Path) -> Result<bool, ProcessError> {
    if layout::result(dir).exists() {
        return Ok(true);
    }
    let doing = || format!("try the lock of {}", dir.display());
    match LockProbe::open(dir).map_err(ProcessError::io(doing()))? {
        Some(probe) => probe.is_held().map(|held| !held).map_err(ProcessError::io(doing())),
        None => Ok(true),
    }
}

/// What an attempt without a living shim amounts to.
pub(super) enum Settled {
    Finished(ShimResult),
    NeverStarted,
    Lost { survivors_ended: usize },
}

/// Decides an attempt whose shim is known to be dead.
pub(super) fn settle(dir: &Path) -> Result<Settled, ProcessError> {
    /// Others hold the lock only to look, or to do the same.
    const PATIENCE: Duration = Duration::from_secs(30);
    try_settle(dir, PATIENCE)?.ok_or_else(|| busy(dir))
}

fn busy(dir: &Path) -> ProcessError {
    let source = std::io::Error::from(std::io::ErrorKind::WouldBlock);
    ProcessError::io(format!("{}: another process holds its lock", dir.display()))(source)
}

/// `None` while the lock is held by someone else.
fn try_settle(dir: &Path, patience: Duration) -> Result<Option<Settled>, ProcessError> {
    let doing = || format!("recover {}", dir.display());
    let lock = AttemptLock::take(dir, patience).map_err(ProcessError::io(doing()))?;
    let Some(lock) = lock else { return Ok(None) };
    if let Some(result) = durable::read_if_whole(&layout::result(dir))? {
        return Ok(Some(Settled::Finished(result)));
    }
    let record: Option<ShimRecord> = durable::read_if_whole(&layout::shim(dir))?;
    if record.is_none() && !layout::shim(dir).exists() {
        File::create(layout::refused(dir)).map_err(ProcessError::io(doing()))?;
        return Ok(Some(Settled::NeverStarted));
    }
    let ended = end_survivors(dir, record.as_ref())?;
    drop(lock);
    Ok(Some(Settled::Lost { survivors_ended: ended }))
}

/// SIGKILL to everything that is left of the attempt, until several looks in a row find nothing.
fn end_survivors(dir: &Path, record: Option<&ShimRecord>) -> Result<usize, ProcessError> {
    /// A killed process is gone within milliseconds unless it hangs in the kernel.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// A look can miss a process that ends while its successor starts. Further looks are short.
    const EMPTY_LOOKS: u32 = 8;
    const PAUSE: Duration = Duration::from_millis(1);
    let spec: Option<StoredSpec> = durable::read_if_whole(&layout::spec(dir))?;
    let key = spec.map(|stored| stored.key);
    let mut hunt = key.as_deref().map(Hunt::new);
    let agent: Option<ProcessId> = durable::read_if_whole(&layout::agent(dir))?;
    let group = record.and_then(|record| record.group.as_deref()).and_then(Group::existing);
    let deadline = Instant::now() + PATIENCE;

    let mut known = survivors(hunt.as_mut(), agent, group.as_ref());
    for id in &known {
        platform::signal(*id, Signal::SIGKILL);
    }
    let mut empty_looks = 0;
    while empty_looks < EMPTY_LOOKS {
        let mut left: BTreeSet<ProcessId> =
            known.iter().copied().filter(|id| id.is_alive()).collect();
        if let Some(group) = &group {
            left.append(&mut tree::inside(group));
            group.kill();
        }
        if let Some(hunt) = &mut hunt {
            hunt.each(|id| {
                platform::signal(id, Signal::SIGKILL);
                left.insert(id);
            });
        }
        if left.is_empty() {
            empty_looks += 1;
        } else {
            empty_looks = 0;
            if Instant::now() >= deadline {
                let pids = left.iter().map(|id| id.pid).collect();
                return Err(ProcessError::Unkillable { dir: dir.to_owned(), pids });
            }
            known.append(&mut left);
        }
        std::thread::sleep(PAUSE);
    }
    if let Some(group) = &group {
        group.remove();
    }
    let _ = fs::remove_file(layout::result(dir).with_extension("part"));
    Ok(known.len())
}

/// What there is now. The key and the mark find what was re-parented; the parents find, where there are no marks,
/// what emptied its environment, as long as they live: so nothing may be killed before this is complete.
fn survivors(
    hunt: Option<&mut Hunt<'_>>,
    agent: Option<ProcessId>,
    group: Option<&Group>,
) -> BTreeSet<ProcessId> {
    let mut found = hunt.map(Hunt::look).unwrap_or_default();
    found.extend(agent.filter(|agent| agent.is_alive()));
    if let Some(group) = group {
        found.append(&mut tree::inside(group));
    }
    let roots = found.iter().map(|id| id.pid).collect();
    found.append(&mut tree::descendants(roots));
    found.retain(|id| id.pid != std::process::id());
    found
}
