//! What `orch pr` did, and how pull requests stand.

use super::words::shell_word;
use crate::forge::{CheckState, PullState};
use crate::model::{Link, RunId, TaskState};
use crate::supervisor::{MergeOutcome, MergedPull, PullOutcome, PullStatus};
use serde_json::{Value, json};
use std::fmt::Write;

/// The human view of `orch pr create`.
#[must_use]
pub fn pull_outcomes(outcomes: &[(String, PullOutcome)]) -> String {
    use PullOutcome as O;
    let mut out = String::new();
    let mut late = false;
    let at = |link: &Link| format!("#{} {}", link.number, link.url);
    for (name, outcome) in outcomes {
        let word = shell_word(name);
        let _ = match outcome {
            O::Opened(link) => writeln!(out, "✓ {name}: opened {}", at(link)),
            O::Updated(link) => writeln!(out, "✓ {name}: updated {}", at(link)),
            O::Unchanged(link) => writeln!(out, "- {name}: is open already, {}", at(link)),
            O::Merged(link) => writeln!(out, "- {name}: is merged, {}", at(link)),
            O::Closed(link) => writeln!(
                out,
                "- {name}: was closed unmerged, {}\n  hint: open it again there, then: orch pr create {word}",
                at(link)
            ),
            O::Conflict(paths) => writeln!(
                out,
                "! {name}: left out, conflicts with the others in {}\n  hint: orch pr create {word} opens one of \
                 its own",
                paths.join(", ")
            ),
            O::NothingNew => {
                writeln!(out, "- {name}: nothing in it is new to the branch it would go to")
            }
            O::Foreign(tip) => writeln!(
                out,
                "! {name}: its branch on GitHub has commits that are not from here ({}); nothing was pushed\n  hint: \
                 fetch it and merge it into the branch here, then: orch pr create {word}",
                tip.get(..10).unwrap_or(tip)
            ),
            O::Refused(why) => writeln!(out, "✗ {name}: {why}"),
            O::NotFinished(TaskState::Merged) => {
                writeln!(out, "- {name}: no pull request, it is merged already")
            }
            O::NotFinished(state) => writeln!(out, "- {name}: no pull request, it is {state}"),
            O::Queued(why) => {
                late = true;
                writeln!(out, "… {name}: queued ({why})")
            }
        };
    }
    if late {
        out.push_str("what is queued is sent by: orch pr create, orch resume\n");
    }
    if outcomes.is_empty() {
        out.push_str("nothing to open: no task has finished\n");
    }
    out
}

/// The human view of `orch pr merge`.
#[must_use]
pub fn merged_pulls(pulls: &[MergedPull], into: &str) -> String {
    use MergeOutcome as O;
    let mut out = String::new();
    for MergedPull { names, link, outcome } in pulls {
        let (name, number) = (names.join(", "), link.number);
        let words = names.iter().map(|name| shell_word(name)).collect::<Vec<_>>().join(" ");
        let _ = match outcome {
            O::Merged(commit) => {
                writeln!(
                    out,
                    "✓ {name}: #{number} is merged, {}",
                    commit.get(..10).unwrap_or(commit)
                )
            }
            O::HandedOver(how) => writeln!(out, "✓ {name}: #{number}, {how}"),
            O::Waiting(why) => writeln!(out, "… {name}: #{number} is not merged yet: {why}"),
            O::ChecksFailed(checks) => writeln!(
                out,
                "✗ {name}: #{number} is not merged, these checks failed: {}\n  {}",
                checks.join(", "),
                link.url
            ),
            O::Conflict => writeln!(
                out,
                "! {name}: #{number} is not merged, it conflicts with {into}\n  hint: orch retry {words} starts it from \
                 the new {into}; or merge {into} into its branch, then: orch pr create {words}"
            ),
            O::Draft => writeln!(
                out,
                "- {name}: #{number} is not merged, it is a draft\n  hint: orch pr create {words} makes it ready once it is \
                 verified"
            ),
            O::Closed => writeln!(out, "- {name}: #{number} was closed unmerged, {}", link.url),
            O::HeadMoved => writeln!(
                out,
                "! {name}: #{number} is not merged, its branch has commits that are not from here\n  hint: look at them, \
                 fetch them into the branch here, then: orch pr create {words}"
            ),
            O::After(other) => writeln!(
                out,
                "- {name}: #{number} is not merged, as {other} is not, which it builds on"
            ),
            O::Refused(why) => writeln!(out, "✗ {name}: #{number} is not merged: {why}"),
        };
    }
    let merged = pulls.iter().filter(|pull| matches!(pull.outcome, O::Merged(_))).count();
    let _ = writeln!(out, "{merged} of {} merged", pulls.len());
    if merged > 0 {
        let _ = writeln!(out, "bring {into} here with: git pull");
    }
    out
}

