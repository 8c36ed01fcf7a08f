//! The words around a path that tell writing from reading.
//!
//! English verbs come before what they act on, Japanese particles and verbs after it; the nearest one wins.
//! Chinese is [`super::chinese`]. A language without an entry here is not lost: a path that is named
//! without a known verb counts as written, with less confidence.

/// What the words around a path say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cue {
    /// It is made.
    Create,
    /// It is changed or removed.
    Write,
    /// It is looked at.
    Read,
    /// It is to be left alone.
    Not,
}

mod part;
#[cfg(test)]
mod tests;

use super::chinese;
use super::words::{
    CJK, CJK_NOT, CJK_NOT_BEFORE, ENDINGS, MODELS, NOT_AT_END, NOT_BEHIND, READ_BEFORE,
    READ_BEFORE_OTHERS, STEMS, WHOLE,
};
use Cue::{Create, Read, Write};

/// How far around a path words count, in bytes: about a sentence.
const REACH: usize = 200;
/// What a cue on the less usual side counts as being further away, in bytes.
const WRONG_SIDE: usize = 40;
/// How far right of a path an English verb may stand: "`x.rs` needs updating".
const RIGHT_REACH: usize = 48;

/// What the words around `line[start..end]` say, if anything.
pub(super) fn around(line: &str, start: usize, end: usize) -> Option<Cue> {
    let [left, right] = sentence(line, start, end);
    // What is run is not what is written; the verb behind that is said of whatever runs it.
    if right.trim_start_matches(['`', '」']).starts_with("を実行") || part::is_looked_at(right)
    {
        return Some(Read);
    }
    // Where no other name is, there is nothing else that could be changed.
    let is_alone = !has_name(left) && !has_name(right);
    if !is_alone && (part::is_source(left) || part::is_run(left) || part::is_copied(left, right)) {
        return Some(Read);
    }
    if part::is_copy(left) {
        return Some(Write);
    }
    if chinese::is_chinese(line)
        && let Some(cue) = chinese::around(left, right)
    {
        return Some(cue);
    }
    let nearest = [
        beside(left, right),
        last_phrase(left, is_alone).filter(|(far, _)| part::reaches(left, *far)),
        first_phrase(left, right),
        last_word(left).filter(|(far, cue)| *cue != Read || part::reaches(left, *far)),
        last_cjk(left).map(|(d, cue)| (d + WRONG_SIDE, cue)),
        first_cjk(right),
        first_word(right).map(|(d, cue)| (d + WRONG_SIDE, cue)),
    ];
    nearest.into_iter().flatten().min_by_key(|(distance, _)| *distance).map(|(_, cue)| cue)
}

/// What stands before and behind `line[start..end]` in its sentence, as far as words count.
pub(super) fn sentence(line: &str, start: usize, end: usize) -> [&str; 2] {
    let left = &line[line.floor_char_boundary(start.saturating_sub(REACH))..start];
    let left = &left
        [left.rmatch_indices(is_sentence_end).find_map(|(i, m)| ends(left, i, m)).unwrap_or(0)..];
    let right = &line[end..line.ceil_char_boundary(end.saturating_add(REACH))];
    let stop = right.match_indices(is_sentence_end).find(|(i, m)| ends(right, *i, m).is_some());
    [left, &right[..stop.map_or(right.len(), |(i, _)| i)]]
}

/// Whether the sentence asks for a fix and names nothing but this path, as the place to look at: `fix the
/// paging (see x.rs)`. Documents are looked at to know what is right, not to be fixed.
pub(super) fn is_place_of_fix(line: &str, start: usize, end: usize) -> bool {
    let [left, right] = sentence(line, start, end);
    let is_document = [".md", ".mdx", ".rst", ".txt", ".adoc"]
        .iter()
        .any(|e| line[start..end].to_ascii_lowercase().contains(e));
    let seen = words(left)
        .next_back()
        .filter(|(_, word)| ["see", "at", "cf"].iter().any(|w| word.eq_ignore_ascii_case(w)));
    let before = match seen {
        Some((at, _)) => &left[..at],
        None if right.trim_start_matches(['`', '」', ' ']).starts_with("を参照") => left,
        None => return false,
    };
    let crashes = words(right).any(|(_, word)| {
        ["crash", "crashes", "fails", "breaks", "panics", "hangs", "bug", "abstürzt", "plante"]
            .iter()
            .any(|w| word.eq_ignore_ascii_case(w))
    });
    let fixes = crashes
        || words(before).any(|(_, word)| {
            ["fix", "fixes", "repair", "debug"].iter().any(|w| word.eq_ignore_ascii_case(w))
        })
        || ["修正", "直す", "直し", "修复"].iter().any(|w| before.contains(w));
    let negated = words(before).any(|(_, word)| is_not(word));
    fixes && !negated && !is_document && !has_name(left) && !has_name(right)
}

