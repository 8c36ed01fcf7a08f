//! The pure core: `apply` folds an event into the state, `decide` says what to do about the state.
//!
//! Promise: level-triggered and idempotent. `decide` looks at the whole state, never at what just
//! happened, so resuming after a crash is the same loop started on a journal that is not empty; an
//! action's intent is in the state before the action happens, so deciding again never doubles it.
//! Never: I/O, a clock, randomness. Time enters as an argument or inside events.

mod agents;
mod breaker;
mod budget;
mod decide;
mod derive;
mod follow_up;
mod forge;
mod holds;
mod merging;
mod overlap;
mod progress;
pub mod queue;
mod retry;
mod signal;
mod state;
#[cfg(test)]
mod tests;
mod view;

pub use agents::AgentRecord;
pub use breaker::{Breaker, Gate, Opened};
pub use budget::Budget;
pub use decide::{decide, next_wakeup};
pub use derive::{Standing, Standings};
pub use follow_up::{FOLLOW_UP_VERIFY, FollowUps, Followed};
pub use forge::{Forged, PullRequest, Wanted};
pub use holds::Holds;
pub use merging::{Landing, Merging, RESOLVE, Resolving};
pub use overlap::Overlap;
pub use progress::{Attempt, Beginning, Merged, Step, StepState, TaskProgress};
pub use retry::{Again, Verdict, retry_verdict};
pub use state::State;
