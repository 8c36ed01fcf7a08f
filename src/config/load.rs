//! `orch.toml` -> [`Config`].

use super::agents::from_word;
use super::keys::{BREAKERS, CONFLICTS, GITHUB, LIMITS, SETUP, TABLES, TOP, WORKTREES, names};
use super::problem::ConfigError;
use super::values::{Item, Reader};
use super::{Config, agents, breakers};
use crate::model::{Problem, Thresholds};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The name of the configuration file, at the repository's root.
pub const FILE: &str = "orch.toml";
/// The largest configuration that is read, bytes.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// What becomes of finished work, as the file spells it.
pub(super) const MERGES: &[&str] = &["none", "local", "pr"];
/// How finished work becomes part of a branch, as the file spells it.
pub(super) const STRATEGIES: &[&str] = &["merge", "squash", "rebase"];
/// What happens at a conflict, as the file spells it.
pub(super) const ON_CONFLICT: &[&str] = &["manual", "agent"];
/// What happens at a limit, as the file spells it.
pub(super) const ON_LIMIT: &[&str] = &["wait", "fallback", "stop"];
/// What happens when tasks change the same lines, as the file spells it.
pub(super) const ON_OVERLAP: &[&str] = &["warn", "pause", "order"];
/// More processes than this on one machine are a slip of the keyboard.
const MAX_JOBS: u32 = 1000;
/// The same for retries.
const MAX_RETRIES: u32 = 100;
/// The same for prepared worktrees.
const MAX_POOL: u32 = 1000;
/// The same for runs whose logs are kept; the journal alone would be gigabytes.
const MAX_RUNS: u32 = 1_000_000;
/// A log that keeps less says nothing, bytes.
const MIN_LOG: u64 = 4096;

