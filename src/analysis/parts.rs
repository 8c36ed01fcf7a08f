//! The parts of a prompt: headed sections, or the items of a list, with what they have in common.
//!
//! Promise: lines are never moved or changed, so that a part can be read in its place; nothing is said
//! about whether splitting makes sense.

use std::ops::Range;

/// One part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its heading, or how its item begins.
    pub title: String,
    /// Its lines, from 0, counted in the body.
    pub lines: Range<usize>,
    /// The number it is known by in the text: the item's own, or its place, from 1.
    pub number: usize,
}

/// A way to take a body apart; what is in no part belongs to all.
pub type Parts = Vec<Part>;

/// Sections about the work that are no part of it, and no list in them is one of tasks; lower case: what a heading
/// begins with.
const ASIDE: &[&str] = &[
    "context",
    "background",
    "why",
    "motivation",
    "constraint",
    "rule",
    "convention",
    "acceptance",
    "definition of done",
    "success criteria",
    "verification",
    "verify",
    "out of scope",
    "non-goal",
    "non goal",
    "future",
    "alternative",
    "risk",
    "open question",
    "reference",
    "depends on",
    "dependencies",
    "impact",
    "affected",
    "背景",
    "なぜ",
    "影響",
    "補足",
    "制約",
    "注意",
    "対象外",
    "スコープ外",
    "非目標",
    "将来",
    "代替案",
    "リスク",
    "受け入れ",
    "约束",
    "影响",
];

/// Sections that are about the whole, though what they list may be tasks.
const COMMON: &[&str] = &[
    "overview",
    "goal",
    "objective",
    "purpose",
    "summary",
    "introduction",
    "note",
    "design",
    "decision",
    "approach",
    "solution",
    "proposed",
    "what changes",
    "description",
    "problem",
    "requirements",
    "hintergrund",
    "ziel",
    "überblick",
    "hinweis",
    "contexte",
    "objectif",
    "contexto",
    "objetivo",
    "notas",
    "目的",
    "概要",
    "目标",
    "概述",
    "说明",
];

/// The ways in which a body falls into two or more parts, the one nearest to the top first.
#[must_use]
pub fn parts(body: &str) -> Vec<Parts> {
    let lines: Vec<Line<'_>> = read(body);
    let mut found = Vec::new();
    for level in 1..=4 {
        let sections = sections(&lines, level);
        if sections.len() > 1 {
            found.push(sections);
        }
    }
    let mut lists = lists(&lines);
    lists.retain(|list| list.len() > 1);
    found.extend(lists);
    found
}

/// What a line is.
struct Line<'a> {
    text: &'a str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Heading(usize),
    /// An item that is not indented, and its number where it has one.
    Item(Option<usize>),
    Blank,
    /// Indented, or in a code block.
    Inner,
    Text,
}

fn read(body: &str) -> Vec<Line<'_>> {
    let mut fence: Option<char> = None;
    let mut lines = Vec::new();
    for text in body.lines() {
        let trimmed = text.trim_start();
        let opens =
            ['`', '~'].into_iter().find(|c| trimmed.chars().take_while(|d| d == c).count() >= 3);
        let kind = match (fence, opens) {
            (Some(open), Some(mark)) if open == mark => {
                fence = None;
                Kind::Inner
            }
            (Some(_), _) => Kind::Inner,
            (None, Some(mark)) => {
                fence = Some(mark);
                if trimmed.len() < text.len() { Kind::Inner } else { Kind::Text }
            }
            (None, None) => kind(text, trimmed),
        };
        lines.push(Line { text, kind });
    }
    lines
}

fn kind(text: &str, trimmed: &str) -> Kind {
    if trimmed.is_empty() {
        return Kind::Blank;
    }
    if trimmed.len() < text.len() {
        return Kind::Inner;
    }
    let level = text.chars().take_while(|c| *c == '#').count();
    if (1..=6).contains(&level) && text[level..].starts_with(' ') {
        return Kind::Heading(level);
    }
    if text.starts_with("- ") || text.starts_with("* ") || text.starts_with("+ ") {
        return Kind::Item(None);
    }
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let numbered =
        digits > 0 && (text[digits..].starts_with(". ") || text[digits..].starts_with(") "));
    if numbered { Kind::Item(text[..digits].parse().ok()) } else { Kind::Text }
}

