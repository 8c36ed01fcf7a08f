//! The human view of a run while it happens: one line a task on a terminal, redrawn in place; one line a
//! fact otherwise.

use super::overlaps;
use super::style::{Style, columns, fit, mark};
use super::waits::{self, Wait};
use super::words::{duration, money};
use crate::engine::State;
use crate::model::{
    AttemptId, Ending, Event, Recorded, StepKind, StopReason, TaskId, TaskState, Timestamp,
};
use crate::supervisor::{Observer, Progress, now};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Write;

/// Lines of a live view at the most; what does not fit is counted. A terminal of fewer lines gets fewer.
const LINES: usize = 20;

/// Tells a person what happens.
pub struct Live<W: Write> {
    out: W,
    style: Style,
    /// Redraw in place.
    redraw: bool,
    /// Lines of the live view at the most.
    lines: usize,
    /// Lines drawn at the moment.
    drawn: usize,
    /// Tasks whose success was told.
    told: HashSet<TaskId>,
    doing: HashMap<TaskId, (Progress, Timestamp)>,
    /// What is waited for, as of the last event.
    waits: Vec<Wait>,
    /// Of what was waited for, until when it was said to be.
    told_waits: HashMap<String, Timestamp>,
    /// The live supervisor has printed the run's id.
    greeted: bool,
}

impl<W: Write> Live<W> {
    /// Writes to `out`; in place when that is a terminal of so many rows.
    pub fn new(out: W, style: Style, rows: Option<usize>) -> Self {
        // One line stays for what is said, one for the cursor, one for the count of the rest.
        let lines = rows.map_or(0, |rows| LINES.min(rows.saturating_sub(3)));
        Self {
            out,
            style,
            redraw: lines > 0,
            lines,
            drawn: 0,
            told: HashSet::new(),
            doing: HashMap::new(),
            waits: Vec::new(),
            told_waits: HashMap::new(),
            greeted: false,
        }
    }

