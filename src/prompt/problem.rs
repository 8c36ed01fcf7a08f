//! What is wrong with prompt files, in the words a person can act on.

use std::fmt;
use std::path::PathBuf;

/// Something wrong with a prompt file. Shown as `file:line: message`, and below it `  hint: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file (or folder) as it was given.
    pub file: PathBuf,
    /// From 1, where the problem has a place.
    pub line: Option<u32>,
    /// In characters, from 1, where it is known.
    pub column: Option<u32>,
    /// One line, lower case: what is wrong.
    pub message: String,
    /// One line: what to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the whole file.
    pub(super) fn new(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, column: None, message: message.into(), hint: None }
    }

    /// The same problem with its place.
    pub(super) fn at(mut self, line: u32, column: Option<u32>) -> Self {
        self.line = Some(line);
        self.column = column;
        self
    }

    /// The same problem with what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", printable(&self.file.to_string_lossy()))?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with the prompts that were asked for, file by file, and then the names
/// that two of them share. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct PromptErrors(pub Vec<Problem>);

/// The problems below each other; of very many, the first.
fn listed(problems: &[Problem]) -> String {
    /// Two screens full: whoever has more fixes these first.
    const SHOWN: usize = 50;
    let mut lines: Vec<String> = problems.iter().take(SHOWN).map(ToString::to_string).collect();
    if problems.len() > SHOWN {
        lines.push(format!("... and {} more problems", problems.len() - SHOWN));
    }
    lines.join("\n")
}

/// What a file says, made fit for a line of a terminal: control characters are shown escaped.
fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}

/// Something a file says, quoted in a message: printable and at most 60 characters.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let short: String = text.chars().take(SHOWN).collect();
    let dots = if text.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("`{}{dots}`", printable(&short))
}

/// The known word that was probably meant by `word`, if one is near enough.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // Jaro-Winkler. Found by trial: slips and abbreviations are above, other words below (see the test).
    const NEAR: f64 = 0.84;
    let word: String = word.chars().take(64).collect::<String>().to_lowercase().replace('-', "_");
    let alike = known
        .iter()
        .map(|k| (strsim::jaro_winkler(&word, k), *k))
        .filter(|(score, _)| *score > NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let inside = |k: &str| k.len() > 2 && (word.starts_with(k) || word.split('_').any(|w| w == k));
    alike.map(|(_, k)| k).or_else(|| known.iter().copied().find(|k| inside(k)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_probably_meant_is_suggested() {
        let known = crate::prompt::KEYS;
        for (word, meant) in [
            ("depends-on", "depends_on"),
            ("dependsOn", "depends_on"),
            ("dependencies", "depends_on"),
            ("Agent", "agent"),
            ("agnet", "agent"),
            ("retry", "retries"),
            ("prio", "priority"),
            ("time_out", "timeout"),
            ("verification", "verify"),
            ("environment", "env"),
            ("file", "files"),
            ("read", "reads"),
            ("titel", "title"),
            ("stat", "status"),
        ] {
            assert_eq!(nearest(word, known), Some(meant), "{word}");
        }
        for word in [
            "change_type",
            "name",
            "description",
            "tools",
            "imports",
            "references",
            "banana",
            "tags",
            "author",
            "date",
            "labels",
            "",
        ] {
            assert_eq!(nearest(word, known), None, "{word}");
        }
    }
}
