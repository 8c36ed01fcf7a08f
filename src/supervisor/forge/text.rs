//! What is written into issues and pull requests: facts of the journal, nothing that an agent could use to
//! speak for the user. What an agent or a prompt says stands in a code block, where nobody is mentioned and
//! nothing is closed by it.

use crate::agent::mask;
use crate::engine::State;
use crate::model::{RunId, StepKind, TaskId, TaskSpec};
use std::fmt::Write;

/// The most that GitHub takes is 65,536 characters; a prompt is quoted up to this.
const QUOTED: usize = 20_000;

/// Files that are listed.
const FILES: usize = 100;

/// The end of what `orch` writes; what follows it is somebody else's.
const END: &str = "<!-- orch:end -->";

/// What tells an issue or a pull request of a run from every other, whoever opened it.
pub(super) fn marker(run: &RunId, task: Option<&TaskId>) -> String {
    match task {
        Some(task) => format!("<!-- orch:{run}/{task} -->"),
        None => format!("<!-- orch:{run} -->"),
    }
}

/// A text's digest (FNV-1a, 64 bits): the same in every version of this program.
pub(super) fn digest(text: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

/// `text` in place of what `orch` wrote before; what people added stays.
pub(super) fn replaced(old: &str, text: &str) -> String {
    match old.split_once(END) {
        Some((_, added)) => format!("{text}{added}"),
        None if old.trim().is_empty() => text.to_owned(),
        None => format!("{text}\n\n{old}"),
    }
}

/// The issue of a run: its tasks, with their issues where they have one.
pub(super) fn of_run(state: &State, tasks: &[TaskId]) -> (String, String) {
    let mut body = format!(
        "{}\nOne issue for each task of `{}`.\n\n",
        marker(&state.spec.id, None),
        state.spec.id
    );
    for task in state.spec.tasks.iter().filter(|task| tasks.contains(&task.id)) {
        let link = state
            .forge
            .issues
            .get(&task.id)
            .map_or(String::new(), |issue| format!(" #{}", issue.number));
        let _ = writeln!(body, "- [ ] {}{link}", plain(&task.title));
    }
    let _ = write!(body, "\n{END}");
    (format!("orch: {} tasks ({})", tasks.len(), state.spec.id), body)
}

/// The issue of a task: what was asked.
pub(super) fn of_issue(state: &State, task: &TaskSpec, prompt: &str) -> (String, String) {
    let mut body = format!("{}\n", marker(&state.spec.id, Some(&task.id)));
    if let Some(parent) = &state.forge.parent {
        let _ = writeln!(body, "Part of #{}.\n", parent.number);
    }
    let _ = writeln!(body, "Prompt {}, given to {}:\n", code(&task.prompt), code(&task.agent));
    body.push_str(&fenced(&shortened(prompt, QUOTED)));
    let _ = write!(body, "\n{END}");
    (plain(&task.title), body)
}

/// A pull request.
pub(super) fn of_pull(state: &State, tasks: &[usize], left_out: &[String]) -> (String, String) {
    let specs: Vec<&TaskSpec> = tasks.iter().map(|at| &state.spec.tasks[*at]).collect();
    let title = match specs[..] {
        [only] => plain(&only.title),
        _ => format!("{} tasks of {}", specs.len(), state.spec.id),
    };
    let one = match specs[..] {
        [only] => Some(&only.id),
        _ => None,
    };
    let mut body = format!("{}\n", marker(&state.spec.id, one));
    for at in tasks {
        task_part(&mut body, state, *at, specs.len() > 1);
    }
    if !left_out.is_empty() {
        let _ = writeln!(body, "Left out: {}.\n", left_out.join("; "));
    }
    let _ = write!(body, "{END}");
    (title, body)
}

fn task_part(body: &mut String, state: &State, at: usize, with_title: bool) {
    let (spec, standings) = (&state.spec.tasks[at], state.standings());
    let view = state.task_view(at, &standings);
    if with_title {
        let _ = writeln!(body, "## {}\n", plain(&spec.title));
    }
    let issue = state.forge.issues.get(&spec.id);
    if let Some(issue) = issue {
        let _ = writeln!(body, "Closes #{}.", issue.number);
    }
    let _ = writeln!(
        body,
        "Prompt {}, task `{}` of `{}`.\n",
        code(&spec.prompt),
        spec.id,
        state.spec.id
    );
    if !spec.depends_on.is_empty() {
        body.push_str("**Order.**\n");
        for dependency in &spec.depends_on {
            let Some(before) = state.position(&dependency.task) else { continue };
            let before = &state.spec.tasks[before];
            let pull = state
                .forge
                .pull_of(&before.id)
                .map_or(String::new(), |p| format!(" (#{})", p.link.number));
            let _ = writeln!(
                body,
                "- after {}{pull}: {} ({})",
                code(&before.name),
                dependency.kind,
                code(&dependency.reason)
            );
        }
        body.push('\n');
    }
    files(body, &view.files_changed, &spec.writes);
    verification(body, state, at);
    let cost: f64 = view.attempts.iter().filter_map(|a| a.cost_usd).sum();
    let attempts = view
        .attempts
        .iter()
        .filter(|a| a.tokens != crate::model::Tokens::default() || a.cost_usd.is_some());
    let tokens: u64 = attempts.map(|a| a.tokens.input + a.tokens.output).sum();
    let _ = write!(body, "**Agent.** {}, {} attempts", code(&view.agent), view.attempts.len());
    if cost > 0.0 {
        let _ = write!(body, ", ${cost:.2}");
    }
    if tokens > 0 {
        let _ = write!(body, ", {tokens} tokens");
    }
    body.push_str(".\n\n");
    if let Some(note) = &view.note {
        let _ = writeln!(body, "{}", fenced(&shortened(note, 2000)));
    }
}

fn files(body: &mut String, changed: &[String], expected: &[String]) {
    if changed.is_empty() {
        return;
    }
    let _ = writeln!(
        body,
        "**Files.** {} changed; marked are those that the plan did not expect.\n",
        changed.len()
    );
    for path in changed.iter().take(FILES) {
        let mark =
            if expected.is_empty() || expected.contains(path) { "" } else { " (unexpected)" };
        let _ = writeln!(body, "- {}{mark}", code(path));
    }
    if changed.len() > FILES {
        let _ = writeln!(body, "- and {} more", changed.len() - FILES);
    }
    body.push('\n');
}

fn verification(body: &mut String, state: &State, at: usize) {
    let steps = state.spec.tasks[at].steps.iter().zip(&state.tasks[at].steps);
    let mut any = false;
    for (spec, step) in steps.filter(|(s, _)| s.phase == crate::model::Phase::Testing) {
        let StepKind::Commands { run } = &spec.kind else { continue };
        let word = match step.state {
            crate::engine::StepState::Done => "passed",
            crate::engine::StepState::Failed => "failed",
            _ => "not run",
        };
        for command in run {
            if !any {
                body.push_str("**Verified.**\n");
                any = true;
            }
            let _ = writeln!(body, "- {word}: {}", code(&mask(command)));
        }
    }
    body.push_str(if any {
        "\n"
    } else {
        "**Verified.** No command was given to verify it with.\n\n"
    });
}

/// One line that mentions nobody and links nothing.
pub(super) fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = mask(&line).chars().filter(|c| !c.is_control()).take(200).collect();
    // An invisible character between them: `@name` and `#1` are links anywhere else.
    line.replace('@', "@\u{200b}").replace("<!--", "<\u{200b}!--")
}

