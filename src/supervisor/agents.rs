//! An agent's attempt: its prompt and command line before, its live output meanwhile, the verdict after.

use super::attempt::{Job, internal, stopped_failure, tail};
use super::{Progress, World, clock, record};
use crate::agent::{
    self, Briefing, LaunchContext, Neighbour, Previous, Reader, ShellBlock, Variables,
};
use crate::model::{
    AttemptEnd, Dialect, Ending, Failure, FailureClass, StepKind, StopReason, Usage,
};
use crate::process::{self, Entry, LogReader, ShimResult, ShimSpec, Stream};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// How much of a failed command's output an agent is given, bytes: the end of it, some hundred lines, where
/// the failing test is named; the rest is in the log.
const SHOWN: usize = 8 << 10;

/// What is to be run.
pub(super) struct Plan {
    pub(super) shim: ShimSpec,
}

/// The `ORCH_*` variables and what the prompt's front matter adds.
pub(super) fn environment(world: &World, job: &Job) -> BTreeMap<String, String> {
    let worktree = world.worktree(&job.task.worktree);
    Variables {
        run_id: job.run.as_str(),
        task_id: job.task.id.as_str(),
        task_name: &job.task.name,
        attempt: job.id.number,
        step: job.step.id.as_str(),
        role: job.task.role.as_deref(),
        worktree: &worktree,
        branch: &job.task.branch,
        base: &job.start,
        prompt_file: &job.dir.join("prompt.md"),
    }
    .to_env()
}

