//! Text -> front matter and body.
//!
//! A `---` line at the top of a Markdown file opens front matter in one reading and is a horizontal
//! rule in the other. It is front matter when what follows looks like its keys:
//!
//! - the first line that is neither blank nor a comment is `key:` (or `{`), and `---` is not followed
//!   by a blank line (as Pandoc has it) or the key is one of ours (in any case); or
//! - `---` is not followed by a blank line and one of our keys begins a line of the paragraph; or
//! - there is nothing between the two `---` lines but blank lines and commented-out keys.
//!
//! So `---`, an empty line and a paragraph stay what they are, and a slip in a real front matter is
//! an error instead of a paragraph that the agent reads.

use super::front::KEYS;

/// Where the front matter is. Byte offsets into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// All of it is body.
    None,
    /// `..yaml_end` is a YAML document (with the `---` line that opens it, so that its lines are the
    /// file's lines); the body begins at `body`.
    At {
        /// End of the YAML.
        yaml_end: usize,
        /// Begin of the body.
        body: usize,
    },
    /// Opened on this line (from 1) and never closed.
    Unclosed {
        /// From 1.
        line: u32,
    },
}

pub(super) fn split(text: &str) -> Split {
    let mut lines = Lines { rest: text, offset: 0 };
    let mut line = 0;
    // Blank lines above the first `---` are an editor's doing.
    loop {
        line += 1;
        match lines.next() {
            Some((_, found)) if found.trim_end() == "---" => break,
            Some((_, found)) if found.trim().is_empty() => {}
            _ => return Split::None,
        }
    }
    let start = lines.offset;
    let closed = lines.find(|(_, found)| found.trim_end() == "---").map(|(at, _)| at);
    let inside = text.get(start..closed.unwrap_or(text.len())).unwrap_or_default();
    if !looks_like_keys(inside, closed.is_some()) {
        return Split::None;
    }
    match closed {
        Some(yaml_end) => Split::At { yaml_end, body: lines.offset },
        None => Split::Unclosed { line },
    }
}

fn looks_like_keys(inside: &str, closed: bool) -> bool {
    let spaced = inside.lines().next().is_some_and(|l| l.trim().is_empty());
    let first = inside.lines().find(|l| !l.trim().is_empty() && !l.starts_with('#'));
    let Some(first) = first else {
        // Nothing but blanks and comments. `# Title` between two rules is a heading.
        let mut comments = inside.lines().filter_map(|l| l.trim().strip_prefix('#'));
        return closed && comments.all(|comment| key(comment.trim_start()).is_some_and(known));
    };
    match key(first) {
        Some(word) if !spaced || known(word) => true,
        _ if spaced => false,
        _ => {
            // `Files:` somewhere below is prose; front matter has neither capitals nor paragraphs.
            let paragraph = inside.lines().take_while(|l| !l.trim().is_empty());
            (closed && first.starts_with('{'))
                || paragraph.filter_map(key).any(|word| KEYS.contains(&word))
        }
    }
}

/// The word before the colon of a line such as `agent: claude`.
fn key(line: &str) -> Option<&str> {
    let (word, rest) = line.split_once(':')?;
    let word = word.trim_end().trim_matches(['"', '\'']);
    let is_word = word.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    (is_word && (rest.is_empty() || rest.starts_with([' ', '\t']))).then_some(word)
}

fn known(word: &str) -> bool {
    KEYS.contains(&word.to_lowercase().as_str())
}

/// Lines with the offset at which each begins, remembering how far it read.
struct Lines<'a> {
    rest: &'a str,
    offset: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.offset;
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.offset += self.rest.len() - rest.len();
        self.rest = rest;
        Some((at, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_and_horizontal_rules() {
        let front = [
            "---\nagent: a\n---\nx",
            "---\n---\nx",
            "---\n\n---\nx",
            "\n \n---\nagent: a\n---\nx",
            "---   \nagent: a\n--- \nx",
            "---\n\n# a comment\nagent: a\n---\nx",
            "---\n# agent: a\n# model: b\n---\nx",
            "---\nBanana: 1\n---\nx",
            "---\n\"agent\": a\n---\nx",
            "---\n{agent: a}\n---\nx",
            "---\nagent a\nmodel: b\n---\nx",
            "---\nagent:\n---\nx",
            "---\nagent: a\n---",
        ];
        for text in front {
            let Split::At { yaml_end, body } = split(text) else { panic!("{text:?}") };
            assert!(text[yaml_end..].starts_with("---"), "{text:?}");
            assert_eq!(&text[body..], if text.ends_with('x') { "x" } else { "" }, "{text:?}");
        }
        let body = [
            "",
            "---",
            "---\n",
            "x\n---\nagent: a\n---\n",
            "----\nagent: a\n----\n",
            " ---\nagent: a\n---\n",
            "---\n# Title\n---\nx",
            "---\n\nSome text\n\n---\nx",
            "---\n\nNote: prose\n\n---\nx",
            "---\nSome text.\n\nFiles:\n- a\n\n---\nx",
            "---\nSome text.\n\nstatus: in prose\n\n---\nx",
            "---\n- a\n- b\n---\nx",
            "---\nSee https://example.com\n---\nx",
            "---\n\n# agent: a\n",
        ];
        for text in body {
            assert_eq!(split(text), Split::None, "{text:?}");
        }
        for (text, line) in [
            ("---\nagent: a\n\n# Title\n", 1),
            ("\n\n---\nagent: a\n", 3),
            ("---\nagent: a\n----\n", 1),
            ("---\nBanana: 1\n", 1),
            ("---\nagent a\nmodel: b\n", 1),
        ] {
            assert_eq!(split(text), Split::Unclosed { line }, "{text:?}");
        }
    }
}
