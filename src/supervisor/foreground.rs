//! Processes that a command waits for by itself, outside of the loop: stopped on Ctrl-C, and found again by
//! the next command where that one was killed.

use super::SupervisorError;
use crate::process::{
    self, Finished, Interrupt, Recovery, ShimResult, ShimSpec, Signals, Stop, Stopper,
};
use std::path::Path;

/// Waits for something; on Ctrl-C what it waits for is stopped, and it is an error.
pub(super) async fn or_interrupted<T>(
    stoppers: &[Stopper],
    waiting: impl Future<Output = Result<T, SupervisorError>>,
) -> Result<T, SupervisorError> {
    let mut signals = Signals::listen()?;
    let mut waiting = std::pin::pin!(waiting);
    let mut interrupted = false;
    loop {
        tokio::select! {
            ended = &mut waiting => {
                return if interrupted { Err(SupervisorError::Interrupted) } else { ended };
            }
            how = signals.next() => {
                interrupted = true;
                let how = if how == Interrupt::Drain { Stop::Gracefully } else { Stop::Now };
                for stopper in stoppers {
                    stopper.stop(how);
                }
            }
        }
    }
}

/// Starts something in the directory of its attempt and waits for its end.
pub(super) async fn run(dir: &Path, shim: &ShimSpec) -> Result<Finished, SupervisorError> {
    let running = process::start(dir, shim).await?;
    let stoppers = vec![running.stopper()];
    or_interrupted(&stoppers, async { Ok(running.wait().await?) }).await
}

/// The result of what another process began there; waits for it where it still runs. `None`: there is none,
/// and nothing of it is left.
pub(super) async fn finished(dir: &Path) -> Result<Option<ShimResult>, SupervisorError> {
    Ok(match recover(dir).await? {
        Recovery::Finished(result) => Some(result),
        Recovery::Alive(adopted) => {
            let stoppers = vec![adopted.stopper()];
            match or_interrupted(&stoppers, async { Ok(adopted.wait().await?) }).await? {
                Finished::Done(result) => Some(result),
                Finished::Lost { .. } => None,
            }
        }
        Recovery::NeverStarted | Recovery::Lost { .. } => None,
    })
}

/// Ends what another process left running there.
pub(super) async fn end(dir: &Path) -> Result<(), SupervisorError> {
    if let Recovery::Alive(adopted) = recover(dir).await? {
        adopted.stop(Stop::Now);
        adopted.wait().await?;
    }
    Ok(())
}

async fn recover(dir: &Path) -> Result<Recovery, SupervisorError> {
    let place = dir.to_owned();
    let recovered = tokio::task::spawn_blocking(move || process::recover(&place)).await;
    Ok(recovered.map_err(|error| {
        SupervisorError::io(format!("look at {}", dir.display()))(std::io::Error::other(error))
    })??)
}
