//! The size of a task, from what it writes and how much is asked.
//!
//! | | low | medium | high | critical |
//! |---|---|---|---|---|
//! | files written | 0-2 | 3-6 | 7-20 | more |
//! | directories they lie in | 0-2 | 3-4 | 5-10 | more |
//! | characters of the request | to 2,500 | to 10,000 | more | |
//!
//! The two larger of the three signs must agree: a long text about one file is not a large task, and
//! neither is a short one that renames something in twenty.

use crate::model::{Access, Complexity, Target};
use std::collections::BTreeSet;

/// A target below this is not counted.
const COUNTS_FROM: f64 = 0.5;

pub(super) fn measure(targets: &[Target], reach: usize, body: &str) -> Complexity {
    let written: Vec<&str> = targets
        .iter()
        .filter(|t| t.access == Access::Write && t.confidence >= COUNTS_FROM)
        .map(|t| t.path.as_str())
        .collect();
    let directories: BTreeSet<&str> =
        written.iter().map(|path| path.rsplit_once('/').map_or("", |(parent, _)| parent)).collect();
    let level = |n: usize, bounds: [usize; 3]| bounds.iter().filter(|&&bound| n > bound).count();
    let mut signs = [
        level(written.len().saturating_add(reach), [2, 6, 20]),
        level(directories.len(), [2, 4, 10]),
        level(body.len(), [2_500, 10_000, usize::MAX]),
    ];
    signs.sort_unstable();
    match signs[1] {
        0 => Complexity::Low,
        1 => Complexity::Medium,
        2 => Complexity::High,
        _ => Complexity::Critical,
    }
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
        measure(&targets, reach, &"x".repeat(length))
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
}
