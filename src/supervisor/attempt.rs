//! One attempt of a step that is a process: prepared, started through its shim, followed, judged.

use super::agents::{self, Plan};
use super::pressure::Freed;
use super::quiet::{Quiet, Silence};
use super::recover::Found;
use super::world::create_dir;
use super::{Progress, SupervisorError, World, clock, snapshots};
use crate::engine::{Beginning, State};
use crate::git::WorktreeSpec;
use crate::model::{
    AgentProfile, AttemptEnd, AttemptId, Ending, Exit, Failure, FailureClass, Phase, ResourceUse,
    StepKind, StepSpec, StopReason, TaskId, TaskSpec, shell_word,
};
use crate::process::{
    self, Entry, Finished, LogReader, ProcessError, ShimResult, ShimSpec, Stopper,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

/// What the attempts tell the loop.
pub(super) enum Observation {
    /// Its shim runs.
    Started { attempt: AttemptId, pid: u32, stopper: Stopper },
    /// What became of one that an earlier supervisor left.
    Found { attempt: AttemptId, found: Result<Found, SupervisorError> },
    /// It ended.
    Ended { attempt: AttemptId, end: Box<AttemptEnd> },
    /// It neither prints nor computes.
    Quiet { attempt: AttemptId, silence: Silence },
    /// What its worktree occupies, bytes.
    Measured { task: TaskId, occupied: u64 },
    /// Room was made on the disk.
    MadeRoom(Freed),
    /// What it is doing.
    Progress { attempt: AttemptId, progress: Progress },
}

/// Everything an attempt needs to know, taken from the state when it starts.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) id: AttemptId,
    pub(super) dir: PathBuf,
    pub(super) task: TaskSpec,
    pub(super) step: StepSpec,
    pub(super) run: crate::model::RunId,
    /// The commit the task's branch started from.
    pub(super) start: String,
    pub(super) profile: Option<AgentProfile>,
    pub(super) grace_ms: u64,
    pub(super) log_cap: u64,
    /// The commit whose tree the worktree is brought to, where a person asked for a snapshot.
    pub(super) snapshot: Option<String>,
    /// How it begins, where not as the first did.
    pub(super) beginning: Beginning,
    /// The failure that led to this attempt.
    pub(super) previous: Option<Failure>,
    /// Where the command's output is that failed before this attempt.
    pub(super) failed_command: Option<PathBuf>,
    /// Paths that other tasks of the run are expected to write, by their names. Only while it starts.
    pub(super) others: Arc<[(String, Vec<String>)]>,
}

impl Job {
    /// `None` for an attempt that the state does not know.
    pub(super) fn of(world: &World, state: &State, id: &AttemptId) -> Option<Self> {
        let (task, step) = state.step_spec(&id.task, &id.step)?;
        let position = state.position(&id.task)?;
        let beginning = state.attempt(id).map(|a| a.beginning.clone()).unwrap_or_default();
        let agent = beginning.agent.as_ref().unwrap_or(&task.agent);
        Some(Self {
            id: id.clone(),
            dir: world.layout.attempt(&state.spec.id, id),
            task: task.clone(),
            step: step.clone(),
            run: state.spec.id.clone(),
            start: state.start(position).unwrap_or(&state.spec.base).to_owned(),
            profile: state.spec.agents.get(agent).cloned(),
            grace_ms: state.spec.grace_ms,
            log_cap: state.spec.log_cap,
            snapshot: state.tasks[position].snapshot.clone(),
            previous: state.previous_failure(position),
            failed_command: failed_command(state, position)
                .map(|failed| world.layout.attempt(&state.spec.id, &failed)),
            beginning,
            others: Arc::default(),
        })
    }

    /// An agent that is asked something about a task, beside its steps.
    pub(super) fn asked(
        world: &World,
        state: &State,
        position: usize,
        id: AttemptId,
        profile: Option<&AgentProfile>,
        start: &str,
    ) -> Self {
        let mut task = state.spec.tasks[position].clone();
        if profile.is_some_and(|profile| profile.name != task.agent) {
            // What the task's own agent calls a model is no name to another.
            task.model = None;
        }
        let step = StepSpec {
            id: id.step.clone(),
            phase: Phase::Review,
            kind: StepKind::Agent,
            needs: Vec::new(),
            skip: None,
            timeout_ms: None,
            idle_timeout_ms: None,
            retries: 0,
        };
        Self {
            dir: world.layout.attempt(&state.spec.id, &id),
            id,
            task,
            step,
            run: state.spec.id.clone(),
            start: start.to_owned(),
            profile: profile.cloned(),
            grace_ms: state.spec.grace_ms,
            log_cap: state.spec.log_cap,
            snapshot: None,
            beginning: Beginning::default(),
            previous: None,
            failed_command: None,
            others: Arc::default(),
        }
    }

