//! Waiting for something to become true.

use std::thread;
use std::time::{Duration, Instant};

/// Far longer than anything here takes on a machine that is busy with something else: it bounds a
/// test that would hang, it does not time one.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(15);

/// Looks until `condition` holds.
///
/// # Panics
/// When it does not come true within [`PATIENCE`]; the message names `what`.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "waited {PATIENCE:?} in vain until {what}");
        thread::sleep(INTERVAL);
    }
}
