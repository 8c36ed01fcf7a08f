//! The loop around one agent: keep its output, notice its end, end what must end.

use super::agent;
use super::limits::Limits;
use super::readings::Readings;
use super::requests::{Request, Requests};
use crate::model::{Exit, StopReason};
use crate::process::log::{LogWriter, Stream};
use crate::process::result::{ShimResult, now};
use crate::process::spec::ShimSpec;
use crate::process::tree::Tree;
use crate::process::{ProcessId, Stop, disk_space, durable, layout, platform};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::time::Instant;
use tokio_process_stream::{Item, ProcessChunkStream};
use tokio_stream::StreamExt;

/// After the agent ended by itself, what it started may end by itself too: a pipeline's last
/// command needs a moment to see the end of its input.
const LINGER: Duration = Duration::from_millis(200);

/// How long SIGKILL is repeated before a process counts as unkillable.
const KILLING: Duration = Duration::from_secs(10);

/// The first pause between two rounds of SIGKILL; it doubles up to [`KILL_PAUSE_MOST`].
const KILL_PAUSE: Duration = Duration::from_millis(5);
const KILL_PAUSE_MOST: Duration = Duration::from_millis(100);

/// How often emptiness is looked for where no signal tells of it (where orphans are not ours).
const LOOK: Duration = Duration::from_millis(50);

/// With nothing left of the tree its pipes are at their end, unless somebody outside was handed
/// one. An absolute limit: output does not postpone it.
const DRAINING: Duration = Duration::from_secs(2);

/// Where an attempt is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// The agent ended by itself; others of its tree are left.
    Lingering {
        until: Instant,
    },
    /// SIGTERM was sent.
    Terminating {
        until: Instant,
    },
    /// SIGKILL is sent again and again.
    Killing {
        until: Instant,
        again: Instant,
        pause: Duration,
    },
    /// Nothing is left (or nothing can be done); the pipes are read to their end.
    Draining {
        until: Instant,
    },
    Over,
}

struct Attempt<'a> {
    dir: &'a Path,
    spec: &'a ShimSpec,
    stream: ProcessChunkStream,
    main: u32,
    status: Option<ExitStatus>,
    stopped: Option<StopReason>,
    /// Somebody asked for the end (a limit may have asked before).
    asked: bool,
    tree: Tree,
    log: LogWriter,
    limits: Limits,
    readings: Readings,
    phase: Phase,
    /// Both pipes are at their end and the agent was waited for.
    drained: bool,
    unkillable: usize,
    free_disk: Option<u64>,
}

/// Executes the agent and returns when nothing of it is left.
pub(super) async fn supervise(
    dir: &Path,
    key: &str,
    spec: &ShimSpec,
    log: LogWriter,
    tree: Tree,
    mut requests: Requests,
) -> ShimResult {
    let (started_at, start) = (now(), Instant::now());
    let door = tree.group().and_then(platform::Group::door);
    let mut result = ShimResult::begun(started_at);
    match agent::spawn(spec, key, door) {
        Err(error) => result.spawn_error = Some(shortened(error)),
        Ok(child) => {
            let main = child.id().unwrap_or(0);
            if let Some(id) = ProcessId::of(main) {
                // Only a recovery after our own death reads it, and it has other means too.
                let _ = durable::publish(&layout::agent(dir), &id);
            }
            let idle = spec.idle_timeout_ms.map(Duration::from_millis);
            let mut attempt = Attempt {
                dir,
                spec,
                stream: child.into(),
                main,
                status: None,
                stopped: None,
                asked: false,
                tree,
                log,
                limits: Limits::new(spec, start),
                readings: Readings::new(dir.to_owned(), idle, start),
                phase: Phase::Running,
                drained: false,
                unkillable: 0,
                free_disk: None,
            };
            attempt.run(&mut requests).await;
            attempt.report(&mut result);
        }
    }
    result.finished_at = now();
    result.wall_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    result
}

