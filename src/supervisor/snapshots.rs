//! When the work in progress of which task is kept. How is `git/snapshot_ref`'s business.
//!
//! Every worktree that a process is at work in is looked at now and then, one at a time, and once more
//! when an attempt ends badly. A snapshot must never fail or slow a task: what goes wrong is a warning,
//! once a task.

use super::World;
use super::attempt::Job;
use crate::engine::State;
use crate::git::{GitError, Looked, Mark};
use crate::model::{AttemptEnd, Event, StepKind, TaskId};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// After a look, this many times what it took is left to everybody else: two hundredths of one core.
const REST: u32 = 50;

/// Bytes a second that one task's snapshots may write in the long run, each thought to be all new: the
/// repository of an agent that rewrites the same megabytes all day must not outgrow the disk.
const PACE: u64 = 64 << 10;

/// Looks that may fail before a person is told: a file may well vanish between being found and read.
const FAILURES: u32 = 3;

/// How the warning begins, by which it is found again.
const WARNING: &str = "its work in progress is not kept: ";

/// A worktree to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) task: TaskId,
    pub(super) worktree: PathBuf,
    start: String,
    before: Option<Mark>,
}

impl Look {
    /// Looks, and keeps what is new.
    pub(super) fn take(&self, world: &World) -> Result<Looked, GitError> {
        world.repo.take_snapshot(self.task.as_str(), &self.worktree, &self.start, self.before)
    }
}

/// What is known of a worktree.
struct Seen {
    next: Instant,
    mark: Option<Mark>,
    failures: u32,
    warned: bool,
}

/// Which worktree is looked at next, and when.
pub(super) struct Snapshots {
    /// `None`: none are taken.
    interval: Option<Duration>,
    seen: HashMap<TaskId, Seen>,
    rest_until: Option<Instant>,
}

impl Snapshots {
    pub(super) fn new(interval: Option<Duration>) -> Self {
        Self { interval, seen: HashMap::new(), rest_until: None }
    }

    /// The look that is due, of those at the worktrees that processes are at work in.
    pub(super) fn due(&mut self, live: Vec<Look>, now: Instant) -> Option<Look> {
        let interval = self.interval?;
        let known: HashSet<&TaskId> = live.iter().map(|look| &look.task).collect();
        self.seen.retain(|task, _| known.contains(task));
        for look in &live {
            let first = || Seen { next: now + interval, mark: None, failures: 0, warned: false };
            self.seen.entry(look.task.clone()).or_insert_with(first);
        }
        if self.rest_until.is_some_and(|until| now < until) {
            return None;
        }
        let (task, seen) = self.seen.iter().min_by_key(|(_, seen)| seen.next)?;
        let look = live.into_iter().find(|look| look.task == *task && seen.next <= now)?;
        Some(Look { before: seen.mark, ..look })
    }

    /// What came of a look that took so long; perhaps something to tell a person.
    pub(super) fn done(
        &mut self,
        task: &TaskId,
        result: Result<Looked, GitError>,
        took: Duration,
        now: Instant,
    ) -> Option<String> {
        self.rest_until = Some(now + took * REST);
        let interval = self.interval?;
        let seen = self.seen.get_mut(task)?;
        match result {
            Ok(looked) => {
                let written = if looked.taken { looked.bytes / PACE } else { 0 };
                seen.next = now + interval.max(Duration::from_secs(written));
                (seen.mark, seen.failures) = (Some(looked.mark), 0);
                None
            }
            Err(error) => {
                seen.next = now + interval;
                seen.failures += 1;
                tracing::debug!(%task, %error, "snapshot");
                let certain = matches!(error, GitError::Refused(_)) || seen.failures >= FAILURES;
                let tell = certain && !seen.warned;
                seen.warned |= tell;
                tell.then(|| format!("{WARNING}{error}"))
            }
        }
    }
}

/// The worktrees that processes are at work in.
pub(super) fn live(world: &World, state: &State) -> Vec<Look> {
    let mut looks: Vec<Look> = Vec::new();
    for (id, _) in state.open_attempts() {
        let Some((task, step)) = state.step_spec(&id.task, &id.step) else { continue };
        let start = state.position(&id.task).and_then(|position| state.start(position));
        let (true, Some(start)) = (step.kind.is_process(), start) else { continue };
        if looks.last().is_none_or(|last| last.task != id.task) {
            let (worktree, start) = (world.worktree(&task.worktree), start.to_owned());
            looks.push(Look { task: id.task, worktree, start, before: None });
        }
    }
    looks
}

