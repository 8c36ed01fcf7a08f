//! The thread that looks: at what was touched, soon, but never more than a small part of the time. That is why
//! it has the priority of everybody else: below it, agents that keep every core busy would make it late.

use super::compare::{Comparison, Seen};
use super::parties::{Party, Roll, Work};
use super::touches::{Touched, Touches};
use crate::git::Changes;
use crate::model::OverlapPath;
use crate::supervisor::World;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From the first touch to the look: a program that writes many files has its say, and a person does not
/// notice.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// After a look, so many times what it took is left to everybody else, however much is touched.
const REST: u32 = 10;
/// But no longer than this: what is told must be told within seconds, after a flood of writes too.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// A worktree that is not watched is looked at this often, at most.
const UNWATCHED: Duration = Duration::from_secs(5);
/// And so many times what a look takes is left to others: two hundredths of a core, as for snapshots.
const UNWATCHED_REST: u32 = 50;

/// How often the branch that the work lands on is asked for: one ref is read.
const BRANCH: Duration = Duration::from_secs(2);

/// What two sides, by the positions of their tasks, have both changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) task: usize,
    /// `None`: the branch.
    pub(super) with: Option<usize>,
    pub(super) paths: Vec<OverlapPath>,
    pub(super) path_count: u64,
}

/// What the thread is told.
enum Note {
    Roll(Roll),
    Touched,
    End,
}

/// The thread, from outside.
pub(super) struct Lookout {
    notes: Sender<Note>,
    found: Receiver<(u64, Vec<Found>)>,
    handle: Option<JoinHandle<()>>,
    /// Nobody wants to know any more: what is under way is cut short.
    over: Arc<AtomicBool>,
    /// The kernel would not watch some worktree.
    unheard: Arc<AtomicBool>,
    /// How many rolls it was told, and how many it has answered.
    told: std::cell::Cell<u64>,
}

impl Lookout {
    /// `None` where no thread can be had: then nothing is compared.
    pub(super) fn start(world: &Arc<World>, target: Option<String>) -> Option<Self> {
        let (notes, incoming) = channel();
        let (outgoing, found) = channel();
        let (world, wake) = (Arc::clone(world), notes.clone());
        let over = Arc::new(AtomicBool::new(false));
        let unheard = Arc::new(AtomicBool::new(false));
        let flags = Flags { over: Arc::clone(&over), unheard: Arc::clone(&unheard) };
        let work = move || {
            let place = world.repo.worktrees_dir();
            let touches = Touches::new(place, move || _ = wake.send(Note::Touched));
            Watch::new(world, target, touches, flags).work(&incoming, &outgoing);
        };
        let handle = std::thread::Builder::new().name("orch-overlaps".to_owned()).spawn(work);
        let handle = handle.inspect_err(|error| tracing::warn!(%error, "no thread")).ok()?;
        let told = std::cell::Cell::new(0);
        Some(Self { notes, found, handle: Some(handle), over, unheard, told })
    }

    /// Whether there are worktrees that the kernel will not watch.
    pub(super) fn is_deaf(&self) -> bool {
        self.unheard.load(Ordering::Relaxed)
    }

    pub(super) fn tell(&self, roll: Roll) {
        self.told.set(self.told.get() + 1);
        // A thread that panicked finds nothing any more.
        let _ = self.notes.send(Note::Roll(roll));
    }

    /// What it found last, if that is news and about those it was told of last.
    pub(super) fn heard(&mut self) -> Option<Vec<Found>> {
        let last = self.found.try_iter().last()?;
        (last.0 == self.told.get()).then_some(last.1)
    }

    /// Waits for what it finds among these.
    pub(super) fn ask(&mut self, roll: Roll, most: Duration) -> Option<Vec<Found>> {
        self.tell(roll);
        let until = Instant::now() + most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (roll, found) = self.found.recv_timeout(left).ok()?;
            if roll == self.told.get() {
                return Some(found);
            }
        }
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.notes.send(Note::End);
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

/// What both sides of the thread see.
struct Flags {
    over: Arc<AtomicBool>,
    unheard: Arc<AtomicBool>,
}

/// What is known of a worktree that somebody is at work in.
struct Place {
    party: Party,
    worktree: PathBuf,
    /// Folders that are watched beside those of its start.
    more: Vec<PathBuf>,
    /// The kernel watches it; otherwise the next look is due then.
    unwatched: Option<Instant>,
}

/// The thread, from inside.
struct Watch {
    world: Arc<World>,
    target: Option<String>,
    touches: Touches,
    places: HashMap<usize, Place>,
    sides: BTreeMap<usize, Seen>,
    comparison: Comparison,
    /// Folders of the commits that tasks began at.
    folders: HashMap<String, Arc<Vec<PathBuf>>>,
    tip: Option<String>,
    rolls: u64,
    /// Something was looked at since the last comparison.
    looked: bool,
    flags: Flags,
}

impl Watch {
    fn new(world: Arc<World>, target: Option<String>, touches: Touches, flags: Flags) -> Self {
        Self {
            world,
            target,
            touches,
            places: HashMap::new(),
            sides: BTreeMap::new(),
            comparison: Comparison::default(),
            folders: HashMap::new(),
            tip: None,
            rolls: 0,
            looked: false,
            flags,
        }
    }

