//! `[agents.NAME]`: an agent of one's own, or changes to one that is built in.

use super::keys::{AGENT, names};
use super::values::{Item, Reader};
use crate::model::nearest;
use crate::model::{Dialect, PromptDelivery};
use serde::de::value::{Error, StrDeserializer};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// How a prompt arrives, as the file spells it.
pub(super) const DELIVERIES: &[&str] = &["stdin", "arg", "file"];
/// What an agent's output means, as the file spells it.
pub(super) const DIALECTS: &[&str] =
    &["plain", "claude", "codex", "gemini", "qwen", "opencode", "aider", "shell"];
/// What an argument may contain.
const PLACEHOLDERS: &[&str] = &["prompt", "prompt_file", "worktree", "model", "session"];

/// What `[agents.NAME]` says: what is `None` (or empty) stays as it is built in. An agent that is not
/// built in needs a `command`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentOverride {
    /// Line of `orch.toml`, from 1, for messages of those who know what is built in.
    pub line: u32,
    /// Program and arguments, never empty, with `{prompt} {prompt_file} {worktree} {model} {session}`.
    pub command: Option<Vec<String>>,
    /// The same to go on with an earlier session.
    pub resume_command: Option<Vec<String>>,
    /// How the prompt arrives.
    pub prompt: Option<PromptDelivery>,
    /// What its output means.
    pub output: Option<Dialect>,
    /// Whether success needs a change in the worktree.
    pub requires_changes: Option<bool>,
    /// Added to its environment, and to what is built in.
    pub env: BTreeMap<String, String>,
    /// The model, when the prompt names none.
    pub model: Option<String>,
    /// The agent that takes over when this one cannot go on.
    pub fallback: Option<String>,
    /// What the last line of its output contains when it waits for an answer.
    pub waiting: Option<Vec<String>>,
}

/// Reads the table `[agents]`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
) -> BTreeMap<String, AgentOverride> {
    let mut agents = BTreeMap::new();
    for (name, value) in table {
        let key = name.get_ref();
        let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if key.is_empty() || key.starts_with('-') || !key.chars().all(usable) {
            let hint = "letters, digits, `_`, `-` and `.`, for example: [agents.my-agent]";
            reader.say(name.span().start, "this agent's name cannot be used", hint);
        } else if let DeValue::Table(table) = value.get_ref() {
            let line = reader.line(name.span().start);
            agents.insert(key.to_string(), read_one(reader, key, line, table));
        } else {
            let item = Item { key: "agents", value };
            reader.wrong(item, "a table for each agent", "[agents.my-agent]");
        }
    }
    agents
}

fn read_one(reader: &mut Reader<'_>, name: &str, line: u32, table: &DeTable<'_>) -> AgentOverride {
    let mut agent = AgentOverride { line, ..AgentOverride::default() };
    let place = format!("[agents.{name}]");
    for (key, value) in table {
        let Some(key) = reader.known(key, &names(AGENT), &place) else { continue };
        let item = Item { key, value };
        match key {
            "command" => {
                agent.command = reader.arguments(item, "[\"my-agent\", \"--yes\", \"{prompt}\"]");
            }
            "resume_command" => {
                let example = "[\"my-agent\", \"resume\", \"{session}\", \"{prompt}\"]";
                agent.resume_command = reader.arguments(item, example);
            }
            "prompt" => agent.prompt = reader.word(item, DELIVERIES).and_then(from_word),
            "output" => agent.output = reader.word(item, DIALECTS).and_then(from_word),
            "requires_changes" => agent.requires_changes = reader.truth(item),
            "env" => agent.env = reader.env(item),
            "waiting" => agent.waiting = reader.list(item, "[\"[y/n]\"]"),
            "model" => agent.model = reader.text(item, "\"opus\""),
            "fallback" => agent.fallback = reader.text(item, "\"codex\""),
            _ => reader.forgotten(item),
        }
    }
    if let (Some(command), Some(value)) = (&agent.command, table.get("command")) {
        check_placeholders(reader, value.span().start, command, agent.prompt);
    }
    agent
}

/// A misspelt placeholder would reach the agent as it is; a prompt file nobody names would be ignored.
fn check_placeholders(
    reader: &mut Reader<'_>,
    at: usize,
    command: &[String],
    delivery: Option<PromptDelivery>,
) {
    for argument in command {
        for word in argument.split('{').skip(1).filter_map(|rest| rest.split_once('}')) {
            let word = word.0;
            let is_word =
                !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if !is_word || PLACEHOLDERS.contains(&word) {
                continue;
            }
            if let Some(near) = nearest(word, PLACEHOLDERS) {
                let message = format!("unknown placeholder `{{{word}}}` in `command`");
                reader.say(at, message, format!("did you mean `{{{near}}}`?"));
            }
        }
    }
    let named = command.iter().any(|argument| argument.contains("{prompt_file}"));
    if delivery == Some(PromptDelivery::File) && !named {
        let message = "`prompt = \"file\"` needs `{prompt_file}` in `command`";
        reader.say(
            at,
            message,
            "for example: command = [\"my-agent\", \"--file\", \"{prompt_file}\"]",
        );
    }
}

/// The model's own reading of a word, so that there is one list of them.
pub(super) fn from_word<'a, T: serde::Deserialize<'a>>(word: &'a str) -> Option<T> {
    T::deserialize(StrDeserializer::<Error>::new(word)).ok()
}
