//! What the cases of the simulation reached, so that it can be seen that they reach what the rules are about.

use std::collections::BTreeMap;

/// How often what happened.
pub struct Tally(pub BTreeMap<&'static str, u32>);

impl Default for Tally {
    fn default() -> Self {
        let corners = [
            "crash",
            "adopted",
            "ended unseen",
            "gone",
            "cancel",
            "retry",
            "drain",
            "kill",
            "lost",
            "lost with the supervisor",
            "race",
            "retried",
            "waited",
            "succeeded",
            "failed",
            "cancelled",
            "interrupted",
            "pause",
            "jobs",
            "limited",
            "short",
            "limited elsewhere",
            "budget",
            "stalled",
            "out of memory",
            "met a limit",
            "lied about a limit",
            "misconfigured",
            "fell back",
            "went on with a session",
            "relented",
            "over budget",
            "overlap",
            "paused for another",
            "went on after another",
        ];
        Self(corners.into_iter().map(|corner| (corner, 0)).collect())
    }
}

impl Tally {
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }
}
