//! Codex: `exec --json`.
//!
//! `turn.completed` and `turn.failed` are the end. An `error` item is a warning, and a top-level `error` may be
//! a retry ("Reconnecting... 1/2"): neither is.

use super::account::{Account, Claim, Trouble};
use super::{activity, classify, phrase};
use crate::model::Tokens;
use serde_json::Value;

/// Reads an event.
pub(super) fn read(account: &mut Account, event: &Value) {
    match event["type"].as_str() {
        Some("thread.started") => {
            account.session(event["thread_id"].as_str());
            account.goes_on("started".to_owned());
        }
        Some("turn.started") => {
            account.claim = Claim::Nothing;
            account.usage.turns = Some(account.usage.turns.unwrap_or(0) + 1);
        }
        Some("turn.completed") => {
            account.usage.tokens = tokens(&event["usage"]);
            account.trouble = None;
            account.claim = Claim::Done;
        }
        Some("turn.failed") => {
            let said = event["error"]["message"].as_str().unwrap_or("the turn failed");
            account.claim = Claim::Failed(trouble(said));
        }
        Some("error") => {
            let said = event["message"].as_str().unwrap_or("error");
            account.troubled(classify::class_of(None, said), said);
        }
        Some("item.started" | "item.updated" | "item.completed") => item(account, &event["item"]),
        _ => {}
    }
}

fn trouble(said: &str) -> Trouble {
    Trouble::new(classify::class_of(None, said), said)
}

fn item(account: &mut Account, item: &Value) {
    let text = |key: &str| item[key].as_str().unwrap_or_default();
    let activity = match item["type"].as_str() {
        Some("agent_message") => {
            account.says(text("text"));
            return;
        }
        Some("command_execution") => {
            format!("run {}", phrase::shorten(unwrapped(text("command")), phrase::READ))
        }
        Some("file_change") => {
            let paths: Vec<&str> = item["changes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|c| c["path"].as_str())
                .collect();
            format!("edit {}", paths.join(", "))
        }
        Some("mcp_tool_call") => activity::tool(
            &format!("{}.{}", text("server"), text("tool")),
            &item["arguments"],
            None,
        ),
        Some("web_search") => format!("search {}", text("query")),
        Some("reasoning") => text("text").to_owned(),
        _ => return,
    };
    let activity = phrase::one_line(&activity);
    if text("status") == "declined" {
        account.deny(activity.clone());
    }
    account.goes_on(activity);
}

/// The command inside the shell that codex runs it with.
fn unwrapped(command: &str) -> &str {
    command
        .split_once(" -lc ")
        .or_else(|| command.split_once(" -c "))
        .filter(|(shell, _)| !shell.contains(' ') && shell.ends_with("sh"))
        .map_or(command, |(_, script)| script.trim_matches(['\'', '"']))
}

/// codex counts the cached tokens among the input.
fn tokens(usage: &Value) -> Tokens {
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    let cache_read = count("cached_input_tokens");
    Tokens {
        input: count("input_tokens").saturating_sub(cache_read),
        output: count("output_tokens"),
        cache_read,
        cache_write: count("cache_write_input_tokens"),
    }
}
