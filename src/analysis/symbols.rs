//! Names of code in a text: `TaskRouter`, `force_recreate_worktree`, `run_apply()`.

use super::lines::{Line, Place};
use std::collections::BTreeMap;

/// Shorter names are words of every language.
const SHORTEST: usize = 4;
/// Longer ones are data.
const LONGEST: usize = 80;
/// Names kept of one prompt, and of those with letters outside ASCII: most of these are words.
const MAX_NAMES: usize = 500;

/// Where a name was used first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used<'a> {
    /// Line in the prompt file, from 1.
    pub number: u32,
    /// The line.
    pub line: &'a str,
    /// Byte offset of the name in it.
    pub at: usize,
}

/// The names of one prompt.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    names: BTreeMap<&'a str, Used<'a>>,
    /// How many of them have letters outside ASCII.
    wide: usize,
}

impl<'a> Names<'a> {
    /// Takes the names of a line.
    pub(super) fn add(&mut self, line: &Line<'a>) {
        let text = line.text;
        let bytes = text.as_bytes();
        let (mut at, mut ticks) = (0, false);
        while at < bytes.len() {
            if !is_part(bytes[at]) {
                ticks ^= bytes[at] == b'`';
                at += 1;
                continue;
            }
            let start = at;
            while at < bytes.len() && is_part(bytes[at]) {
                at += 1;
            }
            let name = &text[start..at];
            let is_call = bytes.get(at) == Some(&b'(');
            let is_marked = line.place == Place::Prose && ticks;
            if is_name(name, is_marked || is_call) && self.names.len() - self.wide < MAX_NAMES {
                let used = Used { number: line.number, line: text, at: start };
                self.names.entry(name).or_insert(used);
            }
        }
        if !text.is_ascii() {
            wide(text, |name, at| {
                self.add_wide(name, Used { number: line.number, line: text, at })
            });
        }
    }

    fn add_wide(&mut self, name: &'a str, used: Used<'a>) {
        if self.wide < MAX_NAMES && !self.names.contains_key(name) {
            self.names.insert(name, used);
            self.wide += 1;
        }
    }

    /// By name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, Used<'a>)> {
        self.names.iter().map(|(name, used)| (*name, *used))
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether it is written as no word is, or marked as code.
fn is_name(name: &str, marked: bool) -> bool {
    let bytes = name.as_bytes();
    (SHORTEST..=LONGEST).contains(&name.len())
        && !bytes[0].is_ascii_digit()
        && (marked
            || name.trim_matches('_').contains('_')
            || bytes.windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase()))
}

/// Names with letters outside ASCII: whole words, and of a Japanese run what stands between the particles
/// (`日本クラスを直す`), unless it is marked as one name. That a word is no name the index of definitions tells.
fn wide<'a>(text: &'a str, mut found: impl FnMut(&'a str, usize)) {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | 'ー' | '・');
    let is_particle = |c: char| matches!(c, '\u{3041}'..='\u{309F}');
    let mut take = |run: &'a str| {
        let at = run.as_ptr() as usize - text.as_ptr() as usize;
        let whole = (2..=LONGEST).contains(&run.chars().count());
        if whole && !run.is_ascii() && !run.starts_with(|c: char| c.is_ascii_digit()) {
            found(run, at);
        }
    };
    for run in text.split(|c| !is_part(c)).filter(|run| !run.is_ascii()) {
        let start = run.as_ptr() as usize - text.as_ptr() as usize;
        let (before, behind) = (&text[..start], &text[start + run.len()..]);
        let marked = before.ends_with(['`', '「']) && behind.starts_with(['`', '」', '(']);
        if marked || !run.contains(is_particle) {
            take(run);
        } else {
            run.split(is_particle).for_each(&mut take);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::lines;
    use super::*;

    #[test]
    fn names_are_told_from_words() {
        let text = "Let `apply` and TaskRouterのforce_recreate_worktree call run() and save(); see JSON, src/main.rs\n\
                    ```\nlet plain = MyType::new_one();\n```";
        let mut names = Names::default();
        lines(text, 5).for_each(|line| names.add(&line));
        let found: Vec<_> = names.iter().map(|(name, used)| (name, used.number)).collect();
        assert_eq!(
            found,
            [
                ("MyType", 7),
                ("TaskRouter", 5),
                ("apply", 5),
                ("force_recreate_worktree", 5),
                ("new_one", 7),
                ("save", 5),
            ]
        );
    }

    #[test]
    fn names_may_have_any_letters() {
        let mut names = Names::default();
        let text = "日本クラスのログと`処理する`を直す。Обработчик_заказов und ändereMich(); 3年";
        lines(text, 1).for_each(|line| names.add(&line));
        let found: Vec<_> = names.iter().map(|(name, _)| name).collect();
        for name in ["日本クラス", "ログ", "処理する", "Обработчик_заказов", "ändereMich"]
        {
            assert!(found.contains(&name), "{name} in {found:?}");
        }
        assert!(!found.contains(&"3年") && !found.contains(&"と"), "{found:?}");
    }
}
