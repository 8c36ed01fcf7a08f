//! Asking a shim to stop its agent.
//!
//! The shim does the stopping: SIGTERM to the whole tree, a grace period, SIGKILL to the whole
//! tree. So a request is one signal to the shim, and it does not matter who sends it.

use super::{ProcessId, platform};
use nix::sys::signal::Signal;

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM, the attempt's grace period, SIGKILL. Asking twice shortens the grace to nothing.
    Gracefully,
    /// SIGKILL at once.
    Now,
}

/// A handle on a shim that can be kept beside the one that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopper {
    pub(super) shim: ProcessId,
}

impl Stopper {
    /// Passes the request on. `false` when the shim is gone already; its end is reported to
    /// whoever waits.
    pub fn stop(self, how: Stop) -> bool {
        let signal = match how {
            Stop::Gracefully => Signal::SIGTERM,
            Stop::Now => Signal::SIGQUIT,
        };
        let sent = platform::signal(self.shim, signal);
        // Somebody may have stopped the shim by hand.
        sent && platform::signal(self.shim, Signal::SIGCONT)
    }

    /// The shim.
    #[must_use]
    pub fn process(self) -> ProcessId {
        self.shim
    }
}
