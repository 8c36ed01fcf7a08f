//! What a prompt's text says must come first.
//!
//! Three forms, in the order of how plainly they say it: a line `Depends on: a, b`; a heading `Depends on`
//! with a list below it; a sentence such as "after b is done" or "depends on `a`". A name counts only if
//! it is that of another prompt: what is under such a line or heading and is not, is returned apart, so
//! that the plan can say that nobody knows it. In a sentence it is just a word.

use std::collections::BTreeSet;

/// A dependency read from the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextDependency {
    /// The prompt that comes first.
    pub name: String,
    /// Line of the prompt file, from 1.
    pub line: u32,
    /// The line, trimmed, at most 120 characters.
    pub words: String,
}

/// What the text says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextDependencies {
    /// On prompts that are there; the first mention of each.
    pub known: Vec<TextDependency>,
    /// What a line or list of dependencies names that is no prompt.
    pub unknown: Vec<TextDependency>,
}

/// What such a line or heading begins with, lower case.
const LABELS: &[&str] = &[
    "depends on",
    "depends",
    "dependencies",
    "dependency",
    "blocked by",
    "requires tasks",
    "prerequisites",
    "prerequisite",
    "after tasks",
    "hängt ab von",
    "abhängig von",
    "abhängigkeiten",
    "dépend de",
    "dépendances",
    "depende de",
    "dependencias",
    "зависит от",
    "依存タスク",
    "依存関係",
    "依存",
    "依赖任务",
    "依赖",
    "前提タスク",
];

/// What stands in front of a name in a sentence that says that it comes first.
const BEFORE: &[&str] = &[
    "depends on",
    "blocked by",
    "must come after",
    "must run after",
    "runs after",
    "run after",
    "run this after",
    "do this after",
    "start this after",
    "only after",
    "start after",
    "starts after",
    "wait for",
    "waits for",
    "builds on",
    "hängt von",
    "dépend de",
    "depende de",
    "зависит от",
];

/// The same where it is said of the prompt itself and ends with the name: "needs" and "requires" are said of much else.
const NEEDS: &[&str] = &["requires", "needs"];

/// What stands behind a name that comes first, in languages that write it so.
const BEHIND: &[&str] = &[
    "に依存",
    "の完了後",
    "完了後",
    "が完了した後",
    "が終わった後",
    "完成后",
    "完成之后",
    "에 의존",
    "완료 후",
];

/// What turns that around.
const NOT_BEHIND: &[&str] = &["しない", "しません", "せず", "하지 않"];

/// Words that turn a sentence around.
const NOT: &[&str] =
    &["not", "never", "no", "without", "doesn't", "don't", "nicht", "ne", "pas", "n'est", "не"];

/// `after NAME is done`: in front of the name, and behind it.
const WHEN: &[&str] =
    &["after", "once", "when", "nachdem", "sobald", "nach", "après", "después de"];
const DONE: &[&str] = &[
    "is done",
    "is finished",
    "is complete",
    "is completed",
    "is implemented",
    "is merged",
    "has landed",
    "lands",
    "has been merged",
    "has been implemented",
    "has run",
    "are done",
    "are merged",
    "fertig ist",
    "abgeschlossen ist",
    "ausführen",
    "umsetzen",
    "est terminé",
    "est terminée",
    "termine",
];

/// Words that may stand between these and the name.
const FILLERS: &[&str] = &["the", "task", "tasks", "prompt", "prompts", "of", "on", "change"];

/// Longest line kept.
const MAX_WORDS: usize = 120;

