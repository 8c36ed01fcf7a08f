//! The only room that names rusqlite: the durable history of every run.
//!
//! Duty: events (the truth), projections of them (so that a status never replays), and where
//! everything lies on disk.
//! Promise: [`Turn::commit`] returns only after the events are on the disk; appending is optimistic:
//! a writer that has not seen the newest event is told so and must catch up first, so any number of
//! `orch` processes may write. A journal written by a newer version is refused, never touched.
//! A copy is one moment of it, and what replaces it does so in one step: never is there none.
//! Beside it the content cache: what was found in files, by their blobs; it may vanish at any time.
//! Never: interprets an event.

mod backup;
mod cache;
mod error;
mod finished;
mod layout;
mod look;
mod read;
mod salvage;
mod schema;
mod spec;
#[cfg(test)]
mod tests;
mod write;

pub use cache::{Cache, EntryKind};
pub use error::JournalError;
pub use finished::FinishedTask;
pub use layout::Layout;
pub use read::{Counts, TaskRef};
pub use write::{Journal, Projection, Turn};
