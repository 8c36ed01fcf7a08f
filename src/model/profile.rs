//! An agent as data: how to start it and how to understand it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the prompt reaches the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptDelivery {
    /// Written to its standard input, which is then closed.
    Stdin,
    /// Substituted for `{prompt}` in an argument (or appended as the last one); stdin is `/dev/null`.
    #[default]
    Arg,
    /// Its path substituted for `{prompt_file}`; stdin is `/dev/null`.
    File,
}

/// The language of an agent's standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Text; the exit code is all there is.
    #[default]
    Plain,
    /// Claude Code, `--output-format stream-json` (or `json`); qwen speaks it too.
    Claude,
    /// Codex, `exec --json`.
    Codex,
    /// Gemini CLI, `--output-format stream-json`.
    Gemini,
    /// Qwen Code: claude's dialect with qwen's own habits.
    Qwen,
    /// opencode, `run --format json`.
    Opencode,
    /// Aider's text.
    Aider,
    /// The prompt's fenced `sh` blocks, run by `orch` itself.
    Shell,
}

/// How to start an agent and what proves that it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentProfile {
    /// Its name in `agent:` and `--agent`.
    pub name: String,
    /// Program and arguments, with `{prompt} {prompt_file} {worktree} {model} {session}`.
    /// An argument whose placeholder has no value is dropped together with the flag before it.
    pub command: Vec<String>,
    /// The same to go on with an earlier session, named by `{session}`, where that takes other arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_command: Option<Vec<String>>,
    /// How the prompt arrives.
    pub prompt: PromptDelivery,
    /// What its output means.
    pub output: Dialect,
    /// Whether success needs a change in the worktree. `None`: yes for agents with a model behind them
    /// (every dialect but `plain` and `shell`).
    pub requires_changes: Option<bool>,
    /// Added to its environment.
    pub env: BTreeMap<String, String>,
    /// The model, when the prompt names none.
    pub model: Option<String>,
    /// The agent that takes over when this one hangs, cannot log in or start, or (as the run's policy
    /// has it) meets a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// What the last line of its output contains when it waits for an answer (upper and lower case alike).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
}

impl AgentProfile {
    /// Whether a session of it can be continued.
    #[must_use]
    pub fn continues_sessions(&self) -> bool {
        let names = |argument: &String| argument.contains("{session}");
        self.resume_command.is_some() || self.command.iter().any(names)
    }
}
