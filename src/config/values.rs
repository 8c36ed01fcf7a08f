//! Values of `orch.toml`: their types, and what is wrong with them.

use super::keys::home;
use crate::model::parse_duration;
use crate::model::{Problem, nearest, quoted};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// A key's value.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub key: &'static str,
    pub value: &'a Spanned<DeValue<'a>>,
}

/// Reads values; what is wrong becomes a problem and the value is left out.
pub(super) struct Reader<'a> {
    file: &'a Path,
    /// Where the lines end.
    newlines: Vec<usize>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a Path, text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at);
        Self { file, newlines: newlines.collect(), problems: Vec::new() }
    }

    /// What was wrong, in the order of the lines.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.line);
        self.problems
    }

    /// The line, from 1, of a byte offset.
    pub(super) fn line(&self, offset: usize) -> u32 {
        let above = self.newlines.partition_point(|newline| *newline < offset);
        u32::try_from(above + 1).unwrap_or(u32::MAX)
    }

    pub(super) fn say(&mut self, at: usize, message: impl Into<String>, hint: impl Into<String>) {
        let line = self.line(at);
        self.problems.push(Problem::new(self.file, message).at(line).hint(hint));
    }

    pub(super) fn wrong(&mut self, item: Item<'_>, expected: &str, example: &str) {
        let found = match item.value.get_ref() {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(truth) => truth.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        let message = format!("`{}` must be {expected}, not {found}", item.key);
        let table = example.starts_with('[') && item.key == "agents";
        let example = if table { example.to_owned() } else { format!("{} = {example}", item.key) };
        self.say(item.value.span().start, message, format!("for example: {example}"));
    }

    /// The known key that this is; an unknown one is a problem. `place`: `[worktrees]`, or empty.
    pub(super) fn known(
        &mut self,
        key: &Spanned<Cow<'_, str>>,
        known: &[&'static str],
        place: &str,
    ) -> Option<&'static str> {
        let word = key.get_ref();
        let found = known.iter().find(|k| *k == word).copied();
        if found.is_none() {
            let hint = match (home(word), nearest(word, known)) {
                (_, Some(near)) if strsim::levenshtein(word, near) == 1 => {
                    format!("did you mean `{near}`?")
                }
                (Some(home), _) => format!("`{word}` belongs {home}"),
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => format!("known keys are {}", known.join(", ")),
            };
            let place = if place.is_empty() { String::new() } else { format!(" in {place}") };
            self.say(key.span().start, format!("unknown key {}{place}", quoted(word)), hint);
        }
        found
    }

    /// A key that is listed and not read: a test over all keys fails on it.
    pub(super) fn forgotten(&mut self, item: Item<'_>) {
        let message = format!("`{}` is not understood by this version", item.key);
        self.say(item.value.span().start, message, "remove it");
    }

    /// One line that says something.
    pub(super) fn text(&mut self, item: Item<'_>, example: &str) -> Option<String> {
        match item.value.get_ref() {
            DeValue::String(text)
                if !text.trim().is_empty() && !text.chars().any(char::is_control) =>
            {
                Some(text.trim().to_owned())
            }
            _ => {
                self.wrong(item, "one line of text", example);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word(&mut self, item: Item<'_>, words: &[&'static str]) -> Option<&'static str> {
        let found = match item.value.get_ref() {
            DeValue::String(text) => words.iter().find(|word| *word == text).copied(),
            _ => None,
        };
        if found.is_none() {
            let example = format!("\"{}\"", words.first().copied().unwrap_or_default());
            self.wrong(item, &format!("one of {}", words.join(", ")), &example);
        }
        found
    }

    pub(super) fn truth(&mut self, item: Item<'_>) -> Option<bool> {
        if let DeValue::Boolean(truth) = item.value.get_ref() {
            return Some(*truth);
        }
        self.wrong(item, "true or false", "true");
        None
    }

    /// `true` for the usual file, `false` for none, or a path from the repository's root.
    pub(super) fn changelog(&mut self, item: Item<'_>) -> Option<String> {
        let path = match item.value.get_ref() {
            DeValue::Boolean(false) => return None,
            DeValue::Boolean(true) => "CHANGELOG.md",
            DeValue::String(text) => text.as_ref(),
            _ => "",
        };
        let inside = |part: &str| !matches!(part, "" | "." | ".." | ".git");
        if path.split('/').all(inside) && !path.chars().any(char::is_control) {
            return Some(path.to_owned());
        }
        let what = "true, false or the path of a file in the repository";
        self.wrong(item, what, "\"docs/CHANGELOG.md\"");
        None
    }

    pub(super) fn number(&mut self, item: Item<'_>, least: u32, most: u32) -> Option<u32> {
        let read = whole(item.value.get_ref()).and_then(|n| u32::try_from(n).ok());
        let read = read.filter(|n| (least..=most).contains(n));
        if read.is_none() {
            self.wrong(
                item,
                &format!("a number from {least} to {most}"),
                &least.max(2).to_string(),
            );
        }
        read
    }

    /// US dollars, above zero.
    pub(super) fn money(&mut self, item: Item<'_>) -> Option<f64> {
        let read = match item.value.get_ref() {
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            number => whole(number).and_then(|n| u32::try_from(n).ok()).map(f64::from),
        };
        let read = read.filter(|dollars: &f64| dollars.is_finite() && *dollars > 0.0);
        if read.is_none() {
            self.wrong(item, "an amount of dollars above zero", "2.50");
        }
        read
    }

    /// A number of at least 0, such as `1.5`.
    pub(super) fn ratio(&mut self, item: Item<'_>) -> Option<f64> {
        let read = match item.value.get_ref() {
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            value => whole(value).map(|n| n as f64),
        };
        let read = read.filter(|n| n.is_finite() && *n >= 0.0);
        if read.is_none() {
            self.wrong(item, "a number of at least 0", "4.0");
        }
        read
    }

    /// A number from 0 to 1.
    pub(super) fn share(&mut self, item: Item<'_>) -> Option<f64> {
        let read = match item.value.get_ref() {
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            value => whole(value).map(|n| n as f64),
        };
        let read = read.filter(|n| (0.0..=1.0).contains(n));
        if read.is_none() {
            self.wrong(item, "a number from 0 to 1", "0.5");
        }
        read
    }

    /// A duration (a number is seconds), or `"none"` for no limit.
    pub(super) fn limit(&mut self, item: Item<'_>, limit: &mut Option<Duration>) {
        if matches!(item.value.get_ref(), DeValue::String(text) if text == "none") {
            *limit = None;
            return;
        }
        match duration(item.value.get_ref()) {
            Some(read) if !read.is_zero() => *limit = Some(read),
            _ => {
                let example = "\"90s\" (or \"1h30m\", or 600)";
                self.wrong(item, "a duration above zero or \"none\"", example);
            }
        }
    }

    pub(super) fn duration(&mut self, item: Item<'_>) -> Option<Duration> {
        let read = duration(item.value.get_ref());
        if read.is_none() {
            self.wrong(item, "a duration", "\"10s\" (or \"1m30s\", or 10)");
        }
        read
    }

    /// Bytes, as a number or with a unit.
    pub(super) fn bytes(&mut self, item: Item<'_>, least: u64) -> Option<u64> {
        let read = match item.value.get_ref() {
            DeValue::String(text) => parse_bytes(text),
            number => whole(number),
        };
        let read = read.filter(|n| *n >= least);
        if read.is_none() {
            let least =
                if least > 0 { format!(" of at least {least} bytes") } else { String::new() };
            self.wrong(item, &format!("a size{least}"), "\"16MiB\" (or a number of bytes)");
        }
        read
    }

    /// A list of texts that say something.
    pub(super) fn list(&mut self, item: Item<'_>, example: &str) -> Option<Vec<String>> {
        let DeValue::Array(values) = item.value.get_ref() else {
            self.wrong(item, "a list of texts", example);
            return None;
        };
        let mut found = Vec::new();
        for value in values {
            match value.get_ref() {
                DeValue::String(text) if !text.trim().is_empty() && !text.contains('\0') => {
                    found.push(text.to_string());
                }
                _ => self.wrong(Item { value, ..item }, "a list of texts", example),
            }
        }
        Some(found)
    }

    /// A program and its arguments; an argument may be empty.
    pub(super) fn arguments(&mut self, item: Item<'_>, example: &str) -> Option<Vec<String>> {
        let read = match item.value.get_ref() {
            DeValue::Array(values) => values
                .iter()
                .map(|value| value.get_ref().as_str().filter(|text| !text.contains('\0')))
                .map(|text| text.map(str::to_owned))
                .collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let read = read.filter(|c| c.first().is_some_and(|program| !program.trim().is_empty()));
        if read.is_none() {
            self.wrong(item, "a list of texts that begins with a program", example);
        }
        read
    }

    pub(super) fn globs(&mut self, item: Item<'_>) -> Option<Vec<String>> {
        let globs = self.list(item, "[\"CHANGELOG.md\", \"docs/**\"]")?;
        for glob in &globs {
            if let Err(why) = check_glob(glob) {
                let message = format!("{} in `{}` {why}", quoted(glob), item.key);
                self.say(item.value.span().start, message, "for example: \"docs/**/*.md\"");
            }
        }
        Some(globs)
    }

    /// Names and values of environment variables.
    pub(super) fn env(&mut self, item: Item<'_>) -> BTreeMap<String, String> {
        let example = "{ RUST_LOG = \"debug\" }";
        let mut env = BTreeMap::new();
        let DeValue::Table(table) = item.value.get_ref() else {
            self.wrong(item, "a table of texts", example);
            return env;
        };
        for (name, value) in table {
            let key = name.get_ref();
            let usable = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            match value.get_ref() {
                _ if !usable => {
                    let message = format!("{} is not the name of a variable", quoted(key));
                    self.say(name.span().start, message, format!("for example: env = {example}"));
                }
                _ if key.starts_with("ORCH_") => {
                    let message = format!("`{key}` is set by orch itself");
                    self.say(name.span().start, message, "use another name");
                }
                DeValue::String(text) if !text.contains('\0') => {
                    env.insert(key.to_string(), text.to_string());
                }
                _ => self.wrong(Item { value, ..item }, "a table of texts", example),
            }
        }
        env
    }
}

/// Why a glob cannot be used. It is compiled here so that nobody who uses it later can fail.
fn check_glob(glob: &str) -> Result<(), String> {
    /// Nested groups cost stack and time; no path needs more characters.
    const LONGEST: usize = 1024;
    if glob.len() > LONGEST {
        return Err("is longer than 1024 bytes".to_owned());
    }
    if glob.starts_with('/') || glob.split('/').any(|part| part == "..") {
        return Err("matches nothing: write it from the repository's root".to_owned());
    }
    let checked = globset::Glob::new(glob)
        .and_then(|glob| globset::GlobSetBuilder::new().add(glob).build().map(drop));
    checked.map_err(|error| format!("is not a glob: {}", error.kind()))
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let DeValue::Integer(number) = value else { return None };
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn duration(value: &DeValue<'_>) -> Option<Duration> {
    match value {
        DeValue::String(text) => parse_duration(text).ok(),
        DeValue::Integer(_) => whole(value).map(Duration::from_secs),
        DeValue::Float(number) => parse_duration(number.as_str()).ok(),
        _ => None,
    }
}

/// `16MiB`, `2 GB`, `512k`, `1000`. KB, MB, GB and TB are powers of 1000 (SI), KiB, MiB, GiB and TiB
/// and the bare letters powers of 1024 (IEC; the letters as in `du` and `dd`).
pub(super) fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let (letter, rest) = match unit.chars().next() {
        Some(letter) if letter != 'b' => (Some(letter), unit.get(1..)?),
        _ => (None, unit.as_str()),
    };
    let power = match letter {
        None => 0,
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some(_) => return None,
    };
    let base: u64 = match (rest, letter) {
        ("b", Some(_)) => 1000,
        ("ib" | "", Some(_)) | ("b" | "", None) => 1024,
        _ => return None,
    };
    let factor = base.checked_pow(power)?;
    if let Ok(number) = number.parse::<u64>() {
        return number.checked_mul(factor);
    }
    let number = number.parse::<f64>().ok()? * factor as f64;
    // Not a number and too large are both out of range; a fraction of a byte does not matter.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    (0.0..=9e15).contains(&number).then_some(number as u64)
}
