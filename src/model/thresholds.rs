//! From which confidence a conflict is reported, and from which it orders its tasks.

/// What is decided for one kind of conflict; confidences from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// From here on the two tasks run one after the other.
    pub order: f64,
    /// From here on it is listed among the conflicts; below it, as a note of the tasks.
    pub report: f64,
}

/// The thresholds of all kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Both write the same path.
    pub writes: Threshold,
    /// One writes what the other reads.
    pub reads: Threshold,
    /// One writes what the other's files import.
    pub imports: Threshold,
}

impl Default for Thresholds {
    /// Two bare mentions of a file (0.7 each) make a conflict that orders; a file that is probably one of
    /// several does not. Reading and importing are isolated by the worktree, so they order only where
    /// both sides say so in their front matter, and are listed only where both are near certain.
    fn default() -> Self {
        Self {
            writes: Threshold { order: 0.45, report: 0.2 },
            reads: Threshold { order: 0.999, report: 0.9 },
            imports: Threshold { order: 0.999, report: 0.96 },
        }
    }
}
