//! The prompt an agent is given: the user's words, then a short working agreement.
//!
//! The user's text comes first and is never changed. The agreement says only what the agent cannot know by
//! itself: where it works, what it must leave alone, how its work will be judged.

use crate::model::Phase;
use std::fmt::Write as _;
use std::path::Path;

/// Longest list of paths given for one neighbour.
const PATHS: usize = 12;
/// As many neighbours are worth naming: an agent has to read them all.
pub const NEIGHBOURS: usize = 20;

/// What a prompt is made of.
#[derive(Clone, Copy, Debug)]
pub struct Briefing<'a> {
    /// One line; shown only when the body has no words of its own for it.
    pub title: &'a str,
    /// The user's prompt, without front matter.
    pub body: &'a str,
    /// The task's worktree, absolute.
    pub worktree: &'a Path,
    /// The task's branch.
    pub branch: &'a str,
    /// The branch or commit it began at.
    pub base: &'a str,
    /// The phase of this step.
    pub phase: Phase,
    /// The role, when there is one.
    pub role: Option<&'a str>,
    /// Further rules, one sentence each.
    pub constraints: &'a [String],
    /// Commands that will judge the work.
    pub verify: &'a [String],
    /// Tasks that run at the same time.
    pub others: &'a [Neighbour<'a>],
    /// How many more of them there are.
    pub further: usize,
    /// About the environment, one sentence each, such as `use uv run for python`.
    pub hints: &'a [String],
    /// The attempt before this one, if there was one.
    pub previous: Option<Previous<'a>>,
}

/// What an attempt should know of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Previous<'a> {
    /// What went wrong; nothing when it was only interrupted.
    pub error: Option<&'a str>,
    /// The end of what the command printed that failed.
    pub output: Option<&'a str>,
    /// The worktree is as that attempt left it, and not back at its start.
    pub kept: bool,
}

/// A task that runs at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour<'a> {
    /// Its name.
    pub name: &'a str,
    /// Paths it is going to write.
    pub paths: &'a [String],
}

/// Writes the prompt.
#[must_use]
pub fn compose(briefing: &Briefing) -> String {
    let body = briefing.body.trim_end();
    let mut out = String::with_capacity(body.len() + 1024);
    if !body.contains(briefing.title.trim()) {
        let _ = write!(out, "# {}\n\n", briefing.title.trim());
    }
    out.push_str(body);
    out.push_str("\n\n---\n\n## Working agreement\n\n");
    for rule in rules(briefing) {
        let _ = writeln!(out, "- {rule}");
    }
    if let Some(previous) = &briefing.previous {
        out.push_str(&before(previous));
    }
    out
}

/// What an agent is told that goes on with its own session: it has read the rest.
#[must_use]
pub fn compose_continuation(previous: &Previous) -> String {
    let mut out = match previous.error {
        Some(_) => "What you did so far does not do yet:\n\n".to_owned(),
        None => "You were interrupted before you were done.".to_owned(),
    };
    out.push_str(&evidence(previous));
    out.push_str(if previous.kept {
        "\nThe worktree is as you left it. What ran in the background has been ended. "
    } else {
        "\nThe worktree is back where you began, without your changes. "
    });
    out.push_str(
        "Go on until everything that was asked is done; the working agreement still holds.\n",
    );
    out
}

fn before(previous: &Previous) -> String {
    let head = match (previous.kept, previous.error) {
        (false, Some(_)) => {
            "An earlier attempt at this failed. The worktree is back where that attempt began, without its \
             changes: start afresh, and avoid what went wrong:\n\n"
        }
        (true, Some(_)) => {
            "An earlier attempt at this failed. The worktree is as that attempt left it: look at what is there \
             (git status, git diff), keep what is good, and mend what went wrong:\n\n"
        }
        (true, None) => {
            "An earlier attempt at this was interrupted. The worktree is as that attempt left it: look at what \
             is there (git status, git diff) and go on from it.\n"
        }
        (false, None) => return String::new(),
    };
    format!("\n{head}{}", evidence(previous))
}

/// The error and what was printed, in fences.
fn evidence(previous: &Previous) -> String {
    let mut out = String::new();
    if let Some(error) = previous.error {
        let _ = writeln!(out, "{}", fenced(error.trim()));
    }
    if let Some(output) = previous.output.map(str::trim).filter(|output| !output.is_empty()) {
        let _ = write!(out, "\nThe end of what it printed:\n\n{}\n", fenced(output));
    }
    out
}

fn rules(briefing: &Briefing) -> Vec<String> {
    let mut rules = Vec::new();
    if let Some(role) = briefing.role {
        rules.push(format!("Your role: {role}."));
    }
    rules.push(focus(briefing.phase).to_owned());
    rules.push(format!(
        "Work only inside this git worktree: {}. Use paths relative to it.",
        briefing.worktree.display()
    ));
    rules.push(format!(
        "You are on branch {}, begun at {}. Do not switch branches, push, merge or rebase. Commit your work or \
         leave it uncommitted: what is left is committed for you.",
        briefing.branch, briefing.base
    ));
    if let Some(rule) = neighbours(briefing.others, briefing.further) {
        rules.push(rule);
    }
    if !briefing.verify.is_empty() {
        let commands: Vec<String> = briefing.verify.iter().map(|c| format!("`{c}`")).collect();
        rules.push(format!(
            "When you are done these must succeed in the worktree: {}. Run them yourself first.",
            commands.join(", ")
        ));
    }
    rules.extend(briefing.hints.iter().map(|hint| sentence(hint)));
    rules.extend(briefing.constraints.iter().map(|constraint| sentence(constraint)));
    rules.push(
        "Nobody can answer questions. Where something is open, decide, and say in your last message what you \
         decided. End every process you started."
            .to_owned(),
    );
    rules
}

fn focus(phase: Phase) -> &'static str {
    match phase {
        Phase::Testing => {
            "This step is about tests: make them cover the work on this branch and pass."
        }
        Phase::Documentation => {
            "This step is about documentation: bring it in line with this branch."
        }
        Phase::Review => {
            "This step is a review: read the work on this branch and correct what is wrong."
        }
        _ => "Do the whole of what is asked above, and nothing beyond it.",
    }
}

fn neighbours(others: &[Neighbour], further: usize) -> Option<String> {
    if others.is_empty() {
        return None;
    }
    let mut rule =
        "Other agents are changing these files in worktrees of their own; leave them alone:"
            .to_owned();
    for other in others {
        let _ = write!(rule, "\n  - {}: {}", other.name, listed(other.paths));
    }
    match further {
        0 => {}
        1 => rule.push_str("\n  - and those of one more task"),
        _ => {
            let _ = write!(rule, "\n  - and those of {further} more tasks");
        }
    }
    Some(rule)
}

fn listed(paths: &[String]) -> String {
    let shown = paths.iter().take(PATHS).cloned().collect::<Vec<_>>().join(", ");
    if paths.len() > PATHS { format!("{shown} and {} more", paths.len() - PATHS) } else { shown }
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?', ':']) { text.to_owned() } else { format!("{text}.") }
}

/// A fence longer than any in the text, so that the text cannot end it.
fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}\n{text}\n{fence}")
}

#[cfg(test)]
#[path = "briefing_tests.rs"]
mod tests;
