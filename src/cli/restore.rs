//! `orch restore`.

use super::context::Place;
use super::error::CliError;
use crate::journal::Journal;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Put a backup in the place of the journal, which is kept beside it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  orch restore ~/orch-journal.db\n\nThe file is checked before anything is replaced. \
                  What happened since it was made is not known any\nmore afterwards, except for the attempts that were \
                  made meanwhile, which the next orch resume or retry\nfinds: unfinished runs go on with: orch resume"
)]
pub(super) struct Args {
    /// A file that `orch backup` wrote.
    file: PathBuf,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (world, _) = place.world()?;
    let lock = world.lock()?;
    let path = world.layout.journal();
    let file = place.cwd.join(&args.file);
    let kept = Journal::restore(&file, &path, crate::supervisor::now())?;
    let (journal, rebuilt) = world.take_journal(&lock)?;
    super::context::tell_rebuilt(rebuilt.as_ref());
    crate::supervisor::doubt_all(&world.layout, &journal)?;
    let runs = journal.runs(u32::MAX)?.len();
    let s = if runs == 1 { "" } else { "s" };
    let mut text = format!("restored {runs} run{s} from {}\n", file.display());
    if let Some(kept) = kept {
        let _ = writeln!(text, "the journal it replaced is {}", kept.display());
    }
    super::status::print(&text)?;
    for run in journal.unfinished(3)? {
        eprintln!("{} is not finished; go on with it: orch resume {0}", run.id);
    }
    Ok(ExitCode::SUCCESS)
}
