//! The figures, as a person reads them.

use super::fold::{Analytics, Group, RunFigures};
use super::prediction::{Prediction, Score};
use crate::report::style::{Style, columns};
use crate::report::words::{count, duration, money};
use std::fmt::Write;
use std::time::Duration;

pub(super) fn text(analytics: &Analytics, style: Style) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail, here and below.
    if let Some(run) = &analytics.run {
        head(&mut out, run, analytics.tasks, style);
    } else {
        let (tasks, runs) = (count(analytics.tasks, "task"), count(analytics.runs, "run"));
        let _ = writeln!(out, "{tasks} of {runs}");
    }
    table(&mut out, "type", &analytics.types, style);
    table(&mut out, "agent", &analytics.agents, style);
    if !analytics.failures.is_empty() {
        let _ = writeln!(out, "\n{}", style.bold("failures"));
        for failure in &analytics.failures {
            let attempts = count(failure.attempts, "attempt");
            let tasks = count(failure.tasks, "task");
            let _ = writeln!(out, "  {:<20} {attempts} of {tasks}", failure.class);
        }
    }
    let overlaps = analytics.overlaps;
    if overlaps.pairs > 0 {
        let pairs = count(overlaps.pairs, "pair");
        let _ = writeln!(
            out,
            "\n{}  {pairs} changed the same files, {} of them in a way that does not merge",
            style.bold("overlaps"),
            overlaps.conflicts
        );
    }
    let _ = writeln!(out, "\n{}", style.bold("prediction against truth"));
    if let Some(run) = &analytics.prediction.run {
        prediction(&mut out, "this run", run);
    }
    prediction(&mut out, "all runs", &analytics.prediction.all);
    out
}

fn head(out: &mut String, run: &RunFigures, tasks: usize, style: Style) {
    let seconds = |s: f64| duration(Duration::try_from_secs_f64(s).unwrap_or_default());
    let _ = writeln!(
        out,
        "{}  {}  {} of {} done in {}",
        style.bold(run.id.as_str()),
        run.state,
        run.succeeded,
        count(tasks, "task"),
        seconds(run.wall_seconds)
    );
    if let Some(parallelism) = run.parallelism {
        let expected = match (run.predicted_parallelism, run.predicted_seconds) {
            (Some(parallelism), Some(time)) => {
                format!("; the plan expected {parallelism:.1} and {}", seconds(time))
            }
            _ => String::new(),
        };
        let work = seconds(run.work_seconds);
        let _ =
            writeln!(out, "{parallelism:.1} tasks at a time on average ({work} of work){expected}");
    }
    let mut facts = vec![count(run.attempts, "attempt")];
    if run.retries > 0 {
        facts.push(format!("{} of them again", run.retries));
    }
    if run.cost_usd > 0.0 {
        facts.push(money(run.cost_usd));
    }
    let _ = writeln!(out, "{}", facts.join(", "));
}

fn table(out: &mut String, title: &str, groups: &[Group], style: Style) {
    if groups.is_empty() {
        return;
    }
    let width = groups.iter().map(|g| columns(&g.name)).max().unwrap_or(0).max(12);
    let gap = width.saturating_sub(columns(title)) + 2;
    let _ = writeln!(
        out,
        "\n{}{:gap$}  {:>5} {:>5} {:>7} {:>8} {:>8} {:>9}",
        style.bold(title),
        "",
        "tasks",
        "done",
        "retries",
        "median",
        "total",
        "cost"
    );
    for group in groups {
        let seconds = |s: f64| duration(Duration::try_from_secs_f64(s).unwrap_or_default());
        let median = group.median_seconds.map_or_else(|| "-".to_owned(), seconds);
        let cost = if group.cost_usd > 0.0 { money(group.cost_usd) } else { "-".to_owned() };
        let pad = width.saturating_sub(columns(&group.name));
        let _ = writeln!(
            out,
            "  {}{:pad$}  {:>5} {:>5} {:>7} {median:>8} {:>8} {cost:>9}",
            group.name,
            "",
            group.tasks,
            group.succeeded,
            group.retries,
            seconds(group.total_seconds),
        );
    }
}

fn prediction(out: &mut String, what: &str, prediction: &Prediction) {
    let part = |part: Option<f64>| part.map_or_else(|| "-".to_owned(), |part| format!("{part:.2}"));
    let line = |score: &Score| {
        format!(
            "precision {}, recall {} ({} predicted, {} actual, {} both)",
            part(score.precision),
            part(score.recall),
            score.predicted,
            score.actual,
            score.hits
        )
    };
    let _ = writeln!(out, "  {what} ({} that changed something)", count(prediction.tasks, "task"));
    let _ = writeln!(out, "    files      {}", line(&prediction.files));
    let _ = writeln!(out, "    conflicts  {}", line(&prediction.conflicts));
}
