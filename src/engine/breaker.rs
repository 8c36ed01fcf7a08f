//! A circuit breaker: closed lets everything through, open nothing, half-open one attempt on trial.
//!
//! It is a fold over what attempts came to, so it outlives any supervisor, and it asks nobody for the time:
//! open becomes half-open by the time it is looked at.

use crate::model::{AttemptId, BreakerRule, BreakerState, BreakerView, Failure, Timestamp};
use std::time::Duration;

/// What the end of an attempt says about what a breaker guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// It works.
    Good,
    /// It may have failed; a few of these in a row open the breaker.
    Bad,
    /// It is limited until then.
    Limited(Timestamp),
    /// It will not work before a person did something.
    Broken,
    /// Nothing.
    Silent,
}

/// What a breaker lets through now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Everything.
    Closed,
    /// Nothing before that time.
    Open(Timestamp),
    /// Nothing before a person asks for it.
    Stays,
    /// One attempt.
    Trial,
    /// Nothing more: one is on trial.
    OnTrial,
}

/// The state of one breaker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// Set from when it opens until something succeeds.
    pub opened: Option<Opened>,
    /// The attempt that was let through since it opened.
    pub trial: Option<AttemptId>,
}

/// Since a breaker opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// When one attempt is let through.
    pub until: Timestamp,
    /// It is not, before a person asks.
    pub stays: bool,
    /// The latest time that was said to be the end of a limit. It lifts then, whatever else is wrong and
    /// whoever asks.
    pub limit: Option<Timestamp>,
    /// What opened it.
    pub why: Failure,
}

impl Breaker {
    /// What it lets through.
    #[must_use]
    pub fn gate(&self, now: Timestamp) -> Gate {
        match &self.opened {
            None => Gate::Closed,
            Some(opened) if opened.stays => Gate::Stays,
            Some(opened) if opened.until > now => Gate::Open(opened.until),
            Some(_) if self.trial.is_some() => Gate::OnTrial,
            Some(_) => Gate::Trial,
        }
    }

    /// What opened it, where it stays open until a person asks.
    #[must_use]
    pub fn stays(&self) -> Option<&Failure> {
        self.opened.as_ref().filter(|opened| opened.stays).map(|opened| &opened.why)
    }

    /// An attempt that it guards starts.
    pub(super) fn started(&mut self, attempt: &AttemptId) {
        if self.opened.is_some() && self.trial.is_none() {
            self.trial = Some(attempt.clone());
        }
    }

    /// An attempt that it guards ended. Whether it opened because of that.
    pub(super) fn ended(
        &mut self,
        attempt: &AttemptId,
        signal: Signal,
        why: Option<&Failure>,
        at: Timestamp,
        rule: BreakerRule,
    ) -> bool {
        let on_trial = self.trial.as_ref() == Some(attempt);
        if on_trial {
            self.trial = None;
        }
        let was_open = self.opened.is_some() && !on_trial;
        match signal {
            Signal::Silent => return false,
            // One that began before it opened says nothing about now.
            Signal::Good if was_open => return false,
            Signal::Good => *self = Self::default(),
            Signal::Bad => {
                self.failures = self.failures.saturating_add(1);
                if !was_open && (on_trial || self.failures >= rule.failures) {
                    let until = at.after(Duration::from_millis(rule.cool_down_ms));
                    self.open(until, false, why);
                }
            }
            Signal::Limited(until) => {
                self.failures = self.failures.saturating_add(1);
                self.limited(until, why);
            }
            Signal::Broken => {
                self.failures = self.failures.saturating_add(1);
                self.open(at, true, why);
            }
        }
        !was_open && self.opened.is_some()
    }

    /// What a request came to that it guards, where they are made one at a time: the first after it opened
    /// is the one on trial.
    pub(super) fn told(
        &mut self,
        signal: Signal,
        why: Option<&Failure>,
        at: Timestamp,
        rule: BreakerRule,
    ) {
        let request = AttemptId { task: "".into(), step: "".into(), number: 0 };
        self.trial = None;
        self.started(&request);
        self.ended(&request, signal, why, at, rule);
    }

    /// Nothing more until then, whoever learnt that.
    pub(super) fn limited(&mut self, until: Timestamp, why: Option<&Failure>) {
        let known = self.opened.as_ref().map(|opened| opened.until);
        match &mut self.opened {
            Some(opened) if opened.stays || known >= Some(until) => {
                opened.until = opened.until.max(until);
                opened.limit = opened.limit.max(Some(until));
            }
            _ => {
                self.open(until, false, why);
                if let Some(opened) = &mut self.opened {
                    opened.limit = opened.limit.max(Some(until));
                }
            }
        }
    }

