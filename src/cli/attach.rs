//! `orch attach`.

use super::context::{self, Place, runtime};
use super::error::CliError;
use crate::journal::{Layout, TaskRef};
use crate::model::{AttemptId, Event, RunState, StepId, TaskState};
use crate::process::{Entry, Follower};
use crate::report::{self, bytes, live::Live};
use crate::supervisor::{Ledger, Observer, now};
use std::collections::HashSet;
use std::io::{Stderr, Write};
use std::process::ExitCode;
use std::time::Duration;

/// How often the journal is looked at. One pragma.
const LOOK: Duration = Duration::from_millis(200);

/// Looks between two questions whether a supervisor lives: a lock is asked, and nothing depends on the second.
const LOOKS: u32 = 5;

/// Follow one task until it ends: what happens to it, and what its processes print
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch attach fix-login\n  orch attach fix-login 2> /dev/null    # only what is \
                  printed\n\nBegins with the step that is at work. Through all attempts and steps; the exit code is \
                  the task's:\n0 it succeeded, 1 it did not, 130 its run was interrupted. Ctrl-C ends the \
                  following, not the task."
)]
pub(super) struct Args {
    /// The task (name, id, or an unambiguous prefix).
    task: String,
    /// The run (id, prefix, or `latest`) [default: the newest that has the task].
    #[arg(long)]
    run: Option<String>,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, layout, journal) = place.history()?;
    let task = context::find_task(&journal, args.run.as_deref(), &args.task)?;
    let mut events = Events {
        ledger: Ledger::open(journal, &task.run)?,
        view: Live::new(std::io::stderr(), place.style_of_stderr(), None),
        looks: 0,
        task,
        layout,
    };
    if events.is_open() {
        events.say_state(place);
    }
    runtime()?.block_on(follow(&mut events))?;
    if !events.is_open() {
        events.say_state(place);
    }
    Ok(events.exit_code())
}

/// What the journal tells of the task.
struct Events {
    ledger: Ledger,
    view: Live<Stderr>,
    looks: u32,
    task: TaskRef,
    layout: Layout,
}

impl Events {
    fn say_state(&self, place: &Place) {
        let standings = self.ledger.state().standings();
        let view = self.ledger.state().task_view(self.task.index, &standings);
        eprint!("{}", report::task_line(&view, now(), place.style_of_stderr()));
    }

    /// Tells what is new about the task.
    fn look(&mut self) -> Result<(), CliError> {
        let mut new = self.ledger.catch_up()?;
        for recorded in &mut new {
            // The others that were cancelled with it are not of interest.
            if let Event::CancelRequested { tasks } = &mut recorded.event {
                tasks.retain(|task| *task == self.task.id);
            }
        }
        new.retain(|recorded| {
            matches!(recorded.event, Event::PauseRequested | Event::ContinueRequested)
                || recorded.event.tasks().any(|task| *task == self.task.id)
        });
        self.view.recorded(self.ledger.state(), &new);
        Ok(())
    }

    fn state(&self) -> TaskState {
        let state = self.ledger.state();
        state.task_state(self.task.index, &state.standings())
    }

    /// Whether something may still happen to it.
    fn is_open(&self) -> bool {
        let state = self.ledger.state();
        let over = matches!(state.finished, Some((run, _)) if run != RunState::Interrupted);
        !over && !state.standings().is_settled(self.task.index)
    }

    /// Whether anybody works on its run; asked only now and then.
    fn is_supervised(&mut self) -> bool {
        self.looks += 1;
        if !self.looks.is_multiple_of(LOOKS) {
            return true;
        }
        let mut run = self.ledger.state().run_view();
        super::status::is_supervised(&self.layout, &mut run)
    }

    /// The next log to show: of the attempt at work, or of the first after what was shown.
    fn next_log(&self, shown: &HashSet<AttemptId>) -> Option<AttemptId> {
        let standings = self.ledger.state().standings();
        let view = self.ledger.state().task_view(self.task.index, &standings);
        let attempts = view.logs.iter().map(|log| AttemptId {
            task: self.task.id.clone(),
            step: StepId::from(log.step.as_str()),
            number: log.attempt,
        });
        let mut left: Vec<AttemptId> = attempts.filter(|id| !shown.contains(id)).collect();
        if shown.is_empty() {
            left.retain(|id| self.is_at_work(id));
        }
        left.into_iter().next()
    }

    /// Whether its end is still to be journalled.
    fn is_at_work(&self, attempt: &AttemptId) -> bool {
        self.ledger.state().attempt(attempt).is_some_and(|attempt| attempt.ended.is_none())
    }

    fn exit_code(&self) -> ExitCode {
        match self.state() {
            state if state.is_good() => ExitCode::SUCCESS,
            _ if self.is_open() => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }
}

async fn follow(events: &mut Events) -> Result<(), CliError> {
    let mut shown = HashSet::new();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // What ended before somebody looked is not shown: `orch logs` does that.
    loop {
        look.tick().await;
        events.look()?;
        if let Some(attempt) = events.next_log(&shown) {
            if !show(events, &attempt, &mut look).await? {
                return Ok(());
            }
            shown.insert(attempt);
        } else if !events.is_open() {
            return Ok(());
        } else if !events.is_supervised() {
            eprintln!(
                "nobody works on its run any more; go on with: orch resume {}",
                events.task.run
            );
            return Ok(());
        }
    }
}

/// Prints a log to its end; `false` when nobody reads it any more.
async fn show(
    events: &mut Events,
    attempt: &AttemptId,
    look: &mut tokio::time::Interval,
) -> Result<bool, CliError> {
    let mut log = Follower::new(&events.layout.attempt(&events.task.run, attempt));
    loop {
        let entry = tokio::select! {
            entry = log.next() => entry.map_err(CliError::failed)?,
            _ = look.tick() => {
                events.look()?;
                continue;
            }
        };
        let Some(entry) = entry else {
            // One that was about to start has written nothing yet, and looks like one that is over.
            if events.is_at_work(attempt) && events.is_supervised() {
                look.tick().await;
                events.look()?;
                continue;
            }
            return Ok(true);
        };
        let mut out = std::io::stdout().lock();
        let written = match entry {
            Entry::Output { bytes, .. } => out.write_all(&bytes),
            Entry::Dropped(n) => writeln!(out, "\n[… {} not kept …]", bytes(n)),
        };
        match written.and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(false),
            Err(error) => return Err(error.into()),
            Ok(()) => {}
        }
    }
}
