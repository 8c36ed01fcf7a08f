//! `orch pr merge --rollup`: pull requests tested together and merged at once.
//!
//! Their heads are merged onto the target here and pushed as one branch with a pull request of its own, whose
//! checks run once. When they pass, that one is merged with a merge commit, and GitHub knows the others as
//! merged because their commits are on the target. When they fail, it is closed and halved until what breaks
//! is found. Its branch is named by what is in it, so that after a crash the same one goes on.

use super::merge::{MergeOptions, MergeOutcome, MergedPull};
use super::{Desk, text};
use crate::engine::PullRequest;
use crate::forge::{CheckState, Checks, ForgeError, Merging, Method, NewPull, Pull, PullState};
use crate::git::Merge;
use crate::model::{Event, ForgeWork, Link, PullStanding};
use crate::supervisor::SupervisorError;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two looks at the checks: a tenth of the time so far, within these bounds.
const LOOKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// How long a rollup is waited for without anybody having said: as `--wait` does.
const LONGEST: Duration = Duration::from_hours(2);

/// What a rollup came to.
enum Verdict {
    Merged(String),
    Failed(Vec<String>),
    Waiting(String),
}

impl Desk<'_> {
    /// Merges pull requests of the run together.
    ///
    /// # Errors
    /// As [`Desk::merge`]; the repository takes no merge commits.
    pub async fn rollup(
        &mut self,
        options: &MergeOptions,
    ) -> Result<Vec<MergedPull>, SupervisorError> {
        if !self.facts().await?.allow_merge_commit {
            return Err(SupervisorError::Refused(
                "a rollup is merged with a merge commit, which this repository does not allow; leave out --rollup"
                    .to_owned(),
            ));
        }
        let began = Instant::now();
        loop {
            let why = match self.rollup_once(options, began).await {
                Err(SupervisorError::Forge(
                    error @ (ForgeError::Down { .. }
                    | ForgeError::Limited { .. }
                    | ForgeError::Odd { .. }),
                )) => error.to_string(),
                done => return done,
            };
            // Begun anew it finds what it did: its branches are named by what is in them.
            if self.closed_until().is_some() || began.elapsed() >= options.wait.unwrap_or(LONGEST) {
                let waiting = self.numbers(&options.only).into_iter().filter_map(|number| {
                    let pull = self.state().forge.pull(number)?;
                    let (names, link) = (self.names(&pull.tasks), pull.link.clone());
                    Some(MergedPull { names, link, outcome: MergeOutcome::Waiting(why.clone()) })
                });
                return Ok(waiting.collect());
            }
            self.say(&format!("{why}; trying again"));
            tokio::time::sleep(LOOKS.0.min(self.forge.timeout())).await;
        }
    }

    async fn rollup_once(
        &mut self,
        options: &MergeOptions,
        began: Instant,
    ) -> Result<Vec<MergedPull>, SupervisorError> {
        let mut outcomes: BTreeMap<u64, MergeOutcome> = BTreeMap::new();
        let mut order = Vec::new();
        let mut first = Vec::new();
        for number in self.numbers(&options.only) {
            order.push(number);
            let Some(known) = self.state().forge.pull(number).cloned() else { continue };
            match self.joins(&known).await? {
                Ok(()) => first.push(known),
                Err(outcome) => drop(outcomes.insert(number, outcome)),
            }
        }
        let mut left = vec![first];
        while let Some(batch) = left.pop() {
            let batch = match &batch[..] {
                [] => continue,
                [only] => {
                    let alone = MergeOptions { only: only.tasks.clone(), ..options.clone() };
                    for merged in self.merge(&alone).await? {
                        outcomes.insert(merged.link.number, merged.outcome);
                    }
                    continue;
                }
                _ => batch,
            };
            let Some((branch, head, members)) = self.joined(&batch, &mut outcomes)? else {
                continue;
            };
            let pull = self.rollup_pull(&branch, &head, &members).await?;
            match self.judged(pull.number, &head, options, began).await? {
                Verdict::Merged(commit) => {
                    for member in &members {
                        self.is_in(member, &commit).await?;
                        outcomes.insert(member.link.number, MergeOutcome::Merged(commit.clone()));
                    }
                    self.tidy(&branch).await?;
                }
                Verdict::Failed(checks) => {
                    self.say(&format!(
                        "#{} failed ({}); looking for the cause",
                        pull.number,
                        checks.join(", ")
                    ));
                    self.begin(ForgeWork::ClosePull { number: pull.number })?;
                    if let Err(error) = self.forge.close_pull(pull.number).await {
                        return Err(self.failed(error));
                    }
                    if let Some(known) = self.state().forge.pull(pull.number).cloned() {
                        self.stands(&known, PullStanding::Closed, &head)?;
                    }
                    self.tidy(&branch).await?;
                    let (one, two) = members.split_at(members.len() / 2);
                    left.push(two.to_vec());
                    left.push(one.to_vec());
                }
                Verdict::Waiting(why) => {
                    for member in &members {
                        outcomes.insert(member.link.number, MergeOutcome::Waiting(why.clone()));
                    }
                }
            }
        }
        let told = order.into_iter().filter_map(|number| {
            let pull = self.state().forge.pull(number)?;
            let outcome = outcomes.remove(&number)?;
            Some(MergedPull { names: self.names(&pull.tasks), link: pull.link.clone(), outcome })
        });
        Ok(told.collect())
    }

    /// Whether it may be part of a rollup: open, as it was pushed, free of conflicts, and nobody asks for
    /// changes.
    async fn joins(
        &mut self,
        known: &PullRequest,
    ) -> Result<Result<(), MergeOutcome>, SupervisorError> {
        let pull = self.forge.pull(known.link.number).await.map_err(|error| self.failed(error))?;
        let no = match (pull.state, pull.mergeable) {
            (PullState::Merged, _) => {
                self.merged(&known.tasks, &pull)?;
                MergeOutcome::Merged(pull.merge_commit.unwrap_or_default())
            }
            (PullState::Closed, _) => MergeOutcome::Closed,
            _ if pull.head_sha != known.head => MergeOutcome::HeadMoved,
            _ if pull.draft => MergeOutcome::Draft,
            (_, Some(false)) => MergeOutcome::Conflict,
            _ => {
                let reviews =
                    self.forge.reviews(pull.number).await.map_err(|error| self.failed(error))?;
                let asks = reviews.iter().find(|review| review.state == "changes_requested");
                let approved = reviews.iter().any(|review| review.state == "approved");
                match asks {
                    Some(review) => {
                        MergeOutcome::Waiting(format!("{} asks for changes", review.author))
                    }
                    // What keeps it may be a check, which the rollup's own stand for. A review they do not.
                    None if pull.mergeable_state == "blocked"
                        && !approved
                        && self.passes(&pull).await? =>
                    {
                        MergeOutcome::Waiting("a review".to_owned())
                    }
                    None => return Ok(Ok(())),
                }
            }
        };
        Ok(Err(no))
    }

    async fn passes(&mut self, pull: &Pull) -> Result<bool, SupervisorError> {
        let checks: Result<Checks, ForgeError> = self.forge.checks(&pull.head_sha).await;
        Ok(checks.map_err(|error| self.failed(error))?.state() == CheckState::Passed)
    }

    /// The heads merged onto the target, and the branch's name.
    fn joined(
        &mut self,
        batch: &[PullRequest],
        outcomes: &mut BTreeMap<u64, MergeOutcome>,
    ) -> Result<Option<(String, String, Vec<PullRequest>)>, SupervisorError> {
        let into = batch[0].into.clone();
        self.world.repo.fetch_branch(self.remote(), &into)?;
        let tips = self.tips(std::slice::from_ref(&into))?;
        let Some(base) = tips.get(&into).cloned() else {
            return Err(SupervisorError::Refused(format!("{into} is not on {}", self.remote)));
        };
        let (mut head, mut members, mut named) = (base.clone(), Vec::new(), base);
        for pull in batch {
            let message = format!(
                "Merge pull request #{}\n\nOrch-Run: {}\n",
                pull.link.number,
                self.state().spec.id
            );
            match self.world.repo.merge_commits(&head, &pull.head, &message)? {
                Merge::UpToDate => {}
                Merge::FastForward(commit) | Merge::Clean { commit, .. } => head = commit,
                Merge::Conflict { .. } => {
                    outcomes.insert(pull.link.number, MergeOutcome::Conflict);
                    continue;
                }
            }
            named.push_str(&pull.head);
            members.push(pull.clone());
        }
        let branch = format!("orch/rollup-{}", &text::digest(&named)[..12]);
        // What was pushed before a crash has another time in it, and the same content.
        let head = self.state().forge.pushed.get(&branch).cloned().unwrap_or(head);
        Ok((!members.is_empty()).then_some((branch, head, members)))
    }

    async fn rollup_pull(
        &mut self,
        branch: &str,
        head: &str,
        members: &[PullRequest],
    ) -> Result<Pull, SupervisorError> {
        self.settle().await;
        let tips = self.tips(&[branch.to_owned()])?;
        if self.bring(branch, head, tips.get(branch))? != super::pushing::Branch::There {
            return Err(SupervisorError::Refused(format!(
                "{branch} could not be pushed; see: git push {}",
                self.remote
            )));
        }
        let known = self.forge.pull_of(branch).await.map_err(|error| self.failed(error))?;
        let pull = if let Some(pull) = known.filter(|pull| pull.state == PullState::Open) {
            pull
        } else {
            let numbers: Vec<String> =
                members.iter().map(|pull| format!("#{}", pull.link.number)).collect();
            let title = format!("Rollup of {}", numbers.join(", "));
            let body = format!(
                "{}\nTested together, merged together: {}.\n",
                text::marker(&self.state().spec.id, None),
                numbers.join(", ")
            );
            self.begin(ForgeWork::OpenPull { branch: branch.to_owned(), tasks: Vec::new() })?;
            let new = NewPull {
                head: branch,
                base: &members[0].into,
                title: &title,
                body: &body,
                draft: false,
            };
            self.forge.open_pull(new).await.map_err(|error| self.failed(error))?
        };
        self.record(vec![Event::PullRequestOpened {
            tasks: Vec::new(),
            pull: Link { number: pull.number, url: pull.url.clone() },
            branch: branch.to_owned(),
            head: head.to_owned(),
            into: pull.base.clone(),
            draft: false,
            text: None,
        }])?;
        self.say(&format!("rollup of {} as #{}", members.len(), pull.number));
        Ok(pull)
    }

    /// Waits for the checks of the rollup and merges it.
    async fn judged(
        &mut self,
        number: u64,
        head: &str,
        options: &MergeOptions,
        began: Instant,
    ) -> Result<Verdict, SupervisorError> {
        let mut refused = 0;
        let started = Instant::now();
        loop {
            let pull = self.forge.pull(number).await.map_err(|error| self.failed(error))?;
            if pull.state == PullState::Merged {
                return Ok(Verdict::Merged(pull.merge_commit.unwrap_or_default()));
            }
            let why = match pull.mergeable_state.as_str() {
                "dirty" => {
                    return Ok(Verdict::Waiting("the target moved; run it again".to_owned()));
                }
                "clean" | "has_hooks" => match self.state().forge.pull(number).cloned() {
                    Some(known) if self.may_yet_start(&known, &pull).await? => {
                        Some(format!("no check of #{number} has been reported yet"))
                    }
                    _ => None,
                },
                "unstable" | "blocked" => {
                    let checks =
                        self.forge.checks(head).await.map_err(|error| self.failed(error))?;
                    let named = |state| {
                        checks.named(state).into_iter().map(str::to_owned).collect::<Vec<_>>()
                    };
                    match (checks.state(), pull.mergeable_state.as_str()) {
                        (CheckState::Failed, _) => {
                            return Ok(Verdict::Failed(named(CheckState::Failed)));
                        }
                        (CheckState::Pending, _) => Some(format!(
                            "checks of #{number}: {}",
                            named(CheckState::Pending).join(", ")
                        )),
                        (CheckState::Passed, "unstable") => None,
                        (CheckState::Passed, _) => {
                            Some(format!("a review of #{number}, or another rule of the branch"))
                        }
                    }
                }
                _ => Some("GitHub is finding out whether it can be merged".to_owned()),
            };
            if why.is_none() {
                self.begin(ForgeWork::MergePull { number, head: head.to_owned() })?;
                match self.forge.merge_pull(number, head, Method::Merge).await {
                    Ok(Merging::Merged(commit)) => {
                        self.record(vec![Event::PullRequestMerged {
                            tasks: Vec::new(),
                            number,
                            commit: commit.clone(),
                        }])?;
                        return Ok(Verdict::Merged(commit));
                    }
                    Ok(Merging::NotNow(why) | Merging::HeadMoved(why) | Merging::Refused(why)) => {
                        self.record(vec![Event::ForgeFailed {
                            message: why.clone(),
                            down: false,
                            until: None,
                        }])?;
                        refused += 1;
                        if refused >= 3 {
                            return Ok(Verdict::Waiting(why));
                        }
                    }
                    Err(error @ ForgeError::Down { .. }) if self.closed_until().is_none() => {
                        drop(self.failed(error));
                    }
                    Err(error) => return Err(self.failed(error)),
                }
            }
            // A rollup is nothing without its checks: they are waited for, whether or not that was said.
            if began.elapsed() >= options.wait.unwrap_or(LONGEST) {
                return Ok(Verdict::Waiting(why.unwrap_or_default()));
            }
            let least = LOOKS.0.min(self.forge.pace().saturating_mul(2));
            tokio::time::sleep((started.elapsed() / 10).clamp(least, LOOKS.1)).await;
        }
    }

    /// GitHub knows a pull request as merged once its commits are on the target.
    async fn is_in(&mut self, member: &PullRequest, commit: &str) -> Result<(), SupervisorError> {
        let pull = self.forge.pull(member.link.number).await.map_err(|error| self.failed(error))?;
        // It takes GitHub a moment to notice; that its head is in the rollup is known here.
        let merged =
            Pull { merge_commit: pull.merge_commit.clone().or(Some(commit.to_owned())), ..pull };
        self.merged(&member.tasks, &merged)
    }

    async fn tidy(&mut self, branch: &str) -> Result<(), SupervisorError> {
        self.forge.delete_branch(branch).await.map_err(|error| self.failed(error))
    }
}
