//! The world and the supervisor in it. The supervisor does what `supervisor/run.rs` does and takes over
//! as `supervisor/recover.rs` does; processes outlive it, built-in steps die with it.

use crate::case::Case;
use crate::rules::{Books, through_the_journal};
use crate::script::Script;
use orch::engine::{State, decide, next_wakeup};
use orch::model::{
    Action, AttemptEnd, AttemptId, Ending, Event, Failure, FailureClass, Recorded, RunState,
    StopReason, TaskId, Timestamp,
};
use std::collections::BTreeMap;

/// Far more than any schedule needs.
const MAX_EVENTS: usize = 6_000;

/// A process, or a built-in step, under way.
struct Work {
    ends_at: i64,
    ending: Ending,
    told_to_stop: bool,
    announced: bool,
}

struct World<'a> {
    script: Script<'a>,
    now: i64,
    state: State,
    /// The same state as a reader of the journal has it.
    replica: State,
    books: Books,
    journal: Vec<Recorded>,
    work: BTreeMap<AttemptId, Work>,
    tally: Tally,
}

/// How often what happened.
pub struct Tally(pub BTreeMap<&'static str, u32>);

impl Default for Tally {
    fn default() -> Self {
        let corners = [
            "crash",
            "adopted",
            "ended unseen",
            "gone",
            "cancel",
            "retry",
            "drain",
            "kill",
            "lost",
            "race",
            "retried",
            "waited",
            "succeeded",
            "failed",
            "cancelled",
            "interrupted",
        ];
        Self(corners.into_iter().map(|corner| (corner, 0)).collect())
    }
}

impl Tally {
    fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }
}

/// Why the supervisor stopped in the middle of something.
enum Stop {
    /// It was killed.
    Crashed,
    /// A rule was broken.
    Broken(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Broken(why)
    }
}

/// Plays a case to its end. The error says which rule was broken, with the journal.
pub fn play(case: &Case) -> Result<Tally, String> {
    let spec = case.spec();
    let state = State::new(spec.clone(), Timestamp(0));
    let mut world = World {
        script: Script::new(&case.script),
        now: 0,
        replica: state.clone(),
        state,
        books: Books::new(spec.clone()),
        journal: Vec::new(),
        work: BTreeMap::new(),
        tally: Tally::default(),
    };
    let outcome = world.record(Event::RunCreated { spec: Box::new(spec) });
    let outcome = outcome.and_then(|()| world.live());
    let outcome = outcome.and_then(|()| match State::replay(&world.journal) {
        Some(replayed) if replayed == world.state => Ok(()),
        _ => Err("the whole journal replays to another state".to_owned()),
    });
    outcome.map(|()| world.tally).map_err(|why| {
        let lines = world.journal.iter().skip(1).map(line);
        format!("{why}\n{}", lines.collect::<Vec<_>>().join("\n"))
    })
}

