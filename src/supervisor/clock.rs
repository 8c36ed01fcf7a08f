//! The only place that asks what time it is.

use crate::model::Timestamp;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock, whatever somebody did to it. For comparing with what other processes wrote down.
#[must_use]
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 is as good as none.
    Timestamp(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}

/// The time of a run: the wall clock, but it never goes back, and never slower than time passes. So a wait
/// that was recorded ends when it should, also if the clock is set back meanwhile. (Set forward, or woken from
/// sleep, waits end early: an attempt too soon costs less than a night of waiting.)
#[must_use]
pub fn now() -> Timestamp {
    steady(|clock| clock.now(wall(), Instant::now()))
}

/// A run goes on whose last event is of that time: no later one is earlier.
pub(super) fn not_before(latest: Timestamp) {
    steady(|clock| {
        let now = clock.now(wall(), Instant::now());
        clock.last = Some((now.max(latest), Instant::now()));
    });
}

/// The time of the run at what the wall clock calls `at`: the two differ once the clock was set back.
pub(super) fn from_wall(at: Timestamp) -> Timestamp {
    at.after(now().since(wall()))
}

/// What the wall clock shows at the time `at` of the run: for others to read.
pub(super) fn to_wall(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_sub(from_wall(at).0.saturating_sub(at.0)))
}

/// By how much the time of the run went ahead of the time that passed, since this was asked last: somebody set
/// the clock, or the machine slept.
pub(super) fn set_ahead() -> Option<Duration> {
    let ahead = steady(|clock| {
        clock.now(wall(), Instant::now());
        std::mem::take(&mut clock.ahead)
    });
    (!ahead.is_zero()).then_some(ahead)
}

fn steady<T>(ask: impl FnOnce(&mut Steady) -> T) -> T {
    static CLOCK: Mutex<Steady> = Mutex::new(Steady { last: None, ahead: Duration::ZERO });
    // Nothing is half done when a holder panics.
    ask(&mut CLOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// What was answered last, and when that was.
#[derive(Debug, Default)]
struct Steady {
    last: Option<(Timestamp, Instant)>,
    /// Steps forward that nobody asked for yet.
    ahead: Duration,
}

impl Steady {
    /// Less is a clock that is kept right.
    const STEP: Duration = Duration::from_secs(10);

    fn now(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        let passed = |(time, then): (Timestamp, Instant)| -> Timestamp {
            time.after(at.checked_duration_since(then).unwrap_or(Duration::ZERO))
        };
        let least = self.last.map(passed);
        match least {
            // Less than a millisecond that is dropped each time would add up.
            Some(least) if least >= wall => least,
            least => {
                let step = least.map_or(Duration::ZERO, |least| wall.since(least));
                if step >= Self::STEP {
                    self.ahead += step;
                }
                self.last = Some((wall, at));
                wall
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_read_is_by_the_wall_clock() {
        let at = Timestamp(wall().0 + 3_600_000);
        let there = to_wall(from_wall(at));
        // The clock goes on meanwhile.
        assert!((there.0 - at.0).abs() < 60_000, "{at} {there}");
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_a_wait() {
        let (mut clock, began) = (Steady::default(), Instant::now());
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let hour = 3_600_000;
        assert_eq!(clock.now(Timestamp(10 * hour), at(0)), Timestamp(10 * hour));
        // Set back by an hour: time goes on.
        assert_eq!(clock.now(Timestamp(9 * hour), at(1)), Timestamp(10 * hour + 1_000));
        assert_eq!(clock.now(Timestamp(9 * hour + 59_000), at(60)), Timestamp(10 * hour + 60_000));
        // Set right again, or forward: it is believed.
        assert_eq!(clock.now(Timestamp(11 * hour), at(61)), Timestamp(11 * hour));
        assert_eq!(clock.now(Timestamp(11 * hour), at(62)), Timestamp(11 * hour + 1_000));
        assert_eq!(clock.ahead, Duration::from_secs(3_600 - 61));
    }
}
