//! Gemini CLI: `--output-format stream-json`. The `result` event is the end, with `status` success or error.

use super::account::{Account, Claim, Trouble};
use super::{activity, classify};
use crate::model::{FailureClass, Tokens};
use serde_json::Value;

/// The answer comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Grammar {
    answer: String,
    tools: Vec<(String, String)>,
}

/// The answer is kept for one line of it.
const ANSWER_KEPT: usize = 2048;

/// Tools whose result is still expected; more than this at once is not real.
const TOOLS_KEPT: usize = 64;

/// The exit codes that gemini (and qwen, its fork) documents.
pub(super) fn class_of_exit(code: i32) -> Option<FailureClass> {
    match code {
        41 => Some(FailureClass::Auth),
        42 | 52 => Some(FailureClass::BadCommand),
        53 => Some(FailureClass::MaxTurns),
        _ => None,
    }
}

impl Grammar {
    /// Reads an event.
    pub(super) fn read(&mut self, account: &mut Account, event: &Value) {
        match event["type"].as_str() {
            Some("init") => {
                account.session(event["session_id"].as_str());
                account.goes_on("started".to_owned());
            }
            Some("message") if event["role"] == "assistant" => {
                let text = event["content"].as_str().unwrap_or_default();
                if event["delta"] != Value::Bool(true) {
                    self.answer.clear();
                }
                if self.answer.len() < ANSWER_KEPT {
                    self.answer.push_str(super::phrase::shorten(text, ANSWER_KEPT));
                }
                let answer = self.answer.clone();
                account.says(&answer);
            }
            Some("tool_use") => self.tool(account, event),
            Some("tool_result") => self.tool_result(account, event),
            Some("error") => {
                let said = event["message"].as_str().unwrap_or("error");
                account.troubled(classify::class_of(None, said), said);
            }
            Some("result") => result(account, event),
            _ => {}
        }
    }

    fn tool(&mut self, account: &mut Account, event: &Value) {
        self.answer.clear();
        let name = event["tool_name"].as_str().unwrap_or("tool");
        let tool = activity::tool(name, &event["parameters"], account.folder.as_deref());
        if let Some(id) = event["tool_id"].as_str() {
            if self.tools.len() == TOOLS_KEPT {
                self.tools.remove(0);
            }
            self.tools.push((id.to_owned(), tool.clone()));
        }
        account.usage.turns = Some(account.usage.turns.unwrap_or(0) + 1);
        account.goes_on(tool);
    }

    fn tool_result(&mut self, account: &mut Account, event: &Value) {
        let id = event["tool_id"].as_str().unwrap_or_default();
        let index = self.tools.iter().position(|(known, _)| known == id);
        let tool = index.map(|index| self.tools.remove(index).1);
        let why =
            format!("{} {}", event["error"]["type"], event["error"]["message"]).to_lowercase();
        let denied =
            ["denied", "policy", "not allowed", "cancelled by user", "requires confirmation"];
        if event["status"] == "error" && denied.iter().any(|word| why.contains(word)) {
            account.deny(tool.unwrap_or_else(|| "tool".to_owned()));
        }
    }
}

fn result(account: &mut Account, event: &Value) {
    account.usage.tokens = tokens(&event["stats"]);
    if event["status"] == "success" {
        account.trouble = None;
        account.claim = Claim::Done;
        return;
    }
    let error = &event["error"];
    let said = error["message"].as_str().unwrap_or("ended with an error");
    let class = match error["type"].as_str() {
        Some("FatalAuthenticationError") => Some(FailureClass::Auth),
        Some("FatalTurnLimitedError") => Some(FailureClass::MaxTurns),
        Some("FatalCancellationError") => Some(FailureClass::Killed),
        Some("FatalInputError" | "FatalConfigError") => Some(FailureClass::BadCommand),
        _ => classify::class_of(None, said),
    };
    account.claim = Claim::Failed(Trouble::new(class, said));
}

/// gemini counts the cached tokens among `input_tokens` and gives the rest as `input`.
fn tokens(stats: &Value) -> Tokens {
    let count = |key: &str| stats[key].as_u64();
    let cached = count("cached").unwrap_or(0);
    let all = count("input_tokens").unwrap_or(0);
    Tokens {
        input: count("input").unwrap_or(all.saturating_sub(cached)),
        output: count("output_tokens").unwrap_or(0),
        cache_read: cached,
        cache_write: 0,
    }
}
