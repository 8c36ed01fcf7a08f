//! Overlaps, as a person reads them.

use crate::engine::State;
use crate::model::{Event, OverlapPath, OverlapView};
use std::fmt::Write;

/// Files that are named in one line.
const NAMED: usize = 4;

/// A line for each overlap.
pub(super) fn lines(overlaps: &[OverlapView]) -> Vec<String> {
    overlaps.iter().map(line).collect()
}

fn line(overlap: &OverlapView) -> String {
    let other = match (&overlap.with, &overlap.branch) {
        (Some(with), _) => with.as_str(),
        (None, Some(branch)) => branch.as_str(),
        (None, None) => "the branch it lands on",
    };
    let mut text = what(&overlap.task, other, &overlap.paths, overlap.path_count);
    if let Some(paused) = &overlap.paused {
        let goes_on = if *paused == overlap.task { other } else { &overlap.task };
        let _ = write!(text, "; {paused} waits until {goes_on} has ended");
    }
    text
}

/// `b and a conflict in src/x.rs (lines 3-9); both changed README.md`.
fn what(task: &str, other: &str, paths: &[OverlapPath], count: u64) -> String {
    let conflicts: Vec<String> = paths.iter().filter(|path| path.conflict).map(place).collect();
    let merges: Vec<String> =
        paths.iter().filter(|path| !path.conflict).map(|path| path.path.clone()).collect();
    let more = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(paths.len());
    let text = |list: &[String], more: usize| {
        let shown = list.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        match list.len().saturating_sub(NAMED) + more {
            0 => shown,
            more => format!("{shown} and {more} more"),
        }
    };
    match (conflicts.is_empty(), merges.is_empty()) {
        (true, _) => {
            format!("{task} and {other} both changed {}, which merges", text(&merges, more))
        }
        (false, true) => {
            format!("{task} and {other} conflict in {}", text(&conflicts, more))
        }
        (false, false) => format!(
            "{task} and {other} conflict in {}; both changed {}, which merges",
            text(&conflicts, 0),
            text(&merges, more)
        ),
    }
}

/// The file, with the lines of the task.
fn place(path: &OverlapPath) -> String {
    let own = if path.lines.is_empty() { &path.other_lines } else { &path.lines };
    if own.is_empty() {
        return path.path.clone();
    }
    let ranges: Vec<String> = own
        .iter()
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") })
        .collect();
    let single = own.len() == 1 && own[0].0 == own[0].1;
    format!("{} ({} {})", path.path, if single { "line" } else { "lines" }, ranges.join(", "))
}

/// What an event about an overlap says.
pub(super) fn told(state: &State, event: &Event) -> Option<String> {
    let Event::OverlapFound { task, with, paths, path_count } = event else { return None };
    let name = |id| Some(state.spec.tasks[state.position(id)?].name.as_str());
    let other = match with {
        Some(with) => name(with)?,
        None => state.spec.target.as_deref().unwrap_or("the branch it lands on"),
    };
    Some(what(name(task)?, other, paths, *path_count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str, conflict: bool, lines: &[(u32, u32)]) -> OverlapPath {
        OverlapPath {
            path: path.to_owned(),
            conflict,
            lines: lines.to_vec(),
            other_lines: Vec::new(),
        }
    }

    #[test]
    fn a_conflict_is_told_with_its_lines_and_a_mere_overlap_as_such() {
        let both = [path("a.rs", true, &[(3, 9), (12, 12)]), path("b.md", false, &[])];
        assert_eq!(
            what("b", "a", &both, 2),
            "b and a conflict in a.rs (lines 3-9, 12); both changed b.md, which merges"
        );
        assert_eq!(
            what("b", "a", &both[..1], 3),
            "b and a conflict in a.rs (lines 3-9, 12) and 2 more"
        );
        assert_eq!(what("b", "main", &both[1..], 1), "b and main both changed b.md, which merges");
        assert_eq!(place(&path("x", true, &[(4, 4)])), "x (line 4)");
    }
}
