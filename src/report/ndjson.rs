//! `--format ndjson`: an event a line, as it happens.

use crate::engine::State;
use crate::model::{AttemptId, Recorded};
use crate::supervisor::{Observer, Progress, now};
use std::io::Write;

/// Writes events as they are recorded.
pub struct Ndjson<W: Write> {
    out: W,
}

impl<W: Write> Ndjson<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    fn line(&mut self, value: &impl serde::Serialize) {
        // A reader that went away must not end the run: the journal has it all.
        if let Ok(text) = serde_json::to_string(value) {
            let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        }
    }
}

impl<W: Write> Observer for Ndjson<W> {
    fn recorded(&mut self, _state: &State, events: &[Recorded]) {
        for event in events {
            self.line(event);
        }
    }

    fn progress(&mut self, attempt: &AttemptId, progress: Progress) {
        self.line(&serde_json::json!({
            "at": now(),
            "event": "progress",
            "attempt": attempt,
            "last": progress.last,
            "cost_usd": progress.usage.cost_usd,
        }));
    }

    fn tick(&mut self, _state: &State) {}

    fn notice(&mut self, text: &str) {
        self.line(&serde_json::json!({ "at": now(), "event": "notice", "text": text }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn what_is_not_in_the_journal_has_its_time_too() {
        let before = now();
        let mut out = Vec::new();
        let mut view = Ndjson::new(&mut out);
        let id = serde_json::json!({ "task": "a", "step": "implement", "number": 1 });
        let attempt: AttemptId = serde_json::from_value(id).unwrap();
        view.progress(&attempt, Progress { last: None, usage: crate::model::Usage::default() });
        view.notice("look");
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        for line in lines {
            let at: Timestamp = serde_json::from_value(line["at"].clone()).unwrap();
            assert!(at >= before, "{line}");
        }
    }
}
