//! What runs right now, for a person who looks. Nobody needs to supervise it.

use super::lock::LockProbe;
use super::result::timestamp;
use super::shim::ShimRecord;
use super::{Heartbeat, LogReader, ProcessError, ProcessId, durable, layout, platform, tree};
use crate::model::Timestamp;
use std::collections::HashMap;
use std::path::Path;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// An attempt whose shim lives, and everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveAttempt {
    /// The shim.
    pub shim: ProcessId,
    /// The agent's main process, unless it has ended.
    pub agent: Option<ProcessId>,
    /// What the shim told last; `None` in the first second.
    pub heartbeat: Option<Heartbeat>,
    /// When the last output arrived.
    pub last_output: Option<Timestamp>,
    /// Everything below the shim, parents before their children.
    pub processes: Vec<LiveProcess>,
}

/// One process of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveProcess {
    /// Its number.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// How far below the shim, from 1.
    pub depth: usize,
    /// Its command line, or its name where it has none.
    pub command: String,
    /// `running`, `sleeping`, `stopped` and the like.
    pub state: String,
    /// Bytes of memory; on Linux its share of what it shares.
    pub memory_bytes: u64,
    /// Milliseconds of its own CPU time.
    pub cpu_ms: u64,
}

/// The attempt in `dir`; `None` when no shim holds its lock.
///
/// # Errors
/// When its files cannot be read.
pub fn live(dir: &Path) -> Result<Option<LiveAttempt>, ProcessError> {
    let Some(shim) = living_shim(dir)? else { return Ok(None) };
    let agent: Option<ProcessId> = durable::read(&layout::agent(dir))?;
    Ok(Some(LiveAttempt {
        shim,
        agent: agent.filter(|agent| agent.is_alive()),
        heartbeat: Heartbeat::read(dir)?,
        last_output: LogReader::stat(dir).ok().and_then(|stat| stat.last_output),
        processes: below(shim.pid),
    }))
}

/// What the shim of the attempt in `dir` told last, with the time of its latest output; `None` when no shim
/// holds its lock, and in the first second. Reads a few files and looks at no process but the shim.
///
/// # Errors
/// When its files cannot be read.
pub fn reading(dir: &Path) -> Result<Option<Heartbeat>, ProcessError> {
    if living_shim(dir)?.is_none() {
        return Ok(None);
    }
    let last_output = LogReader::stat(dir).ok().and_then(|stat| stat.last_output);
    let beat = Heartbeat::read(dir)?;
    Ok(beat.map(|beat| Heartbeat { last_output_at: beat.last_output_at.max(last_output), ..beat }))
}

fn living_shim(dir: &Path) -> Result<Option<ProcessId>, ProcessError> {
    let doing = || format!("try the lock of {}", dir.display());
    let Some(probe) = LockProbe::open(dir).map_err(ProcessError::io(doing()))? else {
        return Ok(None);
    };
    if !probe.is_held().map_err(ProcessError::io(doing()))? {
        return Ok(None);
    }
    let record: Option<ShimRecord> = durable::read(&layout::shim(dir))?;
    // Whoever holds it without being the shim is a recovery.
    Ok(record.map(|record| record.shim).filter(|shim| shim.is_alive()))
}

/// When the attempt in `dir` was claimed, which is before its shim is started; `None` where none ever was.
#[must_use]
pub fn claimed_at(dir: &Path) -> Option<Timestamp> {
    std::fs::metadata(layout::spec(dir)).and_then(|spec| spec.modified()).ok().map(timestamp)
}

/// Processes that a lost attempt left: its shim is dead, and it has no result.
///
/// # Errors
/// When its files cannot be read.
pub fn left_over(dir: &Path) -> Result<Vec<ProcessId>, ProcessError> {
    if layout::result(dir).exists() || live(dir)?.is_some() {
        return Ok(Vec::new());
    }
    let stored: Option<super::spec::StoredSpec> = durable::read(&layout::spec(dir))?;
    Ok(stored.map(|stored| tree::carriers(&stored.key).into_iter().collect()).unwrap_or_default())
}

fn below(shim: u32) -> Vec<LiveProcess> {
    let ids = tree::descendants(vec![shim]);
    let pids: Vec<Pid> = ids.iter().map(|id| Pid::from_u32(id.pid)).collect();
    let Ok(mut system) = System::new() else { return Vec::new() };
    let kind = ProcessRefreshKind::nothing().with_memory().with_cpu().with_cmd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, kind);
    let mut children: HashMap<u32, Vec<&sysinfo::Process>> = HashMap::new();
    for process in pids.iter().rev().filter_map(|pid| system.process(*pid)) {
        let parent = process.parent().map_or(shim, Pid::as_u32);
        children.entry(parent).or_default().push(process);
    }
    let mut out = Vec::new();
    let mut todo: Vec<(&sysinfo::Process, usize)> =
        children.remove(&shim).unwrap_or_default().into_iter().map(|p| (p, 1)).collect();
    while let Some((process, depth)) = todo.pop() {
        let pid = process.pid().as_u32();
        out.push(row(process, depth, shim));
        todo.extend(children.remove(&pid).unwrap_or_default().into_iter().map(|p| (p, depth + 1)));
    }
    out
}

fn row(process: &sysinfo::Process, depth: usize, shim: u32) -> LiveProcess {
    let pid = process.pid().as_u32();
    let words: Vec<_> = process.cmd().iter().map(|word| word.to_string_lossy()).collect();
    let command = if words.is_empty() {
        format!("[{}]", process.name().to_string_lossy())
    } else {
        words.join(" ")
    };
    LiveProcess {
        pid,
        parent: process.parent().map_or(shim, Pid::as_u32),
        depth,
        // A script given as an argument has many lines; the table has one.
        command: command.split_whitespace().collect::<Vec<_>>().join(" "),
        state: state(process.status()).to_owned(),
        memory_bytes: platform::memory(pid).unwrap_or_else(|| process.memory()),
        cpu_ms: process.accumulated_cpu_time(),
    }
}

fn state(status: sysinfo::ProcessStatus) -> &'static str {
    use sysinfo::ProcessStatus as S;
    match status {
        S::Run => "running",
        S::Sleep | S::Idle | S::Parked => "sleeping",
        S::UninterruptibleDiskSleep => "waiting for disk",
        S::Stop | S::Tracing => "stopped",
        S::Zombie | S::Dead => "dead",
        _ => "unknown",
    }
}
