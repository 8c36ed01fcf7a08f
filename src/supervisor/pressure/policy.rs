//! What to do about a reading of the machine. Pure: the same readings lead to the same changes.

use crate::model::{Resource, bytes};
use std::collections::BTreeSet;

/// What the machine has left, and what the run would like of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Readings {
    /// Bytes of memory that programs can still get; `None` where the system does not say.
    pub(super) free_memory: Option<u64>,
    /// Processes that want to run, for each core, on average over a minute.
    pub(super) load: f64,
    /// Free bytes of the fullest of the disks that matter; `None` where the system does not say.
    pub(super) free_disk: Option<u64>,
    /// Bytes that the tasks at work are expected to write yet.
    pub(super) rest_disk: u64,
    /// Bytes that the next task is expected to write.
    pub(super) next_disk: u64,
    /// Attempts that run.
    pub(super) running: u32,
    /// Tasks at work.
    pub(super) tasks: u32,
}

/// From when on there is too little, and how many processes were asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Policy {
    /// Processes at a time when nothing is short.
    pub(super) jobs: u32,
    /// Fewer at a time below this, bytes.
    pub(super) free_memory: u64,
    /// The newest is stopped below this, bytes.
    pub(super) least_memory: u64,
    /// Fewer at a time above this; 0: never.
    pub(super) load: f64,
    /// Stays free, bytes.
    pub(super) free_disk: u64,
}

/// What holds now, and how long it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Current {
    /// The most processes at a time for want of memory or processors.
    limit: Option<u32>,
    /// The most for want of room on disk.
    room: Option<u32>,
    /// The lesser of the two as it was told last.
    told: Option<u32>,
    short: BTreeSet<Resource>,
    /// Readings in a row with too high a load.
    busy: u32,
    /// Readings in a row with room for one more.
    calm: u32,
    /// Readings to come before another attempt is stopped: the memory of the last has to come back first.
    patience: u32,
}

/// Something to be recorded or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// So many processes at a time, or as many as were asked for. `step` says from what to what.
    Limit { limit: Option<u32>, step: String, reason: String },
    /// Nothing new starts.
    Short { resource: Resource, detail: String },
    /// It does again.
    Recovered { resource: Resource },
    /// The newest attempt is ended, to start again later.
    StopNewest,
}

/// A load counts once it has stayed for so many readings: the start of many agents at once is no load.
const BUSY: u32 = 3;

/// As many readings with room come before each step up.
const CALM: u32 = 3;

/// As many readings (of 5 s) come between two attempts that are ended for want of memory.
const PATIENCE: u32 = 3;

/// There is enough again with this many fourths of what counts as short: without a distance between the
/// two, each step would cause the next.
const MEMORY_FOURTHS: u64 = 6;
const DISK_FOURTHS: u64 = 5;
const CALM_LOAD: f64 = 0.75;

fn fourths(of: u64, count: u64) -> u64 {
    of.saturating_mul(count) / 4
}

/// What follows from a reading. Taken at equal intervals: it counts them.
pub(super) fn next(now: &Readings, policy: &Policy, current: &mut Current) -> Vec<Change> {
    let mut changes = Vec::new();
    let why_disk = disk(now, policy, current, &mut changes);
    memory(now, policy, current, &mut changes);
    let why = parallelism(now, policy, current).or(why_disk);
    changes.extend(tell(policy, current, why));
    changes
}

/// What follows for the disk alone, between two readings: a task may start at any time.
pub(super) fn room(now: &Readings, policy: &Policy, current: &mut Current) -> Vec<Change> {
    let mut changes = Vec::new();
    let why = disk(now, policy, current, &mut changes);
    changes.extend(tell(policy, current, why));
    changes
}

fn tell(policy: &Policy, current: &mut Current, why: Option<String>) -> Option<Change> {
    let limit = current.limit.into_iter().chain(current.room).min();
    let before = std::mem::replace(&mut current.told, limit);
    let [from, to] = [before, limit].map(|limit| limit.unwrap_or(policy.jobs));
    let reason = why.filter(|_| to < from).unwrap_or_else(|| "there is enough again".to_owned());
    let step = format!("{to} at a time instead of {from}");
    (limit != before).then_some(Change::Limit { limit, step, reason })
}

