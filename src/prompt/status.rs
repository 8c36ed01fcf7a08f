//! Whether a prompt says of itself that it is done.

use super::outline::{Line, Outline};
use super::problem::quoted;

/// Why there is nothing to do, with the line that says so.
///
/// The front matter's `status` has the last word: any other value than `IMPLEMENTED` or `COMPLETED`
/// means that there is work, whatever the body says.
pub(super) fn done(status: Option<(&str, u32)>, outline: &Outline) -> Option<String> {
    if let Some((status, line)) = status {
        return is_done_word(status)
            .then(|| format!("line {line} of the front matter says status: {status}"));
    }
    outline.lines.iter().enumerate().find_map(|(i, line)| {
        if says_status(&line.text) {
            Some(format!("line {} says {}", line.line, quoted(&line.text)))
        } else if ends_done(&line.text) && line.heading.is_some() && !one_of_a_series(outline, i) {
            Some(format!("line {}: the heading {}", line.line, quoted(&line.text)))
        } else {
            None
        }
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

/// `## Phase 1 ✅ COMPLETED` says nothing of a prompt that also has `## Phase 2`: another heading of the
/// same level begins with the same word and is not done.
fn one_of_a_series(outline: &Outline, index: usize) -> bool {
    let first_word = |line: &Line| line.text.split_whitespace().next().map(str::to_lowercase);
    let Some(this) = outline.lines.get(index) else { return false };
    outline.lines.iter().any(|other| {
        other.heading == this.heading
            && !ends_done(&other.text)
            && first_word(other) == first_word(this)
    })
}
