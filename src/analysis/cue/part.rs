//! The part that a path plays in a sentence where the nearest verb does not tell it: something is taken from it, put
//! into it, run, or modelled on it.

use super::super::words::{FILL, READ_BEHIND, RUN, TAKE};
use super::Cue::{Create, Write};
use super::{cue_of, first_cjk, has_name, is_word, plain_words, words};

/// Marks around a path.
const AROUND: [char; 6] = ['`', '"', '*', '」', '』', ' '];

/// Whether what stands right behind a path says that it is looked at: `x.pyと同じように`, `x.py를 보고`. What is checked
/// (`x.pyを確認して直す`) is looked at only where the next verb has a name of its own.
pub(super) fn is_looked_at(right: &str) -> bool {
    if right.is_ascii() {
        return false;
    }
    let behind = right.trim_start_matches(AROUND);
    READ_BEHIND.iter().any(|phrase| behind.starts_with(phrase))
        || behind.strip_prefix("を確認").is_some_and(|rest| {
            first_cjk(rest)
                .is_some_and(|(at, cue)| matches!(cue, Create | Write) && has_name(&rest[..at]))
        })
}

/// Whether a file is filled from this one, or uses something of it: `update b.rs from x.rs`, `import B from x.rs`,
/// but not `remove b.load from x.rs`.
pub(super) fn is_source(left: &str) -> bool {
    let before = left.trim_end_matches(AROUND);
    let (before, is_from) = match (ending(before, "from"), ending(before, "of")) {
        (Some(before), _) => (before, true),
        (_, Some(before)) => (before, false),
        _ => return false,
    };
    let is_take = |word: &str| TAKE.iter().any(|verb| word.eq_ignore_ascii_case(verb));
    // "Remove the unused imports" takes nothing: the verb opens its clause.
    let takes = |at: usize, word: &str| is_take(word) && opens(&before[..at]);
    let fills = |word: &str| {
        let word = word.to_ascii_lowercase();
        FILL.iter().any(|verb| word.starts_with(verb))
    };
    // "The use of it" is no verb.
    let is_noun = |rest: &str| {
        let next = words(rest).next();
        next.map_or(!is_from, |(_, word)| word == "of")
    };
    let verb = plain_words(before).rev().find(|(at, word)| {
        let rest = &before[at + word.len()..];
        (takes(*at, word) && !is_noun(rest))
            || fills(word)
            || matches!(cue_of(word), Some(Create | Write))
    });
    verb.is_some_and(|(at, word)| {
        takes(at, word) || (is_from && fills(word) && has_name(&before[at..]))
    })
}

/// Whether a verb that follows opens a clause.
fn opens(before: &str) -> bool {
    let before = before.trim_end();
    let last = plain_words(before).next_back().map(|(_, word)| word);
    let place = before.split_whitespace().next_back();
    before.is_empty()
        || place.is_some_and(has_name)
        || before.ends_with([',', ';', ':', '-', '*', '('])
        || last.is_some_and(|word| {
            ["and", "then", "to", "please", "can", "should", "must", "also", "und"]
                .iter()
                .any(|w| word.eq_ignore_ascii_case(w))
        })
}

/// Whether this one is copied to another: `copy x.rs to b.rs`.
pub(super) fn is_copied(left: &str, right: &str) -> bool {
    let before = left.trim_end_matches(AROUND);
    let verb = plain_words(before).next_back();
    has_name(right) && verb.is_some_and(|(at, word)| is_copying(word) && opens(&before[..at]))
}

/// Whether something is copied into this one, which reads where it comes from.
pub(super) fn is_copy(left: &str) -> bool {
    let before = left.trim_end_matches(AROUND);
    let Some(before) = ["to", "into", "nach"].iter().find_map(|word| ending(before, word)) else {
        return false;
    };
    let verb =
        plain_words(before).rev().find(|(_, word)| is_copying(word) || cue_of(word).is_some());
    verb.is_some_and(|(_, word)| is_copying(word))
}

fn is_copying(word: &str) -> bool {
    ["copy", "copies", "copying", "kopiere", "copie", "copia"]
        .iter()
        .any(|w| word.eq_ignore_ascii_case(w))
}

/// Whether it is run: `run pytest x.py`. A formatter that is run writes.
pub(super) fn is_run(left: &str) -> bool {
    /// Words between the verb and the path.
    const BETWEEN: usize = 3;
    if left.trim_end().ends_with([',', ')', ':']) {
        return false;
    }
    let mut near = plain_words(left).rev().map(|(_, word)| word).take(BETWEEN);
    let is_any = |word: &str, of: &[&str]| of.iter().any(|w| word.eq_ignore_ascii_case(w));
    let writes = [
        "fmt",
        "format",
        "formatter",
        "black",
        "prettier",
        "isort",
        "ruff",
        "eslint",
        "sed",
        "rustfmt",
        "gofmt",
        "on",
        "over",
        "in",
        "for",
        "from",
        "to",
    ];
    near.try_fold((), |(), word| match word {
        word if is_any(word, RUN) => Err(true),
        word if is_any(word, &writes) || cue_of(word).is_some() => Err(false),
        _ => Ok(()),
    }) == Err(true)
}

/// Whether a word of looking, `far` bytes before the path, still says so of it: in `see a.rs and b.rs` it does, in `see a.rs
/// for the way, and b.rs` it is said of the first name alone.
pub(super) fn reaches(left: &str, far: usize) -> bool {
    let behind = &left[left.len() - far..];
    let names = behind.split_inclusive(char::is_whitespace);
    let mut at = 0;
    let mut end = None;
    for piece in names {
        at += piece.len();
        if has_name(piece) {
            end = Some((at, piece.trim_end()));
        }
    }
    let Some((end, name)) = end else { return true };
    let rest = &behind[end..];
    let joins = |word: &str| {
        ["and", "or", "und", "oder", "et", "ou", "y", "o", "и", "или", "the", "also", "as", "well"]
            .iter()
            .any(|w| word.eq_ignore_ascii_case(w))
    };
    let others = words(rest).any(|(_, word)| !joins(word));
    let parts = name.ends_with([',', ';'])
        || rest.contains([',', ';'])
        || words(rest).any(|(_, w)| {
            matches!(
                w,
                "and"
                    | "und"
                    | "et"
                    | "y"
                    | "then"
                    | "и"
                    | "to"
                    | "in"
                    | "into"
                    | "nach"
                    | "dans"
                    | "en"
            )
        });
    !(others && parts)
}

/// What stands before `word` where the text ends with it.
fn ending<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.strip_suffix(word).filter(|before| !before.ends_with(is_word))
}