impl World<'_> {
    /// Supervisors come and go until the run is over and nobody wants more of it.
    fn live(&mut self) -> Result<(), String> {
        loop {
            match self.supervise() {
                Ok(()) => {}
                Err(Stop::Crashed) => {
                    self.tally.count("crash");
                    self.die();
                    if self.script.one_in(6) {
                        self.cancel_without_supervisor()?;
                    }
                    continue;
                }
                Err(Stop::Broken(why)) => return Err(why),
            }
            self.die();
            match self.state.finished {
                None => return Err("the supervisor left a run that is not finished".to_owned()),
                Some((RunState::Interrupted, _)) => {
                    self.tally.count("interrupted");
                    if self.script.one_in(6) {
                        self.cancel_without_supervisor()?;
                    }
                }
                Some((state, _)) => {
                    if self.script.is_over() || !self.script.one_in(2) {
                        self.tally.count(match state {
                            RunState::Succeeded => "succeeded",
                            RunState::Cancelled => "cancelled",
                            _ => "failed",
                        });
                        return Ok(());
                    }
                    self.retry()?;
                }
            }
        }
    }

    /// The supervisor is gone: what was its own goes with it, processes stay.
    fn die(&mut self) {
        let state = &self.state;
        let is_process = |id: &AttemptId| {
            state.step_spec(&id.task, &id.step).is_some_and(|(_, s)| s.kind.is_process())
        };
        self.work.retain(|id, _| is_process(id));
        self.books.raced = false;
    }

    fn supervise(&mut self) -> Result<(), Stop> {
        self.record(Event::SupervisorStarted { pid: 1 })?;
        self.reconcile()?;
        loop {
            self.act()?;
            if self.state.finished.is_some() {
                return Ok(());
            }
            self.books.check_rest(&self.state, Timestamp(self.now))?;
            self.crash_perhaps()?;
            match self.script.below(16) {
                15 => self.cancel()?,
                14 => self.retry()?,
                13 => {
                    self.tally.count("drain");
                    self.record(Event::DrainRequested)?;
                }
                12 if self.script.one_in(2) => self.kill()?,
                _ => self.observe()?,
            }
        }
    }

    fn crash_perhaps(&mut self) -> Result<(), Stop> {
        if self.script.one_in(60) { Err(Stop::Crashed) } else { Ok(()) }
    }

    fn act(&mut self) -> Result<(), Stop> {
        for _ in 0..MAX_EVENTS {
            let actions = decide(&self.state, Timestamp(self.now));
            if actions.is_empty() {
                return Ok(());
            }
            // Another process may write before the intents are on the disk.
            let raced = self.script.one_in(40);
            if raced {
                self.tally.count("race");
                if self.script.one_in(2) { self.cancel()? } else { self.retry()? }
            }
            self.books.raced |= raced;
            for action in &actions {
                // As the ledger does it: the end of a run is decided on all that is known, or not.
                if !(raced && matches!(action, Action::Finish { .. })) {
                    let intent = self.intent(action);
                    self.record(intent)?;
                }
                self.crash_perhaps()?;
            }
            for action in actions {
                self.perform(action);
                self.crash_perhaps()?;
            }
            if raced && self.books.is_quiet() {
                self.books.raced = false;
            }
        }
        Err(Stop::Broken("the engine never has enough".to_owned()))
    }

    fn intent(&mut self, action: &Action) -> Event {
        match action.clone() {
            Action::Skip { task, step, reason } => Event::StepSkipped { task, step, reason },
            Action::Start { attempt, agent } => Event::AttemptStarting { attempt, agent },
            Action::Stop { attempt, reason } => Event::AttemptStopping { attempt, reason },
            Action::Finish { state } => Event::RunFinished { state },
            Action::ScheduleRetry { attempt, .. } => {
                self.tally.count("retried");
                let delay = [1, 10, 1_000, 100_000][self.script.below(4)];
                let not_before = Timestamp(self.now + delay);
                Event::RetryScheduled {
                    attempt,
                    not_before,
                    agent: None,
                    keep: false,
                    session: None,
                }
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start { attempt, .. } => self.start(attempt),
            Action::Stop { attempt, .. } => self.tell_to_stop(&attempt),
            Action::Skip { .. } | Action::ScheduleRetry { .. } | Action::Finish { .. } => {}
        }
    }

    fn start(&mut self, id: AttemptId) {
        let kind = self.state.step_spec(&id.task, &id.step).map(|(_, s)| s.kind.clone());
        let is_process = kind.is_some_and(|k| k.is_process());
        let takes = [1, 5, 50, 500][self.script.below(4)];
        let (takes, ending) = match self.script.below(8) {
            0..=4 => (takes, Ending::Succeeded),
            // It hangs until its time limit.
            5 if is_process => (10_000, failed(FailureClass::Timeout)),
            6 if is_process => {
                self.tally.count("lost");
                (takes, failed(FailureClass::Interrupted))
            }
            _ => (takes, failed(CLASSES[self.script.below(CLASSES.len())])),
        };
        let work =
            Work { ends_at: self.now + takes, ending, told_to_stop: false, announced: !is_process };
        self.work.insert(id, work);
    }

    fn tell_to_stop(&mut self, id: &AttemptId) {
        let stubborn = self.script.one_in(4);
        if let Some(work) = self.work.get_mut(id).filter(|w| w.announced && !w.told_to_stop) {
            work.told_to_stop = true;
            work.ends_at = work.ends_at.min(self.now + 3);
            // One that ends by itself at that moment keeps its own ending.
            if !stubborn {
                work.ending = failed(FailureClass::Cancelled);
            }
        }
    }

    /// The next thing that happens in the world, or time passing until the engine wants something.
    fn observe(&mut self) -> Result<(), Stop> {
        if let Some(id) = self.work.iter().find(|(_, w)| !w.announced).map(|(id, _)| id.clone())
            && !self.script.one_in(5)
        {
            self.record(Event::AttemptStarted { attempt: id.clone(), pid: 7 })?;
            self.announced(&id);
            return Ok(());
        }
        let first = self.work.iter().min_by_key(|(_, w)| w.ends_at);
        let ends = first.map(|(id, work)| (work.ends_at, id.clone()));
        let wakes = next_wakeup(&self.state, Timestamp(self.now)).map(|at| at.0);
        match (ends, wakes) {
            (Some((at, id)), wakes) if wakes.is_none_or(|wakes| at <= wakes) => {
                self.now = self.now.max(at);
                let end = self.end_of(&id);
                self.record(Event::AttemptEnded { attempt: id, end })?;
            }
            (_, Some(wakes)) => {
                self.tally.count("waited");
                self.now = wakes;
            }
            _ => {
                return Err(Stop::Broken(
                    "stuck: nothing is under way and nothing is decided".into(),
                ));
            }
        }
        Ok(())
    }

    fn announced(&mut self, id: &AttemptId) {
        let Some(work) = self.work.get_mut(id) else { return };
        work.announced = true;
        if self.state.attempt(id).is_some_and(|a| a.stopping.is_some()) {
            self.tell_to_stop(id);
        }
    }

    /// Takes the work out of the world and says how it ended, as the supervisor judges it.
    fn end_of(&mut self, id: &AttemptId) -> Box<AttemptEnd> {
        let mut ending = self.work.remove(id).map_or(Ending::Succeeded, |work| work.ending);
        let stopping = self.state.attempt(id).and_then(|a| a.stopping);
        if let (Some(reason), Ending::Failed { failure }) = (stopping, &mut ending)
            && matches!(failure.class, FailureClass::Cancelled | FailureClass::Interrupted)
        {
            failure.class = match reason {
                StopReason::Cancelled => FailureClass::Cancelled,
                _ => FailureClass::Interrupted,
            };
        }
        Box::new(AttemptEnd::of(ending))
    }

    /// Compares every intent without an outcome with the world.
    fn reconcile(&mut self) -> Result<(), Stop> {
        let open: Vec<AttemptId> = self.state.open_attempts().map(|(id, _)| id).collect();
        for id in open {
            self.crash_perhaps()?;
            match self.work.get(&id).map(|w| w.ends_at) {
                Some(at) if at > self.now && !self.script.one_in(3) => {
                    self.tally.count("adopted");
                    self.record(Event::AttemptAdopted { attempt: id.clone(), pid: 7 })?;
                    self.announced(&id);
                }
                Some(at) if !self.script.one_in(3) => {
                    self.tally.count("ended unseen");
                    self.now = self.now.max(at);
                    let end = self.end_of(&id);
                    self.record(Event::AttemptEnded { attempt: id, end })?;
                }
                _ => self.gone(id)?,
            }
        }
        Ok(())
    }

    fn gone(&mut self, id: AttemptId) -> Result<(), String> {
        self.tally.count("gone");
        self.work.remove(&id);
        let end = Box::new(AttemptEnd::of(failed(FailureClass::Interrupted)));
        let reason = StopReason::Interrupted;
        self.record(Event::AttemptStopping { attempt: id.clone(), reason })?;
        self.record(Event::AttemptEnded { attempt: id, end })
    }

    fn cancel_without_supervisor(&mut self) -> Result<(), String> {
        let tasks = self.some_tasks();
        self.record(Event::CancelRequested { tasks: tasks.clone() })?;
        let open: Vec<AttemptId> = self.state.open_attempts().map(|(id, _)| id).collect();
        for id in open.into_iter().filter(|id| tasks.contains(&id.task)) {
            if self.work.contains_key(&id) {
                let reason = StopReason::Cancelled;
                self.record(Event::AttemptStopping { attempt: id.clone(), reason })?;
                self.announced(&id);
                let end = self.end_of(&id);
                self.record(Event::AttemptEnded { attempt: id, end })?;
            } else {
                self.gone(id)?;
            }
        }
        if let [Action::Finish { state }] = decide(&self.state, Timestamp(self.now)).as_slice() {
            self.record(Event::RunFinished { state: *state })?;
        }
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), String> {
        self.tally.count("cancel");
        let tasks = self.some_tasks();
        self.record(Event::CancelRequested { tasks })
    }

    fn retry(&mut self) -> Result<(), String> {
        self.tally.count("retry");
        let tasks = self.some_tasks();
        self.record(Event::RetryRequested { tasks, onto: None, snapshots: BTreeMap::new() })
    }

    /// A second Ctrl-C.
    fn kill(&mut self) -> Result<(), String> {
        self.tally.count("kill");
        self.record(Event::DrainRequested)?;
        let alive = self.work.iter().filter(|(_, w)| w.announced && !w.told_to_stop);
        let alive: Vec<AttemptId> = alive.map(|(id, _)| id.clone()).collect();
        for id in alive {
            let is_process =
                self.state.step_spec(&id.task, &id.step).is_some_and(|(_, s)| s.kind.is_process());
            if is_process && self.state.attempt(&id).is_some_and(|a| a.stopping.is_none()) {
                let reason = StopReason::Interrupted;
                self.record(Event::AttemptStopping { attempt: id.clone(), reason })?;
                self.tell_to_stop(&id);
            }
        }
        Ok(())
    }

    fn some_tasks(&mut self) -> Vec<TaskId> {
        let tasks: Vec<TaskId> = self.state.spec.tasks.iter().map(|t| t.id.clone()).collect();
        let from = self.script.below(tasks.len());
        let until = if self.script.one_in(3) { tasks.len() } else { from + 1 };
        tasks[from..until].to_vec()
    }

    fn record(&mut self, event: Event) -> Result<(), String> {
        if self.journal.len() >= MAX_EVENTS {
            return Err(format!("no end after {MAX_EVENTS} events"));
        }
        let seq = self.journal.len() as u64 + 1;
        let recorded = Recorded { seq, at: Timestamp(self.now), event };
        let read = through_the_journal(&recorded)?;
        self.journal.push(recorded.clone());
        self.books.enter(&recorded.event)?;
        self.state.apply(&recorded);
        self.replica.apply(&read);
        self.books.check(&self.state, &self.replica, Timestamp(self.now))
    }
}

