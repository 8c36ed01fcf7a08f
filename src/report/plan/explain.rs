//! Why a task is expected to touch what it touches.

use super::{line, one_line, wrapped};
use crate::model::{Access, Evidence, Factor};
use crate::plan::PlanTask;

/// The targets of a task, written before read and the surest first, with everything that speaks for each.
#[must_use]
pub fn explain(task: &PlanTask, columns: usize) -> String {
    let columns = columns.max(super::MIN_COLUMNS);
    let mut out = String::new();
    line(&mut out, &format!("{}: {}", one_line(&task.name), one_line(&task.title)));
    let mut targets: Vec<_> = task.targets.iter().collect();
    let rank = |access| u8::from(access == Access::Read);
    targets.sort_by(|a, b| {
        rank(a.access)
            .cmp(&rank(b.access))
            .then_with(|| b.confidence.total_cmp(&a.confidence))
            .then_with(|| a.path.cmp(&b.path))
    });
    for target in &targets {
        let access = if target.access == Access::Write { "writes" } else { "reads" };
        let percent = (target.confidence * 100.0).round();
        out.push('\n');
        wrapped(&mut out, &format!("{access} {} ({percent}%)", one_line(&target.path)), 4, columns);
        for Evidence { line, text, factor } in &target.evidence {
            let kind = factor.map_or("named", name);
            let text = format!("  {kind}, line {line}: {}", one_line(text));
            wrapped(&mut out, &text, 6, columns);
        }
    }
    if targets.is_empty() {
        out.push('\n');
        line(&mut out, "nothing in the prompt or the history says which files it touches;");
        line(&mut out, "name them in the text, or as `files` in the front matter");
    }
    out
}

fn name(factor: Factor) -> &'static str {
    match factor {
        Factor::Declared => "declared",
        Factor::Verb => "named with a verb of writing",
        Factor::Heading => "named under a heading of changes",
        Factor::Named => "named",
        Factor::Code => "named in a code block",
        Factor::Read => "named to look at",
        Factor::Not => "named to leave alone",
        Factor::OneOf => "one of several of this name",
        Factor::Created => "new",
        Factor::Place => "place",
        Factor::Symbol => "symbol",
        Factor::Coupled => "changes together",
        Factor::Test => "test",
        Factor::Registry => "registry",
        Factor::Words => "likeness",
        Factor::Past => "earlier change",
        Factor::Others => "not named",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;
    use crate::plan::{PlanInput, PlanOptions, build};

    #[test]
    fn every_kind_of_evidence_is_told_with_its_line() {
        let evidence = |line, text: &str, factor| Evidence { line, text: text.into(), factor };
        let target = |path: &str, access, confidence, evidence| Target {
            path: path.into(),
            access,
            confidence,
            evidence,
        };
        let targets = vec![
            target("a.rs", Access::Read, 0.8, vec![evidence(3, "see a.rs", Some(Factor::Read))]),
            target(
                "b.rs",
                Access::Write,
                0.6,
                vec![
                    evidence(1, "fix b.rs", Some(Factor::Verb)),
                    evidence(1, "in 3 of the 4 changes of c.rs", Some(Factor::Coupled)),
                ],
            ),
            target("c.rs", Access::Write, 0.9, vec![evidence(2, "c.rs\u{7}", None)]),
        ];
        let input =
            PlanInput { name: "t".into(), title: "T".into(), targets, ..PlanInput::default() };
        let plan = build("0", vec![input], &PlanOptions::default()).unwrap();
        assert_eq!(
            explain(&plan.tasks[0], 100),
            "t: T\n\
             \nwrites c.rs (90%)\n  named, line 2: c.rs\u{fffd}\n\
             \nwrites b.rs (60%)\n  named with a verb of writing, line 1: fix b.rs\n  \
             changes together, line 1: in 3 of the 4 changes of c.rs\n\
             \nreads a.rs (80%)\n  named to look at, line 3: see a.rs\n"
        );
        let nothing = PlanInput { name: "t".into(), ..PlanInput::default() };
        let plan = build("0", vec![nothing], &PlanOptions::default()).unwrap();
        assert!(explain(&plan.tasks[0], 100).contains("`files` in the front matter"));
    }
}
