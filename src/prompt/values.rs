//! The values of the front matter's keys: their types, and what is wrong with them.

use super::yaml::{At, Node};
use crate::model::parse_duration;
use crate::model::{Problem, quoted};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// More retries than this are a slip of the keyboard.
const MAX_RETRIES: u32 = 100;

/// The name a prompt goes by, or what is wrong with it.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    /// The longest file name that common file systems take, bytes.
    const LONGEST: usize = 255;
    if name.trim().is_empty() {
        Err("is empty")
    } else if name.trim() != name {
        Err("has a space around it")
    } else if name.contains(['/', '\\']) {
        Err("contains a slash")
    } else if name.starts_with('-') {
        Err("begins with `-`, like an option")
    } else if name.chars().any(char::is_control) {
        Err("contains a control character")
    } else if name == "." || name == ".." {
        Err("is a folder's")
    } else if name.len() > LONGEST {
        Err("is longer than 255 bytes")
    } else {
        Ok(())
    }
}

/// Reads values; what is wrong becomes a problem and the value is left out.
pub(super) struct Reader<'a> {
    pub file: &'a Path,
    pub problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn say(&mut self, line: u32, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::new(self.file, message).at(line).hint(hint));
    }

    fn wrong(&mut self, key: &str, expected: &str, example: &str, found: &At<Node>) {
        let what = describe(&found.value);
        let message = format!("`{key}` must be {expected}, not {what}");
        self.say(found.line, message, format!("for example: {key}: {example}"));
    }

    pub(super) fn text(&mut self, key: &str, example: &str, value: &At<Node>) -> Option<String> {
        match &value.value {
            // A control character in a name or title would act on the terminal that shows it.
            Node::Scalar(text)
                if !text.trim().is_empty() && !text.chars().any(char::is_control) =>
            {
                Some(text.trim().to_owned())
            }
            Node::Scalar(text) if text.chars().any(char::is_control) => {
                // A folded value ends in a newline; that is not what is meant.
                let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
                if joined.is_empty() || joined.chars().any(char::is_control) {
                    self.wrong(key, "one line of text", example, value);
                    return None;
                }
                Some(joined)
            }
            _ => {
                self.wrong(key, "one line of text", example, value);
                None
            }
        }
    }

    pub(super) fn name(&mut self, value: &At<Node>) -> Option<String> {
        let Node::Scalar(name) = &value.value else {
            self.wrong("id", "one word", "parser-cache", value);
            return None;
        };
        if let Err(why) = check_name(name) {
            let message = format!("the id {} {why}", quoted(name));
            self.say(value.line, message, "for example: id: parser-cache");
            return None;
        }
        Some(name.clone())
    }

    /// A list of texts; a lone text is a list of one.
    fn items(&mut self, key: &str, example: &str, value: &At<Node>) -> Vec<At<String>> {
        let mut found = Vec::new();
        let lone = std::slice::from_ref(value);
        let items = if let Node::List(items) = &value.value { items.as_slice() } else { lone };
        for item in items {
            match &item.value {
                Node::Scalar(text) if !text.trim().is_empty() && !text.contains('\0') => {
                    let value = text.trim().to_owned();
                    found.push(At { value, line: item.line });
                }
                _ if matches!(value.value, Node::List(_)) => {
                    let what = describe(&item.value);
                    let message = format!("every entry of `{key}` must be a text, not {what}");
                    let hint = format!("for example: {key}: {example}");
                    self.say(item.line, message, hint);
                }
                _ => self.wrong(key, "a list of texts", example, item),
            }
        }
        found
    }

    /// `files: a.rs, b.rs` is one text; a list was meant. (`{a,b}.rs` is a glob.)
    fn refuse_commas(&mut self, key: &str, example: &str, value: &At<Node>) {
        if matches!(&value.value, Node::Scalar(text) if text.contains(',') && !text.contains('{')) {
            self.wrong(key, "a list", example, value);
        }
    }

    /// A list of names, none of which has a comma.
    pub(super) fn names(&mut self, key: &str, value: &At<Node>) -> Vec<String> {
        self.refuse_commas(key, "[parser, printer]", value);
        self.list(key, "[parser, printer]", value)
    }

    pub(super) fn list(&mut self, key: &str, example: &str, value: &At<Node>) -> Vec<String> {
        self.items(key, example, value).into_iter().map(|item| item.value).collect()
    }

    pub(super) fn globs(&mut self, key: &str, value: &At<Node>) -> Vec<String> {
        let mut globs = Vec::new();
        let example = "[src/parser.rs, \"tests/**/*.rs\"]";
        self.refuse_commas(key, example, value);
        for item in self.items(key, example, value) {
            let written = item.value.trim_start_matches("./");
            let glob = if item.value.starts_with('!') {
                Err("begins with `!`, which excludes nothing here; name only what is meant \
                     (`./!x` is a file whose name begins so)"
                    .to_owned())
            } else if written.starts_with('/') {
                Err("is absolute; write it from the repository's root".to_owned())
            } else if let Some(glob) = normalised(written) {
                check_glob(&glob).map(|()| glob)
            } else {
                Err("leaves the repository; write it from the repository's root".to_owned())
            };
            match glob {
                Ok(glob) => globs.push(glob),
                Err(why) => {
                    let message = format!("{} in `{key}` {why}", quoted(&item.value));
                    let hint = format!("for example: {key}: {example}");
                    self.say(item.line, message, hint);
                }
            }
        }
        globs
    }

    pub(super) fn timeout(&mut self, value: &At<Node>) -> Option<Duration> {
        let read = match &value.value {
            Node::Scalar(text) => parse_duration(text).ok().filter(|d| !d.is_zero()),
            _ => None,
        };
        if read.is_none() {
            self.wrong("timeout", "a duration above zero", "90s (or 10m, 1h30m, 600)", value);
        }
        read
    }

    pub(super) fn retries(&mut self, value: &At<Node>) -> Option<u32> {
        let read = match &value.value {
            Node::Scalar(text) => text.parse().ok().filter(|n| *n <= MAX_RETRIES),
            _ => None,
        };
        if read.is_none() {
            self.wrong("retries", "a number from 0 to 100", "2", value);
        }
        read
    }

    pub(super) fn priority(&mut self, value: &At<Node>) -> Option<i32> {
        let read = match &value.value {
            Node::Scalar(text) => match text.to_lowercase().as_str() {
                "low" => Some(-10),
                "normal" | "medium" => Some(0),
                "high" => Some(10),
                "critical" => Some(20),
                number => number.parse().ok(),
            },
            _ => None,
        };
        if read.is_none() {
            let expected = "a number (higher goes first) or low, normal, high or critical";
            self.wrong("priority", expected, "10", value);
        }
        read
    }

    pub(super) fn env(&mut self, value: &At<Node>) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        let Node::Map(entries) = &value.value else {
            self.wrong("env", "names and values", "{RUST_LOG: debug}", value);
            return env;
        };
        for (key, value) in entries {
            let name = match &key.value {
                Node::Scalar(name) if is_variable(name) => name,
                Node::Scalar(name) => {
                    let message = format!("{} is not the name of a variable", quoted(name));
                    let hint = "letters, digits and `_`, not beginning with a digit: env: {RUST_LOG: debug}";
                    self.say(key.line, message, hint);
                    continue;
                }
                _ => {
                    self.wrong("env", "names and values", "{RUST_LOG: debug}", key);
                    continue;
                }
            };
            if name.starts_with("ORCH_") {
                let message = format!("`{name}` is set by orch itself");
                self.say(key.line, message, "use another name");
                continue;
            }
            let text = match &value.value {
                Node::Null => "",
                Node::Scalar(text) if !text.contains('\0') => text,
                _ => {
                    self.wrong("env", "names and single values", "{RUST_LOG: debug}", value);
                    continue;
                }
            };
            if env.insert(name.clone(), text.to_owned()).is_some() {
                let message = format!("`{name}` is set twice in `env`");
                self.say(key.line, message, "keep one of them");
            }
        }
        env
    }
}

/// What was found, as a message says it.
fn describe(node: &Node) -> String {
    match node {
        Node::Null => "nothing".to_owned(),
        Node::Scalar(text) => quoted(text),
        Node::List(_) => "a list".to_owned(),
        Node::Map(_) => "a mapping".to_owned(),
    }
}

/// Why a glob cannot be used. It is compiled here so that nobody who uses it later can fail.
/// Without `..`; `None` where that leads out of the repository, or behind a wildcard, to who knows where.
fn normalised(glob: &str) -> Option<String> {
    if !glob.split('/').any(|part| part == "..") {
        return Some(glob.to_owned());
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in glob.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop().filter(|up| !up.contains(['*', '?', '[', '{']))?),
            part => parts.push(part),
        }
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

fn check_glob(glob: &str) -> Result<(), String> {
    /// Nested groups cost stack and time; no path needs more characters.
    const LONGEST: usize = 1024;
    if glob.len() > LONGEST {
        return Err("is longer than 1024 bytes".to_owned());
    }
    let checked = globset::Glob::new(glob)
        .and_then(|glob| globset::GlobSetBuilder::new().add(glob).build().map(drop));
    checked.map_err(|error| format!("is not a glob: {}", error.kind()))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