/// An event in a few words.
fn line(recorded: &Recorded) -> String {
    let (at, event) = (recorded.at.0, &recorded.event);
    match event {
        Event::AttemptStarting { attempt, .. } => format!("{at:>7} starting {attempt}"),
        Event::AttemptStarted { attempt, .. } => format!("{at:>7} started {attempt}"),
        Event::AttemptAdopted { attempt, .. } => format!("{at:>7} adopted {attempt}"),
        Event::AttemptStopping { attempt, reason } => {
            format!("{at:>7} stopping {attempt}: {reason:?}")
        }
        Event::AttemptEnded { attempt, end } => match &end.ending {
            Ending::Succeeded => format!("{at:>7} ended {attempt}: well"),
            Ending::Failed { failure } => format!("{at:>7} ended {attempt}: {}", failure.class),
        },
        Event::RetryScheduled { attempt, not_before, .. } => {
            format!("{at:>7} again {attempt} at {}", not_before.0)
        }
        other => format!("{at:>7} {other:?}"),
    }
}

fn failed(class: FailureClass) -> Ending {
    Ending::Failed { failure: Failure::new(class, "scripted") }
}

/// Every class that a process or a built-in step may end with by itself.
const CLASSES: [FailureClass; 21] = [
    FailureClass::Crashed,
    FailureClass::Auth,
    FailureClass::RateLimited,
    FailureClass::Overloaded,
    FailureClass::Quota,
    FailureClass::ContextTooLong,
    FailureClass::MaxTurns,
    FailureClass::PermissionDenied,
    FailureClass::Refused,
    FailureClass::BadCommand,
    FailureClass::Killed,
    FailureClass::NoResult,
    FailureClass::NoChanges,
    FailureClass::VerifyFailed,
    FailureClass::SetupFailed,
    FailureClass::Timeout,
    FailureClass::Idle,
    FailureClass::Conflict,
    FailureClass::EscapedWorktree,
    FailureClass::Git,
    FailureClass::Internal,
];
