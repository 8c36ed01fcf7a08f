//! `{name}` in a profile's arguments.
//!
//! A placeholder is a lower-case identifier between braces, not preceded by `$` (so that `${name}` stays the
//! shell's). Everything else with braces, such as JSON, is left as it is; `{{name}}` means `{name}` itself.

/// What a profile may write between braces.
pub(super) const NAMES: [&str; 5] = ["prompt", "prompt_file", "worktree", "model", "session"];

/// A piece of an argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// The name between the braces, known or not.
    Placeholder(&'a str),
}

/// Takes an argument apart.
pub(super) fn parts(argument: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut rest, mut before) = (argument, ' ');
    let mut text_from = rest;
    let mut text_len = 0;
    while let Some(first) = rest.chars().next() {
        let found = if before == '$' { None } else { at_start(rest) };
        if let Some((part, length)) = found {
            if text_len > 0 {
                parts.push(Part::Text(&text_from[..text_len]));
            }
            parts.push(part);
            before = '}';
            rest = &rest[length..];
            (text_from, text_len) = (rest, 0);
        } else {
            before = first;
            rest = &rest[first.len_utf8()..];
            text_len += first.len_utf8();
        }
    }
    if text_len > 0 {
        parts.push(Part::Text(&text_from[..text_len]));
    }
    parts
}

/// The placeholder (or escaped one) that `text` starts with, and its length in bytes.
fn at_start(text: &str) -> Option<(Part<'_>, usize)> {
    let inner = text.strip_prefix('{')?;
    if let Some(escaped) = inner.strip_prefix('{') {
        let name = identifier(escaped)?;
        escaped[name.len()..].starts_with("}}").then_some(())?;
        return Some((Part::Text(&text[1..name.len() + 3]), name.len() + 4));
    }
    let name = identifier(inner)?;
    inner[name.len()..].starts_with('}').then_some(())?;
    Some((Part::Placeholder(name), name.len() + 2))
}

fn identifier(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

/// Whether any argument has this placeholder.
pub(super) fn mentions(command: &[String], name: &str) -> bool {
    command.iter().any(|argument| parts(argument).contains(&Part::Placeholder(name)))
}

/// What was probably meant.
pub(super) fn nearest(name: &str) -> String {
    let best = NAMES
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        // Above 0.8 the two share most of their letters in order.
        Some((score, known)) if score > 0.8 => format!("did you mean {{{known}}}?"),
        _ => "known are {prompt} {prompt_file} {worktree} {model} {session}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Part::{Placeholder as P, Text as T};
    use super::*;

    #[test]
    fn braces_are_placeholders_only_around_identifiers() {
        assert_eq!(parts("--m={model}x{session}"), [T("--m="), P("model"), T("x"), P("session")]);
        assert_eq!(parts("{prompt}"), [P("prompt")]);
        assert_eq!(parts("${model}"), [T("${model}")]);
        assert_eq!(parts("a{{print}}b"), [T("a"), T("{print}"), T("b")]);
        for literal in ["{}", "{a b}", "{\"model\":1}", "{model", "model}", "{A}", "é{", "{{x}"] {
            let text: String = parts(literal)
                .into_iter()
                .map(|part| match part {
                    T(text) => text.to_owned(),
                    P(name) => format!("<{name}>"),
                })
                .collect();
            // `{{x}` is a brace before a placeholder.
            assert_eq!(text, literal.replace("{{x}", "{<x>"));
        }
        assert_eq!(parts(""), []);
    }
}
