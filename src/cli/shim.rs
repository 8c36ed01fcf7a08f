//! `orch shim DIR`: what every attempt's process runs under. Not for people.

use std::path::PathBuf;
use std::process::ExitCode;

/// Run one attempt (internal).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The attempt's directory.
    dir: PathBuf,
}

pub(super) fn run(args: &Args) -> ExitCode {
    crate::process::shim(&args.dir)
}
