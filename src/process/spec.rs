//! What a shim is told to run.

use super::{ProcessError, durable, layout};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The environment variable that every process of an attempt carries, whatever its session, group
/// or parent. Attempts within attempts append their key after a colon.
pub const KEY_VARIABLE: &str = "ORCH_ATTEMPT_KEY";

/// One attempt's command and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimSpec {
    /// The program and its arguments. The program is looked up on the PATH the agent will have.
    pub argv: Vec<String>,
    /// The working directory.
    pub cwd: PathBuf,
    /// Variables set on top of the supervisor's environment.
    pub env: BTreeMap<String, String>,
    /// Variables of the supervisor's environment that the agent does not get.
    pub env_remove: Vec<String>,
    /// The file that becomes standard input; `/dev/null` without one.
    pub stdin: Option<PathBuf>,
    /// Milliseconds after which the attempt is stopped.
    pub timeout_ms: Option<u64>,
    /// Milliseconds without output and without CPU use after which the attempt is stopped.
    pub idle_timeout_ms: Option<u64>,
    /// Milliseconds between SIGTERM and SIGKILL.
    pub grace_ms: u64,
    /// Bytes of output kept: the first and the last half. At least 4 KiB are.
    pub log_cap: u64,
}

impl ShimSpec {
    /// What the attempt in `dir` was to run; `None` where none was started.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>, ProcessError> {
        let stored: Option<StoredSpec> = durable::read(&layout::spec(dir))?;
        Ok(stored.map(|stored| stored.spec))
    }
}

/// What is on disk: the spec and the key of the attempt's processes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredSpec {
    /// See [`KEY_VARIABLE`].
    pub key: String,
    /// The rest.
    pub spec: ShimSpec,
}
