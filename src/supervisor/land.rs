//! Landing finished tasks on the target branch: merged in memory in plan order, tested together, and
//! the branch moved by compare-and-swap to exactly the commit that was tested. Where a run asks for it
//! (`on_overlap = "order"`), what conflicts least is merged first instead.
//!
//! A batch that fails its test is halved until the task that breaks it is found; the rest lands.

use super::attempt::RUN_EACH;
use super::merge_order::cleaner_first;
use super::world::create_dir;
use super::{Ledger, SupervisorError, World};
use crate::engine::State;
use crate::git::{GitError, Merge};
use crate::model::{Event, OnOverlap, TaskId, TaskState};
use crate::process::{self, Finished, ShimSpec};
use std::collections::BTreeMap;
use std::path::Path;

/// The target branch may move while a batch is tested; then everything is merged and tested anew.
const TRIES: u32 = 3;

/// What to land, where, and what must pass.
#[derive(Clone, Debug, Default)]
pub struct LandOptions {
    /// The branch; the run's own when not given.
    pub into: Option<String>,
    /// Only these tasks; all finished ones when empty.
    pub only: Vec<TaskId>,
    /// Commands that must pass on the merged tree.
    pub verify: Vec<String>,
    /// Merge in memory and tell; move nothing.
    pub dry_run: bool,
}

/// What became of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on the branch (with a dry run: it would be).
    Merged,
    /// It was there already.
    AlreadyThere,
    /// Both sides changed the same lines; nothing of it landed.
    Conflict {
        /// The paths.
        paths: Vec<String>,
        /// Names of the tasks of this run that landed changes to them.
        with: Vec<String>,
    },
    /// With it, the verification fails; without it, it passes.
    Broken {
        /// The directory of the verification's log.
        log: std::path::PathBuf,
    },
    /// A person threw it away (`orch clean --force`).
    Discarded,
    /// It has not succeeded.
    NotFinished(TaskState),
}

