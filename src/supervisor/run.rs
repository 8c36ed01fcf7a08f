//! The loop: decide, record the intents, act, observe, record the outcomes, again.

use super::attempt::{self, Observation};
use super::background::Background;
use super::escape::Watch;
use super::overlaps::Overlaps;
use super::pressure::{self, Governor};
use super::shared_limits::SharedLimits;
use super::{
    Ledger, SupervisorError, World, builtin, circumstances, clock, delay, recover, unknown,
};
use crate::engine::{self, State};
use crate::model::{
    Action, AttemptEnd, AttemptId, Ending, Event, Failure, Recorded, RunState, StepKind,
    StopReason, TaskId, Timestamp, Usage,
};
use crate::process::{Interrupt, Signals, Stop, Stopper};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// How often the journal is looked at for what other processes wrote (a cancel, a retry). One pragma.
const LOOK: Duration = Duration::from_millis(250);

/// Git operations at a time. Each checkout uses two threads of its own.
const GIT_AT_ONCE: usize = 3;

/// What an attempt is doing right now. Not journalled: it is only for the eye.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// One line: the agent's last action or words.
    pub last: Option<String>,
    /// What it used so far.
    pub usage: Usage,
}

/// Told of everything that happens, as it happens.
pub trait Observer {
    /// Facts, after they were recorded.
    fn recorded(&mut self, state: &State, events: &[Recorded]);
    /// What an attempt is doing.
    fn progress(&mut self, attempt: &AttemptId, progress: Progress);
    /// Time passes: a live view may redraw.
    fn tick(&mut self, state: &State);
    /// Something a person should know that belongs to no task.
    fn notice(&mut self, text: &str);
}

/// The one process that works on a run.
pub struct Supervisor<'o> {
    pub(super) world: Arc<World>,
    pub(super) ledger: Ledger,
    observer: &'o mut dyn Observer,
    pub(super) sender: mpsc::UnboundedSender<Observation>,
    receiver: mpsc::UnboundedReceiver<Observation>,
    pub(super) stoppers: HashMap<AttemptId, Stopper>,
    pub(super) git: Arc<Semaphore>,
    watch: Watch,
    background: Background,
    overlaps: Overlaps,
    limits: SharedLimits,
    pub(super) governor: Governor,
    /// An attempt to be ended for want of memory, once that is recorded.
    to_end: Option<AttemptId>,
    /// What could not be recorded yet, as there was no room on the disk. Nothing is done meanwhile.
    unrecorded: Vec<Event>,
    /// When something happens by itself.
    wake: Option<Timestamp>,
}

