//! Hermetic repositories, scripted agents, and the binary under test.
//!
//! Promise: a [`Sandbox`] has its own HOME, git configuration and temporary directory, sees nothing
//! of the machine's, and takes every process that was started in it along when it goes.
//! Never: a blind sleep. Tests wait for a condition ([`wait_until`]) and scripted agents for a gate.

mod agents;
pub mod github;
mod leaks;
mod run;
mod sandbox;
mod snapshot;
mod wait;

pub use run::{Finished, Running, task};
pub use sandbox::Sandbox;
pub use wait::wait_until;
