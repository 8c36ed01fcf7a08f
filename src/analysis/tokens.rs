//! Pieces of a line that may name a path.
//!
//! Written by hand because no separator can be relied on: Japanese writes `src/main.rsを直す` without
//! a space, Markdown wraps paths in brackets, stars and backticks, and URLs hold paths that are not
//! ours. Linear in the line.

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// As written, with whatever punctuation clings to it.
    pub text: &'a str,
    /// Byte offset in the line.
    pub start: usize,
    /// Whether backticks or quotes enclose it.
    pub quoted: bool,
    /// Where the inline code begins in which it is the argument of a command: `rm src/x.rs`.
    pub command: Option<usize>,
}

impl Token<'_> {
    /// Byte offset behind it.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

fn belongs(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./\\*?[]{}+@~#%:$".contains(&byte)
}

fn ends_url(byte: u8) -> bool {
    byte.is_ascii_whitespace() || !byte.is_ascii() || b"\"'`<>)".contains(&byte)
}

/// ASCII runs that could be paths, globs or module paths, URLs left out.
pub(super) fn tokens(line: &str) -> impl Iterator<Item = Token<'_>> {
    let bytes = line.as_bytes();
    let mut at = 0;
    let mut code: Option<usize> = None;
    std::iter::from_fn(move || {
        loop {
            while at < bytes.len() && !belongs(bytes[at]) {
                if bytes[at] == b'`' {
                    code = if code.is_some() { None } else { Some(at + 1) };
                }
                at += 1;
            }
            if at == bytes.len() {
                return None;
            }
            let start = at;
            let mut braces = 0_u32;
            let mut url = bytes[at..].starts_with(b"www.");
            while at < bytes.len() && !url {
                match bytes[at] {
                    b':' if bytes[at..].starts_with(b"://") => url = true,
                    b',' if braces > 0 => {}
                    b'{' => braces += 1,
                    b'}' => braces = braces.saturating_sub(1),
                    byte if !belongs(byte) => break,
                    _ => {}
                }
                at += 1;
            }
            if url {
                while at < bytes.len() && !ends_url(bytes[at]) {
                    at += 1;
                }
                continue;
            }
            let enclosed = |i: Option<usize>| {
                i.and_then(|i| bytes.get(i)).is_some_and(|b| b"`\"'".contains(b))
            };
            let quoted = enclosed(start.checked_sub(1)) || enclosed(Some(at));
            let command = code.filter(|&code| is_argument(&bytes[code..start]));
            return Some(Token { text: &line[start..at], start, quoted, command });
        }
    })
}

/// Whether what stands before it in inline code begins with the name of a program and a space.
fn is_argument(before: &[u8]) -> bool {
    let name =
        before.iter().take(MAX_PROGRAM).take_while(|b| b.is_ascii_alphanumeric() || **b == b'-');
    let length = name.count();
    (2..MAX_PROGRAM).contains(&length)
        && before.get(length) == Some(&b' ')
        && before[..length].iter().all(|b| !b.is_ascii_uppercase())
}

/// Longest name of a program, bytes.
const MAX_PROGRAM: usize = 24;

/// What backticks, quotes and link parentheses enclose where [`tokens`] would cut it: names with
/// spaces, with letters outside ASCII, with parentheses.
pub(super) fn enclosed(line: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < line.len() {
            let open = at + line[at..].find(['`', '"', '\'', '(', '<', '「', '『'])?;
            let mark = line[open..].chars().next()?;
            let start = open + mark.len_utf8();
            at = start;
            let close = match mark {
                '(' => ')',
                '<' => '>',
                '「' => '」',
                '『' => '』',
                same => same,
            };
            // A name is short; without a bound, a line of a million quotes would be quadratic.
            let reach = line.floor_char_boundary(start + MAX_NAME);
            let Some(length) = nested_end(&line[start..reach], mark, close) else { continue };
            let text = &line[start..start + length];
            if text.bytes().any(|b| !belongs(b)) {
                if !matches!(mark, '(' | '\'') {
                    at = start + length + close.len_utf8();
                }
                return Some(Token { text, start, quoted: true, command: None });
            }
        }
        None
    })
}

