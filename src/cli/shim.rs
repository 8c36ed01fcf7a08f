//! `orch shim DIR`: what every attempt's process runs under. Not for people, and looked for before
//! anything else is set up: there may be two hundred of them.

use std::path::Path;
use std::process::ExitCode;

/// The shim's exit code, when that is what this process was started as.
pub(super) fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != "shim" {
        return None;
    }
    let dir = arguments.next()?;
    arguments.next().is_none().then(|| crate::process::shim(Path::new(&dir)))
}
