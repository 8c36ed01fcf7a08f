//! A journal made anew from what a damaged one still says and from what lies beside it: the record of each
//! run, the attempts' directories, branches and worktrees.
//!
//! Never guesses that something was done: what cannot be told is left to be done again, except that a task
//! whose branch and worktree are gone has landed, because nothing else removes them.

use super::attempt::{self, Job};
use super::record::RunRecord;
use super::{Ledger, SupervisorError, World, clock};
use crate::engine::{self, State, StepState};
use crate::journal::{Journal, JournalError, Layout};
use crate::model::{
    Action, AttemptEnd, AttemptId, BuiltIn, Ending, Event, Failure, FailureClass, Recorded, RunId,
    StepKind, StepSpec, StopReason, TaskSpec, Timestamp,
};
use crate::process::{Finished, ShimResult, ShimSpec};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What became of a damaged journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// What was wrong with it.
    pub damage: String,
    /// Where it is kept.
    pub kept: Option<PathBuf>,
    /// Runs, with the number of events that were still readable.
    pub runs: Vec<(RunId, usize)>,
    /// Attempts that are known again from their directories.
    pub attempts: usize,
    /// Tasks that are taken as landed, because neither branch nor worktree is left.
    pub landed: Vec<String>,
    /// Runs of which only directories are left, and no record of what they were.
    pub unknown: Vec<String>,
}

impl World {
    /// The journal, for the one supervisor at work (`_lock` is the proof). One that is damaged is set aside
    /// and made anew from what can be told; what could be is said.
    ///
    /// # Errors
    /// As [`Journal::open`]; a journal that could not be made anew stays where it is.
    pub fn take_journal(
        self: &Arc<Self>,
        _lock: &crate::process::SupervisorLock,
    ) -> Result<(Journal, Option<Rebuilt>), SupervisorError> {
        self.take_opened(Journal::open_sound)
    }

    /// As [`World::take_journal`], for who reads it first: what is damaged may be told only by
    /// [`Journal::finish_check`], and [`World::rebuild_journal`] is for that.
    ///
    /// # Errors
    /// As there.
    pub fn take_journal_unchecked(
        self: &Arc<Self>,
        _lock: &crate::process::SupervisorLock,
    ) -> Result<(Journal, Option<Rebuilt>), SupervisorError> {
        self.take_opened(Journal::open_checking)
    }

    fn take_opened(
        self: &Arc<Self>,
        open: fn(&Path) -> Result<Journal, JournalError>,
    ) -> Result<(Journal, Option<Rebuilt>), SupervisorError> {
        let path = self.layout.journal();
        let opened = open(&path).and_then(|journal| {
            // Read here, as it is shown later: whatever damage there is must be met now.
            let runs: Vec<RunId> = journal.runs(u32::MAX)?.into_iter().map(|run| run.id).collect();
            Ok((journal, runs))
        });
        let damage = match opened {
            Ok((journal, runs)) if !runs.is_empty() || !has_run(&self.layout) => {
                let told = import_unknown(self, &runs)?;
                // Opened anew, where there is more in it by now.
                return Ok((if told.is_some() { open(&path)? } else { journal }, told));
            }
            // Its log was lost, and with it all there was; or the file itself.
            Ok(_) => {
                format!("journal {} knows no run, though there are results of some", path.display())
            }
            Err(error) if error.is_damage() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        let rebuilt = rebuild(self, &damage)?;
        Ok((self.journal()?, Some(rebuilt)))
    }

    /// As [`World::take_journal`], for damage that was found while reading.
    ///
    /// # Errors
    /// As there.
    pub fn rebuild_journal(
        self: &Arc<Self>,
        _lock: &crate::process::SupervisorLock,
        damage: &impl std::fmt::Display,
    ) -> Result<(Journal, Rebuilt), SupervisorError> {
        let rebuilt = rebuild(self, &damage.to_string())?;
        Ok((self.journal()?, rebuilt))
    }
}

impl World {
    /// Where the work of tasks is kept that was thrown away, by the ids of the tasks.
    pub(super) fn graves(&self) -> BTreeMap<String, String> {
        let graves = self.repo.graveyard_list().unwrap_or_default();
        graves.into_iter().map(|grave| (grave.task, grave.refname)).collect()
    }
}

/// Whether a run has left attempts.
#[must_use]
pub fn has_run(layout: &Layout) -> bool {
    directories(&layout.dir().join("runs")).iter().any(|run| {
        RunRecord::read(run).is_some()
            && directories(run).iter().any(|task| !attempts_in(task).is_empty())
    })
}

fn rebuild(world: &Arc<World>, damage: &str) -> Result<Rebuilt, SupervisorError> {
    let path = world.layout.journal();
    let mut told = Rebuilt { damage: damage.to_owned(), ..Rebuilt::default() };
    let mut runs: BTreeMap<RunId, Vec<Recorded>> = BTreeMap::new();
    for history in Journal::salvage(&path) {
        if let Some(Recorded { event: Event::RunCreated { spec }, .. }) = history.first() {
            told.runs.push((spec.id.clone(), history.len()));
            runs.insert(spec.id.clone(), history);
        }
    }
    for dir in directories(&world.layout.dir().join("runs")) {
        let name = name_of(&dir);
        if runs.contains_key(&RunId(name.clone())) {
            continue;
        }
        let Some(record) = RunRecord::read(&dir) else {
            told.unknown.push(name);
            continue;
        };
        let event = Event::RunCreated { spec: Box::new(record.spec) };
        told.runs.push((RunId(name.clone()), 0));
        runs.insert(RunId(name), vec![Recorded { seq: 1, at: record.created_at, event }]);
    }
    let mut histories: Vec<Vec<Recorded>> = runs.into_values().collect();
    histories.sort_by_key(|history| history.first().map(|first| first.at));
    let graves = world.graves();
    told.kept = Journal::rebuild(&path, clock::now(), |new| -> Result<(), SupervisorError> {
        for history in histories {
            if let Some(mut witness) = Witness::new(world, history, &graves, &mut told) {
                witness.complete()?;
                Ledger::import(Journal::open(new)?, &witness.history)?;
            }
        }
        Ok(())
    })?;
    Ok(told)
}

/// Records the runs that an older journal does not know, each made anew from its record and its attempts.
fn import_unknown(world: &Arc<World>, known: &[RunId]) -> Result<Option<Rebuilt>, SupervisorError> {
    let path = world.layout.journal();
    let damage = format!("journal {} is older than runs of which there is work", path.display());
    let mut told = Rebuilt { damage, ..Rebuilt::default() };
    for dir in directories(&world.layout.dir().join("runs")) {
        let id = RunId(name_of(&dir));
        let attempted = || directories(&dir).iter().any(|task| !attempts_in(task).is_empty());
        if known.contains(&id) || !attempted() {
            continue;
        }
        // One that was forgotten has none.
        let Some(record) = RunRecord::read(&dir) else { continue };
        let event = Event::RunCreated { spec: Box::new(record.spec) };
        let history = vec![Recorded { seq: 1, at: record.created_at, event }];
        told.runs.push((id, 0));
        if let Some(mut witness) = Witness::new(world, history, &world.graves(), &mut told) {
            witness.complete()?;
            Ledger::import(Journal::open(&path)?, &witness.history)?;
        }
    }
    Ok((!told.runs.is_empty()).then_some(told))
}

/// One run: what is known of it, completed by what there is.
pub(super) struct Witness<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) state: State,
    /// What is told of it, of which `state` is the sum.
    pub(super) history: Vec<Recorded>,
    pub(super) graves: &'a BTreeMap<String, String>,
    pub(super) told: &'a mut Rebuilt,
}