/// As code in a line.
pub(super) fn code(text: &str) -> String {
    let line = mask(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let fence = "`".repeat(longest_run(&line) + 1);
    let pad = if fence.len() > 1 || line.is_empty() { " " } else { "" };
    format!("{fence}{pad}{line}{pad}{fence}")
}

/// As a block of code that its content cannot end.
pub(super) fn fenced(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", mask(text.trim_end()))
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn shortened(text: &str, most: usize) -> String {
    let mut out: String = text.chars().take(most).collect();
    if out.len() < text.len() {
        out.push_str("\n[...]");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_stays_inside_its_block() {
        let text = fenced("done\n```\n@team closes #1\n");
        assert_eq!(text, "````text\ndone\n```\n@team closes #1\n````\n");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(
            plain("ask @ada  to\nfix #1 <!-- x"),
            "ask @\u{200b}ada to fix #1 <\u{200b}!-- x"
        );
    }

    #[test]
    fn a_secret_is_not_published() {
        let key = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
        for text in [fenced(key), code(key), plain(key)] {
            assert!(!text.contains("456789"), "{text}");
        }
    }

    #[test]
    fn what_people_added_stays() {
        let old = format!("mine\n{END}\n\nAda: looks good");
        assert_eq!(
            replaced(&old, &format!("new\n{END}")),
            format!("new\n{END}\n\nAda: looks good")
        );
        assert_eq!(replaced("", "new"), "new");
        assert_eq!(replaced("theirs", "new"), "new\n\ntheirs");
    }

    #[test]
    fn a_digest_does_not_change_with_the_version() {
        assert_eq!(digest("orch"), "e61c27b458a794d7");
    }
}
