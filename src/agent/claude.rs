//! Claude Code: `--output-format stream-json` (an event a line), `json` (only the last event) and, where `claude`
//! is asked for neither, text.
//!
//! The `result` event is the end. Its `subtype` is not to be trusted: a failed login is a `success` with
//! `is_error`. An interrupted process may exit 0 without one.

use super::account::{Account, Claim, Lifts, Trouble};
use super::{activity, classify, phrase};
use crate::model::{FailureClass, Tokens};
use serde_json::Value;
use std::path::Path;

/// What must be remembered between events.
#[derive(Debug)]
pub(super) struct Grammar {
    /// Tokens of the messages so far: a message comes in several events, each with its count so far.
    before: Tokens,
    message: Option<String>,
    current: Tokens,
    /// The class the last assistant message's `error` names.
    error: Option<FailureClass>,
    /// Whether plain text may be all there is.
    text_expected: bool,
    events: bool,
    text_ended: bool,
}

impl Grammar {
    pub(super) fn new(command: &[String]) -> Self {
        let json = |word: &String| {
            word == "json" || word.contains("stream-json") || word.ends_with("=json")
        };
        // Only of claude itself is it known that it prints text when all is done and not before.
        let itself = command.first().is_some_and(|program| Path::new(program).ends_with("claude"));
        Self {
            before: Tokens::default(),
            message: None,
            current: Tokens::default(),
            error: None,
            text_expected: itself && !command.iter().any(json),
            events: false,
            text_ended: false,
        }
    }

    /// Reads an event.
    pub(super) fn read(&mut self, account: &mut Account, event: &Value) {
        self.events = true;
        // A result without a turn names the session that could not be resumed.
        let none = event["type"] == "result" && event["num_turns"] == 0;
        account.session(event["session_id"].as_str().filter(|_| !none));
        match event["type"].as_str() {
            Some("system") => system(account, event),
            Some("assistant") => self.assistant(account, event),
            Some("result") => self.result(account, event),
            Some("rate_limit_event") => limit(account, &event["rate_limit_info"]),
            _ => {}
        }
    }

    /// Reads a line that is no event.
    pub(super) fn text(&mut self, account: &mut Account, line: &str, complete: bool) {
        if self.text_expected && !line.trim().is_empty() {
            account.says(line);
            self.text_ended = complete;
        }
    }

    /// The output is over. Text is printed only when all is done, so a whole last line of it is the evidence.
    pub(super) fn end(&mut self, account: &mut Account) {
        if !self.events && self.text_ended {
            account.claim = Claim::ByExit;
        }
    }

    fn assistant(&mut self, account: &mut Account, event: &Value) {
        let message = &event["message"];
        self.count(account, message);
        self.error = event["error"].as_str().and_then(class_of_kind);
        // A turn after a result (a background task woke it up) has a result of its own to come.
        account.claim = Claim::Nothing;
        let Some(content) = message["content"].as_array() else { return };
        for part in content {
            match part["type"].as_str() {
                Some("text") => {
                    let text = part["text"].as_str().unwrap_or_default();
                    if event["error"].is_string() {
                        account.troubled(self.error, text);
                    } else if event["parent_tool_use_id"].is_null() {
                        account.says(text);
                    } else {
                        account.goes_on(phrase::one_line(text));
                    }
                }
                Some("tool_use") => {
                    let name = part["name"].as_str().unwrap_or("tool");
                    let tool = activity::tool(name, &part["input"], account.folder.as_deref());
                    account.goes_on(tool);
                }
                _ => {}
            }
        }
    }

    /// Adds up what the messages say until the result says it exactly.
    fn count(&mut self, account: &mut Account, message: &Value) {
        let Some(id) = message["id"].as_str() else { return };
        if self.message.as_deref() != Some(id) {
            add(&mut self.before, self.current);
            self.current = Tokens::default();
            self.message = Some(id.to_owned());
        }
        self.current = tokens(&message["usage"]);
        account.usage.tokens = self.before;
        add(&mut account.usage.tokens, self.current);
    }

    fn result(&mut self, account: &mut Account, event: &Value) {
        account.usage.cost_usd = event["total_cost_usd"].as_f64().or(account.usage.cost_usd);
        account.usage.turns = event["num_turns"].as_u64().or(account.usage.turns);
        // What was billed. `usage` leaves out answers that were cut and asked for again.
        let billed = event["modelUsage"].as_object().filter(|models| !models.is_empty());
        if let Some(models) = billed {
            account.usage.tokens = Tokens::default();
            models.values().for_each(|model| add(&mut account.usage.tokens, billed_tokens(model)));
        } else if event["usage"].is_object() {
            account.usage.tokens = tokens(&event["usage"]);
        }
        for denial in event["permission_denials"].as_array().into_iter().flatten() {
            let name = denial["tool_name"].as_str().unwrap_or("tool");
            account.deny(activity::tool(name, &denial["tool_input"], account.folder.as_deref()));
        }
        // qwen puts one error where claude puts a list.
        let text = event["result"].as_str().or(event["error"]["message"].as_str());
        let said = text.map(str::to_owned).or_else(|| joined(&event["errors"])).unwrap_or_default();
        let done = event["subtype"] == "success" && event["is_error"] == Value::Bool(false);
        account.claim = if done {
            account.says(&said);
            Claim::Done
        } else {
            Claim::Failed(Trouble::new(self.class(event, &said), &words(event, &said)))
        };
    }