impl<'a> Witness<'a> {
    fn new(
        world: &'a Arc<World>,
        history: Vec<Recorded>,
        graves: &'a BTreeMap<String, String>,
        told: &'a mut Rebuilt,
    ) -> Option<Self> {
        let state = State::replay(&history)?;
        Some(Self { world, state, history, graves, told })
    }

    pub(super) fn add(&mut self, at: Timestamp, event: Event) {
        let recorded = Recorded { seq: self.state.seq + 1, at, event };
        self.state.apply(&recorded);
        self.history.push(recorded);
    }

    fn complete(&mut self) -> Result<(), SupervisorError> {
        for task in self.state.spec.tasks.clone() {
            if task.skip.is_none() {
                self.task(&task)?;
            }
        }
        if let [Action::Finish { state }] = engine::decide(&self.state, clock::now()).as_slice() {
            self.add(clock::now(), Event::RunFinished { state: *state });
        }
        Ok(())
    }

    fn task(&mut self, task: &TaskSpec) -> Result<(), SupervisorError> {
        let Some(position) = self.state.position(&task.id) else { return Ok(()) };
        let dir = self.world.layout.task(&self.state.spec.id, &task.id);
        let attempts = attempts_in(&dir);
        let branch = self.world.repo.branch_tip(&task.branch)?;
        let gone = branch.is_none() && !self.world.worktree(&task.worktree).exists();
        for (index, step) in task.steps.iter().enumerate() {
            let later = task.steps[index..].iter().any(|s| attempts.contains_key(s.id.as_str()));
            let step_state = self.state.tasks[position].steps[index].state.clone();
            let open = !matches!(step_state, StepState::Done | StepState::Skipped);
            match &step.kind {
                StepKind::BuiltIn { action: BuiltIn::Branch } if open && later => {
                    let Some(start) = start_of(&attempts) else { return Ok(()) };
                    self.done(task, step, Some(start));
                }
                StepKind::BuiltIn { action: BuiltIn::Commit } if open && (later || gone) => {
                    let succeeded =
                        attempts.contains_key("implement") && self.is_ready(position, index);
                    if !succeeded {
                        return Ok(());
                    }
                    self.done(task, step, branch.clone());
                }
                StepKind::BuiltIn { .. } => {}
                _ => {
                    for (number, dir) in attempts.get(step.id.as_str()).into_iter().flatten() {
                        let next = dir.with_file_name(format!("{}.{}", step.id, number + 1));
                        self.attempt(task, step, *number, dir, gone, next.is_dir());
                    }
                }
            }
        }
        let progress = &self.state.tasks[position];
        if gone && !attempts.is_empty() && !progress.cleaned && self.is_over(position) {
            self.gone(task);
        }
        Ok(())
    }

