//! Agents as data: how each CLI is started, handed its prompt, and understood.
//!
//! What an agent is lives in `profiles.toml` (and in the user's configuration); what its output means
//! lives in one file per dialect, `claude`, `codex`, `gemini`, `qwen`, `opencode`, `aider`, `plain`,
//! `shell`, which all write into one `Account`. `verdict` turns the account, the exit and what the
//! worktree shows into an ending, and is the only place that calls anything a success.
//!
//! Promises: an exit code alone is never proof for an agent with a model behind it; once the attempt was
//! stopped nothing the agent says counts; any bytes, cut anywhere and fed in any chunks, give the same
//! verdict without panicking and in bounded memory; no message shown carries something like an API key.
//!
//! Never: starts a process, reads a clock, or touches git. Besides the embedded profiles it reads nothing;
//! it writes only the block files of the shell agent, into the attempt's own directory.

mod account;
mod activity;
mod aider;
mod briefing;
mod classify;
mod claude;
mod codex;
mod environment;
mod error;
mod gemini;
mod launch;
mod lines;
mod opencode;
mod phrase;
mod placeholder;
mod plain;
mod profiles;
mod qwen;
mod reader;
mod resets;
mod shell;
mod suggest;
mod tail;
mod text_error;
#[cfg(test)]
mod transcripts;
mod verdict;

pub use briefing::{Briefing, NEIGHBOURS, Neighbour, Previous, compose, compose_continuation};
pub use environment::{Variables, inherited_to_remove};
pub use error::AgentError;
pub use launch::{Launch, LaunchContext, launch};
pub use phrase::mask;
pub use profiles::{
    builtin, credentials, find_builtin, find_on_path, install_hint, login_hint, requires_changes,
    validate, version_args,
};
pub use reader::{Progress, Reader};
pub use shell::ShellBlock;
pub use verdict::{Ended, Stopped, Verdict};
