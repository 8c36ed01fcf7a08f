//! What `orch merge` and `orch clean` did.

use super::style::Style;
use super::words::count;
use crate::supervisor::{Cleaned, Kept, Landing, Outcome};
use std::fmt::Write;

/// The human view of a landing.
#[must_use]
pub fn landing(landing: &Landing, dry_run: bool, style: Style) -> String {
    let mut out = String::new();
    let would = if dry_run { "would be merged" } else { "merged" };
    for (name, outcome) in &landing.tasks {
        let _ = match outcome {
            Outcome::Merged => writeln!(out, "✓ {name}: {would}"),
            Outcome::AlreadyThere => writeln!(out, "- {name}: is on {} already", landing.into),
            Outcome::Discarded => writeln!(
                out,
                "- {name}: not merged, it was thrown away; bring it back with: orch clean --restore {name}"
            ),
            Outcome::NotFinished(state) => writeln!(out, "- {name}: not merged, it is {state}"),
            Outcome::Broken { log } => writeln!(
                out,
                "✗ {name}: not merged, the verification fails with it\n  log: {}\n  hint: orch retry {name} starts it \
                 from where {} is now; or mend its branch, then: orch merge",
                log.join("log").display(),
                landing.into
            ),
            Outcome::Conflict { paths, with } => {
                let with = if with.is_empty() {
                    format!("what is on {}", landing.into)
                } else {
                    with.join(", ")
                };
                writeln!(
                    out,
                    "! {name}: not merged, conflicts with {with} in {}\n  hint: see orch diff {name}; merge its \
                     branch by hand",
                    paths.join(", ")
                )
            }
        };
    }
    for note in &landing.notes {
        let _ = writeln!(out, "  {note}");
    }
    let merged = landing.tasks.iter().filter(|(_, o)| *o == Outcome::Merged).count();
    let short = |oid: &str| oid.get(..10).unwrap_or(oid).to_owned();
    if landing.from == landing.to {
        let _ = writeln!(out, "{} stays at {}", landing.into, short(&landing.from));
    } else {
        let moves = if dry_run { "would move" } else { "moved" };
        let _ = writeln!(
            out,
            "{} {moves} from {} to {}: {}",
            style.bold(&landing.into),
            short(&landing.from),
            short(&landing.to),
            count(merged, "task"),
        );
        if let Some(checkout) = &landing.checkout {
            let _ = writeln!(out, "{} was brought along", checkout.display());
        }
    }
    out
}

/// The human view of a cleaning.
#[must_use]
pub fn cleaning(
    cleaned: &[Cleaned],
    kept: &[Kept],
    drained: usize,
    forgotten: usize,
    dry_run: bool,
) -> String {
    let mut out = String::new();
    let removed = if dry_run { "would be removed" } else { "removed" };
    for task in cleaned {
        let ready =
            if task.recycled { ", its worktree is kept ready for a later task" } else { "" };
        let _ = match &task.graveyard {
            Some(graveyard) => writeln!(
                out,
                "{}: {removed}; kept under {graveyard}, bring it back with: orch clean --restore {}",
                task.task, task.task
            ),
            None => writeln!(out, "{}: {removed}{ready}", task.task),
        };
    }
    for task in kept {
        let _ = writeln!(out, "{}: kept, {}", task.task, task.reason);
    }
    if drained > 0 {
        let _ = writeln!(out, "{} of the pool removed", count(drained, "worktree"));
    }
    if forgotten > 0 {
        let _ = writeln!(out, "logs of {} removed (keep_runs)", count(forgotten, "old run"));
    }
    let _ = writeln!(out, "{} {removed}, {} kept", count(cleaned.len(), "task"), kept.len());
    out
}
