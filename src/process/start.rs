//! Starting an attempt: at most once for each directory, and never ambiguously.

use super::identity::ProcessId;
use super::recover::settle;
use super::running::Running;
use super::spec::StoredSpec;
use super::{ProcessError, ShimSpec, Stopper, layout, platform};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// What the shim says on its standard output once it has taken charge, followed by its start time.
pub(super) const READY: &str = "orch-shim-ready ";

/// A shim is ready within milliseconds; on a machine this far behind, nothing would work.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// How the shim is executed.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// The executable.
    pub program: PathBuf,
    /// The arguments before the attempt's directory.
    pub arguments: Vec<OsString>,
}

impl Launcher {
    /// The running executable, as `shim DIR`. On Linux that works even after its file was replaced
    /// by an upgrade.
    ///
    /// # Errors
    /// Where the executable cannot be found (not on Linux).
    pub fn this_executable() -> Result<Self, ProcessError> {
        let program = if platform::SELF_EXE.is_empty() {
            std::env::current_exe().map_err(ProcessError::io("find the running executable"))?
        } else {
            platform::SELF_EXE.into()
        };
        Ok(Self { program, arguments: vec!["shim".into()] })
    }
}

/// Starts an attempt in `dir` (made if missing) through this executable's `shim` command. When it
/// returns, a shim holds the attempt and will execute the agent whatever happens to the caller; or
/// it is an error and the agent is never executed. Not to be dropped half-way.
///
/// # Errors
/// [`ProcessError::AlreadyStarted`] when the directory was used before; [`ProcessError::ShimKilled`] and
/// [`ProcessError::NotReady`] when the shim could not take charge. That the agent's command does not exist is no error: the
/// attempt's result says so.
pub async fn start(dir: &Path, spec: &ShimSpec) -> Result<Running, ProcessError> {
    start_with(&Launcher::this_executable()?, dir, spec).await
}

/// [`start`] with another executable as shim.
///
/// # Errors
/// As [`start`].
pub async fn start_with(
    launcher: &Launcher,
    dir: &Path,
    spec: &ShimSpec,
) -> Result<Running, ProcessError> {
    let dir = std::path::absolute(dir)
        .map_err(ProcessError::io(format!("find the directory {}", dir.display())))?;
    claim(&dir, spec)?;
    let mut child = spawn(launcher, &dir)?;
    let mut hung = false;
    match tokio::time::timeout(READY_DEADLINE, readiness(&mut child)).await {
        Ok(Some(shim)) => return Ok(Running { child, dir, stopper: Stopper { shim } }),
        Ok(None) => {}
        Err(_) => {
            hung = true;
            let _ = child.start_kill();
        }
    }
    let ended = child.wait().await;
    // It is dead: whatever it got to is undone, and a second one will refuse.
    let place = dir.clone();
    tokio::task::spawn_blocking(move || settle(&place))
        .await
        .map_err(|e| ProcessError::io("clean up after the shim")(e.into()))??;
    let sigkill = nix::sys::signal::Signal::SIGKILL as i32;
    if !hung && ended.as_ref().is_ok_and(|status| status.signal() == Some(sigkill)) {
        return Err(ProcessError::ShimKilled(dir));
    }
    let message = last_words(&dir).unwrap_or_else(|| match ended {
        Ok(_) if hung => format!("it said nothing for {} s", READY_DEADLINE.as_secs()),
        Ok(status) => format!("it ended with {status}"),
        Err(e) => e.to_string(),
    });
    Err(ProcessError::NotReady { dir, message })
}

/// Makes the directory ours: who creates `spec.json` may start the attempt.
fn claim(dir: &Path, spec: &ShimSpec) -> Result<(), ProcessError> {
    let doing = || format!("prepare {}", dir.display());
    fs::create_dir_all(dir).map_err(ProcessError::io(doing()))?;
    let used = [layout::refused(dir), layout::shim(dir), layout::result(dir)];
    if used.iter().any(|path| path.exists()) {
        return Err(ProcessError::AlreadyStarted(dir.to_owned()));
    }
    let mut spec = spec.clone();
    spec.cwd = std::path::absolute(&spec.cwd).map_err(ProcessError::io(doing()))?;
    spec.stdin =
        spec.stdin.map(std::path::absolute).transpose().map_err(ProcessError::io(doing()))?;
    let stored = StoredSpec { key: random_key().map_err(ProcessError::io(doing()))?, spec };
    // Not synced: after a power failure no shim lives to read it.
    let write = || {
        let bytes = serde_json::to_vec(&stored)?;
        File::create_new(layout::spec(dir))?.write_all(&bytes)
    };
    match write() {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            Err(ProcessError::AlreadyStarted(dir.to_owned()))
        }
        other => other.map_err(ProcessError::io(doing())),
    }
}

/// Sixteen random bytes in hexadecimal.
fn random_key() -> io::Result<String> {
    use std::fmt::Write as _;
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

fn spawn(launcher: &Launcher, dir: &Path) -> Result<Child, ProcessError> {
    let doing = || format!("start a shim for {}", dir.display());
    let errors = File::create(layout::errors(dir)).map_err(ProcessError::io(doing()))?;
    let mut command = Command::new(&launcher.program);
    command
        .arg0("orch")
        .args(&launcher.arguments)
        .arg(dir)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors);
    #[expect(unsafe_code, reason = "a session of its own, before a Ctrl-C can reach it")]
    // SAFETY: only system calls, no allocation, no locks.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            platform::close_on_exec();
            Ok(())
        });
    }
    command.spawn().map_err(ProcessError::io(doing()))
}

/// Waits for the shim's word; `None` when it ends without one.
async fn readiness(child: &mut Child) -> Option<ProcessId> {
    let pid = child.id()?;
    let mut lines = BufReader::with_capacity(256, child.stdout.take()?).lines();
    // Lines before it are not ours; tests run the shim inside a test harness that talks.
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, start)) = line.split_once(READY) {
            return Some(ProcessId { pid, start: start.trim().parse().ok()? });
        }
    }
    None
}

/// The last line of what the shim wrote to its standard error.
fn last_words(dir: &Path) -> Option<String> {
    let text = fs::read(layout::errors(dir)).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}
