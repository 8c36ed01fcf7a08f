//! Colours, or none.

use crate::model::TaskState;

/// Whether escape codes may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colours are welcome.
    pub color: bool,
    /// Columns of the terminal; of a text file, `None`.
    pub width: Option<usize>,
}

impl Style {
    /// No colours, no width.
    pub const PLAIN: Self = Self { color: false, width: None };

    /// The text in the colour of a state.
    #[must_use]
    pub fn state(self, state: TaskState, text: &str) -> String {
        let code = match state {
            TaskState::Succeeded | TaskState::Merged => "32",
            TaskState::Failed | TaskState::TimedOut | TaskState::GovernanceViolation => "31",
            TaskState::Conflicted | TaskState::Interrupted | TaskState::Cancelled => "33",
            TaskState::Running | TaskState::Verifying | TaskState::Preparing => "36",
            TaskState::Queued | TaskState::Blocked | TaskState::Skipped => "2",
        };
        self.paint(code, text)
    }

    /// Bold.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Dimmed.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The text, cut to what is left of a line after `used` columns.
    #[must_use]
    pub fn cut(self, text: &str, used: usize) -> String {
        let Some(width) = self.width else { return text.to_owned() };
        let room = width.saturating_sub(used).max(12);
        if text.chars().count() <= room {
            return text.to_owned();
        }
        let cut: String = text.chars().take(room - 1).collect();
        format!("{cut}…")
    }
}

/// One character that tells a state.
#[must_use]
pub(super) fn mark(state: TaskState) -> &'static str {
    match state {
        TaskState::Succeeded | TaskState::Merged => "✓",
        TaskState::Failed | TaskState::TimedOut | TaskState::GovernanceViolation => "✗",
        TaskState::Conflicted | TaskState::Interrupted => "!",
        TaskState::Cancelled | TaskState::Skipped => "-",
        TaskState::Running | TaskState::Verifying | TaskState::Preparing => "●",
        TaskState::Queued | TaskState::Blocked => "·",
    }
}
