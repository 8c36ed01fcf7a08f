//! What others ask of a shim, by signal.

use crate::process::{ProcessError, Stop};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that a shim acts upon.
pub(super) struct Requests {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    quit: Signal,
    child: Signal,
}

/// Something to look at.
pub(super) enum Request {
    Stop(Stop),
    /// A child's state changed.
    Child,
}

impl Requests {
    pub(super) fn listen() -> Result<Self, ProcessError> {
        let take = |kind| signal(kind).map_err(ProcessError::io("listen for signals"));
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hangup: take(SignalKind::hangup())?,
            quit: take(SignalKind::quit())?,
            child: take(SignalKind::child())?,
        })
    }

    /// The next one. Nothing is lost when it is dropped and asked again.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.quit.recv() => Request::Stop(Stop::Now),
            _ = self.terminate.recv() => Request::Stop(Stop::Gracefully),
            _ = self.interrupt.recv() => Request::Stop(Stop::Gracefully),
            _ = self.hangup.recv() => Request::Stop(Stop::Gracefully),
            _ = self.child.recv() => Request::Child,
        }
    }
}
