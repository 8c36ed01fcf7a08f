//! Whether a line of text is a service's error, told by its shape and not by words inside it.
//!
//! In text the error of a provider stands beside what a compiler, a test or the model wrote, and a test may well
//! be called `rate_limit_is_429`. A wrong class is worse than none: it stops retries and gives false advice. So a
//! line counts only when it *begins* as errors of providers do; anything else is left to the exit code.

use super::{classify, phrase};
use crate::model::{Dialect, FailureClass};

/// The class that a line of text speaks for, if its shape is that of an error.
pub(super) fn class_of(dialect: Dialect, line: &str) -> Option<FailureClass> {
    if dialect == Dialect::Shell {
        // A command without a model has no service.
        return None;
    }
    let lower = phrase::shorten(line, phrase::READ).to_lowercase().replace('’', "'");
    let lower = lower.trim_start_matches(|c: char| c == '[' || c.is_whitespace());
    of_a_service(lower).or_else(|| match dialect {
        Dialect::Plain | Dialect::Shell => None,
        _ => of_the_cli(dialect, lower),
    })
}

/// Errors of providers, as their APIs and their own clients print them.
fn of_a_service(lower: &str) -> Option<FailureClass> {
    if CLIENTS.iter().any(|client| lower.starts_with(client)) {
        return classify::class_of(None, lower).filter(|class| is_of_a_service(*class));
    }
    if let Some(rest) = after_http(lower) {
        return status_at(rest).and_then(|(status, _)| classify::class_of_status(status));
    }
    let said = after_announcement(lower).unwrap_or(lower);
    if said.starts_with('{') {
        return code_in(said);
    }
    if said.len() < lower.len()
        && let Some((status, words)) = status_at(said)
    {
        // Any web application answers `Error: 401`: the words must be a provider's for the same thing.
        let meant = code_in(words).or_else(|| classify::class_by_words(words))?;
        return same_trouble(meant, status).then_some(meant);
    }
    SENTENCES
        .iter()
        .find(|(_, sentences)| sentences.iter().any(|sentence| opens_with(said, sentence)))
        .map(|(class, _)| *class)
}

/// What the dialect's own program says of its arguments, its limits and its connection. No command of the model
/// writes to its standard error, but its logs do, so it must be announced.
fn of_the_cli(dialect: Dialect, lower: &str) -> Option<FailureClass> {
    let gemini = matches!(dialect, Dialect::Gemini | Dialect::Qwen);
    if gemini && (lower.starts_with("attempt ") || lower.starts_with("status: ")) {
        return classify::class_of(None, lower).filter(|class| is_of_a_service(*class));
    }
    let said = after_announcement(lower);
    let own = said.or_else(|| {
        let option = lower.starts_with("--");
        let known = CLI_SENTENCES.iter().any(|sentence| lower.starts_with(sentence));
        (option || known).then_some(lower)
    })?;
    if status_at(own).is_some() {
        return None;
    }
    classify::class_by_words(own).filter(|class| {
        matches!(
            class,
            FailureClass::BadCommand
                | FailureClass::SessionGone
                | FailureClass::MaxTurns
                | FailureClass::Refused
                | FailureClass::Overloaded
        )
    })
}

/// The classes that a provider's error may have.
fn is_of_a_service(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::Auth
            | FailureClass::RateLimited
            | FailureClass::Quota
            | FailureClass::Overloaded
            | FailureClass::ContextTooLong
    )
}

/// Whether a provider answers with this status when it means that. A prompt that is too long and an empty
/// account are also said with 400 (Anthropic, `OpenAI`), an exhausted quota with 429 and 403 too.
fn same_trouble(meant: FailureClass, status: u16) -> bool {
    match meant {
        FailureClass::ContextTooLong => matches!(status, 400 | 413),
        FailureClass::Quota => matches!(status, 400 | 402 | 403 | 429),
        _ => is_of_a_service(meant) && classify::class_of_status(status) == Some(meant),
    }
}

/// What follows `error:` at the beginning of a line.
fn after_announcement(lower: &str) -> Option<&str> {
    ["error:", "fatal error:", "error code:"]
        .iter()
        .find_map(|announcement| lower.strip_prefix(announcement))
        .map(str::trim_start)
}