impl Config {
    /// Reads `orch.toml` in `root`, the repository's root. Without the file, everything is as by
    /// default.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn load(root: &Path) -> Result<Self, ConfigError> {
        let file = root.join(FILE);
        match read(&file) {
            Ok(Some(text)) => Self::parse(&file, &text),
            Ok(None) => Ok(Self::default()),
            Err((message, hint)) => Err(ConfigError(vec![Problem::new(file, message).hint(hint)])),
        }
    }

    /// Reads the text of a configuration; `file` is named in messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(file, text);
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut config = Self { source: Some(file.to_owned()), ..Self::default() };
        if errors.is_empty() {
            config.take_top(&mut reader, document.get_ref());
        }
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            reader.say(
                at,
                format!("not valid TOML: {message}"),
                "see https://toml.io for the syntax",
            );
        }
        let problems = reader.into_problems();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    fn take_top(&mut self, r: &mut Reader<'_>, table: &DeTable<'_>) {
        let known: Vec<&str> = names(TOP).into_iter().chain(TABLES.iter().copied()).collect();
        for (key, value) in table {
            let Some(key) = r.known(key, &known, "") else { continue };
            let item = Item { key, value };
            match key {
                "agent" => set(&mut self.agent, r.text(item, "\"claude\"")),
                "model" => self.model = r.text(item, "\"opus\""),
                "jobs" => self.jobs = r.number(item, 1, MAX_JOBS),
                "timeout" => r.limit(item, &mut self.timeout),
                "idle_timeout" => r.limit(item, &mut self.idle_timeout),
                "grace" => set(&mut self.grace, r.duration(item)),
                "retries" => set(&mut self.retries, r.number(item, 0, MAX_RETRIES)),
                "on_limit" => {
                    set(&mut self.policy.on_limit, r.word(item, ON_LIMIT).and_then(from_word));
                }
                "on_overlap" => {
                    set(&mut self.policy.on_overlap, r.word(item, ON_OVERLAP).and_then(from_word));
                }
                "max_cost_usd" => self.policy.max_cost_usd = r.money(item),
                "max_task_cost_usd" => self.policy.max_task_cost_usd = r.money(item),
                "verify" => set(&mut self.verify, r.list(item, "[\"cargo test\"]")),
                "merge" => set(&mut self.merge, r.word(item, MERGES).and_then(from_word)),
                "merge_strategy" => {
                    set(&mut self.merge_strategy, r.word(item, STRATEGIES).and_then(from_word));
                }
                "on_conflict" => {
                    set(&mut self.on_conflict, r.word(item, ON_CONFLICT).and_then(from_word));
                }
                "changelog" => self.changelog = r.changelog(item),
                "protected" => set(&mut self.protected, r.globs(item)),
                "into" => self.into = r.text(item, "\"main\""),
                "prompts" => set(&mut self.prompts, r.text(item, "\"prompts\"").map(PathBuf::from)),
                "workflow" => self.workflow = r.text(item, "\"default\""),
                "decompose" => {
                    let word = r.text(item, "\"auto\"");
                    match word.as_deref().map(str::parse) {
                        Some(Ok(read)) => self.decompose = read,
                        Some(Err(_)) => {
                            r.wrong(item, "one of off, auto, agent, agent:NAME", "\"auto\"");
                        }
                        None => {}
                    }
                }
                "log_cap" => set(&mut self.log_cap, r.bytes(item, MIN_LOG)),
                "keep_runs" => set(&mut self.keep_runs, r.number(item, 1, MAX_RUNS)),
                "agents" => {
                    if let Some(table) = table_of(r, item, "[agents.my-agent]") {
                        self.agents = agents::read(r, table);
                    }
                }
                _ => self.take_table(r, item),
            }
        }
    }

    fn take_table(&mut self, r: &mut Reader<'_>, item: Item<'_>) {
        let keys = match item.key {
            "setup" => SETUP,
            "worktrees" => WORKTREES,
            "conflicts" => CONFLICTS,
            "breakers" => BREAKERS,
            "limits" => LIMITS,
            "github" => GITHUB,
            _ => return r.forgotten(item),
        };
        let place = format!("[{}]", item.key);
        let Some(table) = table_of(r, item, &place) else { return };
        for (key, value) in table {
            let Some(key) = r.known(key, &names(keys), &place) else { continue };
            let inner = Item { key, value };
            match (item.key, key) {
                ("setup", "commands") => self.setup = r.list(inner, "[\"npm ci\"]"),
                ("worktrees", "pool") => set(&mut self.pool, r.number(inner, 0, MAX_POOL)),
                ("worktrees", "pool_bytes") => set(&mut self.pool_bytes, r.bytes(inner, 0)),
                ("worktrees", "snapshots") => r.limit(inner, &mut self.snapshots),
                ("conflicts", "ignore") => set(&mut self.ignore_conflicts, r.globs(inner)),
                ("conflicts", key) => match threshold(&mut self.thresholds, key) {
                    Some(place) => set(place, r.share(inner)),
                    None => r.forgotten(inner),
                },
                ("breakers", _) if breakers::read(&mut self.policy, r, inner) => {}
                ("limits", "free_memory") => self.free_memory = r.bytes(inner, 0),
                ("limits", "least_memory") => self.least_memory = r.bytes(inner, 0),
                ("limits", "free_disk") => self.free_disk = r.bytes(inner, 0),
                ("limits", "load") => set(&mut self.load, r.ratio(inner)),
                ("github", "remote") => self.github.remote = r.text(inner, "\"origin\""),
                ("github", "repository") => {
                    self.github.repository = r.text(inner, "\"owner/name\"");
                }
                ("github", "api_url") => {
                    self.github.api_url = r.text(inner, "\"https://github.example.com/api/v3\"");
                }
                ("github", "issues") => set(&mut self.github.issues, r.truth(inner)),
                ("github", "pace") => set(&mut self.github.pace, r.duration(inner)),
                ("github", "timeout") => set(&mut self.github.timeout, r.duration(inner)),
                ("github", "reviewers") => {
                    set(&mut self.github.reviewers, r.list(inner, "\"some-login\""));
                }
                ("github", "fixes") => set(&mut self.github.fixes, r.number(inner, 0, 100)),
                ("github", "checks_grace") => {
                    set(&mut self.github.checks_grace, r.duration(inner));
                }
                ("github", "token_for_agents") => {
                    set(&mut self.github.token_for_agents, r.truth(inner));
                }
                _ => r.forgotten(inner),
            }
        }
    }
}

/// The threshold that a key of `[conflicts]` is about.
fn threshold<'a>(thresholds: &'a mut Thresholds, key: &str) -> Option<&'a mut f64> {
    Some(match key {
        "order_from" => &mut thresholds.writes.order,
        "report_from" => &mut thresholds.writes.report,
        "order_reads_from" => &mut thresholds.reads.order,
        "report_reads_from" => &mut thresholds.reads.report,
        "order_imports_from" => &mut thresholds.imports.order,
        "report_imports_from" => &mut thresholds.imports.report,
        _ => return None,
    })
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn table_of<'a>(r: &mut Reader<'_>, item: Item<'a>, example: &str) -> Option<&'a DeTable<'a>> {
    if let DeValue::Table(table) = item.value.get_ref() {
        return Some(table);
    }
    let message = format!("`{}` must be a table", item.key);
    r.say(item.value.span().start, message, format!("write it as {example}"));
    None
}

/// The file's text; `None` when there is no file. An error is a message and what to do.
fn read(file: &Path) -> Result<Option<String>, (String, &'static str)> {
    let refused = |error: io::Error| (format!("cannot be read: {error}"), "check its permissions");
    let meta = match std::fs::metadata(file) {
        Ok(meta) => meta,
        // A link that leads nowhere is a mistake; no entry at all is not.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !file.is_symlink() => {
            return Ok(None);
        }
        Err(error) => return Err(refused(error)),
    };
    if !meta.is_file() {
        return Err(("is not a regular file".to_owned(), "move it away, then run: orch init"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(refused)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(("is larger than 1 MiB".to_owned(), "is this the right file?"));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        (format!("is not UTF-8: invalid byte at offset {offset}"), "save it as UTF-8")
    })
}
