//! An entry in a change log of the form that keepachangelog.com describes.
//!
//! Promise: what is there stays, byte for byte; lines are only put in between. Sections are found as a
//! reader of Markdown sees them: a heading inside fenced code is none.

use crate::model::WorkType;

/// What a new file begins with.
const HEAD: &str = "# Changelog\n\nAll notable changes to this project will be documented in this file.\n\nThe format is \
                    based on [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).\n";

/// The sections, in the order in which the format has them.
const SECTIONS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/// The section of what a task did.
#[must_use]
pub fn section(work: WorkType) -> &'static str {
    match work {
        WorkType::Feature => "Added",
        WorkType::Bugfix => "Fixed",
        WorkType::Security => "Security",
        WorkType::Refactor
        | WorkType::Performance
        | WorkType::Test
        | WorkType::Docs
        | WorkType::Research
        | WorkType::Devops
        | WorkType::General => "Changed",
    }
}

/// The file with an entry for a task; `None` when it has the entry already. Without a file one is begun.
#[must_use]
pub fn with_entry(file: Option<&[u8]>, work: WorkType, title: &str) -> Option<Vec<u8>> {
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let file = file.unwrap_or(HEAD.as_bytes());
    let text = Text::of(file);
    let place = text.place(section(work), &title)?;
    let mut added = place.before;
    added.push(format!("{} {title}", place.bullet));
    added.extend(place.after);
    let mut lines = added.join(text.ending);
    lines.push_str(text.ending);
    let (head, tail) = file.split_at(place.at);
    let mut out = head.to_vec();
    if !head.is_empty() && !head.ends_with(b"\n") {
        out.extend_from_slice(text.ending.as_bytes());
    }
    out.extend_from_slice(lines.as_bytes());
    out.extend_from_slice(tail);
    Some(out)
}

/// Where the entry goes, and what goes with it.
struct Place {
    /// Byte offset of the line it is put in front of.
    at: usize,
    /// Lines before it.
    before: Vec<String>,
    bullet: char,
    /// Lines after it.
    after: Vec<String>,
}

struct Line<'t> {
    start: usize,
    end: usize,
    text: &'t [u8],
    /// `Some` for an ATX heading: its level and its words.
    heading: Option<(usize, String)>,
}

struct Text<'t> {
    lines: Vec<Line<'t>>,
    /// What ends a line in this file.
    ending: &'static str,
}

impl<'t> Text<'t> {
    fn of(file: &'t [u8]) -> Self {
        let first = file.split_inclusive(|b| *b == b'\n').next().unwrap_or_default();
        let ending = if first.ends_with(b"\r\n") { "\r\n" } else { "\n" };
        let (mut lines, mut start, mut fence) = (Vec::new(), 0, None);
        let mut opened = 0;
        for raw in file.split_inclusive(|b| *b == b'\n') {
            let end = start + raw.len();
            let text = raw.trim_ascii_end();
            let open = fence.is_some();
            fence = fence_after(fence, text);
            if !open {
                opened = lines.len();
            }
            let heading = if open || fence.is_some() { None } else { heading(text) };
            lines.push(Line { start, end, text, heading });
            start = end;
        }
        if fence.is_some() {
            // Code that never ends would swallow the entry: it goes in front of it.
            lines.truncate(opened);
        }
        Self { lines, ending }
    }

