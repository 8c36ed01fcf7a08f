//! Views of a plan: a table for people, JSON, Graphviz, Mermaid.
//!
//! Promise: pure, deterministic, and never broken by an odd name: every name is escaped for the form
//! it is written in.

mod remarks;

pub use remarks::about;
mod explain;

pub use explain::explain;

use crate::model::{Access, DependencyKind};
use crate::plan::{Conflict, ConflictKind, Plan, PlanTask, PlanTaskState};
use std::fmt::Write as _;

/// `orch.plan/1`, indented.
///
/// # Panics
/// Never: a plan holds nothing that JSON cannot.
#[must_use]
pub fn json(plan: &Plan) -> String {
    #[expect(
        clippy::expect_used,
        reason = "keys are strings and nothing in a plan fails to serialise"
    )]
    let mut text = serde_json::to_string_pretty(plan).expect("a plan is serialisable");
    text.push('\n');
    text
}

/// A directed graph for Graphviz: an arrow from what comes first to what waits; full lines for declared
/// dependencies, dashed for conflicts, dotted without an arrow for conflicts that order nothing.
#[must_use]
pub fn dot(plan: &Plan) -> String {
    let mut out =
        String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    let quote = |text: &str| {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    };
    for (i, task) in plan.tasks.iter().enumerate() {
        let done = if is_skipped(task) { ", style=\"rounded,dashed\", fontcolor=gray" } else { "" };
        line(&mut out, &format!("  t{i} [label={}{done}];", quote(&task.name)));
    }
    for edge in edges(plan) {
        let Edge { from, to, label, .. } = edge;
        let look = match edge.kind {
            EdgeKind::Declared => String::new(),
            EdgeKind::Conflict => format!(" [style=dashed, label={}]", quote(&label)),
            EdgeKind::Loose => {
                format!(" [style=dotted, dir=none, constraint=false, label={}]", quote(&label))
            }
        };
        line(&mut out, &format!("  t{from} -> t{to}{look};"));
    }
    out.push_str("}\n");
    out
}

/// A flow chart for Mermaid, with the same arrows as [`dot`].
#[must_use]
pub fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("flowchart LR\n");
    for (i, task) in plan.tasks.iter().enumerate() {
        let done = if is_skipped(task) { ":::skipped" } else { "" };
        line(&mut out, &format!("  t{i}[\"{}\"]{done}", mermaid_text(&task.name)));
    }
    for Edge { from, to, kind, label } in edges(plan) {
        let label = mermaid_text(&label);
        let arrow = match kind {
            EdgeKind::Declared => "-->".to_owned(),
            EdgeKind::Conflict => format!("-. \"{label}\" .->"),
            EdgeKind::Loose => format!("-. \"{label}\" .-"),
        };
        line(&mut out, &format!("  t{from} {arrow} t{to}"));
    }
    if plan.tasks.iter().any(is_skipped) {
        out.push_str("  classDef skipped stroke-dasharray:4,color:gray\n");
    }
    out
}

/// The plan for a person, in lines of at most `columns` columns where words allow it.
#[must_use]
pub fn human(plan: &Plan, columns: usize) -> String {
    let columns = columns.max(MIN_COLUMNS);
    let mut out = String::new();
    wrapped(&mut out, &summary(plan), 2, columns);
    waves(&mut out, plan, columns);
    skipped(&mut out, plan, columns);
    loose_conflicts(&mut out, plan, columns);
    remarks::domains(&mut out, plan, columns);
    remarks::risks(&mut out, plan, columns);
    remarks::decompositions(&mut out, plan, columns);
    out
}

/// Narrower terminals get lines of this width.
const MIN_COLUMNS: usize = 40;
/// Paths shown of a task or a conflict.
const PATHS_SHOWN: usize = 4;
/// Tasks shown of the longest chain.
const CHAIN_SHOWN: usize = 12;
/// Conflicts shown that order nothing.
const LOOSE_SHOWN: usize = 10;

