//! `orch doctor`.

mod agents;
mod machine;
mod repository;

use super::context::Place;
use super::error::CliError;
use crate::config::Config;
use crate::report::{self, Findings};
use std::process::ExitCode;

/// Check what orch depends on here, and say what to do about what is amiss
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orch doctor\n  orch doctor --fix\n  orch doctor --json | jq '.findings[] | \
                        select(.health == \"problem\")'"
)]
pub(super) struct Args {
    /// Do what mends it, where that cannot lose anything.
    #[arg(long)]
    fix: bool,
    /// One JSON document (orch.doctor/1).
    #[arg(long)]
    json: bool,
}

pub(super) fn run(place: &Place, args: &Args) -> Result<ExitCode, CliError> {
    let mut found = Findings::default();
    found.ok("orch", env!("CARGO_PKG_VERSION"));
    machine::git(&mut found);
    let config = match place.repo() {
        Ok(repo) => {
            let root = repo.checkout.clone().or_else(|| repo.root.clone());
            let read = root.map_or_else(|| Ok(Config::default()), |root| Config::load(&root));
            let config = read.unwrap_or_else(|error| {
                found
                    .problem("config", error.to_string())
                    .fix("correct orch.toml; a new one beside it: orch init --force");
                Config::default()
            });
            if let Some(file) = &config.source {
                found.ok("config", file.display().to_string());
            } else if found.is_healthy() {
                found.ok("config", "no orch.toml; defaults hold (write one with: orch init)");
            }
            agents::names(&mut found, &config, repo.root.as_deref());
            agents::installed(&mut found, &config)?;
            repository::check(&mut found, place, repo, &config, args.fix);
            config
        }
        Err(error) => {
            found
                .problem("repository", error.to_string())
                .fix("cd into a repository, or: git init");
            agents::installed(&mut found, &Config::default())?;
            Config::default()
        }
    };
    machine::limits(&mut found, &config);
    let text =
        if args.json { report::doctor_json(&found) } else { report::doctor(&found, place.style()) };
    super::status::print(&text)?;
    Ok(ExitCode::from(u8::from(!found.is_healthy())))
}
