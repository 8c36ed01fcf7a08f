//! What is wrong with something a person wrote, in words they can act on.

use std::fmt;
use std::path::PathBuf;

/// Something wrong with a file of the user's. Shown as `file:line: message`, and below it `  hint: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file (or folder) as it was given.
    pub file: PathBuf,
    /// From 1, where the problem has a place.
    pub line: Option<u32>,
    /// One line, lower case: what is wrong.
    pub message: String,
    /// One line: what to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the whole file.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, message: message.into(), hint: None }
    }

    /// The same problem with its line, from 1.
    #[must_use]
    pub fn at(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// The same problem with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
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

/// The problems below each other; of very many, the first.
#[must_use]
pub fn listed(problems: &[Problem]) -> String {
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
#[must_use]
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let short: String = text.chars().take(SHOWN).collect();
    let dots = if text.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("`{}{dots}`", printable(&short))
}

/// The known word that was probably meant by `word`, if one is near enough.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
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