impl<'o> Supervisor<'o> {
    /// A supervisor for the run of `ledger`. The caller holds the repository's lock.
    ///
    /// # Errors
    /// The user's checkout cannot be looked at.
    pub fn new(
        world: Arc<World>,
        ledger: Ledger,
        observer: &'o mut dyn Observer,
    ) -> Result<Self, SupervisorError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let watch = Watch::start(&world)?;
        let background = Background::new(&world);
        let overlaps = Overlaps::new(&world);
        let governor = Governor::new(&world);
        Ok(Self {
            world,
            ledger,
            observer,
            sender,
            receiver,
            stoppers: HashMap::new(),
            git: Arc::new(Semaphore::new(GIT_AT_ONCE)),
            watch,
            background,
            overlaps,
            limits: SharedLimits::new(SharedLimits::of_user()),
            governor,
            to_end: None,
            unrecorded: Vec::new(),
            wake: None,
        })
    }

    /// Works until the run is over, drained or killed.
    ///
    /// # Errors
    /// Only what makes going on impossible, such as a journal that cannot be written.
    pub async fn run(mut self) -> Result<(RunState, Ledger), SupervisorError> {
        let mut signals = Signals::listen()?;
        if self.ledger.state().seq == 1 {
            let created = self.ledger.journal().events_after(&self.ledger.state().spec.id, 0)?;
            self.tell(&created);
        }
        let mut first = vec![Event::SupervisorStarted { pid: std::process::id() }];
        first.extend(self.limits_of_others());
        self.record(first)?;
        recover::begin(&self);
        let measures = self.govern(&[]);
        self.act(measures)?;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut readings = tokio::time::interval(pressure::PERIOD);
        readings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if let Some((state, _)) = self.ledger.state().finished {
                let mut late = self.watch.last_look(&self.world, self.ledger.state());
                late.extend(self.overlaps.last_look(self.ledger.state()));
                self.record(late)?;
                return Ok((state, self.ledger));
            }
            tokio::select! {
                Some(observation) = self.receiver.recv() => self.observe(observation)?,
                _ = look.tick() => {
                    let new = self.ledger.catch_up()?;
                    if new.iter().any(|r| matches!(r.event, Event::TaskMerged { .. })) {
                        self.watch.refresh(&self.world);
                    }
                    self.tell(&new);
                    let mut news = self.background.tick(self.ledger.state());
                    news.extend(self.overlaps.tick(self.ledger.state()));
                    if let Some(notice) = self.overlaps.notice() {
                        self.observer.notice(notice);
                    }
                    self.observer.tick(self.ledger.state());
                    let now = clock::now();
                    news.extend(self.limits_of_others());
                    if let Some(ahead) = clock::set_ahead() {
                        let ahead_ms = u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX);
                        news.push(Event::ClockSet { ahead_ms });
                    }
                    let due = self.wake.is_some_and(|until| until <= now);
                    if !new.is_empty() || !news.is_empty() || due {
                        self.act(news)?;
                    }
                }
                _ = readings.tick() => {
                    let measures = self.govern(&[]);
                    self.act(measures)?;
                }
                signal = signals.next() => self.interrupted(signal)?,
            }
        }
    }

    /// Records what happened together with what is to be done about it, then does that, until there is
    /// nothing more to do.
    fn act(&mut self, observed: Vec<Event>) -> Result<(), SupervisorError> {
        let mut actions = Vec::new();
        let waited = !self.unrecorded.is_empty();
        self.unrecorded.extend(observed);
        let recorded = self.ledger.record_then(self.unrecorded.clone(), |state| {
            let decided = engine::decide(state, clock::now());
            let intents = decided.iter().map(|action| intent(state, action)).collect();
            actions.extend(decided);
            intents
        });
        let new = match recorded {
            Err(SupervisorError::Journal(error)) if error.is_full() => {
                if !waited && !self.unrecorded.is_empty() {
                    self.observer.notice(&format!(
                        "{error}; what runs goes on, and nothing is done until there is room to record it"
                    ));
                }
                return Ok(());
            }
            other => other?,
        };
        self.unrecorded.clear();
        unknown::note_newest(&self.world, &self.ledger, &new);
        self.tell(&new);
        for action in actions {
            self.perform(action);
        }
        if let Some(stopper) = self.to_end.take().and_then(|id| self.stoppers.get(&id)) {
            stopper.stop(Stop::Now);
        }
        self.wake = engine::next_wakeup(self.ledger.state(), clock::now());
        Ok(())
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start { attempt, .. } => self.start(attempt),
            Action::Stop { attempt, .. } => {
                if let Some(stopper) = self.stoppers.get(&attempt) {
                    stopper.stop(Stop::Gracefully);
                }
            }
            Action::ScheduleRetry { .. } | Action::Finish { .. } => {}
        }
    }

    fn start(&mut self, id: AttemptId) {
        let state = self.ledger.state();
        let Some((_, step)) = state.step_spec(&id.task, &id.step) else { return };
        let (world, sender) = (Arc::clone(&self.world), self.sender.clone());
        if let StepKind::BuiltIn { action } = step.kind {
            let job = builtin::Job::of(state, &id, action);
            let git = Arc::clone(&self.git);
            tokio::spawn(async move {
                // The semaphore is never closed.
                let _permit = git.acquire_owned().await;
                let end = builtin::perform(world, job).await;
                let _ = sender.send(Observation::Ended { attempt: id, end: Box::new(end) });
            });
        } else if let Some(job) = attempt::Job::to_start(&self.world, state, &id) {
            let git = Arc::clone(&self.git);
            tokio::spawn(attempt::start(world, job, git, sender));
        }
    }

    /// Takes in everything that happened and records it as one step.
    fn observe(&mut self, first: Observation) -> Result<(), SupervisorError> {
        let mut events = Vec::new();
        let mut ended = Vec::new();
        let mut next = Some(first);
        while let Some(observation) = next {
            match observation {
                Observation::Started { attempt, pid, stopper } => {
                    // It may have been cancelled while it started.
                    if self.is_stopping(&attempt) {
                        stopper.stop(Stop::Gracefully);
                    }
                    self.stoppers.insert(attempt.clone(), stopper);
                    events.push(Event::AttemptStarted { attempt, pid });
                }
                Observation::Found { attempt, found } => {
                    events.extend(recover::take_over(self, attempt, found?));
                }
                Observation::Ended { attempt, end } => {
                    self.stoppers.remove(&attempt);
                    let state = self.ledger.state();
                    let known = state.attempt(&attempt);
                    let mut end = attempt::with_reason(*end, known.and_then(|a| a.stopping));
                    if let Some(lost) =
                        self.governor.lost_to_disk(&self.world, state, &attempt, &end, false)
                    {
                        self.make_room_of(&attempt);
                        ended.push(attempt.task.clone());
                        events.extend(recover::lost(attempt, lost));
                        next = self.receiver.try_recv().ok();
                        continue;
                    }
                    ended.push(attempt.task.clone());
                    let escape = self.watch.check(&self.world, state, &attempt);
                    events.extend(escape.warnings);
                    if let (Some(failure), Ending::Succeeded) = (escape.failure, &end.ending) {
                        end.ending = Ending::Failed { failure };
                    }
                    circumstances::describe(&mut end, &self.world, state, &attempt);
                    self.tell_others(&attempt, &end);
                    events.push(Event::AttemptEnded { attempt, end: Box::new(end) });
                }
                Observation::Quiet { attempt, silence } => events.extend(silence.events(attempt)),
                Observation::Measured { task, occupied } => {
                    self.governor.measured(self.ledger.state(), &task, occupied);
                }
                Observation::MadeRoom(freed) => {
                    self.governor.made_room();
                    if let Some(notice) = freed.notice() {
                        self.observer.notice(&notice);
                    }
                }
                Observation::Progress { attempt, progress } => {
                    self.observer.progress(&attempt, progress);
                }
            }
            next = self.receiver.try_recv().ok();
        }
        if !ended.is_empty() {
            events.extend(self.govern(&ended));
        }
        self.act(events)
    }

    /// What an attempt built that the full disk has ended.
    fn make_room_of(&self, id: &AttemptId) {
        let state = self.ledger.state();
        let Some((task, _)) = state.step_spec(&id.task, &id.step) else { return };
        let (worktree, name) = (self.world.worktree(&task.worktree), task.name.clone());
        let (world, sender) = (Arc::clone(&self.world), self.sender.clone());
        tokio::task::spawn_blocking(move || {
            let freed = pressure::clear_ignored(&world, &worktree, &name);
            let _ = sender.send(Observation::MadeRoom(freed));
        });
    }

    /// A limit of its agent is every run's of this user.
    fn tell_others(&mut self, id: &AttemptId, end: &AttemptEnd) {
        let state = self.ledger.state();
        let Some((task, _)) = state.step_spec(&id.task, &id.step) else { return };
        let other = state.attempt(id).and_then(|attempt| attempt.beginning.agent.as_ref());
        let agent = state.spec.agents.get(other.unwrap_or(&task.agent));
        if let (Some(agent), Some(failure)) = (agent, end.ending.failure()) {
            let retry_at = failure.retry_at.map(clock::to_wall);
            self.limits.publish(agent, &Failure { retry_at, ..failure.clone() }, clock::wall());
        }
    }

    /// What others wrote down, they did by the wall clock.
    fn limits_of_others(&mut self) -> Vec<Event> {
        let mut news = self.limits.news(&self.ledger.state().spec.agents, clock::wall());
        for event in &mut news {
            if let Event::AgentLimited { until, .. } = event {
                *until = clock::from_wall(*until);
            }
        }
        news
    }

    /// Looks at the machine, says and does what follows, and returns what is to be recorded of it.
    fn govern(&mut self, ended: &[TaskId]) -> Vec<Event> {
        let state = self.ledger.state();
        let count = u32::try_from(ended.len()).unwrap_or(u32::MAX);
        let measures = self.governor.look(state, count);
        for task in self.governor.to_measure(state, ended) {
            let Some(position) = state.position(&task) else { continue };
            let worktree = self.world.worktree(&state.spec.tasks[position].worktree);
            let sender = self.sender.clone();
            tokio::task::spawn_blocking(move || {
                let occupied = pressure::occupied(&worktree);
                let _ = sender.send(Observation::Measured { task, occupied });
            });
        }
        if let Some(wanted) = self.governor.wants_room(state) {
            let finished = pressure::finished(self.ledger.journal());
            let (world, sender) = (Arc::clone(&self.world), self.sender.clone());
            tokio::task::spawn_blocking(move || {
                let freed = pressure::make_room(&world, &finished, wanted);
                let _ = sender.send(Observation::MadeRoom(freed));
            });
        }
        for notice in measures.notices {
            self.observer.notice(&notice);
        }
        self.to_end = measures.stop;
        measures.events
    }

    fn is_stopping(&self, attempt: &AttemptId) -> bool {
        self.ledger.state().attempt(attempt).is_some_and(|a| a.stopping.is_some())
    }

    /// First signal: nothing new starts. Second: what runs is stopped, and starts again on resume.
    fn interrupted(&mut self, signal: Interrupt) -> Result<(), SupervisorError> {
        match signal {
            Interrupt::Drain => {
                let running = self.ledger.state().open_attempts().count();
                self.observer.notice(&format!(
                    "stopping: {running} running may finish, nothing new starts; interrupt again to \
                     stop them now; go on later with: orch resume"
                ));
                self.act(vec![Event::DrainRequested])
            }
            Interrupt::Kill => {
                for stopper in self.stoppers.values() {
                    stopper.stop(Stop::Gracefully);
                }
                // Also those whose shim is only being started: they are stopped when it reports.
                let state = self.ledger.state();
                let is_process = |id: &AttemptId| {
                    state.step_spec(&id.task, &id.step).is_some_and(|(_, s)| s.kind.is_process())
                };
                let stopping = state
                    .open_attempts()
                    .filter(|(id, attempt)| attempt.stopping.is_none() && is_process(id))
                    .map(|(attempt, _)| Event::AttemptStopping {
                        attempt,
                        reason: StopReason::Interrupted,
                    });
                let events = std::iter::once(Event::DrainRequested).chain(stopping).collect();
                self.observer.notice("stopping everything; go on later with: orch resume");
                self.act(events)?;
                if self.unrecorded.is_empty() {
                    return Ok(());
                }
                // Whoever asks twice does not want to wait for room; what ends is found on resume.
                Err(SupervisorError::NoRoom)
            }
        }
    }

    pub(super) fn record(&mut self, events: Vec<Event>) -> Result<(), SupervisorError> {
        let new = self.ledger.record(events)?;
        self.tell(&new);
        Ok(())
    }

    fn tell(&mut self, new: &[Recorded]) {
        if !new.is_empty() {
            self.observer.recorded(self.ledger.state(), new);
        }
    }
}

