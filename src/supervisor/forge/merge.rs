//! `orch pr merge`: pull requests merged on GitHub, in the plan's order, each at the commit that was pushed.
//!
//! Level-triggered: every round looks at what each pull request is now. What cannot be merged is given back
//! with the reason; what may yet be is looked at again.

use super::Desk;
use crate::engine::PullRequest;
use crate::forge::{CheckState, ForgeError, Merging, Method, Pull, PullState};
use crate::model::{Event, ForgeWork, Link, PullStanding, TaskId};
use crate::supervisor::SupervisorError;
use std::time::{Duration, Instant};

/// How long GitHub is given to find out whether something can be merged, without anybody having asked to
/// wait: usually seconds.
const FINDING_OUT: Duration = Duration::from_secs(30);

/// Between two rounds: a tenth of the time so far, so that waiting adds at most that, within these bounds.
const LOOKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// How often a refused merge is tried again where what GitHub says of the pull request does not explain it.
const TRIES: u32 = 3;

/// What is to be merged, and how.
#[derive(Clone, Debug, Default)]
pub struct MergeOptions {
    /// Only these tasks; all with a pull request when empty.
    pub only: Vec<TaskId>,
    /// How; the first that the repository allows when not given.
    pub method: Option<Method>,
    /// How long checks and reviews are waited for; `None`: not at all.
    pub wait: Option<Duration>,
    /// Though GitHub failed several times in a row just now.
    pub now: bool,
}

/// What became of a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeOutcome {
    /// It is merged, with this commit.
    Merged(String),
    /// GitHub merges it when it may: its merge queue, or itself.
    HandedOver(&'static str),
    /// It is not, yet: why.
    Waiting(String),
    /// These checks failed.
    ChecksFailed(Vec<String>),
    /// It conflicts with the branch that it goes to.
    Conflict,
    /// It is a draft.
    Draft,
    /// Somebody closed it.
    Closed,
    /// Its branch has commits that are not from here.
    HeadMoved,
    /// What it builds on is not merged.
    After(String),
    /// GitHub refuses.
    Refused(String),
}

/// A pull request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedPull {
    /// Names of its tasks.
    pub names: Vec<String>,
    /// It.
    pub link: Link,
    /// What became of it.
    pub outcome: MergeOutcome,
}

/// What a look at a pull request comes to.
enum Step {
    Settled(MergeOutcome),
    /// It may yet be merged, when GitHub has found something out.
    Soon(String),
    /// It may yet be merged, when checks or people are done.
    Later(String),
}

struct Candidate {
    number: u64,
    outcome: Option<MergeOutcome>,
    why: String,
    soon: bool,
    refused: u32,
}