/// Below the floor nothing starts. Above it a task starts only where what it and the others are expected
/// to write fits too; those that run go on.
fn disk(
    now: &Readings,
    policy: &Policy,
    current: &mut Current,
    changes: &mut Vec<Change>,
) -> Option<String> {
    let free = now.free_disk?;
    let wanted = now.rest_disk.saturating_add(now.next_disk);
    let needed = policy.free_disk.saturating_add(wanted);
    let distance = fourths(policy.free_disk, DISK_FOURTHS) - policy.free_disk;
    let why = || {
        let expected = if wanted == 0 {
            String::new()
        } else {
            format!("the {} that the work is expected to need and ", bytes(wanted))
        };
        let floor = bytes(policy.free_disk);
        format!("{} free on disk, less than {expected}the {floor} to be kept free", bytes(free))
    };
    let is_short = current.short.contains(&Resource::Disk);
    let fits = free >= needed;
    if !is_short && (free < policy.free_disk || (!fits && now.tasks == 0)) {
        current.short.insert(Resource::Disk);
        changes.push(Change::Short { resource: Resource::Disk, detail: why() });
    } else if is_short
        && free >= policy.free_disk.saturating_add(distance)
        && (now.tasks > 0 || free >= needed.saturating_add(distance))
    {
        current.short.remove(&Resource::Disk);
        changes.push(Change::Recovered { resource: Resource::Disk });
    }
    if fits && (current.room.is_none() || free >= needed.saturating_add(distance)) {
        current.room = None;
    } else if !fits || current.room.is_some() {
        let most = now.tasks.clamp(1, policy.jobs);
        current.room = (most < policy.jobs).then_some(most);
    }
    Some(why())
}

fn memory(now: &Readings, policy: &Policy, current: &mut Current, changes: &mut Vec<Change>) {
    current.patience = current.patience.saturating_sub(1);
    let Some(free) = now.free_memory else { return };
    let is_short = current.short.contains(&Resource::Memory);
    if free < policy.least_memory {
        if !is_short {
            current.short.insert(Resource::Memory);
            let detail = format!(
                "{} of memory free, less than {} (least_memory in [limits])",
                bytes(free),
                bytes(policy.least_memory),
            );
            changes.push(Change::Short { resource: Resource::Memory, detail });
        }
        // The last one is left alone: ending it would only begin the same again.
        if now.running > 1 && current.patience == 0 {
            current.patience = PATIENCE;
            changes.push(Change::StopNewest);
        }
    } else if is_short && free >= policy.free_memory {
        current.short.remove(&Resource::Memory);
        changes.push(Change::Recovered { resource: Resource::Memory });
    }
}