/// Reads the body of the prompt `own`, which begins on line `body_line` of its file. `names` are all
/// prompts of the plan.
#[must_use]
pub fn dependencies(
    own: &str,
    body: &str,
    body_line: u32,
    names: &BTreeSet<&str>,
) -> TextDependencies {
    let mut found = TextDependencies::default();
    let mut in_code = false;
    // The level of the heading whose list is being read.
    let mut under: Option<usize> = None;
    for (number, raw) in (body_line..).zip(body.lines()) {
        let text = raw.trim();
        if text.starts_with("```") || text.starts_with("~~~") {
            in_code = !in_code;
            continue;
        }
        if in_code || text.is_empty() {
            continue;
        }
        let mut note = |name: &str, certain: bool| {
            let name = name.to_owned();
            let words: String = text.chars().take(MAX_WORDS).collect();
            let entry = TextDependency { name, line: number, words };
            let list = if names.contains(entry.name.as_str()) {
                &mut found.known
            } else if certain {
                &mut found.unknown
            } else {
                return;
            };
            if entry.name != own && list.iter().all(|other| other.name != entry.name) {
                list.push(entry);
            }
        };
        let level = text.chars().take_while(|c| *c == '#').count();
        let plain = text.trim_start_matches(['#', '-', '*', '+', '_', ' ']);
        let lower = plain.to_lowercase();
        let label = LABELS.iter().find(|label| lower.starts_with(**label));
        if level > 0 {
            under = None;
        }
        if let Some(rest) = label.and_then(|label| after_label(plain, label)) {
            let rest = rest.trim_matches(['*', '_', ' ']);
            if rest.is_empty() {
                under = Some(level);
            } else {
                listed(rest, &mut note);
            }
            continue;
        }
        if under.is_some() {
            if text.starts_with(['-', '*', '+']) || text.starts_with(|c: char| c.is_ascii_digit()) {
                // `- a: because of its types`
                let item =
                    plain.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ')');
                let item = item.trim();
                let item = item.strip_prefix("[ ]").or(item.strip_prefix("[x]")).unwrap_or(item);
                let end = item.find([':', '(', '—', '–']).unwrap_or(item.len());
                listed(&item[..end], &mut note);
                continue;
            }
            under = None;
        }
        sentences(&lower, plain, names, &mut note);
        behind(plain, names, &mut note);
    }
    found
}

/// What follows the colon of `Depends on: ...`; of a heading or a bold line without one, nothing.
fn after_label<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    // Lower case may have another length; the labels' letters do not.
    let rest = line.get(label.len()..)?;
    let rest = rest.trim_start_matches(['*', '_', ' ']);
    if rest.is_empty() {
        return Some("");
    }
    rest.strip_prefix([':', '：']).map(str::trim)
}

/// `a, b and c`; `none` is nobody.
fn listed(text: &str, note: &mut impl FnMut(&str, bool)) {
    let text =
        text.replace(" and ", ",").replace(" und ", ",").replace(" et ", ",").replace(" y ", ",");
    for piece in text.split([',', ';', '、', '，', '&']) {
        let name = name(piece);
        let nobody =
            ["", "none", "nothing", "n/a", "-", "keine", "aucune", "ninguna", "なし", "无"];
        if !nobody.contains(&name.to_lowercase().as_str()) {
            note(name, true);
        }
    }
}

/// `prompts/a.md`, `[a](a.md)`, `` `a` `` and "a" all mean a.
fn name(text: &str) -> &str {
    let text = text.trim();
    let text =
        text.strip_prefix('[').and_then(|t| t.split_once(']')).map_or(text, |(name, _)| name);
    let text = text.trim_matches(|c: char| c.is_whitespace() || "`'\"*_“”„.".contains(c));
    let text = text.rsplit('/').next().unwrap_or(text);
    text.strip_suffix(".md").unwrap_or(text)
}

