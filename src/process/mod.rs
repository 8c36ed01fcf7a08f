//! The only OS-specific room: shims, agents, identities, locks, signals, logs.
//!
//! Duty: start an attempt through a shim (`orch shim DIR`) that outlives us, say what became of it,
//! stop it, and leave none of its processes behind, whatever they did to their session, group,
//! parent or standard streams.
//! Promise: a directory starts at most one agent, ever; a start is acknowledged before the agent is
//! executed; a result is on disk before its shim exits; [`recover`] never reports an end while a
//! process of the attempt lives. A process is named by [`ProcessId`], never by its number alone.
//! Never: reads what an agent says, decides whether it did well, or knows what a run is.
//!
//! An attempt's directory, in the order of its files' lives: `spec.json` (the claim), `lock` (held
//! by the shim while it lives), `shim.json` (the acknowledgement), `agent.json`, `log*` (see
//! [`LogReader`]), `heartbeat.json` (again and again), `result.json`, and `refused` where a recovery has ruled it out.

mod durable;
mod error;
mod heartbeat;
mod identity;
mod layout;
mod live;
mod lock;
mod log;
mod pace;
mod recover;
mod result;
mod running;
mod shim;
mod signals;
mod spec;
mod start;
mod stop;
mod supervisor_lock;
mod system;
mod terminal;
mod tree;
mod unix;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as platform;

pub use error::ProcessError;
pub use heartbeat::Heartbeat;
pub use identity::ProcessId;
pub use live::{LiveAttempt, LiveProcess, claimed_at, left_over, live, reading};
pub use log::{Entry, Follower, LogReader, LogStat, Stream, StreamReader};
pub use pace::until_next;
pub use platform::lower_priority;
pub use recover::{Adopted, Recovery, has_ended, recover};
pub use result::{ShimResult, annotate};
pub use running::{Finished, Running};
pub use shim::shim;
pub use signals::{Interrupt, Signals, die};
pub use spec::{KEY_VARIABLE, ShimSpec};
pub use start::{Launcher, start, start_with};
pub use stop::{Stop, Stopper};
pub use supervisor_lock::SupervisorLock;
pub use system::{
    DefaultJobs, DiskSpace, ProcessLimits, System, can_run, can_write, default_jobs, disk_space,
    load, process_limits, system,
};
pub use terminal::{columns, in_own_session, is_own_output, rows};

#[cfg(test)]
mod tests;
