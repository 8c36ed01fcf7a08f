//! Landing finished tasks on the target branch: put together in memory, tested together, and the branch
//! moved by compare-and-swap to exactly the commit that was tested.
//!
//! What is tested and what lands is decided by the queue of the engine; here is its executor for a local
//! repository. Every result is in the journal before it counts, and what is about to land is before it
//! does: an `orch merge` that was killed goes on where it was.

mod batch;
mod candidates;
mod resolve;
mod verify;

use super::{Ledger, SupervisorError, World};
use crate::engine::State;
use crate::git::GitError;
use crate::model::{Event, Head, Strategy, TaskId, TaskState};
use batch::Batch;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The target branch may move while a batch is tested; then everything is merged and tested anew.
const TRIES: u32 = 3;

/// What to land, where, how, and what must pass.
#[derive(Clone, Debug, Default)]
pub struct LandOptions {
    /// The branch; the run's own when not given.
    pub into: Option<String>,
    /// Only these tasks; all finished ones when empty.
    pub only: Vec<TaskId>,
    /// Commands that prepare a fresh worktree for those in `verify`.
    pub setup: Vec<String>,
    /// Commands that must pass on the merged tree.
    pub verify: Vec<String>,
    /// Limit of one test, milliseconds.
    pub timeout_ms: Option<u64>,
    /// Merge in memory and tell; move nothing.
    pub dry_run: bool,
    /// How work becomes part of the branch.
    pub strategy: Strategy,
    /// Tests at the same time; the run's jobs when not given.
    pub jobs: Option<u32>,
    /// These go first, in this order, where no dependency says otherwise.
    pub order: Vec<TaskId>,
    /// Test anew what is known.
    pub retest: bool,
    /// The change log that gets an entry for each task, from the repository's root.
    pub changelog: Option<String>,
    /// Branches on which nothing lands, as globs.
    pub protected: Vec<String>,
    /// The agent that is asked to resolve conflicts, where the task's own cannot; `None`: nobody is.
    pub resolver: Option<crate::model::AgentProfile>,
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
        /// Its worktree, from the repository's root, where the conflict can be resolved.
        worktree: String,
        /// Why the agent that was asked did not resolve it.
        reason: Option<String>,
    },
    /// With it, the verification fails; without it, it passes.
    Broken {
        /// The directory of the verification's log.
        log: PathBuf,
        /// Alone it passed the same commands: it does not go with what lands before it.
        alone: bool,
    },
    /// A task that it builds on did not land.
    Held {
        /// That task's name.
        on: String,
    },
    /// The verification fails on the branch as it is, so that no task can be blamed.
    BranchFails {
        /// The directory of the verification's log.
        log: PathBuf,
    },
    /// A person threw it away (`orch clean --force`).
    Discarded,
    /// It has not succeeded.
    NotFinished(TaskState),
}

/// Two tasks that conflict with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskClash {
    /// Their names.
    pub tasks: [String; 2],
    /// The paths.
    pub paths: Vec<String>,
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
    pub checkout: Option<PathBuf>,
    /// With a dry run: pairs of tasks that conflict, whatever order they land in.
    pub clashes: Vec<TaskClash>,
    /// With a dry run: why nothing would land, whatever fits.
    pub obstacle: Option<String>,
    /// How often something was tested.
    pub tests: usize,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// Lands what is finished. `tell` hears one line for each thing that takes time.
///
/// # Errors
/// No branch to land on, or a protected one; a checkout in the way; a branch that will not stand still;
/// another merge at work; git or the journal refusing. Conflicts and failing tests are outcomes, not
/// errors.
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
    if options.dry_run {
        let (batch, from) = put_together(world, ledger, options, &into, tell).await?;
        let mut landing = batch.landing();
        landing.clashes = batch.clashes(world)?;
        landing.obstacle = match refuse_protected(&into, &options.protected) {
            Err(SupervisorError::Refused(why)) => Some(why),
            Err(error) => return Err(error),
            Ok(()) if landing.to == from => None,
            Ok(()) => world.repo.would_refuse(&into, &from, &landing.to)?,
        };
        return Ok(landing);
    }
    refuse_protected(&into, &options.protected)?;
    let _lock = world.lock_landing()?.ok_or_else(|| world.is_landing())?;
    let mut notes = world.repo.finish_landing()?;
    let landed = land_locked(world, ledger, options, &into, tell).await;
    if landed.is_err() {
        // What was put right was put right, whatever came after.
        for note in &notes {
            tell(note);
        }
    }
    let mut landing = landed?;
    notes.append(&mut landing.notes);
    Ok(Landing { notes, ..landing })
}

/// As [`land`], for whoever holds the lock of landing.
async fn land_locked(
    world: &World,
    ledger: &mut Ledger,
    options: &LandOptions,
    into: &str,
    tell: &mut dyn FnMut(&str),
) -> Result<Landing, SupervisorError> {
    verify::end_leftovers(world, ledger.state()).await?;
    world.repo.sweep_scratch()?;
    finish_record(world, ledger)?;
    let mut landing = land_tries(world, ledger, options, into, tell).await?;
    let resolved = resolve::resolve(world, ledger, options, &mut landing, tell).await?;
    if !resolved.is_empty() {
        let again = LandOptions { only: resolved, ..options.clone() };
        let second = land_tries(world, ledger, &again, into, tell).await?;
        landing = joined(landing, second);
    }
    Ok(landing)
}

