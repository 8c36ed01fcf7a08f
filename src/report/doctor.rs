//! `orch doctor`: what was found, and the command that mends it.

use super::style::Style;
use serde::Serialize;
use std::fmt::Write;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something will not work.
    Problem,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, one word.
    pub what: &'static str,
    /// How bad it is.
    pub health: Health,
    /// What was found, one line (of a broken configuration several).
    pub text: String,
    /// The command that mends it, or what to do where no command does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// `--fix` has done it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fixed: bool,
}

/// All findings, in the order they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    fn add(&mut self, what: &'static str, health: Health, text: impl Into<String>) -> &mut Finding {
        let text = text.into();
        self.0.push(Finding { what, health, text, fix: None, fixed: false });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// All is well.
    pub fn ok(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(what, Health::Ok, text);
    }

    /// Worth knowing.
    pub fn note(&mut self, what: &'static str, text: impl Into<String>) -> &mut Finding {
        self.add(what, Health::Note, text)
    }

    /// Something will not work.
    pub fn problem(&mut self, what: &'static str, text: impl Into<String>) -> &mut Finding {
        self.add(what, Health::Problem, text)
    }

    /// Whether nothing has to be mended.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.0.iter().all(|found| found.health < Health::Problem || found.fixed)
    }
}

impl Finding {
    /// Says what mends it.
    pub fn fix(&mut self, command: impl Into<String>) -> &mut Self {
        self.fix = Some(command.into());
        self
    }
}

/// The human view.
#[must_use]
pub fn doctor(findings: &Findings, style: Style) -> String {
    let mut out = String::new();
    for found in &findings.0 {
        let mark = match (found.health, found.fixed) {
            (Health::Ok, _) | (_, true) => "✓",
            (Health::Note, _) => "-",
            (Health::Problem, _) => "✗",
        };
        let mut lines = found.text.lines();
        let first = lines.next().unwrap_or_default();
        let _ = writeln!(out, "{mark} {:<11} {first}", found.what);
        for line in lines {
            let _ = writeln!(out, "  {:<11} {line}", "");
        }
        if let Some(fix) = &found.fix {
            let word = if found.fixed { "done" } else { "fix" };
            let _ = writeln!(out, "  {:<11} {}", "", style.bold(&format!("{word}: {fix}")));
        }
    }
    out
}

/// `orch.doctor/1`.
#[must_use]
pub fn doctor_json(findings: &Findings) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        healthy: bool,
        findings: &'a [Finding],
    }
    let healthy = findings.is_healthy();
    let document = Document { schema: "orch.doctor/1", healthy, findings: &findings.0 };
    // Plain data with text keys always serialises.
    let mut text = serde_json::to_string(&document).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_comes_with_its_command() {
        let mut findings = Findings::default();
        findings.ok("git", "git version 2.47.0");
        findings.problem("config", "orch.toml:1: unknown key\n  hint: jobs").fix("edit orch.toml");
        assert!(!findings.is_healthy());
        insta::assert_snapshot!(doctor(&findings, Style::PLAIN), @r"
        ✓ git         git version 2.47.0
        ✗ config      orch.toml:1: unknown key
                        hint: jobs
                      fix: edit orch.toml
        ");
        findings.0[1].fixed = true;
        assert!(findings.is_healthy());
        assert!(doctor_json(&findings).contains(r#""health":"problem","text":"orch.toml:1"#));
    }
}
