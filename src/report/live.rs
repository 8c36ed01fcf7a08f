//! The human view of a run while it happens: one line a task on a terminal, redrawn in place; one line a
//! fact otherwise.

use super::style::{Style, mark};
use super::words::{duration, money};
use crate::engine::State;
use crate::model::{AttemptId, Ending, Event, Recorded, StepKind, TaskId, TaskState, Timestamp};
use crate::supervisor::{Observer, Progress, now};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;

/// Lines of a live view; what does not fit is counted.
const LINES: usize = 20;

/// Tells a person what happens.
pub struct Live<W: Write> {
    out: W,
    style: Style,
    /// Redraw in place.
    redraw: bool,
    /// Lines drawn at the moment.
    drawn: usize,
    doing: HashMap<TaskId, (Progress, Timestamp)>,
    /// The live supervisor has printed the run's id.
    greeted: bool,
}

impl<W: Write> Live<W> {
    /// Writes to `out`; in place when that is a terminal.
    pub fn new(out: W, style: Style, terminal: bool) -> Self {
        Self { out, style, redraw: terminal, drawn: 0, doing: HashMap::new(), greeted: false }
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
                self.say(&format!("● {}: {step}{again}", name(&attempt.task)));
            }
            Event::AttemptAdopted { attempt, pid } => {
                let step = &attempt.step;
                self.say(&format!("● {}: {step} goes on (process {pid})", name(&attempt.task)));
            }
            Event::AttemptEnded { attempt, end } => {
                self.doing.remove(&attempt.task);
                self.tell_end(state, attempt, &end.ending, &name(&attempt.task));
            }
            Event::RetryScheduled { attempt, not_before } => {
                let wait = duration(not_before.since(now()));
                self.say(&format!("· {}: tried again in {wait}", name(&attempt.task)));
            }
            Event::TaskWarned { task, message } => {
                self.say(&format!("! {}: {message}", name(task)));
            }
            Event::CancelRequested { tasks } => {
                for task in tasks {
                    self.say(&format!("- {}: cancel requested", name(task)));
                }
            }
            _ => {}
        }
    }

    fn tell_end(&mut self, state: &State, attempt: &AttemptId, ending: &Ending, name: &str) {
        let Some(position) = state.position(&attempt.task) else { return };
        let Some((_, step)) = state.step_spec(&attempt.task, &attempt.step) else { return };
        match ending {
            Ending::Failed { failure } => {
                self.say(&format!("✗ {name}: {}: {}: {}", step.id, failure.class, failure.message));
                if let Some(hint) = &failure.suggestion {
                    self.say(&format!("  hint: {hint}"));
                }
            }
            Ending::Succeeded => {
                let standings = state.standings();
                let now_is = state.task_state(position, &standings);
                if now_is == TaskState::Succeeded {
                    let view = state.task_view(position, &standings);
                    let files = super::words::count(view.files_changed.len(), "file");
                    self.say(&format!(
                        "✓ {name}: {files} changed on {}",
                        state.spec.tasks[position].branch
                    ));
                } else if matches!(step.kind, StepKind::Commands { .. }) {
                    self.say(&format!("  {name}: {} passed", step.id));
                }
            }
        }
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
                    if lines < LINES =>
                {
                    let _ = writeln!(text, "{}", self.live_line(state, task, now_is));
                    lines += 1;
                }
                TaskState::Running | TaskState::Verifying | TaskState::Preparing => more += 1,
                _ => {}
            }
        }
        if more + waiting > 0 {
            let _ = writeln!(text, "  {more} more running, {waiting} waiting");
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
        let name = format!("{:<20}", spec.name);
        let used = name.chars().count() + 22;
        let label = format!("{now_is:<9}");
        let label = self.style.state(now_is, &label);
        format!("{} {name}  {label} {time:>6}  {}", mark(now_is), self.style.cut(&doing, used))
    }
}

impl<W: Write> Observer for Live<W> {
    fn recorded(&mut self, state: &State, events: &[Recorded]) {
        for recorded in events {
            self.tell(state, recorded);
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
