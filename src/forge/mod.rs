//! GitHub, the only room that names octocrab.
//!
//! Duty: which repository a remote is, where a token comes from, and the requests that issues, pull
//! requests, their checks and their merging take.
//! Promise: an answer is either understood or an error of a known class (credentials, not found, refused,
//! limited until a time, down); a limit is obeyed; what creates something is sent once, and an error says
//! whether it may have happened all the same; one write at a time, at a pace that GitHub allows.
//! Never: stores, prints or logs a token; decides what should exist (the supervisor does), or repeats a
//! request that may have changed something.

mod checks;
mod client;
mod discussion;
mod error;
mod graphql;
mod issues;
mod limits;
mod pulls;
mod repository;
mod reviews;
mod token;

pub use checks::{Annotation, Check, CheckRun, CheckState, Checks};
pub use client::{Access, Calls, Forge};
pub use discussion::{Discussion, Remark, Speaker, Thread, Verdict};
pub use error::ForgeError;
pub use issues::Issue;
pub use pulls::{Merging, Method, NewPull, Pull, PullState};
pub use repository::{Facts, Place, Slug};
pub use reviews::Review;
pub use token::{TOKEN_VARIABLES, Token};
