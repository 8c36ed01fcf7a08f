//! What is wrong with the configuration, in the words a person can act on.

use std::fmt;
use std::path::PathBuf;

/// Something wrong with the configuration. Shown as `file:line: message`, and below it `  hint: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `orch.toml`, with the folder it is in.
    pub file: PathBuf,
    /// From 1, where the problem has a place.
    pub line: Option<u32>,
    /// One line, lower case: what is wrong.
    pub message: String,
    /// One line: what to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
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

/// Everything that is wrong with the configuration, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct ConfigError(pub Vec<Problem>);

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

/// Something the file says, quoted in a message: printable and at most 60 characters.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut out = String::from("`");
    for c in text.chars().take(SHOWN) {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push_str(if text.chars().nth(SHOWN).is_some() { "...`" } else { "`" });
    out
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
        let known = &super::super::keys::names(super::super::keys::TOP);
        for (word, meant) in [
            ("agnt", "agent"),
            ("default_agent", "agent"),
            ("idle-timeout", "idle_timeout"),
            ("job", "jobs"),
            ("retry", "retries"),
            ("prompt", "prompts"),
            ("logcap", "log_cap"),
            ("Merge", "merge"),
        ] {
            assert_eq!(nearest(word, known), Some(meant), "{word}");
        }
        for word in ["banana", "turns", "branch", "version", "cost", ""] {
            assert_eq!(nearest(word, known), None, "{word}");
        }
    }
}