/// One step down or up. Why, where there is one.
fn parallelism(now: &Readings, policy: &Policy, current: &mut Current) -> Option<String> {
    let loaded = policy.load > 0.0 && now.load > policy.load;
    current.busy = if loaded { current.busy.saturating_add(1) } else { 0 };
    let little_memory = now.free_memory.is_some_and(|free| free < policy.free_memory);
    let enough = |free| free >= fourths(policy.free_memory, MEMORY_FOURTHS);
    let calm = now.free_memory.is_none_or(enough)
        && (policy.load <= 0.0 || now.load < policy.load * CALM_LOAD);
    current.calm = if calm { current.calm.saturating_add(1) } else { 0 };
    let limit = current.limit.unwrap_or(policy.jobs).min(policy.jobs);
    if little_memory || current.busy >= BUSY {
        current.busy = 0;
        // From what runs, not from what might: the first step must be felt already.
        let lower = limit.min(now.running.max(1)).saturating_sub(1).max(1);
        current.limit = (lower < policy.jobs).then_some(lower);
        return Some(if little_memory {
            let free = now.free_memory.unwrap_or_default();
            format!("{} of memory free, less than {}", bytes(free), bytes(policy.free_memory))
        } else {
            format!("a load of {:.1} a core, more than {:.1}", now.load, policy.load)
        });
    }
    if current.limit.is_some() && current.calm >= CALM {
        current.calm = 0;
        current.limit = Some(limit.saturating_add(1)).filter(|higher| *higher < policy.jobs);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    const POLICY: Policy =
        Policy { jobs: 4, free_memory: 4 * GIB, least_memory: GIB, load: 2.0, free_disk: 8 * GIB };

    const FINE: Readings = Readings {
        free_memory: Some(64 * GIB),
        load: 0.5,
        free_disk: Some(64 * GIB),
        rest_disk: 0,
        next_disk: 0,
        running: 4,
        tasks: 4,
    };

    fn memory(gib: u64) -> Readings {
        Readings { free_memory: Some(gib * GIB), ..FINE }
    }

    fn load(load: f64) -> Readings {
        Readings { load, ..FINE }
    }

    /// With so many tasks under way, a next one that needs 2 GiB.
    fn disk(gib: u64, tasks: u32) -> Readings {
        Readings { free_disk: Some(gib * GIB), next_disk: 2 * GIB, tasks, ..FINE }
    }

    /// What each reading leads to, in one word a change.
    fn play(readings: &[Readings]) -> Vec<String> {
        let mut current = Current::default();
        readings
            .iter()
            .map(|now| {
                let words = next(now, &POLICY, &mut current).into_iter().map(|c| match c {
                    Change::Limit { limit: Some(limit), .. } => limit.to_string(),
                    Change::Limit { limit: None, .. } => "all".to_owned(),
                    Change::Short { resource, .. } => format!("{resource:?} short"),
                    Change::Recovered { resource } => format!("{resource:?} enough"),
                    Change::StopNewest => "stop".to_owned(),
                });
                words.collect::<Vec<_>>().join(", ")
            })
            .collect()
    }

    #[test]
    fn parallelism_goes_down_step_by_step_and_up_again_later() {
        let (little, between, enough) = (memory(3), memory(5), memory(6));
        let down = [little; 5];
        assert_eq!(play(&down), ["3", "2", "1", "", ""]);
        // Between the two thresholds nothing changes, however long.
        let stays: Vec<Readings> = [little].into_iter().chain([between; 20]).collect();
        assert!(play(&stays)[1..].iter().all(String::is_empty));
        let up: Vec<Readings> = [little, little].into_iter().chain([enough; 9]).collect();
        assert_eq!(play(&up), ["3", "2", "", "", "3", "", "", "all", "", "", ""]);
        // A relapse begins the count anew.
        let relapse = [little, enough, enough, between, enough, enough, enough];
        assert_eq!(play(&relapse), ["3", "", "", "", "", "", "all"]);
    }

    #[test]
    fn the_first_step_counts_from_what_runs() {
        let mut now = memory(3);
        now.running = 2;
        assert_eq!(play(&[now]), ["1"]);
        now.running = 0;
        assert_eq!(play(&[now, now]), ["1", ""]);
    }

    #[test]
    fn only_a_load_that_stays_counts() {
        let (high, between, low) = (load(2.5), load(1.8), load(1.4));
        assert_eq!(play(&[high, high, low, high, high]), [""; 5]);
        assert_eq!(play(&[high, high, high, high, high, high]), ["", "", "3", "", "", "2"]);
        let up = [high, high, high, between, low, low, low];
        assert_eq!(play(&up), ["", "", "3", "", "", "", "all"]);
        let mut never = Policy { load: 0.0, ..POLICY };
        never.jobs = 2;
        let mut current = Current::default();
        for _ in 0..9 {
            assert_eq!(next(&load(1e6), &never, &mut current), []);
        }
    }

    #[test]
    fn only_without_memory_is_an_attempt_ended_and_never_the_last() {
        let none = Readings { free_memory: Some(GIB / 2), ..FINE };
        let found = play(&[none, none, none, none]);
        assert_eq!(found, ["Memory short, stop, 3", "2", "1", "stop"]);
        let last = Readings { running: 1, ..none };
        assert_eq!(play(&[last, last]), ["Memory short, 1", ""]);
        // What recovers is measured with the other threshold.
        assert_eq!(play(&[last, memory(2), memory(4)]), ["Memory short, 1", "", "Memory enough"]);
    }

    #[test]
    fn a_task_starts_only_where_it_fits_above_the_floor() {
        // What runs goes on, and no more is added; when the last has ended, all wait.
        let found = play(&[disk(10, 3), disk(9, 3), disk(9, 2), disk(9, 0), disk(10, 0)]);
        assert_eq!(found, ["", "3", "2", "Disk short, 1", ""]);
        assert_eq!(play(&[disk(9, 0), disk(12, 0)]), ["Disk short, 1", "Disk enough, all"]);
        let rest = Readings { rest_disk: 2 * GIB, ..disk(11, 3) };
        assert_eq!(play(&[rest]), ["3"], "those that run need room too");
    }

    #[test]
    fn below_the_floor_nothing_starts() {
        let none = Readings { next_disk: 0, ..disk(7, 4) };
        let floor = Readings { free_disk: Some(8 * GIB), ..none };
        let above = Readings { free_disk: Some(10 * GIB), ..none };
        assert_eq!(
            play(&[floor, none, none, floor, above]),
            ["", "Disk short", "", "", "Disk enough"]
        );
    }

    #[test]
    fn the_words_say_what_and_why() {
        let mut current = Current::default();
        let short = next(&disk(1, 0), &POLICY, &mut current);
        let [Change::Short { detail, .. }, _] = &short[..] else { panic!("{short:?}") };
        assert_eq!(
            detail,
            "1.0 GiB free on disk, less than the 2.0 GiB that the work is expected to need and the 8.0 GiB \
             to be kept free"
        );
        let limit = next(&memory(3), &POLICY, &mut Current::default());
        let [Change::Limit { step, reason, .. }] = &limit[..] else { panic!("{limit:?}") };
        assert_eq!(step, "3 at a time instead of 4");
        assert_eq!(reason, "3.0 GiB of memory free, less than 4.0 GiB");
    }
}
