//! The commented `orch.toml` that `orch init` writes.
//!
//! `# text` explains, `#key = value` is a setting that is not made: taking away its `#` makes it. The
//! value is the default, or an example where the default is that nothing is set.

use super::Config;
use super::keys::{AGENT, BREAKERS, CONFLICTS, GITHUB, Key, LIMITS, SETUP, TOP, WORKTREES};
use std::fmt::Write as _;
use std::path::PathBuf;

/// An agent that is installed on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAgent {
    /// Its name in `agent = ...`.
    pub name: String,
    /// Where its program is.
    pub program: PathBuf,
}

/// The text of a configuration in which every key is explained and only what differs from the
/// defaults is set: the agent, where the default one was not found and another was, and the set-up
/// commands that were found. Agents come in order of preference.
#[must_use]
pub fn template(found: &[FoundAgent], setup: &[String]) -> String {
    let default = Config::default();
    let mut out = String::from(
        "# How orch works in this repository. Every key is optional.\n\
         # A line that begins with `#` and a letter is a setting with its default (or an example):\n\
         # take the `#` away and change it. The command line and a prompt's own front matter win.\n",
    );
    let agent = match found {
        [first, ..] if found.iter().all(|agent| agent.name != default.agent) => Some(first),
        _ => None,
    };
    for key in TOP {
        explain(&mut out, key);
        if key.name == "agent" {
            for agent in found {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "# Found here: {} ({})", agent.name, agent.program.display());
            }
        }
        match agent {
            Some(agent) if key.name == "agent" => make(&mut out, key.name, &literal(&agent.name)),
            _ => leave(&mut out, key),
        }
    }
    out.push_str("\n[setup]\n");
    for key in SETUP {
        explain(&mut out, key);
        if setup.is_empty() {
            leave(&mut out, key);
        } else {
            let commands: Vec<String> = setup.iter().map(|command| literal(command)).collect();
            make(&mut out, key.name, &format!("[{}]", commands.join(", ")));
        }
    }
    for (table, keys) in [
        ("worktrees", WORKTREES),
        ("conflicts", CONFLICTS),
        ("breakers", BREAKERS),
        ("limits", LIMITS),
        ("github", GITHUB),
    ] {
        let _ = writeln!(out, "\n[{table}]");
        for key in keys {
            explain(&mut out, key);
            leave(&mut out, key);
        }
    }
    out.push_str(
        "\n# An agent of your own, or changes to one that is built in (then every key is optional).\n\
         #[agents.my-agent]\n",
    );
    for key in AGENT {
        explain(&mut out, key);
        leave(&mut out, key);
    }
    out
}

fn explain(out: &mut String, key: &Key) {
    out.push('\n');
    for line in key.doc {
        let _ = writeln!(out, "# {line}");
    }
}

fn leave(out: &mut String, key: &Key) {
    let _ = writeln!(out, "#{} = {}", key.name, key.value);
}

fn make(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "{name} = {value}");
}

/// A text as TOML writes it.
fn literal(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
