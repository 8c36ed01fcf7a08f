//! `orch run "TEXT"`.

use super::context::Place;
use super::error::CliError;
use super::execute::{self, Form, How};
use crate::model::slug;
use std::process::ExitCode;

/// Run a task given as text
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  orch run \"fix the off-by-one error in src/page.rs\" --verify 'cargo test'"
)]
pub(super) struct Args {
    /// What is to be done, in Markdown.
    text: String,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    form: Form,
}

pub(super) fn run(place: &Place, args: Args) -> Result<ExitCode, CliError> {
    let repo = place.repo()?;
    // The text becomes a prompt file outside the work tree, so that it is run, shown and resumed like
    // any other.
    let dir = repo.state_dir().join("prompts");
    std::fs::create_dir_all(&dir)
        .map_err(|e| CliError::failed(format!("create {}: {e}", dir.display())))?;
    let file = dir.join(format!("{}.md", slug(&args.text)));
    std::fs::write(&file, &args.text)
        .map_err(|e| CliError::failed(format!("write {}: {e}", file.display())))?;
    execute::run(place, &execute::Args::for_file(file, args.how, args.form))
}
