//! The command line: one file a command, each arguments in, calls, a view out.
//!
//! Promise: arguments are checked before anything happens; every error says what, where and what to do,
//! and its exit code is the contract's. Output goes to stdout, everything about the output to stderr.
//! Never: knows how anything is done.

mod attach;
mod backup;
mod cancel;
mod clean;
mod completions;
mod context;
mod detached;
mod diff;
mod doctor;
mod error;
mod execute;
mod indexing;
mod init;
mod jobs;
mod logs;
mod merge;
mod pause;
mod plan;
mod pr;
mod prompts;
mod ps;
mod report;
mod restore;
mod resume;
mod retry;
mod run;
mod selftest;
mod shim;
mod status;

use clap::{Parser, Subcommand};
use error::CliError;
use std::process::ExitCode;

/// make -j for coding agents.
///
/// Reads Markdown prompts, knows which of them will collide over the same code, gives each a git
/// worktree, a branch and a supervised process of its own, and lands what passes.
#[derive(Debug, Parser)]
#[command(
    name = "orch",
    version,
    max_term_width = 100,
    after_help = "The main job:\n  orch plan --tasks prompts/*.md\n  orch execute --parallel --tasks \
                  prompts/*.md\n  orch status\n  orch merge\n  orch clean\n\nExit codes: 0 all that was asked \
                  succeeded, 1 a task failed, 2 wrong usage or input,\n3 conflict, 4 another supervisor is at \
                  work, 5 refused by governance, 130 interrupted."
)]
struct App {
    /// Run as if started in this directory.
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    directory: Option<std::path::PathBuf>,
    /// Colours: auto, always or never.
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true, hide = true)]
    color: context::ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Plan(plan::Args),
    Execute(execute::Args),
    Run(run::Args),
    Status(status::Args),
    Logs(logs::Args),
    Ps(ps::Args),
    Attach(attach::Args),
    Diff(diff::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Jobs(jobs::Args),
    Cancel(cancel::Args),
    Retry(retry::Args),
    Merge(merge::Args),
    Pr(pr::Args),
    Clean(clean::Args),
    Report(report::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Doctor(doctor::Args),
    Selftest(selftest::Args),
    Completions(completions::Args),
}

/// Parses the command line, does what it says, and tells the exit code.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(code) = shim::run_if_asked() {
        return code;
    }
    let app = match App::try_parse() {
        Ok(app) => app,
        Err(error) => {
            // Help and version are not errors; a closed pipe is nobody's fault.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    start_tracing();
    match dispatch(app) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("orch: {error}");
            ExitCode::from(error.code())
        }
    }
}

fn dispatch(app: App) -> Result<ExitCode, CliError> {
    let place = context::Place::new(app.directory.as_deref(), app.color)?;
    match app.command {
        Command::Init(args) => init::run(&place, &args),
        Command::Plan(args) => plan::run(&place, &args),
        Command::Execute(args) => execute::run(&place, &args),
        Command::Run(args) => run::run(&place, args),
        Command::Status(args) => status::run(&place, &args),
        Command::Ps(args) => ps::run(&place, &args),
        Command::Logs(args) => logs::run(&place, &args),
        Command::Attach(args) => attach::run(&place, &args),
        Command::Diff(args) => diff::run(&place, &args),
        Command::Pause(args) => pause::run(&place, &args),
        Command::Jobs(args) => jobs::run(&place, &args),
        Command::Resume(args) => resume::run(&place, &args),
        Command::Cancel(args) => cancel::run(&place, &args),
        Command::Retry(args) => retry::run(&place, &args),
        Command::Merge(args) => merge::run(&place, &args),
        Command::Pr(args) => pr::run(&place, &args),
        Command::Clean(args) => clean::run(&place, &args),
        Command::Report(args) => report::run(&place, &args),
        Command::Backup(args) => backup::run(&place, &args),
        Command::Restore(args) => restore::run(&place, &args),
        Command::Doctor(args) => doctor::run(&place, &args),
        Command::Selftest(args) => selftest::run(&place, &args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// The command line's definition, for completions.
fn definition() -> clap::Command {
    <App as clap::CommandFactory>::command()
}

/// `ORCH_LOG=debug orch ...` writes diagnostics to stderr; without it nothing is written.
fn start_tracing() {
    let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("ORCH_LOG") else { return };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
