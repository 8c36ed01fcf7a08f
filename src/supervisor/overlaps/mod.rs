//! Files that two tasks, or a task and the branch it lands on, have both changed: found while they run.
//!
//! A thread of its own (`lookout`) is told whose work is compared ([`parties`]), hears of touched files from
//! the kernel (`touches`), keeps what each side changed, and merges in memory what meets (`compare`). What it
//! finds is held against what the journal says, and a difference becomes an event: so a supervisor that takes
//! over tells nothing twice and forgets nothing.

mod compare;
mod lookout;
mod parties;
mod touches;

use super::World;
use super::clock;
use crate::engine::State;
use crate::model::{Event, OverlapPath, RunState};
use lookout::{Found, Lookout};
use parties::Parties;
use std::sync::Arc;
use std::time::Duration;

/// An overlap that only grows is told of again after this time: an agent that works its way through a hundred
/// files is one piece of news, not a hundred.
const NEWS: Duration = Duration::from_secs(10);

/// At the end of a run, what was not compared yet may take this long.
const LAST: Duration = Duration::from_secs(2);

/// Said where watches ran out.
const UNWATCHED: &str = "the kernel watches no more folders: some worktrees are looked at every few seconds instead, and \
                         overlaps are found later; more watches: sysctl fs.inotify.max_user_watches";

/// See the [module documentation](self).
pub(super) struct Overlaps {
    world: Arc<World>,
    lookout: Option<Lookout>,
    parties: Parties,
    /// The last word of the lookout, if it has spoken since it was told of the parties.
    found: Option<Vec<Found>>,
    /// The state differs from it: some of it is told later.
    waits: bool,
    /// It was said that worktrees are not watched.
    is_told: bool,
}

impl Overlaps {
    pub(super) fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            lookout: None,
            parties: Parties::default(),
            found: None,
            waits: false,
            is_told: false,
        }
    }

    /// What a person should know of the watching, once.
    pub(super) fn notice(&mut self) -> Option<&'static str> {
        let is_deaf = self.lookout.as_ref().is_some_and(Lookout::is_deaf);
        if !is_deaf || self.is_told {
            return None;
        }
        self.is_told = true;
        Some(UNWATCHED)
    }

    /// Tells the lookout who is at work, and what it found that is to be recorded.
    pub(super) fn tick(&mut self, state: &State) -> Vec<Event> {
        if let Some(now) = self.parties.news(&self.world, state, false)
            && (self.lookout.is_some() || now.are_worth_a_thread())
        {
            if self.lookout.is_none() {
                self.lookout = Lookout::start(&self.world, state.spec.target.clone());
            }
            if let Some(lookout) = &self.lookout {
                lookout.tell(now);
            }
        }
        let news = self.lookout.as_mut().and_then(Lookout::heard);
        if news.is_none() && !self.waits {
            return Vec::new();
        }
        self.found = news.or(self.found.take());
        self.events(state, false)
    }

    /// What was found by the time the run is over.
    pub(super) fn last_look(&mut self, state: &State) -> Vec<Event> {
        // Who was interrupted goes on later.
        if matches!(state.finished, Some((RunState::Interrupted, _))) {
            return Vec::new();
        }
        let now = self.parties.news(&self.world, state, true).unwrap_or_default();
        if now.0.is_empty() {
            self.found = Some(Vec::new());
            return self.events(state, true);
        }
        if self.lookout.is_none() {
            self.lookout = Lookout::start(&self.world, state.spec.target.clone());
        }
        let Some(lookout) = &mut self.lookout else { return Vec::new() };
        self.found = lookout.ask(now, LAST).or(self.found.take());
        self.events(state, true)
    }

    /// The difference between what was found and what is recorded.
    fn events(&mut self, state: &State, last: bool) -> Vec<Event> {
        self.waits = false;
        let Some(found) = &self.found else { return Vec::new() };
        let id = |position: usize| state.spec.tasks[position].id.clone();
        let now = clock::now();
        let mut events = Vec::new();
        for Found { task, with, paths, path_count } in found {
            if let Some(known) = state.overlaps.get(&(*task, *with)) {
                let same = known.paths == *paths && known.path_count == *path_count;
                let conflicts = |paths: &[OverlapPath]| paths.iter().any(|path| path.conflict);
                let grew = conflicts(&known.paths) == conflicts(paths);
                if same || (grew && !last && now.since(known.since) < NEWS) {
                    self.waits |= !same;
                    continue;
                }
            }
            events.push(Event::OverlapFound {
                task: id(*task),
                with: with.map(id),
                paths: paths.clone(),
                path_count: *path_count,
            });
        }
        for &(task, with) in state.overlaps.keys() {
            let stays = found.iter().any(|f| (f.task, f.with) == (task, with));
            let landed = |task: usize| state.tasks[task].merged.is_some();
            if !stays && !landed(task) && !with.is_some_and(landed) {
                events.push(Event::OverlapGone { task: id(task), with: with.map(id) });
            }
        }
        events
    }
}
