//! An attempt whose shim is our child.

use super::recover::{Adopted, Settled, settle};
use super::{ProcessError, ShimResult, Stop, Stopper};
use std::path::{Path, PathBuf};
use tokio::process::Child;

/// How an attempt's processes ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Finished {
    /// The shim reported.
    Done(ShimResult),
    /// The shim died without a report. Nothing of the attempt is left.
    Lost {
        /// Processes that had to be ended.
        survivors_ended: usize,
    },
}

/// An attempt started by this process. Dropping it does not end anything.
#[derive(Debug)]
pub struct Running {
    pub(super) child: Child,
    pub(super) dir: PathBuf,
    pub(super) stopper: Stopper,
}

impl Running {
    /// The shim's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.stopper.shim.pid
    }

    /// The attempt's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A handle that can stop the attempt while another task waits.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper
    }

    /// See [`Stopper::stop`].
    pub fn stop(&self, how: Stop) -> bool {
        self.stopper.stop(how)
    }

    /// Waits until nothing of the attempt is left.
    ///
    /// # Errors
    /// When the result cannot be read, or processes survive SIGKILL.
    pub async fn wait(mut self) -> Result<Finished, ProcessError> {
        if self.child.wait().await.is_err() {
            // Whoever started us had SIGCHLD ignored, and the kernel keeps no status then.
            return Adopted { dir: self.dir, stopper: self.stopper }.wait().await;
        }
        match ShimResult::read(&self.dir)? {
            Some(result) => Ok(Finished::Done(result)),
            None => settle_elsewhere(self.dir).await,
        }
    }
}

/// [`settle`] on a thread where it may block.
pub(super) async fn settle_elsewhere(dir: PathBuf) -> Result<Finished, ProcessError> {
    let settled = tokio::task::spawn_blocking(move || settle(&dir))
        .await
        .map_err(|e| ProcessError::io("clean up after a shim")(e.into()))??;
    Ok(match settled {
        Settled::Finished(result) => Finished::Done(result),
        Settled::NeverStarted => Finished::Lost { survivors_ended: 0 },
        Settled::Lost { survivors_ended } => Finished::Lost { survivors_ended },
    })
}
