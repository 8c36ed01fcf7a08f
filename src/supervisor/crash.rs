//! Dying on purpose at a chosen place of the history, as `orch selftest` has a supervisor do.
//!
//! `ORCH_CRASH=after:7` ends the process with SIGKILL once record 7 of a run is in the journal,
//! `ORCH_CRASH=before:7` when it is about to be written: what it tells of has happened by then.

use crate::model::Recorded;

/// Where `ORCH_CRASH` says to die; read once for each ledger, nowhere else.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CrashPoint {
    before: Option<u64>,
    after: Option<u64>,
}

impl CrashPoint {
    pub(super) fn from_environment() -> Self {
        std::env::var("ORCH_CRASH").map_or_else(|_| Self::default(), |text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let number = |prefix: &str| text.strip_prefix(prefix).and_then(|n| n.parse().ok());
        Self { before: number("before:"), after: number("after:") }
    }

    /// The batch is about to be written.
    pub(super) fn before(self, batch: &[Recorded]) {
        die_if(self.before, batch);
    }

    /// The batch is in the journal.
    pub(super) fn after(self, batch: &[Recorded]) {
        die_if(self.after, batch);
    }
}

fn die_if(place: Option<u64>, batch: &[Recorded]) {
    if place.is_some_and(|n| batch.iter().any(|recorded| recorded.seq == n)) {
        crate::process::die();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_number_names_a_place() {
        let of = |text| {
            let point = CrashPoint::parse(text);
            (point.before, point.after)
        };
        assert_eq!(of("after:7"), (None, Some(7)));
        assert_eq!(of("before:12"), (Some(12), None));
        assert_eq!(of("after:"), (None, None));
        assert_eq!(of("7"), (None, None));
    }
}