    fn class(&self, event: &Value, said: &str) -> Option<FailureClass> {
        let subtype = event["subtype"].as_str().unwrap_or_default();
        let reason = event["terminal_reason"].as_str().unwrap_or_default();
        if subtype.starts_with("error_max_turns") || subtype.starts_with("error_max_budget") {
            return Some(FailureClass::MaxTurns);
        }
        if event["stop_reason"] == "refusal" {
            return Some(FailureClass::Refused);
        }
        if reason == "prompt_too_long" {
            return Some(FailureClass::ContextTooLong);
        }
        // Somebody interrupted it, and if it had been `orch` the attempt would count as stopped.
        if reason.starts_with("aborted") {
            return Some(FailureClass::Killed);
        }
        let status = event["api_error_status"].as_u64().and_then(|code| u16::try_from(code).ok());
        classify::class_of(status, said).or(self.error)
    }
}

fn system(account: &mut Account, event: &Value) {
    match event["subtype"].as_str() {
        Some("init") => {
            account.folder = event["cwd"].as_str().map(str::to_owned);
            account.goes_on("started".to_owned());
        }
        Some("api_retry") => {
            let status = event["error_status"].as_u64().map_or(String::new(), |s| format!(" {s}"));
            let kind = event["error"].as_str().unwrap_or("error");
            account.troubled(
                class_of_kind(kind),
                &format!(
                    "retrying ({} of {}) after error{status} {kind}",
                    event["attempt"], event["max_retries"]
                ),
            );
        }
        Some("model_fallback") => {
            if let Some(text) = event["content"].as_str() {
                account.last = Some(phrase::one_line(text));
            }
        }
        Some("task_started") => {
            if let Some(text) = event["description"].as_str() {
                account.goes_on(phrase::one_line(text));
            }
        }
        _ => {}
    }
}

fn limit(account: &mut Account, info: &Value) {
    if info["status"] == "rejected"
        && let Some(seconds) = info["resetsAt"].as_i64()
    {
        account.lifts = Some(Lifts::At(seconds.saturating_mul(1000)));
    }
}

/// The values of the `error` field of messages and retries.
fn class_of_kind(kind: &str) -> Option<FailureClass> {
    match kind {
        "authentication_failed" => Some(FailureClass::Auth),
        "billing_error" => Some(FailureClass::Quota),
        "rate_limit" => Some(FailureClass::RateLimited),
        "server_error" | "overloaded" => Some(FailureClass::Overloaded),
        "max_output_tokens" => Some(FailureClass::ContextTooLong),
        _ => None,
    }
}

fn words(event: &Value, said: &str) -> String {
    let reason = event["terminal_reason"].as_str().unwrap_or_default();
    if reason.starts_with("aborted") {
        return "interrupted by a signal or a person while it worked".to_owned();
    }
    if said.trim().is_empty() {
        let subtype = event["subtype"].as_str().unwrap_or("error");
        return format!("ended with {}", subtype.replace('_', " "));
    }
    said.to_owned()
}

fn joined(errors: &Value) -> Option<String> {
    let errors: Vec<&str> = errors.as_array()?.iter().filter_map(Value::as_str).collect();
    (!errors.is_empty()).then(|| errors.join("; "))
}

fn tokens(usage: &Value) -> Tokens {
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    Tokens {
        input: count("input_tokens"),
        output: count("output_tokens"),
        cache_read: count("cache_read_input_tokens"),
        cache_write: count("cache_creation_input_tokens"),
    }
}

fn billed_tokens(model: &Value) -> Tokens {
    let count = |key: &str| model[key].as_u64().unwrap_or(0);
    Tokens {
        input: count("inputTokens"),
        output: count("outputTokens"),
        cache_read: count("cacheReadInputTokens"),
        cache_write: count("cacheCreationInputTokens"),
    }
}

/// Adds without overflowing: the numbers are the agent's.
pub(super) fn add(sum: &mut Tokens, more: Tokens) {
    sum.input = sum.input.saturating_add(more.input);
    sum.output = sum.output.saturating_add(more.output);
    sum.cache_read = sum.cache_read.saturating_add(more.cache_read);
    sum.cache_write = sum.cache_write.saturating_add(more.cache_write);
}
