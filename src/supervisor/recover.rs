//! Taking over what an earlier supervisor left: every recorded intent without an outcome is compared
//! with the world and gets its outcome.

use super::attempt::{self, Job, Observation};
use super::{Ledger, Supervisor, SupervisorError, World, agents, circumstances, snapshots};
use crate::engine::State;
use crate::model::{
    AttemptEnd, AttemptId, Event, Failure, FailureClass, StopReason, TaskId, Usage,
};
use crate::process::{self, Adopted, Finished, Recovery, Stop};
use std::sync::Arc;

/// What became of one open attempt.
pub(super) enum Found {
    /// Its shim lives: it is followed as if this process had started it.
    Alive(Adopted),
    /// It ended, and this is how.
    Ended(Box<AttemptEnd>),
    /// It died with its shim, perhaps of itself: nothing is left of it but its log. It starts again, a few
    /// times.
    Lost(Box<AttemptEnd>),
    /// It had not begun, or was the dead supervisor's own work: it starts again.
    Gone(&'static str),
}

/// An open attempt, as far as finding out what became of it needs to know.
struct Open {
    id: AttemptId,
    /// `None` for what the supervisor does itself.
    job: Option<Job>,
}

fn open(world: &World, state: &State, only: Option<&[TaskId]>) -> Vec<Open> {
    let meant = |id: &AttemptId| only.is_none_or(|tasks| tasks.contains(&id.task));
    let attempts = state.open_attempts().map(|(id, _)| id).filter(meant);
    let open = attempts.filter_map(|id| {
        let (_, step) = state.step_spec(&id.task, &id.step)?;
        let job = if step.kind.is_process() { Some(Job::of(world, state, &id)?) } else { None };
        Some(Open { id, job })
    });
    open.collect()
}

/// Finds out what became of every open attempt, some at a time, as each may have to look through every process
/// of the machine and to keep what is in a worktree; each is told to the loop as it is found, where
/// [`take_over`] is for it. Until then it counts as at work.
pub(super) fn begin(supervisor: &Supervisor<'_>) {
    if let Err(error) = supervisor.world.repo.unlock_snapshots() {
        // No work is lost by it, only what snapshots would have kept.
        tracing::warn!(%error, "snapshots may not be written");
    }
    for open in open(&supervisor.world, supervisor.ledger.state(), None) {
        let (world, sender) = (Arc::clone(&supervisor.world), supervisor.sender.clone());
        let by_itself = open.job.is_none();
        let look = move || {
            let (found, attempt) = (examine(&world, &open), open.id);
            // A closed channel means that the supervisor is ending; the next one looks again.
            let _ = sender.send(Observation::Found { attempt, found });
        };
        if by_itself {
            look();
            continue;
        }
        let turn = Arc::clone(&supervisor.git);
        tokio::spawn(async move {
            // The semaphore is never closed.
            let _permit = turn.acquire_owned().await;
            let _ = tokio::task::spawn_blocking(look).await;
        });
    }
}

/// What is to be recorded of an attempt that was found; one that lives is adopted.
pub(super) fn take_over(
    supervisor: &mut Supervisor<'_>,
    id: AttemptId,
    found: Found,
) -> Vec<Event> {
    let (state, world) = (supervisor.ledger.state(), Arc::clone(&supervisor.world));
    let stopping = state.attempt(&id).and_then(|attempt| attempt.stopping);
    match found {
        Found::Alive(running) => {
            let stopper = running.stopper();
            if let Some(reason) = stopping {
                let at_once = reason == StopReason::OutOfMemory;
                stopper.stop(if at_once { Stop::Now } else { Stop::Gracefully });
            }
            if let Some(job) = Job::of(&world, state, &id) {
                let sender = supervisor.sender.clone();
                let pid = running.pid();
                tokio::spawn(attempt::follow(world, job, running.wait(), sender));
                supervisor.stoppers.insert(id.clone(), stopper);
                return vec![Event::AttemptAdopted { attempt: id, pid }];
            }
            Vec::new()
        }
        Found::Ended(end) => {
            let mut end = Box::new(attempt::with_reason(*end, stopping));
            // There may be room again by now, which does not make it the task's failure.
            if let Some(end) = supervisor.governor.lost_to_disk(&world, state, &id, &end, true) {
                return lost(id, end);
            }
            circumstances::describe_found(&mut end, &world, state, &id);
            outcome(id, Found::Ended(end))
        }
        Found::Lost(end) => {
            let mut end = Box::new(attempt::with_reason(*end, stopping));
            circumstances::describe_found(&mut end, &world, state, &id);
            outcome(id, Found::Lost(end))
        }
        Found::Gone(why) => outcome(id, Found::Gone(why)),
    }
}

/// Blocks, as [`process::recover`] does.
fn examine(world: &World, open: &Open) -> Result<Found, SupervisorError> {
    let Some(job) = &open.job else {
        return Ok(Found::Gone("the supervisor died while it did this step"));
    };
    let survivors = match process::recover(&job.dir)? {
        Recovery::Alive(running) => return Ok(Found::Alive(running)),
        // Found before, by a supervisor that died as well before it was recorded.
        Recovery::Finished(result) if result.lost => Some(0),
        Recovery::Finished(result) => {
            let end = attempt::judge(world, job, Ok(Finished::Done(result)));
            snapshots::at_end(world, job, &end);
            return Ok(Found::Ended(Box::new(end)));
        }
        Recovery::NeverStarted => None,
        Recovery::Lost { survivors_ended } => Some(survivors_ended),
    };
    snapshots::keep(world, job);
    let Some(survivors) = survivors else {
        return Ok(Found::Gone("the supervisor died before it was started"));
    };
    let left = match survivors {
        0 => String::new(),
        1 => "; 1 process it left behind was ended".to_owned(),
        many => format!("; {many} processes it left behind were ended"),
    };
    let why = format!("it died with its shim, and perhaps with the supervisor{left}");
    let failure = Failure::new(FailureClass::Interrupted, why).suggest(
        "it starts again by itself, three times; if that keeps happening, see what it does to the machine: \
         orch logs",
    );
    Ok(Found::Lost(Box::new(AttemptEnd {
        usage: agents::used(job),
        ..AttemptEnd::failed(failure)
    })))
}

/// The end of an attempt that says nothing against its task.
pub(super) fn lost(id: AttemptId, end: AttemptEnd) -> Vec<Event> {
    vec![
        Event::AttemptStopping { attempt: id.clone(), reason: StopReason::Interrupted },
        Event::AttemptEnded { attempt: id, end: Box::new(end) },
    ]
}

fn outcome(id: AttemptId, found: Found) -> Vec<Event> {
    match found {
        Found::Gone(why) => {
            let failure = Failure::new(FailureClass::Interrupted, why);
            lost(id, AttemptEnd { usage: Usage::default(), ..AttemptEnd::failed(failure) })
        }
        Found::Lost(end) | Found::Ended(end) => vec![Event::AttemptEnded { attempt: id, end }],
        Found::Alive(_) => Vec::new(),
    }
}

fn panicked(error: &tokio::task::JoinError) -> SupervisorError {
    SupervisorError::Refused(format!("taking over an attempt failed: {error}"))
}

/// Cancels tasks of a run that no supervisor works on: what still lives of them is stopped and recorded.
/// The caller holds the repository's lock.
///
/// # Errors
/// The journal cannot be written.
pub async fn cancel_without_supervisor(
    world: &Arc<World>,
    ledger: &mut Ledger,
    tasks: Vec<TaskId>,
) -> Result<(), SupervisorError> {
    ledger.record(vec![Event::CancelRequested { tasks: tasks.clone() }])?;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut alive = 0;
    let looks = open(world, ledger.state(), Some(&tasks)).into_iter().map(|open| {
        let (world, id) = (Arc::clone(world), open.id.clone());
        (id, tokio::task::spawn_blocking(move || examine(&world, &open)))
    });
    for (id, look) in looks.collect::<Vec<_>>() {
        match look.await.map_err(|error| panicked(&error))?? {
            Found::Alive(running) => {
                let attempt = id.clone();
                let reason = StopReason::Cancelled;
                ledger.record(vec![Event::AttemptStopping { attempt, reason }])?;
                running.stop(Stop::Gracefully);
                if let Some(job) = Job::of(world, ledger.state(), &id) {
                    alive += 1;
                    let sender = sender.clone();
                    tokio::spawn(attempt::follow(Arc::clone(world), job, running.wait(), sender));
                }
            }
            // With the task cancelled, it does not count against it that nobody saw it die.
            Found::Lost(end) => {
                ledger.record(lost(id, *end))?;
            }
            found => {
                ledger.record(outcome(id, found))?;
            }
        }
    }
    while alive > 0 {
        match receiver.recv().await {
            Some(Observation::Ended { attempt, end }) => {
                alive -= 1;
                let stopping = ledger.state().attempt(&attempt).and_then(|a| a.stopping);
                let end = Box::new(attempt::with_reason(*end, stopping));
                ledger.record(vec![Event::AttemptEnded { attempt, end }])?;
            }
            Some(_) => {}
            None => break,
        }
    }
    // Nobody may come after: a worktree that the dead supervisor was making ahead goes as well.
    world.worktrees.sweep_once();
    let actions = crate::engine::decide(ledger.state(), super::now());
    if let [crate::model::Action::Finish { state }] = actions.as_slice() {
        ledger.record(vec![Event::RunFinished { state: *state }])?;
    }
    Ok(())
}
