//! `orch backup`.

use super::context::Place;
use super::error::CliError;
use std::path::PathBuf;
use std::process::ExitCode;

/// Copy the journal to a file, also while a supervisor works
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch backup ~/orch-journal.db\n  orch backup --force /backup/journal.db\n\nThe journal is \
                  the history of every run; logs and results stay in .git/orch/runs, work on its\nbranches. Bring \
                  it back with: orch restore FILE"
)]
pub(super) struct Args {
    /// The file, which is made.
    file: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (_, _, journal) = place.history()?;
    let file = place.cwd.join(&args.file);
    journal.backup(&file, args.force)?;
    let runs = journal.runs(u32::MAX)?.len();
    let s = if runs == 1 { "" } else { "s" };
    super::status::print(&format!("{runs} run{s} saved in {}\n", file.display()))?;
    Ok(ExitCode::SUCCESS)
}
