//! What a person should know beside the order: areas, risks, and what became of large prompts.

use super::{PATHS_SHOWN, is_skipped, line, more, one_line, wrapped};
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

/// Which prompts were split, and which were not.
pub(super) fn decompositions(out: &mut String, plan: &Plan, columns: usize) {
    if plan.decompositions.is_empty() {
        return;
    }
    let by = plan.decompositions.first().map_or("", |told| told.by.as_str());
    out.push_str(&format!("\nSplit ({})\n", one_line(by)));
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