fn sections(lines: &[Line<'_>], level: usize) -> Parts {
    let mut parts = Parts::new();
    let starts = lines.iter().enumerate().filter(|(_, line)| line.kind == Kind::Heading(level));
    for (start, line) in starts {
        let ends = |line: &Line<'_>| matches!(line.kind, Kind::Heading(other) if other <= level);
        let length = lines[start + 1..].iter().position(ends);
        let end = length.map_or(lines.len(), |length| start + 1 + length);
        let title = line.text.trim_matches(['#', ' ', '*']).to_owned();
        let has_text = lines[start + 1..end].iter().any(|line| line.kind != Kind::Blank);
        if has_text && !is_common(&title) {
            parts.push(Part {
                number: number(&title).unwrap_or(parts.len() + 1),
                title,
                lines: start..end,
            });
        }
    }
    parts
}

fn is_common(title: &str) -> bool {
    is_aside(title) || is_about(title, COMMON)
}

fn is_aside(title: &str) -> bool {
    is_about(title, ASIDE)
}

/// What may end a word that a heading of [`is_about`] begins with.
const ENDINGS: &[&str] = &["", "s", "es", "ed", "ion", "ions", "ing"];
/// What may stand behind it: "Test plan" is about tests, "Test harness" about something to do.
const FURTHER: &[&str] = &[
    "and",
    "&",
    "criteria",
    "considered",
    "plan",
    "scope",
    "work",
    "spec",
    "specs",
    "code",
    "file",
    "files",
    "change",
    "changes",
    "question",
    "questions",
    "note",
    "notes",
    "details",
    "statement",
    "solution",
    "approach",
    "areas",
    "components",
    "this",
    "it",
    "steps",
    "goals",
];

/// Whether a heading is one of these words, lower case, and no more: a word in ASCII may be its beginning.
#[must_use]
pub fn is_about(title: &str, words: &[&str]) -> bool {
    let lower = title.to_lowercase();
    let lower = lower.trim_start_matches(|c: char| c.is_ascii_digit() || ". )#*".contains(c));
    words.iter().any(|word| {
        let Some(rest) = lower.strip_prefix(word) else { return false };
        if !word.is_ascii() {
            return true;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (ending, behind) = rest.split_at(end);
        let behind = behind.trim_matches(|c: char| c.is_whitespace() || "*#".contains(c));
        let next = behind.split_whitespace().next().unwrap_or_default();
        let ends = next.is_empty()
            || next.starts_with([':', '(', '/', '–', '—'])
            || FURTHER.contains(&next.trim_end_matches(':'));
        ENDINGS.contains(&ending) && ends
    })
}

/// The number in `1. Parser`, `Part 2: lexer`, `Step 3`.
fn number(title: &str) -> Option<usize> {
    let word = title
        .split([' ', ':', '.', ')'])
        .find(|w| w.chars().next().is_some_and(|c| c.is_ascii_digit()))?;
    let first =
        title.split_whitespace().take(2).any(|w| w.trim_end_matches([':', '.', ')']) == word);
    word.parse().ok().filter(|_| first)
}

/// Runs of items. An item that is ticked off is no part: it is done.
fn lists(lines: &[Line<'_>]) -> Vec<Parts> {
    let mut all = Vec::new();
    let mut list = Parts::new();
    let mut at = 0;
    // The level of the heading of a section in which no list counts.
    let mut aside: Option<usize> = None;
    while at < lines.len() {
        if let Kind::Heading(level) = lines[at].kind
            && aside.is_none_or(|outer| level <= outer)
        {
            aside = is_aside(lines[at].text).then_some(level);
        }
        match lines[at].kind {
            Kind::Item(_) if aside.is_some() => at += 1,
            Kind::Item(own) => {
                let inside = |line: &Line<'_>| matches!(line.kind, Kind::Inner | Kind::Blank);
                let length = lines[at + 1..].iter().position(|line| !inside(line));
                let mut end = length.map_or(lines.len(), |length| at + 1 + length);
                // A line that goes on without indentation is still the item's.
                while end < lines.len()
                    && lines[end].kind == Kind::Text
                    && lines[end - 1].kind != Kind::Blank
                {
                    end += 1;
                }
                let text = lines[at]
                    .text
                    .trim_start_matches(|c: char| "-*+. )".contains(c) || c.is_ascii_digit());
                let done = text.starts_with("[x]") || text.starts_with("[X]");
                let number = own.unwrap_or(list.len() + 1);
                if !done {
                    list.push(Part { title: beginning(text), lines: at..end, number });
                }
                at = end;
            }
            Kind::Blank => at += 1,
            _ => {
                all.push(std::mem::take(&mut list));
                at += 1;
            }
        }
    }
    all.push(list);
    all
}

/// The first words of an item.
fn beginning(text: &str) -> String {
    const WORDS: usize = 8;
    let text = text.trim_start_matches("[ ]").trim();
    let text = text.split(['。', ';']).next().unwrap_or(text);
    let words: Vec<&str> = text.split_whitespace().take(WORDS).collect();
    words.join(" ").trim_matches(['*', '`', ':', '.', ',']).replace("**", "").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> Vec<Vec<(String, Range<usize>)>> {
        parts(body)
            .into_iter()
            .map(|p| p.into_iter().map(|p| (p.title, p.lines)).collect())
            .collect()
    }

    #[test]
    fn sections_and_lists_are_found() {
        let body = "# All\n\nIntro.\n\n## Context\nx\n## Parser\nChange a.\n\n### Detail\nb\n## Lexer\nc\n## Notes\nn\n";
        assert_eq!(shown(body), [[("Parser".to_owned(), 6..11), ("Lexer".to_owned(), 11..13)]]);
        let body = "Do:\n\n- [ ] Fix `a.rs`: it\n  crashes\n\n- [x] done\n- [ ] Write b\nmore of b\n\nText.\n";
        assert_eq!(
            shown(body),
            [[("Fix a.rs: it".to_owned(), 2..5), ("Write b".to_owned(), 6..8)]]
        );
        let body = "1. One\n   ```sh\n- not an item\n   ```\n2) Two\n";
        assert_eq!(
            parts(body)[0].iter().map(|p| (p.number, p.lines.clone())).collect::<Vec<_>>(),
            [(1, 0..4), (2, 4..5)]
        );
    }

    #[test]
    fn a_heading_is_about_the_work_only_as_a_whole() {
        for title in [
            "Impact",
            "2. Risks",
            "Affected code",
            "Out of scope:",
            "Alternatives considered",
            "影響範囲",
        ] {
            assert!(is_common(title), "{title}");
        }
        for title in
            ["Background jobs", "Risk report", "Alternative layout", "Designer", "Future dates"]
        {
            assert!(!is_common(title), "{title}");
        }
    }

    #[test]
    fn a_list_of_what_is_affected_is_no_list_of_tasks() {
        let body = "# Add it\n\n## Impact\n- Affected specs: a.md\n- Affected code: b.rs\n\n### More\n- c.rs\n- d.rs\n\n## Tasks\n- x\n- y\n";
        let titles: Vec<Vec<String>> = parts(body)
            .into_iter()
            .map(|way| way.into_iter().map(|part| part.title).collect())
            .collect();
        assert_eq!(titles, [["x", "y"]]);
    }

    #[test]
    fn what_has_no_parts_has_none() {
        for body in [
            "",
            "Text.",
            "# One\n\ntext",
            "- one item",
            "## Context\na\n## Notes\nb\n",
            "```\n- a\n- b\n```",
        ] {
            assert_eq!(parts(body), Vec::<Parts>::new(), "{body}");
        }
    }
}
