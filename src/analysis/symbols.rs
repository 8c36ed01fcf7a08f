//! Names of code in a text: `TaskRouter`, `force_recreate_worktree`, `run_apply()`.

use super::lines::{Line, Place};
use std::collections::BTreeMap;

/// Shorter names are words of every language.
const SHORTEST: usize = 4;
/// Longer ones are data.
const LONGEST: usize = 80;
/// Names kept of one prompt.
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
pub(super) struct Names<'a>(BTreeMap<&'a str, Used<'a>>);

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
            if is_name(name, is_marked || is_call) && self.0.len() < MAX_NAMES {
                self.0.entry(name).or_insert(Used { number: line.number, line: text, at: start });
            }
        }
    }

    /// By name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, Used<'a>)> {
        self.0.iter().map(|(name, used)| (*name, *used))
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
}
