//! A conflict given to an agent: in the task's own worktree the target is merged into its branch, and the
//! agent is asked to put both sides together.
//!
//! Neither side is ever lost: the target is not touched, the branch only grows by a merge commit that holds
//! both, and where the agent does not manage, the worktree is put back and what it left is kept under
//! `refs/orch/graveyard/`. What it made is tested like any other work before it lands.

use super::{LandOptions, Landing, Outcome};
use crate::engine::{RESOLVE, State};
use crate::git::{Concluded, WorktreeSpec};
use crate::model::{AgentProfile, AttemptEnd, AttemptId, Dialect, Event, TaskId, shell_word};
use crate::process::{Finished, ShimResult};
use crate::supervisor::attempt::Job;
use crate::supervisor::builtin::subject;
use crate::supervisor::foreground::{finished, run};
use crate::supervisor::world::create_dir;
use crate::supervisor::{Ledger, SupervisorError, World, agents};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How often an agent is asked about one task. More tries cost money and rarely help.
const TRIES: u32 = 3;

/// How much of a file in conflict and of a prompt the agent is shown, bytes; the files are before it anyway.
const SHOWN: usize = 8 << 10;

/// Asks an agent about every conflict of a landing; the tasks whose branches have both sides now.
pub(super) async fn resolve(
    world: &World,
    ledger: &mut Ledger,
    options: &LandOptions,
    landing: &mut Landing,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<TaskId>, SupervisorError> {
    let Some(default) = &options.resolver else { return Ok(Vec::new()) };
    let mut resolved = Vec::new();
    for (name, outcome) in &mut landing.tasks {
        let Outcome::Conflict { paths, with, reason, .. } = outcome else { continue };
        let state = ledger.state();
        let Some(position) = state.spec.tasks.iter().position(|t| t.name == *name) else {
            continue;
        };
        let conflict = Conflict { position, into: &landing.into, paths, with };
        match conflict.ask(world, ledger, options, default, tell).await? {
            Ok(lost) => {
                resolved.push(ledger.state().spec.tasks[position].id.clone());
                landing.notes.extend(lost);
            }
            Err(why) => *reason = Some(why),
        }
    }
    Ok(resolved)
}

struct Conflict<'c> {
    position: usize,
    into: &'c str,
    paths: &'c [String],
    /// Names of the tasks on the other side.
    with: &'c [String],
}

/// Why there is no resolution.
type Why = String;