    fn work(mut self, notes: &Receiver<Note>, out: &Sender<(u64, Vec<Found>)>) {
        // When touches are looked at; when the branch is.
        let (mut due, mut branch): (Option<Instant>, Instant) = (None, Instant::now());
        let mut rest_until = Instant::now();
        let mut said: Option<(u64, Vec<Found>)> = None;
        loop {
            let now = Instant::now();
            let unwatched = self.places.values().filter_map(|place| place.unwatched).min();
            let branch_due = (!self.places.is_empty()).then_some(branch);
            let next = [due, unwatched, branch_due].into_iter().flatten().min();
            let note = match next {
                None => notes.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(next) => notes.recv_timeout(next.saturating_duration_since(now)),
            };
            match note {
                Ok(Note::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Note::Touched) => {
                    due = Some(due.unwrap_or((Instant::now() + DEBOUNCE).max(rest_until)));
                    continue;
                }
                Ok(Note::Roll(roll)) => {
                    self.rolls += 1;
                    self.call(roll);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let began = Instant::now();
            if due.is_some_and(|due| due <= began) {
                due = None;
                self.look_at_touched();
            }
            self.look_at_unwatched(began);
            if branch <= began {
                branch = began + BRANCH;
                let target = self.target.as_ref();
                let tip = target.and_then(|name| self.world.repo.branch_tip(name).ok().flatten());
                self.looked |= tip != self.tip;
                self.tip = tip;
            }
            if !std::mem::take(&mut self.looked) {
                continue;
            }
            let found = self.comparison.of(&self.world.repo, &self.sides, self.tip.as_deref());
            rest_until = Instant::now() + (began.elapsed() * REST).min(LONGEST_REST);
            let word = (self.rolls, found);
            if said.as_ref() != Some(&word) {
                if out.send(word.clone()).is_err() {
                    return;
                }
                said = Some(word);
            }
        }
    }

    /// Who is there now.
    fn call(&mut self, roll: Roll) {
        self.looked = true;
        let here: BTreeSet<usize> = roll.0.iter().map(|party| party.task).collect();
        let gone: Vec<usize> = self.sides.keys().copied().filter(|t| !here.contains(t)).collect();
        for task in gone {
            self.leave(task);
            self.sides.remove(&task);
        }
        for party in roll.0 {
            if self.flags.over.load(Ordering::Relaxed) {
                return;
            }
            match &party.work {
                Work::Live { worktree, .. } => {
                    let known = self.places.get(&party.task);
                    if known.is_none_or(|place| place.party != party) {
                        let worktree = worktree.clone();
                        self.leave(party.task);
                        self.enter(party, worktree);
                    }
                }
                Work::Done { commit } => {
                    let known = self.sides.get(&party.task).and_then(|seen| seen.commit.as_ref());
                    if known != Some(commit) {
                        self.leave(party.task);
                        let changes = self.world.repo.changes_between(&party.start, commit);
                        let seen = Seen {
                            start: party.start,
                            worktree: None,
                            commit: Some(commit.clone()),
                            changes: changes.unwrap_or_default(),
                        };
                        self.sides.insert(party.task, seen);
                    }
                }
            }
        }
    }

    fn enter(&mut self, party: Party, worktree: PathBuf) {
        let task = party.task;
        let folders = self.folders_of(&party.start);
        // Watched before it is looked at: what is touched in between is seen twice.
        let watched = self.touches.watch(&worktree, &folders);
        let seen = Seen {
            start: party.start.clone(),
            worktree: Some(worktree.clone()),
            commit: None,
            changes: Changes::default(),
        };
        self.sides.insert(task, seen);
        let place = Place { party, worktree, more: Vec::new(), unwatched: None };
        self.places.insert(task, place);
        if !watched {
            self.give_up_watching(task);
        }
        self.look(task, None);
    }

    fn folders_of(&mut self, start: &str) -> Arc<Vec<PathBuf>> {
        if let Some(folders) = self.folders.get(start) {
            return Arc::clone(folders);
        }
        let mut folders = self.world.repo.folders(start).unwrap_or_else(|error| {
            tracing::debug!(%error, "folders");
            vec![PathBuf::new()]
        });
        folders.sort();
        let folders = Arc::new(folders);
        self.folders.insert(start.to_owned(), Arc::clone(&folders));
        folders
    }

    /// No longer watches the worktree of a task.
    fn leave(&mut self, task: usize) {
        let Some(place) = self.places.remove(&task) else { return };
        if place.unwatched.is_none() {
            let folders = self.folders_of(&place.party.start);
            self.touches.forget(&place.worktree, folders.iter().chain(&place.more));
        }
        let start = &place.party.start;
        if self.places.values().all(|other| other.party.start != *start) {
            self.folders.remove(start);
        }
    }

    /// The kernel will not watch all of it: none of it then, and a look now and then.
    fn give_up_watching(&mut self, task: usize) {
        let Some(place) = self.places.get_mut(&task) else { return };
        tracing::debug!(worktree = %place.worktree.display(), "not watched: no watches are left");
        place.unwatched = Some(Instant::now());
        self.flags.unheard.store(true, Ordering::Relaxed);
        let (start, worktree) = (place.party.start.clone(), place.worktree.clone());
        let more = std::mem::take(&mut place.more);
        let folders = self.folders_of(&start);
        self.touches.forget(&worktree, folders.iter().chain(&more));
    }

    fn look_at_touched(&mut self) {
        let (mut touched, all) = self.touches.take();
        let tasks: Vec<usize> = self.places.keys().copied().collect();
        for task in tasks {
            let Some(place) = self.places.get(&task).filter(|place| place.unwatched.is_none())
            else {
                continue;
            };
            let own = place.worktree.file_name().and_then(|name| touched.remove(name));
            match own {
                _ if all => self.look(task, None),
                Some(Touched { all: true, .. }) => self.look(task, None),
                Some(Touched { paths, .. }) => self.look(task, Some(paths)),
                None => {}
            }
        }
    }

    fn look_at_unwatched(&mut self, now: Instant) {
        let due = |place: &&Place| place.unwatched.is_some_and(|at| at <= now);
        let due: Vec<usize> = self.places.values().filter(due).map(|p| p.party.task).collect();
        let began = Instant::now();
        for task in &due {
            self.look(*task, None);
        }
        let next = Instant::now() + UNWATCHED.max(began.elapsed() * UNWATCHED_REST);
        for task in due {
            if let Some(place) = self.places.get_mut(&task) {
                place.unwatched = Some(next);
            }
        }
    }

    /// Looks at what was touched in a worktree; `None`: at everything. Folders that are new are watched, and
    /// looked at again: something may have been written to them before they were.
    fn look(&mut self, task: usize, mut touched: Option<BTreeSet<PathBuf>>) {
        self.looked = true;
        loop {
            if self.flags.over.load(Ordering::Relaxed) {
                return;
            }
            let (Some(place), Some(seen)) = (self.places.get_mut(&task), self.sides.get_mut(&task))
            else {
                return;
            };
            let repo = &self.world.repo;
            let looked =
                repo.look_at(&place.worktree, &seen.start, touched.as_ref(), &mut seen.changes);
            let folders = match looked {
                Ok(folders) => folders,
                Err(error) => {
                    tracing::debug!(%error, "look at a worktree");
                    if !place.worktree.exists() {
                        seen.changes = Changes::default();
                    }
                    return;
                }
            };
            let known: BTreeSet<&PathBuf> = place.more.iter().collect();
            let start = self.folders.get(&seen.start);
            let is_new = |folder: &PathBuf| {
                !known.contains(folder)
                    && start.is_none_or(|start| start.binary_search(folder).is_err())
            };
            // What came back in the place of a folder is another one to the kernel.
            let again: Vec<PathBuf> =
                folders.iter().filter(|folder| !is_new(folder)).cloned().collect();
            let new: Vec<PathBuf> = folders.into_iter().filter(is_new).collect();
            if place.unwatched.is_some() {
                return;
            }
            if !self.touches.watch(&place.worktree, &again)
                || !self.touches.watch(&place.worktree, &new)
            {
                return self.give_up_watching(task);
            }
            if new.is_empty() {
                return;
            }
            place.more.extend(new.iter().cloned());
            touched = Some(new.into_iter().collect());
        }
    }
}