    fn open(&mut self, until: Timestamp, stays: bool, why: Option<&Failure>) {
        let unknown = || Failure::new(crate::model::FailureClass::Internal, "unknown");
        let why = why.cloned().unwrap_or_else(unknown);
        let limit = self.opened.as_ref().and_then(|opened| opened.limit);
        let until = limit.map_or(until, |limit| limit.max(until));
        self.opened = Some(Opened { until, stays, limit, why });
    }

    /// It lets nothing through before a person asks, though the time is known.
    pub(super) fn stay(&mut self) {
        if let Some(opened) = &mut self.opened {
            opened.stays = true;
        }
    }

    /// A person asked for something that it guards, and may have mended it. A limit lifts when it lifts.
    pub(super) fn asked(&mut self, at: Timestamp) {
        if let Some(opened) = &mut self.opened {
            opened.stays = false;
            let lifts = opened.limit.map_or(at, |limit| limit.max(at));
            opened.until = opened.until.min(lifts);
        }
    }

    /// It at a glance, as of `now`.
    #[must_use]
    pub fn view(&self, name: String, now: Timestamp) -> BreakerView {
        let (state, retry_at) = match self.gate(now) {
            Gate::Closed => (BreakerState::Closed, None),
            Gate::Open(until) => (BreakerState::Open, Some(until)),
            Gate::Stays => (BreakerState::Open, None),
            Gate::Trial | Gate::OnTrial => (BreakerState::HalfOpen, None),
        };
        let reason = self.opened.as_ref().map(|o| format!("{}: {}", o.why.class, o.why.message));
        BreakerView { name, state, failures: self.failures, retry_at, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureClass;

    const RULE: BreakerRule = BreakerRule { failures: 3, cool_down_ms: 100 };

    fn id(number: u32) -> AttemptId {
        AttemptId { task: "t".into(), step: "s".into(), number }
    }

    fn plays(breaker: &mut Breaker, number: u32, signal: Signal, at: i64) {
        let why = Failure::new(FailureClass::Overloaded, "busy");
        breaker.started(&id(number));
        breaker.ended(&id(number), signal, Some(&why), Timestamp(at), RULE);
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut b = Breaker::default();
        for (n, signal) in [(1, Signal::Bad), (2, Signal::Bad), (3, Signal::Good)] {
            plays(&mut b, n, signal, 0);
        }
        plays(&mut b, 4, Signal::Bad, 1);
        plays(&mut b, 5, Signal::Bad, 2);
        assert_eq!(b.gate(Timestamp(2)), Gate::Closed);
        plays(&mut b, 6, Signal::Bad, 3);
        assert_eq!(b.gate(Timestamp(3)), Gate::Open(Timestamp(103)));
        assert_eq!(b.gate(Timestamp(103)), Gate::Trial);
    }

    #[test]
    fn one_attempt_is_on_trial_and_decides() {
        let open = || {
            let mut b = Breaker::default();
            (1..=3).for_each(|n| plays(&mut b, n, Signal::Bad, 0));
            b.started(&id(4));
            b
        };
        let mut b = open();
        assert_eq!(b.gate(Timestamp(200)), Gate::OnTrial);
        b.ended(&id(4), Signal::Silent, None, Timestamp(201), RULE);
        assert_eq!(b.gate(Timestamp(201)), Gate::Trial, "it said nothing: another one");
        plays(&mut b, 5, Signal::Bad, 300);
        assert_eq!(b.gate(Timestamp(300)), Gate::Open(Timestamp(400)), "one failure is enough");
        let mut b = open();
        b.ended(&id(3), Signal::Good, None, Timestamp(201), RULE);
        assert_eq!(b.gate(Timestamp(201)), Gate::OnTrial, "one that began before says nothing");
        b.ended(&id(4), Signal::Good, None, Timestamp(202), RULE);
        assert_eq!(b, Breaker::default());
    }

    #[test]
    fn a_limit_is_believed_and_a_person_does_not_shorten_it() {
        let mut b = Breaker::default();
        plays(&mut b, 1, Signal::Limited(Timestamp(5_000)), 10);
        plays(&mut b, 2, Signal::Limited(Timestamp(4_000)), 11);
        b.asked(Timestamp(20));
        assert_eq!(b.gate(Timestamp(20)), Gate::Open(Timestamp(5_000)));
    }

    #[test]
    fn what_a_person_must_mend_waits_for_a_person() {
        let mut b = Breaker::default();
        plays(&mut b, 1, Signal::Broken, 10);
        plays(&mut b, 2, Signal::Limited(Timestamp(50)), 11);
        assert_eq!(b.gate(Timestamp(i64::MAX)), Gate::Stays);
        b.asked(Timestamp(20));
        assert_eq!(b.gate(Timestamp(20)), Gate::Open(Timestamp(50)), "the limit is still known");
        assert_eq!(b.gate(Timestamp(50)), Gate::Trial);
    }
}
