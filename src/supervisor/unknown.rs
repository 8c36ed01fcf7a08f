//! Attempts that the journal does not know: it is older than what happened since, as a backup is that was put
//! in its place, or a copy made under a supervisor at work.

use super::rebuild::{Rebuilt, Witness, attempts_in};
use super::{Ledger, SupervisorError, World};
use crate::engine::StepState;
use crate::journal::{Journal, Layout};
use crate::model::{
    AttemptId, BuiltIn, Event, Recorded, RunId, StepKind, TaskId, TaskSpec, Timestamp,
};
use crate::process::{self, ShimSpec, SupervisorLock};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// `runs/RUN/newest`: the event by which the newest attempt was meant to start, as the journal has it. It is
/// written before there is a directory of that attempt, so a journal that has this very event knows all.
fn note(layout: &Layout, run: &RunId) -> PathBuf {
    layout.run(run).join("newest")
}

/// Notes which of these events is the newest that an attempt's directory follows from.
pub(super) fn note_newest(world: &World, ledger: &Ledger, new: &[Recorded]) {
    let state = ledger.state();
    let newest = new.iter().rev().find(|recorded| match &recorded.event {
        Event::AttemptStarting { attempt, .. } => state
            .step_spec(&attempt.task, &attempt.step)
            .is_some_and(|(_, step)| step.kind.is_process()),
        _ => false,
    });
    let Some(text) = newest.and_then(|newest| newest.to_json().ok()) else { return };
    let path = note(&world.layout, &state.spec.id);
    // A full disk takes nothing away but this: without it every directory is looked at.
    // Nothing is cut off from it, which would make the file system write it out at once: it ends with its line.
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    if file.and_then(|mut file| file.write_all(format!("{text}\n").as_bytes())).is_err() {
        let _ = fs::remove_file(path);
    }
}

/// Whether the journal is sure to know every attempt of the run. Reads one small file and one event.
///
/// # Errors
/// The journal cannot be read.
pub fn knows_all(layout: &Layout, journal: &Journal, run: &RunId) -> Result<bool, SupervisorError> {
    let Ok(text) = fs::read_to_string(note(layout, run)) else {
        return Ok(!layout.run(run).is_dir());
    };
    let newest = text.split('\n').next().map(Recorded::from_json);
    let Some(Ok(newest)) = newest else { return Ok(false) };
    Ok(journal.has_event(run, &newest)?)
}