    /// The processes before the step at `index` have succeeded.
    fn is_ready(&self, position: usize, index: usize) -> bool {
        let specs = self.state.spec.tasks[position].steps[..index].iter();
        specs.zip(&self.state.tasks[position].steps).all(|(spec, step)| {
            spec.skip.is_some() || matches!(step.state, StepState::Done | StepState::Skipped)
        })
    }

    /// Nothing of the task is left to do.
    pub(super) fn is_over(&self, position: usize) -> bool {
        self.is_ready(position, self.state.spec.tasks[position].steps.len())
    }

    pub(super) fn done(&mut self, task: &TaskSpec, step: &StepSpec, commit: Option<String>) {
        let (task, step) = (task.id.clone(), step.id.clone());
        let known = self.state.position(&task).and_then(|position| {
            let index = self.state.spec.tasks[position].steps.iter().position(|s| s.id == step)?;
            self.state.tasks[position].steps[index].attempts.last()
        });
        // The one that is under way, or else another.
        let number = known.map_or(1, |last| last.number + u32::from(last.ended.is_some()));
        let attempt = AttemptId { task, step, number };
        let at = self.history.last().map_or(self.state.latest, |last| last.at);
        let mut end = AttemptEnd::of(Ending::Succeeded);
        end.commit = commit;
        if self.state.attempt(&attempt).is_none() {
            self.add(at, Event::AttemptStarting { attempt: attempt.clone(), agent: None });
        }
        self.add(at, Event::AttemptEnded { attempt, end: Box::new(end) });
    }

    /// An attempt that reported is judged anew; one that did not is left open, for whoever goes on to look
    /// after, unless it is `over` all the same: then it was lost.
    pub(super) fn attempt(
        &mut self,
        task: &TaskSpec,
        step: &StepSpec,
        number: u32,
        dir: &Path,
        gone: bool,
        over: bool,
    ) {
        let attempt = AttemptId { task: task.id.clone(), step: step.id.clone(), number };
        if self.state.attempt(&attempt).is_some_and(|known| known.ended.is_some()) {
            return;
        }
        let result = ShimResult::read(dir).ok().flatten();
        let at = result.as_ref().map_or_else(clock::now, |result| result.started_at);
        if self.state.attempt(&attempt).is_none() {
            self.told.attempts += 1;
            self.add(at, Event::AttemptStarting { attempt: attempt.clone(), agent: None });
        }
        if let Some(result) = result {
            let at = result.finished_at;
            let end = if gone && result.exit.code == Some(0) {
                AttemptEnd { exit: Some(result.exit), ..AttemptEnd::of(Ending::Succeeded) }
            } else if let Some(job) = Job::of(self.world, &self.state, &attempt) {
                attempt::judge(self.world, &job, Ok(Finished::Done(result)))
            } else {
                return;
            };
            self.add(at, Event::AttemptEnded { attempt, end: Box::new(end) });
        } else if over {
            let failure = Failure::new(FailureClass::Interrupted, "nothing is known of its end");
            let reason = StopReason::Interrupted;
            self.add(at, Event::AttemptStopping { attempt: attempt.clone(), reason });
            let end = Box::new(AttemptEnd::failed(failure));
            self.add(at, Event::AttemptEnded { attempt, end });
        }
    }

    pub(super) fn gone(&mut self, task: &TaskSpec) {
        let at = clock::now();
        let graveyard = self.graves.get(task.id.as_str()).cloned();
        if graveyard.is_none() {
            self.told.landed.push(task.name.clone());
            let into = self.state.spec.target.clone().unwrap_or_else(|| "HEAD".to_owned());
            let commit =
                self.world.repo.resolve(&into).unwrap_or_else(|_| self.state.spec.base.clone());
            self.add(at, Event::TaskMerged { task: task.id.clone(), into, commit, head: None });
        }
        self.add(at, Event::TaskCleaned { task: task.id.clone(), graveyard });
    }
}

/// The attempts' directories of a task: by step, in the order of their numbers.
pub(super) fn attempts_in(dir: &Path) -> BTreeMap<String, BTreeMap<u32, PathBuf>> {
    let mut out: BTreeMap<String, BTreeMap<u32, PathBuf>> = BTreeMap::new();
    for dir in directories(dir) {
        let name = name_of(&dir);
        let Some((step, number)) = name.rsplit_once('.') else { continue };
        let Ok(number) = number.parse() else { continue };
        out.entry(step.to_owned()).or_default().insert(number, dir);
    }
    out
}

/// The commit that the task's branch started from, as its first attempt was told.
fn start_of(attempts: &BTreeMap<String, BTreeMap<u32, PathBuf>>) -> Option<String> {
    let dirs = attempts.values().flat_map(BTreeMap::values);
    dirs.filter_map(|dir| ShimSpec::read(dir).ok().flatten())
        .find_map(|spec| spec.env.get("ORCH_BASE").cloned())
}

fn directories(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut out: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    out.sort();
    out
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
