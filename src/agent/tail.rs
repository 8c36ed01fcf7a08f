//! The first and the last lines of a text of any length.

use super::phrase;
use std::collections::VecDeque;

/// Start-up errors stand at the beginning, and a stack trace may follow them.
const HEAD: usize = 12;
/// The reason of an end stands near the end.
const TAIL: usize = 40;
/// Bytes kept of a line.
const WIDTH: usize = 600;

/// Head and tail of a stream of lines; blank lines do not count.
#[derive(Debug, Default)]
pub(super) struct Tail {
    head: Vec<String>,
    tail: VecDeque<String>,
}

impl Tail {
    pub(super) fn push(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        let line = phrase::shorten(line, WIDTH);
        if self.head.len() < HEAD {
            self.head.push(line.to_owned());
        }
        // A flood of lines reuses the room of the ones it pushes out.
        let oldest = if self.tail.len() == TAIL { self.tail.pop_front() } else { None };
        let mut kept = oldest.unwrap_or_default();
        kept.clear();
        kept.push_str(line);
        self.tail.push_back(kept);
    }

    /// The last `n` lines, the last one first.
    pub(super) fn last(&self, n: usize) -> impl Iterator<Item = &str> {
        self.tail.iter().rev().take(n).map(String::as_str)
    }

    /// Everything kept, the last line first.
    pub(super) fn backwards(&self) -> impl Iterator<Item = &str> {
        self.last(TAIL).chain(self.head.iter().rev().map(String::as_str))
    }

    /// The line that says most about a failure: the last that names an error, otherwise the last that is not
    /// part of a stack trace.
    pub(super) fn telling(&self) -> Option<&str> {
        let telling =
            |line: &&str| !line.starts_with("at ") && line.chars().any(char::is_alphanumeric);
        let error = |line: &&str| {
            let lower = line.to_ascii_lowercase();
            ["error", "fatal", "panic", "cannot", "failed", "not found"]
                .iter()
                .any(|word| lower.contains(word))
        };
        self.backwards().filter(telling).find(error).or_else(|| self.backwards().find(telling))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_survive_a_flood() {
        let mut tail = Tail::default();
        tail.push("Error: the reason");
        for n in 0..10_000 {
            tail.push(&format!("at line {n}"));
        }
        tail.push("}");
        assert_eq!(tail.telling(), Some("Error: the reason"));
        assert_eq!(tail.last(2).collect::<Vec<_>>(), ["}", "at line 9999"]);
        assert!(tail.backwards().count() <= HEAD + TAIL);
    }

    #[test]
    fn without_an_error_the_last_words_tell() {
        let mut tail = Tail::default();
        assert_eq!(tail.telling(), None);
        for line in ["one", "two", "   ", "---"] {
            tail.push(line);
        }
        assert_eq!(tail.telling(), Some("two"));
    }
}
