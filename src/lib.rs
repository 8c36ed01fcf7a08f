//! `orch`: `make -j` for coding agents.
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
