//! Looking at many things from time to time, all in one go: one waking of the processor instead of
//! hundreds.

use std::time::{Duration, SystemTime};

/// How long from now to the next multiple of `period` by the wall clock, the same moment for all who
/// ask with the same period. More than zero, and at most `period`.
#[must_use]
pub fn until_next(period: Duration) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let period_ms = period.as_millis().max(1);
    let left = period_ms - now.as_millis() % period_ms;
    Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_never_longer_than_the_period() {
        for ms in [1, 250, 1000, 4000] {
            let wait = until_next(Duration::from_millis(ms));
            assert!(!wait.is_zero() && wait <= Duration::from_millis(ms), "{ms}: {wait:?}");
        }
    }
}
