//! What a person should know beside the order: areas, risks, and what became of large prompts.

use super::{PATHS_SHOWN, duration, is_skipped, line, more, one_line, wrapped};
use crate::plan::{GroupKind, Plan};

/// Tasks shown of a list; `--json` has them all.
const SHOWN: usize = 10;
/// Risks that every other task has, or that are said elsewhere: they are in `--json`, here they would be
/// noise.
const COMMON: &[&str] = &["hot_file", "no_tests", "unknown_files"];

/// Tasks that are side by side in one area of the code.
pub(super) fn domains(out: &mut String, plan: &Plan, columns: usize) {
    let mut groups = plan.groups.iter().filter(|g| g.kind == GroupKind::Domain).peekable();
    if groups.peek().is_some() {
        out.push_str("\nSame area, different files\n");
    }
    for group in groups {
        let shown: Vec<String> =
            group.tasks.iter().take(PATHS_SHOWN).map(|name| one_line(name)).collect();
        let area = one_line(group.domain.as_deref().unwrap_or_default());
        wrapped(out, &format!("   {area}: {}", more(&shown, group.tasks.len())), 5, columns);
    }
}

/// What may go wrong, and what should be found out first.
pub(super) fn risks(out: &mut String, plan: &Plan, columns: usize) {
    let mut lines = Vec::new();
    for task in plan.tasks.iter().filter(|task| !is_skipped(task)) {
        let name = one_line(&task.name);
        let research = task.research.iter().map(|why| format!("find out more first: {why}"));
        let risks = task.risks.iter().filter(|risk| !COMMON.contains(&risk.kind.as_str()));
        let risks = risks.map(|risk| risk.reason.clone());
        // A note about another task is in `--json` and `--explain`; one about the prompt is for its writer.
        let notes = task.notes.iter().filter(|n| n.task.is_none()).map(|n| n.text.clone());
        let words: Vec<String> = research.chain(notes).chain(risks).map(|w| one_line(&w)).collect();
        if !words.is_empty() {
            lines.push(format!("   {name}: {}", words.join("; ")));
        }
    }
    for hot in plan.hot_files.iter().filter(|hot| !hot.mergeable) {
        let path = one_line(&hot.path);
        lines.push(format!("   {path}: {} that several tasks write; {}", hot.kind, hot.reason));
    }
    if lines.is_empty() {
        return;
    }
    out.push_str("\nWorth a look\n");
    for text in lines.iter().take(SHOWN) {
        wrapped(out, text, 5, columns);
    }
    if lines.len() > SHOWN {
        line(out, &format!("   and {} more (--json has them all)", lines.len() - SHOWN));
    }
}

/// Everything the plan knows of one task beside its targets: type, size, estimate, what it waits for, what
/// it may collide with, what may go wrong. `None` where there is no such task.
#[must_use]
pub fn about(plan: &Plan, name: &str, columns: usize) -> Option<String> {
    let task = plan.task(name)?;
    let mut out = String::new();
    let mut say = |text: &str| wrapped(&mut out, &format!("   {}", one_line(text)), 5, columns);
    for reason in &task.reasons {
        say(reason);
    }
    let about = duration(task.estimate_seconds);
    let spread = match (task.estimate_low_seconds, task.estimate_high_seconds) {
        (Some(low), Some(high)) => {
            format!(", half of them {} to {}", duration(low), duration(high))
        }
        _ => String::new(),
    };
    say(&format!("estimate {about}: {}{spread}", task.estimate_from));
    if !task.packages.is_empty() {
        say(&format!("packages affected: {}", task.packages.join(", ")));
    }
    for before in &task.depends_on {
        say(&format!("waits for {} ({}): {}", before.task, before.kind, before.reason));
    }
    for conflict in plan.conflicts.iter().filter(|c| !c.orders && c.tasks.contains(&task.name)) {
        let other = conflict.tasks.iter().find(|other| **other != task.name);
        let other = other.map_or("", String::as_str);
        let percent = (conflict.confidence * 100.0).round();
        let why = conflict.hint.as_deref().unwrap_or("too unsure to order them");
        say(&format!("may collide with {other} ({percent}%): {}; {why}", conflict.reason));
    }
    for note in &task.notes {
        let other = note.task.as_ref().map(|task| format!(" with {task}")).unwrap_or_default();
        let percent = note.confidence.map(|c| format!(" ({:.0}%)", c * 100.0)).unwrap_or_default();
        say(&format!("note{other}{percent}: {}", note.text));
    }
    if let Some(research) = &task.research {
        say(&format!("find out more first: {research}"));
    }
    for risk in &task.risks {
        say(&format!("risk {}: {}", risk.kind, risk.reason));
    }
    Some(out)
}

/// Which prompts were split, and which were not.
pub(super) fn decompositions(out: &mut String, plan: &Plan, columns: usize) {
    if plan.decompositions.is_empty() {
        return;
    }
    let by = plan.decompositions.first().map_or("", |told| told.by.as_str());
    out.push('\n');
    line(out, &format!("Split ({})", one_line(by)));
    let (split, whole): (Vec<_>, Vec<_>) =
        plan.decompositions.iter().partition(|told| !told.into.is_empty());
    for told in &split {
        let into: Vec<String> = told.into.iter().map(|name| one_line(name)).collect();
        let text = format!("   {} into {}: {}", one_line(&told.task), into.join(", "), told.reason);
        wrapped(out, &one_line(&text), 5, columns);
    }
    // Many stay one for the same reason.
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for told in whole {
        match reasons.iter_mut().find(|(reason, _)| *reason == told.reason) {
            Some((_, names)) => names.push(one_line(&told.task)),
            None => reasons.push((&told.reason, vec![one_line(&told.task)])),
        }
    }
    for (reason, names) in reasons.iter().take(SHOWN) {
        let stay = if names.len() == 1 { "stays one" } else { "stay one" };
        let shown = &names[..names.len().min(PATHS_SHOWN)];
        let text = format!("   {} {stay}: {}", more(shown, names.len()), one_line(reason));
        wrapped(out, &text, 5, columns);
    }
    if reasons.len() > SHOWN {
        line(out, &format!("   and for {} more reasons others", reasons.len() - SHOWN));
    }
}
