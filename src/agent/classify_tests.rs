use super::*;
use crate::model::FailureClass as C;

#[test]
fn words_and_codes_have_their_class() {
    for (text, class) in [
        ("Invalid API key · Fix external API key", C::Auth),
        ("OAuth token has expired", C::Auth),
        ("Please set an Auth method in your settings.json", C::Auth),
        ("Error: 403 Forbidden", C::Auth),
        ("unexpected status 401 Unauthorized", C::Auth),
        ("{\"error\":{\"code\":401,\"message\":\"x\"}}", C::Auth),
        ("API Error: Request rejected (429) · slow down", C::RateLimited),
        ("Rate limit reached for gpt-5", C::RateLimited),
        ("exceeded retry limit, last status: 429 Too Many Requests", C::RateLimited),
        ("429 RESOURCE_EXHAUSTED", C::RateLimited),
        ("API Error: Request rejected (429) · Claude AI usage limit reached|1795264800", C::Quota),
        ("You’ve hit your usage limit.", C::Quota),
        (
            "429 You exceeded your current quota, please check your plan and billing details",
            C::Quota,
        ),
        ("Error code: 402", C::Quota),
        ("Prompt is too long · the request is ~250000 tokens", C::ContextTooLong),
        ("This model's maximum context length is 8192 tokens", C::ContextTooLong),
        ("http 400: input is too long for requested model", C::ContextTooLong),
        ("API Error: 529 Overloaded", C::Overloaded),
        ("HTTP 503.", C::Overloaded),
        ("connect ECONNREFUSED 127.0.0.1:443", C::Overloaded),
        ("error: unexpected argument '--foo' found", C::BadCommand),
        ("Error: Session ID 89848c1a is already in use.", C::BadCommand),
        ("Reached max turns (3)", C::MaxTurns),
        ("appears to violate our Usage Policy", C::Refused),
    ] {
        assert_eq!(class_of(None, text), Some(class), "{text}");
    }
}

#[test]
fn ordinary_words_have_none() {
    for text in [
        "",
        "address 127.0.0.1:3000 is already in use",
        "test result: FAILED. 401 passed; 1 failed",
        "error on line 500",
        "error[E0429]: imports",
        "status 4290",
        "failed 1.500 s",
        "version 4.0.1-401",
        "thread 'main' panicked at src/main.rs:403:5",
        "the limit of the sequence",
        "wrote 529 files",
        "日本語 error",
    ] {
        assert_eq!(class_of(None, text), None, "{text}");
    }
}

#[test]
fn a_status_counts_unless_the_words_say_more() {
    assert_eq!(class_of(Some(429), "try later"), Some(C::RateLimited));
    assert_eq!(class_of(Some(400), "Credit balance is too low"), Some(C::Quota));
    assert_eq!(class_of(Some(400), "bad request"), None);
    assert_eq!(class_of(Some(529), "rate limit"), Some(C::Overloaded));
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_it(text in "(error|status|code|[0-9]{1,5}|[ :.(|éß“\\u{130}]|usage limit|\\PC){0,30}") {
        let _ = class_of(None, &text);
    }
}