/// Whether something like a file name or path is among the words.
fn has_name(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || !c.is_ascii() || "()`\"',:".contains(c)).any(|word| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        word.contains(['/', '.']) || word.contains("::")
    })
}

/// Whether a verb acts on this very path: right before it, or with the particle of an object.
pub(super) fn is_object(line: &str, start: usize, end: usize) -> bool {
    let left = &line[line.floor_char_boundary(start.saturating_sub(OBJECT_REACH))..start];
    let right = line[end..].trim_start_matches(['`', '"', '*', '」']);
    right.starts_with('を')
        || (chinese::is_chinese(line) && chinese::acts_on(left))
        || last_word(left).is_some_and(|(_, cue)| matches!(cue, Create | Write))
}

/// How far before its object a verb stands, in bytes: "refactor everything in ".
const OBJECT_REACH: usize = 32;

/// What the line above a list says about the paths in it: `Update these:`.
pub(super) fn of_intro(text: &str) -> Option<Cue> {
    let text = &text[..text.floor_char_boundary(REACH)];
    last_word(text).or_else(|| last_cjk(text)).map(|(_, cue)| cue).or_else(|| of_heading(text))
}

/// What a heading or a label says about the paths below or behind it.
pub(super) fn of_heading(text: &str) -> Option<Cue> {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["new file", "files to create", "新規ファイル", "新しいファイル"]) {
        return Some(Create);
    }
    if has(&["affected", "impact", "files to", "modif", "changes", "影響", "変更"]) {
        return Some(Write);
    }
    if has(&[
        "reference",
        "see also",
        "related",
        "context",
        "background",
        "参考",
        "参照",
        "関連",
        "背景",
    ]) {
        return Some(Read);
    }
    None
}

/// Whether a heading opens a section about what is not done.
pub(super) fn is_aside(heading: &str) -> bool {
    let lower = heading.to_lowercase();
    [
        "out of scope",
        "non-goal",
        "non goal",
        "not in scope",
        "do not touch",
        "don't touch",
        "alternatives",
        "future work",
        "対象外",
        "非目標",
        "スコープ外",
        "代替案",
        "将来",
    ]
    .iter()
    .any(|aside| lower.contains(aside))
}

/// Whether what follows a path says that it does not exist yet: `x.rs (new)`.
pub(super) fn is_marked_new(line: &str, end: usize) -> bool {
    let after: String = line[end..].chars().take(24).collect::<String>().to_lowercase();
    let after = after.trim_start_matches(['`', '"', '*', ' ', '_']);
    ["(new", "（新", "(create", "[new", "(新", "- new", "— new"]
        .iter()
        .any(|mark| after.starts_with(mark))
}

fn is_sentence_end(c: char) -> bool {
    matches!(c, '.' | ';' | '。' | '！' | '？' | '!' | '?')
}

/// The offset behind a sentence's end at `i`; a dot counts only before a space.
fn ends(text: &str, i: usize, mark: &str) -> Option<usize> {
    let after = i + mark.len();
    let abbreviates = text[..i].ends_with("см");
    let counts = !mark.is_ascii() || (text[after..].starts_with([' ', '\t']) && !abbreviates);
    counts.then_some(after)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() && !is_cjk(c) || c == '\''
}

fn is_cjk(c: char) -> bool {
    matches!(u32::from(c), 0x2E80..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF)
}