fn state_word(status: &PullStatus) -> &str {
    match (status.pull.state, status.pull.draft) {
        (PullState::Merged, _) => "merged",
        (PullState::Closed, _) => "closed",
        (PullState::Open, true) => "draft",
        (PullState::Open, false) => "open",
    }
}

/// The command that takes up what people or checks say.
fn next_step(status: &PullStatus) -> Option<String> {
    let name = status.names.first().filter(|_| status.pull.state == PullState::Open)?;
    let name = shell_word(name);
    if status.to_address > 0 {
        return Some(format!("orch pr address {name}"));
    }
    let failed = !status.checks.named(CheckState::Failed).is_empty();
    failed.then(|| format!("orch pr fix {name}"))
}

/// The human view of `orch pr status`.
#[must_use]
pub fn pulls(pulls: &[PullStatus], queued: usize) -> String {
    let mut out = String::new();
    for status in pulls {
        let pull = &status.pull;
        let _ = write!(out, "#{} {}  {}", pull.number, status.names.join(", "), state_word(status));
        if pull.state == PullState::Open {
            let merges = match (pull.mergeable, pull.mergeable_state.as_str()) {
                (Some(false), _) => format!("conflicts with {}", pull.base),
                (_, "clean" | "has_hooks") => "can be merged".to_owned(),
                (_, "blocked") => "not before checks and reviews allow it".to_owned(),
                (_, "behind") => format!("behind {}", pull.base),
                (_, "unstable") => "can be merged, not all checks passed".to_owned(),
                (_, "draft") => "no conflict".to_owned(),
                (_, _) => "GitHub is finding out whether it can be merged".to_owned(),
            };
            let _ = write!(out, "  {merges}");
        }
        let _ = writeln!(out, "\n  {}", pull.url);
        let of = |state| status.checks.named(state);
        if !status.checks.0.is_empty() {
            let _ = write!(out, "  checks: {} passed", of(CheckState::Passed).len());
            for (state, word) in
                [(CheckState::Pending, "under way"), (CheckState::Failed, "failed")]
            {
                if !of(state).is_empty() {
                    let _ = write!(out, ", {word}: {}", of(state).join(", "));
                }
            }
            out.push('\n');
        }
        for (author, state) in &status.reviews {
            let _ = writeln!(out, "  {author} {}", state.replace('_', " "));
        }
        if status.to_address + status.unheard > 0 {
            let of_others = match status.unheard {
                0 => String::new(),
                n => {
                    format!(" ({n} more of people who are not heard, see: orch pr address --help)")
                }
            };
            let _ = writeln!(out, "  not answered: {}{of_others}", status.to_address);
        }
        if status.foreign {
            out.push_str("  its branch has commits that are not from here\n");
        }
        if let Some(command) = next_step(status) {
            let _ = writeln!(out, "  next: {command}");
        }
    }
    if queued > 0 {
        let _ = writeln!(out, "{queued} queued; send with: orch pr create");
    }
    if pulls.is_empty() && queued == 0 {
        out.push_str("no pull requests yet; open them with: orch pr create\n");
    }
    out
}

/// `orch.pr/1`.
#[must_use]
pub fn pulls_json(run: &RunId, pulls: &[PullStatus], queued: usize) -> String {
    let check_word = |state| match state {
        CheckState::Passed => "passed",
        CheckState::Pending => "pending",
        CheckState::Failed => "failed",
    };
    let shown: Vec<Value> = pulls
        .iter()
        .map(|status| {
            let pull = &status.pull;
            let checks: Vec<Value> = (status.checks.0.iter())
                .map(|check| json!({ "name": check.name, "state": check_word(check.state), "url": check.url }))
                .collect();
            let reviews: Vec<Value> = (status.reviews.iter())
                .map(|(author, state)| json!({ "author": author, "state": state }))
                .collect();
            json!({
                "number": pull.number, "url": pull.url, "tasks": status.names, "state": state_word(status),
                "head": pull.head_sha, "base": pull.base, "mergeable": pull.mergeable,
                "mergeable_state": pull.mergeable_state, "checks": checks, "reviews": reviews,
                "foreign_commits": status.foreign, "to_address": status.to_address,
                "not_heard": status.unheard, "next": next_step(status),
            })
        })
        .collect();
    let document =
        json!({ "schema": "orch.pr/1", "run": run, "pull_requests": shown, "queued": queued });
    format!("{document}\n")
}
