use super::*;
use crate::agent::{Reader, find_builtin};
use crate::model::FailureClass as C;

fn profile(dialect: Dialect) -> AgentProfile {
    AgentProfile {
        name: "mine".to_owned(),
        command: vec!["prog".to_owned()],
        resume_command: None,
        prompt: crate::model::PromptDelivery::Arg,
        output: dialect,
        requires_changes: None,
        env: std::collections::BTreeMap::new(),
        model: None,
        fallback: None,
        waiting: Vec::new(),
    }
}

fn ended(code: Option<i32>, signal: Option<i32>) -> Ended {
    Ended {
        exit: Exit { code, signal },
        stopped: None,
        changed: Some(true),
        spawn_error: None,
        now: Timestamp(0),
    }
}

fn judged(profile: &AgentProfile, stdout: &str, stderr: &str, ended: Ended) -> Ending {
    let mut reader = Reader::new(profile);
    reader.feed(stdout.as_bytes());
    reader.feed_stderr(stderr.as_bytes());
    reader.finish(ended).ending
}

fn class(ending: &Ending) -> Option<C> {
    ending.failure().map(|failure| failure.class)
}

#[test]
fn a_plain_commands_exit_is_its_word() {
    let plain = profile(Dialect::Plain);
    let exit =
        |code, stdout, stderr| class(&judged(&plain, stdout, stderr, ended(Some(code), None)));
    assert_eq!(exit(0, "", ""), None);
    assert_eq!(exit(0, "error: 401 unauthorized, rate limit, usage limit", "fatal: 500"), None);
    assert_eq!(exit(1, "", ""), Some(C::Crashed));
    assert_eq!(exit(1, "", "error: 401 unauthorized"), Some(C::Auth));
    assert_eq!(exit(1, "You've hit your usage limit\n", ""), Some(C::Quota));
    assert_eq!(exit(2, "", "unknown option --x"), Some(C::Crashed));
    assert_eq!(exit(126, "", ""), Some(C::BadCommand));
    assert_eq!(exit(127, "", "sh: 1: foo: not found"), Some(C::BadCommand));
    assert_eq!(exit(129, "", "usage: git"), Some(C::Crashed));
    assert_eq!(exit(137, "", ""), Some(C::Killed));
}

#[test]
fn a_failing_tests_name_is_no_error_of_a_service() {
    let plain = profile(Dialect::Plain);
    for words in [
        "AssertionError: expected status 200, got status: 401",
        "test api::rate_limit_is_429 ... FAILED",
        "FAIL src/billing details page renders",
        "error: unresolved import context window",
    ] {
        for (stdout, stderr) in [(words, ""), ("", words)] {
            let ending = judged(&plain, stdout, stderr, ended(Some(1), None));
            let failure = ending.failure().unwrap();
            assert_eq!(failure.class, C::Crashed, "{words}");
            assert!(failure.message.contains(words), "{}", failure.message);
        }
    }
}

#[test]
fn a_plain_command_that_has_moved_on_is_not_judged_by_old_words() {
    let old = format!("error: 401 unauthorized\n{}", "compiling\n".repeat(20));
    let ending = judged(&profile(Dialect::Plain), &old, "", ended(Some(1), None));
    assert_eq!(class(&ending), Some(C::Crashed));
}

#[test]
fn a_plain_command_needs_a_change_only_where_the_profile_says_so() {
    let mut plain = profile(Dialect::Plain);
    let unchanged = || Ended { changed: Some(false), ..ended(Some(0), None) };
    assert_eq!(class(&judged(&plain, "", "", unchanged())), None);
    plain.requires_changes = Some(true);
    assert_eq!(class(&judged(&plain, "", "", unchanged())), Some(C::NoChanges));
    assert_eq!(class(&judged(&plain, "", "", ended(Some(0), None))), None);
    let mut claude = find_builtin("claude").unwrap().clone();
    claude.requires_changes = Some(false);
    let done = r#"{"type":"result","subtype":"success","is_error":false,"result":"looked"}"#;
    assert_eq!(class(&judged(&claude, done, "", unchanged())), None);
}

#[test]
fn a_success_that_ends_badly_is_none() {
    let claude = find_builtin("claude").unwrap();
    let done = r#"{"type":"result","subtype":"success","is_error":false,"result":"ok"}"#;
    let ending = judged(claude, done, "Error: lost", ended(Some(1), None));
    let failure = ending.failure().unwrap();
    assert_eq!(failure.class, C::Crashed);
    assert_eq!(failure.message, "reported success, then exited with 1: Error: lost");
    assert_eq!(class(&judged(claude, done, "", ended(None, Some(9)))), Some(C::Killed));
    assert_eq!(class(&judged(claude, done, "", ended(None, None))), Some(C::Interrupted));
}

#[test]
fn a_retry_that_was_the_last_thing_seen_gives_the_class() {
    let codex = find_builtin("codex").unwrap();
    let stuck =
        r#"{"type":"error","message":"Reconnecting... 1/5 (last status: 429 Too Many Requests)"}"#;
    assert_eq!(class(&judged(codex, stuck, "", ended(Some(1), None))), Some(C::RateLimited));
    // It went on: the retry is no reason any more.
    let went_on = format!(
        "{stuck}\n{}",
        r#"{"type":"item.completed","item":{"type":"agent_message","text":"x"}}"#
    );
    assert_eq!(class(&judged(codex, &went_on, "", ended(Some(1), None))), Some(C::Crashed));
    // Exit 0 is not believed, and the reason is told.
    let ending = judged(codex, stuck, "", ended(Some(0), None));
    let failure = ending.failure().unwrap();
    assert_eq!(failure.class, C::NoResult);
    assert!(failure.message.contains("429 Too Many Requests"), "{}", failure.message);
}