/// Sentences with a name of a prompt in the right place.
fn sentences(lower: &str, plain: &str, names: &BTreeSet<&str>, note: &mut impl FnMut(&str, bool)) {
    if lower.len() != plain.len() {
        return;
    }
    for cue in BEFORE.iter().chain(WHEN).chain(NEEDS) {
        for (at, _) in lower.match_indices(cue) {
            let inside = lower[..at].chars().next_back().is_some_and(char::is_alphanumeric);
            let rest = &plain[at + cue.len()..];
            let of_much_else = NEEDS.contains(cue);
            if inside
                || !rest.starts_with(' ')
                || is_refused(&lower[..at])
                || (of_much_else && !is_of_the_prompt(&lower[..at]))
            {
                continue;
            }
            let needs_done = WHEN.contains(cue);
            // "depends on a, b and c is done": as many names as follow each other.
            let mut rest = rest.trim_start();
            let mut waiting = Vec::new();
            while let Some((word, marked, behind)) = next_name(rest) {
                if !names.contains(word) {
                    break;
                }
                let behind_lower = behind.trim_start().to_lowercase();
                let done = DONE.iter().find(|done| behind_lower.starts_with(**done));
                let ends = behind.trim_start().is_empty()
                    || behind.starts_with(['.', ',', ';', ':', ')', '!'])
                    || behind_lower.starts_with("and ");
                let certain = if of_much_else { marked && ends } else { marked || ends };
                if !needs_done && done.is_none() && !certain {
                    break;
                }
                waiting.push(word);
                if done.is_some() || !needs_done {
                    waiting.drain(..).for_each(|word| note(word, false));
                }
                // "b is done and c is merged": what is done is followed by the next name.
                let behind = behind.trim_start();
                let behind = behind.get(done.map_or(0, |done| done.len())..).unwrap_or_default();
                let next = behind.trim_start_matches([',', ' ']);
                rest = next.strip_prefix("and ").unwrap_or(next);
            }
        }
    }
}

/// Whether what stands before says that it is not so: "no longer depends on".
fn is_refused(before: &str) -> bool {
    /// Words that may stand between, and what they take at most, bytes.
    const NEAR: usize = 3;
    const FAR: usize = 100;
    let before = &before[before.ceil_char_boundary(before.len().saturating_sub(FAR))..];
    let clause = &before[before.rfind(['.', ',', ';', ':']).map_or(0, |at| at + 1)..];
    clause.split_whitespace().rev().take(NEAR).any(|word| NOT.contains(&word))
}

/// Whether what follows is said of the prompt: it opens a sentence or a line, or follows "this task".
fn is_of_the_prompt(before: &str) -> bool {
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || "*_".contains(c));
    before.is_empty()
        || before.ends_with(['.', '-', '\n', ')'])
        || ["this", "this task", "this prompt", "this change"].iter().any(|of| before.ends_with(of))
}

/// Names behind which it is said that they come first: `add-loginの完了後に`.
fn behind(plain: &str, names: &BTreeSet<&str>, note: &mut impl FnMut(&str, bool)) {
    if plain.is_ascii() {
        return;
    }
    for cue in BEHIND {
        for (at, _) in plain.match_indices(cue) {
            let refused = NOT_BEHIND.iter().any(|not| plain[at + cue.len()..].starts_with(not));
            let left = plain[..at].trim_end_matches(|c| "`\"'」』* ".contains(c));
            let left = left.strip_suffix(".md").unwrap_or(left);
            // "loginの完了後" is said of what users do; only a name that is no word of its own means a prompt.
            let is_name = |name: &str| {
                cue.contains("依存")
                    || cue.contains("의존")
                    || !name.is_ascii()
                    || name.contains(|c: char| c.is_ascii_digit() || "-_".contains(c))
            };
            let is_whole = |name: &&&str| {
                is_name(name)
                    && left.strip_suffix(**name).is_some_and(|start| {
                        !start.ends_with(|c: char| c.is_ascii_alphanumeric() || "-_/.".contains(c))
                    })
            };
            let first = names.iter().filter(is_whole).max_by_key(|name| name.len());
            first.filter(|_| !refused).into_iter().for_each(|name| note(name, false));
        }
    }
}

