//! Finding out that an agent wrote into the user's own checkout.
//!
//! Every task has a worktree of its own, but nothing keeps a process from using an absolute path. The
//! checkout is fingerprinted when the supervisor starts and again after each attempt. What differs is
//! laid at the door of the attempt whose prompt, command, script or output names the changed file by its
//! absolute path: its task fails, because what it says it did is not where it should be. Without such
//! evidence the tasks that ran meanwhile are warned about, once for each file: it may as well have been
//! the user, who is free to work. Files that this process's own output goes to are left out.

use super::{SupervisorError, World};
use crate::engine::State;
use crate::git::Fingerprint;
use crate::model::{AttemptId, Event, Failure, FailureClass};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Of each file of an attempt's directory, so much is searched for the changed file's path, bytes.
const SEARCHED: u64 = 8 << 20;

/// Scripts on a command line are searched up to this size, bytes.
const SCRIPT: u64 = 1 << 20;

/// While several attempts run, at most one part in this many of the time goes into looking. An attempt
/// that ends between two looks is judged with those that end before the next one.
const LOOKS: u32 = 20;

/// The last look at the user's checkout.
pub(super) struct Watch {
    last: Fingerprint,
    /// When that was, and how long it took.
    looked_at: Instant,
    took: Duration,
    /// Attempts of processes that ran since that look.
    ran: BTreeSet<AttemptId>,
    /// What attempts still running will be told when they end.
    accused: BTreeMap<AttemptId, Vec<String>>,
    /// What was warned about already.
    warned: BTreeSet<String>,
}

/// What a look has shown.
#[derive(Default)]
pub(super) struct Escape {
    /// For tasks that may have done it.
    pub(super) warnings: Vec<Event>,
    /// For the attempt that has ended: it did it.
    pub(super) failure: Option<Failure>,
}

impl Watch {
    pub(super) fn start(world: &World) -> Result<Self, SupervisorError> {
        let looked_at = Instant::now();
        let last = world.repo.fingerprint()?;
        let took = looked_at.elapsed();
        Ok(Self {
            last,
            looked_at,
            took,
            ran: BTreeSet::new(),
            accused: BTreeMap::new(),
            warned: BTreeSet::new(),
        })
    }

    /// Looks again, after the given attempt ended.
    pub(super) fn check(&mut self, world: &World, state: &State, ended: &AttemptId) -> Escape {
        let is_process = |id: &AttemptId| {
            state.step_spec(&id.task, &id.step).is_some_and(|(_, step)| step.kind.is_process())
        };
        if !is_process(ended) {
            return Escape::default();
        }
        self.ran.insert(ended.clone());
        self.ran.extend(state.open_attempts().map(|(id, _)| id).filter(is_process));
        let mut escape = Escape::default();
        if self.ran.len() == 1 || self.looked_at.elapsed() >= self.took * LOOKS {
            self.look(world, state, &mut escape);
        }
        escape.failure = self.accused.remove(ended).map(|paths| failure(&paths));
        escape
    }

    /// Takes the checkout as it is: `orch merge` has just brought it along.
    pub(super) fn refresh(&mut self, world: &World) {
        if let Ok(now) = world.repo.fingerprint() {
            self.last = now;
        }
    }

    /// What attempts did that ended since the last look, when the run is over: too late to fail them.
    pub(super) fn last_look(&mut self, world: &World, state: &State) -> Vec<Event> {
        if self.ran.is_empty() {
            return Vec::new();
        }
        let mut escape = Escape::default();
        self.look(world, state, &mut escape);
        let accused = std::mem::take(&mut self.accused).into_iter().map(|(id, paths)| {
            Event::TaskWarned { task: id.task, message: failure(&paths).message }
        });
        escape.warnings.into_iter().chain(accused).collect()
    }

    fn look(&mut self, world: &World, state: &State, escape: &mut Escape) {
        self.looked_at = Instant::now();
        match world.repo.fingerprint() {
            Ok(now) => {
                let differences = self.last.differences(&now);
                let ran = std::mem::take(&mut self.ran);
                if !differences.is_empty() {
                    self.last = now;
                    self.accuse(world, state, ran, &differences, escape);
                }
            }
            Err(error) => tracing::warn!("cannot look at the user's checkout: {error}"),
        }
        self.took = self.looked_at.elapsed();
    }

