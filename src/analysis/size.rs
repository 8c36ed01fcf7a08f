//! The size of a task, from what it writes, who depends on that, and how much is asked.
//!
//! | | low | medium | high | critical |
//! |---|---|---|---|---|
//! | files written | 0-2 | 3-6 | 7-20 | more |
//! | directories they lie in | 0-2 | 3-4 | 5-10 | more |
//! | characters of the request | to 2,500 | to 10,000 | more | |
//!
//! The two larger of the three signs must agree: a long text about one file is not a large task, and
//! neither is a short one that renames something in twenty. What the written files are to the others
//! raises the size by one level, once ([`Ground::raises`]): files whose packages many need, that many
//! import, or that change all the time, are harder to change than their number says.

use super::score::WRITE_FROM;
use crate::model::{Access, Complexity, Target};
use std::collections::BTreeSet;

/// Packages that hold what a task writes or need it, from which on many depend on it.
const MANY_PACKAGES: usize = 4;
/// Files of other tasks that import what a task writes, from which on the same is true.
const MANY_IMPORTERS: usize = 5;
/// Files of the whole tree that import one file a task writes, from which on the same is true: in four repositories
/// of 80 to 1,500 code files, two to four files of a hundred have as many.
const HIGH_FAN_IN: usize = 20;
/// The share of recent changes that touched what a task writes, from which on it is a moving target.
const MUCH_CHURN: f64 = 0.25;

/// What the repository says about the files that a task writes; zero where it was not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ground {
    /// Packages that hold them, or need those that do.
    pub packages: usize,
    /// Files of other tasks that import one of them.
    pub importers: usize,
    /// Files of the tree that import one of them, of which the most do.
    pub fan_in: usize,
    /// The share of recent changes that touched one of them, 0 to 1.
    pub churn: f64,
}

impl Ground {
    /// The next larger size, with the reason, where it calls for that.
    #[must_use]
    pub fn raises(&self, complexity: Complexity) -> Option<(Complexity, String)> {
        let mut reasons = Vec::new();
        if self.packages >= MANY_PACKAGES {
            reasons.push(format!("it reaches {} packages", self.packages));
        }
        if self.importers >= MANY_IMPORTERS {
            reasons.push(format!("{} files of other tasks import what it writes", self.importers));
        }
        if self.fan_in >= HIGH_FAN_IN {
            reasons.push(format!("about {} files import what it writes", self.fan_in));
        }
        if self.churn >= MUCH_CHURN {
            let share = (self.churn * 100.0).round();
            reasons.push(format!("{share}% of recent changes touched what it writes"));
        }
        let larger = match complexity {
            Complexity::Low => Complexity::Medium,
            Complexity::Medium => Complexity::High,
            Complexity::High | Complexity::Critical => Complexity::Critical,
        };
        (!reasons.is_empty() && larger > complexity)
            .then(|| (larger, format!("complexity {larger}: {}", reasons.join(", "))))
    }
}

/// A size, and why.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Size {
    pub complexity: Complexity,
    /// One line.
    pub reason: String,
}

pub(super) fn measure(targets: &[Target], reach: usize, body: &str) -> Size {
    let written: Vec<&str> = targets
        .iter()
        .filter(|t| t.access == Access::Write && t.confidence >= WRITE_FROM)
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
    let reason = format!(
        "{} in {}, {}",
        many(files, "file", "files"),
        many(directories.len(), "directory", "directories"),
        many(characters, "character", "characters")
    );
    let complexity = match signs[1] {
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

    fn sized(files: &[&str], reach: usize, length: usize) -> Complexity {
        let targets: Vec<Target> = files
            .iter()
            .map(|&path| Target {
                path: path.into(),
                access: Access::Write,
                confidence: 0.9,
                evidence: vec![],
            })
            .collect();
        measure(&targets, reach, &"x".repeat(length)).complexity
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
        let raised = |ground: Ground, from| ground.raises(from).map(|(larger, _)| larger);
        let central = Ground { packages: 9, importers: 40, fan_in: 99, churn: 0.5 };
        assert_eq!(raised(central, Complexity::Low), Some(Complexity::Medium), "once");
        assert_eq!(raised(central, Complexity::Critical), None);
        let hub = Ground { fan_in: 20, ..Ground::default() };
        assert_eq!(raised(hub, Complexity::Medium), Some(Complexity::High));
        let quiet = Ground { packages: 3, importers: 4, fan_in: 19, churn: 0.2 };
        assert_eq!(raised(quiet, Complexity::Low), None);
    }
}
