//! `orch doctor`.

use super::context::Place;
use super::error::CliError;
use crate::git::Features;
use crate::process::SupervisorLock;
use crate::report::bytes;
use std::fmt::Write;
use std::process::ExitCode;

/// Check what orch depends on here, and say what to do about what is amiss
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  orch doctor")]
pub(super) struct Args {}

/// What was found: `ok`, a remark, or something to mend.
struct Findings {
    text: String,
    broken: bool,
}

impl Findings {
    fn ok(&mut self, what: &str, found: &str) {
        let _ = writeln!(self.text, "✓ {what:<11} {found}");
    }

    fn note(&mut self, what: &str, found: &str) {
        let _ = writeln!(self.text, "- {what:<11} {found}");
    }

    fn bad(&mut self, what: &str, found: &str) {
        self.broken = true;
        let _ = writeln!(self.text, "✗ {what:<11} {found}");
    }
}

pub(super) fn run(place: &Place, _: &Args) -> Result<ExitCode, CliError> {
    let mut found = Findings { text: String::new(), broken: false };
    found.ok("orch", env!("CARGO_PKG_VERSION"));
    match std::process::Command::new("git").arg("--version").output() {
        Ok(out) => found.ok("git", String::from_utf8_lossy(&out.stdout).trim()),
        Err(error) => found.bad("git", &format!("cannot be started: {error}; install git")),
    }
    let jobs = crate::process::default_jobs();
    found.ok("machine", &jobs.explanation);
    agents(&mut found);
    match place.world() {
        Ok((world, config)) => {
            repository(&mut found, &world);
            found.ok(
                "config",
                &config.source.map_or_else(
                    || "no orch.toml; defaults hold (write one with: orch init)".to_owned(),
                    |file| file.display().to_string(),
                ),
            );
        }
        Err(error) => found.bad("repository", &error.to_string()),
    }
    super::status::print(&found.text)?;
    Ok(ExitCode::from(u8::from(found.broken)))
}

fn agents(found: &mut Findings) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut missing = Vec::new();
    for profile in crate::agent::builtin() {
        match crate::agent::find_on_path(profile, &path, crate::process::can_run) {
            Some(place) => found.ok("agent", &format!("{} ({})", profile.name, place.display())),
            None => missing.push(profile.name.as_str()),
        }
    }
    if !missing.is_empty() {
        found.note("agent", &format!("not on PATH: {}", missing.join(", ")));
    }
}

fn repository(found: &mut Findings, world: &crate::supervisor::World) {
    found.ok("repository", &world.repo.common_dir.display().to_string());
    match world.repo.identity() {
        Ok(identity) => found.ok("identity", &format!("{} <{}>", identity.name, identity.email)),
        Err(error) => found.bad("identity", &error.to_string()),
    }
    match world.repo.head() {
        Ok(head) => match Features::detect(&world.repo, &head.oid) {
            Ok(features) if features.through_git() => {
                for feature in features.found {
                    found.note("worktrees", &format!("through git: {}", feature.reason));
                }
            }
            Ok(_) => found.ok("worktrees", "made in parallel"),
            Err(error) => found.bad("worktrees", &error.to_string()),
        },
        Err(error) => found.bad("HEAD", &error.to_string()),
    }
    let pool = world.worktrees.pool_entries();
    let size: u64 = pool.iter().map(|entry| entry.bytes).sum();
    found.ok("pool", &format!("{} worktrees ready ({})", pool.len(), bytes(size)));
    match world.journal().and_then(|journal| Ok(journal.check()?)) {
        Ok(None) => found.ok("journal", &world.layout.journal().display().to_string()),
        Ok(Some(damage)) => {
            found.bad("journal", &format!("damaged: {damage}; keep a copy, then report it"));
        }
        Err(error) => found.bad("journal", &error.to_string()),
    }
    match SupervisorLock::holder(&world.layout.supervisor_lock()) {
        Some(holder) => found.note("supervisor", &format!("process {} is at work", holder.pid)),
        None => found.ok("supervisor", "none at work"),
    }
}
