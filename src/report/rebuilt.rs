//! What became of a damaged journal.

use super::words::count;
use crate::supervisor::Rebuilt;
use std::fmt::Write;

/// What was wrong, where it is kept, what is known again and what is not.
#[must_use]
pub fn rebuilt(rebuilt: &Rebuilt) -> String {
    let mut out = format!("orch: {}\n", rebuilt.damage);
    if let Some(kept) = &rebuilt.kept {
        let _ = writeln!(out, "  it is kept as {}", kept.display());
    }
    for (run, events) in &rebuilt.runs {
        let from = match events {
            0 => "from its record on disk".to_owned(),
            n => format!("{} could still be read", count(*n, "event")),
        };
        let _ = writeln!(out, "  {run}: rebuilt; {from}");
    }
    if rebuilt.attempts > 0 {
        let attempts = count(rebuilt.attempts, "attempt");
        let _ = writeln!(out, "  {attempts} known again from what they left");
    }
    if !rebuilt.landed.is_empty() {
        let names = rebuilt.landed.join(", ");
        let _ = writeln!(out, "  taken as landed, as no branch and worktree is left: {names}");
    }
    for name in &rebuilt.unknown {
        let _ = writeln!(out, "  {name}: not recovered; only its logs are left, in runs/{name}");
    }
    out.push_str("  not recovered: cancellations, retries and warnings that could not be read\n");
    out
}
