//! Splitting by an agent: one question about all prompts, one answer, checked before it is believed.
//!
//! The agent works in a detached worktree that is removed afterwards, so that nothing it does there stays.

use super::answer::{self, Answer, Subtask};
use super::{Part, Planned, Verdict};
use crate::agent::{self, LaunchContext};
use crate::analysis::Tree;
use crate::config::Config;
use crate::git::Repo;
use crate::model::{AgentProfile, Dialect};
use crate::plan::Declared;
use crate::process::{self, Entry, Finished, LogReader, ShimSpec, Stop, Stream};
use crate::prompt::Prompt;
use crate::supervisor::SupervisorError;
use crate::supervisor::intake::{IntakeError, input, profiles};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// What an agent's words about a failure are cut to, characters.
const SHOWN: usize = 400;
/// Output that is read, bytes.
const MAX_OUTPUT: usize = 4 << 20;
/// Milliseconds that a planner has where nothing else is said: it looks at files and answers.
const TIMEOUT_MS: u64 = 15 * 60 * 1000;

pub(super) fn split(
    repo: &Repo,
    config: &Config,
    base: &str,
    tree: &Tree,
    prompts: Vec<Prompt>,
    name: &str,
) -> Result<Vec<Verdict>, IntakeError> {
    let all = profiles(config)?;
    let Some(profile) = all.get(name).filter(|profile| profile.output != Dialect::Shell) else {
        let known: Vec<&str> =
            all.values().filter(|p| p.output != Dialect::Shell).map(|p| p.name.as_str()).collect();
        return Err(input(format!(
            "--decompose agent:{name}: no such agent; known: {}",
            known.join(", ")
        )));
    };
    let may_be_split =
        |prompt: &Prompt| prompt.done.is_none() && prompt.front.agent.as_deref() != Some("shell");
    let asked: Vec<&Prompt> = prompts.iter().filter(|prompt| may_be_split(prompt)).collect();
    let mut decisions = HashMap::new();
    if !asked.is_empty() {
        let output = ask(repo, config, base, profile, &answer::question(&asked))?;
        let wrong = |problems: Vec<String>| {
            let lines: Vec<String> =
                problems.iter().map(|problem| format!("  {problem}")).collect();
            input(format!("the answer of the agent '{name}' cannot be used:\n{}", lines.join("\n")))
        };
        let value = answer::find(&output).ok_or_else(|| {
            wrong(vec![format!(
                "there is no JSON object with \"tasks\" in it; it ended with: {}",
                last(&output)
            )])
        })?;
        let answer: Answer =
            serde_json::from_value(value).map_err(|error| wrong(vec![error.to_string()]))?;
        let problems = answer::check(&answer, &asked, tree);
        if !problems.is_empty() {
            return Err(wrong(problems));
        }
        decisions
            .extend(answer.tasks.into_iter().map(|decision| (decision.task.clone(), decision)));
    }
    let verdict = |prompt: Prompt| match decisions.remove(&prompt.name) {
        Some(decision) if decision.subtasks.is_empty() => (Err(prompt), one_line(&decision.reason)),
        Some(decision) => (Ok(parts(&prompt, &decision.subtasks)), one_line(&decision.reason)),
        None if may_be_split(&prompt) => (Err(prompt), format!("{name} says nothing about it")),
        None => (Err(prompt), "it is done, or its shell blocks belong together".to_owned()),
    };
    Ok(prompts.into_iter().map(verdict).collect())
}

fn parts(whole: &Prompt, subtasks: &[Subtask]) -> Vec<Planned> {
    let name = |i: usize| format!("{}.{}-{}", whole.name, i + 1, subtasks[i].name);
    let place: HashMap<&str, usize> =
        subtasks.iter().enumerate().map(|(i, subtask)| (subtask.name.as_str(), i)).collect();
    let make = |(i, subtask): (usize, &Subtask)| {
        let after = subtask.depends_on.iter().filter_map(|first| place.get(first.as_str()));
        let after = after.map(|&first| Declared {
            name: name(first),
            line: None,
            words: Some(format!(
                "the planner: {} depends on {}",
                subtask.name, subtasks[first].name
            )),
        });
        let focus = format!("# {}\n\n{}", one_line(&subtask.title), subtask.prompt.trim());
        let text = format!(
            "{focus}\n\nThis is one part of a larger request, '{}'. Do only this part; other agents do the others.\n",
            whole.title
        );
        let part = Part {
            whole: whole.name.clone(),
            focus,
            common: String::new(),
            files: subtask.files.iter().chain(&subtask.creates).map(|path| glob(path)).collect(),
            reads: subtask.reads.iter().map(|path| glob(path)).collect(),
            after: after.collect(),
            depends_on: whole.front.depends_on.clone(),
        };
        Planned { prompt: whole.part(name(i), one_line(&subtask.title), text), part: Some(part) }
    };
    subtasks.iter().enumerate().map(make).collect()
}