fn summary(plan: &Plan) -> String {
    let ready = plan.tasks.iter().filter(|task| !is_skipped(task)).count();
    let skipped = plan.tasks.len() - ready;
    let mut text = count(ready, "task");
    if skipped > 0 {
        let _ = write!(text, " ({skipped} skipped)");
    }
    let ordering = plan.ordering_conflicts().count();
    let _ =
        write!(text, " in {}, {}", count(plan.waves.len(), "wave"), count(ordering, "conflict"));
    let Estimate { one, many } = estimate(plan);
    if ready > 0 {
        let _ = write!(text, "; about {many} instead of {one}");
    }
    // A wide spread says how little the number means.
    if let (Some(low), Some(high)) = (plan.estimate.low_seconds, plan.estimate.high_seconds) {
        let _ = write!(text, " ({} to {})", duration(low), duration(high));
    }
    text
}

struct Estimate {
    one: String,
    many: String,
}

fn estimate(plan: &Plan) -> Estimate {
    let many = duration(plan.estimate.parallel_seconds);
    let jobs = plan.estimate.jobs;
    Estimate {
        one: duration(plan.estimate.sequential_seconds),
        many: if jobs > 0 { format!("{many} with {}", count(jobs as usize, "job")) } else { many },
    }
}

fn waves(out: &mut String, plan: &Plan, columns: usize) {
    let widest = plan.tasks.iter().map(|task| width(&task.name)).max().unwrap_or(0);
    let name_width = widest.min(columns / 3);
    for (i, wave) in plan.waves.iter().enumerate() {
        let note = match (i, wave.len()) {
            (0, 1) => "starts first".to_owned(),
            (0, n) => format!("{n} run side by side"),
            (_, 1) => "then".to_owned(),
            (_, n) => format!("then {n} side by side"),
        };
        out.push('\n');
        line(out, &format!("Wave {}: {note}", i + 1));
        for task in wave.iter().filter_map(|name| plan.task(name)) {
            let time = duration(task.estimate_seconds);
            let critical = if plan.critical_path.contains(&task.name) { '*' } else { ' ' };
            let start = format!(" {critical} {} {time:>6}  ", pad(&task.name, name_width));
            let room = columns.saturating_sub(width(&start));
            line(out, &cut(&format!("{start}{}", writes(task, room)), columns));
            for dependency in &task.depends_on {
                let kind = match dependency.kind {
                    DependencyKind::Declared => "",
                    DependencyKind::Conflict => "conflict: ",
                    DependencyKind::Import => "import: ",
                };
                let text = format!(
                    "     after {}: {kind}{}",
                    one_line(&dependency.task),
                    dependency.reason
                );
                wrapped(out, &text, 7, columns);
            }
        }
    }
    if plan.critical_path.len() > 1 {
        let path: Vec<String> =
            plan.critical_path.iter().take(CHAIN_SHOWN).map(|name| one_line(name)).collect();
        let rest = match plan.critical_path.len() - path.len() {
            0 => String::new(),
            rest => format!(" > {rest} more"),
        };
        out.push('\n');
        wrapped(out, &format!("* longest chain: {}{rest}", path.join(" > ")), 2, columns);
    }
}

/// As many of the written paths as fit, the surest first.
fn writes(task: &PlanTask, room: usize) -> String {
    let mut written: Vec<_> = task.targets.iter().filter(|t| t.access == Access::Write).collect();
    written.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let paths: Vec<String> = written.iter().take(PATHS_SHOWN).map(|t| one_line(&t.path)).collect();
    if paths.is_empty() {
        return "files unknown".to_owned();
    }
    let shown = |n: usize| more(&paths[..n], written.len());
    (1..=paths.len()).rev().map(shown).find(|text| width(text) <= room).unwrap_or_else(|| shown(1))
}

fn skipped(out: &mut String, plan: &Plan, columns: usize) {
    let mut skipped = plan.tasks.iter().filter(|task| is_skipped(task)).peekable();
    if skipped.peek().is_some() {
        out.push_str("\nSkipped\n");
    }
    for task in skipped {
        let why = task.skip_reason.as_deref().unwrap_or("");
        wrapped(out, &format!("   {}: {}", one_line(&task.name), one_line(why)), 5, columns);
    }
}

