//! A run's journal and its folded state, kept in step.

use super::SupervisorError;
use super::clock::{self, now};
use super::crash::CrashPoint;
use crate::engine::{Standing, State};
use crate::journal::{Journal, Projection};
use crate::model::{Event, Recorded, RunId, RunSpec, TaskState, TaskView};
use std::collections::HashSet;

/// The journal of a run with its state. Every change goes through [`Ledger::record`].
#[derive(Debug)]
pub struct Ledger {
    journal: Journal,
    state: State,
    /// What the projections of the tasks say, to write only what changed.
    shown: Vec<Shown>,
    version: i64,
    crash: CrashPoint,
}

impl Ledger {
    /// Records a new run.
    ///
    /// # Errors
    /// The journal refuses.
    pub fn create(journal: Journal, spec: RunSpec) -> Result<Self, SupervisorError> {
        let event = Event::RunCreated { spec: Box::new(spec) };
        Self::import(journal, &[Recorded { seq: 1, at: now(), event }])
    }

    /// Records a run with a history, as one step.
    ///
    /// # Errors
    /// The journal refuses, or has the run already.
    pub(super) fn import(
        mut journal: Journal,
        batch: &[Recorded],
    ) -> Result<Self, SupervisorError> {
        let state = State::replay(batch)
            .ok_or_else(|| SupervisorError::NoHistory("to be recorded".to_owned()))?;
        let run = state.spec.id.clone();
        let standings = state.standings();
        let tasks: Vec<(usize, TaskView)> =
            (0..state.tasks.len()).map(|t| (t, state.task_view(t, &standings))).collect();
        let shown = shown(&state);
        let projection = Projection { run: &state.run_view(), tasks: &tasks };
        let exists = || SupervisorError::Refused(format!("run {run} exists already"));
        let crash = CrashPoint::from_environment();
        crash.before(batch);
        journal.turn(&run, 0)?.ok_or_else(exists)?.commit(batch, &projection, true)?;
        crash.after(batch);
        let version = journal.data_version()?;
        Ok(Self { journal, state, shown, version, crash })
    }

    /// Folds the stored history of a run.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn open(journal: Journal, run: &RunId) -> Result<Self, SupervisorError> {
        let version = journal.data_version()?;
        let state = replay(&journal, run)?;
        clock::not_before(state.latest);
        let mut shown = shown(&state);
        // What an earlier version concluded from the same events may be something else.
        for (task, stored) in journal.task_states(run)? {
            if let Some((state, _)) = shown.get_mut(task) {
                *state = stored;
            }
        }
        Ok(Self { journal, state, shown, version, crash: CrashPoint::from_environment() })
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The journal, for reading.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Waits until the journal was looked through for damage, where that was left for later.
    ///
    /// # Errors
    /// As [`Journal::finish_check`].
    pub fn finish_check(&mut self) -> Result<(), SupervisorError> {
        Ok(self.journal.finish_check()?)
    }

