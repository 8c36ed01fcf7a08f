//! Colours, or none.

use crate::model::TaskState;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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
        let room = width.saturating_sub(used);
        if columns(text) <= room {
            return text.to_owned();
        }
        fit(text, room)
    }
}

/// The beginning of a text that is too long, in at most `room` columns, with a mark that it goes on.
#[must_use]
pub(super) fn fit(text: &str, room: usize) -> String {
    let mut out = String::new();
    let mut left = room.saturating_sub(1);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        out.push(c);
    }
    if room > 0 {
        out.push('…');
    }
    out
}

/// The columns that a text takes on a terminal.
#[must_use]
pub(super) fn columns(text: &str) -> usize {
    text.width()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_line_fits_whatever_it_is_written_in() {
        let style = Style { color: false, width: Some(20) };
        for text in ["a line that is much too long", "長い行はここで切られるべきです", "ok"]
        {
            for used in 0..25 {
                assert!(used + columns(&style.cut(text, used)) <= 20.max(used), "{text} {used}");
            }
        }
        assert_eq!(style.cut("0123456789012345678901234", 0), "0123456789012345678…");
        assert_eq!(Style::PLAIN.cut("as it is", 7), "as it is");
    }
}
