//! `--detach`: the supervisor in the background, and the file that its own words go to.

use super::context::Place;
use super::error::CliError;
use crate::model::RunId;
use crate::supervisor::World;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// The size (bytes) at which the log becomes `supervisor.log.1` and begins again. Without `ORCH_LOG` it has a
/// few lines; two such files of diagnostics are more than anybody reads.
const LARGEST_LOG: u64 = 4 << 20;

/// How often the size is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Starts `orch resume RUN` in a session of its own and returns once it has taken the run over.
pub(super) fn start(place: &Place, world: &World, run: &RunId) -> Result<ExitCode, CliError> {
    let program = std::env::current_exe()
        .map_err(|e| CliError::failed(format!("find the orch executable: {e}")))?;
    let log = world.layout.run(run).join("supervisor.log");
    let open = |log: &Path| {
        std::fs::create_dir_all(log.parent().unwrap_or(log))?;
        // Appended to: what an earlier supervisor said may say why there is another.
        let file = File::options().create(true).append(true).open(log)?;
        let length = file.metadata()?.len();
        Ok::<_, std::io::Error>((file, length))
    };
    let (file, length) =
        open(&log).map_err(|e| CliError::failed(format!("write {}: {e}", log.display())))?;
    let mut command = Command::new(program);
    command
        .args(["resume", run.as_str(), "--format", "ndjson", "--log"])
        .arg(&log)
        .current_dir(&place.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file);
    let mut child = crate::process::in_own_session(&mut command)
        .spawn()
        .map_err(|e| CliError::failed(format!("start the supervisor: {e}")))?;
    // It is in the background once its first event is recorded; a quick run may be over by then.
    let journal = world.journal()?;
    loop {
        if journal.run_view(run)?.supervisor.pid == Some(child.id()) {
            break;
        }
        if child.try_wait()?.is_some() {
            return Err(CliError::failed(format!(
                "the supervisor in the background ended at once: {}",
                said_since(&log, length).trim()
            )));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    super::status::print(&format!("{run}\n"))?;
    eprintln!(
        "running in the background (process {}), also after this terminal is gone\n\
         follow with: orch status --watch, or: orch attach TASK\n\
         what the supervisor itself says: {}",
        child.id(),
        log.display()
    );
    Ok(ExitCode::SUCCESS)
}

fn said_since(log: &Path, length: u64) -> String {
    let mut words = String::new();
    let read = File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(length))?;
        file.read_to_string(&mut words)
    });
    // What cannot be read is not said; the error itself is.
    let _ = read;
    words
}

/// Looks after a log as long as this process lives.
pub(super) fn keep_bounded(log: &Path) {
    let log = log.to_owned();
    let look = move || {
        loop {
            let _ = turn_over(&log, LARGEST_LOG);
            std::thread::sleep(LOOK);
        }
    };
    // Without the thread the log is as long as it gets.
    let _ = std::thread::Builder::new().name("orch-log".to_owned()).spawn(look);
}

/// Keeps what a file holds beside it and empties it, if it is too large. In place, as others have it open.
fn turn_over(log: &Path, largest: u64) -> std::io::Result<bool> {
    if std::fs::metadata(log)?.len() <= largest {
        return Ok(false);
    }
    let mut before = PathBuf::from(log).into_os_string();
    before.push(".1");
    std::fs::copy(log, before)?;
    File::options().write(true).open(log)?.set_len(0)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_log_that_is_too_large_begins_again_and_keeps_its_last_part() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("supervisor.log");
        let mut file = File::options().create(true).append(true).open(&log).unwrap();
        file.write_all(b"0123456789").unwrap();
        assert!(!turn_over(&log, 10).unwrap());
        file.write_all(b"x").unwrap();
        assert!(turn_over(&log, 10).unwrap());
        file.write_all(b"later").unwrap();
        assert_eq!(std::fs::read(&log).unwrap(), b"later");
        assert_eq!(std::fs::read(dir.path().join("supervisor.log.1")).unwrap(), b"0123456789x");
        assert_eq!(said_since(&log, 3), "er");
    }
}
