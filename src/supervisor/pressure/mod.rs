//! The machine's limits: how many attempts it bears, and whether there is room for what they write.
//!
//! Duty: read memory, load and disk from time to time and after each end, say what follows (see
//! [`policy`]), make room where that costs nobody any work (see [`room`]).
//! Promise: what runs goes on, but where memory is about to run out; then the newest attempt is ended, and
//! starts again later without a failure. What failed for want of room on disk is no failure either.
//! Never: removes anything but prepared worktrees and folders that git ignores.

mod growth;
mod policy;
mod room;

use super::World;
use crate::engine::{Standings, State};
use crate::model::{
    AttemptEnd, AttemptId, Event, Failure, FailureClass, Resource, StopReason, TaskId, bytes,
};
use crate::process::{self, DiskSpace, LogReader, ShimResult};
use growth::Growth;
use policy::{Change, Current, Policy, Readings};
pub(super) use room::{Freed, clear_ignored, finished, make_room, occupied};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the machine is looked at: memory fills within seconds, and a look costs a tenth of a
/// millisecond.
pub(super) const PERIOD: Duration = Duration::from_secs(5);

/// What is short when nobody said (`[limits]` in `orch.toml`): the memory of one agent more, and what a
/// build or two write; on small machines a part of what there is.
const FREE_MEMORY: u64 = 1 << 30;
const FREE_DISK: u64 = 2 << 30;

/// An attempt that could not write says so when it ends: a moment later, at most a compiler's time.
const RECENTLY: Duration = Duration::from_mins(1);

/// A task that fills the disk each time it runs needs a person: as often as a lost shim is forgiven.
const MOST_LOST: u32 = 3;

/// From when on there is too little; `None`: worked out from what the machine has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Bytes of memory; with less, fewer attempts at a time.
    pub free_memory: Option<u64>,
    /// Bytes of memory; with less, the newest attempt is ended.
    pub least_memory: Option<u64>,
    /// Load for each core; above, fewer attempts at a time. 0: it does not matter.
    pub load: f64,
    /// Bytes that stay free on disk.
    pub free_disk: Option<u64>,
}

impl Limits {
    /// What is asked for that a machine of so much memory and such disks (bytes in all) has not even when
    /// nothing runs on it: work would wait for it for ever.
    #[must_use]
    pub fn out_of_reach(&self, memory: u64, disks: &[u64]) -> Option<String> {
        let has = |key: &str, floor: u64, what: &str, total: u64| {
            (total > 0 && floor > total).then(|| {
                format!(
                    "{key} = {} in [limits] of orch.toml can never be met, as {what} {} in all: nothing would \
                     ever start; lower it",
                    bytes(floor),
                    bytes(total)
                )
            })
        };
        let disk = disks.iter().min().copied().unwrap_or(0);
        // A quarter of the one is the other where only the first was said.
        let (least, key) = match (self.least_memory, self.free_memory) {
            (Some(least), _) => (least, "least_memory"),
            (None, Some(free)) => (free / 4, "a quarter of free_memory"),
            (None, None) => (0, "least_memory"),
        };
        has("free_disk", self.free_disk.unwrap_or(0), "the disk has", disk)
            .or_else(|| has(key, least, "the machine has", memory))
    }
}

/// What must stay free on a disk of so many bytes, when that much was `said`.
#[must_use]
pub fn least_disk(said: Option<u64>, total: u64) -> u64 {
    said.unwrap_or(FREE_DISK.min(total / 20))
}

/// Watches the machine for one supervisor.
pub(super) struct Governor {
    limits: Limits,
    cores: f64,
    memory_bytes: u64,
    /// Where there must be room: the worktrees and the git directory.
    places: [PathBuf; 2],
    disk: Option<DiskSpace>,
    current: Current,
    growth: Growth,
    /// The disk is short and nobody has made room since.
    wants_room: bool,
    /// Somebody is at it.
    makes_room: bool,
    /// When a person was told last that the disk is short.
    told_of_disk: Option<Instant>,
    /// What came then was not told, so neither is its end.
    unsaid: bool,
    /// When the disk was last seen to be full.
    full_at: Option<Instant>,
    /// How often each task was ended by a full disk.
    lost: HashMap<TaskId, u32>,
}

/// What is to be recorded, said and done.
#[derive(Debug, Default)]
pub(super) struct Measures {
    pub(super) events: Vec<Event>,
    pub(super) notices: Vec<String>,
    /// To be ended once that is recorded.
    pub(super) stop: Option<AttemptId>,
}

impl Governor {
    pub(super) fn new(world: &World) -> Self {
        let machine = process::system();
        Self {
            limits: world.limits,
            cores: machine.cores as f64,
            memory_bytes: machine.memory_bytes,
            places: [world.root.join(".worktrees"), world.layout.dir().to_owned()],
            disk: None,
            current: Current::default(),
            growth: Growth::default(),
            wants_room: false,
            makes_room: false,
            told_of_disk: None,
            unsaid: false,
            full_at: None,
            lost: HashMap::new(),
        }
    }