fn loose_conflicts(out: &mut String, plan: &Plan, columns: usize) {
    let loose: Vec<&Conflict> = plan.conflicts.iter().filter(|c| !c.orders).collect();
    if loose.is_empty() {
        return;
    }
    out.push_str("\nMay also collide, not ordered\n");
    for conflict in loose.iter().take(LOOSE_SHOWN) {
        let [a, b] = &conflict.tasks;
        let what = match conflict.kind {
            ConflictKind::WriteWrite => "both may write",
            ConflictKind::WriteRead => "one writes what the other reads:",
            ConflictKind::Import => "one writes what the other imports:",
        };
        let percent = (conflict.confidence * 100.0).round();
        let sure = match &conflict.hint {
            Some(hint) => one_line(hint),
            None => format!("{percent}%"),
        };
        let text =
            format!("   {} | {}: {what} {} ({sure})", one_line(a), one_line(b), label(conflict));
        wrapped(out, &text, 5, columns);
    }
    if loose.len() > LOOSE_SHOWN {
        line(out, &format!("   and {} more (--json has them all)", loose.len() - LOOSE_SHOWN));
    }
}

fn label(conflict: &Conflict) -> String {
    let shown: Vec<String> =
        conflict.paths.iter().take(PATHS_SHOWN).map(|path| one_line(path)).collect();
    more(&shown, conflict.path_count)
}

fn more(shown: &[String], all: usize) -> String {
    match all.saturating_sub(shown.len()) {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}

enum EdgeKind {
    Declared,
    Conflict,
    Loose,
}

struct Edge {
    from: usize,
    to: usize,
    kind: EdgeKind,
    label: String,
}

fn edges(plan: &Plan) -> Vec<Edge> {
    let places: std::collections::HashMap<&str, usize> =
        plan.tasks.iter().enumerate().map(|(i, task)| (task.name.as_str(), i)).collect();
    let place = |name: &str| places.get(name).copied();
    let directed = plan.tasks.iter().enumerate().flat_map(|(to, task)| {
        task.depends_on.iter().filter_map(move |dependency| {
            Some(Edge {
                from: place(&dependency.task)?,
                to,
                kind: match dependency.kind {
                    DependencyKind::Declared => EdgeKind::Declared,
                    DependencyKind::Conflict | DependencyKind::Import => EdgeKind::Conflict,
                },
                label: dependency.reason.clone(),
            })
        })
    });
    let loose = plan.conflicts.iter().filter(|conflict| !conflict.orders).filter_map(|conflict| {
        Some(Edge {
            from: place(&conflict.tasks[0])?,
            to: place(&conflict.tasks[1])?,
            kind: EdgeKind::Loose,
            label: label(conflict),
        })
    });
    directed.chain(loose).collect()
}

fn is_skipped(task: &PlanTask) -> bool {
    task.state == PlanTaskState::Skipped
}

fn mermaid_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | ';' | '`' | '\\' | '[' | ']' | '{' | '}' | '|' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    if seconds < 60.0 {
        format!("{seconds:.0}s")
    } else if minutes < 60.0 {
        format!("{minutes:.0}m")
    } else {
        format!("{:.0}h{:02.0}m", (minutes / 60.0).floor(), minutes % 60.0)
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// Columns of a text on a terminal: East Asian wide characters take two.
fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    let wide = matches!(u32::from(c),
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD);
    1 + usize::from(wide)
}

fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let mut out: String = text
        .chars()
        .take_while(|&c| {
            used += columns_of(c);
            used <= columns
        })
        .collect();
    out.push('…');
    out
}

/// A text over as many lines as it needs, all but the first indented.
fn wrapped(out: &mut String, text: &str, indent: usize, columns: usize) {
    let first = text.len() - text.trim_start().len();
    let mut row = " ".repeat(first);
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && width(&row) + 1 + width(word) > columns {
            line(out, &row);
            row = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            row.push(' ');
        }
        row.push_str(&cut(word, columns.saturating_sub(width(&row))));
        is_empty = false;
    }
    line(out, &row);
}

fn pad(text: &str, columns: usize) -> String {
    let mut out = cut(&one_line(text), columns);
    while width(&out) < columns {
        out.push(' ');
    }
    out
}

#[cfg(test)]
mod tests;