/// A path as a glob that matches only it.
fn glob(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if "[]{}?\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Runs the agent once; what it printed.
fn ask(
    repo: &Repo,
    config: &Config,
    base: &str,
    profile: &AgentProfile,
    question: &str,
) -> Result<String, IntakeError> {
    let state = repo.state_dir();
    crate::supervisor::world::create_dir(&state)?;
    let dir = tempfile::Builder::new().prefix("planner-").tempdir_in(&state);
    let dir =
        dir.map_err(SupervisorError::io(format!("make a directory in {}", state.display())))?;
    let file = dir.path().join("prompt.md");
    std::fs::write(&file, question)
        .map_err(SupervisorError::io(format!("write {}", file.display())))?;
    let scratch = repo.scratch(base).map_err(SupervisorError::from)?;
    let env: BTreeMap<String, String> = [
        ("ORCH_STEP", "decompose".to_owned()),
        ("ORCH_BASE", base.to_owned()),
        ("ORCH_WORKTREE", scratch.path().display().to_string()),
        ("ORCH_PROMPT_FILE", file.display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let launch = agent::launch(
        profile,
        &LaunchContext {
            prompt_text: question,
            prompt_file: &file,
            worktree: scratch.path(),
            model: config.model.as_deref(),
            session: None,
            attempt_dir: dir.path(),
            shell_blocks: &[],
            env: &env,
        },
    )
    .map_err(input)?;
    let limit = config.timeout.map_or(TIMEOUT_MS, |timeout| {
        u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).min(TIMEOUT_MS)
    });
    let mut env_remove = launch.env_remove;
    if !config.github.token_for_agents {
        env_remove.extend(crate::forge::TOKEN_VARIABLES.map(str::to_owned));
    }
    let spec = ShimSpec {
        argv: launch.argv,
        cwd: scratch.path().to_owned(),
        env: launch.env,
        env_remove,
        stdin: launch.stdin,
        timeout_ms: Some(limit),
        idle_timeout_ms: None,
        grace_ms: u64::try_from(config.grace.as_millis()).unwrap_or(u64::MAX),
        log_cap: config.log_cap,
    };
    let failed = |why: String| input(format!("the agent '{}' gave no answer: {why}", profile.name));
    let finished = run(dir.path(), &spec)?;
    let output = printed(dir.path());
    match finished {
        None => Err(failed("interrupted".to_owned())),
        Some(Finished::Lost { .. }) => Err(failed("its shim was killed".to_owned())),
        Some(Finished::Done(result)) => {
            match (&result.spawn_error, result.stopped, result.exit.code) {
                (Some(error), ..) => Err(failed(error.clone())),
                (_, Some(_), _) => Err(failed(format!("it took longer than {} s", limit / 1000))),
                (_, _, Some(0)) => Ok(output),
                (_, _, code) => {
                    let code = code.map_or("a signal".to_owned(), |code| format!("exit {code}"));
                    Err(failed(format!("{code}: {}", last(&output))))
                }
            }
        }
    }
}

/// `None` where Ctrl-C ended it.
fn run(dir: &Path, spec: &ShimSpec) -> Result<Option<Finished>, SupervisorError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(SupervisorError::io("start a runtime".to_owned()))?;
    runtime.block_on(async {
        let running = process::start(dir, spec).await?;
        let stopper = running.stopper();
        let mut ended = std::pin::pin!(running.wait());
        tokio::select! {
            finished = &mut ended => Ok(Some(finished?)),
            _ = tokio::signal::ctrl_c() => {
                stopper.stop(Stop::Gracefully);
                ended.await?;
                Ok(None)
            }
        }
    })
}

/// Everything on its standard output, up to a limit, and where there is nothing, its standard error.
fn printed(dir: &Path) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut log = LogReader::open(dir);
    while let Some(Ok(entry)) = log.next() {
        if let Entry::Output { stream, bytes, .. } = entry {
            let place = if stream == Stream::Stdout { &mut out } else { &mut err };
            if place.len() < MAX_OUTPUT {
                place.extend_from_slice(&bytes);
            }
        }
    }
    let said = if out.is_empty() { err } else { out };
    String::from_utf8_lossy(&said).into_owned()
}

fn last(output: &str) -> String {
    let line = output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    let start = line.char_indices().rev().nth(SHOWN - 1).map_or(0, |(i, _)| i);
    one_line(&line[start..])
}

fn one_line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}