/// How often the attempt's step, or one after it, has failed since a person last asked for the task: attempts
/// that died with their supervisor say nothing about it, and must not make it wait longer.
fn failures(state: &State, id: &AttemptId) -> u32 {
    let Some(task) = state.position(&id.task) else { return 1 };
    let steps = state.spec.tasks[task].steps.iter().zip(&state.tasks[task].steps);
    let again = steps.skip_while(|(spec, _)| spec.id != id.step);
    let attempts = again.flat_map(|(_, step)| {
        step.attempts.iter().filter(|attempt| attempt.number > step.forgiven)
    });
    let failed = attempts.filter(|attempt| {
        !matches!(attempt.stopping, Some(StopReason::Interrupted | StopReason::Overlap))
            && attempt.ended.as_ref().is_some_and(|(end, _)| end.ending.failure().is_some())
    });
    u32::try_from(failed.count()).unwrap_or(u32::MAX)
}

/// What is recorded before an action begins.
fn intent(state: &State, action: &Action) -> Event {
    match action.clone() {
        Action::Start { attempt, agent } => Event::AttemptStarting { attempt, agent },
        Action::Stop { attempt, reason } => Event::AttemptStopping { attempt, reason },
        Action::Finish { state } => Event::RunFinished { state },
        Action::ScheduleRetry { attempt, not_before, agent, keep, session } => {
            let not_before = delay::not_before(clock::now(), failures(state, &attempt), not_before);
            Event::RetryScheduled { attempt, not_before, agent, keep, session }
        }
    }
}
