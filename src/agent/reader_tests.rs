use super::*;
use crate::agent::find_builtin;
use crate::model::{Ending, Exit, FailureClass, Timestamp, Tokens};
use std::path::Path;

fn reader(agent: &str) -> Reader {
    Reader::new(find_builtin(agent).unwrap()).in_time_zone(TimeZone::UTC)
}

fn exited(code: i32) -> Ended {
    Ended {
        exit: Exit { code: Some(code), signal: None },
        stopped: None,
        changed: Some(true),
        spawn_error: None,
        now: Timestamp(0),
    }
}

fn recorded(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/transcripts");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Every different activity the live view would show, in order.
fn activities(agent: &str, name: &str) -> Vec<String> {
    let mut reader = reader(agent);
    let mut seen: Vec<String> = Vec::new();
    for line in recorded(name).lines() {
        reader.feed(line.as_bytes());
        reader.feed(b"\n");
        if let Some(last) = reader.progress().last
            && seen.last() != Some(&last)
        {
            seen.push(last);
        }
    }
    seen
}

#[test]
fn the_live_view_says_what_an_agent_does() {
    assert_eq!(
        activities("claude", "claude-flaky.stdout"),
        [
            "started",
            "retrying (1 of 10) after error 529 overloaded",
            "retrying (2 of 10) after error 529 overloaded",
            "Write agent.txt",
            "retrying (1 of 10) after error 529 overloaded",
            "retrying (2 of 10) after error 529 overloaded",
            "Done: wrote agent.txt. PING-1",
        ]
    );
    assert_eq!(
        activities("codex", "codex-ok.stdout"),
        [
            "started",
            r"run printf 'written by the scripted model\\n' > agent.txt",
            "Done: wrote agent.txt. PING-1",
        ]
    );
    assert_eq!(
        activities("gemini", "gemini-ok.stdout"),
        ["started", "write_file /repo/.worktrees/task/agent.txt", "Done: wrote agent.txt. PING-1"]
    );
    assert_eq!(
        activities("opencode", "opencode-ok.stdout"),
        [
            "thinking",
            "write /repo/.worktrees/task/agent.txt",
            "thinking",
            "Done: wrote agent.txt. PING-1"
        ]
    );
    assert_eq!(
        activities("qwen", "qwen-ok.stdout"),
        ["started", "write_file agent.txt", "Done: wrote agent.txt. PING-1"]
    );
    assert!(activities("aider", "aider-429.stdout").contains(
        &"Retrying in 16.0 seconds... litellm.RateLimitError: RateLimitError: OpenAIException - This request \
          would exceed your account's rate limit. Please try again later. The API provider has rate limited \
          you. Try again later or check your quotas."
            .to_owned()
    ));
}

#[test]
fn usage_is_known_before_the_end() {
    let mut reader = reader("claude");
    let text = recorded("claude-ok-accept.stdout");
    let half: String = text.lines().take(4).collect::<Vec<_>>().join("\n") + "\n";
    reader.feed(half.as_bytes());
    let usage = reader.progress().usage;
    assert!(usage.session.is_some());
    assert_eq!(usage.tokens, Tokens { input: 2001, output: 2, cache_read: 40, cache_write: 20 });
}

#[test]
fn a_message_in_several_events_is_counted_once() {
    let mut reader = reader("claude");
    for output in [1, 7] {
        reader.feed(
            format!(
                "{{\"type\":\"assistant\",\"message\":{{\"id\":\"m\",\"usage\":{{\"input_tokens\":10,\"output_tokens\":{output}}}}}}}\n"
            )
            .as_bytes(),
        );
    }
    let tokens = reader.progress().usage.tokens;
    assert_eq!((tokens.input, tokens.output), (10, 7));
}

#[test]
fn a_huge_line_is_read_and_a_larger_one_is_noted() {
    let result =
        r#"{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"done"}"#;
    let blow_up = |bytes: usize| {
        let mut reader = reader("claude");
        reader.feed(b"{\"type\":\"user\",\"text\":\"");
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..bytes >> 20 {
            reader.feed(&chunk);
        }
        reader.feed(b"\"}\n");
        reader.feed(result.as_bytes());
        reader.finish(exited(0))
    };
    let verdict = blow_up(10 << 20);
    assert_eq!((verdict.ending, verdict.note.as_deref()), (Ending::Succeeded, Some("done")));
    let verdict = blow_up(20 << 20);
    assert_eq!(verdict.ending, Ending::Succeeded);
    assert_eq!(verdict.note.as_deref(), Some("done (1 line(s) of output were too long to read)"));
}

#[test]
fn a_byte_order_mark_and_crlf_do_not_hide_events() {
    let mut reader = reader("codex");
    reader.feed("\u{feff}{\"type\":\"thread.started\",\"thread_id\":\"t\"}\r\n".as_bytes());
    reader.feed(b"{\"type\":\"turn.completed\",\"usage\":{}}\r\n");
    let verdict = reader.finish(exited(0));
    assert_eq!(verdict.ending, Ending::Succeeded);
    assert_eq!(verdict.usage.session.as_deref(), Some("t"));
}

#[test]
fn events_of_the_wrong_shape_are_no_proof() {
    for line in [
        "{}",
        "{\"type\":7}",
        "{\"type\":\"result\"}",
        "{\"type\":\"result\",\"subtype\":\"success\"}",
        "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":\"no\"}",
        "{\"type\":\"assistant\",\"message\":[1]}",
        "{\"type\":\"assistant\",\"message\":{\"content\":{\"a\":1}}}",
        "[7]",
        "[]",
        "[{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false}",
        "{\"type\":\"turn.failed\"}",
        "{\"type\":\"step_finish\",\"part\":null}",
        "{\"type\":\"error\"}",
    ] {
        for agent in ["claude", "qwen", "codex", "gemini", "opencode"] {
            let mut reader = reader(agent);
            reader.feed(line.as_bytes());
            let verdict = reader.finish(exited(0));
            assert_ne!(verdict.ending, Ending::Succeeded, "{agent}: {line}");
        }
    }
}

#[test]
fn qwen_without_a_login_says_so_in_an_error_of_its_own() {
    let mut reader = reader("qwen");
    reader.feed(
        br#"{"type":"result","subtype":"error_during_execution","session_id":"a","is_error":true,"num_turns":0,"error":{"message":"No auth type is selected. Please configure an auth type"}}
"#,
    );
    let verdict = reader.finish(exited(1));
    let failure = verdict.ending.failure().unwrap();
    assert_eq!(failure.class, FailureClass::Auth);
    assert!(failure.message.starts_with("No auth type"), "{}", failure.message);
    assert_eq!(verdict.usage.session, None);
}

#[test]
fn a_list_of_events_counts_as_each_of_them() {
    let mut reader = reader("claude");
    let events: Vec<String> =
        recorded("claude-ok-accept.stdout").lines().map(str::to_owned).collect();
    reader.feed(format!("[{}]\n", events.join(",")).as_bytes());
    let verdict = reader.finish(exited(0));
    assert_eq!(verdict.ending, Ending::Succeeded);
    assert_eq!(verdict.usage.tokens.input, 2001);
}

#[test]
fn text_is_evidence_only_of_claude_itself_asked_for_text() {
    let class = |command: &[&str], text: &str| {
        let mut profile = find_builtin("claude").unwrap().clone();
        profile.command = command.iter().map(ToString::to_string).collect();
        let mut reader = Reader::new(&profile);
        reader.feed(text.as_bytes());
        reader.finish(exited(0)).ending.failure().map(|failure| failure.class)
    };
    assert_eq!(class(&["/usr/bin/claude", "-p"], "All done.\n"), None);
    let no_result = Some(FailureClass::NoResult);
    assert_eq!(class(&["claude", "-p"], "All do"), no_result);
    assert_eq!(class(&["claude", "-p"], ""), no_result);
    assert_eq!(class(&["claude", "-p", "--output-format=json"], "All done.\n"), no_result);
    assert_eq!(class(&["./wrapper"], "All done.\n"), no_result);
}

#[test]
fn a_claude_that_prints_text_where_events_were_asked_for_proves_nothing() {
    let mut text = reader("claude");
    text.feed(b"All done.\n");
    let failure = text.finish(exited(0)).ending.failure().cloned().unwrap();
    assert_eq!(failure.class, FailureClass::NoResult);
    assert!(failure.message.contains("it printed: All done."), "{}", failure.message);
}

#[test]
fn an_agents_denials_are_listed_once_and_not_for_ever() {
    let mut reader = reader("codex");
    for n in 0..1000 {
        let item = format!(
            "{{\"type\":\"item.completed\",\"item\":{{\"type\":\"command_execution\",\"status\":\"declined\",\
             \"command\":\"rm {}\"}}}}\n",
            n / 2
        );
        reader.feed(item.as_bytes());
    }
    let verdict = reader.finish(exited(0));
    assert_eq!(verdict.denials.len(), 20);
    assert_eq!(verdict.denials[..2], ["run rm 0", "run rm 1"]);
}

#[test]
fn opencode_counts_what_a_denied_tool_says() {
    let mut reader = reader("opencode");
    reader.feed(
        br#"{"type":"tool_use","part":{"tool":"bash","state":{"status":"error","input":{"command":"rm x"},"error":"The user rejected permission to use this specific tool call."}}}
{"type":"step_finish","part":{"reason":"stop"}}
"#,
    );
    let verdict = reader.finish(Ended { changed: Some(false), ..exited(0) });
    assert_eq!(verdict.ending.failure().unwrap().class, FailureClass::PermissionDenied);
    assert_eq!(verdict.denials, ["bash rm x"]);
}

#[test]
fn an_error_after_the_last_answer_takes_it_back() {
    let answered = "Tokens: 12k sent, 1.5k received. Cost: $0.01 message, $0.02 session.\n";
    let mut good = reader("aider");
    good.feed(answered.as_bytes());
    let verdict = good.finish(exited(0));
    assert_eq!(verdict.ending, Ending::Succeeded);
    assert_eq!(verdict.usage.cost_usd, Some(0.02));
    assert_eq!((verdict.usage.tokens.input, verdict.usage.tokens.output), (12_000, 1_500));
    for (more, class) in [
        ("litellm.InternalServerError: boom\n", FailureClass::Overloaded),
        ("Only 3 reflections allowed, stopping.\n", FailureClass::MaxTurns),
        ("Model x has hit a token limit!\n", FailureClass::ContextTooLong),
    ] {
        let mut bad = reader("aider");
        bad.feed(answered.as_bytes());
        bad.feed(more.as_bytes());
        assert_eq!(bad.finish(exited(0)).ending.failure().unwrap().class, class, "{more}");
    }
}

#[test]
fn a_second_turn_after_a_result_needs_a_result_of_its_own() {
    let mut reader = reader("claude");
    reader.feed(
        br#"{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"waiting"}
{"type":"assistant","message":{"id":"2","content":[{"type":"text","text":"it woke me up"}]}}
"#,
    );
    let verdict = reader.finish(exited(0));
    assert_eq!(verdict.ending.failure().unwrap().class, FailureClass::NoResult);
}

#[test]
fn a_session_that_would_be_a_flag_is_not_kept() {
    for id in ["--dangerous", "a b", "", &"x".repeat(200)] {
        let mut reader = reader("codex");
        reader.feed(format!("{{\"type\":\"thread.started\",\"thread_id\":\"{id}\"}}\n").as_bytes());
        assert_eq!(reader.progress().usage.session, None, "{id}");
    }
}

#[test]
fn text_is_shown_as_it_comes() {
    let mut reader = Reader::new(find_builtin("shell").unwrap());
    reader.feed_stderr(b"+ block 1 (line 4)\n");
    assert_eq!(reader.progress().last.as_deref(), Some("block 1 (line 4)"));
    reader.feed(b"\x1b[32mcompiling\x1b[0m\xff x\npart");
    assert_eq!(reader.progress().last.as_deref(), Some("compiling\u{fffd} x"));
}

#[test]
fn documented_exit_codes_count_where_nothing_else_tells() {
    for (code, class) in
        [(41, FailureClass::Auth), (42, FailureClass::BadCommand), (53, FailureClass::MaxTurns)]
    {
        let failure =
            |agent: &str| reader(agent).finish(exited(code)).ending.failure().unwrap().class;
        assert_eq!(failure("gemini"), class);
        assert_eq!(failure("codex"), FailureClass::Crashed);
    }
}

#[test]
fn a_reader_can_move_between_threads() {
    fn moves<T: Send + 'static>(_: &T) {}
    moves(&reader("claude"));
}