    /// As [`Job::of`], with what only its start needs to know.
    pub(super) fn to_start(world: &World, state: &State, id: &AttemptId) -> Option<Self> {
        let mut job = Self::of(world, state, id)?;
        if matches!(job.step.kind, StepKind::Agent) {
            let others = state.spec.tasks.iter().filter(|other| {
                other.id != id.task && other.skip.is_none() && !other.writes.is_empty()
            });
            job.others = others.map(|other| (other.name.clone(), other.writes.clone())).collect();
        }
        Some(job)
    }
}

/// The attempt of a command that was the last of the task's to end, if it failed.
fn failed_command(state: &State, position: usize) -> Option<AttemptId> {
    let (spec, progress) = (&state.spec.tasks[position], &state.tasks[position]);
    let attempts =
        spec.steps.iter().zip(&progress.steps).flat_map(|(step, progress)| {
            progress.attempts.iter().map(move |attempt| (step, attempt))
        });
    let ended = attempts.filter_map(|(step, attempt)| {
        let (end, at) = attempt.ended.as_ref()?;
        Some((at, step, attempt.number, end))
    });
    let (_, step, number, end) = ended.max_by_key(|(at, ..)| **at)?;
    let failed = matches!(step.kind, StepKind::Commands { .. }) && end.ending.failure().is_some();
    failed.then(|| AttemptId { task: spec.id.clone(), step: step.id.clone(), number })
}

/// Starts the attempt and follows it to its end.
pub(super) async fn start(
    world: Arc<World>,
    job: Job,
    git: Arc<Semaphore>,
    sender: mpsc::UnboundedSender<Observation>,
) {
    let attempt = job.id.clone();
    let prepared = {
        let (world, job) = (Arc::clone(&world), job.clone());
        let _permit = git.acquire_owned().await;
        tokio::task::spawn_blocking(move || prepare(&world, &job)).await
    };
    let plan = match prepared {
        Ok(Ok(plan)) => plan,
        Ok(Err(failure)) => return finish(&sender, attempt, AttemptEnd::failed(failure)),
        Err(panic) => return finish(&sender, attempt, AttemptEnd::failed(internal(panic))),
    };
    let running = match process::start(&job.dir, &plan.shim).await {
        Ok(running) => running,
        Err(ProcessError::ShimKilled(_)) => return finish(&sender, attempt, lost(0)),
        Err(error) => return finish(&sender, attempt, AttemptEnd::failed(internal(error))),
    };
    let started = Observation::Started {
        attempt: attempt.clone(),
        pid: running.pid(),
        stopper: running.stopper(),
    };
    // A closed channel means that the supervisor is ending; the shim outlives it by design.
    let _ = sender.send(started);
    follow(world, job, running.wait(), sender).await;
}

/// Waits for a started or adopted attempt, telling what it does meanwhile.
pub(super) async fn follow(
    world: Arc<World>,
    job: Job,
    ended: impl Future<Output = Result<Finished, ProcessError>>,
    sender: mpsc::UnboundedSender<Observation>,
) {
    let mut live = agents::Live::new(&job);
    let mut wait = std::pin::pin!(ended);
    let mut quiet = Quiet::new(&job, Instant::now());
    let ended = loop {
        let pause = quiet.next(Instant::now()).map_or(live.pause(), |due| due.min(live.pause()));
        // A look that is due is not taken again and again within the same millisecond.
        let pause = pause.max(Duration::from_millis(10));
        if let Ok(ended) = tokio::time::timeout(pause, &mut wait).await {
            break ended;
        }
        if let Some(silence) = quiet.look(clock::wall(), Instant::now()) {
            let _ = sender.send(Observation::Quiet { attempt: job.id.clone(), silence });
        }
        if let Some(progress) = live.read_new() {
            let _ = sender.send(Observation::Progress { attempt: job.id.clone(), progress });
        }
    };
    let attempt = job.id.clone();
    let judged = tokio::task::spawn_blocking(move || {
        let end = judge(&world, &job, ended);
        snapshots::at_end(&world, &job, &end);
        end
    })
    .await;
    let end = judged.unwrap_or_else(|panic| AttemptEnd::failed(internal(panic)));
    finish(&sender, attempt, end);
}