impl Conflict<'_> {
    /// What a person should know about the resolution, or why there is none.
    async fn ask(
        &self,
        world: &World,
        ledger: &mut Ledger,
        options: &LandOptions,
        default: &AgentProfile,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Result<Option<String>, Why>, SupervisorError> {
        let state = ledger.state();
        let task = state.spec.tasks[self.position].clone();
        // A shell agent runs its prompt and reads nothing.
        let own = state.spec.agents.get(&task.agent).filter(|own| own.output != Dialect::Shell);
        let profile = own.unwrap_or(default).clone();
        if profile.output == Dialect::Shell {
            return Ok(Err(
                "the shell agent reads no conflicts; set `agent` in orch.toml".to_owned()
            ));
        }
        let Some(tip) = world.repo.branch_tip(&task.branch)? else {
            return Ok(Err(format!("its branch {} is gone", task.branch)));
        };
        let worktree = world.worktree(&task.worktree);
        let mut found = None;
        let open = state.merging.resolving.get(&task.id).cloned();
        if let Some(open) = &open {
            tell(&format!("{}: going on with what {} was asked before", task.name, open.agent));
            let id = attempt(&task.id, open.attempt);
            found = finished(&world.layout.attempt(&state.spec.id, &id)).await?;
            if found.is_none() && worktree.exists() {
                world.repo.rewind_worktree(&worktree, &task.branch, &tip, task.id.as_str())?;
            }
        }
        let (job, onto, result) = if let (Some(open), Some(result)) = (&open, found) {
            let job = self.job(world, state, options, &profile, &tip, open.attempt);
            (job, open.onto.clone(), result)
        } else {
            let number = state.merging.asked.get(&task.id).copied().unwrap_or(0) + 1;
            if number > TRIES {
                return Ok(Err(format!("asked {TRIES} times before, in vain")));
            }
            let Some(onto) = world.repo.branch_tip(self.into)? else {
                return Ok(Err(format!("{} is gone", self.into)));
            };
            if !worktree.exists() {
                let (id, branch) = (task.id.to_string(), task.branch.clone());
                let spec = WorktreeSpec { id, path: worktree.clone(), branch, base: tip.clone() };
                world.worktrees.create(&spec)?;
            }
            let found = world.repo.worktree_state(&worktree, &tip)?;
            if found.dirty_count > 0 || found.operation.is_some() {
                return Ok(Err(format!("{} has uncommitted changes", task.worktree)));
            }
            let job = self.job(world, state, options, &profile, &tip, number);
            tell(&format!(
                "{}: asking {} to resolve the conflict in {}; see: orch logs {} --step {RESOLVE} -f",
                task.name,
                profile.name,
                self.paths.join(", "),
                shell_word(&task.name),
            ));
            ledger.record(vec![Event::ConflictResolving {
                task: task.id.clone(),
                into: self.into.to_owned(),
                onto: onto.clone(),
                attempt: number,
                agent: profile.name.clone(),
            }])?;
            let result = self.run(world, ledger.state(), &job, &onto, options).await?;
            (job, onto, result)
        };
        let end = agents::judge(world, &job, &result, result.stopped);
        let outcome = self.conclude(world, ledger.state(), &job, &onto, &end);
        if outcome.is_err() {
            world.repo.rewind_worktree(&worktree, &task.branch, &tip, task.id.as_str())?;
        }
        let lost = match &outcome {
            Ok(commit) if world.repo.tree_of(commit)? == world.repo.tree_of(&onto)? => {
                Some(format!(
                    "{}: nothing of it is in what the agent made of the conflict, which is {} as it was; its work \
                     before that is {tip}; to start it again: orch retry {}",
                    task.name,
                    self.into,
                    shell_word(&task.name)
                ))
            }
            _ => None,
        };
        ledger.record(vec![Event::ConflictResolved {
            task: task.id,
            commit: outcome.as_ref().ok().cloned(),
            reason: outcome.as_ref().err().cloned(),
            usage: end.usage,
        }])?;
        Ok(outcome.map(|_| lost))
    }

    fn job(
        &self,
        world: &World,
        state: &State,
        options: &LandOptions,
        profile: &AgentProfile,
        tip: &str,
        number: u32,
    ) -> Job {
        let id = attempt(&state.spec.tasks[self.position].id, number);
        let mut job = Job::asked(world, state, self.position, id, Some(profile), tip);
        job.step.timeout_ms = options.timeout_ms;
        job
    }

    async fn run(
        &self,
        world: &World,
        state: &State,
        job: &Job,
        onto: &str,
        options: &LandOptions,
    ) -> Result<ShimResult, SupervisorError> {
        let worktree = world.worktree(&job.task.worktree);
        let paths = world.repo.begin_merge(&worktree, onto)?;
        create_dir(&job.dir)?;
        let text = self.prompt(world, state, job, &paths, options);
        let plan = agents::plan_text(world, job, &text, &BTreeMap::new(), None, &[])
            .map_err(|failure| SupervisorError::Refused(failure.message))?;
        match run(&job.dir, &plan.shim).await? {
            Finished::Done(result) => Ok(result),
            Finished::Lost { .. } => Err(SupervisorError::Refused(format!(
                "the agent that resolved the conflict of {} was lost; run orch merge again",
                job.task.name
            ))),
        }
    }

    /// Commits what the agent made of it.
    fn conclude(
        &self,
        world: &World,
        state: &State,
        job: &Job,
        onto: &str,
        end: &AttemptEnd,
    ) -> Result<String, Why> {
        if let Some(failure) = end.ending.failure() {
            return Err(failure.message.clone());
        }
        let message = format!(
            "Merge {} into {}\n\nConflicts resolved by {}.\n\nOrch-Task: {}\nOrch-Run: {}\n",
            self.into,
            job.task.name,
            job.profile.as_ref().map_or("an agent", |profile| &profile.name),
            job.task.id,
            state.spec.id
        );
        let worktree = world.worktree(&job.task.worktree);
        let branch = &job.task.branch;
        match world.repo.conclude_merge(&worktree, branch, &job.start, onto, &message) {
            Ok(Concluded::Both(commit)) => Ok(commit),
            Ok(Concluded::Markers(paths)) => {
                Err(format!("conflict markers are left in {}", paths.join(", ")))
            }
            Ok(Concluded::OneSide) => Err("it gave one of the sides up".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn prompt(
        &self,
        world: &World,
        state: &State,
        job: &Job,
        paths: &[String],
        options: &LandOptions,
    ) -> String {
        let mut out = String::new();
        let (task, into) = (&job.task, self.into);
        let worktree = world.worktree(&task.worktree);
        let _ = writeln!(
            out,
            "# Resolve the merge of {into} into {}\n\nIn the git worktree {} the branch {into} is being merged into {}. Both \
             sides changed the same places. Put them together so that everything that either side was asked to do \
             holds; where they cannot both hold, decide, and say in your last message what you decided.\n\nFiles in \
             conflict:\n",
            task.name,
            worktree.display(),
            task.branch
        );
        for path in paths {
            let _ = writeln!(out, "- {path}");
        }
        let _ = writeln!(out, "\n## One side: {} ({})\n", task.name, subject(task));
        out.push_str(&said(world, state, &task.id));
        for name in self.with {
            let Some(other) = state.spec.tasks.iter().find(|t| t.name == *name) else { continue };
            let _ = writeln!(out, "\n## The other side: {name} ({})\n", subject(other));
            out.push_str(&said(world, state, &other.id));
        }
        if self.with.is_empty() {
            let _ = writeln!(
                out,
                "\n## The other side\n\nCommits on {into} that no task of this run made; see: git log -p {}..MERGE_HEAD",
                job.start
            );
        }
        out.push_str(
            "\n## The conflict\n\nBetween <<<<<<< and ||||||| is the first side, between ||||||| and ======= what both \
             began from, between ======= and >>>>>>> the other side.\n",
        );
        for path in paths {
            let text = std::fs::read(worktree.join(path)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let _ = writeln!(out, "\n{path}:\n\n{}", fenced(beginning(&text)));
        }
        out.push_str("\n---\n\n## Working agreement\n\n");
        let _ = writeln!(out, "- Work only inside {}.", worktree.display());
        out.push_str(
            "- Edit the files until no conflict marker is left, then stop: what you leave is committed as the merge. Do not \
             abort or restart the merge, switch branches, push or rebase.\n- Change nothing that the conflict does not \
             concern.\n",
        );
        if !options.verify.is_empty() {
            let commands: Vec<String> = options.verify.iter().map(|c| format!("`{c}`")).collect();
            let _ = writeln!(
                out,
                "- When you are done these must succeed in the worktree: {}. Run them yourself first.",
                commands.join(", ")
            );
        }
        out.push_str("- Nobody can answer questions. End every process you started.\n");
        out
    }
}

fn attempt(task: &TaskId, number: u32) -> AttemptId {
    AttemptId { task: task.clone(), step: RESOLVE.into(), number }
}

/// The prompt of a task, fenced.
fn said(world: &World, state: &State, task: &TaskId) -> String {
    let file = world.layout.prompt(&state.spec.id, task);
    let text = std::fs::read_to_string(file).unwrap_or_default();
    format!("It was asked:\n\n{}\n", fenced(beginning(&text)))
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(SHOWN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A fence longer than any in the text, so that the text cannot end it.
fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}\n{}\n{fence}", text.trim_end())
}
