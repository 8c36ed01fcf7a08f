//! What the policies must come to, written down a second time and another way: a breaker as four phases,
//! fed with what happened.

use orch::model::{
    AttemptEnd, AttemptId, BreakerRule, Exit, FailureClass as C, OnLimit, Policy, StepKind,
    StopReason,
};

/// What an end says about what a breaker guards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Says {
    Works,
    Fails,
    LimitedUntil(i64),
    Misconfigured,
    Nothing,
}

/// A limit that has just lifted by its own word, and how long it is waited for then, milliseconds.
const SLACK: i64 = 600_000;
const LATE: i64 = 60_000;

/// Whether the service had no room, and did not say until when.
pub fn is_busy(end: &AttemptEnd, policy: &Policy) -> bool {
    let class = end.ending.failure().map(|failure| failure.class);
    matches!(class, Some(C::RateLimited | C::Overloaded)) && policy.on_limit != OnLimit::Stop
}

/// As `[breakers]` documents it, for an agent that tells how it ended.
pub fn says_of_agent(end: &AttemptEnd, stopping: Option<StopReason>, at: i64) -> Says {
    let Some(failure) = end.ending.failure() else { return Says::Works };
    match (stopping, failure.class, failure.retry_at) {
        (Some(_), ..) => Says::Nothing,
        (_, C::RateLimited | C::Quota, Some(until)) if until.0 > at => Says::LimitedUntil(until.0),
        (_, C::RateLimited | C::Quota, Some(until)) if at - until.0 <= SLACK => {
            Says::LimitedUntil(at + LATE)
        }
        (_, C::Auth | C::Quota, _) => Says::Misconfigured,
        (_, C::BadCommand, _) if end.exit == Some(Exit::default()) => Says::Misconfigured,
        (_, C::RateLimited | C::Overloaded | C::Crashed | C::NoResult, _) => Says::Fails,
        (_, C::ContextTooLong | C::MaxTurns | C::PermissionDenied | C::Refused, _) => Says::Works,
        _ => Says::Nothing,
    }
}

/// Whether it met a limit that it says the end of.
pub fn is_limited(end: &AttemptEnd, stopping: Option<StopReason>, at: i64) -> bool {
    matches!(says_of_agent(end, stopping, at), Says::LimitedUntil(_))
}

pub fn says_of_execution(end: &AttemptEnd, kind: &StepKind, stopping: Option<StopReason>) -> Says {
    match (end.ending.failure().map(|f| f.class), stopping) {
        (None, _) if kind.is_process() => Says::Works,
        (Some(C::VerifyFailed), None) => Says::Works,
        (Some(C::SetupFailed | C::Git | C::Internal), None) => Says::Fails,
        _ => Says::Nothing,
    }
}

/// The phase of a breaker.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Closed,
    /// Nothing before that time; later, one on trial.
    Until(i64),
    /// Nothing before a person asks, and not before that time even then.
    Person(i64),
}

/// What the rules know of a breaker.
#[derive(Clone, Debug)]
pub struct Reference {
    phase: Phase,
    in_a_row: u32,
    trial: Option<AttemptId>,
    /// The last time that was said to be the end of a limit.
    limit: i64,
}

impl Default for Reference {
    fn default() -> Self {
        Self { phase: Phase::Closed, in_a_row: 0, trial: None, limit: 0 }
    }
}

impl Reference {
    /// Whether an attempt may start.
    pub fn admits(&self, now: i64) -> Result<(), String> {
        match self.phase {
            Phase::Closed => Ok(()),
            Phase::Until(until) if now < until => Err(format!("open until {until}")),
            Phase::Person(_) => Err("open until a person asks".to_owned()),
            Phase::Until(_) => match &self.trial {
                Some(trial) => Err(format!("half-open, and {trial} is on trial")),
                None => Ok(()),
            },
        }
    }

    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    pub fn starts(&mut self, attempt: &AttemptId) {
        if !self.is_closed() && self.trial.is_none() {
            self.trial = Some(attempt.clone());
        }
    }

    /// Whether it opened by this.
    pub fn ends(&mut self, attempt: &AttemptId, says: Says, at: i64, rule: BreakerRule) -> bool {
        let on_trial = self.trial.as_ref() == Some(attempt);
        if on_trial {
            self.trial = None;
        }
        let is_news = self.is_closed() || on_trial;
        let cool = i64::try_from(rule.cool_down_ms).unwrap_or(i64::MAX);
        match says {
            Says::Nothing => false,
            Says::Works => {
                if is_news {
                    *self = Self::default();
                }
                false
            }
            Says::Fails => {
                self.in_a_row += 1;
                let opens = is_news && (on_trial || self.in_a_row >= rule.failures);
                if opens {
                    self.phase = Phase::Until((at + cool).max(self.limit));
                }
                opens
            }
            Says::LimitedUntil(until) => {
                self.in_a_row += 1;
                self.limited(until);
                is_news
            }
            Says::Misconfigured => {
                self.in_a_row += 1;
                self.phase = Phase::Person(self.limit.max(at));
                is_news
            }
        }
    }

    pub fn limited(&mut self, until: i64) {
        self.limit = self.limit.max(until);
        self.phase = match self.phase {
            Phase::Closed => Phase::Until(until),
            Phase::Until(other) => Phase::Until(other.max(until)),
            Phase::Person(other) => Phase::Person(other.max(until)),
        };
    }

    /// The run is to stop at a limit.
    pub fn stop(&mut self) {
        if let Phase::Until(until) = self.phase {
            self.phase = Phase::Person(until);
        }
    }

    pub fn person_asks(&mut self, at: i64) {
        let lifts = self.limit.max(at);
        self.phase = match self.phase {
            Phase::Closed => Phase::Closed,
            Phase::Until(until) | Phase::Person(until) => Phase::Until(until.min(lifts)),
        };
    }
}
