use super::*;
use crate::model::FailureClass as C;

/// What compilers, tests and programs about services print when they fail.
const OF_A_PROGRAM: [&str; 26] = [
    "AssertionError: expected status 200, got status: 401",
    "test api::rate_limit_is_429 ... FAILED",
    "FAIL src/billing details page renders",
    "unresolved import context window",
    "error: unresolved import `context window`",
    "error: test failed, to rerun pass `--lib` (status 401)",
    "Error: 401",
    "Error: 403 Forbidden",
    "Error: Request failed with status code 429",
    "error: 500 tests failed",
    "Error: 401 is not 200",
    "Error: 400 too many requests",
    "Error: 404 model not found",
    "AssertionError: rate limit exceeded",
    "rate limit exceeded shows a banner (12 ms)",
    "  ✓ rate limit exceeded",
    "1) Invalid API key",
    "FAILED tests/test_auth.py::test_invalid_api_key - assert 401 == 200",
    "thread 'main' panicked at src/http.rs:401:5",
    "fatal: Authentication failed for 'https://example.com/x.git/'",
    "curl: (22) The requested URL returned error: 401",
    "curl: (7) Failed to connect to 127.0.0.1 port 80: Connection refused",
    "expected {\"type\":\"authentication_error\"}, got {}",
    "httpx.get returned 401",
    "HTTP 4010",
    "http 200",
];

/// What providers and their clients print.
const OF_A_SERVICE: [(&str, C); 26] = [
    ("API Error: 401 {\"type\":\"error\"}", C::Auth),
    ("[API Error: 429 slow down]", C::RateLimited),
    ("API Error: Request rejected (429) · Claude AI usage limit reached|1795264800", C::Quota),
    ("HTTP 401", C::Auth),
    ("HTTP/1.1 429 Too Many Requests", C::RateLimited),
    ("HTTP error 503: unavailable", C::Overloaded),
    ("error: 401 unauthorized", C::Auth),
    ("Error: 401 Incorrect API key provided: sk-x", C::Auth),
    ("Error: 429 You exceeded your current quota, see billing details", C::Quota),
    ("Error code: 401 - {'error': {'message': 'Incorrect API key provided'}}", C::Auth),
    ("openai.AuthenticationError: Error code: 401 - {}", C::Auth),
    ("litellm.RateLimitError: RateLimitError: OpenAIException - slow down", C::RateLimited),
    (
        "{\"type\":\"error\",\"error\":{\"type\": \"authentication_error\",\"message\":\"x\"}}",
        C::Auth,
    ),
    ("Error: {\"error\":{\"code\":\"context_length_exceeded\"}}", C::ContextTooLong),
    ("Error: 400 Your credit balance is too low to access the Anthropic API", C::Quota),
    ("Error code: 400 - {'error': {'code': 'context_length_exceeded'}}", C::ContextTooLong),
    ("Error: 529 {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", C::Overloaded),
    ("Invalid API key · Please run /login", C::Auth),
    ("Error: Invalid API key", C::Auth),
    ("Rate limit reached for gpt-5 in organization x", C::RateLimited),
    ("Rate limit exceeded. Please try again in 20s.", C::RateLimited),
    ("You’ve hit your usage limit. Upgrade to Pro", C::Quota),
    ("Claude AI usage limit reached|1795264800", C::Quota),
    ("Credit balance is too low", C::Quota),
    ("Prompt is too long: 250000 tokens > 200000 maximum", C::ContextTooLong),
    ("Overloaded", C::Overloaded),
];

#[test]
fn a_programs_words_are_no_error_of_a_service() {
    for dialect in [Dialect::Plain, Dialect::Codex, Dialect::Claude, Dialect::Aider] {
        for text in OF_A_PROGRAM {
            assert_eq!(class_of(dialect, text), None, "{dialect:?}: {text}");
        }
    }
}

#[test]
fn a_services_error_is_known_by_its_shape() {
    for dialect in [Dialect::Plain, Dialect::Codex, Dialect::Claude, Dialect::Aider] {
        for (text, class) in OF_A_SERVICE {
            assert_eq!(class_of(dialect, text), Some(class), "{dialect:?}: {text}");
            assert_eq!(class_of(Dialect::Shell, text), None, "{text}");
        }
    }
}

#[test]
fn only_a_known_program_is_believed_about_its_arguments() {
    for text in [
        "error: unknown option '--nosuchflag'",
        "Error: Session ID 89848c1a is already in use.",
        "--dangerously-skip-permissions cannot be used with root/sudo privileges",
    ] {
        assert_eq!(class_of(Dialect::Claude, text), Some(C::BadCommand), "{text}");
        assert_eq!(class_of(Dialect::Plain, text), None, "{text}");
    }
    let gone = "No conversation found with session ID: 0";
    assert_eq!(class_of(Dialect::Claude, gone), Some(C::SessionGone));
    assert_eq!(class_of(Dialect::Plain, gone), None);
    let limit = "Error: Reached max turns (3)";
    assert_eq!(class_of(Dialect::Claude, limit), Some(C::MaxTurns));
    assert_eq!(class_of(Dialect::Plain, limit), None);
    let retry = "Attempt 1 failed with status 429. Retrying with backoff...";
    assert_eq!(class_of(Dialect::Gemini, retry), Some(C::RateLimited));
    assert_eq!(class_of(Dialect::Codex, retry), None);
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_it(
        text in "(error: ?|http[ /]|[0-9]{1,4}|[ :.(|{\"éß“\\u{130}]|rate limit reached|\\PC){0,30}"
    ) {
        for dialect in [Dialect::Plain, Dialect::Codex, Dialect::Gemini] {
            let _ = class_of(dialect, &text);
        }
    }
}
