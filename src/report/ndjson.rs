//! `--format ndjson`: an event a line, as it happens.

use crate::engine::State;
use crate::model::{AttemptId, Recorded};
use crate::supervisor::{Observer, Progress};
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
            "event": "progress",
            "attempt": attempt,
            "last": progress.last,
            "cost_usd": progress.usage.cost_usd,
        }));
    }

    fn tick(&mut self, _state: &State) {}

    fn notice(&mut self, text: &str) {
        self.line(&serde_json::json!({ "event": "notice", "text": text }));
    }
}