fn finish(sender: &mpsc::UnboundedSender<Observation>, attempt: AttemptId, end: AttemptEnd) {
    // A closed channel means that the supervisor is ending; the next one finds the result on disk.
    let _ = sender.send(Observation::Ended { attempt, end: Box::new(end) });
}

pub(super) fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureClass::Internal, error.to_string())
}

/// Brings the worktree to where the attempt starts and works out what to run.
fn prepare(world: &World, job: &Job) -> Result<Plan, Failure> {
    create_dir(&job.dir).map_err(internal)?;
    match &job.step.kind {
        StepKind::Agent => {
            let (keep, snapshot) = (job.beginning.keep, &job.snapshot);
            make_again(world, job)?;
            if keep {
                // What a killed git left would keep the agent's own from working.
                let worktree = world.worktree(&job.task.worktree);
                world.repo.unlock_worktree(&worktree, &job.task.branch).map_err(git)?;
            } else if job.id.number > 1 || snapshot.is_some() {
                start_afresh(world, job)?;
            }
            if let Some(snapshot) = snapshot.as_ref().filter(|_| !keep) {
                world.repo.unpack(snapshot, &world.worktree(&job.task.worktree)).map_err(git)?;
            }
            agents::plan(world, job)
        }
        StepKind::Commands { run } => {
            make_again(world, job)?;
            Ok(Plan { shim: commands(world, job, run) })
        }
        StepKind::BuiltIn { .. } => Err(internal("a built-in step is not a process")),
    }
}

fn git(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureClass::Git, error.to_string())
}

/// Where an attempt, or a person, has removed the worktree there is another, with what is on the branch.
fn make_again(world: &World, job: &Job) -> Result<(), Failure> {
    let path = world.worktree(&job.task.worktree);
    if path.exists() {
        // Without its .git it is no worktree, but what is in it may matter.
        let untied = std::fs::symlink_metadata(path.join(".git")).is_err();
        return if untied { world.repo.repair_worktree(&path).map_err(git) } else { Ok(()) };
    }
    let branch = job.task.branch.clone();
    let base = world.repo.branch_tip(&branch).map_err(git)?.unwrap_or_else(|| job.start.clone());
    let spec = WorktreeSpec { id: job.id.task.to_string(), path, branch, base };
    world.worktrees.create(&spec).map(drop).map_err(git)
}

/// What an earlier attempt left half-done must not become part of this one, and is kept.
fn start_afresh(world: &World, job: &Job) -> Result<(), Failure> {
    let worktree = world.worktree(&job.task.worktree);
    let (branch, task) = (&job.task.branch, job.id.task.as_str());
    world.repo.rewind_worktree(&worktree, branch, &job.start, task).map(drop).map_err(git)
}

/// `sh -c` for each command, one after another; what is run is printed first.
pub(super) const RUN_EACH: &str = "n=0; for c do n=$((n+1)); printf '$ %s\\n' \"$c\" >&2; sh -c \"$c\" </dev/null || { e=$?; \
     printf 'orch: command %s of %s failed (exit %s)\\n' \"$n\" \"$#\" \"$e\" >&2; exit \"$e\"; }; done";

/// The commands of a step as a process.
pub(super) fn commands(world: &World, job: &Job, run: &[String]) -> ShimSpec {
    let argv = ["sh", "-c", RUN_EACH, "orch"].into_iter().map(str::to_owned);
    ShimSpec {
        argv: argv.chain(run.iter().cloned()).collect(),
        cwd: world.worktree(&job.task.worktree),
        env: agents::environment(world, job),
        env_remove: world.not_inherited(),
        stdin: None,
        timeout_ms: job.step.timeout_ms,
        idle_timeout_ms: job.step.idle_timeout_ms,
        grace_ms: job.grace_ms,
        log_cap: job.log_cap,
    }
}

