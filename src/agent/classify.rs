//! An error's words -> what kind of failure it is.
//!
//! The patterns are words real CLIs and providers print; each group is as narrow as its source allows. The
//! order matters: a usage limit also says "429", and a prompt that is too long also says "400".

use super::phrase;
use crate::model::FailureClass;

/// The class an HTTP status and an error text speak for, if they do.
pub(super) fn class_of(status: Option<u16>, text: &str) -> Option<FailureClass> {
    let lower = phrase::shorten(text, phrase::READ).to_lowercase().replace('’', "'");
    let says = |patterns: &[&str]| patterns.iter().any(|pattern| matches_in_order(&lower, pattern));
    let strong = GROUPS.iter().filter(|group| group.beats_status).find(|group| says(group.words));
    let weak = || GROUPS.iter().filter(|group| !group.beats_status).find(|group| says(group.words));
    strong
        .map(|group| group.class)
        .or_else(|| status.or_else(|| status_in(&lower)).and_then(class_of_status))
        .or_else(|| weak().map(|group| group.class))
}

/// The class the words of an error text speak for, numbers aside.
pub(super) fn class_by_words(lower: &str) -> Option<FailureClass> {
    let says = |group: &&Group| group.words.iter().any(|pattern| matches_in_order(lower, pattern));
    GROUPS.iter().find(says).map(|group| group.class)
}

/// Whether the parts of the pattern, separated by ` * `, stand in the text in this order.
fn matches_in_order(lower: &str, pattern: &str) -> bool {
    let mut rest = lower;
    pattern.split(" * ").all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

struct Group {
    class: FailureClass,
    /// Whether the words say more than a status code beside them.
    beats_status: bool,
    words: &'static [&'static str],
}

const GROUPS: &[Group] = &[
    Group {
        class: FailureClass::Refused,
        beats_status: true,
        words: &[
            "violate our usage policy",
            "violates our usage policy",
            "content_policy_violation",
            "content management policy",
            "content_filter",
            "prohibited_content",
        ],
    },
    Group {
        class: FailureClass::ContextTooLong,
        beats_status: true,
        words: &[
            "prompt is too long",
            "context_length_exceeded",
            "maximum context length",
            "context window",
            "context limit",
            "contextwindowexceeded",
            "input is too long",
            "input token count",
            "hit a token limit",
            "token limit exceeded",
            "exceeds the maximum number of tokens",
        ],
    },
    Group {
        class: FailureClass::Quota,
        beats_status: true,
        words: &[
            "usage limit",
            "credit balance",
            "quota exceeded",
            "quota_exceeded",
            "exceeded your current quota",
            "exhausted your daily quota",
            "exhausted your capacity",
            "insufficient_quota",
            "insufficient credits",
            "insufficient balance",
            "insufficient funds",
            "billing details",
            "billing_hard_limit",
            "out of credits",
            "purchase more credits",
            "you've hit your",
            "you've reached your",
            "weekly limit",
            "5-hour limit",
            "session limit reached",
            "spending limit",
            "payment required",
        ],
    },
    Group {
        class: FailureClass::SessionGone,
        beats_status: true,
        words: &["no conversation found", "no rollout found", "session not found"],
    },
    Group {
        class: FailureClass::MaxTurns,
        beats_status: true,
        words: &[
            "maximum number of turns",
            "reached max turns",
            "reached maximum budget",
            "max session turns",
            "maximum session turns",
            "turn limit",
            "reflections allowed, stopping",
        ],
    },
    Group {
        class: FailureClass::RateLimited,
        beats_status: false,
        words: &[
            "rate limit",
            "rate_limit",
            "ratelimit",
            "too many requests",
            "resource_exhausted",
        ],
    },
    Group {
        class: FailureClass::Auth,
        beats_status: false,
        words: &[
            "invalid api key",
            "invalid x-api-key",
            "invalid_api_key",
            "incorrect api key",
            "api key not valid",
            "api key not found",
            "no api key",
            "missing api key",
            "api key is required",
            "check your api key",
            "authentication failed",
            "authentication_failed",
            "authentication_error",
            "authenticationerror",
            "authentication required",
            "failed to authenticate",
            "not authenticated",
            "set an auth method",
            "no auth type is selected",
            "unauthorized",
            "unauthenticated",
            "not logged in",
            "please log in",
            "login required",
            "run /login",
            "token has expired",
            "token expired",
            "invalid credentials",
        ],
    },
    Group {
        class: FailureClass::Overloaded,
        beats_status: false,
        words: &[
            "overloaded",
            "at capacity",
            "high demand",
            "internal server error",
            "internalservererror",
            "service unavailable",
            "serviceunavailable",
            "bad gateway",
            "gateway timeout",
            "stream disconnected",
            "stream closed before",
            "apiconnectionerror",
            "connection error",
            "connection failed",
            "failed to lookup address",
            "name resolution",
            "connection refused",
            "connection reset",
            "econnrefused",
            "econnreset",
            "etimedout",
            "enotfound",
            "fetch failed",
            "request timed out",
        ],
    },
    Group {
        class: FailureClass::BadCommand,
        beats_status: false,
        words: &[
            "unknown option",
            "unknown argument",
            "unknown arguments",
            "unexpected argument",
            "unrecognized argument",
            "unrecognized option",
            "no such option",
            "invalid option",
            "unrecognized subcommand",
            "requires --verbose",
            "cannot be used with root",
            "cannot be used with",
            "session id * is already in use",
            "issue with the selected model",
            "does not exist or you do not have access",
            "model_not_found",
            "model not found",
            "modelnotfound",
            "command not found",
        ],
    },
];

/// What an HTTP status of a model's service means.
pub(super) fn class_of_status(status: u16) -> Option<FailureClass> {
    match status {
        401 | 403 => Some(FailureClass::Auth),
        402 => Some(FailureClass::Quota),
        413 => Some(FailureClass::ContextTooLong),
        429 => Some(FailureClass::RateLimited),
        408 | 500..=599 => Some(FailureClass::Overloaded),
        _ => None,
    }
}

/// The HTTP status a text names: three digits of their own, shortly after a word that announces one.
fn status_in(lower: &str) -> Option<u16> {
    const ANNOUNCE: [&str; 5] = ["status", "error", "code", "http", "rejected"];
    let bytes = lower.as_bytes();
    for at in 0..bytes.len().saturating_sub(2) {
        let alone = |byte: Option<&u8>| {
            byte.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'.' | b'-' | b'_'))
        };
        let before = at.checked_sub(1).and_then(|i| bytes.get(i));
        // A full stop may end the sentence after the code; a digit after it makes it a number.
        let after = match bytes.get(at + 3) {
            Some(b'.') => bytes.get(at + 4).filter(|b| b.is_ascii_digit()),
            other => other,
        };
        if !bytes[at..at + 3].iter().all(u8::is_ascii_digit) || !alone(before) || !alone(after) {
            continue;
        }
        let Some(status) = lower.get(at..at + 3).and_then(|digits| digits.parse().ok()) else {
            continue;
        };
        // `status":401`, `error: 401`, `last status: 429`, `request rejected (429)`.
        let reach: String = lower[..at].chars().rev().take(12).collect();
        let words: String = reach.chars().rev().collect();
        if class_of_status(status).is_some() && ANNOUNCE.iter().any(|word| words.contains(word)) {
            return Some(status);
        }
    }
    None
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
