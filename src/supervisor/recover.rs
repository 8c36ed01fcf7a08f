//! Taking over what an earlier supervisor left: every recorded intent without an outcome is compared
//! with the world and gets its outcome.

use super::attempt::{self, Job, Observation};
use super::{Ledger, Supervisor, SupervisorError, World, agents, snapshots};
use crate::model::{
    AttemptEnd, AttemptId, Event, Failure, FailureClass, StepKind, StopReason, TaskId, Usage,
};
use crate::process::{self, Adopted, Finished, Recovery, Stop};
use std::sync::Arc;

/// What became of one open attempt.
enum Found {
    /// Its shim lives: it is followed as if this process had started it.
    Alive(Adopted),
    /// It ended, and this is how.
    Ended(Box<AttemptEnd>),
    /// Nothing is left of it but perhaps its log; it starts again.
    Gone(String, Usage),
}

/// The outcomes of all open attempts; those alive are adopted.
pub(super) async fn reconcile(
    supervisor: &mut Supervisor<'_>,
) -> Result<Vec<Event>, SupervisorError> {
    let mut events = Vec::new();
    for (id, found) in examine(&supervisor.world, &supervisor.ledger, None).await? {
        match found {
            Found::Alive(running) => {
                let state = supervisor.ledger.state();
                let stopper = running.stopper();
                if state.attempt(&id).is_some_and(|a| a.stopping.is_some()) {
                    stopper.stop(Stop::Gracefully);
                }
                events.push(Event::AttemptAdopted { attempt: id.clone(), pid: running.pid() });
                supervisor.stoppers.insert(id.clone(), stopper);
                if let Some(job) = Job::of(&supervisor.world, state, &id) {
                    let (world, sender) =
                        (Arc::clone(&supervisor.world), supervisor.sender.clone());
                    tokio::spawn(attempt::follow(world, job, running.wait(), sender));
                }
            }
            Found::Ended(end) => {
                let state = supervisor.ledger.state();
                let world = &supervisor.world;
                // There may be room again by now, which does not make it the task's failure.
                match supervisor.governor.lost_to_disk(world, state, &id, &end, true) {
                    Some(end) => events.extend(lost(id, end)),
                    None => events.extend(outcome(id, Found::Ended(end))),
                }
            }
            found @ Found::Gone(..) => events.extend(outcome(id, found)),
        }
    }
    Ok(events)
}

async fn examine(
    world: &Arc<World>,
    ledger: &Ledger,
    only: Option<&[TaskId]>,
) -> Result<Vec<(AttemptId, Found)>, SupervisorError> {
    let state = ledger.state();
    let open: Vec<AttemptId> = state
        .open_attempts()
        .map(|(id, _)| id)
        .filter(|id| only.is_none_or(|tasks| tasks.contains(&id.task)))
        .collect();
    // All at once: each may have to look through every process of the machine.
    let mut recoveries = std::collections::HashMap::new();
    for id in &open {
        let is_process = |(_, step): (_, &crate::model::StepSpec)| step.kind.is_process();
        if state.step_spec(&id.task, &id.step).is_some_and(is_process)
            && let Some(job) = Job::of(world, state, id)
        {
            let recovered = tokio::task::spawn_blocking(move || process::recover(&job.dir));
            recoveries.insert(id.clone(), recovered);
        }
    }
    let mut out = Vec::new();
    for id in open {
        let Some((_, step)) = state.step_spec(&id.task, &id.step) else { continue };
        if matches!(step.kind, StepKind::BuiltIn { .. }) {
            let why = "the supervisor died while it did this step".to_owned();
            out.push((id, Found::Gone(why, Usage::default())));
            continue;
        }
        let Some(job) = Job::of(world, state, &id) else { continue };
        let Some(recovered) = recoveries.remove(&id) else { continue };
        let used = job.clone();
        let gone = |why: String| Found::Gone(why, agents::used(&used));
        let found = match recovered.await.map_err(|error| panicked(&error))?? {
            Recovery::NeverStarted => gone("the supervisor died before it was started".to_owned()),
            Recovery::Alive(running) => Found::Alive(running),
            Recovery::Lost { survivors_ended: 0 } => gone("it did not survive".to_owned()),
            Recovery::Lost { survivors_ended: 1 } => {
                gone("its shim was gone; 1 process it left behind was ended".to_owned())
            }
            Recovery::Lost { survivors_ended } => gone(format!(
                "its shim was gone; {survivors_ended} processes it left behind were ended"
            )),
            Recovery::Finished(result) => {
                let world = Arc::clone(world);
                let judged = tokio::task::spawn_blocking(move || {
                    let end = attempt::judge(&world, &job, Ok(Finished::Done(result)));
                    snapshots::at_end(&world, &job, &end);
                    end
                });
                let end = judged.await.unwrap_or_else(|panic| {
                    AttemptEnd::failed(Failure::new(FailureClass::Internal, panic.to_string()))
                });
                let stopping = state.attempt(&id).and_then(|a| a.stopping);
                Found::Ended(Box::new(attempt::with_reason(end, stopping)))
            }
        };
        if matches!(found, Found::Gone(..))
            && let Some(job) = Job::of(world, state, &id)
        {
            let world = Arc::clone(world);
            let kept = tokio::task::spawn_blocking(move || snapshots::keep(&world, &job));
            kept.await.map_err(|error| panicked(&error))?;
        }
        out.push((id, found));
    }
    Ok(out)
}

fn panicked(error: &tokio::task::JoinError) -> SupervisorError {
    SupervisorError::Refused(format!("taking over an attempt failed: {error}"))
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
        // An attempt that died with its supervisor says nothing against its task: it is recorded as
        // interrupted on purpose, which starts it again without counting.
        Found::Gone(message, usage) => {
            let failure = Failure::new(FailureClass::Interrupted, message);
            lost(id, AttemptEnd { usage, ..AttemptEnd::failed(failure) })
        }
        Found::Ended(end) => vec![Event::AttemptEnded { attempt: id, end }],
        Found::Alive(_) => Vec::new(),
    }
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
    for (id, found) in examine(world, ledger, Some(&tasks)).await? {
        match found {
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
    let actions = crate::engine::decide(ledger.state(), super::now());
    if let [crate::model::Action::Finish { state }] = actions.as_slice() {
        ledger.record(vec![Event::RunFinished { state: *state }])?;
    }
    Ok(())
}
