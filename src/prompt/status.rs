//! Whether a prompt says of itself that it is done.

use super::outline::{Line, Outline};
use crate::model::quoted;
use std::collections::HashSet;

/// Why there is nothing to do, with the line that says so.
///
/// The front matter's `status` has the last word: any other value than `IMPLEMENTED` or `COMPLETED`
/// means that there is work, whatever the body says.
pub(super) fn done(status: Option<(&str, u32)>, outline: &Outline) -> Option<String> {
    if let Some((status, line)) = status {
        return is_done_word(status)
            .then(|| format!("line {line} of the front matter says status: {status}"));
    }
    let open = open_series(outline);
    outline.lines.iter().find_map(|line| {
        if says_status(&line.text) {
            return Some(format!("line {} says {}", line.number, quoted(&line.text)));
        }
        let series = series(line).filter(|series| !open.contains(series));
        (series.is_some() && ends_done(&line.text))
            .then(|| format!("line {}: the heading {}", line.number, quoted(&line.text)))
    })
}

/// `Status: COMPLETED`, with or without markup, list marker or check mark, and with nothing behind it
/// but a remark: `Status: completed jobs are green` is about something else.
fn says_status(text: &str) -> bool {
    let text = text.strip_prefix("[x]").unwrap_or(text).trim_start();
    let Some((word, rest)) = text.split_once(':') else { return false };
    word.trim().eq_ignore_ascii_case("status") && is_done_word(rest)
}

/// A heading that ends in `- IMPLEMENTED`, `✅ COMPLETED` or the like.
fn ends_done(text: &str) -> bool {
    let text = without_remark(text);
    let Some((before, last)) = text.rsplit_once(char::is_whitespace) else {
        return false;
    };
    if let Some(word) = last.strip_prefix(CHECKS) {
        return is_word(word);
    }
    let before = without_variation(before);
    let marked = before.ends_with(CHECKS)
        || before == "-"
        || before.strip_suffix(DASHES).is_some_and(|b| b.is_empty() || b.ends_with(' '));
    marked && is_word(last)
}

const CHECKS: [char; 4] = ['✅', '✔', '☑', '✓'];
const DASHES: [char; 3] = ['-', '–', '—'];

/// `completed`, `✅ COMPLETED`, `Implemented.`, `COMPLETED (in #12)`.
fn is_done_word(text: &str) -> bool {
    let text = without_remark(text);
    let text = text.trim_start_matches(CHECKS).trim_start_matches('\u{fe0f}').trim();
    is_word(text)
}

fn is_word(word: &str) -> bool {
    let word = word.trim_matches(['*', '_']);
    word.eq_ignore_ascii_case("implemented") || word.eq_ignore_ascii_case("completed")
}

/// Without what may follow the word: full stop, exclamation mark, check mark, a remark in brackets.
fn without_remark(text: &str) -> &str {
    let text = text.trim();
    let text = match text.rsplit_once('(') {
        Some((before, remark)) if remark.ends_with(')') => before,
        _ => text,
    };
    let end = |c: char| c.is_whitespace() || ".!\u{fe0f}".contains(c) || CHECKS.contains(&c);
    text.trim_end_matches(end)
}

fn without_variation(text: &str) -> &str {
    text.trim_end_matches([' ', '\u{fe0f}'])
}

/// The beginnings of headings that are not done. `## Phase 1 ✅ COMPLETED` says nothing of a prompt
/// that also has `## Phase 2`: a heading of the same level that begins with the same word.
fn open_series(outline: &Outline) -> HashSet<Series> {
    outline.lines.iter().filter(|line| !ends_done(&line.text)).filter_map(series).collect()
}

/// A heading's level and first word.
type Series = (u8, String);

fn series(line: &Line) -> Option<Series> {
    Some((line.heading?, line.text.split_whitespace().next()?.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::super::outline::outline;
    use super::*;

    fn says(body: &str) -> Option<String> {
        done(None, &outline(body, 1))
    }

    #[test]
    fn bodies_that_say_they_are_done() {
        for body in [
            "Status: COMPLETED",
            "status: implemented",
            "# T\n\nText.\nStatus: Completed\nMore text.",
            "**Status**: Completed",
            "**Status:** COMPLETED",
            "*Status*: **IMPLEMENTED**",
            "- Status: COMPLETED",
            "- [x] Status: COMPLETED",
            "1. **Status**: ✅ Completed.",
            "Status: COMPLETED (2026-01-02, in #12)",
            "Status : completed!",
            "## Status: COMPLETED",
            "# Cache the tables - IMPLEMENTED",
            "# Cache the tables ✅ COMPLETED",
            "# Cache the tables ✅COMPLETED",
            "# Cache the tables ✔️ Implemented",
            "# Cache the tables — COMPLETED",
            "# Cache the tables – ✅ COMPLETED",
            "# **Cache** the `tables` - **COMPLETED**",
            "# Cache the tables - COMPLETED ✅",
            "# Cache the tables - COMPLETED (2026-01-02)",
            "# ✅ COMPLETED",
            "Cache the tables - IMPLEMENTED\n====",
            "# T\n\n### Result ✅ COMPLETED\n",
            "# Phase 1 - COMPLETED\n\n# Phase 2 - COMPLETED\n",
        ] {
            assert!(says(body).is_some(), "{body:?}");
        }
    }

    #[test]
    fn bodies_that_do_not() {
        for body in [
            "",
            "Status: NOT COMPLETED",
            "Status: not implemented",
            "Status: IN PROGRESS",
            "Status: completed jobs are shown in green",
            "Status: COMPLETED | FAILED",
            "The Status: COMPLETED",
            "Print `Status: COMPLETED` at the end",
            "- [ ] Status: COMPLETED",
            "```\nStatus: COMPLETED\n```",
            "    Status: COMPLETED",
            "> Status: COMPLETED",
            "<!--\nStatus: COMPLETED\n-->",
            "# Show which jobs are COMPLETED",
            "# COMPLETED",
            "# Parser - NOT IMPLEMENTED",
            "# Parser ❌ NOT COMPLETED",
            "# Parser - to be IMPLEMENTED",
            "# Parser non-IMPLEMENTED",
            "# Parser - COMPLETED soon",
            "```\n# Parser - COMPLETED\n```",
            "Parser - COMPLETED",
            "## Phase 1 ✅ COMPLETED\n\n## Phase 2\n",
        ] {
            assert_eq!(says(body), None, "{body:?}");
        }
    }

    #[test]
    fn the_front_matter_has_the_last_word() {
        let body = outline("# T ✅ COMPLETED", 5);
        assert_eq!(done(Some(("todo", 2)), &body), None);
        for status in ["COMPLETED", "Implemented", "✅ completed"] {
            assert!(done(Some((status, 2)), &outline("x", 5)).is_some(), "{status}");
        }
        for status in ["not implemented", "complete", "done", "draft"] {
            assert_eq!(done(Some((status, 2)), &outline("x", 5)), None, "{status}");
        }
    }

    #[test]
    fn the_reason_names_the_line() {
        insta::assert_snapshot!(
            done(None, &outline("# T\n\nStatus: COMPLETED\n", 5)).unwrap(),
            @"line 7 says `Status: COMPLETED`"
        );
        insta::assert_snapshot!(
            says("# T\n\n## Phase ✅ COMPLETED\n").unwrap(),
            @"line 3: the heading `Phase ✅ COMPLETED`"
        );
        insta::assert_snapshot!(
            done(Some(("COMPLETED", 3)), &outline("x", 5)).unwrap(),
            @"line 3 of the front matter says status: COMPLETED"
        );
    }
}
