//! The terminal: how wide it is, and how to be independent of it.

use std::process::Command;

/// Columns when nobody says: what terminals have had since the VT100.
const COLUMNS: usize = 80;

/// How wide the terminal is: `COLUMNS`, else what the kernel says of stdout or stderr, else 80.
#[must_use]
pub fn columns() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    said.filter(|columns| *columns > 0).or_else(super::unix::window_columns).unwrap_or(COLUMNS)
}

/// A command that a closed terminal or Ctrl-C does not reach.
pub fn in_own_session(command: &mut Command) -> &mut Command {
    super::unix::leave_session(command);
    command
}