/// From what the world shows to how the attempt ended.
pub(super) fn judge(world: &World, job: &Job, ended: Result<Finished, ProcessError>) -> AttemptEnd {
    let result = match ended {
        Ok(Finished::Done(result)) => result,
        Ok(Finished::Lost { survivors_ended }) => {
            let usage = agents::used(job);
            return AttemptEnd { usage, ..lost(survivors_ended) };
        }
        Err(error) => return AttemptEnd::failed(internal(error)),
    };
    if result.lost {
        return AttemptEnd { usage: agents::used(job), ..lost(0) };
    }
    let stopped = result.stopped;
    let mut end = match &job.step.kind {
        StepKind::Agent => agents::judge(world, job, &result, stopped),
        _ => judge_commands(job, &result, stopped),
    };
    end.exit = Some(result.exit);
    end.finished_at = Some(result.finished_at);
    end.wall_ms = Some(result.wall_ms);
    end.resources = Some(ResourceUse {
        peak_memory_bytes: result.peak_memory_bytes,
        cpu_seconds: Duration::from_millis(result.user_ms + result.sys_ms).as_secs_f64(),
    });
    end
}

fn lost(survivors: usize) -> AttemptEnd {
    let left = if survivors == 0 {
        String::new()
    } else {
        let (processes, were) =
            if survivors == 1 { ("process", "was") } else { ("processes", "were") };
        format!("; {survivors} {processes} it left behind {were} ended")
    };
    AttemptEnd::failed(
        Failure::new(FailureClass::Interrupted, format!("its shim was killed{left}")).suggest(
            "it starts again by itself; if that keeps happening, look for an out-of-memory killer",
        ),
    )
}

/// Shown after the class (`cancelled: ...`), so they do not say it again.
const CANCELLED: &str = "stopped by a person";
const INTERRUPTED: &str = "the supervisor was stopped";
const OVERLAP: &str = "another task that began earlier changes the same lines";
const OUT_OF_MEMORY: &str = "the machine was running out of memory";

/// The shim knows that it was told to stop; why is in the journal.
pub(super) fn with_reason(mut end: AttemptEnd, stopping: Option<StopReason>) -> AttemptEnd {
    let (Some(reason), Ending::Failed { failure }) = (stopping, &mut end.ending) else {
        return end;
    };
    if matches!(failure.class, FailureClass::Cancelled | FailureClass::Interrupted) {
        *failure = match reason {
            StopReason::Cancelled => Failure::new(FailureClass::Cancelled, CANCELLED),
            StopReason::OutOfMemory => Failure::new(FailureClass::Interrupted, OUT_OF_MEMORY)
                .suggest("it starts again by itself; fewer at a time: --jobs"),
            StopReason::Overlap => Failure::new(FailureClass::Interrupted, OVERLAP)
                .suggest("it goes on by itself when that task has ended"),
            _ => Failure::new(FailureClass::Interrupted, INTERRUPTED)
                .suggest("go on with: orch resume"),
        };
    }
    end
}

fn judge_commands(job: &Job, result: &ShimResult, stopped: Option<StopReason>) -> AttemptEnd {
    let class = if job.step.phase == Phase::Setup {
        FailureClass::SetupFailed
    } else {
        FailureClass::VerifyFailed
    };
    let see = format!("orch logs {} --step {}", shell_word(&job.task.name), job.step.id);
    let failure = match (stopped, result.exit, &result.spawn_error) {
        (Some(reason), _, _) => stopped_failure(reason, &job.step),
        (_, _, Some(error)) => Failure::new(FailureClass::BadCommand, error.clone()),
        (_, Exit { code: Some(0), .. }, _) => return AttemptEnd::of(Ending::Succeeded),
        (_, Exit { code: Some(code), .. }, _) => {
            let last = last_line(job);
            Failure::new(class, format!("{} failed with exit code {code}{last}", job.step.id))
        }
        (_, Exit { signal, .. }, _) => Failure::new(
            FailureClass::Killed,
            format!("{} was killed by signal {}", job.step.id, signal.unwrap_or(0)),
        ),
    };
    AttemptEnd::failed(failure.suggest(format!("see: {see}")))
}

