//! Attempts that neither print nor compute: told of before their idle limit stops them, and known as
//! waiting for input where their agent's profile has the words for it.

use super::attempt::Job;
use crate::model::{AttemptId, Event, StepKind, Timestamp};
use crate::process::{Heartbeat, LogReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An agent that waits for an answer, and has no idle limit, is told of after this time.
const WAITING: Duration = Duration::from_mins(1);

/// Whether an attempt is quiet, from what its shim tells.
pub(super) struct Quiet {
    dir: PathBuf,
    /// Told of after this time; `None`: never.
    after: Option<Duration>,
    /// It is stopped when it stays quiet.
    limited: bool,
    /// What its agent prints when it waits for input.
    waiting: Vec<String>,
    /// The last activity that is known.
    active: Timestamp,
    /// The activity before the silence that was told of.
    told: Option<Timestamp>,
}

/// An attempt that is quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    /// Since when, seconds.
    pub(super) seconds: u64,
    /// The question it asked last, where it waits for an answer.
    pub(super) question: Option<String>,
}

impl Silence {
    /// What is recorded about it.
    pub(super) fn events(self, attempt: AttemptId) -> Vec<Event> {
        let task = attempt.task.clone();
        let step = attempt.step.clone();
        let stalled = Event::AttemptStalled { attempt, quiet_seconds: self.seconds };
        let asked = self.question.map(|question| {
            let question: String = question.chars().take(80).collect();
            let message = format!(
                "{step} waits for input (`{question}`), and nobody can answer; make its command not ask, \
                 then: orch retry"
            );
            Event::TaskWarned { task, message }
        });
        std::iter::once(stalled).chain(asked).collect()
    }
}

impl Quiet {
    pub(super) fn new(job: &Job, now: Timestamp) -> Self {
        let profile = job.profile.as_ref().filter(|_| matches!(job.step.kind, StepKind::Agent));
        let waiting = profile.map(|profile| profile.waiting.clone()).unwrap_or_default();
        let limit = job.step.idle_timeout_ms.map(|ms| Duration::from_millis(ms) / 2);
        Self {
            dir: job.dir.clone(),
            after: limit.or((!waiting.is_empty()).then_some(WAITING)),
            limited: limit.is_some(),
            waiting,
            active: now,
            told: None,
        }
    }

    /// How long from now until it is worth to [`look`](Self::look).
    pub(super) fn next(&self, now: Timestamp) -> Option<Duration> {
        let after = self.after?;
        // Told of: a new silence is looked for at the same pace.
        let quiet = now.since(self.active);
        let passed = u32::try_from(quiet.as_millis() / after.as_millis().max(1)).unwrap_or(0);
        let rounds = if self.told == Some(self.active) { passed + 1 } else { 1 };
        Some((after * rounds).saturating_sub(quiet))
    }

    /// Asks the attempt's files; a silence is told once.
    pub(super) fn look(&mut self, now: Timestamp) -> Option<Silence> {
        let after = self.after?;
        if now.since(self.active) < after {
            return None;
        }
        self.active = last_activity(&self.dir).map_or(self.active, |at| at.max(self.active));
        let quiet = now.since(self.active);
        if quiet < after || self.told == Some(self.active) {
            return None;
        }
        self.told = Some(self.active);
        let question = LogReader::last_line(&self.dir).filter(|line| asks(line, &self.waiting));
        (self.limited || question.is_some())
            .then_some(Silence { seconds: quiet.as_secs(), question })
    }
}

/// When an attempt last printed or computed, as far as its files tell.
pub(super) fn last_activity(dir: &Path) -> Option<Timestamp> {
    let beat = Heartbeat::read(dir).ok().flatten();
    let printed = LogReader::stat(dir).ok().and_then(|stat| stat.last_output);
    printed.max(beat.map(|beat| beat.last_cpu_at))
}

/// Whether a line is one of those an agent prints when it waits for input.
pub(crate) fn asks(line: &str, waiting: &[String]) -> bool {
    let line = line.to_lowercase();
    waiting.iter().any(|words| line.contains(&words.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(dir: &Path, after: Option<u64>, limited: bool, waiting: &[&str]) -> Quiet {
        Quiet {
            dir: dir.to_owned(),
            after: after.map(Duration::from_secs),
            limited,
            waiting: waiting.iter().map(ToString::to_string).collect(),
            active: Timestamp(0),
            told: None,
        }
    }

    fn beat(dir: &Path, last_cpu_at: i64) {
        let json = format!(
            r#"{{"at":"@{last_cpu_at}ms","last_output_at":null,"last_cpu_at":"@{last_cpu_at}ms",
            "memory_bytes":1,"peak_memory_bytes":1,"cpu_ms":1,"processes":1}}"#
        );
        std::fs::write(dir.join("heartbeat.json"), json).unwrap();
    }

    #[test]
    fn a_silence_is_told_once_and_a_new_one_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut attempt = quiet(dir.path(), Some(10), true, &[]);
        let at = Timestamp;
        assert_eq!(attempt.next(at(0)), Some(Duration::from_secs(10)));
        beat(dir.path(), 6_000);
        assert_eq!(attempt.look(at(10_000)), None, "it computed since");
        assert_eq!(attempt.next(at(10_000)), Some(Duration::from_secs(6)));
        let silence = Silence { seconds: 10, question: None };
        assert_eq!(attempt.look(at(16_000)), Some(silence.clone()));
        assert_eq!(attempt.look(at(17_000)), None);
        assert_eq!(attempt.next(at(17_000)), Some(Duration::from_secs(9)));
        beat(dir.path(), 20_000);
        assert_eq!(attempt.look(at(26_000)), None);
        assert_eq!(attempt.look(at(30_000)), Some(silence));
    }

    #[test]
    fn without_a_limit_only_a_question_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("log"), "working\nProceed? [Y/n] ").unwrap();
        let printed = LogReader::stat(dir.path()).unwrap().last_output.unwrap();
        let later = printed.after(Duration::from_mins(1));
        let ask = |waiting: &[&str]| quiet(dir.path(), Some(60), false, waiting).look(later);
        let question = Some("Proceed? [Y/n]".to_owned());
        assert_eq!(ask(&["[y/N]"]).map(|silence| silence.question), Some(question));
        assert_eq!(ask(&["password:"]), None);
        assert_eq!(quiet(dir.path(), None, false, &[]).look(later), None);
    }
}
