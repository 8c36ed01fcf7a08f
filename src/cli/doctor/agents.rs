//! Agents and workflows: named, found, of which version, logged in.

use super::super::context::runtime;
use super::super::error::CliError;
use crate::agent;
use crate::config::Config;
use crate::model::{AgentProfile, shell_word};
use crate::process;
use crate::report::Findings;
use crate::supervisor::profiles;
use crate::workflow::Workflow;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Programs that need a runtime of their own to start print their version within a second.
const VERSION: Duration = Duration::from_secs(10);

/// What the configuration names must exist.
pub(super) fn names(found: &mut Findings, config: &Config, root: Option<&Path>) {
    match profiles(config) {
        Ok(all) if !all.contains_key(&config.agent) => {
            let known: Vec<&str> = all.keys().map(String::as_str).collect();
            found
                .problem("config", format!("agent = \"{}\": there is no such agent", config.agent))
                .fix(format!(
                    "in orch.toml, name one of {}, or add [agents.{}]",
                    known.join(", "),
                    config.agent
                ));
        }
        Ok(_) => {}
        Err(error) => {
            found.problem("config", error.to_string()).fix("correct [agents] in orch.toml");
        }
    }
    if let (Some(name), Some(root)) = (&config.workflow, root)
        && let Err(error) = Workflow::load(name, root)
    {
        found
            .problem("config", format!("workflow = \"{name}\": {error}"))
            .fix(format!("write .orch/workflows/{name}.yaml, or remove the line"));
    }
}

/// What is installed: each agent that can be found, and the one that is used must be.
pub(super) fn installed(found: &mut Findings, config: &Config) -> Result<(), CliError> {
    let all: Vec<AgentProfile> = profiles(config)
        .map_or_else(|_| agent::builtin().to_vec(), |all| all.into_values().collect());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let place = |profile: &AgentProfile| agent::find_on_path(profile, &path, process::can_run);
    let (here, missing): (Vec<_>, Vec<_>) =
        all.into_iter().map(|profile| (place(&profile), profile)).partition(|(at, _)| at.is_some());
    let here: Vec<(PathBuf, AgentProfile)> =
        here.into_iter().filter_map(|(at, profile)| Some((at?, profile))).collect();
    let versions = runtime()?.block_on(async {
        let asked: Vec<_> = here
            .iter()
            .map(|(at, profile)| tokio::spawn(version(at.clone(), agent::version_args(profile))))
            .collect();
        let mut out = Vec::new();
        for answer in asked {
            out.push(answer.await.ok().flatten());
        }
        out
    });
    for ((at, profile), version) in here.iter().zip(versions) {
        let asked = agent::version_args(profile);
        if version.is_none() && !asked.is_empty() {
            let text = format!("{} ({}) does not tell its version", profile.name, at.display());
            let by_hand = shell_word(&at.display().to_string());
            // A command of the user's own need not know the question.
            let found = if profile.name == config.agent
                && agent::find_builtin(&profile.name) == Some(profile)
            {
                found.problem("agent", text)
            } else {
                found.note("agent", text)
            };
            found.fix(format!("see what it says: {by_hand} {}", asked.join(" ")));
            continue;
        }
        let version = version.map_or(String::new(), |version| format!(" {version}"));
        let text = format!("{}{version} ({})", profile.name, at.display());
        match credentials(profile) {
            Credentials::In(what) => found.ok("agent", format!("{text}, credentials: {what}")),
            Credentials::Missing => {
                let fix = agent::login_hint(profile).unwrap_or("log in with its own command");
                found.note("agent", format!("{text}, no credentials found here")).fix(fix);
            }
            Credentials::Unknown => found.ok("agent", text),
        }
    }
    for (_, profile) in missing {
        let hint = agent::install_hint(&profile);
        if profile.name == config.agent {
            found
                .problem(
                    "agent",
                    format!("{}, the agent of this repository, is not on PATH", profile.name),
                )
                .fix(hint.unwrap_or("install it, or name another in orch.toml: agent = \"...\""));
        } else {
            let finding = found.note("agent", format!("{} is not on PATH", profile.name));
            if let Some(hint) = hint {
                finding.fix(hint);
            }
        }
    }
    Ok(())
}

/// The first line of what the program says to `--version`.
async fn version(program: PathBuf, args: Vec<String>) -> Option<String> {
    if args.is_empty() {
        return None;
    }
    let mut command = tokio::process::Command::new(program);
    command.args(args).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let out = tokio::time::timeout(VERSION, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).take(60).collect())
}

/// Whether credentials are where an agent keeps them. Nothing is read and nobody asked.
enum Credentials {
    /// In this variable or file.
    In(&'static str),
    Missing,
    /// It is not known where they would be.
    Unknown,
}

fn credentials(profile: &AgentProfile) -> Credentials {
    let places = agent::credentials(profile);
    if places.is_empty() {
        return Credentials::Unknown;
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let is_there = |place: &&String| match place.strip_prefix("~/") {
        Some(file) => home.join(file).is_file(),
        None => {
            profile.env.contains_key(*place)
                || std::env::var_os(place).is_some_and(|value| !value.is_empty())
        }
    };
    places.iter().find(is_there).map_or(Credentials::Missing, |place| Credentials::In(place))
}
