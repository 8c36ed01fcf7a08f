//! What the front matter says: its keys.

use super::values::Reader;
use super::yaml::{At, Node, parse};
use crate::model::{Problem, nearest, quoted};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Every key that a front matter may have.
pub const KEYS: &[&str] = &[
    "id",
    "title",
    "agent",
    "model",
    "role",
    "workflow",
    "depends_on",
    "files",
    "reads",
    "verify",
    "timeout",
    "retries",
    "priority",
    "env",
    "status",
    "domain",
    "phase",
];

/// The largest front matter, bytes. Beyond it the closing `---` was certainly forgotten.
const MAX_BYTES: usize = 256 * 1024;

/// The front matter of a prompt: every key is optional, and an empty value (`agent:`) is as good as
/// none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrontMatter {
    /// The task's name, in place of the file's.
    pub id: Option<String>,
    /// One line for people.
    pub title: Option<String>,
    /// The agent's name.
    pub agent: Option<String>,
    /// The model, as the agent names it.
    pub model: Option<String>,
    /// The role the agent takes.
    pub role: Option<String>,
    /// The workflow's name.
    pub workflow: Option<String>,
    /// Names of tasks that must have succeeded before.
    pub depends_on: Vec<String>,
    /// Globs of what the task writes, from the repository's root, without `./` in front.
    pub files: Vec<String>,
    /// Globs of what it reads.
    pub reads: Vec<String>,
    /// Shell commands that must pass when the agent is done.
    pub verify: Vec<String>,
    /// Limit of an attempt; never zero.
    pub timeout: Option<Duration>,
    /// How often a failed attempt is tried again.
    pub retries: Option<u32>,
    /// Higher goes first; 0 when nothing is said. The words `low`, `normal`, `high` and `critical` are
    /// -10, 0, 10 and 20.
    pub priority: i32,
    /// Added to the agent's environment.
    pub env: BTreeMap<String, String>,
    /// `IMPLEMENTED` and `COMPLETED` (in any case) mean that there is nothing to do; any other value
    /// that there is, whatever the body says.
    pub status: Option<String>,
    /// The area of work, free text.
    pub domain: Option<String>,
    /// The phase of a larger plan, free text.
    pub phase: Option<String>,
    lines: BTreeMap<&'static str, u32>,
}

impl FrontMatter {
    /// The line of the file on which a key is set, for messages of those who know more.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<u32> {
        self.lines.get(key).copied()
    }

    /// Reads the front matter `yaml` of the file `file`; what is wrong goes to `problems`. `None`: it was
    /// written for another tool.
    pub(super) fn read(file: &Path, yaml: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let mut reader = Reader { file, problems };
        let mut front = Self::default();
        if yaml.len() > MAX_BYTES {
            reader.say(1, "the front matter is larger than 256 KiB", "close it with `---`");
            return Some(front);
        }
        let entries = match parse(yaml) {
            Ok(At { value: Node::Map(entries), .. }) => entries,
            Ok(At { value: Node::Null, .. }) => return Some(front),
            Ok(At { line, .. }) => {
                let message = "the front matter is not a list of `key: value` lines";
                reader.say(line, message, "for example: agent: claude");
                return Some(front);
            }
            Err(refused) => {
                let message = format!("the front matter is not valid YAML: {}", refused.message);
                reader.say(refused.line.unwrap_or(1), message, refused.hint);
                return Some(front);
            }
        };
        if is_foreign(&entries) {
            return None;
        }
        for (key, value) in entries {
            front.take(&mut reader, &key, &value);
        }
        Some(front)
    }

    fn take(&mut self, reader: &mut Reader<'_>, key: &At<Node>, value: &At<Node>) {
        let Node::Scalar(word) = &key.value else {
            let message = "a key of the front matter is not a word";
            reader.say(key.line, message, "for example: agent: claude");
            return;
        };
        let Some(name) = KEYS.iter().find(|k| *k == word).copied() else {
            let hint = match nearest(word, KEYS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys are {}", KEYS.join(", ")),
            };
            let message = format!("unknown key {} in the front matter", quoted(word));
            reader.say(key.line, message, hint);
            return;
        };
        if let Some(first) = self.lines.get(name) {
            let message = format!("`{name}` is set twice, first on line {first}");
            reader.say(key.line, message, "keep one of them");
            return;
        }
        self.lines.insert(name, key.line);
        if value.value == Node::Null {
            return;
        }
        let r = reader;
        match name {
            "id" => self.id = r.name(value),
            "title" => self.title = r.text(name, "Cache the parser's tables", value),
            "agent" => self.agent = r.text(name, "claude", value),
            "model" => self.model = r.text(name, "opus", value),
            "role" => self.role = r.text(name, "reviewer", value),
            "workflow" => self.workflow = r.text(name, "default", value),
            "status" => self.status = r.text(name, "COMPLETED", value),
            "domain" => self.domain = r.text(name, "parser", value),
            "phase" => self.phase = r.text(name, "2", value),
            "depends_on" => self.depends_on = r.names(name, value),
            "verify" => self.verify = r.list(name, "[cargo test, cargo fmt --check]", value),
            "files" => self.files = r.globs(name, value),
            "reads" => self.reads = r.globs(name, value),
            "timeout" => self.timeout = r.timeout(value),
            "retries" => self.retries = r.retries(value),
            "priority" => self.priority = r.priority(value).unwrap_or(0),
            "env" => self.env = r.env(value),
            // `KEYS` and this list are compared by a test.
            _ => {}
        }
    }
}

/// Whether these keys are those of another tool (a specification's, a site generator's): three or more that
/// are not ours, more than are ours, and none of them a slip of the keyboard away from one of ours.
fn is_foreign(entries: &[(At<Node>, At<Node>)]) -> bool {
    /// One or two unknown keys are mistakes, and reported as such.
    const FEWEST: usize = 3;
    /// A letter missing, added, wrong or swapped, twice.
    const SLIP: usize = 2;
    let words = entries.iter().filter_map(|(key, _)| match &key.value {
        Node::Scalar(word) => Some(word.as_str()),
        _ => None,
    });
    let (ours, theirs): (Vec<&str>, Vec<&str>) = words.partition(|word| KEYS.contains(word));
    let meant = |word: &str| KEYS.iter().any(|k| strsim::damerau_levenshtein(word, k) <= SLIP);
    theirs.len() >= FEWEST
        && theirs.len() > ours.len()
        && !theirs.iter().any(|word| meant(&word.to_lowercase().replace('-', "_")))
}
