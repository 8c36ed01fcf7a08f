//! GitHub, the only room that will name octocrab.
//!
//! Duty: issues, pull requests and their merging, on the repository that a remote names.
//! Promise: nothing here yet; until there is, the steps that need a forge are recorded as skipped with
//! that reason.
//! Never: a token in a log, in the journal or in an agent's environment.
