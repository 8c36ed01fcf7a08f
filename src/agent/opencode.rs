//! opencode: `run --format json`. It has no closing event: a step that finished with reason `stop`, and no error
//! after it, is the end.

use super::account::{Account, Claim, Lifts, Trouble};
use super::{activity, classify, claude};
use crate::model::{FailureClass, Tokens};
use serde_json::Value;

/// What must be remembered between events.
#[derive(Debug, Default)]
pub(super) struct Grammar {
    steps: u64,
}

impl Grammar {
    /// Reads an event.
    pub(super) fn read(&mut self, account: &mut Account, event: &Value) {
        account.session(event["sessionID"].as_str());
        let part = &event["part"];
        match event["type"].as_str() {
            Some("step_start") => {
                self.steps += 1;
                account.usage.turns = Some(self.steps);
                account.claim = Claim::Nothing;
                account.goes_on("thinking".to_owned());
            }
            Some("tool_use") => tool(account, part),
            Some("text") => account.says(part["text"].as_str().unwrap_or_default()),
            Some("step_finish") => finish(account, part),
            Some("error") => account.claim = Claim::Failed(trouble(account, &event["error"])),
            _ => {}
        }
    }
}

fn tool(account: &mut Account, part: &Value) {
    let state = &part["state"];
    let name = part["tool"].as_str().unwrap_or("tool");
    let tool = activity::tool(name, &state["input"], account.folder.as_deref());
    let why = state["error"].as_str().unwrap_or_default().to_lowercase();
    if state["status"] == "error" && (why.contains("permission") || why.contains("rejected")) {
        account.deny(tool.clone());
    }
    account.goes_on(tool);
}

fn finish(account: &mut Account, part: &Value) {
    let tokens = &part["tokens"];
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    claude::add(
        &mut account.usage.tokens,
        Tokens {
            input: count(&tokens["input"]),
            output: count(&tokens["output"]).saturating_add(count(&tokens["reasoning"])),
            cache_read: count(&tokens["cache"]["read"]),
            cache_write: count(&tokens["cache"]["write"]),
        },
    );
    if let Some(cost) = part["cost"].as_f64() {
        account.usage.cost_usd = Some(account.usage.cost_usd.unwrap_or(0.0) + cost);
    }
    account.claim = match part["reason"].as_str() {
        Some("stop") => Claim::Done,
        Some("length") => Claim::Failed(Trouble::new(
            Some(FailureClass::ContextTooLong),
            "the answer reached the model's output limit",
        )),
        Some("content-filter") => Claim::Failed(Trouble::new(
            Some(FailureClass::Refused),
            "the provider's content filter stopped the answer",
        )),
        // `tool-calls`: another step follows.
        _ => Claim::Nothing,
    };
}

fn trouble(account: &mut Account, error: &Value) -> Trouble {
    let data = &error["data"];
    let name = error["name"].as_str().unwrap_or("error");
    let said = data["message"].as_str().or(error["message"].as_str()).unwrap_or(name);
    let status = data["statusCode"].as_u64().and_then(|code| u16::try_from(code).ok());
    let after = data["responseHeaders"]["retry-after"].as_str().and_then(|s| s.trim().parse().ok());
    if let Some(seconds) = after {
        account.lifts = Some(Lifts::In(seconds));
    }
    let class = match name {
        "ProviderAuthError" => Some(FailureClass::Auth),
        "MessageOutputLengthError" | "ContextOverflowError" => Some(FailureClass::ContextTooLong),
        // Somebody interrupted it, and it was not `orch`, or the attempt would count as stopped.
        "MessageAbortedError" => Some(FailureClass::Killed),
        "ProviderModelNotFoundError" => Some(FailureClass::BadCommand),
        _ => classify::class_of(status, said),
    };
    Trouble::new(class, said)
}