/// What became of a landing.
#[derive(Clone, Debug)]
pub struct Landing {
    /// The branch.
    pub into: String,
    /// Where it was.
    pub from: String,
    /// Where it is (with a dry run: would be).
    pub to: String,
    /// Names and outcomes, in plan order.
    pub tasks: Vec<(String, Outcome)>,
    /// The checkout that was brought along.
    pub checkout: Option<std::path::PathBuf>,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// A task to be merged.
#[derive(Clone)]
struct Candidate {
    position: usize,
    commit: String,
}

/// Lands what is finished. `tell` hears one line for each thing that takes time.
///
/// # Errors
/// No branch to land on; a checkout in the way; a branch that will not stand still; git or the journal
/// refusing. Conflicts and failing tests are outcomes, not errors.
pub async fn land(
    world: &World,
    ledger: &mut Ledger,
    options: &LandOptions,
    tell: &mut dyn FnMut(&str),
) -> Result<Landing, SupervisorError> {
    let into =
        options.into.clone().or_else(|| ledger.state().spec.target.clone()).ok_or_else(|| {
            SupervisorError::Refused(
                "the run began on a detached HEAD; say where to land: orch merge --into BRANCH"
                    .to_owned(),
            )
        })?;
    let mut notes = world.repo.finish_landing()?;
    world.repo.sweep_scratch()?;
    for _ in 0..TRIES {
        let from =
            world.repo.branch_tip(&into)?.ok_or_else(|| SupervisorError::NoBranch(into.clone()))?;
        let mut batch = Batch::new(world, ledger.state(), options, &into, &from);
        batch.settle(tell).await?;
        let landing = batch.landing();
        notes.extend(batch.notes);
        if options.dry_run {
            return Ok(Landing { notes, ..landing });
        }
        let landed = if landing.to == from {
            None
        } else {
            let reason = format!("orch merge: {}", ledger.state().spec.id);
            match world.repo.land(&into, &from, &landing.to, &reason) {
                Ok(landed) => Some(landed),
                Err(GitError::Moved { .. }) => {
                    tell(&format!("{into} moved meanwhile; merging again"));
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        };
        ledger.record(batch_events(ledger.state(), &landing))?;
        let checkout = landed.and_then(|landed| {
            notes.extend(landed.notes);
            landed.checkout
        });
        return Ok(Landing { checkout, notes, ..landing });
    }
    Err(SupervisorError::Refused(format!(
        "{into} keeps moving; nothing was landed; try again when it stands still"
    )))
}

fn batch_events(state: &State, landing: &Landing) -> Vec<Event> {
    let id = |name: &str| state.spec.tasks.iter().find(|t| t.name == name).map(|t| t.id.clone());
    landing
        .tasks
        .iter()
        .filter_map(|(name, outcome)| {
            let (task, into) = (id(name)?, landing.into.clone());
            match outcome {
                Outcome::Merged | Outcome::AlreadyThere => {
                    Some(Event::TaskMerged { task, into, commit: landing.to.clone() })
                }
                Outcome::Conflict { paths, with } => Some(Event::MergeConflicted {
                    task,
                    into,
                    paths: paths.clone(),
                    with: with.iter().filter_map(|name| id(name)).collect(),
                }),
                Outcome::Broken { log } => {
                    let log = log.join("log").display().to_string();
                    Some(Event::MergeRejected { task, into, log })
                }
                Outcome::Discarded | Outcome::NotFinished(_) => None,
            }
        })
        .collect()
}

struct Batch<'a> {
    world: &'a World,
    state: &'a State,
    options: &'a LandOptions,
    into: &'a str,
    from: &'a str,
    tip: String,
    outcomes: BTreeMap<usize, Outcome>,
    /// Which task changed a path on the way from `from` to `tip`.
    changed_by: BTreeMap<String, Vec<usize>>,
    notes: Vec<String>,
}

impl<'a> Batch<'a> {
    fn new(
        world: &'a World,
        state: &'a State,
        options: &'a LandOptions,
        into: &'a str,
        from: &'a str,
    ) -> Self {
        Self {
            world,
            state,
            options,
            into,
            from,
            tip: from.to_owned(),
            outcomes: BTreeMap::new(),
            changed_by: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    fn candidates(&mut self) -> Result<Vec<Candidate>, SupervisorError> {
        let standings = self.state.standings();
        let mut out = Vec::new();
        for (position, task) in self.state.spec.tasks.iter().enumerate() {
            let named = self.options.only.contains(&task.id);
            if !named && !self.options.only.is_empty() {
                continue;
            }
            let state = self.state.task_state(position, &standings);
            let done = self.state.is_done(position)
                && matches!(
                    state,
                    TaskState::Succeeded | TaskState::Conflicted | TaskState::Merged
                );
            if state == TaskState::Skipped
                || (state == TaskState::Merged && !named && self.is_home())
            {
                continue;
            }
            let Some(recorded) = self.state.commit(position).filter(|_| done) else {
                self.outcomes.insert(position, Outcome::NotFinished(state));
                continue;
            };
            // The branch is what a person sees, and may have added to or mended.
            match self.world.repo.branch_tip(&task.branch)? {
                Some(tip) => {
                    if tip != recorded {
                        self.notes.push(format!(
                            "{}: its branch is not as the run left it; what is on the branch is merged",
                            task.name
                        ));
                    }
                    out.push(Candidate { position, commit: tip });
                }
                None if self.state.tasks[position].cleaned && state != TaskState::Merged => {
                    self.outcomes.insert(position, Outcome::Discarded);
                }
                None => out.push(Candidate { position, commit: recorded.to_owned() }),
            }
        }
        if self.state.spec.policy.on_overlap == OnOverlap::Order && out.len() > 1 {
            let tasks: Vec<(usize, String)> =
                out.iter().map(|c| (c.position, c.commit.clone())).collect();
            let order = cleaner_first(self.world, self.state, self.from, &tasks)?;
            out.sort_by_key(|c| order.iter().position(|task| *task == c.position));
        }
        Ok(out)
    }

    /// Whether the branch is the one that the run's merged tasks are on.
    fn is_home(&self) -> bool {
        self.state.spec.target.as_deref() == Some(self.into)
    }

    /// Merges and tests, halving what fails, until every candidate has its outcome.
    async fn settle(&mut self, tell: &mut dyn FnMut(&str)) -> Result<(), SupervisorError> {
        let mut left = vec![self.candidates()?];
        // With nothing to verify one round is all; a stack of batches otherwise.
        while let Some(batch) = left.pop() {
            let (tip, merged) = self.merge(&batch)?;
            if merged.is_empty() || self.options.verify.is_empty() {
                self.accept(tip, &merged)?;
                continue;
            }
            tell(&format!("verifying {} merged: {}", merged.len(), self.names(&merged).join(", ")));
            match (self.test(&tip).await?, merged.len()) {
                (Ok(()), _) => self.accept(tip, &merged)?,
                (Err(log), 1) => {
                    self.outcomes.insert(merged[0].position, Outcome::Broken { log });
                }
                (Err(_), many) => {
                    let (first, second) = merged.split_at(many / 2);
                    tell(&format!("verification failed; looking for the cause in {many} tasks"));
                    left.push(second.to_vec());
                    left.push(first.to_vec());
                }
            }
        }
        Ok(())
    }

    fn names(&self, batch: &[Candidate]) -> Vec<&str> {
        batch.iter().map(|c| self.state.spec.tasks[c.position].name.as_str()).collect()
    }

    /// Merges a batch onto the tip, in memory. Conflicts get their outcome; the rest is returned.
    fn merge(&mut self, batch: &[Candidate]) -> Result<(String, Vec<Candidate>), SupervisorError> {
        let mut tip = self.tip.clone();
        let mut merged = Vec::new();
        let mut changed = self.changed_by.clone();
        for candidate in batch {
            let spec = &self.state.spec.tasks[candidate.position];
            let message = format!(
                "Merge {}: {}\n\nOrch-Task: {}\nOrch-Run: {}\n",
                spec.name, spec.title, spec.id, self.state.spec.id
            );
            let before = tip.clone();
            match self.world.repo.merge_commits(&tip, &candidate.commit, &message)? {
                Merge::UpToDate => {
                    self.outcomes.insert(candidate.position, Outcome::AlreadyThere);
                    continue;
                }
                Merge::FastForward(commit) | Merge::Clean { commit, .. } => tip = commit,
                Merge::Conflict { paths } => {
                    let with = paths.iter().filter_map(|p| changed.get(p)).flatten();
                    let mut with: Vec<usize> = with.copied().collect();
                    with.sort_unstable();
                    with.dedup();
                    let name = |p: usize| self.state.spec.tasks[p].name.clone();
                    let with = with.into_iter().map(name).collect();
                    self.outcomes.insert(candidate.position, Outcome::Conflict { paths, with });
                    continue;
                }
            }
            for path in self.world.repo.changed_files(&before, &tip)? {
                changed.entry(path).or_default().push(candidate.position);
            }
            merged.push(candidate.clone());
        }
        Ok((tip, merged))
    }

    fn accept(&mut self, tip: String, merged: &[Candidate]) -> Result<(), SupervisorError> {
        for candidate in merged {
            self.outcomes.insert(candidate.position, Outcome::Merged);
            let from = self.state.start(candidate.position).unwrap_or(self.from);
            for path in self.world.repo.changed_files(from, &candidate.commit)? {
                self.changed_by.entry(path).or_default().push(candidate.position);
            }
        }
        self.tip = tip;
        Ok(())
    }

    /// Runs the verification on a commit; the log's directory when it fails.
    async fn test(
        &mut self,
        commit: &str,
    ) -> Result<Result<(), std::path::PathBuf>, SupervisorError> {
        let run = self.world.layout.run(&self.state.spec.id);
        let dir = fresh_dir(&run)?;
        let scratch = self.world.repo.scratch(commit)?;
        let argv = ["sh", "-c", RUN_EACH, "orch"].into_iter().map(str::to_owned);
        let spec = ShimSpec {
            argv: argv.chain(self.options.verify.iter().cloned()).collect(),
            cwd: scratch.path().to_owned(),
            env: BTreeMap::new(),
            env_remove: self.world.not_inherited(),
            stdin: None,
            timeout_ms: None,
            idle_timeout_ms: None,
            grace_ms: self.state.spec.grace_ms,
            log_cap: self.state.spec.log_cap,
        };
        let running = process::start(&dir, &spec).await?;
        match running.wait().await? {
            Finished::Done(result) if result.exit.code == Some(0) && result.stopped.is_none() => {
                Ok(Ok(()))
            }
            _ => Ok(Err(dir)),
        }
    }

    fn landing(&self) -> Landing {
        let name = |position: usize| self.state.spec.tasks[position].name.clone();
        Landing {
            into: self.into.to_owned(),
            from: self.from.to_owned(),
            to: self.tip.clone(),
            tasks: self.outcomes.iter().map(|(p, outcome)| (name(*p), outcome.clone())).collect(),
            checkout: None,
            notes: Vec::new(),
        }
    }
}

/// `merge.N` of a run, the first N that is free.
fn fresh_dir(run: &Path) -> Result<std::path::PathBuf, SupervisorError> {
    create_dir(run)?;
    for n in 1.. {
        let dir = run.join(format!("merge.{n}"));
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(SupervisorError::io(format!("create {}", dir.display()))(error));
            }
        }
    }
    Err(SupervisorError::Refused("there is no free number left".to_owned()))
}
