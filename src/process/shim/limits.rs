//! When an attempt's time is up.

use crate::model::StopReason;
use crate::process::spec::ShimSpec;
use std::time::Duration;
use tokio::time::Instant;

/// The two time limits of an attempt.
pub(super) struct Limits {
    end: Option<Instant>,
    idle: Option<Duration>,
    last_active: Instant,
}

impl Limits {
    pub(super) fn new(spec: &ShimSpec, now: Instant) -> Self {
        // A limit beyond what the clock can count is no limit.
        let end = spec.timeout_ms.and_then(|ms| now.checked_add(Duration::from_millis(ms)));
        let idle = spec.idle_timeout_ms.map(Duration::from_millis);
        Self { end, idle, last_active: now }
    }

    /// It printed something, or its processes computed.
    pub(super) fn active(&mut self, now: Instant) {
        self.last_active = now;
    }

    /// The next time to look.
    pub(super) fn next(&self) -> Option<Instant> {
        let idle = self.idle.and_then(|idle| self.last_active.checked_add(idle));
        self.end.into_iter().chain(idle).min()
    }

    /// The limit that has been reached.
    pub(super) fn reached(&self, now: Instant) -> Option<StopReason> {
        if self.end.is_some_and(|end| now >= end) {
            return Some(StopReason::Timeout);
        }
        let idle = self.idle.is_some_and(|idle| now.duration_since(self.last_active) >= idle);
        idle.then_some(StopReason::IdleTimeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn limits(timeout_ms: Option<u64>, idle_timeout_ms: Option<u64>) -> (Limits, Instant) {
        let now = Instant::now();
        let spec = ShimSpec {
            argv: vec![],
            cwd: "/".into(),
            env: BTreeMap::new(),
            env_remove: vec![],
            stdin: None,
            timeout_ms,
            idle_timeout_ms,
            grace_ms: 0,
            log_cap: 0,
        };
        (Limits::new(&spec, now), now)
    }

    #[test]
    fn activity_postpones_the_idle_limit_and_not_the_other() {
        let (mut limits, start) = limits(Some(1000), Some(400));
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(limits.next(), Some(at(400)));
        limits.active(at(300));
        assert_eq!(limits.reached(at(699)), None);
        assert_eq!(limits.reached(at(700)), Some(StopReason::IdleTimeout));
        limits.active(at(999));
        assert_eq!(limits.next(), Some(at(1000)));
        assert_eq!(limits.reached(at(1000)), Some(StopReason::Timeout));
    }

    #[test]
    fn a_limit_of_centuries_is_none() {
        let (limits, start) = limits(Some(u64::MAX), Some(u64::MAX));
        assert_eq!(limits.reached(start + Duration::from_secs(1 << 20)), None);
    }
}
