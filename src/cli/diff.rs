//! `orch diff`.

use super::context::{self, Place};
use super::error::CliError;
use crate::git::DiffOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Show a task's branch against where it started, uncommitted work included while it runs
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch diff fix-login\n  orch diff fix-login --stat\n  orch diff fix-login \
                  --snapshot"
)]
pub(super) struct Args {
    /// The task (name, id, or an unambiguous prefix).
    task: String,
    /// Only how much changed in which file.
    #[arg(long)]
    stat: bool,
    /// Only the names of the files.
    #[arg(long, conflicts_with = "stat")]
    name_only: bool,
    /// The latest snapshot of the worktree instead of the branch.
    #[arg(long)]
    snapshot: bool,
    /// The run (id, prefix, or `latest`) [default: the newest that has the task].
    #[arg(long)]
    run: Option<String>,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let (repo, _, journal) = place.history()?;
    let task = context::find_task(&journal, args.run.as_deref(), &args.task)?;
    let view = journal.task_view(&task)?;
    let Some(start) = &view.start else {
        return Err(CliError::usage(format!(
            "{} has no branch yet; it is {}",
            view.name, view.state
        )));
    };
    let options =
        DiffOptions { stat: args.stat, name_only: args.name_only, color: place.style().color };
    if args.snapshot {
        let kept = repo.snapshot_of(task.id.as_str())?.ok_or_else(|| {
            CliError::usage(format!("no snapshot is kept of {}; it is {}", view.name, view.state))
        })?;
        return write(&repo.diff(start, &kept.commit, options)?);
    }
    let root = repo.root.clone().unwrap_or_else(|| repo.common_dir.clone());
    let worktree = view.worktree.as_ref().map(|w| root.join(w)).filter(|w: &PathBuf| w.is_dir());
    let tip = view.branch.as_deref().map(|b| repo.branch_tip(b)).transpose()?.flatten();
    let text = match (worktree, tip.as_ref().or(view.commit.as_ref())) {
        (Some(worktree), _) if !view.state.is_good() => {
            repo.diff_worktree(start, &worktree, options)?
        }
        (_, Some(commit)) => repo.diff(start, commit, options)?,
        (_, None) => Vec::new(),
    };
    write(&text)
}

fn write(text: &[u8]) -> Result<ExitCode, CliError> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
