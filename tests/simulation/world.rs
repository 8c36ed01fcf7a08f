//! The world and the supervisor in it. The supervisor does what `supervisor/run.rs` does and takes over
//! as `supervisor/recover.rs` does; processes outlive it, built-in steps die with it.

use crate::case::AGENTS;
use crate::case::Case;
use crate::rules::{Books, no_wait_that_never_ends, replay_equals_live, through_the_journal};
use crate::script::Script;
use crate::tally::Tally;
use orch::engine::{State, decide, next_wakeup};
use orch::model::{
    Action, AttemptEnd, AttemptId, Ending, Event, Exit, Failure, FailureClass, Recorded, RunState,
    StepKind, StopReason, TaskId, Timestamp,
};
use std::collections::BTreeMap;

/// Far more than any schedule needs.
const MAX_EVENTS: usize = 6_000;

/// Of so many cases, one writes its journal out as text.
const WRITTEN: usize = 4;

/// A process, or a built-in step, under way.
pub struct Work {
    ends_at: i64,
    end: AttemptEnd,
    /// For one that meets a limit: how long after its end that lifts.
    limited_for: Option<i64>,
    pub told_to_stop: bool,
    pub announced: bool,
}

pub struct World<'a> {
    pub script: Script<'a>,
    pub now: i64,
    pub state: State,
    /// The journal as a reader has it.
    read: Vec<Recorded>,
    /// Whether that goes through its text, which is slow.
    written: bool,
    books: Books,
    journal: Vec<Recorded>,
    pub work: BTreeMap<AttemptId, Work>,
    pub tally: Tally,
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
        read: Vec::new(),
        written: case.script.len().is_multiple_of(WRITTEN),
        state,
        books: Books::new(spec.clone()),
        journal: Vec::new(),
        work: BTreeMap::new(),
        tally: Tally::default(),
    };
    let outcome = world.record(Event::RunCreated { spec: Box::new(spec) });
    let outcome = outcome.and_then(|()| world.live());
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
                    self.die()?;
                    if self.script.one_in(6) {
                        self.cancel_without_supervisor()?;
                    }
                    continue;
                }
                Err(Stop::Broken(why)) => return Err(why),
            }
            self.die()?;
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
                        let standings = self.state.standings();
                        let over = (0..self.state.tasks.len()).any(|task| {
                            let view = self.state.task_view(task, &standings);
                            view.error.is_some_and(|e| e.class == FailureClass::Budget)
                        });
                        if over {
                            self.tally.count("over budget");
                        }
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
    fn die(&mut self) -> Result<(), String> {
        replay_equals_live(&self.read, &self.state, Timestamp(self.now))?;
        let mut work = std::mem::take(&mut self.work);
        work.retain(|id, _| self.is_process(id));
        self.work = work;
        self.books.raced = false;
        Ok(())
    }

    fn is_process(&self, id: &AttemptId) -> bool {
        self.state.step_spec(&id.task, &id.step).is_some_and(|(_, s)| s.kind.is_process())
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
            no_wait_that_never_ends(&self.books, &self.state, Timestamp(self.now))?;
            self.crash_perhaps()?;
            match self.script.below(16) {
                15 => self.cancel()?,
                14 => self.retry()?,
                13 => {
                    self.tally.count("drain");
                    self.record(Event::DrainRequested)?;
                }
                12 if self.script.one_in(2) => self.kill()?,
                11 => self.weather()?,
                10 if self.script.one_in(2) => self.overlap()?,
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
                match self.script.below(3) {
                    0 => self.retry()?,
                    1 => self.cancel()?,
                    _ => self.weather()?,
                }
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
            Action::Start { attempt, agent } => {
                if self.books.was_paused(&attempt) {
                    self.tally.count("went on after another");
                }
                if agent.is_some() {
                    self.tally.count("fell back");
                }
                Event::AttemptStarting { attempt, agent }
            }
            Action::Stop { attempt, reason } => {
                if reason == StopReason::Overlap {
                    self.tally.count("paused for another");
                }
                Event::AttemptStopping { attempt, reason }
            }
            Action::Finish { state } => Event::RunFinished { state },
            Action::ScheduleRetry { attempt, not_before, agent, keep, session } => {
                self.tally.count("retried");
                if session.is_some() {
                    self.tally.count("went on with a session");
                }
                let delay = [1, 10, 1_000, 100_000][self.script.below(4)];
                let not_before = match not_before {
                    // With a little jitter, as the supervisor draws it.
                    Some(known) => Timestamp(known.0.max(self.now) + delay % 7),
                    None => Timestamp(self.now + delay),
                };
                Event::RetryScheduled { attempt, not_before, agent, keep, session }
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start { attempt, .. } => self.start(attempt),
            Action::Stop { attempt, .. } => self.tell_to_stop(&attempt),
            Action::ScheduleRetry { .. } | Action::Finish { .. } => {}
        }
    }

    fn start(&mut self, id: AttemptId) {
        let Some((task, step)) = self.state.step_spec(&id.task, &id.step) else { return };
        let (is_process, is_agent) = (step.kind.is_process(), step.kind == StepKind::Agent);
        let by = self.state.attempt(&id).and_then(|a| a.beginning.agent.clone());
        let by = by.unwrap_or_else(|| task.agent.clone());
        let mut takes = [1, 5, 50, 500][self.script.below(4)];
        let mut limited_for = None;
        let ending = match self.script.below(12) {
            0..=5 => Ending::Succeeded,
            // It hangs until its time limit.
            6 if is_process => {
                takes = 10_000;
                failed(if self.script.one_in(2) {
                    FailureClass::Idle
                } else {
                    FailureClass::Timeout
                })
            }
            7 if is_process => {
                self.tally.count("lost");
                failed(FailureClass::Interrupted)
            }
            8 if is_agent => {
                self.tally.count("met a limit");
                limited_for = Some([5, 500, 20_000][self.script.below(3)]);
                failed(if self.script.one_in(4) {
                    FailureClass::Quota
                } else {
                    FailureClass::RateLimited
                })
            }
            9 if is_agent => {
                self.tally.count("lied about a limit");
                limited_for = Some(-1);
                failed(FailureClass::RateLimited)
            }
            10 if is_agent => {
                self.tally.count("misconfigured");
                failed(
                    [
                        FailureClass::Overloaded,
                        FailureClass::Crashed,
                        FailureClass::Auth,
                        FailureClass::BadCommand,
                    ][self.script.below(4)],
                )
            }
            _ => failed(CLASSES[self.script.below(CLASSES.len())]),
        };
        let mut end = AttemptEnd::of(ending);
        if is_agent {
            // cat never says what it cost, and has no sessions to speak of.
            let price = AGENTS
                .iter()
                .position(|name| *name == by)
                .and_then(|n| [Some(0.25), Some(1.0), None][n]);
            end.usage.cost_usd = price.filter(|_| takes > 1);
            end.usage.session = price.map(|_| format!("session of {id}"));
            end.exit = Some(Exit::default()).filter(|_| takes > 5);
        }
        let work = Work {
            ends_at: self.now + takes,
            end,
            limited_for,
            told_to_stop: false,
            announced: !is_process,
        };
        self.work.insert(id, work);
    }

    pub fn tell_to_stop(&mut self, id: &AttemptId) {
        let stubborn = self.script.one_in(4);
        if let Some(work) = self.work.get_mut(id).filter(|w| w.announced && !w.told_to_stop) {
            work.told_to_stop = true;
            work.ends_at = work.ends_at.min(self.now + 3);
            // One that ends by itself at that moment keeps its own ending.
            if !stubborn {
                work.end.ending = failed(FailureClass::Cancelled);
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
            _ if self.relent()? => self.tally.count("relented"),
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
        let work = self.work.remove(id);
        let limited_for = work.as_ref().and_then(|work| work.limited_for);
        let mut end = work.map_or_else(|| AttemptEnd::of(Ending::Succeeded), |work| work.end);
        let stopping = self.state.attempt(id).and_then(|a| a.stopping);
        if let Ending::Failed { failure } = &mut end.ending {
            failure.retry_at = limited_for.map(|time| Timestamp(self.now + time));
            if let Some(reason) = stopping
                && matches!(failure.class, FailureClass::Cancelled | FailureClass::Interrupted)
            {
                failure.class = match reason {
                    StopReason::Cancelled => FailureClass::Cancelled,
                    _ => FailureClass::Interrupted,
                };
            }
        }
        Box::new(end)
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
                _ if self.is_process(&id) && self.script.one_in(2) => self.lost_too(id)?,
                _ => self.gone(id)?,
            }
        }
        Ok(())
    }

    /// It died with the supervisor, having begun: that counts.
    fn lost_too(&mut self, id: AttemptId) -> Result<(), String> {
        self.tally.count("lost with the supervisor");
        self.work.remove(&id);
        let end = Box::new(AttemptEnd::of(failed(FailureClass::Interrupted)));
        self.record(Event::AttemptEnded { attempt: id, end })
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
        self.record(Event::RetryRequested {
            tasks,
            onto: None,
            snapshots: BTreeMap::new(),
            edited: Vec::new(),
        })
    }

    /// A second Ctrl-C.
    fn kill(&mut self) -> Result<(), String> {
        self.tally.count("kill");
        self.record(Event::DrainRequested)?;
        let alive = self.work.iter().filter(|(_, w)| w.announced && !w.told_to_stop);
        let alive: Vec<AttemptId> = alive.map(|(id, _)| id.clone()).collect();
        for id in alive {
            if self.is_process(&id) && self.state.attempt(&id).is_some_and(|a| a.stopping.is_none())
            {
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

    pub fn record(&mut self, event: Event) -> Result<(), String> {
        if self.journal.len() >= MAX_EVENTS {
            return Err(format!("no end after {MAX_EVENTS} events"));
        }
        let seq = self.journal.len() as u64 + 1;
        let recorded = Recorded { seq, at: Timestamp(self.now), event };
        let written = self.written.then(|| through_the_journal(&recorded)).transpose()?;
        self.read.push(written.unwrap_or_else(|| recorded.clone()));
        self.journal.push(recorded.clone());
        self.books.enter(&recorded.event, recorded.at)?;
        self.state.apply(&recorded);
        self.books.check(&self.state, Timestamp(self.now))
    }
}

/// An event in a few words.
fn line(recorded: &Recorded) -> String {
    let (at, event) = (recorded.at.0, &recorded.event);
    match event {
        Event::AttemptStarting { attempt, agent } => {
            let by = agent.as_ref().map_or(String::new(), |agent| format!(" by {agent}"));
            format!("{at:>7} starting {attempt}{by}")
        }
        Event::AttemptStarted { attempt, .. } => format!("{at:>7} started {attempt}"),
        Event::AttemptAdopted { attempt, .. } => format!("{at:>7} adopted {attempt}"),
        Event::AttemptStopping { attempt, reason } => {
            format!("{at:>7} stopping {attempt}: {reason:?}")
        }
        Event::AttemptEnded { attempt, end } => match &end.ending {
            Ending::Succeeded => format!("{at:>7} ended {attempt}: well"),
            Ending::Failed { failure } => {
                let lifts = failure.retry_at.map_or(String::new(), |at| format!(" until {}", at.0));
                format!("{at:>7} ended {attempt}: {}{lifts}", failure.class)
            }
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