    /// `None` when the entry is there.
    fn place(&self, section: &'static str, title: &str) -> Option<Place> {
        let is_unreleased = |line: &Line<'_>| {
            let Some((2, words)) = &line.heading else { return false };
            let words = words.trim_start_matches('[').to_ascii_lowercase();
            words.starts_with("unreleased")
        };
        let level = |n: usize| self.lines[n].heading.as_ref().map(|(level, _)| *level);
        let Some(unreleased) = self.lines.iter().position(is_unreleased) else {
            return Some(self.with_new_part(section));
        };
        let after = unreleased + 1..self.lines.len();
        let end = after.clone().find(|n| level(*n).is_some_and(|level| level <= 2));
        // Links at the end of a file belong to no section.
        let end = end.unwrap_or_else(|| self.before_links(after.clone()));
        let headings: Vec<usize> = (after.start..end).filter(|n| level(*n) == Some(3)).collect();
        let named = |n: usize, name: &str| {
            self.lines[n]
                .heading
                .as_ref()
                .is_some_and(|(_, words)| words.eq_ignore_ascii_case(name))
        };
        if let Some(at) = headings.iter().position(|n| named(*n, section)) {
            let end = headings.get(at + 1).copied().unwrap_or(end);
            return self.at_the_end_of(headings[at], end, title);
        }
        // In front of the first section that the format has after this one.
        let rank = |name: &str| SECTIONS.iter().position(|s| s.eq_ignore_ascii_case(name));
        let later = headings.iter().copied().find(|n| {
            let own = self.lines[*n].heading.as_ref().and_then(|(_, words)| rank(words));
            own > rank(section)
        });
        let heading = format!("### {section}");
        Some(if let Some(later) = later {
            Place {
                at: self.lines[later].start,
                before: vec![heading, String::new()],
                bullet: '-',
                after: vec![String::new()],
            }
        } else {
            let last = self.last_said(unreleased, end);
            let before = vec![String::new(), heading, String::new()];
            let at = self.lines[last].end;
            Place { at, before, bullet: '-', after: self.gap_before(last + 1) }
        })
    }

    /// After the last entry of a section.
    fn at_the_end_of(&self, heading: usize, end: usize, title: &str) -> Option<Place> {
        let entries = &self.lines[heading + 1..end];
        let mut bullets = entries.iter().filter_map(bullet_of);
        if bullets.clone().any(|(_, words)| words == title.as_bytes()) {
            return None;
        }
        let last = self.last_said(heading, end);
        let before = if last == heading { vec![String::new()] } else { Vec::new() };
        let after = self.gap_before(last + 1);
        let bullet = bullets.next().map_or('-', |(bullet, _)| bullet);
        Some(Place { at: self.lines[last].end, before, bullet, after })
    }

    /// A part for what is not released, in front of the newest release.
    fn with_new_part(&self, section: &str) -> Place {
        let mut part = vec!["## [Unreleased]".to_owned(), String::new()];
        part.extend([format!("### {section}"), String::new()]);
        let release =
            self.lines.iter().find(|line| line.heading.as_ref().is_some_and(|(l, _)| *l == 2));
        if let Some(release) = release {
            return Place {
                at: release.start,
                before: part,
                bullet: '-',
                after: vec![String::new()],
            };
        }
        let end = self.before_links(0..self.lines.len());
        if self.lines.iter().all(|line| line.text.is_empty()) {
            return Place { at: 0, before: part, bullet: '-', after: Vec::new() };
        }
        let last = self.last_said(0, end.max(1));
        part.insert(0, String::new());
        Place {
            at: self.lines[last].end,
            before: part,
            bullet: '-',
            after: self.gap_before(last + 1),
        }
    }

    /// The last line from `first` to before `end` that is not empty.
    fn last_said(&self, first: usize, end: usize) -> usize {
        (first..end).rev().find(|n| !self.lines[*n].text.is_empty()).unwrap_or(first)
    }

    /// An empty line, where what follows would otherwise run into the entry.
    fn gap_before(&self, next: usize) -> Vec<String> {
        let follows = self.lines.get(next).is_some_and(|line| !line.text.is_empty());
        if follows { vec![String::new()] } else { Vec::new() }
    }

    /// Where the link definitions at the end of the file begin.
    fn before_links(&self, within: std::ops::Range<usize>) -> usize {
        let is_link = |line: &Line<'_>| {
            line.text.starts_with(b"[") && line.text.windows(2).any(|two| two == b"]:")
        };
        let mut end = within.end;
        while end > within.start
            && (is_link(&self.lines[end - 1]) || self.lines[end - 1].text.is_empty())
        {
            end -= 1;
        }
        end
    }
}

/// An entry: what marks it, and its words.
fn bullet_of<'t>(line: &Line<'t>) -> Option<(char, &'t [u8])> {
    match line.text {
        [bullet @ (b'-' | b'*' | b'+'), b' ', rest @ ..] => {
            Some((*bullet as char, rest.trim_ascii()))
        }
        _ => None,
    }
}

fn heading(line: &[u8]) -> Option<(usize, String)> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let level = line.iter().take_while(|b| **b == b'#').count();
    let rest = line.get(level..)?;
    if !(1..=6).contains(&level) || !(rest.is_empty() || rest[0].is_ascii_whitespace()) {
        return None;
    }
    Some((level, String::from_utf8_lossy(rest).trim().trim_end_matches('#').trim().to_owned()))
}

