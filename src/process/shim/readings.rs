//! What the attempt's processes use, read at a rate that costs nobody anything.

use crate::model::Timestamp;
use crate::process::heartbeat::Heartbeat;
use crate::process::result::now as wall;
use crate::process::tree::Tree;
use crate::process::{durable, layout, platform};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// The first reading; each pause is twice the one before it, up to [`PAUSE`]. So short attempts are
/// seen too.
const FIRST: Duration = Duration::from_millis(250);

/// Between two readings of processes that do something, and between two heartbeats.
const PAUSE: Duration = Duration::from_secs(5);

/// The same of processes that do nothing.
const QUIET_PAUSE: Duration = Duration::from_secs(20);

/// No heartbeat for attempts that are over before anyone could look.
const FIRST_HEARTBEAT: Duration = Duration::from_secs(1);

/// A reading may cost this part of the time: the kernel walks the page tables for it.
const COST: u32 = 500;

/// A silent build, a download, a test is at work; an event loop that waits is not, although its timers and its
/// garbage collector run: below this part of one core nothing counts as CPU use.
const IDLE_PER_CENT: u64 = 1;

/// Reads the tree and keeps what the result and the heartbeat say about it.
pub(super) struct Readings {
    dir: PathBuf,
    /// When to read next.
    next: Instant,
    pause: Duration,
    /// The longest pause that serves the idle limit.
    longest: Duration,
    /// When the last one was taken.
    taken: Instant,
    next_heartbeat: Instant,
    last_output_at: Option<Timestamp>,
    current: Heartbeat,
    written: Option<Heartbeat>,
}

impl Readings {
    pub(super) fn new(dir: PathBuf, idle: Option<Duration>, now: Instant) -> Self {
        let at = wall();
        Self {
            dir,
            next: now + FIRST,
            pause: FIRST,
            longest: idle.map_or(QUIET_PAUSE, |idle| (idle / 4).min(QUIET_PAUSE)),
            taken: now,
            next_heartbeat: now + FIRST_HEARTBEAT,
            last_output_at: None,
            current: Heartbeat {
                at,
                last_output_at: None,
                last_cpu_at: at,
                memory_bytes: 0,
                peak_memory_bytes: 0,
                cpu_ms: 0,
                processes: 0,
            },
            written: None,
        }
    }

    /// Output arrived.
    pub(super) fn output(&mut self, at: Timestamp) {
        self.last_output_at = Some(at);
    }

    /// When to read next.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// The largest sum of memory that was seen, bytes.
    pub(super) fn peak(&self) -> u64 {
        self.current.peak_memory_bytes
    }

    /// Reads the tree now. Whether it computed since the last reading.
    pub(super) fn take(&mut self, tree: &Tree, now: Instant) -> bool {
        let members = tree.members();
        let living: u64 = members.iter().filter_map(|id| platform::cpu_ms(id.pid)).sum();
        // Times of a process that nobody waited for are lost; the sum never goes back for that.
        let cpu_ms = (living + ended_ms()).max(self.current.cpu_ms);
        let used = cpu_ms - self.current.cpu_ms;
        let elapsed = u64::try_from(now.duration_since(self.taken).as_millis()).unwrap_or(u64::MAX);
        let works = used > 0 && used.saturating_mul(100) >= elapsed.saturating_mul(IDLE_PER_CENT);
        let talks = self.last_output_at != self.current.last_output_at;
        let at = wall();
        let beat = &mut self.current;
        if used > 0 || self.written.is_none() {
            // Without CPU use there is no new memory.
            beat.memory_bytes = members.iter().filter_map(|id| platform::memory(id.pid)).sum();
            beat.peak_memory_bytes = beat.peak_memory_bytes.max(beat.memory_bytes);
        }
        if works {
            beat.last_cpu_at = at;
        }
        beat.cpu_ms = cpu_ms;
        beat.last_output_at = self.last_output_at;
        beat.processes = u32::try_from(members.len()).unwrap_or(u32::MAX);
        beat.at = at;
        self.taken = now;
        let most = if works || talks { PAUSE } else { QUIET_PAUSE };
        self.pause = (self.pause * 2).min(most).max(now.elapsed() * COST).min(self.longest);
        self.next = now + self.pause;
        self.tell(now);
        works
    }

    fn tell(&mut self, now: Instant) {
        let same = self.written.is_some_and(|mut written| {
            written.at = self.current.at;
            written == self.current
        });
        // With a short idle limit the pauses are short, and whoever watches it must see them.
        if same || (now < self.next_heartbeat && self.longest >= PAUSE) {
            return;
        }
        // A full disk takes none; the next one may fit.
        if durable::publish(&layout::heartbeat(&self.dir), &self.current).is_ok() {
            self.written = Some(self.current);
            self.next_heartbeat = now + PAUSE;
        }
    }
}

/// CPU time of the processes that were waited for, and of those that they had waited for.
fn ended_ms() -> u64 {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return 0 };
    let sum = usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds();
    u64::try_from(sum).unwrap_or(0)
}