impl Attempt<'_> {
    async fn run(&mut self, requests: &mut Requests) {
        let timer = tokio::time::sleep_until(Instant::now());
        tokio::pin!(timer);
        self.look();
        while self.phase != Phase::Over {
            if let Some(next) = self.next_look()
                && timer.deadline() != next
            {
                timer.as_mut().reset(next);
            }
            // In this order: an agent that never stops writing must not outlive its limits.
            tokio::select! {
                biased;
                request = requests.next() => {
                    if let Request::Stop(how) = request {
                        self.asked_to_stop(how);
                    }
                    self.look();
                }
                () = &mut timer, if self.next_look().is_some() => self.look(),
                item = self.stream.next(), if !self.drained => match item {
                    Some(Item::Stdout(bytes)) => self.output(Stream::Stdout, &bytes),
                    Some(Item::Stderr(bytes)) => self.output(Stream::Stderr, &bytes),
                    Some(Item::Done(status)) => {
                        self.status = self.status.or(status.ok());
                        self.drained = true;
                        self.look();
                    }
                    None => {
                        self.drained = true;
                        self.look();
                    }
                },
            }
        }
    }

    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        let at = now();
        self.limits.active(Instant::now());
        self.readings.output(at);
        self.log.write(stream, bytes, at.0);
    }

    /// When to look again if nothing happens.
    fn next_look(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Running => {
                let reading = self.readings.next();
                return Some(self.limits.next().map_or(reading, |limit| limit.min(reading)));
            }
            Phase::Lingering { until } | Phase::Terminating { until } => until,
            Phase::Killing { until, again, .. } => return Some(until.min(again)),
            Phase::Draining { until } => return Some(until),
            Phase::Over => return None,
        };
        let soon = Instant::now() + LOOK;
        Some(if platform::ADOPTS_ORPHANS { phase } else { phase.min(soon) })
    }

    fn asked_to_stop(&mut self, how: Stop) {
        let now = Instant::now();
        let at_once = how == Stop::Now || std::mem::replace(&mut self.asked, true);
        self.find_end();
        match self.phase {
            Phase::Running | Phase::Lingering { .. } => {
                if self.status.is_none() {
                    self.stopped = Some(StopReason::Cancelled);
                }
                self.terminate(if at_once { Duration::ZERO } else { self.grace() });
            }
            Phase::Terminating { .. } if at_once => self.phase = Phase::Terminating { until: now },
            _ => {}
        }
    }

    fn grace(&self) -> Duration {
        Duration::from_millis(self.spec.grace_ms)
    }

    fn terminate(&mut self, grace: Duration) {
        if !grace.is_zero() {
            self.tree.terminate();
        }
        let now = Instant::now();
        // A grace beyond what the clock can count ends all the same.
        let until = now.checked_add(grace).unwrap_or(now + Duration::from_secs(1 << 30));
        self.phase = Phase::Terminating { until };
    }

    /// Waits for whatever has ended. Whether nothing is left of the tree.
    fn find_end(&mut self) -> bool {
        loop {
            let waiting = self.status.is_none().then_some(self.main);
            let reaped = platform::reap(waiting);
            if reaped.ask_main && self.ask_main() {
                continue;
            }
            return if platform::ADOPTS_ORPHANS {
                reaped.none_left
            } else {
                self.status.is_some() && self.tree.members().is_empty()
            };
        }
    }

    /// Through the stream's own child, which remembers the answer for its last item.
    fn ask_main(&mut self) -> bool {
        let status = self.stream.child_mut().and_then(|child| child.try_wait().ok().flatten());
        self.status = self.status.or(status);
        self.status.is_some()
    }

    /// Goes as far towards the end as the facts allow.
    fn look(&mut self) {
        loop {
            let before = self.phase;
            let nothing_left = self.find_end();
            self.step(nothing_left, Instant::now());
            // Terminating may be over at once (no grace), and then so may be the rest.
            if self.phase == before || matches!(self.phase, Phase::Killing { .. }) {
                return;
            }
        }
    }

    fn step(&mut self, nothing_left: bool, now: Instant) {
        let ended = self.status.is_some() || self.drained;
        match self.phase {
            Phase::Running if ended => {
                let spaces = [self.dir, &self.spec.cwd].map(disk_space);
                self.free_disk = spaces.into_iter().flatten().map(|space| space.free).min();
                self.phase = Phase::Lingering { until: now + LINGER };
            }
            Phase::Running => {
                let limit = self.limits.reached(now);
                // Silence is no stall while the processes compute, so look before it counts as one.
                let due = now >= self.readings.next() || limit == Some(StopReason::IdleTimeout);
                if due && self.readings.take(&self.tree, now) {
                    self.limits.active(now);
                }
                if let Some(reason) = self.limits.reached(now) {
                    self.stopped = Some(reason);
                    self.terminate(self.grace());
                }
            }
            Phase::Lingering { .. } | Phase::Terminating { .. } | Phase::Killing { .. }
                if ended && nothing_left =>
            {
                self.phase = Phase::Draining { until: now + DRAINING };
            }
            Phase::Lingering { until } if now >= until => self.terminate(self.grace()),
            Phase::Terminating { until } if now >= until => {
                self.tree.kill();
                let again = now + KILL_PAUSE;
                self.phase = Phase::Killing { until: now + KILLING, again, pause: KILL_PAUSE };
            }
            Phase::Killing { until, .. } if now >= until => {
                self.unkillable = self.tree.members().len();
                self.phase = Phase::Draining { until: now + DRAINING };
            }
            Phase::Killing { until, again, pause } if now >= again => {
                self.tree.kill();
                let pause = (pause * 2).min(KILL_PAUSE_MOST);
                self.phase = Phase::Killing { until, again: now + pause, pause };
            }
            Phase::Draining { until } if self.drained || now >= until => self.phase = Phase::Over,
            _ => {}
        }
    }

    fn report(&self, result: &mut ShimResult) {
        if let Some(status) = self.status {
            result.exit = Exit { code: status.code(), signal: status.signal() };
        }
        result.stopped = self.stopped;
        result.free_disk_bytes = self.free_disk;
        result.log_bytes = self.log.received();
        result.dropped_bytes = self.log.dropped();
        let ended = self.tree.ended_beside(self.main).saturating_sub(self.unkillable);
        result.killed = u32::try_from(ended).unwrap_or(u32::MAX);
        result.unkillable = u32::try_from(self.unkillable).unwrap_or(u32::MAX);
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) {
            let millis = |time: TimeVal| u64::try_from(time.num_milliseconds()).unwrap_or(0);
            result.user_ms = millis(usage.user_time());
            result.sys_ms = millis(usage.system_time());
            // Kilobytes on Linux, bytes on macOS: getrusage(2).
            let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
            result.max_rss_bytes = u64::try_from(usage.max_rss()).unwrap_or(0) * unit;
            result.peak_memory_bytes = self.readings.peak().max(result.max_rss_bytes);
        }
    }
}

/// Leaves room in the space set aside for the result.
fn shortened(mut message: String) -> String {
    const MOST: usize = 1000;
    if message.len() > MOST {
        let end = (0..=MOST).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push_str(" ...");
    }
    message
}
