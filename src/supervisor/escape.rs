//! Finding out that an agent wrote into the user's own checkout.
//!
//! Every task has a worktree of its own, but nothing keeps a process from using an absolute path. The
//! checkout is fingerprinted when the supervisor starts and again after each attempt. What differs is
//! laid at the door of the attempt whose prompt, command or output names the changed file, or of the only
//! one that ran meanwhile: its task fails, because what it says it did is not where it should be.
//! Where several may have done it, they are warned about: it may also have been the user, who is free to
//! work.

use super::{SupervisorError, World};
use crate::engine::State;
use crate::git::Fingerprint;
use crate::model::{AttemptId, Event, Failure, FailureClass};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// Of each file of an attempt's directory, so much is searched for the changed file's path, bytes.
const SEARCHED: u64 = 8 << 20;

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
        Ok(Self { last, looked_at, took, ran: BTreeSet::new(), accused: BTreeMap::new() })
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
        let names =
            |id: &AttemptId| names_any(&world.layout.attempt(&state.spec.id, id), differences);
        let (proven, others): (Vec<AttemptId>, Vec<AttemptId>) = if ran.len() == 1 {
            (ran.into_iter().collect(), Vec::new())
        } else {
            ran.into_iter().partition(names)
        };
        if proven.is_empty() {
            let message = format!(
                "your own checkout changed while this and other tasks ran: {}; unless that was you, an agent \
                 wrote outside its worktree",
                some(differences)
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
        format!("while it ran, your own checkout changed: {}", some(paths)),
    )
    .suggest(
        "look at the file with git diff; if the agent wrote it, tell it in the prompt to use relative paths, then: \
         orch retry; if that was you, its work is in its worktree",
    )
}

fn some(paths: &[String]) -> String {
    let shown: Vec<&str> = paths.iter().take(5).map(String::as_str).collect();
    let more = paths.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Whether anything the attempt was given or printed names one of the paths.
fn names_any(attempt: &Path, paths: &[String]) -> bool {
    let files = std::fs::read_dir(attempt).into_iter().flatten().flatten();
    files.filter(|entry| entry.path().extension().is_none_or(|ext| ext != "idx")).any(|entry| {
        let mut text = Vec::new();
        let read = std::fs::File::open(entry.path())
            .and_then(|file| file.take(SEARCHED).read_to_end(&mut text));
        read.is_ok() && paths.iter().any(|path| contains(&text, path.as_bytes()))
    })
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && text.windows(word.len()).any(|window| window == word)
}