/// The first word that may be a name, whether it is marked as one, and what follows it.
fn next_name(text: &str) -> Option<(&str, bool, &str)> {
    let mut text = text.trim_start();
    loop {
        let first = text.split_whitespace().next()?;
        if !FILLERS.contains(&first.to_lowercase().as_str()) {
            break;
        }
        text = text[first.len()..].trim_start();
    }
    for (open, close) in [('`', '`'), ('"', '"'), ('\'', '\''), ('“', '”')] {
        if let Some((word, behind)) = text.strip_prefix(open).and_then(|t| t.split_once(close)) {
            return Some((name(word), true, behind));
        }
    }
    let end = text.find(|c: char| c.is_whitespace() || ",;:)!".contains(c)).unwrap_or(text.len());
    let (word, behind) = text.split_at(end);
    let (word, behind) = match word.strip_suffix('.') {
        Some(bare) => (bare, &text[bare.len()..]),
        None => (word, behind),
    };
    let bare = name(word);
    let marked = word.strip_suffix(".md").is_some()
        || bare.contains(['-', '_'])
        || bare.contains(|c: char| c.is_ascii_digit());
    (!bare.is_empty()).then_some((bare, marked, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (Vec<(String, u32)>, Vec<String>) {
        let names: BTreeSet<&str> = ["own", "a", "b", "c", "add-login", "設定"].into();
        let found = dependencies("own", body, 5, &names);
        (
            found.known.into_iter().map(|d| (d.name, d.line)).collect(),
            found.unknown.into_iter().map(|d| d.name).collect(),
        )
    }

    #[test]
    fn lines_lists_and_sentences_are_read() {
        for (body, expected) in [
            ("Depends on: a, b", "a b"),
            ("**Depends On**: `a`, prompts/b.md and [c](c.md)", "a b c"),
            ("**Depends on:** a", "a"),
            ("- depends on: a", "a"),
            ("## Dependencies\n\n- a: its types\n- [ ] `b` (the parser)\n\nText c.", "a b"),
            ("## Depends On\n1. a\n2. b\n## Other\n- c", "a b"),
            ("### Depends on: none", ""),
            ("依存: 設定", "設定"),
            ("Abhängig von: a", "a"),
            ("This depends on a.", "a"),
            ("It depends on `add-login` for the session.", "add-login"),
            ("Starts after add-login, when all is quiet", "add-login"),
            ("Start after b is done and c is merged.", "b c"),
            ("Only once a and b are done.", "a b"),
            ("After a and then something else is done", ""),
            ("This depends on a library that is new.", ""),
            ("After a while the list depends on b trees", ""),
            ("Depends on: own", ""),
            ("Run this after add-login.", "add-login"),
            ("Requires add-login.", "add-login"),
            ("It needs a.", ""),
            ("Prerequisite: a", "a"),
            ("Nach add-login ausführen", "add-login"),
            ("Зависит от add-login", "add-login"),
            ("add-loginの完了後に実施", "add-login"),
            ("`add-login` に依存", "add-login"),
            ("在 add-login 完成之后", "add-login"),
            ("add-login에 의존", "add-login"),
            ("設定の完了後", "設定"),
            ("no-add-login に依存", ""),
            ("add-loginに依存しない", ""),
            ("It no longer depends on add-login.", ""),
            ("It does not run after add-login.", ""),
            ("Not much, but it depends on add-login.", "add-login"),
            ("```\nDepends on: a\n```", ""),
        ] {
            let (known, _) = read(body);
            let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names.join(" "), expected, "{body}");
        }
        assert_eq!(read("x\n\nDepends on: a\n").0, [("a".to_owned(), 7)]);
    }

    #[test]
    fn a_name_that_nobody_has_is_told_where_it_was_meant_as_one() {
        assert_eq!(read("Depends on: a, postgres").1, ["postgres"]);
        assert_eq!(read("It depends on postgres.").1, Vec::<String>::new());
    }

    #[test]
    fn odd_text_is_survived() {
        for body in [
            "Depends on",
            "after `",
            "İ depends on a",
            "once “a",
            "#",
            "- depends on: [",
            "after \u{0} is done",
        ] {
            let _ = read(body);
        }
    }
}
