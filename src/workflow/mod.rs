//! Workflows: YAML in, the steps of a task out.
//!
//! Duty: the workflows shipped with the binary and a repository's own (`.orch/workflows/NAME.yaml`),
//! and turning one into the steps of a given task.
//! Promise: a workflow that leaves a phase unaccounted for is refused before anything starts (G13);
//! a step that cannot apply comes out with its reason, never silently absent.
//! Never: runs anything. What a task's type says in a change log is here too ([`changelog`]).

pub mod changelog;
mod file;
mod steps;

pub use file::{Workflow, WorkflowError};
pub use steps::StepInputs;