/// The fence that is open after a line, given the one before it: its character and length.
fn fence_after(open: Option<(u8, usize)>, line: &[u8]) -> Option<(u8, usize)> {
    let line = line.trim_ascii_start();
    let mark = line.first().copied().filter(|b| matches!(b, b'`' | b'~'));
    let length = line.iter().take_while(|b| Some(**b) == mark).count();
    match (open, mark) {
        (None, Some(mark)) if length >= 3 => Some((mark, length)),
        (Some((own, least)), Some(mark))
            if own == mark && length >= least && line.len() == length =>
        {
            None
        }
        (open, _) => open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn added(file: &str, work: WorkType, title: &str) -> String {
        String::from_utf8(with_entry(Some(file.as_bytes()), work, title).unwrap()).unwrap()
    }

    #[test]
    fn a_missing_file_is_begun() {
        let file = with_entry(None, WorkType::Feature, "Count  lines\n").unwrap();
        let file = String::from_utf8(file).unwrap();
        assert!(file.starts_with("# Changelog\n"), "{file}");
        assert!(file.ends_with("\n\n## [Unreleased]\n\n### Added\n\n- Count lines\n"), "{file}");
    }

    #[test]
    fn an_entry_goes_to_the_end_of_its_section() {
        let file = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n* One\n  and more of it\n\n### Fixed\n\n* Two\n\n## \
                    [1.0.0]\n\n### Added\n\n* Old\n";
        let expected = file.replace("more of it\n", "more of it\n* New\n");
        assert_eq!(added(file, WorkType::Feature, "New"), expected);
        let expected = file.replace("* Two\n", "* Two\n* New\n");
        assert_eq!(added(file, WorkType::Bugfix, "New"), expected);
        assert_eq!(with_entry(Some(file.as_bytes()), WorkType::Bugfix, "Two"), None);
    }

    #[test]
    fn a_section_is_made_where_the_format_has_it() {
        let file = "## Unreleased\n\n### Added\n\n- One\n\n### Fixed\n\n- Two\n\n## 1.0.0\n";
        let expected = file.replace("### Fixed", "### Changed\n\n- New\n\n### Fixed");
        assert_eq!(added(file, WorkType::Refactor, "New"), expected);
        let expected = file.replace("- Two\n", "- Two\n\n### Security\n\n- New\n");
        assert_eq!(added(file, WorkType::Security, "New"), expected);
        let empty = "# Log\n\n## [Unreleased]\n\n## [1.0.0]\n";
        let expected = "# Log\n\n## [Unreleased]\n\n### Added\n\n- New\n\n## [1.0.0]\n";
        assert_eq!(added(empty, WorkType::Feature, "New"), expected);
        let bare = "## [Unreleased]\n### Added\n## [1.0.0]\n";
        let expected = "## [Unreleased]\n### Added\n\n- New\n\n## [1.0.0]\n";
        assert_eq!(added(bare, WorkType::Feature, "New"), expected);
    }

    #[test]
    fn without_an_unreleased_part_one_is_made() {
        let file = "# Log\n\nWords.\n\n## [1.0.0] - 2026-01-01\n\n### Added\n\n- Old\n";
        let expected =
            file.replace("## [1.0.0]", "## [Unreleased]\n\n### Fixed\n\n- New\n\n## [1.0.0]");
        assert_eq!(added(file, WorkType::Bugfix, "New"), expected);
        assert_eq!(
            added("# Log", WorkType::Bugfix, "New"),
            "# Log\n\n## [Unreleased]\n\n### Fixed\n\n- New\n"
        );
        assert_eq!(added("", WorkType::Bugfix, "New"), "## [Unreleased]\n\n### Fixed\n\n- New\n");
    }

    #[test]
    fn line_endings_links_and_code_are_respected() {
        let file = "# Log\r\n\r\n## [Unreleased]\r\n\r\n### Fixed\r\n\r\n- Two\r\n\r\n[Unreleased]: https://x\r\n";
        let expected = file.replace("- Two\r\n", "- Two\r\n- New\r\n");
        assert_eq!(added(file, WorkType::Bugfix, "New"), expected);
        let expected = file.replace("- Two\r\n", "- Two\r\n\r\n### Security\r\n\r\n- New\r\n");
        assert_eq!(added(file, WorkType::Security, "New"), expected);
        let code = "# Log\n\n```\n## [Unreleased]\n### Fixed\n```\n\n## [Unreleased]\n\n### Fixed\n\n- Two\n";
        let expected = code.replace("- Two\n", "- Two\n- New\n");
        assert_eq!(added(code, WorkType::Bugfix, "New"), expected);
        assert_eq!(
            added("## [Unreleased]\n\n### Fixed\n- Two", WorkType::Bugfix, "New"),
            "## [Unreleased]\n\n### Fixed\n- Two\n- New\n"
        );
    }

    proptest! {
        #[test]
        fn what_is_there_stays_and_an_entry_is_there_once(
            lines in prop::collection::vec(prop::sample::select(vec![
                "# Log", "## [Unreleased]", "## [1.0.0]", "### Added", "### Fixed", "- One", "* Two",
                "", "  more", "```", "[x]: y", "\u{feff}words", "#",
            ]), 0..20),
            crlf: bool,
            ended: bool,
        ) {
            let ending = if crlf { "\r\n" } else { "\n" };
            let mut file = lines.join(ending);
            if ended { file.push_str(ending); }
            let new = added(&file, WorkType::Bugfix, "Something new");
            // Without some lines in one place it is the file that it was.
            let common = file.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
            let is_rest = |cut: usize| {
                let head = &new.as_bytes()[..cut];
                let tail = &new.as_bytes()[new.len() - (file.len() - cut)..];
                [head, tail].concat() == file.as_bytes()
            };
            prop_assert!((0..=common).any(is_rest), "{file:?} -> {new:?}");
            prop_assert_eq!(new.matches("- Something new").count() + new.matches("* Something new").count(), 1);
            prop_assert_eq!(with_entry(Some(new.as_bytes()), WorkType::Bugfix, "Something new"), None, "{:?}", new);
        }
    }
}
