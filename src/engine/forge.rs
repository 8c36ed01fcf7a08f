//! What a run has on its forge: a fold over what was asked of it and what that came to.

use super::breaker::Signal;
use super::state::State;
use crate::model::{
    Event, Failure, FailureClass, ForgeWork, Link, PullStanding, TaskId, Timestamp,
};
use std::collections::BTreeMap;

/// Everything known about the run's issues and pull requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forged {
    /// The issue of the run.
    pub parent: Option<Link>,
    /// The digest of its text, where that lists the issues of the tasks.
    pub listed: Option<String>,
    /// The issues of tasks.
    pub issues: BTreeMap<TaskId, Link>,
    /// Pull requests, oldest first.
    pub pulls: Vec<PullRequest>,
    /// What branches of the remote point to.
    pub pushed: BTreeMap<String, String>,
    /// Every commit that a branch of the remote was, or may have been, moved to by us.
    pub ours: BTreeMap<String, Vec<String>>,
    /// Pull requests whose branch GitHub was told to bring up to date, and its commit before.
    pub updating: BTreeMap<u64, String>,
    /// What is wanted.
    pub wanted: Option<Wanted>,
    /// What was asked without anybody knowing what came of it, and when.
    pub open: Option<(ForgeWork, Timestamp)>,
}

/// Pull requests that a person wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Of these tasks.
    pub tasks: Vec<TaskId>,
    /// One for all of them.
    pub unified: bool,
    /// As drafts.
    pub draft: bool,
    /// With an issue each.
    pub issues: bool,
    /// The branch they go to.
    pub into: String,
}

/// A pull request of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct PullRequest {
    /// The pull request.
    pub link: Link,
    /// The tasks whose work it is.
    pub tasks: Vec<TaskId>,
    /// The branch it comes from.
    pub branch: String,
    /// The commit there, as far as it is ours.
    pub head: String,
    /// The branch it goes to.
    pub into: String,
    /// Not to be merged yet.
    pub draft: bool,
    /// The digest of title and text.
    pub text: Option<String>,
    /// Whether it is open.
    pub standing: PullStanding,
}

impl Forged {
    /// The newest pull request of a task; one that is not closed comes first.
    #[must_use]
    pub fn pull_of(&self, task: &TaskId) -> Option<&PullRequest> {
        let of_task = || self.pulls.iter().rev().filter(|pull| pull.tasks.contains(task));
        of_task().find(|pull| pull.standing != PullStanding::Closed).or_else(|| of_task().next())
    }

    /// The newest one from a branch.
    #[must_use]
    pub fn pull_from(&self, branch: &str) -> Option<&PullRequest> {
        self.pulls.iter().rev().find(|pull| pull.branch == branch)
    }

    /// The pull request of that number.
    #[must_use]
    pub fn pull(&self, number: u64) -> Option<&PullRequest> {
        self.pulls.iter().find(|pull| pull.link.number == number)
    }

    fn apply(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::PullRequestsRequested { tasks, unified, draft, issues, into } => {
                let (unified, draft, issues) = (*unified, *draft, *issues);
                let earlier =
                    self.wanted.take().filter(|w| w.unified == unified && w.into == *into);
                let mut all = earlier.map(|wanted| wanted.tasks).unwrap_or_default();
                all.retain(|task| !tasks.contains(task));
                all.extend(tasks.iter().cloned());
                self.wanted =
                    Some(Wanted { tasks: all, unified, draft, issues, into: into.clone() });
            }
            Event::ForgeStarting { work } => {
                if let ForgeWork::Push { branch, commit } = work {
                    self.ours.entry(branch.clone()).or_default().push(commit.clone());
                }
                if let ForgeWork::UpdateBranch { number, head } = work {
                    self.updating.insert(*number, head.clone());
                }
                self.open = Some((work.clone(), at));
                return;
            }
            // What it was to create may exist: that is looked up first, next time.
            Event::ForgeFailed { down, .. } => {
                if !down {
                    self.open = None;
                }
                return;
            }
            Event::ForgeDone => {}
            Event::IssueOpened { task: None, issue } => self.parent = Some(issue.clone()),
            Event::IssueOpened { task: Some(task), issue } => {
                self.issues.insert(task.clone(), issue.clone());
            }
            Event::IssuesListed { text } => self.listed = Some(text.clone()),
            Event::BranchPushed { branch, commit } => {
                self.pushed.insert(branch.clone(), commit.clone());
                self.ours.entry(branch.clone()).or_default().push(commit.clone());
                for pull in self.pulls.iter_mut().filter(|pull| pull.branch == *branch) {
                    pull.head.clone_from(commit);
                }
            }
            Event::PullRequestOpened { tasks, pull, branch, head, into, draft, text } => {
                self.pulls.retain(|known| known.link.number != pull.number);
                self.pulls.push(PullRequest {
                    link: pull.clone(),
                    tasks: tasks.clone(),
                    branch: branch.clone(),
                    head: head.clone(),
                    into: into.clone(),
                    draft: *draft,
                    text: text.clone(),
                    standing: PullStanding::Open,
                });
            }
            Event::PullRequestUpdated { number, standing, head, draft, text, .. } => {
                if let Some(pull) = self.pulls.iter_mut().find(|p| p.link.number == *number) {
                    pull.standing = *standing;
                    pull.draft = *draft;
                    pull.text.clone_from(text);
                    pull.head.clone_from(head);
                    self.pushed.insert(pull.branch.clone(), head.clone());
                    self.ours.entry(pull.branch.clone()).or_default().push(head.clone());
                }
            }
            Event::PullRequestMerged { number, .. } => {
                if let Some(pull) = self.pulls.iter_mut().find(|p| p.link.number == *number) {
                    pull.standing = PullStanding::Merged;
                }
            }
            _ => return,
        }
        self.open = None;
    }
}

impl State {
    /// Folds what concerns the forge.
    pub(super) fn fold_forge(&mut self, event: &Event, at: Timestamp) {
        self.forge.apply(event, at);
        let rule = self.spec.policy.github;
        match event {
            Event::ForgeFailed { message, down, until } => {
                let signal = match until {
                    Some(until) => Signal::Limited(*until),
                    None if *down => Signal::Bad,
                    // It answered.
                    None => Signal::Good,
                };
                let class = if until.is_some() {
                    FailureClass::RateLimited
                } else {
                    FailureClass::Overloaded
                };
                self.github.told(signal, Some(&Failure::new(class, message.clone())), at, rule);
            }
            Event::ForgeDone
            | Event::IssueOpened { .. }
            | Event::IssuesListed { .. }
            | Event::PullRequestOpened { .. }
            | Event::PullRequestUpdated { .. }
            | Event::PullRequestMerged { .. } => self.github.told(Signal::Good, None, at, rule),
            _ => {}
        }
    }

    /// Tasks whose pull request is wanted and does not exist.
    #[must_use]
    pub fn pulls_missing(&self) -> Vec<&TaskId> {
        let wanted = self.forge.wanted.iter().flat_map(|wanted| &wanted.tasks);
        wanted.filter(|task| self.forge.pull_of(task).is_none()).collect()
    }
}
