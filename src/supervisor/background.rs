//! What may wait: one thread beside the loop, at a low priority, that does one thing at a time.
//!
//! Snapshots of worktrees that agents are at work in, and worktrees made ahead for tasks that wait for
//! the work of others: the engine makes those of tasks that wait only for a free place, and cannot make
//! these, as it does not know yet where they start. From the pool such a worktree takes a rename and what
//! its prerequisites changed.

use super::World;
use super::snapshots::{self, Look, Snapshots};
use crate::engine::State;
use crate::git::{GitError, Looked};
use crate::model::{Event, TaskId};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the thread is asked to do.
enum Errand {
    Look(Look),
    /// One more worktree at this commit, unless there are so many.
    Prepare {
        base: String,
        wanted: usize,
    },
}

/// What came of it.
enum Done {
    Looked {
        task: TaskId,
        result: Result<Looked, GitError>,
        took: Duration,
    },
    /// Whether one was made.
    Prepared(bool),
}

/// See the [module documentation](self).
pub(super) struct Background {
    world: Arc<World>,
    snapshots: Snapshots,
    thread: Option<Thread>,
    at_work: bool,
    /// Tasks that had been started when the pool held enough or would take no more.
    enough_at: Option<usize>,
}

struct Thread {
    errands: Option<Sender<Errand>>,
    done: Receiver<Done>,
    handle: Option<JoinHandle<()>>,
}

impl Background {
    pub(super) fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            snapshots: Snapshots::new(world.snapshots),
            thread: None,
            at_work: false,
            enough_at: None,
        }
    }

    /// Takes in what was done and gives out what is due. Warnings that are to be recorded.
    pub(super) fn tick(&mut self, state: &State) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(done) = self.thread.as_ref().and_then(|thread| thread.done.try_recv().ok()) {
            self.at_work = false;
            match done {
                Done::Looked { task, result, took } => {
                    let told = self.snapshots.done(&task, result, took, Instant::now());
                    events.extend(told.and_then(|text| snapshots::warning(state, &task, text)));
                }
                Done::Prepared(true) => self.enough_at = None,
                Done::Prepared(false) => self.enough_at = Some(started(state)),
            }
        }
        if self.at_work {
            return events;
        }
        let look = self
            .snapshots
            .due(snapshots::live(&self.world, state), Instant::now())
            .map(Errand::Look);
        if let Some(errand) = look.or_else(|| self.preparation(state)) {
            self.send(errand);
        }
        events
    }

    fn preparation(&self, state: &State) -> Option<Errand> {
        if self.enough_at.is_some_and(|at| at == started(state)) {
            return None;
        }
        let wanted = wanted(state);
        (wanted > 0).then(|| Errand::Prepare { base: state.spec.base.clone(), wanted })
    }

    fn send(&mut self, errand: Errand) {
        if self.thread.is_none() {
            self.thread = Thread::start(&self.world);
        }
        let errands = self.thread.as_ref().and_then(|thread| thread.errands.as_ref());
        self.at_work = errands.is_some_and(|errands| errands.send(errand).is_ok());
    }
}

impl Thread {
    /// `None` where no thread can be had: then nothing is done in the background.
    fn start(world: &Arc<World>) -> Option<Self> {
        let world = Arc::clone(world);
        let ((errands, incoming), (outgoing, done)) = (channel(), channel());
        let work = move || {
            crate::process::lower_priority();
            for errand in incoming {
                if outgoing.send(do_one(&world, errand)).is_err() {
                    break;
                }
            }
        };
        let handle = std::thread::Builder::new().name("orch-background".to_owned()).spawn(work);
        let handle = handle.inspect_err(|error| tracing::warn!(%error, "no thread")).ok()?;
        Some(Self { errands: Some(errands), done, handle: Some(handle) })
    }
}

impl Drop for Thread {
    /// What is under way ends first, so that nothing half-made is left.
    fn drop(&mut self) {
        self.errands = None;
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

fn do_one(world: &World, errand: Errand) -> Done {
    match errand {
        Errand::Look(look) => {
            let began = Instant::now();
            let result = look.take(world);
            Done::Looked { task: look.task, result, took: began.elapsed() }
        }
        Errand::Prepare { base, wanted } => {
            let worktrees = &world.worktrees;
            let made = if worktrees.pool_entries().len() < wanted {
                worktrees.prepare(&base, 1).unwrap_or_else(|error| {
                    tracing::warn!(%error, "no worktree was made ahead");
                    0
                })
            } else {
                0
            };
            Done::Prepared(made > 0)
        }
    }
}

/// How many worktrees it is worth to have ready: those of tasks that wait for others' work, as many as can
/// start at once. None while git is at work for a task, or nobody is at work at all.
fn wanted(state: &State) -> usize {
    if state.draining || state.finished.is_some() || state.holds.all() {
        return 0;
    }
    let mut agents = 0;
    for (id, _) in state.open_attempts() {
        match state.step_spec(&id.task, &id.step) {
            Some((_, step)) if step.kind.is_process() => agents += 1,
            _ => return 0,
        }
    }
    if agents == 0 {
        return 0;
    }
    let standings = state.standings();
    let waiting = (0..state.tasks.len()).filter(|task| {
        !state.was_started(*task)
            && !standings.is_settled(*task)
            && !state.waits_for(*task, &standings).is_empty()
    });
    let at_once = if state.spec.parallel { state.jobs() as usize } else { 1 };
    waiting.take(at_once).count()
}

fn started(state: &State) -> usize {
    (0..state.tasks.len()).filter(|task| state.was_started(*task)).count()
}