impl Desk<'_> {
    /// Merges pull requests of the run.
    ///
    /// # Errors
    /// No credentials, no such repository, the journal. What keeps a pull request from being merged is an
    /// outcome.
    pub async fn merge(
        &mut self,
        options: &MergeOptions,
    ) -> Result<Vec<MergedPull>, SupervisorError> {
        let mut all: Vec<Candidate> = self.candidates(&options.only);
        let began = Instant::now();
        while all.iter().any(|candidate| candidate.outcome.is_none()) {
            if let Some(until) = self.closed_until().filter(|_| !options.now) {
                let why =
                    format!("GitHub failed or limited us; nothing is asked of it before {until}");
                all.iter_mut().filter(|c| c.outcome.is_none()).for_each(|c| c.why.clone_from(&why));
                break;
            }
            let progress = match self.round(&mut all, options).await {
                Ok(progress) => progress,
                Err(SupervisorError::Forge(
                    error @ (ForgeError::Down { .. }
                    | ForgeError::Limited { .. }
                    | ForgeError::Odd { .. }),
                )) => {
                    self.say(&error.to_string());
                    for candidate in &mut all {
                        (candidate.why, candidate.soon) = (error.to_string(), true);
                    }
                    false
                }
                Err(error) => return Err(error),
            };
            let open = || all.iter().filter(|candidate| candidate.outcome.is_none());
            if progress || open().count() == 0 {
                continue;
            }
            let limit = options.wait.unwrap_or(if open().any(|c| c.soon) {
                FINDING_OUT
            } else {
                Duration::ZERO
            });
            if began.elapsed() >= limit {
                break;
            }
            let least = LOOKS.0.min(self.forge.pace().saturating_mul(2));
            tokio::time::sleep((began.elapsed() / 10).clamp(least, LOOKS.1)).await;
        }
        let finished = all.into_iter().filter_map(|candidate| {
            let pull = self.state().forge.pull(candidate.number)?;
            let outcome = candidate.outcome.unwrap_or(MergeOutcome::Waiting(candidate.why));
            Some(MergedPull { names: self.names(&pull.tasks), link: pull.link.clone(), outcome })
        });
        Ok(finished.collect())
    }

    /// Pull requests in the plan's order.
    pub(super) fn numbers(&self, only: &[TaskId]) -> Vec<u64> {
        let state = self.state();
        let mut numbers: Vec<u64> = Vec::new();
        for task in &state.spec.tasks {
            if !only.is_empty() && !only.contains(&task.id) {
                continue;
            }
            if let Some(pull) = state.forge.pull_of(&task.id)
                && (pull.standing != PullStanding::Merged || !only.is_empty())
                && !numbers.contains(&pull.link.number)
            {
                numbers.push(pull.link.number);
            }
        }
        numbers
    }

    fn candidates(&self, only: &[TaskId]) -> Vec<Candidate> {
        let candidate = |number| Candidate {
            number,
            outcome: None,
            why: "not looked at".to_owned(),
            soon: false,
            refused: 0,
        };
        self.numbers(only).into_iter().map(candidate).collect()
    }

    pub(super) fn names(&self, tasks: &[TaskId]) -> Vec<String> {
        let state = self.state();
        let name = |task: &TaskId| state.position(task).map(|at| state.spec.tasks[at].name.clone());
        tasks.iter().filter_map(name).collect()
    }

    /// Looks at each that is left, in order, and merges what can be. Whether something was settled.
    async fn round(
        &mut self,
        all: &mut [Candidate],
        options: &MergeOptions,
    ) -> Result<bool, SupervisorError> {
        let mut progress = false;
        for at in 0..all.len() {
            if all[at].outcome.is_some() {
                continue;
            }
            // One that GitHub is finding out about is looked at again before the next: with each merge the
            // others have to be found out about anew.
            let found_out_by = Instant::now() + LOOKS.0 * 5;
            let step = loop {
                match self.advance(at, all, options).await? {
                    Step::Soon(_) if Instant::now() < found_out_by => {
                        tokio::time::sleep(LOOKS.0.min(self.forge.pace().saturating_mul(2))).await;
                    }
                    step => break step,
                }
            };
            let candidate = &mut all[at];
            match step {
                Step::Settled(outcome) => {
                    if let MergeOutcome::Merged(commit) = &outcome {
                        let line = format!(
                            "#{} merged: {}",
                            candidate.number,
                            commit.get(..10).unwrap_or(commit)
                        );
                        (self.tell)(&line);
                    }
                    candidate.outcome = Some(outcome);
                    progress = true;
                }
                Step::Soon(why) => (candidate.why, candidate.soon) = (why, true),
                Step::Later(why) => {
                    if candidate.why != why {
                        (self.tell)(&format!("#{}: {why}", candidate.number));
                    }
                    (candidate.why, candidate.soon) = (why, false);
                }
            }
        }
        Ok(progress)
    }

    async fn advance(
        &mut self,
        at: usize,
        all: &mut [Candidate],
        options: &MergeOptions,
    ) -> Result<Step, SupervisorError> {
        let Some(known) = self.state().forge.pull(all[at].number).cloned() else {
            return Ok(Step::Settled(MergeOutcome::Refused("it is not known any more".to_owned())));
        };
        if let Some(step) = self.comes_after(&known, all) {
            return Ok(step);
        }
        let pull = match self.forge.pull(known.link.number).await {
            Ok(pull) => pull,
            Err(ForgeError::NotFound(what)) => {
                return Ok(Step::Settled(MergeOutcome::Refused(format!("GitHub knows no {what}"))));
            }
            Err(error) => return Err(self.failed(error)),
        };
        match pull.state {
            PullState::Merged => {
                self.merged(&known.tasks, &pull)?;
                let commit = pull.merge_commit.unwrap_or_default();
                return Ok(Step::Settled(MergeOutcome::Merged(commit)));
            }
            PullState::Closed => {
                self.stands(&known, PullStanding::Closed, &known.head)?;
                return Ok(Step::Settled(MergeOutcome::Closed));
            }
            PullState::Open => {}
        }
        if pull.head_sha != known.head && !self.is_our_update(&known, &pull).await? {
            return Ok(Step::Settled(MergeOutcome::HeadMoved));
        }
        if pull.draft {
            return Ok(Step::Settled(MergeOutcome::Draft));
        }
        if known.standing == PullStanding::Queued {
            return Ok(match options.wait {
                Some(_) => Step::Later("GitHub merges it when it may".to_owned()),
                None => Step::Settled(MergeOutcome::HandedOver("GitHub merges it when it may")),
            });
        }
        match (pull.mergeable, pull.mergeable_state.as_str()) {
            (Some(false), _) | (_, "dirty") => Ok(Step::Settled(MergeOutcome::Conflict)),
            (_, "clean" | "has_hooks") if self.may_yet_start(&known, &pull).await? => {
                Ok(Step::Later("no check has been reported yet".to_owned()))
            }
            (_, "clean" | "has_hooks") => self.land(&known, &pull, &mut all[at], options).await,
            (_, "unstable") => match self.unready(&pull).await? {
                None => self.land(&known, &pull, &mut all[at], options).await,
                Some(step) => Ok(step),
            },
            (_, "blocked") => self.blocked(&known, &pull, options).await,
            (_, "behind") => self.update(&known, &pull).await,
            _ => Ok(Step::Soon("GitHub is finding out whether it can be merged".to_owned())),
        }
    }

    /// What builds on others goes after them: its branch has their work in it.
    fn comes_after(&self, pull: &PullRequest, all: &[Candidate]) -> Option<Step> {
        let state = self.state();
        let tasks = pull.tasks.iter().filter_map(|task| state.position(task));
        let before = tasks.flat_map(|at| &state.spec.tasks[at].depends_on);
        for dependency in before {
            let Some(other) = state.forge.pull_of(&dependency.task) else { continue };
            if other.link.number == pull.link.number || other.standing == PullStanding::Merged {
                continue;
            }
            let name = self.names(std::slice::from_ref(&dependency.task)).join("");
            let waits = all.iter().any(|c| c.number == other.link.number && c.outcome.is_none());
            return Some(if waits {
                Step::Later(format!("after {name}"))
            } else {
                Step::Settled(MergeOutcome::After(name))
            });
        }
        None
    }

    /// Whether the head is what GitHub made of ours when it was told to merge the base into it.
    async fn is_our_update(
        &mut self,
        known: &PullRequest,
        pull: &Pull,
    ) -> Result<bool, SupervisorError> {
        let asked = ForgeWork::UpdateBranch { number: pull.number, head: known.head.clone() };
        if self.state().forge.updating.get(&pull.number) != Some(&known.head) {
            return Ok(false);
        }
        tracing::debug!(?asked, head = pull.head_sha, "the branch was updated");
        match self.forge.parents(&pull.head_sha).await {
            Ok(parents) if parents.first() == Some(&known.head) && parents.len() == 2 => {
                self.stands(known, PullStanding::Open, &pull.head_sha)?;
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(super) fn stands(
        &mut self,
        known: &PullRequest,
        standing: PullStanding,
        head: &str,
    ) -> Result<(), SupervisorError> {
        self.record(vec![Event::PullRequestUpdated {
            tasks: known.tasks.clone(),
            number: known.link.number,
            standing,
            head: head.to_owned(),
            draft: known.draft,
            text: known.text.clone(),
        }])
    }

    /// Checks that failed or have not ended; `None`: all passed.
    async fn unready(&mut self, pull: &Pull) -> Result<Option<Step>, SupervisorError> {
        let checks = match self.forge.checks(&pull.head_sha).await {
            Ok(checks) => checks,
            Err(error) => return Err(self.failed(error)),
        };
        let named = |state| checks.named(state).into_iter().map(str::to_owned).collect::<Vec<_>>();
        Ok(match checks.state() {
            CheckState::Passed => None,
            CheckState::Pending => {
                Some(Step::Later(format!("checks: {}", named(CheckState::Pending).join(", "))))
            }
            CheckState::Failed => {
                Some(Step::Settled(MergeOutcome::ChecksFailed(named(CheckState::Failed))))
            }
        })
    }

    /// A rule of the branch is not met: checks, reviews, or one that only GitHub knows.
    async fn blocked(
        &mut self,
        known: &PullRequest,
        pull: &Pull,
        options: &MergeOptions,
    ) -> Result<Step, SupervisorError> {
        let step = match self.unready(pull).await? {
            Some(step) => step,
            None => match self.forge.reviews(pull.number).await {
                Ok(reviews) => {
                    let asks = reviews.iter().find(|review| review.state == "changes_requested");
                    match asks {
                        Some(review) => Step::Later(format!("{} asks for changes", review.author)),
                        None => Step::Later("a review, or another rule of the branch".to_owned()),
                    }
                }
                Err(error) => return Err(self.failed(error)),
            },
        };
        let allows = self.facts().await?.allow_auto_merge;
        if options.wait.is_none() && allows && matches!(step, Step::Later(_)) {
            let method = self.method(options).await?;
            self.begin(ForgeWork::QueuePull { number: pull.number, head: pull.head_sha.clone() })?;
            return match self.forge.merge_when_ready(&pull.node_id, &pull.head_sha, method).await {
                Ok(()) => {
                    self.stands(known, PullStanding::Queued, &pull.head_sha)?;
                    Ok(Step::Settled(MergeOutcome::HandedOver("it merges itself when it may")))
                }
                Err(error @ ForgeError::Invalid { .. }) => {
                    drop(self.failed(error));
                    Ok(step)
                }
                Err(error) => Err(self.failed(error)),
            };
        }
        Ok(step)
    }

    /// The base is merged into its branch, once for each head.
    async fn update(&mut self, known: &PullRequest, pull: &Pull) -> Result<Step, SupervisorError> {
        let soon = || Step::Soon("its branch is brought up to date".to_owned());
        if self.state().forge.updating.get(&pull.number) == Some(&pull.head_sha) {
            return Ok(soon());
        }
        self.begin(ForgeWork::UpdateBranch { number: pull.number, head: pull.head_sha.clone() })?;
        match self.forge.update_branch(pull.number, &pull.head_sha).await {
            Ok(()) => {
                self.record(vec![Event::ForgeDone])?;
                self.say(&format!("#{}: its branch is brought up to date", known.link.number));
                Ok(soon())
            }
            Err(error @ (ForgeError::Invalid { .. } | ForgeError::Forbidden { .. })) => {
                let why = error.to_string();
                drop(self.failed(error));
                Ok(Step::Settled(MergeOutcome::Refused(why)))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn method(&mut self, options: &MergeOptions) -> Result<Method, SupervisorError> {
        let facts = self.facts().await?;
        Ok(match options.method {
            Some(method) => method,
            None if facts.allow_merge_commit => Method::Merge,
            None if facts.allow_squash_merge => Method::Squash,
            None => Method::Rebase,
        })
    }

    /// Whether the branch has a merge queue: asked once.
    async fn queue(&mut self, base: &str) -> Result<bool, SupervisorError> {
        if let Some(queue) = self.has_queue {
            return Ok(queue);
        }
        match self.forge.has_merge_queue(base).await {
            Ok(queue) => Ok(*self.has_queue.insert(queue)),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn land(
        &mut self,
        known: &PullRequest,
        pull: &Pull,
        candidate: &mut Candidate,
        options: &MergeOptions,
    ) -> Result<Step, SupervisorError> {
        let (number, head) = (pull.number, pull.head_sha.clone());
        if self.queue(&pull.base).await? {
            self.begin(ForgeWork::QueuePull { number, head: head.clone() })?;
            if let Err(error) = self.forge.enqueue(&pull.node_id, &head).await {
                return Err(self.failed(error));
            }
            self.stands(known, PullStanding::Queued, &head)?;
            return Ok(match options.wait {
                Some(_) => Step::Later("it is in the merge queue".to_owned()),
                None => Step::Settled(MergeOutcome::HandedOver("it is in the merge queue")),
            });
        }
        let method = self.method(options).await?;
        self.begin(ForgeWork::MergePull { number, head: head.clone() })?;
        let merging = match self.forge.merge_pull(number, &head, method).await {
            Ok(merging) => merging,
            Err(error) => return Err(self.failed(error)),
        };
        let (message, step) = match merging {
            Merging::Merged(commit) => {
                let merged = Pull { merge_commit: Some(commit.clone()), ..pull.clone() };
                self.merged(&known.tasks, &merged)?;
                return Ok(Step::Settled(MergeOutcome::Merged(commit)));
            }
            Merging::HeadMoved(message) => (message, Step::Settled(MergeOutcome::HeadMoved)),
            Merging::Refused(message) => {
                (message.clone(), Step::Settled(MergeOutcome::Refused(message)))
            }
            Merging::NotNow(message) => {
                candidate.refused += 1;
                // A method that is not allowed will not be; anything else may have changed since we looked.
                let stays = message.contains("not allowed") || candidate.refused >= TRIES;
                let step = if stays {
                    Step::Settled(MergeOutcome::Refused(message.clone()))
                } else {
                    Step::Soon(message.clone())
                };
                (message, step)
            }
        };
        self.record(vec![Event::ForgeFailed { message, down: false, until: None }])?;
        Ok(step)
    }

    /// How pull requests of the run stand: four requests for each that is open. `reviewers`: as
    /// [`super::FollowUpOptions::reviewers`].
    ///
    /// # Errors
    /// As every request.
    pub async fn standing(
        &mut self,
        only: &[TaskId],
        reviewers: &[String],
    ) -> Result<Vec<PullStatus>, SupervisorError> {
        let mut out = Vec::new();
        let numbers: Vec<u64> = {
            let state = self.state();
            let of = |pull: &&PullRequest| {
                only.is_empty() || pull.tasks.iter().any(|t| only.contains(t))
            };
            state.forge.pulls.iter().filter(of).map(|pull| pull.link.number).collect()
        };
        for number in numbers {
            let Some(known) = self.state().forge.pull(number).cloned() else { continue };
            let pull = self.forge.pull(number).await.map_err(|error| self.failed(error))?;
            if pull.state == PullState::Merged && known.standing != PullStanding::Merged {
                self.merged(&known.tasks, &pull)?;
            }
            if pull.state == PullState::Closed && known.standing != PullStanding::Closed {
                self.stands(&known, PullStanding::Closed, &known.head)?;
            }
            let open = pull.state == PullState::Open;
            let (mut checks, mut discussion) = Default::default();
            if open {
                checks =
                    self.forge.checks(&pull.head_sha).await.map_err(|error| self.failed(error))?;
                discussion =
                    self.forge.discussion(number).await.map_err(|error| self.failed(error))?;
            }
            let (to_address, unheard) = super::follow_up::open_remarks(&discussion, reviewers);
            let foreign = open && pull.head_sha != known.head;
            out.push(PullStatus {
                names: self.names(&known.tasks),
                pull,
                checks,
                reviews: discussion.last_words(),
                to_address,
                unheard,
                foreign,
            });
        }
        Ok(out)
    }
}

/// How a pull request stands.
#[derive(Clone, Debug)]
pub struct PullStatus {
    /// Names of its tasks.
    pub names: Vec<String>,
    /// It, as GitHub has it.
    pub pull: Pull,
    /// Its checks.
    pub checks: crate::forge::Checks,
    /// Last words of its reviewers, by their names: `approved`, `changes_requested`, ...
    pub reviews: Vec<(String, String)>,
    /// What reviewers said that is not answered, as many as `orch pr address` takes up.
    pub to_address: usize,
    /// What others said that is not answered, and that it does not.
    pub unheard: usize,
    /// Its branch has commits that are not from here.
    pub foreign: bool,
}
