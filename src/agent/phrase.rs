//! An agent's words made fit to be shown: one line, not long, without secrets or control characters.

/// How much of a text is looked at at all, bytes.
pub(super) const READ: usize = 4096;

/// How much is shown, characters.
const SHOWN: usize = 240;

/// Prefixes of API keys and tokens, as their issuers document them.
const KEY_PREFIXES: [&str; 16] = [
    "sk-",
    "pk-",
    "rk-",
    "xai-",
    "gsk_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "AIza",
    "AKIA",
    "xoxb-",
    "eyJ",
];

/// Words after which a secret follows.
const KEY_NAMES: [&str; 8] =
    ["bearer", "apikey", "api_key", "api-key", "token", "password", "secret", "access_token"];

/// The start of `text`, at most `bytes` long, cut between characters.
pub(super) fn shorten(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The text as one line: escape sequences, control characters and repeated blanks gone, secrets masked, at
/// most 240 characters.
pub(super) fn one_line(text: &str) -> String {
    let plain = without_escapes(shorten(text.trim_start(), READ));
    let words: Vec<&str> = plain.split_whitespace().collect();
    let masked = mask(&words.join(" "));
    let mut line: String = masked.chars().take(SHOWN).collect();
    if masked.chars().nth(SHOWN).is_some() {
        line.truncate(line.trim_end().len());
        line.push('…');
    }
    line
}

/// Terminal escape sequences removed, other control characters turned into blanks.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            match chars.next() {
                // CSI: ends with a byte from @ to ~ (ECMA-48, 5.4).
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // OSC: ends with BEL or ST.
                Some(']') => {
                    while chars.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {}
                    if chars.peek() == Some(&'\\') {
                        chars.next();
                    }
                }
                _ => {}
            }
        } else if c.is_control() || c == '\u{feff}' {
            out.push(' ');
        } else {
            out.push(c);
        }
    }
    out
}

/// Everything that looks like a credential cut down to its first characters.
pub fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_name = false;
    while let Some(first) = rest.chars().next() {
        let word_len = rest.find(|c: char| !is_key_char(c)).unwrap_or(rest.len());
        if word_len == 0 {
            out.push(first);
            // Between a name and its secret stand only these.
            after_name &= matches!(first, ' ' | '=' | ':' | '"' | '\'' | '\\');
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let word = &rest[..word_len];
        let secret = looks_like_key(word) || (after_name && is_random(word));
        if secret {
            out.push_str(shorten(word, 4));
            out.push('…');
        } else {
            out.push_str(word);
        }
        let lower = word.to_ascii_lowercase();
        after_name = lower == "key" || KEY_NAMES.iter().any(|name| lower.ends_with(name));
        rest = &rest[word_len..];
    }
    out
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '+')
}

fn looks_like_key(word: &str) -> bool {
    // The shortest real keys have 20 characters; a masked one (`sk-abc***xyz`) is left shorter than that.
    KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix)) && word.len() >= 16
}

/// A word no person would write: long, with letters and digits.
fn is_random(word: &str) -> bool {
    word.len() >= 12
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_clean_line() {
        assert_eq!(
            one_line(" a\n\tb\r\n\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x "),
            "a b red x"
        );
        assert_eq!(one_line("\u{1b}"), "");
        let long = one_line(&"ä ".repeat(9000));
        assert_eq!(long.chars().count(), 240);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn secrets_are_masked_and_words_are_not() {
        for (text, shown) in [
            (
                "Incorrect API key provided: sk-proj-abcdefgh1234567890.",
                "Incorrect API key provided: sk-p…",
            ),
            ("Authorization: Bearer abc123def456ghi789", "Authorization: Bearer abc1…"),
            ("{\"api_key\":\"0123456789abcdef\"}", "{\"api_key\":\"0123…\"}"),
            ("x-api-key: A1B2C3D4E5F6G7H8", "x-api-key: A1B2…"),
            ("token ghp_0123456789abcdefghij", "token ghp_…"),
            (
                "invalid x-api-key, url: http://127.0.0.1:80/",
                "invalid x-api-key, url: http://127.0.0.1:80/",
            ),
            ("token limit exceeded", "token limit exceeded"),
            (
                "No conversation found with session ID: 89848c1a-60ef-4538-ada3-4f9d2b625bea",
                "No conversation found with session ID: 89848c1a-60ef-4538-ada3-4f9d2b625bea",
            ),
        ] {
            assert_eq!(one_line(text), shown);
        }
    }

    #[test]
    fn cutting_never_splits_a_character() {
        assert_eq!(shorten("aä", 2), "a");
        assert_eq!(shorten("aä", 3), "aä");
    }
}
