//! `orch.toml` at the repository's root -> [`Config`].
//!
//! Duty: reads and checks the configuration, writes the commented file of `orch init`, and finds out
//! how a fresh worktree of this repository is set up.
//! Promise: the file is optional and every key has a default that works. What it says is either
//! understood or an error with file, line, what was expected and the nearest known key; all problems
//! are found at once. The file of `orch init` has every key.
//! Never: reads the environment or the command line, or knows which agents and workflows exist; names
//! in the configuration are checked by those who use them.

mod agents;
mod breakers;
mod decompose;
mod defaults;
mod keys;
mod load;
mod problem;
mod setup;
mod template;
mod values;

pub use agents::AgentOverride;
pub use decompose::Decompose;
pub use defaults::{Config, GitHub};
pub use load::{FILE, MAX_BYTES};
pub use problem::ConfigError;
pub use setup::{Recipe, detect_setup};
pub use template::{FoundAgent, template};

#[cfg(test)]
mod tests;

#[cfg(test)]
mod template_tests;
