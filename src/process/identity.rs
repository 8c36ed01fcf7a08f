//! Who a process is. A process id alone says nothing: the kernel gives it away again.

use super::platform;
use serde::{Deserialize, Serialize};

/// A process of this machine, told apart from all later ones with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The number.
    pub pid: u32,
    /// When it started, in the kernel's own unit, mixed with this boot's identity. Two are equal
    /// or not; nothing else can be read from it.
    pub start: u64,
}

impl ProcessId {
    /// The process that has this number now. A zombie counts as dead.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let process = platform::process(pid)?;
        (!process.zombie).then_some(process.id)
    }

    /// This process.
    #[must_use]
    pub fn current() -> Self {
        let pid = std::process::id();
        // Without /proc there is no start time; a zero equals no process's.
        Self::of(pid).unwrap_or(Self { pid, start: 0 })
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

/// A row of the process table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pub id: ProcessId,
    pub parent: u32,
    /// Dead, and not waited for by its parent.
    pub zombie: bool,
}