    /// Takes the live lines away, so that what follows stands alone.
    pub fn finish(&mut self) {
        self.erase();
        let _ = self.out.flush();
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            let _ = write!(self.out, "\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
    }

    fn say(&mut self, text: &str) {
        self.erase();
        // A terminal that went away must not end the run.
        let _ = writeln!(self.out, "{text}");
    }

    fn tell(&mut self, state: &State, recorded: &Recorded) {
        let name = |task: &TaskId| {
            state.position(task).map_or("?", |p| state.spec.tasks[p].name.as_str()).to_owned()
        };
        match &recorded.event {
            Event::SupervisorStarted { .. } if !self.greeted => {
                self.greeted = true;
                let id = self.style.bold(state.spec.id.as_str());
                let _ = writeln!(self.out, "{id}");
            }
            Event::AttemptStarted { attempt, .. } => {
                let (step, again) = (&attempt.step, attempt.number);
                let again = if again > 1 { format!(" (attempt {again})") } else { String::new() };
                // The run falls back, and says so.
                let by = state.attempt(attempt).and_then(|known| known.beginning.agent.as_ref());
                let by = by.map_or(String::new(), |agent| format!(" by {agent}"));
                self.say(&format!("● {}: {step}{again}{by}", name(&attempt.task)));
            }
            Event::AttemptAdopted { attempt, pid } => {
                let step = &attempt.step;
                self.say(&format!("● {}: {step} goes on (process {pid})", name(&attempt.task)));
            }
            Event::AttemptEnded { attempt, end } => {
                self.doing.remove(&attempt.task);
                self.tell_end(state, attempt, &end.ending, &name(&attempt.task));
            }
            Event::RetryScheduled { attempt, not_before, agent, .. } => {
                let wait = not_before.since(now());
                let when = if wait.as_millis() < 100 {
                    "at once".to_owned()
                } else {
                    format!("in {}", duration(wait))
                };
                let by = agent.as_ref().map_or(String::new(), |agent| format!(", by {agent}"));
                self.say(&format!("· {}: tried again {when}{by}", name(&attempt.task)));
            }
            Event::AttemptStalled { attempt, quiet_seconds } => {
                let quiet = duration(std::time::Duration::from_secs(*quiet_seconds));
                let step = &attempt.step;
                self.say(&format!(
                    "! {}: {step}: no output and no CPU use for {quiet}",
                    name(&attempt.task)
                ));
            }
            Event::TaskWarned { task, message } => {
                self.say(&format!("! {}: {message}", name(task)));
            }
            Event::OverlapFound { .. } => {
                if let Some(text) = overlaps::told(state, &recorded.event) {
                    self.say(&format!("! overlap: {text}"));
                }
            }
            Event::AttemptStopping { attempt, reason: StopReason::Overlap } => {
                self.say(&format!(
                    "- {}: stopped until the task that began earlier has ended",
                    name(&attempt.task)
                ));
            }
            Event::CancelRequested { tasks } => {
                for task in tasks {
                    self.say(&format!("- {}: cancel requested", name(task)));
                }
            }
            Event::PauseRequested => {
                self.say(
                    "- paused: what runs may finish, nothing new starts; go on with: orch resume",
                );
            }
            Event::ContinueRequested => self.say("- going on"),
            Event::JobsRequested { jobs } => self.say(&format!("- jobs: {jobs}")),
            _ => {}
        }
    }

    fn tell_end(&mut self, state: &State, attempt: &AttemptId, ending: &Ending, name: &str) {
        let Some((_, step)) = state.step_spec(&attempt.task, &attempt.step) else { return };
        match ending {
            Ending::Failed { failure } => {
                self.say(&format!("✗ {name}: {}: {}: {}", step.id, failure.class, failure.message));
                let task = state.position(&attempt.task);
                let given_up = task.and_then(|task| state.tasks[task].given_up.as_deref());
                if let Some(hint) = given_up.and_then(|failure| failure.suggestion.as_ref()) {
                    self.say(&format!("  hint: {hint}"));
                }
            }
            Ending::Succeeded if matches!(step.kind, StepKind::Commands { .. }) => {
                self.say(&format!("  {name}: {} passed", step.id));
            }
            Ending::Succeeded => {}
        }
    }

    /// Says of the tasks that the events are about which ones are done now.
    fn tell_done(&mut self, state: &State, events: &[Recorded]) {
        let named: HashSet<&TaskId> = events.iter().flat_map(|r| r.event.tasks()).collect();
        let mut positions: Vec<usize> =
            named.into_iter().filter_map(|task| state.position(task)).collect();
        positions.sort_unstable();
        let standings = state.standings();
        // Whatever else is told of a task that an earlier supervisor saw the end of, this is not news.
        let ends = |r: &&Recorded| {
            matches!(r.event, Event::AttemptEnded { .. } | Event::StepSkipped { .. })
        };
        let ended: HashSet<&TaskId> =
            events.iter().filter(ends).flat_map(|r| r.event.tasks()).collect();
        for position in positions {
            let spec = &state.spec.tasks[position];
            let done = state.task_state(position, &standings) == TaskState::Succeeded;
            if !done {
                self.told.remove(&spec.id);
            } else if ended.contains(&spec.id) && self.told.insert(spec.id.clone()) {
                let view = state.task_view(position, &standings);
                let files = super::words::count(view.files_changed.len(), "file");
                self.say(&format!("✓ {}: {files} changed on {}", spec.name, spec.branch));
            }
        }
    }

    /// Says what is waited for that was not said yet.
    fn tell_waits(&mut self, state: &State) {
        let at = now();
        let waits = waits::current(state, at);
        for wait in &waits {
            // Of a shortage whoever measures it gives notice.
            let Some(until) = wait.until else { continue };
            if self.told_waits.insert(wait.of.clone(), until) != Some(until) {
                self.say(&format!("waiting: {} ({})", wait.what, wait.why));
            }
        }
        self.waits = waits;
    }

    fn draw(&mut self, state: &State) {
        if !self.redraw {
            return;
        }
        self.erase();
        let standings = state.standings();
        let mut text = String::new();
        let (mut lines, mut waiting, mut more) = (0, 0, 0);
        for task in 0..state.tasks.len() {
            let now_is = state.task_state(task, &standings);
            match now_is {
                TaskState::Queued | TaskState::Blocked => waiting += 1,
                TaskState::Running | TaskState::Verifying | TaskState::Preparing
                    if lines < self.lines =>
                {
                    let _ = writeln!(text, "{}", self.live_line(state, task, now_is));
                    lines += 1;
                }
                TaskState::Running | TaskState::Verifying | TaskState::Preparing => more += 1,
                _ => {}
            }
        }
        if more + waiting > 0 {
            let more = if more > 0 { format!("{more} more running, ") } else { String::new() };
            let at = now();
            let held = self.waits.iter().filter(|w| w.until.is_none_or(|until| until > at));
            let held: Vec<&str> = held.map(|wait| wait.what.as_str()).collect();
            let held =
                if held.is_empty() { String::new() } else { format!(": {}", held.join("; ")) };
            let line = format!("  {more}{waiting} waiting{held}");
            let _ = writeln!(text, "{}", self.style.cut(&line, 0));
            lines += 1;
        }
        self.drawn = lines;
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }

    fn live_line(&self, state: &State, task: usize, now_is: TaskState) -> String {
        let spec = &state.spec.tasks[task];
        let at = now();
        let open = state.tasks[task].steps.iter().filter_map(|s| s.attempts.last());
        let since = open.filter(|a| a.ended.is_none()).map(|a| a.started_at).next();
        let time = since.map_or(String::new(), |since| duration(at.since(since)));
        let mut doing = String::new();
        if let Some((progress, heard)) = self.doing.get(&spec.id) {
            if let Some(cost) = progress.usage.cost_usd.filter(|c| *c > 0.0) {
                let _ = write!(doing, "{}  ", money(cost));
            }
            doing.push_str(progress.last.as_deref().unwrap_or_default());
            let silent = at.since(*heard);
            if silent.as_secs() >= 10 {
                let _ = write!(doing, "  (silent for {})", duration(silent));
            }
        }
        let room = self.style.width.map_or(20, |width| width.saturating_sub(24).clamp(4, 20));
        let name =
            if columns(&spec.name) > room { fit(&spec.name, room) } else { spec.name.clone() };
        let gap = room.saturating_sub(columns(&name));
        let label = self.style.state(now_is, &format!("{now_is:<9}"));
        let rest = self.style.cut(&doing, room + 23);
        format!("{} {name}{:gap$}  {label} {time:>6}  {rest}", mark(now_is), "")
    }
}

impl<W: Write> Observer for Live<W> {
    fn recorded(&mut self, state: &State, events: &[Recorded]) {
        for recorded in events {
            self.tell(state, recorded);
        }
        self.tell_done(state, events);
        if !events.is_empty() {
            self.tell_waits(state);
        }
        self.draw(state);
        let _ = self.out.flush();
    }

    fn progress(&mut self, attempt: &AttemptId, progress: Progress) {
        self.doing.insert(attempt.task.clone(), (progress, now()));
    }

    fn tick(&mut self, state: &State) {
        self.draw(state);
    }

    fn notice(&mut self, text: &str) {
        self.say(text);
    }
}
