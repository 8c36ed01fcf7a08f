//! `orch`: `make -j` for coding agents.
//!
//! The package is `orch-cli`; this library holds everything, and the binary only calls [`cli::main`]. Its
//! interface is the command line: what is public here is public for the rooms, the tests and the benches.
//! ARCHITECTURE.md follows one task through the house.
//!
//! Imports only ever point down, never sideways, and `tests/architecture` fails on one that does not:
//!
//! ```text
//! cli
//! report
//! supervisor
//! engine                                   (pure: sees only model, plan and workflow)
//! analysis  plan  workflow
//! config  prompt  git  process  agent  forge  journal
//! model
//! ```
//!
//! - [`model`]: the nouns everyone shares: ids, tasks and steps, events and actions, outcomes and failures.
//!   Plain data; what is serialised here is what the journal keeps.
//! - [`config`]: `orch.toml` at the repository's root, its defaults, every problem with its line, and the
//!   commented file that `orch init` writes.
//! - [`prompt`]: a Markdown file becomes a prompt: front matter, title, fenced code, and whether it is marked
//!   as done.
//! - [`git`]: repositories, worktrees and their pool, commits, merges in memory, landing, cleaning, the
//!   graveyard. The only room that names git2 or starts the git executable for the user's repository.
//! - [`process`]: shims, identities, locks, signals, process trees, logs. The only room with `unsafe` and with
//!   anything that differs between operating systems.
//! - [`agent`]: agents as data: how each CLI is started and given its prompt, what its output means, and
//!   what proves that it is done.
//! - [`forge`]: GitHub: issues, pull requests, checks, reviews, merging, within its limits. The only room that
//!   names octocrab.
//! - [`journal`]: the durable history of every run (events, and the projections that `orch status` reads),
//!   and where everything lies on disk. The only room that names rusqlite.
//! - [`analysis`]: a prompt and the files of the base commit become the paths the task will touch, with the
//!   lines that say so, and its type and size.
//! - [`plan`]: what each task touches becomes conflicts, an order, waves and an estimate.
//! - [`workflow`]: YAML becomes the steps of a task; what cannot apply comes out with its reason.
//! - [`engine`]: the pure core. `apply` folds an event into the state, `decide` says what to do about the
//!   state; no I/O, no clock, no randomness.
//! - [`supervisor`]: the loop that joins engine and world: does the actions, observes what becomes of them,
//!   records both, takes over what an earlier supervisor left, lands and cleans.
//! - [`report`]: everything a person or a script sees, as folds over the same facts.
//! - [`cli`]: one file a command: arguments in, calls, a view out, an exit code.
pub mod agent;
pub mod analysis;
pub mod cli;
pub mod config;
pub mod engine;
pub mod forge;
pub mod git;
pub mod journal;
pub mod model;
pub mod plan;
pub mod process;
pub mod prompt;
pub mod report;
pub mod supervisor;
pub mod workflow;