#[test]
fn a_run_that_was_held_up_is_advised_on_what_held_it_up() {
    let aider = find_builtin("aider").unwrap();
    let words = "stopped after its time limit of 5 s".to_owned();
    let limit = Stopped { reason: StopReason::Timeout, words };
    let stopped = Ended { stopped: Some(limit), ..ended(None, Some(9)) };
    let ending =
        judged(aider, "No LLM model was specified and no API keys were provided.\n", "", stopped);
    let failure = ending.failure().unwrap();
    assert_eq!(failure.class, C::Timeout);
    assert_eq!(
        failure.message,
        "stopped after its time limit of 5 s; its last error was: No LLM model was specified and no API keys \
         were provided."
    );
    assert!(failure.suggestion.as_deref().unwrap().contains("set the API key"), "{failure:?}");
}

#[test]
fn a_process_that_never_started_is_a_bad_command() {
    let claude = find_builtin("claude").unwrap();
    let ending = judged(
        claude,
        "",
        "",
        Ended { spawn_error: Some("No such file or directory".to_owned()), ..ended(None, None) },
    );
    let failure = ending.failure().unwrap();
    assert_eq!(failure.class, C::BadCommand);
    assert_eq!(failure.message, "cannot start claude: No such file or directory");
    assert!(failure.suggestion.as_deref().unwrap().contains("npm install -g"));
}

#[test]
fn a_message_shows_no_secret() {
    let stderr = "Error: 401 Incorrect API key provided: sk-proj-0123456789abcdef0123456789";
    let ending = judged(&profile(Dialect::Plain), "", stderr, ended(Some(1), None));
    let failure = ending.failure().unwrap();
    assert_eq!(failure.message, "Error: 401 Incorrect API key provided: sk-p…");
}

#[test]
fn a_limit_carries_the_time_it_lifts_and_says_so() {
    let stderr = "Rate limit reached. Please try again in 20s.";
    let ending = judged(&profile(Dialect::Plain), "", stderr, ended(Some(1), None));
    let failure = ending.failure().unwrap();
    assert_eq!(failure.retry_at, Some(Timestamp(20_000)));
    assert!(failure.suggestion.as_deref().unwrap().contains("1970-01-01T00:00:20"), "{failure:?}");
}

#[test]
fn a_limit_that_has_lifted_is_not_waited_for() {
    let stderr = "Claude AI usage limit reached|1795264800";
    let advice = |now: i64| {
        let ended = Ended { now: Timestamp(now), ..ended(Some(1), None) };
        let ending = judged(&profile(Dialect::Plain), "", stderr, ended);
        ending.failure().unwrap().suggestion.clone().unwrap()
    };
    let lifts = 1_795_264_800_000;
    assert_eq!(
        advice(lifts - 1),
        "it lifts at 2026-11-21T12:40:00.000Z; a run that waits goes on then, otherwise: orch retry"
    );
    for now in [lifts, lifts + 60_000] {
        assert_eq!(advice(now), "it lifted at 2026-11-21T12:40:00.000Z: run `orch retry`");
    }
}

#[test]
fn only_sigkill_is_blamed_on_memory() {
    let codex = find_builtin("codex").unwrap();
    let failure = |ended: Ended| judged(codex, "", "", ended).failure().cloned().unwrap();
    for (signal, says) in [
        (9, "ran out of memory"),
        (15, "signal 15 (SIGTERM) was not sent by orch"),
        (1, "signal 1 (SIGHUP) was not sent by orch"),
        (12, "signal 12 was not sent by orch"),
        (11, "signal 11 (SIGSEGV) means that it broke by itself"),
    ] {
        let by_signal = failure(ended(None, Some(signal)));
        assert_eq!(by_signal.class, C::Killed);
        let suggestion = by_signal.suggestion.unwrap();
        assert!(suggestion.contains(says), "{suggestion}");
        assert_eq!(suggestion.contains("memory"), signal == 9, "{suggestion}");
    }
    let by_code = failure(ended(Some(143), None)).suggestion.unwrap();
    assert!(by_code.contains("signal 15 (SIGTERM)"), "{by_code}");
    let nobody_knows = "{\"type\":\"result\",\"subtype\":\"error_during_execution\",\"is_error\":true,\
        \"terminal_reason\":\"aborted_streaming\"}";
    let claude = find_builtin("claude").unwrap();
    let interrupted = judged(claude, nobody_knows, "", ended(Some(1), None));
    let interrupted = interrupted.failure().unwrap();
    assert_eq!(interrupted.class, C::Killed);
    assert!(!interrupted.suggestion.as_deref().unwrap().contains("memory"), "{interrupted:?}");
}

#[test]
fn every_class_has_a_suggestion_for_every_agent() {
    let agents: Vec<&AgentProfile> = crate::agent::builtin().iter().collect();
    for agent in agents {
        for class in
            [C::Auth, C::Quota, C::BadCommand, C::PermissionDenied, C::Internal, C::Conflict]
        {
            let facts = suggest::Facts { lifts: None, now: Timestamp(0), signal: None };
            let text = suggest::suggestion(class, agent, &facts);
            assert!(text.len() > 10 && !text.contains('\n'), "{text}");
        }
    }
}