/// Longest enclosed name, bytes.
const MAX_NAME: usize = 200;

fn nested_end(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, c) in text.char_indices() {
        if c == close {
            if depth == 0 {
                return Some(i);
            }
            depth -= 1;
        } else if c == open {
            depth += 1;
        }
    }
    None
}

/// Runs of path characters and letters outside ASCII, and the parts of each that begin or end where
/// the script changes: one of them may be the path in `設定/既定.tomlを直す`.
pub(super) fn wide(line: &str) -> impl Iterator<Item = Token<'_>> {
    let is_part = |c: char| match u8::try_from(c) {
        Ok(byte) if c.is_ascii() => belongs(byte),
        _ => c.is_alphanumeric() || matches!(c, 'ー' | '・'),
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < line.len() {
            let start = at + line[at..].find(is_part)?;
            let length = line[start..].find(|c| !is_part(c)).unwrap_or(line.len() - start);
            at = start + length;
            let text = &line[start..at];
            if !text.is_ascii() && text.contains(['/', '.']) {
                return Some(parts(Token { text, start, quoted: false, command: None }));
            }
        }
        None
    })
    .flatten()
}

/// How many script changes at each end of a run are tried.
const MAX_CUTS: usize = 8;

fn parts(token: Token<'_>) -> Vec<Token<'_>> {
    let text = token.text;
    let changes: Vec<usize> = text
        .char_indices()
        .zip(text.chars().skip(1))
        .filter(|((_, a), b)| a.is_ascii() != b.is_ascii())
        .map(|((i, a), _)| i + a.len_utf8())
        .collect();
    let starts = std::iter::once(0).chain(changes.iter().copied()).take(MAX_CUTS);
    let ends: Vec<usize> =
        std::iter::once(text.len()).chain(changes.iter().rev().copied()).take(MAX_CUTS).collect();
    starts
        .flat_map(|start| ends.iter().map(move |&end| (start, end)))
        .filter(|(start, end)| start < end && !text[*start..*end].is_ascii())
        .map(|(start, end)| Token {
            text: &text[start..end],
            start: token.start + start,
            quoted: false,
            command: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<&str> {
        tokens(line).map(|t| t.text).collect()
    }

    #[test]
    fn paths_are_cut_from_any_script() {
        assert_eq!(texts("「src/main.rs」と、lib/a.pyを直す"), ["src/main.rs", "lib/a.py"]);
        assert_eq!(texts("a:`src/a.rs:12`,(b/c.rs)"), ["a:", "src/a.rs:12", "b/c.rs"]);
        assert_eq!(texts("src/{a,b}.rs, x"), ["src/{a,b}.rs", "x"]);
        assert_eq!(texts(r"src\tui\mod.rs"), [r"src\tui\mod.rs"]);
    }

    #[test]
    fn urls_are_left_out_to_their_end() {
        assert_eq!(
            texts("see https://x.io/b?f=src/a.rs&g=1#L2 or src/b.rs"),
            ["see", "or", "src/b.rs"]
        );
        assert_eq!(texts("(http://x/y.rs)z.rs www.a.com/q.rs,r.rs"), ["z.rs"]);
        assert_eq!(texts("[x](https://x/a.rs)とb.rs"), ["[x]", "b.rs"]);
    }

    #[test]
    fn enclosed_names_may_hold_spaces_and_parentheses() {
        let found: Vec<_> = enclosed("`my file.md` [x](app/(auth)/p.tsx) it's <a b.md> `src/a.rs`")
            .map(|t| t.text)
            .collect();
        assert!(found.contains(&"my file.md") && found.contains(&"app/(auth)/p.tsx"), "{found:?}");
        assert!(found.contains(&"a b.md"), "{found:?}");
    }

    #[test]
    fn parts_of_a_mixed_run_are_tried() {
        let found: Vec<_> = wide("次に設定/既定.tomlを直す").map(|t| t.text).collect();
        assert!(found.contains(&"次に設定/既定.toml"), "{found:?}");
        let found: Vec<_> = wide("docs/設計.mdを直す").map(|t| t.text).collect();
        assert!(found.contains(&"docs/設計.md"), "{found:?}");
    }
}
