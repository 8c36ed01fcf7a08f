//! Ctrl-C at the supervisor.
//!
//! SIGTSTP and SIGHUP are left alone: a stopped or hung-up supervisor harms nobody, because shims
//! live in sessions of their own.

use super::ProcessError;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the person (or the system, shutting down) wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The first time: start nothing new, let what runs finish.
    Drain,
    /// From the second time on: stop what runs.
    Kill,
}

/// Ends this process as `kill -9` does: nothing is flushed, dropped or tidied up.
pub fn die() -> ! {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    // Nothing comes back from that; where it were refused, this is as abrupt.
    std::process::abort()
}

/// SIGINT and SIGTERM, counted.
#[derive(Debug)]
pub struct Signals {
    int: Signal,
    term: Signal,
    seen: bool,
}

impl Signals {
    /// Takes the two signals over from now on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn listen() -> Result<Self, ProcessError> {
        let take = |kind| signal(kind).map_err(ProcessError::io("listen for signals"));
        Ok(Self {
            int: take(SignalKind::interrupt())?,
            term: take(SignalKind::terminate())?,
            seen: false,
        })
    }

    /// The next request. Nothing is lost when it is dropped and asked again.
    pub async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
        }
        if std::mem::replace(&mut self.seen, true) { Interrupt::Kill } else { Interrupt::Drain }
    }
}
