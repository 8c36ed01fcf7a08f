//! The size of a task, from what it writes, who depends on that, and how much is asked.
//!
//! | | low | medium | high | critical |
//! |---|---|---|---|---|
//! | files written | 0-2 | 3-6 | 7-20 | more |
//! | directories they lie in | 0-2 | 3-4 | 5-10 | more |
//! | characters of the request | to 2,500 | to 10,000 | more | |
//!
//! The two larger of the three signs must agree: a long text about one file is not a large task, and
//! neither is a short one that renames something in twenty. What the written files are in the
//! repository raises the size by one level, once: files that many others import
//! ([`MANY_IMPORTERS`]), or that change all the time ([`MUCH_CHURN`]), are harder to change than their
//! number says.

use crate::model::{Access, Complexity, Target};
use std::collections::BTreeSet;

/// A target below this is not counted.
const COUNTS_FROM: f64 = 0.5;
/// Files that import what a task writes, from which on many depend on it.
const MANY_IMPORTERS: usize = 10;
/// The share of recent changes that touched what a task writes, from which on it is a moving target.
const MUCH_CHURN: f64 = 0.25;

/// What the repository says about the files that a task writes; zero where it was not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ground {
    /// Files that import one of them.
    pub importers: usize,
    /// The share of recent changes that touched one of them, 0 to 1.
    pub churn: f64,
}

/// A size, and why.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Size {
    pub complexity: Complexity,
    /// One line.
    pub reason: String,
}

pub(super) fn measure(targets: &[Target], reach: usize, body: &str, ground: Ground) -> Size {
    let written: Vec<&str> = targets
        .iter()
        .filter(|t| t.access == Access::Write && t.confidence >= COUNTS_FROM)
        .map(|t| t.path.as_str())
        .collect();
    let directories: BTreeSet<&str> =
        written.iter().map(|path| path.rsplit_once('/').map_or("", |(parent, _)| parent)).collect();
    let level = |n: usize, bounds: [usize; 3]| bounds.iter().filter(|&&bound| n > bound).count();
    let files = written.len().saturating_add(reach);
    let characters = body.chars().count();
    let mut signs = [
        level(files, [2, 6, 20]),
        level(directories.len(), [2, 4, 10]),
        level(characters, [2_500, 10_000, usize::MAX]),
    ];
    signs.sort_unstable();
    let many = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    let mut reason = format!(
        "{} in {}, {}",
        many(files, "file", "files"),
        many(directories.len(), "directory", "directories"),
        many(characters, "character", "characters")
    );
    let mut raised = 0;
    if ground.importers >= MANY_IMPORTERS {
        raised = 1;
        reason.push_str(&format!(", imported by {} files", ground.importers));
    }
    if ground.churn >= MUCH_CHURN {
        raised = 1;
        reason.push_str(&format!(", touched by {:.0} % of recent changes", ground.churn * 100.0));
    }
    let complexity = match signs[1] + raised {
        0 => Complexity::Low,
        1 => Complexity::Medium,
        2 => Complexity::High,
        _ => Complexity::Critical,
    };
    Size { complexity, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grounded(files: &[&str], reach: usize, length: usize, ground: Ground) -> Complexity {
        let targets: Vec<Target> = files
            .iter()
            .map(|&path| Target {
                path: path.into(),
                access: Access::Write,
                confidence: 0.9,
                evidence: vec![],
            })
            .collect();
        measure(&targets, reach, &"x".repeat(length), ground).complexity
    }

    fn sized(files: &[&str], reach: usize, length: usize) -> Complexity {
        grounded(files, reach, length, Ground::default())
    }

    #[test]
    fn two_signs_must_agree() {
        assert_eq!(sized(&["a"], 0, 50_000), Complexity::Low);
        assert_eq!(sized(&["a/1", "b/2", "c/3"], 0, 100), Complexity::Medium);
        assert_eq!(sized(&["a/1", "a/2", "a/3"], 0, 5_000), Complexity::Medium);
        assert_eq!(sized(&["a/**"], 400, 100), Complexity::Low);
        assert_eq!(
            sized(&["a/1", "a/2", "b/3", "c/4", "d/5", "e/6", "e/7"], 0, 100),
            Complexity::High
        );
        let wide: Vec<String> = (0..30).map(|i| format!("{i}/x")).collect();
        assert_eq!(
            sized(&wide.iter().map(String::as_str).collect::<Vec<_>>(), 0, 10),
            Complexity::Critical
        );
    }

    #[test]
    fn what_others_depend_on_is_larger_than_it_looks() {
        let central = Ground { importers: 40, churn: 0.5 };
        assert_eq!(grounded(&["a"], 0, 10, central), Complexity::Medium, "raised once");
        assert_eq!(grounded(&["a"], 0, 10, Ground { importers: 9, churn: 0.2 }), Complexity::Low);
    }
}