/// The warning, unless an earlier supervisor has given it.
pub(super) fn warning(state: &State, task: &TaskId, message: String) -> Option<Event> {
    let before = &state.tasks[state.position(task)?].warnings;
    let told = before.iter().any(|warning| warning.starts_with(WARNING));
    (!told).then(|| Event::TaskWarned { task: task.clone(), message })
}

/// Keeps what an attempt left that ended badly.
pub(super) fn at_end(world: &World, job: &Job, end: &AttemptEnd) {
    let built_in = matches!(job.step.kind, StepKind::BuiltIn { .. });
    if end.ending.failure().is_some() && !built_in {
        keep(world, job);
    }
}

/// Keeps what is in the worktree of an attempt that no longer runs.
pub(super) fn keep(world: &World, job: &Job) {
    let worktree = world.worktree(&job.task.worktree);
    if world.snapshots.is_none() || !worktree.exists() {
        return;
    }
    let look = Look { task: job.task.id.clone(), worktree, start: job.start.clone(), before: None };
    if let Err(error) = look.take(world) {
        tracing::warn!(task = %job.task.name, %error, "no snapshot of what the attempt left");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn live(names: &[&str]) -> Vec<Look> {
        let look = |name: &&str| Look {
            task: TaskId::from(*name),
            worktree: PathBuf::from(*name),
            start: "0".to_owned(),
            before: None,
        };
        names.iter().map(look).collect()
    }

    fn looked(bytes: u64, taken: bool) -> Looked {
        let mark = Mark::default();
        Looked { mark, bytes, taken }
    }

    fn due(snapshots: &mut Snapshots, names: &[&str], at: Instant) -> Option<String> {
        snapshots.due(live(names), at).map(|look| look.task.to_string())
    }

    #[test]
    fn each_worktree_has_its_turn_and_others_have_the_rest_of_the_time() {
        let mut snapshots = Snapshots::new(Some(INTERVAL));
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        assert_eq!(due(&mut snapshots, &["a", "b"], at(0)), None, "an attempt has just begun");
        let first = due(&mut snapshots, &["a", "b"], at(30)).unwrap();
        let took = Duration::from_millis(100);
        snapshots.done(&first.as_str().into(), Ok(looked(10, true)), took, at(30));
        assert_eq!(
            due(&mut snapshots, &["a", "b"], at(34)),
            None,
            "fifty times 100 ms are left alone"
        );
        let second = due(&mut snapshots, &["a", "b"], at(35)).unwrap();
        assert_ne!(first, second);
        snapshots.done(&second.as_str().into(), Ok(looked(10, false)), took, at(35));
        assert_eq!(due(&mut snapshots, &["a", "b"], at(59)), None);
        assert_eq!(due(&mut snapshots, &["a", "b"], at(60)), Some(first));
        // Whose attempt ended is forgotten.
        assert_eq!(due(&mut snapshots, &["c"], at(90)), None);
        assert_eq!(due(&mut snapshots, &["c"], at(120)), Some("c".to_owned()));
    }

    #[test]
    fn what_is_large_is_kept_less_often() {
        let mut snapshots = Snapshots::new(Some(INTERVAL));
        let began = Instant::now();
        due(&mut snapshots, &["a"], began);
        let large = looked(PACE * 100, true);
        snapshots.done(&"a".into(), Ok(large), Duration::ZERO, began);
        assert_eq!(due(&mut snapshots, &["a"], began + Duration::from_secs(99)), None);
        assert!(due(&mut snapshots, &["a"], began + Duration::from_secs(100)).is_some());
    }

    #[test]
    fn a_person_is_told_once() {
        let mut snapshots = Snapshots::new(Some(INTERVAL));
        let now = Instant::now();
        due(&mut snapshots, &["a", "b"], now);
        let vanished = || Err(GitError::InTheWay("gone".to_owned()));
        let mut told = |task: &str, result| {
            snapshots.done(&task.into(), result, Duration::ZERO, now).is_some()
        };
        assert_eq!([told("a", vanished()), told("a", vanished())], [false, false]);
        assert_eq!([told("a", vanished()), told("a", vanished())], [true, false]);
        let refused = || Err(GitError::Refused("too much".to_owned()));
        assert_eq!([told("b", refused()), told("b", refused())], [true, false]);
    }

    #[test]
    fn without_an_interval_there_are_none() {
        let mut snapshots = Snapshots::new(None);
        let later = Instant::now() + Duration::from_secs(100);
        assert_eq!(due(&mut snapshots, &["a"], Instant::now()), None);
        assert_eq!(due(&mut snapshots, &["a"], later), None);
    }
}