/// What follows `HTTP`, with or without a version, at the beginning of a line.
fn after_http(lower: &str) -> Option<&str> {
    let rest = lower.strip_prefix("http")?;
    let rest = rest.strip_prefix('/').map_or(rest, |version| {
        version.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
    });
    let rest = rest.strip_prefix(' ')?;
    Some(rest.strip_prefix("error ").unwrap_or(rest))
}

/// The HTTP status of an error that a text begins with, and what follows it.
fn status_at(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(3)?;
    let status = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    let ends = rest.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '_');
    (ends && (400..600).contains(&status)).then_some((status, rest))
}

/// The code in the body of a provider's answer.
fn code_in(json: &str) -> Option<FailureClass> {
    let compact: String = json.chars().filter(|c| !c.is_whitespace()).collect();
    let says = |code: &str| {
        ["type", "code", "status"]
            .iter()
            .any(|key| compact.contains(&format!("\"{key}\":\"{code}\"")))
    };
    CODES.iter().find(|(_, codes)| codes.iter().any(|code| says(code))).map(|(class, _)| *class)
}

/// Whether the text begins with the sentence, and the sentence is over there or goes on as such sentences do:
/// `rate limit reached for gpt-5`, and not `rate limit reached shows a banner ... ok`.
fn opens_with(text: &str, sentence: &str) -> bool {
    let Some(rest) = text.strip_prefix(sentence) else { return false };
    let goes_on = [" for ", " by ", " provided", " on ", " (", " ·", " -", " |"];
    rest.is_empty()
        || rest.starts_with(['.', ',', ':', ';', '!', '|'])
        || goes_on.iter().any(|words| rest.starts_with(words))
}

/// How clients of models' services begin an error; the rest of such a line is theirs.
const CLIENTS: [&str; 7] = [
    "api error:",
    "failed to authenticate. api error",
    "error when talking to gemini api",
    "openai.",
    "anthropic.",
    "litellm.",
    "google.api_core.exceptions.",
];

/// The `type`, `code` or `status` of an error, as Anthropic, `OpenAI` and Google document them.
const CODES: [(FailureClass, &[&str]); 5] = [
    (
        FailureClass::Quota,
        &["insufficient_quota", "billing_error", "billing_hard_limit_reached", "quota_exceeded"],
    ),
    (FailureClass::ContextTooLong, &["context_length_exceeded", "request_too_large"]),
    (
        FailureClass::Auth,
        &["authentication_error", "permission_error", "invalid_api_key", "unauthenticated"],
    ),
    (FailureClass::RateLimited, &["rate_limit_error", "rate_limit_exceeded", "resource_exhausted"]),
    (FailureClass::Overloaded, &["overloaded_error"]),
];

/// How their sentences for people begin.
const SENTENCES: [(FailureClass, &[&str]); 5] = [
    (
        FailureClass::Quota,
        &[
            "usage limit reached",
            "claude ai usage limit reached",
            "session limit reached",
            "weekly limit reached",
            "5-hour limit reached",
            "you've hit your limit",
            "you've hit your usage limit",
            "you've hit your session limit",
            "you've hit your weekly limit",
            "you've reached your usage limit",
            "you have hit your usage limit",
            "you have reached your usage limit",
            "you exceeded your current quota",
            "quota exceeded",
            "credit balance is too low",
            "your credit balance is too low",
            "your credit balance is too low to access the anthropic api",
            "insufficient credits",
        ],
    ),
    (
        FailureClass::ContextTooLong,
        &["prompt is too long", "input is too long", "input is too long for requested model"],
    ),
    (
        FailureClass::Auth,
        &[
            "invalid api key",
            "invalid x-api-key",
            "incorrect api key",
            "missing api key",
            "no api key",
            "api key not valid",
            "oauth token has expired",
            "not logged in",
            "please run /login",
            "no llm model was specified and no api keys were provided",
            "the api provider is not able to authenticate you",
        ],
    ),
    (
        FailureClass::RateLimited,
        &["rate limit exceeded", "rate limit reached", "rate limited", "too many requests"],
    ),
    (FailureClass::Overloaded, &["overloaded", "the model is overloaded"]),
];

/// How a known program's own refusals begin where it does not announce them.
const CLI_SENTENCES: [&str; 3] =
    ["no conversation found with session id", "no rollout found", "session id "];

#[cfg(test)]
#[path = "text_error_tests.rs"]
mod tests;
