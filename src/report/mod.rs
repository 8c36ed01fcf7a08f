//! Views: pure functions from events, state and plans to text.
pub mod plan;
