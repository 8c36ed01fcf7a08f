//! The terminal: how wide it is, and how to be independent of it.

use std::process::Command;

/// Columns when nobody says: what terminals have had since the VT100.
const COLUMNS: usize = 80;
/// The same for lines.
const ROWS: usize = 24;

/// How wide the terminal is: `COLUMNS`, else what the kernel says of stdout or stderr, else 80.
#[must_use]
pub fn columns() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let asked = || super::unix::window().map(|(_, columns)| columns);
    said.filter(|columns| *columns > 0).or_else(asked).unwrap_or(COLUMNS)
}

/// How many lines it has: `LINES`, else what the kernel says, else 24.
#[must_use]
pub fn rows() -> usize {
    let said = std::env::var("LINES").ok().and_then(|text| text.parse().ok());
    let asked = || super::unix::window().map(|(rows, _)| rows);
    said.filter(|rows| *rows > 0).or_else(asked).unwrap_or(ROWS)
}

/// A command that a closed terminal or Ctrl-C does not reach.
pub fn in_own_session(command: &mut Command) -> &mut Command {
    super::unix::leave_session(command);
    command
}

/// Whether this process's own standard output or error goes to the file.
#[must_use]
pub fn is_own_output(file: &std::path::Path) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let Ok(wanted) = std::fs::metadata(file) else { return false };
    let is_it = |output: std::os::fd::BorrowedFd<'_>| {
        let file = output.try_clone_to_owned().map(std::fs::File::from);
        let found = file.and_then(|file| file.metadata());
        found.is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
    };
    is_it(std::io::stdout().as_fd()) || is_it(std::io::stderr().as_fd())
}