    /// Events that other processes appended since the last look, folded into the state.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn catch_up(&mut self) -> Result<Vec<Recorded>, SupervisorError> {
        let version = self.journal.data_version()?;
        if version == self.version {
            return Ok(Vec::new());
        }
        self.version = version;
        let new = self.journal.events_after(&self.state.spec.id, self.state.seq)?;
        fold(&mut self.state, &mut self.shown, &new);
        Ok(new)
    }

    /// Makes facts durable and folds them into the state. Returns everything that is new, events of
    /// other processes included. When there are such, a [`Event::RunFinished`] is left out: the run may
    /// not be over any more, and the caller decides again.
    ///
    /// # Errors
    /// The journal refuses. The state is then folded anew from what the journal has.
    pub fn record(&mut self, events: Vec<Event>) -> Result<Vec<Recorded>, SupervisorError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        self.record_then(events, |_| Vec::new())
    }

    /// Appends what happened earlier, at times of its own and numbered from the newest event on. Returns
    /// whether it did: where another process has appended meanwhile that is folded in, and nothing else.
    ///
    /// # Errors
    /// As [`Ledger::record`].
    pub(super) fn append(&mut self, batch: &[Recorded]) -> Result<bool, SupervisorError> {
        if batch.is_empty() {
            return Ok(true);
        }
        let run = self.state.spec.id.clone();
        let Some(turn) = self.journal.turn(&run, self.state.seq)? else {
            let new = self.journal.events_after(&run, self.state.seq)?;
            fold(&mut self.state, &mut self.shown, &new);
            return Ok(false);
        };
        for recorded in batch {
            self.state.apply(recorded);
        }
        let changed = changed(&self.state, &mut self.shown, batch);
        let projection = Projection { run: &self.state.run_view(), tasks: &changed };
        self.crash.before(batch);
        turn.commit(batch, &projection, true)?;
        self.crash.after(batch);
        Ok(true)
    }

    /// As [`Ledger::record`], together with what follows from it: `then` is asked, on the state with
    /// the events folded in, for more events until it has none. One durable step in all.
    ///
    /// # Errors
    /// As [`Ledger::record`].
    pub fn record_then(
        &mut self,
        mut events: Vec<Event>,
        mut then: impl FnMut(&State) -> Vec<Event>,
    ) -> Result<Vec<Recorded>, SupervisorError> {
        let at = now();
        let run = self.state.spec.id.clone();
        let mut others = Vec::new();
        let turn = loop {
            if let Some(turn) = self.journal.turn(&run, self.state.seq)? {
                break turn;
            }
            // Borrowed anew each time round: the turn was not given, so the journal is free to read.
            let new = self.journal.events_after(&run, self.state.seq)?;
            fold(&mut self.state, &mut self.shown, &new);
            others.extend(new);
            // That a run is over was decided without what others wrote meanwhile, such as a retry.
            events.retain(|event| !matches!(event, Event::RunFinished { .. }));
        };
        let mut batch: Vec<Recorded> = Vec::new();
        let mut next = if events.is_empty() { then(&self.state) } else { events };
        while !next.is_empty() {
            for event in next {
                let recorded = Recorded { seq: self.state.seq + 1, at, event };
                self.state.apply(&recorded);
                batch.push(recorded);
            }
            next = then(&self.state);
        }
        if batch.is_empty() {
            return Ok(others);
        }
        let changed = changed(&self.state, &mut self.shown, &batch);
        let projection = Projection { run: &self.state.run_view(), tasks: &changed };
        let durable = batch.iter().any(|recorded| recorded.event.must_be_durable());
        self.crash.before(&batch);
        if let Err(error) = turn.commit(&batch, &projection, durable) {
            self.state = replay(&self.journal, &run)?;
            self.shown = shown(&self.state);
            return Err(error.into());
        }
        self.crash.after(&batch);
        others.extend(batch);
        Ok(others)
    }
}

/// What the view of a task depends on beside its own events.
type Shown = (TaskState, Standing);

/// The state that the journal tells of.
fn replay(journal: &Journal, run: &RunId) -> Result<State, SupervisorError> {
    let (mut first, mut state) = (true, None::<State>);
    journal.each_event_after(run, 0, |recorded| match &mut state {
        Some(state) => state.apply(&recorded),
        None if std::mem::take(&mut first) => state = State::begin(recorded),
        None => {}
    })?;
    state.ok_or_else(|| SupervisorError::NoHistory(run.to_string()))
}

fn fold(state: &mut State, known: &mut Vec<Shown>, new: &[Recorded]) {
    for recorded in new {
        state.apply(recorded);
    }
    if !new.is_empty() {
        *known = shown(state);
    }
}

fn shown(state: &State) -> Vec<Shown> {
    let standings = state.standings();
    let shown = |task| (state.task_state(task, &standings), standings.of(task));
    (0..state.tasks.len()).map(shown).collect()
}

/// Views of the tasks that the events name, and of those whose state follows from theirs.
fn changed(state: &State, shown: &mut [Shown], batch: &[Recorded]) -> Vec<(usize, TaskView)> {
    let standings = state.standings();
    let named: HashSet<usize> = batch
        .iter()
        .flat_map(|recorded| recorded.event.tasks())
        .filter_map(|task| state.position(task))
        .collect();
    let mut out = Vec::new();
    for (task, shown) in shown.iter_mut().enumerate() {
        let now = (state.task_state(task, &standings), standings.of(task));
        let waits_for_named = || {
            let before = &state.spec.tasks[task].depends_on;
            before.iter().any(|d| state.position(&d.task).is_some_and(|b| named.contains(&b)))
        };
        let blocked = now.0 == TaskState::Blocked && waits_for_named();
        if named.contains(&task) || *shown != now || blocked {
            *shown = now;
            out.push((task, state.task_view(task, &standings)));
        }
    }
    out
}

#[cfg(test)]
mod tests;