pub(super) fn stopped_failure(reason: StopReason, step: &StepSpec) -> Failure {
    let seconds = |ms: Option<u64>| ms.map_or(0.0, |ms| Duration::from_millis(ms).as_secs_f64());
    match reason {
        StopReason::Timeout => Failure::new(
            FailureClass::Timeout,
            format!("stopped after its time limit of {} s", seconds(step.timeout_ms)),
        ),
        StopReason::IdleTimeout => Failure::new(
            FailureClass::Idle,
            format!("stopped after {} s without output and CPU use", seconds(step.idle_timeout_ms)),
        ),
        StopReason::Cancelled => Failure::new(FailureClass::Cancelled, CANCELLED),
        StopReason::Interrupted => Failure::new(FailureClass::Interrupted, INTERRUPTED),
        StopReason::OutOfMemory => Failure::new(FailureClass::Interrupted, OUT_OF_MEMORY),
        StopReason::Overlap => Failure::new(FailureClass::Interrupted, OVERLAP),
    }
}

/// The end of what a process printed, at most so many bytes.
pub(super) fn tail(dir: &Path, most: usize) -> String {
    let mut tail = Vec::new();
    for entry in LogReader::open(dir).map_while(Result::ok) {
        if let Entry::Output { bytes, .. } = entry {
            tail.extend_from_slice(&bytes);
            let cut = tail.len().saturating_sub(most);
            tail.drain(..cut);
        }
    }
    String::from_utf8_lossy(&tail).into_owned()
}

/// The last line of what the failing command said, for the one line that a status shows.
fn last_line(job: &Job) -> String {
    let tail = tail(&job.dir, 4096);
    let run = match &job.step.kind {
        StepKind::Commands { run } => run.as_slice(),
        _ => &[],
    };
    last_words(&tail, run).map_or_else(String::new, |line| {
        format!(": {}", line.chars().take(160).collect::<String>())
    })
}

/// The last line that is a command's own. What stands before the last echo of a command ([`RUN_EACH`]) is of an
/// earlier one, which succeeded; an echo may have several lines.
fn last_words<'a>(text: &'a str, run: &[String]) -> Option<&'a str> {
    let echoes = run.iter().filter_map(|command| {
        let echo = format!("$ {command}\n");
        text.rmatch_indices(&echo)
            .find(|(at, _)| *at == 0 || text[..*at].ends_with('\n'))
            .map(|(at, _)| at + echo.len())
    });
    let own = &text[echoes.max().unwrap_or(0)..];
    own.lines()
        .rev()
        .map(str::trim)
        .find(|l| !l.is_empty() && !l.starts_with("orch: ") && !l.starts_with("$ "))
}

impl From<SupervisorError> for Failure {
    fn from(error: SupervisorError) -> Self {
        internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echoed_command_is_not_what_it_said() {
        let words = |text: &'static str, run: &[&str]| {
            let run: Vec<String> = run.iter().map(ToString::to_string).collect();
            last_words(text, &run)
        };
        let failed = "orch: command 1 of 1 failed (exit 1)\n";
        assert_eq!(words("$ false\norch: command 1 of 1 failed (exit 1)\n", &["false"]), None);
        assert_eq!(words(failed, &["false"]), None);
        assert_eq!(words("$ make\n a b \n\norch: x\n", &["make"]), Some("a b"));
        // An earlier command's words are not the failing one's.
        let two = "$ echo ok\nok\n$ false\norch: command 2 of 2 failed (exit 1)\n";
        assert_eq!(words(two, &["echo ok", "false"]), None);
        // An echo of several lines.
        assert_eq!(words("$ cd x\nfalse\norch: failed\n", &["cd x\nfalse"]), None);
        // What a command itself echoes, as package runners do.
        assert_eq!(words("$ npm test\nbroken\n$ jest\n", &["npm test"]), Some("broken"));
        assert_eq!(words("", &[]), None);
    }

    #[test]
    fn a_stop_does_not_repeat_its_class() {
        for (reason, class) in [
            (StopReason::Cancelled, FailureClass::Cancelled),
            (StopReason::Interrupted, FailureClass::Interrupted),
        ] {
            let stopped = AttemptEnd::failed(Failure::new(class, "x"));
            let end = with_reason(stopped, Some(reason));
            let failure = end.ending.failure().unwrap();
            assert_eq!(failure.class, class);
            assert!(!failure.message.contains(&class.to_string()), "{}", failure.message);
        }
    }
}