    /// Reads the machine and says what follows. To be called every [`PERIOD`], and when attempts have `ended`
    /// (which `state` does not know yet): then only for the room that the next task needs.
    pub(super) fn look(&mut self, state: &State, ended: u32) -> Measures {
        let standings = state.standings();
        let spaces = self.places.iter().filter_map(|place| process::disk_space(place));
        self.disk = spaces.min_by_key(|space| space.free);
        let policy = self.policy(state);
        let mut now = self.read(state, &standings);
        let changes = if ended > 0 {
            now.tasks = now.tasks.saturating_sub(ended);
            policy::room(&now, &policy, &mut self.current)
        } else {
            policy::next(&now, &policy, &mut self.current)
        };
        if now.free_disk.is_some_and(|free| free < policy.free_disk) {
            self.full_at = Some(Instant::now());
        }
        let tight = now.free_disk.is_some_and(|free| {
            free < policy.free_disk.saturating_add(now.rest_disk).saturating_add(now.next_disk)
        });
        self.wants_room = tight && !state.draining;
        let mut measures = Measures::default();
        for change in changes {
            match change {
                Change::Limit { limit, step, reason } => {
                    let is_short = |event: &Event| matches!(event, Event::ResourceShort { .. });
                    if !measures.events.iter().any(is_short) {
                        measures.notices.push(format!("{step}: {reason}"));
                    }
                    measures.events.push(Event::ParallelismLimited { limit, reason });
                }
                Change::Short { resource, detail } => {
                    measures
                        .notices
                        .push(format!("{detail}; nothing new starts until there is more"));
                    measures.events.push(Event::ResourceShort { resource, detail });
                }
                Change::Recovered { resource } => {
                    let what = if resource == Resource::Disk { "room on disk" } else { "memory" };
                    measures.notices.push(format!("there is enough {what} again; the run goes on"));
                    measures.events.push(Event::ResourceRecovered { resource });
                }
                Change::StopNewest => {
                    let Some(attempt) = newest(state) else { continue };
                    let name = name_of(state, &attempt.task);
                    measures.notices.push(format!(
                        "memory is about to run out: {name}, the last to start, is stopped and starts \
                         again later"
                    ));
                    let reason = StopReason::OutOfMemory;
                    measures
                        .events
                        .push(Event::AttemptStopping { attempt: attempt.clone(), reason });
                    measures.stop = Some(attempt);
                }
            }
        }
        self.spare(&mut measures, tight);
        measures
    }

    /// Where each task just fits, the disk is short and is not, again and again: said once a minute.
    fn spare(&mut self, measures: &mut Measures, tight: bool) {
        const AGAIN: Duration = Duration::from_mins(1);
        if measures.stop.is_some() || measures.notices.is_empty() {
            return;
        }
        if tight {
            self.unsaid = self.told_of_disk.is_some_and(|told| told.elapsed() < AGAIN);
            if !self.unsaid {
                self.told_of_disk = Some(Instant::now());
            }
        }
        if self.unsaid {
            measures.notices.clear();
        }
    }

    /// How many bytes to make free, once; `None` while there is enough.
    pub(super) fn wants_room(&mut self, state: &State) -> Option<u64> {
        let wanted = std::mem::take(&mut self.wants_room) && !self.makes_room;
        self.makes_room |= wanted;
        let floor = self.policy(state).free_disk;
        // A quarter above the floor is what counts as enough again, see the policy.
        let next = next_task(state, &state.standings());
        let next = next.map_or(0, |task| self.growth.rest(state, task));
        wanted.then_some(floor / 4 * 5 + next)
    }

    /// Somebody has made room, or could not.
    pub(super) fn made_room(&mut self) {
        self.makes_room = false;
    }

    fn policy(&self, state: &State) -> Policy {
        let least = FREE_MEMORY.min(self.memory_bytes / 10);
        let free_memory = self.limits.free_memory.unwrap_or(least);
        let asked = state.holds.jobs.unwrap_or(state.spec.jobs).max(1);
        Policy {
            jobs: if state.spec.parallel { asked } else { 1 },
            free_memory,
            least_memory: self.limits.least_memory.unwrap_or(free_memory / 4),
            load: self.limits.load,
            free_disk: least_disk(self.limits.free_disk, self.disk.map_or(0, |disk| disk.total)),
        }
    }

    fn read(&self, state: &State, standings: &Standings) -> Readings {
        let machine = process::system();
        let next = next_task(state, standings);
        let at_work: Vec<usize> = at_work(state).collect();
        let rest = at_work.iter().map(|task| self.growth.rest(state, *task)).sum();
        let running = state.open_attempts().filter(|(id, _)| is_process(state, id)).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Readings {
            free_memory: (machine.memory_bytes > 0).then_some(machine.free_memory),
            load: process::load() / self.cores.max(1.0),
            free_disk: self.disk.map(|disk| disk.free),
            rest_disk: rest,
            next_disk: next.map_or(0, |task| self.growth.rest(state, task)),
            running: count(running),
            tasks: count(at_work.len()),
        }
    }