/// Writes the prompt and works out the command line.
pub(super) fn plan(world: &World, job: &Job) -> Result<Plan, Failure> {
    let profile = job.profile.as_ref().ok_or_else(|| {
        Failure::new(FailureClass::BadCommand, format!("no agent '{}'", job.task.agent))
    })?;
    // The prompt as it was when the run was created.
    record::ensure_prompt(world, &job.run, &job.task.id).map_err(internal)?;
    let stored = world.layout.prompt(&job.run, &job.task.id);
    let prompt = crate::prompt::load(std::slice::from_ref(&stored), Path::new("/"))
        .map_err(internal)?
        .pop()
        .ok_or_else(|| internal(format!("{} is empty", stored.display())))?;
    let worktree = world.worktree(&job.task.worktree);
    let session = job.beginning.session.as_deref().filter(|_| profile.continues_sessions());
    let output = job.failed_command.as_deref().map(|dir| tail(dir, SHOWN));
    let previous = Previous {
        error: job.previous.as_ref().map(|failure| failure.message.as_str()),
        output: output.as_deref(),
        kept: job.beginning.keep || job.snapshot.is_some(),
    };
    let text = if profile.output == Dialect::Shell {
        prompt.body.clone()
    } else if session.is_some() {
        agent::compose_continuation(&previous)
    } else {
        let verify: Vec<String> = job
            .task
            .steps
            .iter()
            .filter(|step| step.phase == crate::model::Phase::Testing)
            .filter_map(|step| match &step.kind {
                StepKind::Commands { run } => Some(run.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        let neighbours: Vec<Neighbour> =
            job.others.iter().map(|(name, paths)| Neighbour { name, paths }).collect();
        agent::compose(&Briefing {
            title: &job.task.title,
            body: &prompt.body,
            worktree: &worktree,
            branch: &job.task.branch,
            base: &job.start,
            phase: job.step.phase,
            role: job.task.role.as_deref(),
            constraints: &[],
            verify: &verify,
            others: &neighbours,
            further: job.further,
            hints: &[],
            previous: Some(previous),
        })
    };
    let blocks: Vec<ShellBlock> = prompt
        .sh_blocks()
        .map(|block| ShellBlock { line: block.line, text: block.text.clone() })
        .collect();
    plan_text(world, job, &text, &prompt.front.env, session, &blocks)
}

/// Works out the command line for a prompt, which is kept beside the log.
pub(super) fn plan_text(
    world: &World,
    job: &Job,
    text: &str,
    extra: &BTreeMap<String, String>,
    session: Option<&str>,
    blocks: &[ShellBlock],
) -> Result<Plan, Failure> {
    let profile = job.profile.as_ref().ok_or_else(|| {
        Failure::new(FailureClass::BadCommand, format!("no agent '{}'", job.task.agent))
    })?;
    let worktree = world.worktree(&job.task.worktree);
    let prompt_file = job.dir.join("prompt.md");
    std::fs::write(&prompt_file, text)
        .map_err(|e| internal(format!("write {}: {e}", prompt_file.display())))?;
    let mut env = environment(world, job);
    env.extend(extra.clone());
    let launch = agent::launch(
        profile,
        &LaunchContext {
            prompt_text: text,
            prompt_file: &prompt_file,
            worktree: &worktree,
            model: job.task.model.as_deref(),
            session,
            attempt_dir: &job.dir,
            shell_blocks: blocks,
            env: &env,
        },
    )
    .map_err(|error| Failure::new(FailureClass::BadCommand, error.to_string()))?;
    let mut env_remove = launch.env_remove;
    // What the user's configuration or the prompt gives it, it has.
    let withheld = world.withheld.iter().filter(|name| !launch.env.contains_key(**name));
    env_remove.extend(withheld.map(|name| (*name).to_owned()));
    Ok(Plan {
        shim: ShimSpec {
            argv: launch.argv,
            cwd: worktree,
            env: launch.env,
            env_remove,
            stdin: launch.stdin,
            timeout_ms: job.step.timeout_ms,
            idle_timeout_ms: job.step.idle_timeout_ms,
            grace_ms: job.grace_ms,
            log_cap: job.log_cap,
        },
    })
}

/// Reads a running agent's output as it grows.
pub(super) struct Live {
    reader: Option<Reader>,
    log: LogReader,
    /// Looks in a row that found nothing.
    idle: u32,
}

/// How often new output is read for the live view; of an agent that is silent, half as often each time, up
/// to [`SILENT`].
const LOOK: Duration = Duration::from_secs(1);
const SILENT: Duration = Duration::from_secs(4);

/// Bytes that are read at one look, at most: an agent that prints faster is shown by its last lines, and
/// nobody else has to wait.
const READ_AT_ONCE: u64 = 128 << 10;

impl Live {
    pub(super) fn new(job: &Job) -> Self {
        let is_agent = matches!(job.step.kind, StepKind::Agent);
        let reader = job.profile.as_ref().filter(|_| is_agent).map(Reader::new);
        Self { reader, log: LogReader::open(&job.dir), idle: 0 }
    }

    /// How long to wait before the next look.
    pub(super) fn pause(&self) -> Duration {
        process::until_next(if self.idle < 4 { LOOK } else { SILENT })
    }

    /// What the output since the last look says; `None` when there is nothing new.
    pub(super) fn read_new(&mut self) -> Option<Progress> {
        self.idle = self.idle.saturating_add(1);
        let reader = self.reader.as_mut()?;
        if self.log.skip_to_last(READ_AT_ONCE).is_ok_and(|skipped| skipped > 0) {
            reader.feed(b"\n");
        }
        if feed(reader, &mut self.log, READ_AT_ONCE) == 0 {
            return None;
        }
        self.idle = 0;
        let progress = reader.progress();
        Some(Progress { last: progress.last, usage: progress.usage })
    }
}

/// Feeds what the log has to the reader, and stops after about `most` bytes. How many there were.
fn feed(reader: &mut Reader, log: &mut LogReader, most: u64) -> u64 {
    let mut fed = 0;
    while fed < most
        && let Some(Ok(entry)) = log.next()
    {
        fed += match &entry {
            Entry::Output { bytes, .. } => bytes.len() as u64,
            Entry::Dropped(_) => 1,
        };
        match entry {
            Entry::Output { stream: Stream::Stdout, bytes, .. } => reader.feed(&bytes),
            Entry::Output { stream: Stream::Stderr, bytes, .. } => reader.feed_stderr(&bytes),
            // The line that was cut must not be joined with what follows the gap.
            Entry::Dropped(_) => reader.feed(b"\n"),
        }
    }
    fed
}

/// What the log of an attempt says of its session and its costs, also when nothing else is left of it.
pub(super) fn used(job: &Job) -> Usage {
    let is_agent = matches!(job.step.kind, StepKind::Agent);
    let Some(profile) = job.profile.as_ref().filter(|_| is_agent) else { return Usage::default() };
    let mut reader = Reader::new(profile);
    feed(&mut reader, &mut LogReader::open(&job.dir), u64::MAX);
    reader.progress().usage
}

/// From the agent's output, its exit and what the worktree shows to how the attempt ended.
pub(super) fn judge(
    world: &World,
    job: &Job,
    result: &ShimResult,
    stopped: Option<StopReason>,
) -> AttemptEnd {
    let Some(profile) = &job.profile else {
        return AttemptEnd::failed(internal("the agent's profile is gone"));
    };
    let mut reader = Reader::new(profile);
    feed(&mut reader, &mut LogReader::open(&job.dir), u64::MAX);
    let worktree = world.worktree(&job.task.worktree);
    // Where it is no proof of anything it is not asked for: it costs a look at every file.
    let changed = if agent::requires_changes(profile) {
        world
            .repo
            .worktree_state(&worktree, &job.start)
            .map(|state| state.head.as_deref() != Some(&*job.start) || state.dirty_count > 0)
            .inspect_err(|error| tracing::warn!("cannot look at {}: {error}", worktree.display()))
            .ok()
    } else {
        None
    };
    let verdict = reader.finish(agent::Ended {
        exit: result.exit,
        stopped: stopped.map(|reason| agent::Stopped {
            reason,
            words: stopped_failure(reason, &job.step).message,
        }),
        changed,
        spawn_error: result.spawn_error.clone(),
        now: clock::wall(),
    });
    let mut end = AttemptEnd::of(verdict.ending);
    if let Ending::Failed { failure } = &mut end.ending {
        failure.retry_at = failure.retry_at.map(clock::from_wall);
    }
    end.usage = verdict.usage;
    end.note = verdict.note;
    end
}