fn refuse_protected(branch: &str, protected: &[String]) -> Result<(), SupervisorError> {
    for pattern in protected {
        let glob = globset::GlobBuilder::new(pattern).literal_separator(false).build();
        // It was checked when the configuration was read.
        if glob.is_ok_and(|glob| glob.compile_matcher().is_match(branch)) {
            return Err(SupervisorError::Refused(format!(
                "{branch} is protected (orch.toml: protected has \"{pattern}\"); nothing lands on it; land on \
                 another branch: orch merge --into BRANCH"
            )));
        }
    }
    Ok(())
}

/// A landing that moved the branch and was killed before it could say so.
fn finish_record(world: &World, ledger: &mut Ledger) -> Result<(), SupervisorError> {
    ledger.catch_up()?;
    let Some(begun) = ledger.state().merging.landing.clone() else { return Ok(()) };
    let Some(tip) = world.repo.branch_tip(&begun.into)? else { return Ok(()) };
    if !world.repo.contains(&tip, &begun.to)? {
        return Ok(());
    }
    let state = ledger.state();
    let is_open = |head: &&Head| {
        state.position(&head.task).is_some_and(|task| state.tasks[task].merged.is_none())
    };
    let events: Vec<Event> = begun
        .tasks
        .iter()
        .filter(is_open)
        .map(|head| Event::TaskMerged {
            task: head.task.clone(),
            into: begun.into.clone(),
            commit: begun.to.clone(),
            head: Some(head.head.clone()),
        })
        .collect();
    ledger.record(events)?;
    Ok(())
}

/// Merges and tests, and says which results were new.
async fn put_together(
    world: &World,
    ledger: &mut Ledger,
    options: &LandOptions,
    into: &str,
    tell: &mut dyn FnMut(&str),
) -> Result<(Batch, String), SupervisorError> {
    let from = world.repo.branch_tip(into)?;
    let from = from.ok_or_else(|| SupervisorError::NoBranch(into.to_owned()))?;
    ledger.catch_up()?;
    let mut batch = Batch::new(world, ledger.state(), options, into, &from)?;
    batch.settle(world, ledger, options, tell).await?;
    Ok((batch, from))
}

async fn land_tries(
    world: &World,
    ledger: &mut Ledger,
    options: &LandOptions,
    into: &str,
    tell: &mut dyn FnMut(&str),
) -> Result<Landing, SupervisorError> {
    let mut tests = 0;
    for _ in 0..TRIES {
        let (batch, from) = put_together(world, ledger, options, into, tell).await?;
        let mut landing = batch.landing();
        tests += landing.tests;
        landing.tests = tests;
        if landing.to != from {
            ledger.record(vec![Event::LandingStarting {
                into: into.to_owned(),
                from: from.clone(),
                to: landing.to.clone(),
                tasks: batch.heads().into_iter().map(|(task, head)| Head { task, head }).collect(),
            }])?;
            let reason = format!("orch merge: {}", ledger.state().spec.id);
            match world.repo.land(into, &from, &landing.to, &reason) {
                Ok(landed) => {
                    landing.notes.extend(landed.notes);
                    landing.checkout = landed.checkout;
                }
                Err(GitError::Moved { .. }) => {
                    tell(&format!("{into} moved meanwhile; merging again"));
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let heads = batch.heads().into_iter().collect();
        ledger.record(batch_events(ledger.state(), &landing, &heads))?;
        return Ok(landing);
    }
    Err(SupervisorError::Refused(format!(
        "{into} keeps moving; nothing was landed; try again when it stands still"
    )))
}

fn batch_events(state: &State, landing: &Landing, heads: &BTreeMap<TaskId, String>) -> Vec<Event> {
    let id = |name: &str| state.spec.tasks.iter().find(|t| t.name == name).map(|t| t.id.clone());
    landing
        .tasks
        .iter()
        .filter_map(|(name, outcome)| {
            let (task, into) = (id(name)?, landing.into.clone());
            match outcome {
                // What was there before this landing looked is on record.
                Outcome::Merged | Outcome::AlreadyThere => Some(Event::TaskMerged {
                    head: Some(heads.get(&task)?.clone()),
                    task,
                    into,
                    commit: landing.to.clone(),
                }),
                Outcome::Conflict { paths, with, .. } => Some(Event::MergeConflicted {
                    task,
                    into,
                    paths: paths.clone(),
                    with: with.iter().filter_map(|name| id(name)).collect(),
                }),
                Outcome::Broken { log, .. } => {
                    let log = log.join("log").display().to_string();
                    Some(Event::MergeRejected { task, into, log })
                }
                Outcome::Held { .. }
                | Outcome::BranchFails { .. }
                | Outcome::Discarded
                | Outcome::NotFinished(_) => None,
            }
        })
        .collect()
}

/// Two landings, one after the other, as one.
fn joined(first: Landing, second: Landing) -> Landing {
    let later: BTreeMap<String, Outcome> = second.tasks.into_iter().collect();
    let newest = |(name, outcome): (String, Outcome)| {
        let outcome = later.get(&name).cloned().unwrap_or(outcome);
        (name, outcome)
    };
    Landing {
        to: second.to,
        tasks: first.tasks.into_iter().map(newest).collect(),
        checkout: second.checkout.or(first.checkout),
        tests: first.tests + second.tests,
        notes: first.notes.into_iter().chain(second.notes).collect(),
        ..first
    }
}