/// Has every directory of the runs in the journal looked at by who takes them up next. After a power failure
/// the notes may be older than what happened.
///
/// # Errors
/// A note cannot be removed; the journal cannot be read.
pub fn doubt_all(layout: &Layout, journal: &Journal) -> Result<(), SupervisorError> {
    for run in journal.runs(u32::MAX)? {
        let path = note(layout, &run.id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(SupervisorError::io(format!("remove {}", path.display()))(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Records the attempts of the run that its journal does not know, so that what ended counts and what lives is
/// adopted; how many there were. For the one supervisor (`_lock` is the proof), before anything is decided.
///
/// # Errors
/// The journal or git refusing.
pub fn take_up(
    world: &Arc<World>,
    _lock: &SupervisorLock,
    ledger: &mut Ledger,
) -> Result<usize, SupervisorError> {
    loop {
        let state = ledger.state();
        if knows_all(&world.layout, ledger.journal(), &state.spec.id)? {
            return Ok(0);
        }
        let found: Vec<(TaskSpec, Vec<Unknown>)> = state
            .spec
            .tasks
            .iter()
            .filter(|task| task.skip.is_none())
            .map(|task| (task.clone(), unknown(world, ledger, task)))
            .filter(|(_, unknown)| !unknown.is_empty())
            .collect();
        let graves = if found.is_empty() { BTreeMap::new() } else { world.graves() };
        let mut told = Rebuilt::default();
        let mut witness = Witness {
            world,
            state: state.clone(),
            history: Vec::new(),
            graves: &graves,
            told: &mut told,
        };
        for (task, unknown) in &found {
            witness.learn(task, unknown)?;
        }
        let history = witness.history;
        if ledger.append(&history)? {
            return Ok(told.attempts);
        }
    }
}

/// An attempt of which there is a directory only.
struct Unknown {
    /// The position of its step.
    step: usize,
    number: u32,
    dir: PathBuf,
    since: Timestamp,
}

/// Attempts of the task with a number above the last that is known of their step, in the order in which
/// they were begun.
fn unknown(world: &World, ledger: &Ledger, task: &TaskSpec) -> Vec<Unknown> {
    let state = ledger.state();
    let Some(position) = state.position(&task.id) else { return Vec::new() };
    let progress = &state.tasks[position];
    if progress.merged.is_some() {
        return Vec::new();
    }
    let mut dirs = attempts_in(&world.layout.task(&state.spec.id, &task.id));
    let mut out = Vec::new();
    for (step, spec) in task.steps.iter().enumerate().filter(|(_, spec)| spec.kind.is_process()) {
        let last = progress.steps[step].attempts.last().map_or(0, |last| last.number);
        let newer = dirs.remove(spec.id.as_str()).unwrap_or_default().split_off(&(last + 1));
        // Before it is claimed no shim was ever started in it, and it is as good as new.
        out.extend(newer.into_iter().filter_map(|(number, dir)| {
            let since = process::claimed_at(&dir)?;
            Some(Unknown { step, number, dir, since })
        }));
    }
    out.sort_by_key(|unknown| (unknown.since, unknown.step, unknown.number));
    out
}

impl Witness<'_> {
    /// What happened to the task since the journal was copied, as far as its attempts tell.
    fn learn(&mut self, task: &TaskSpec, unknown: &[Unknown]) -> Result<(), SupervisorError> {
        let Some(position) = self.state.position(&task.id) else { return Ok(()) };
        let tip = self.world.repo.branch_tip(&task.branch)?;
        let gone = tip.is_none() && !self.world.worktree(&task.worktree).exists();
        let since = unknown.first().map_or(self.state.latest, |first| first.since);
        // There would be none of them, had the earlier ones not ended.
        let open: Vec<AttemptId> = self.state.open_attempts().map(|(id, _)| id).collect();
        for id in open.into_iter().filter(|id| id.task == task.id) {
            let step = task.steps.iter().find(|step| step.id == id.step);
            if let Some(step) = step.filter(|step| step.kind.is_process()) {
                let dir = self.world.layout.attempt(&self.state.spec.id, &id);
                self.attempt(task, step, id.number, &dir, gone, true);
            }
        }
        let progress = &self.state.tasks[position];
        if progress.given_up.is_some() || progress.cancelled || self.is_over(position) {
            // Nobody else makes it go on.
            let tasks = vec![task.id.clone()];
            let snapshots = BTreeMap::<TaskId, String>::new();
            self.add(
                since,
                Event::RetryRequested { tasks, onto: None, snapshots, edited: Vec::new() },
            );
        }
        for (at, attempt) in unknown.iter().enumerate() {
            self.before(task, position, attempt, tip.as_ref());
            let again = unknown[at + 1..].iter().any(|later| later.step <= attempt.step);
            let over = again && !matches!(process::live(&attempt.dir), Ok(Some(_)));
            let step = &task.steps[attempt.step];
            self.attempt(task, step, attempt.number, &attempt.dir, gone, over);
        }
        if gone && !self.state.tasks[position].cleaned && self.is_over(position) {
            self.gone(task);
        }
        Ok(())
    }

    /// What must have been so for the attempt to begin.
    fn before(&mut self, task: &TaskSpec, position: usize, next: &Unknown, tip: Option<&String>) {
        let at = next.since;
        let steps = &self.state.tasks[position].steps;
        let done = steps[next.step].state == StepState::Done;
        if done || steps.iter().any(|step| step.state == StepState::Failed) {
            let step = task.steps[next.step].id.clone();
            let attempt = AttemptId { task: task.id.clone(), step, number: next.number };
            let (agent, session) = (None, None);
            let again =
                Event::RetryScheduled { attempt, not_before: at, agent, keep: false, session };
            self.add(at, again);
        }
        for (index, step) in task.steps[..next.step].iter().enumerate() {
            let now = &self.state.tasks[position].steps[index].state;
            if matches!(now, StepState::Done | StepState::Skipped) {
                continue;
            }
            match &step.kind {
                StepKind::BuiltIn { action: BuiltIn::Branch } => {
                    let spec = ShimSpec::read(&next.dir).ok().flatten();
                    let start = spec.and_then(|spec| spec.env.get("ORCH_BASE").cloned());
                    self.done(task, step, start);
                }
                StepKind::BuiltIn { action: BuiltIn::Commit } => {
                    self.done(task, step, tip.cloned());
                }
                _ => {}
            }
        }
    }
}
