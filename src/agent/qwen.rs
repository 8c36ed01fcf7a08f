//! Qwen Code: claude's events, and an error of the service reported as a success.

use super::account::{Account, Claim, Trouble};
use super::{classify, claude};
use serde_json::Value;

/// How qwen writes an error where an answer should be.
const API_ERROR: &str = "[API Error:";

/// Reads an event. After a 401, qwen ends with `subtype: success`, `is_error: false` and exit code 0; only the
/// text of the result tells.
pub(super) fn read(grammar: &mut claude::Grammar, account: &mut Account, event: &Value) {
    grammar.read(account, event);
    let Claim::Done = account.claim else { return };
    let said = event["result"].as_str().unwrap_or_default().trim();
    if event["type"] == "result" && said.starts_with(API_ERROR) {
        let words = said.trim_start_matches('[').trim_end_matches(']');
        account.claim = Claim::Failed(Trouble::new(classify::class_of(None, words), words));
        account.note = None;
    }
}
