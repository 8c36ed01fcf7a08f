//! `orch init`.

use super::context::Place;
use super::error::CliError;
use crate::config::{self, FoundAgent};
use std::process::ExitCode;

/// Write a commented orch.toml, with the agents and the set-up commands found here
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orch init")]
pub(super) struct Args {
    /// Overwrite an existing orch.toml.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let repo = place.repo()?;
    let Some(root) = repo.checkout.clone().or_else(|| repo.root.clone()) else {
        return Err(CliError::usage("a bare repository has no place for orch.toml"));
    };
    let file = root.join(config::FILE);
    if file.exists() && !args.force {
        return Err(CliError::usage(format!(
            "{} exists already; overwrite it with: orch init --force",
            file.display()
        )));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found: Vec<FoundAgent> = crate::agent::builtin()
        .iter()
        .filter_map(|profile| {
            let place = crate::agent::find_on_path(profile, &path, crate::process::can_run)?;
            Some(FoundAgent { name: profile.name.clone(), program: place })
        })
        .collect();
    let recipes = config::detect_setup(&root);
    let setup: Vec<String> = recipes.iter().flat_map(|r| r.commands.clone()).collect();
    std::fs::write(&file, config::template(&found, &setup))
        .map_err(|e| CliError::failed(format!("write {}: {e}", file.display())))?;
    eprintln!("wrote {}", file.display());
    let names: Vec<&str> = found.iter().map(|f| f.name.as_str()).collect();
    eprintln!(
        "agents found: {}",
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    );
    eprintln!("next: write a prompt, then: orch plan --tasks FILE");
    Ok(ExitCode::SUCCESS)
}
