//! What `orch merge` and `orch clean` did.

use super::style::Style;
use super::words::{count, shell_word};
use crate::supervisor::{Cleaned, Kept, Landing, Outcome};
use std::fmt::Write;

/// The human view of a landing.
#[must_use]
pub fn landing(landing: &Landing, dry_run: bool, style: Style) -> String {
    let mut out = String::new();
    let would = match (dry_run, &landing.obstacle) {
        (true, Some(_)) => "would fit, but nothing would land",
        (true, None) => "would be merged",
        (false, _) => "merged",
    };
    for (name, outcome) in &landing.tasks {
        let (word, into) = (shell_word(name), shell_word(&landing.into));
        let _ = match outcome {
            Outcome::Merged => writeln!(out, "✓ {name}: {would}"),
            Outcome::AlreadyThere => writeln!(out, "- {name}: is on {} already", landing.into),
            Outcome::Discarded => writeln!(
                out,
                "- {name}: not merged, it was thrown away; bring it back with: orch clean --restore {word}"
            ),
            Outcome::NotFinished(state) => writeln!(out, "- {name}: not merged, it is {state}"),
            Outcome::Broken { log, alone } => writeln!(
                out,
                "✗ {name}: not merged, the verification fails with it{}\n  log: {}\n  hint: orch retry {word} starts it \
                 from where {} is now; or mend its branch, then: orch merge {word}",
                if *alone {
                    ", though alone it passed: it does not go with what landed before it"
                } else {
                    ""
                },
                log.join("log").display(),
                landing.into
            ),
            Outcome::BranchFails { log } => writeln!(
                out,
                "! {name}: not merged, the verification fails on {0} without any task\n  log: {1}\n  hint: mend {0} \
                 first, or choose another --verify",
                landing.into,
                log.join("log").display()
            ),
            Outcome::Held { on } => writeln!(
                out,
                "- {name}: not merged, it builds on {on}\n  hint: to try it together with that work: orch merge {word}"
            ),
            Outcome::Conflict { paths, with, worktree, reason } => {
                let with = if with.is_empty() {
                    format!("what is on {}", landing.into)
                } else {
                    with.join(", ")
                };
                let _ = writeln!(
                    out,
                    "! {name}: not merged, conflicts with {with} in {}",
                    paths.join(", ")
                );
                if let Some(reason) = reason {
                    let _ = writeln!(out, "  the agent did not resolve it: {reason}");
                }
                writeln!(
                    out,
                    "  hint: resolve it by hand: git -C {} merge {into}, then: orch merge {word}\n        or start it \
                     again on {into}: orch retry {word}",
                    shell_word(worktree)
                )
            }
        };
    }
    for note in &landing.notes {
        let _ = writeln!(out, "  {note}");
    }
    for clash in &landing.clashes {
        let [one, other] = &clash.tasks;
        let _ = writeln!(out, "  {one} and {other} conflict in {}", clash.paths.join(", "));
    }
    if let Some(obstacle) = &landing.obstacle {
        let _ = writeln!(out, "! {obstacle}");
    }
    let merged = landing.tasks.iter().filter(|(_, o)| *o == Outcome::Merged).count();
    let short = |oid: &str| oid.get(..10).unwrap_or(oid).to_owned();
    if landing.from == landing.to || landing.obstacle.is_some() {
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
                task.task,
                shell_word(&task.task)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_to_be_run_can_be_pasted() {
        let conflict = Outcome::Conflict {
            paths: vec!["a".to_owned()],
            with: vec![],
            worktree: "my trees/one".to_owned(),
            reason: None,
        };
        let outcomes = [conflict, Outcome::Discarded, Outcome::Held { on: "x".to_owned() }];
        let told = Landing {
            into: "it's".to_owned(),
            from: "0".to_owned(),
            to: "0".to_owned(),
            tasks: outcomes.map(|outcome| ("fix $(x)".to_owned(), outcome)).into(),
            checkout: None,
            clashes: vec![],
            obstacle: None,
            tests: 0,
            notes: vec![],
        };
        let text = landing(&told, false, Style::PLAIN);
        for command in [
            r"git -C 'my trees/one' merge 'it'\''s', then: orch merge 'fix $(x)'",
            "orch retry 'fix $(x)'",
            "orch clean --restore 'fix $(x)'",
            "with that work: orch merge 'fix $(x)'",
        ] {
            assert!(text.contains(command), "{command}: {text}");
        }
    }
}