fn words(text: &str) -> impl DoubleEndedIterator<Item = (usize, &str)> {
    text.split(|c| !is_word(c))
        .filter(|w| !w.is_empty())
        .map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// Whether a word is part of a name (`add_user`, `new.rs`) and so no verb.
fn is_part_of_name(text: &str, at: usize, word: &str) -> bool {
    let rest = &text[at + word.len()..];
    rest.starts_with(['_', '/'])
        || rest.starts_with("::")
        || rest.strip_prefix('.').is_some_and(|r| r.starts_with(is_word))
        || text[..at].ends_with(['_', '/', '.', ':', '`'])
}

/// The words that are no part of a name.
fn plain_words(text: &str) -> impl DoubleEndedIterator<Item = (usize, &str)> {
    words(text).filter(|(at, word)| !is_part_of_name(text, *at, word))
}

fn cue_of(word: &str) -> Option<Cue> {
    let lowered = (!word.is_ascii()).then(|| word.to_lowercase());
    let word = lowered.as_deref().unwrap_or(word);
    let first = word.as_bytes().first()?.to_ascii_lowercase();
    STEMS.iter().filter(|(stem, _)| stem.as_bytes()[0] == first).find_map(|(stem, cue)| {
        let start = word.get(..stem.len())?;
        let rest = &word[stem.len()..];
        let is_cyrillic = stem.starts_with(|c| ('а'..='я').contains(&c));
        let fits = if WHOLE.contains(stem) {
            rest.is_empty()
        } else if is_cyrillic {
            true
        } else {
            ENDINGS.iter().any(|ending| ending.eq_ignore_ascii_case(rest))
        };
        (fits && start.eq_ignore_ascii_case(stem)).then_some(*cue)
    })
}

fn is_not(word: &str) -> bool {
    let lowered = (!word.is_ascii()).then(|| word.to_lowercase());
    let word = lowered.as_deref().unwrap_or(word);
    [
        "not",
        "don't",
        "never",
        "without",
        "avoid",
        "except",
        "cannot",
        "nicht",
        "ohne",
        "kein",
        "keine",
        "keinen",
        "не",
        "без",
        "кроме",
        "sans",
        "ne",
        "sin",
        "nunca",
        "pas",
        "unchanged",
    ]
    .iter()
    .any(|n| word.eq_ignore_ascii_case(n))
}

pub(super) fn last_word(left: &str) -> Option<(usize, Cue)> {
    let mut rev = words(left).rev().peekable();
    while let Some((at, word)) = rev.next() {
        if is_part_of_name(left, at, word) {
            continue;
        }
        if (word.eq_ignore_ascii_case("except") || word.eq_ignore_ascii_case("avoid"))
            && lists_only_names(&left[at + word.len()..])
        {
            return Some((left.len() - at - word.len(), Cue::Not));
        }
        // "The bug lies in x.rs".
        let rest = left[at + word.len()..].trim_start();
        if word.eq_ignore_ascii_case("lies") && ["in ", "at "].iter().any(|w| rest.starts_with(w)) {
            continue;
        }
        // French joins the word of negation to a vowel: "n'ajoute".
        let joined = word.get(..2).filter(|start| start.eq_ignore_ascii_case("n'"));
        if let Some(cue) = cue_of(&word[joined.map_or(0, str::len)..]) {
            let refuses = joined.is_some()
                || rev.peek().is_some_and(|(_, w)| w.eq_ignore_ascii_case("no"))
                || rev.take(3).any(|(_, w)| is_not(w));
            let negated = cue != Read && refuses;
            return Some((left.len() - at - word.len(), if negated { Cue::Not } else { cue }));
        }
    }
    None
}

/// Whether nothing but names stands there, with the words that join them: what follows `avoid`
/// is then what to avoid, and not a thing to do.
fn lists_only_names(text: &str) -> bool {
    text.split_whitespace().all(|word| {
        word.contains(['/', '.', '`', ','])
            || ["the", "file", "files", "using", "both", "and", "or"]
                .iter()
                .any(|w| word.eq_ignore_ascii_case(w))
    })
}

fn last_phrase(left: &str, is_alone: bool) -> Option<(usize, Cue)> {
    let lower = left.to_ascii_lowercase();
    // "The steps documented in x.md" are what is to be changed where nothing else is named.
    let tells = |phrase: &&&str| !(is_alone && READ_BEFORE_OTHERS.contains(*phrase));
    let all = READ_BEFORE.iter().chain(READ_BEFORE_OTHERS).filter(tells);
    let ends = all.filter_map(|phrase| {
        let at = lower.rfind(phrase)?;
        let end = at + phrase.len();
        (!lower[..at].ends_with(is_word) && !lower[end..].starts_with(is_word)).then_some(end)
    });
    ends.max().map(|end| (left.len() - end, Read))
}

/// `ohne x.rs zu ändern`, `change b.rs, not x.rs`, `x.rs nicht ändern`: a word of negation right beside the path.
fn beside(left: &str, right: &str) -> Option<(usize, Cue)> {
    let is_any = |word: &str, of: &[&str]| of.iter().any(|w| word.eq_ignore_ascii_case(w));
    let before = words(left).map(|(_, word)| word).rev().find(|word| {
        !is_any(word, &["the", "file", "in", "an", "die", "der", "das", "datei", "файл"])
    });
    let refuses = ["not", "nicht", "ohne", "kein", "keine", "не", "кроме"];
    let is_before = before.is_some_and(|word| is_any(word, &refuses))
        && left.trim_end_matches(['`', '"', '*', ' ']).ends_with(is_word);
    let behind = right.trim_start_matches(['`', '"', '*', ' ']);
    let mut behind = words(&behind[..behind.floor_char_boundary(RIGHT_REACH)]);
    // "nicht nur", "nicht vergessen", "nicht mehr laden" are said of something to do.
    let is_behind =
        behind.next().is_some_and(|(at, word)| at == 0 && is_any(word, &["nicht", "не"]))
            && !behind.next().is_some_and(|(_, word)| {
                is_any(word, &["nur", "mehr", "vergessen", "только", "забудь", "работает"])
            });
    (is_before || is_behind).then_some((0, Cue::Not))
}

/// As sure as a word before the path: the phrase is said of what stands right before it.
fn first_phrase(left: &str, right: &str) -> Option<(usize, Cue)> {
    let near = right[..right.floor_char_boundary(RIGHT_REACH)].to_ascii_lowercase();
    // What comes behind a comma or `but` is said of something else.
    let stop = [",", "(", " but ", " while ", " although ", " keep", " leav"];
    let near = &near[..stop.iter().filter_map(|s| near.find(s)).min().unwrap_or(near.len())];
    let whole = |at: usize, phrase: &str| {
        !near[..at].ends_with(is_word) && !near[at + phrase.len()..].starts_with(is_word)
    };
    let phrase = NOT_BEHIND
        .iter()
        .filter_map(|phrase| near.find(phrase).filter(|&at| whole(at, phrase)))
        .chain(NOT_AT_END.iter().filter_map(|phrase| {
            let at = near.find(phrase).filter(|&at| whole(at, phrase))?;
            let rest = near[at + phrase.len()..].trim_start_matches(['.', '!', '*', ' ']);
            let is_end = rest.is_empty()
                || ["and ", "for now", ")", ":", "-"].iter().any(|end| rest.starts_with(end));
            is_end.then_some(at)
        }))
        .min();
    let left_alone = || {
        let leaves = |word: &str| {
            ["leave", "leaves", "leaving", "let"].iter().any(|w| word.eq_ignore_ascii_case(w))
        };
        let at = near.find("alone").filter(|&at| whole(at, "alone"))?;
        words(left).any(|(_, word)| leaves(word)).then_some(at)
    };
    let at = phrase.or_else(left_alone)?;
    // A verb right before it or between them is nearer: `move x.rs as is`, `x.rs needs fixing as is`.
    let acted_on = words(&near[..at])
        .chain(words(left).next_back().filter(|_| !left.trim_end().ends_with([',', ';'])))
        .any(|(_, word)| matches!(cue_of(word), Some(Create | Write)));
    (!acted_on).then_some((at.saturating_sub(WRONG_SIDE), Cue::Not))
}

fn first_word(right: &str) -> Option<(usize, Cue)> {
    let right = &right[..right.floor_char_boundary(RIGHT_REACH)];
    let is_any = |word: &str, of: &[&str]| of.iter().any(|w| word.eq_ignore_ascii_case(w));
    let (mut before, mut refused) = ("", false);
    for (at, word) in words(right) {
        // "as an example", "for reference".
        if is_any(word, MODELS) && is_any(before, &["as", "an", "a", "for", "als", "comme", "como"])
        {
            return Some((at.saturating_sub(WRONG_SIDE), Read));
        }
        if is_any(word, &["unchanged", "untouched", "unverändert"]) {
            return Some((at, Cue::Not));
        }
        refused |= is_not(word);
        // What stands in parentheses or behind a slash is said of something else.
        let aside = right[..at].contains(['(', '/', '（']);
        if let Some(cue) = cue_of(word).filter(|cue| *cue != Read && !aside) {
            return Some((at, if refused { Cue::Not } else { cue }));
        }
        before = word;
    }
    None
}

fn first_cjk(right: &str) -> Option<(usize, Cue)> {
    if right.is_ascii() {
        return None;
    }
    let (at, verb, cue) = CJK
        .iter()
        .filter_map(|(verb, cue)| right.find(verb).map(|at| (at, *verb, *cue)))
        .min_by_key(|(at, ..)| *at)?;
    Some((at, negated_cjk(right, at, verb, cue)))
}

fn last_cjk(left: &str) -> Option<(usize, Cue)> {
    if left.is_ascii() {
        return None;
    }
    let (at, verb, cue) = CJK
        .iter()
        .filter_map(|(verb, cue)| left.rfind(verb).map(|at| (at, *verb, *cue)))
        .max_by_key(|(at, ..)| *at)?;
    Some((left.len() - at - verb.len(), negated_cjk(left, at, verb, cue)))
}

fn negated_cjk(text: &str, at: usize, verb: &str, cue: Cue) -> Cue {
    let after: String = text[at + verb.len()..].chars().take(6).collect();
    // "変更なしで返す" is said of a value, not of the file.
    let not = (CJK_NOT.iter().any(|n| after.contains(n)) && !after.starts_with("なしで"))
        || CJK_NOT_BEFORE.iter().any(|n| text[..at].ends_with(n));
    if not && cue != Read { Cue::Not } else { cue }
}