    fn accuse(
        &mut self,
        world: &World,
        state: &State,
        ran: BTreeSet<AttemptId>,
        differences: &[String],
        escape: &mut Escape,
    ) {
        let differences: Vec<String> = differences
            .iter()
            .filter(|path| !crate::process::is_own_output(Path::new(path)))
            .cloned()
            .collect();
        let wanted = Wanted::new(world, &differences);
        let names = |id: &AttemptId| wanted.is_named_in(&world.layout.attempt(&state.spec.id, id));
        let (proven, others): (Vec<AttemptId>, Vec<AttemptId>) = ran.into_iter().partition(names);
        if proven.is_empty() {
            let new = |path: &String| self.warned.insert(path.clone());
            let differences: Vec<String> = differences.into_iter().filter(new).collect();
            if differences.is_empty() {
                return;
            }
            let message = format!(
                "your own checkout changed while this ran: {}; unless that was you, an agent wrote outside its \
                 worktree",
                some(&differences, 5)
            );
            escape.warnings = others
                .into_iter()
                .map(|id| Event::TaskWarned { task: id.task, message: message.clone() })
                .collect();
            return;
        }
        for id in proven {
            self.accused.entry(id).or_default().extend(differences.iter().cloned());
        }
    }
}

fn failure(paths: &[String]) -> Failure {
    Failure::new(
        FailureClass::EscapedWorktree,
        format!("while it ran, your own checkout changed: {}", some(paths, 5)),
    )
    .suggest(
        "look at the file with git diff; if the agent wrote it, tell it in the prompt to use relative paths, then: \
         orch retry; if that was you, its work is in its worktree",
    )
}

/// The first `most` paths, and how many there are beside them.
pub(super) fn some(paths: &[String], most: usize) -> String {
    let shown: Vec<&str> = paths.iter().take(most).map(String::as_str).collect();
    let more = paths.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// The changed paths, as an agent's prompt, script or output may spell them.
struct Wanted(Vec<String>);

impl Wanted {
    /// Absolute, or by a variable that stands for the checkout.
    fn new(world: &World, paths: &[String]) -> Self {
        let root = world.root.display().to_string();
        let is_root = |value: &str| !value.is_empty() && value.trim_end_matches('/') == root;
        // Every process has a PWD and an OLDPWD of its own.
        let variables: Vec<String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| is_root(value) && name != "PWD" && name != "OLDPWD")
            .map(|(name, _)| name)
            .collect();
        let mut all = Vec::new();
        for path in paths {
            all.push(path.clone());
            let Some(inside) = path.strip_prefix(&root) else { continue };
            for name in &variables {
                all.push(format!("${name}{inside}"));
                all.push(format!("${{{name}}}{inside}"));
            }
        }
        Self(all)
    }

    /// Whether anything the attempt was given or printed names one of them: the files in its directory,
    /// and the scripts its command line names.
    fn is_named_in(&self, attempt: &Path) -> bool {
        let own = std::fs::read_dir(attempt).into_iter().flatten().flatten().map(|e| e.path());
        let own: Vec<PathBuf> =
            own.filter(|path| path.extension().is_none_or(|ext| ext != "idx")).collect();
        let spec = std::fs::read(attempt.join("spec.json")).unwrap_or_default();
        let spec: serde_json::Value = serde_json::from_slice(&spec).unwrap_or_default();
        let mut words = Vec::new();
        texts(&spec, &mut words);
        let scripts = words.into_iter().filter(|word| word.starts_with('/')).map(PathBuf::from);
        let small = |path: &PathBuf| path.metadata().is_ok_and(|m| m.is_file() && m.len() < SCRIPT);
        own.into_iter().chain(scripts.filter(small)).any(|file| self.is_in(&file))
    }

    fn is_in(&self, file: &Path) -> bool {
        let mut text = Vec::new();
        let read =
            std::fs::File::open(file).and_then(|file| file.take(SEARCHED).read_to_end(&mut text));
        read.is_ok() && self.0.iter().any(|path| contains(&text, path.as_bytes()))
    }
}

/// Every text in a JSON value.
fn texts(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => out.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        serde_json::Value::Object(fields) => fields.values().for_each(|item| texts(item, out)),
        _ => {}
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    let Some((&first, rest)) = word.split_first() else { return false };
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|&b| b == first) {
        from += at + 1;
        if text[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_wherever_it_stands() {
        assert!(contains(b"echo x >> /r/README.md\n", b"/r/README.md"));
        assert!(contains(b"//r/a", b"/r/a"));
        assert!(!contains(b"/r/.worktrees/task/README.md", b"/r/README.md"));
        assert!(!contains(b"/r/READ", b"/r/README.md"));
        assert!(!contains(b"", b"x"));
    }
}
