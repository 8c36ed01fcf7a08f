//! What `orch pr address` and `orch pr fix` did, and what to do next.

use super::words::shell_word;
use crate::supervisor::{FollowUpOutcome, FollowedUp};
use serde_json::{Value, json};
use std::fmt::Write;

/// The human view. `command`: `address` or `fix`.
#[must_use]
pub fn follow_ups(done: &[FollowedUp], command: &str) -> String {
    let mut out = String::new();
    for followed in done {
        let (name, word) = (&followed.name, shell_word(&followed.name));
        let at = followed.link.as_ref().map_or(String::new(), |link| format!(" #{}", link.number));
        let (mark, text, hint) = words(followed, command);
        let _ = writeln!(out, "{mark} {name}:{at} {text}");
        if let Some(hint) = hint {
            let _ = writeln!(out, "  {hint}");
        }
        if !followed.unheard.is_empty() {
            let who: Vec<String> =
                followed.unheard.iter().map(|(who, n)| format!("{who} ({n})")).collect();
            let _ = writeln!(
                out,
                "  skipped, as who wrote it may not write here: {}\n  hint: read it; if it is fine: orch pr address {word} \
                 --from LOGIN, or [github] reviewers in orch.toml",
                who.join(", ")
            );
        }
    }
    if done.is_empty() {
        out.push_str("no pull request is open; open them with: orch pr create\n");
    }
    out
}

fn words(followed: &FollowedUp, command: &str) -> (char, String, Option<String>) {
    use FollowUpOutcome as O;
    let word = shell_word(&followed.name);
    let short = |commit: &str| commit.get(..10).unwrap_or(commit).to_owned();
    let said = |note: &Option<String>| note.as_ref().map(|note| format!("it says: {note}"));
    let by_hand = "look at the log, mend it in the worktree, then: orch pr create";
    match &followed.outcome {
        O::NothingOpen => ('-', "nothing to address".to_owned(), None),
        O::Addressed { commit, answers, resolved, note } => {
            let what = match commit {
                Some(commit) => format!("addressed in {}", short(commit)),
                None => "the agent changed nothing".to_owned(),
            };
            let s = if *answers == 1 { "" } else { "s" };
            let closed = match resolved {
                0 => String::new(),
                1 => ", 1 thread resolved".to_owned(),
                n => format!(", {n} threads resolved"),
            };
            ('✓', format!("{what}; {answers} answer{s} given{closed}"), said(note))
        }
        O::Passed(0) => ('-', "all checks passed".to_owned(), None),
        O::Passed(fixes) => {
            let s = if *fixes == 1 { "" } else { "es" };
            ('✓', format!("all checks passed, after {fixes} fix{s}"), None)
        }
        O::Pending(checks) if checks.is_empty() => {
            ('-', "no check has been reported".to_owned(), None)
        }
        O::Pending(checks) => {
            ('-', format!("no check failed; under way: {}", checks.join(", ")), None)
        }
        O::Fixed { commit, checks } => (
            '✓',
            format!("{} mended in {}; the checks start again", checks.join(", "), short(commit)),
            Some(format!("next: orch pr fix {word} --wait")),
        ),
        O::NotMended { checks, note } => (
            '✗',
            format!("{} still fails: the agent saw nothing to change", checks.join(", ")),
            Some(said(note).unwrap_or_else(|| format!("see: orch logs {word} --step fix"))),
        ),
        O::GivenUp { tries, checks } => (
            '✗',
            format!(
                "{} still fails; an agent was asked {tries} times, which is the most",
                checks.join(", ")
            ),
            Some(format!(
                "hint: {by_hand} {word}; or allow more: orch pr fix {word} --max {}",
                tries + 1
            )),
        ),
        O::Failed { why, step } => (
            '✗',
            format!("{why}; the pull request is as it was"),
            Some(format!("see: orch logs {word} --step {step}; try again: orch pr {command} {word}")),
        ),
        O::NoPullRequest => (
            '-',
            "has no pull request".to_owned(),
            Some(format!("hint: open one with: orch pr create {word}")),
        ),
        O::Merged => ('-', "is merged; there is nothing to do".to_owned(), None),
        O::Closed => (
            '-',
            "was closed unmerged".to_owned(),
            Some(format!("hint: open it again on GitHub, then: orch pr {command} {word}")),
        ),
        O::Busy(state) => (
            '!',
            format!("is {state}"),
            Some(format!(
                "hint: wait for it (orch attach {word}) or go on with it (orch resume), then: orch pr {command} {word}"
            )),
        ),
        O::OfMany(names) => (
            '!',
            format!("is of several tasks: {}", names.join(", ")),
            Some(format!("hint: say whose agent is meant: orch pr {command} TASK")),
        ),
        O::Diverged => (
            '!',
            "its branch on GitHub has commits that the one here has not, and the other way round; nothing was pushed"
                .to_owned(),
            Some(format!(
                "hint: git pull in its worktree (orch status {word}), then: orch pr create {word}, orch pr {command} {word}"
            )),
        ),
        O::Refused(why) => ('✗', why.clone(), None),
        O::Waiting(why) => {
            ('…', format!("not done yet: {why}"), Some(format!("go on with: orch pr {command} {word}")))
        }
    }
}

/// One document: `orch.follow-up/1`.
#[must_use]
pub fn follow_ups_json(done: &[FollowedUp], command: &str) -> String {
    use FollowUpOutcome as O;
    let shown: Vec<Value> = done
        .iter()
        .map(|followed| {
            let (outcome, commit) = match &followed.outcome {
                O::NothingOpen => ("nothing_open", None),
                O::Addressed { commit, .. } => ("addressed", commit.clone()),
                O::Passed(_) => ("passed", None),
                O::Pending(_) => ("pending", None),
                O::Fixed { commit, .. } => ("fixed", Some(commit.clone())),
                O::NotMended { .. } => ("not_mended", None),
                O::GivenUp { .. } => ("given_up", None),
                O::Failed { .. } => ("failed", None),
                O::NoPullRequest => ("no_pull_request", None),
                O::Merged => ("merged", None),
                O::Closed => ("closed", None),
                O::Busy(_) => ("busy", None),
                O::OfMany(_) => ("of_many", None),
                O::Diverged => ("diverged", None),
                O::Refused(_) => ("refused", None),
                O::Waiting(_) => ("waiting", None),
            };
            let (_, text, _) = words(followed, command);
            json!({
                "task": followed.name, "number": followed.link.as_ref().map(|link| link.number),
                "url": followed.link.as_ref().map(|link| &link.url), "outcome": outcome, "commit": commit,
                "message": text, "skipped": followed.unheard,
            })
        })
        .collect();
    format!(
        "{}\n",
        json!({ "schema": "orch.follow-up/1", "command": command, "pull_requests": shown })
    )
}
