//! How long to wait before an attempt is tried again: the one module that names the `backoff` crate,
//! which is unmaintained; replacing it is a change of this file.

use crate::model::Timestamp;
use backoff::backoff::Backoff;
use std::time::Duration;

/// First delay. Doubled each time, with half of it up or down as jitter (the policy of "Exponential
/// Backoff And Jitter", AWS Architecture Blog, 2015).
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(2);

/// When the attempt after `failures` failures may start: at the time that is `known`, where one is, with a
/// few seconds of jitter so that waiting tasks do not come back all at once.
#[must_use]
pub fn not_before(now: Timestamp, failures: u32, known: Option<Timestamp>) -> Timestamp {
    let mut policy = backoff::ExponentialBackoff {
        current_interval: FIRST,
        initial_interval: FIRST,
        multiplier: 2.0,
        randomization_factor: 0.5,
        max_interval: LONGEST,
        max_elapsed_time: None,
        ..backoff::ExponentialBackoff::default()
    };
    let mut delay = FIRST;
    for _ in 0..failures.clamp(1, 16) {
        delay = policy.next_backoff().unwrap_or(LONGEST);
    }
    match known {
        Some(lifts) if lifts > now => lifts.after(delay.min(FIRST * 2)),
        Some(_) => now,
        None => now.after(delay),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_stay_bounded() {
        let now = Timestamp(0);
        for failures in 0..40 {
            let delay = not_before(now, failures, None).since(now);
            assert!(delay >= FIRST / 2 && delay <= LONGEST * 2, "{failures}: {delay:?}");
        }
        assert!(not_before(now, 9, None).since(now) > FIRST * 3);
    }

    #[test]
    fn a_known_reset_time_is_believed() {
        let at = not_before(Timestamp(0), 1, Some(Timestamp(3_600_000)));
        assert!(at > Timestamp(3_600_000) && at < Timestamp(3_620_000), "{at}");
    }
}