    /// Worktrees whose size is worth knowing now: of the task whose attempt has ended, and, where room is
    /// tight, of those at work.
    pub(super) fn to_measure(&self, state: &State, ended: &[TaskId]) -> Vec<TaskId> {
        let tight = self.wants_room;
        let tasks = at_work(state).map(|task| &state.spec.tasks[task].id);
        let learned = ended.iter().filter(|task| self.growth.is_worth_learning(state, task));
        let mut out: Vec<TaskId> = if tight { tasks.cloned().collect() } else { Vec::new() };
        out.extend(learned.cloned());
        out.dedup();
        out
    }

    /// A worktree was measured.
    pub(super) fn measured(&mut self, state: &State, task: &TaskId, occupied: u64) {
        self.growth.measured(state, task, occupied);
    }

    /// An attempt that failed because there was no room on the disk: it says nothing against its task and is
    /// ended as interrupted. With `since`, the room may have come back since.
    pub(super) fn lost_to_disk(
        &mut self,
        world: &World,
        state: &State,
        attempt: &AttemptId,
        end: &AttemptEnd,
        since: bool,
    ) -> Option<AttemptEnd> {
        let failure = end.ending.failure().filter(|failure| may_be_disk(failure.class))?;
        let floor = self.policy(state).free_disk;
        let spaces = self.places.iter().filter_map(|place| process::disk_space(place));
        let log = world.layout.attempt(&state.spec.id, attempt);
        // What ends for want of room may make some by that.
        let then = ShimResult::read(&log).ok().flatten().and_then(|result| result.free_disk_bytes);
        let free = spaces.map(|space| space.free).chain(then).min()?;
        let said = says_full(&failure.message)
            || LogReader::last_lines(&log).is_some_and(|text| says_full(&text));
        if free < floor {
            self.full_at = Some(Instant::now());
        }
        // Whoever else ended with it has made room meanwhile.
        let recently = self.full_at.is_some_and(|at| at.elapsed() < RECENTLY);
        if !((said && (since || recently)) || free < floor / 8) {
            return None;
        }
        let lost = self.lost.entry(attempt.task.clone()).or_default();
        *lost += 1;
        if *lost > MOST_LOST {
            return None;
        }
        if let Some(task) = state.position(&attempt.task) {
            let worktree = world.worktree(&state.spec.tasks[task].worktree);
            self.growth.ran_out(state, &attempt.task, room::occupied(&worktree));
        }
        let message = format!(
            "the disk was full ({} free): {}",
            bytes(free),
            failure.message.lines().next().unwrap_or_default()
        );
        let failure = Failure::new(FailureClass::Interrupted, message)
            .suggest("make room; it starts again by itself, or with: orch resume");
        let ending = crate::model::Ending::Failed { failure };
        Some(AttemptEnd { ending, ..end.clone() })
    }
}

/// Tasks that have an attempt under way.
fn at_work(state: &State) -> impl Iterator<Item = usize> {
    (0..state.tasks.len()).filter(|task| state.is_running(*task))
}

/// The first, in plan order, that something may be started of.
fn next_task(state: &State, standings: &Standings) -> Option<usize> {
    (0..state.tasks.len()).find(|task| !state.is_running(*task) && !standings.is_settled(*task))
}

fn is_process(state: &State, id: &AttemptId) -> bool {
    state.step_spec(&id.task, &id.step).is_some_and(|(_, step)| step.kind.is_process())
}

fn name_of(state: &State, task: &TaskId) -> String {
    let position = state.position(task);
    position.map_or_else(|| task.to_string(), |p| state.spec.tasks[p].name.clone())
}

/// The attempt that started last, of those that are not being ended already.
fn newest(state: &State) -> Option<AttemptId> {
    let open =
        state.open_attempts().filter(|(id, a)| a.stopping.is_none() && is_process(state, id));
    open.max_by_key(|(_, attempt)| attempt.started_at).map(|(id, _)| id)
}

/// Whether such a failure can come of a full disk; the others have a reason of their own.
fn may_be_disk(class: FailureClass) -> bool {
    use FailureClass as C;
    matches!(
        class,
        C::Git
            | C::Internal
            | C::Crashed
            | C::NoResult
            | C::NoChanges
            | C::VerifyFailed
            | C::SetupFailed
            | C::BadCommand
    )
}

/// The words of the C library, of `SQLite` and of Node.
fn says_full(text: &str) -> bool {
    let words = ["No space left on device", "disk is full", "ENOSPC", "Disk quota exceeded"];
    words.iter().any(|word| text.contains(word))
}
