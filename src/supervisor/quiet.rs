//! Attempts that neither print nor compute: told of before their idle limit stops them, and known as
//! waiting for input where their agent's profile has the words for it.

use super::attempt::Job;
use crate::model::{AttemptId, Event, StepKind, Timestamp};
use crate::process::{Heartbeat, LogReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    /// The last activity that its files tell of: by a clock that somebody may set.
    stamp: Option<Timestamp>,
    /// When that was, by one that nobody sets.
    active: Instant,
    /// When the files were read last.
    read: Instant,
    /// The activity before the silence that was told of.
    told: Option<Instant>,
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
    pub(super) fn new(job: &Job, now: Instant) -> Self {
        let profile = job.profile.as_ref().filter(|_| matches!(job.step.kind, StepKind::Agent));
        let waiting = profile.map(|profile| profile.waiting.clone()).unwrap_or_default();
        let limit = job.step.idle_timeout_ms.map(|ms| Duration::from_millis(ms) / 2);
        Self {
            dir: job.dir.clone(),
            after: limit.or((!waiting.is_empty()).then_some(WAITING)),
            limited: limit.is_some(),
            waiting,
            stamp: None,
            active: now,
            read: now,
            told: None,
        }
    }

    /// How long from now until it is worth to [`look`](Self::look).
    pub(super) fn next(&self, now: Instant) -> Option<Duration> {
        let after = self.after?;
        // Told of: a new silence is looked for at the same pace.
        let quiet = now.duration_since(self.active);
        let passed = u32::try_from(quiet.as_millis() / after.as_millis().max(1)).unwrap_or(0);
        let rounds = if self.told == Some(self.active) { passed + 1 } else { 1 };
        Some((after * rounds).saturating_sub(quiet))
    }

    /// Asks the attempt's files; a silence is told once.
    pub(super) fn look(&mut self, wall: Timestamp, now: Instant) -> Option<Silence> {
        let after = self.after?;
        if now.duration_since(self.active) < after {
            return None;
        }
        let stamp = last_activity(&self.dir);
        if stamp != self.stamp {
            // It was since the last look; when exactly, the wall clock tells unless it was set since.
            let ago = stamp.map_or(Duration::ZERO, |at| wall.since(at));
            self.active = now.checked_sub(ago).map_or(self.read, |at| at.max(self.read));
            self.stamp = stamp;
        }
        self.read = now;
        let quiet = now.duration_since(self.active);
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
        let now = Instant::now();
        Quiet {
            dir: dir.to_owned(),
            after: after.map(Duration::from_secs),
            limited,
            waiting: waiting.iter().map(ToString::to_string).collect(),
            stamp: None,
            active: now,
            read: now,
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

    /// An attempt that began at 0 by the wall clock, asked when so many seconds have passed and when the wall
    /// clock is `set` ahead of them.
    fn asked(attempt: &mut Quiet, start: Instant, seconds: i64, set: i64) -> Option<Silence> {
        let passed = Duration::from_secs(u64::try_from(seconds).unwrap());
        attempt.look(Timestamp((seconds + set) * 1000), start + passed)
    }

    #[test]
    fn a_silence_is_told_once_and_a_new_one_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut attempt = quiet(dir.path(), Some(10), true, &[]);
        let start = attempt.active;
        let seconds = Duration::from_secs;
        let next = |attempt: &Quiet, passed: u64| attempt.next(start + seconds(passed));
        assert_eq!(next(&attempt, 0), Some(seconds(10)));
        beat(dir.path(), 6_000);
        assert_eq!(asked(&mut attempt, start, 10, 0), None, "it computed since");
        assert_eq!(next(&attempt, 10), Some(seconds(6)));
        let silence = Silence { seconds: 10, question: None };
        assert_eq!(asked(&mut attempt, start, 16, 0), Some(silence.clone()));
        assert_eq!(asked(&mut attempt, start, 17, 0), None);
        assert_eq!(next(&attempt, 17), Some(seconds(9)));
        beat(dir.path(), 20_000);
        assert_eq!(asked(&mut attempt, start, 26, 0), None);
        assert_eq!(asked(&mut attempt, start, 30, 0), Some(silence));
    }

    #[test]
    fn a_clock_that_is_set_makes_no_silence_and_hides_none() {
        const DAY: i64 = 24 * 3600;
        let dir = tempfile::tempdir().unwrap();
        let mut attempt = quiet(dir.path(), Some(10), true, &[]);
        let start = attempt.active;
        beat(dir.path(), 9_000);
        assert_eq!(asked(&mut attempt, start, 10, 0), None);
        assert_eq!(asked(&mut attempt, start, 12, DAY), None, "silent for three seconds");
        let silence = Silence { seconds: 10, question: None };
        assert_eq!(asked(&mut attempt, start, 19, DAY), Some(silence.clone()));
        beat(dir.path(), 20_000 - DAY * 1000);
        assert_eq!(asked(&mut attempt, start, 25, -DAY), None, "it computed at 20");
        assert_eq!(asked(&mut attempt, start, 30, -DAY), Some(silence));
    }

    #[test]
    fn without_a_limit_only_a_question_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("log"), "working\nProceed? [Y/n] ").unwrap();
        let printed = LogReader::stat(dir.path()).unwrap().last_output.unwrap();
        let minute = Duration::from_mins(1);
        let ask = |after: Option<u64>, waiting: &[&str]| {
            let mut attempt = quiet(dir.path(), after, false, waiting);
            let later = attempt.active + minute;
            attempt.look(printed.after(minute), later)
        };
        let question = Some("Proceed? [Y/n]".to_owned());
        assert_eq!(ask(Some(60), &["[y/N]"]).map(|silence| silence.question), Some(question));
        assert_eq!(ask(Some(60), &["password:"]), None);
        assert_eq!(ask(None, &[]), None);
    }
}
