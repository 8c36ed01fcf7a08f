//! Tests of merged trees: each in a worktree that is made for it and goes with it, through a shim like
//! every other process.

use super::LandOptions;
use crate::engine::State;
use crate::git::Scratch;
use crate::model::StopReason;
use crate::process::{self, Finished, Running, ShimSpec, Stop, Stopper};
use crate::supervisor::attempt::RUN_EACH;
use crate::supervisor::foreground::{self, or_interrupted};
use crate::supervisor::world::create_dir;
use crate::supervisor::{SupervisorError, World};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folders of the tests, in that of the run: `merge.1`, `merge.2`, ...
const FOLDER: &str = "merge";

/// A test that runs.
pub(super) struct Run {
    running: Running,
    /// Where it runs; removed with it.
    _scratch: Scratch,
    folder: String,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    /// A command that does not exist, or was killed: that says nothing about the tree.
    CouldNotRun,
}

/// A test that ended.
pub(super) struct Ended {
    pub verdict: Verdict,
    /// The folder of its log, from that of the run.
    pub folder: String,
}

impl Run {
    /// Starts the commands on a commit.
    pub(super) async fn start(
        world: &World,
        state: &State,
        options: &LandOptions,
        commands: &[String],
        commit: &str,
    ) -> Result<Self, SupervisorError> {
        let (dir, folder) = fresh(&world.layout.run(&state.spec.id))?;
        let scratch = world.repo.scratch(commit)?;
        let argv = ["sh", "-c", RUN_EACH, "orch"].into_iter().map(str::to_owned);
        let spec = ShimSpec {
            argv: argv.chain(commands.iter().cloned()).collect(),
            cwd: scratch.path().to_owned(),
            env: BTreeMap::from([("ORCH_RUN_ID".to_owned(), state.spec.id.to_string())]),
            env_remove: world.not_inherited(),
            stdin: None,
            timeout_ms: options.timeout_ms,
            idle_timeout_ms: None,
            grace_ms: state.spec.grace_ms,
            log_cap: state.spec.log_cap,
        };
        let running = process::start(&dir, &spec).await?;
        Ok(Self { running, _scratch: scratch, folder })
    }
}

/// Waits for all of them, and tells of each by its place as soon as it ends. On Ctrl-C they are stopped, and
/// nothing lands.
pub(super) async fn wait_all(
    runs: Vec<Run>,
    mut tell: impl FnMut(usize, Ended) -> Result<(), SupervisorError>,
) -> Result<(), SupervisorError> {
    let stoppers: Vec<Stopper> = runs.iter().map(|run| run.running.stopper()).collect();
    let mut waiting = tokio::task::JoinSet::new();
    for (place, Run { running, _scratch: scratch, folder }) in runs.into_iter().enumerate() {
        waiting.spawn(async move {
            let finished = running.wait().await?;
            drop(scratch);
            let stopped = matches!(
                &finished,
                Finished::Done(result) if result.stopped == Some(StopReason::Cancelled)
            );
            let ended = Ended { verdict: verdict(&finished), folder };
            Ok::<_, SupervisorError>((!stopped).then_some((place, ended)))
        });
    }
    let mut whole = true;
    or_interrupted(&stoppers, async {
        while let Some(ended) = waiting.join_next().await {
            let ended = ended.map_err(|error| {
                SupervisorError::io("wait for a test")(std::io::Error::other(error))
            })??;
            match ended {
                Some((place, ended)) => tell(place, ended)?,
                // Stopped by hand: that says nothing about the tree.
                None => whole = false,
            }
        }
        if whole { Ok(()) } else { Err(SupervisorError::Interrupted) }
    })
    .await
}

/// Ends tests of which the results are not wanted any more.
pub(super) async fn stop_all(runs: Vec<Run>) {
    for run in &runs {
        run.running.stop(Stop::Gracefully);
    }
    for run in runs {
        // Whatever came of it: nobody asks.
        let _ = run.running.wait().await;
    }
}

fn verdict(finished: &Finished) -> Verdict {
    let Finished::Done(result) = finished else { return Verdict::CouldNotRun };
    match (result.exit.code, result.stopped) {
        (Some(0), None) => Verdict::Passed,
        // Not found, or not executable (POSIX, Exit Status for Commands).
        (Some(126 | 127) | None, None) => Verdict::CouldNotRun,
        _ => Verdict::Failed,
    }
}

/// Ends tests that a killed merge left running. The caller holds the lock of merging, so nobody waits for
/// them.
pub(super) async fn end_leftovers(world: &World, state: &State) -> Result<(), SupervisorError> {
    let Ok(entries) = std::fs::read_dir(world.layout.run(&state.spec.id)) else { return Ok(()) };
    for entry in entries.flatten() {
        let dir = entry.path();
        let name = entry.file_name();
        let is_test =
            name.to_string_lossy().strip_prefix(FOLDER).is_some_and(|n| n.starts_with('.'));
        if !is_test || process::has_ended(&dir)? && dir.join("result.json").exists() {
            continue;
        }
        foreground::end(&dir).await?;
    }
    Ok(())
}

/// `merge.N` of a run, the first N that is free.
fn fresh(run: &Path) -> Result<(PathBuf, String), SupervisorError> {
    create_dir(run)?;
    for n in 1.. {
        let folder = format!("{FOLDER}.{n}");
        let dir = run.join(&folder);
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok((dir, folder)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(SupervisorError::io(format!("create {}", dir.display()))(error));
            }
        }
    }
    Err(SupervisorError::Refused("there is no free number left".to_owned()))
}
