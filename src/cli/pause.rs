//! `orch pause`.

use super::context::{self, Place};
use super::error::CliError;
use crate::model::{AttemptId, Event, RunState};
use std::process::ExitCode;

/// Start nothing new in a live run until `orch resume`; what runs goes on
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch pause\n  orch resume      # goes on\n\nAgents at work finish and their work is \
                  committed; verification and everything new waits. A run whose\nsupervisor is gone starts nothing \
                  anyway: orch resume takes it over."
)]
pub(super) struct Args {
    /// The run (id, prefix, or `latest`: the one a supervisor works on).
    #[arg(default_value = "latest")]
    run: String,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let mut asked = context::ask(place, &args.run)?;
    let run = asked.ledger.state().run_view();
    match run.state {
        RunState::Paused if asked.alive => eprintln!("{} is paused already", run.id),
        RunState::Running if asked.alive => {
            asked.ledger.record(vec![Event::PauseRequested])?;
            let state = asked.ledger.state();
            let is_process = |id: &AttemptId| {
                state.step_spec(&id.task, &id.step).is_some_and(|(_, step)| step.kind.is_process())
            };
            let running = state.open_attempts().filter(|(id, _)| is_process(id)).count();
            eprintln!(
                "{} is paused: {running} running may finish, nothing new starts; go on with: orch resume",
                run.id
            );
        }
        RunState::Running | RunState::Paused | RunState::Interrupted => eprintln!(
            "nobody works on {}, so nothing starts; to go on with it: orch resume {0}",
            run.id
        ),
        state => {
            return Err(CliError::usage(format!("{} is over ({state}); nothing to pause", run.id)));
        }
    }
    Ok(ExitCode::SUCCESS)
}
