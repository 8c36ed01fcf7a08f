//! What a run has on its forge: a fold over what was asked of it and what that came to.

use super::breaker::Signal;
use super::state::State;
use crate::model::{
    Event, Failure, FailureClass, ForgeWork, Link, PullStanding, TaskId, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Threads of remarks that we closed: one that is open again was opened by somebody.
    pub closed: BTreeSet<String>,
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
    /// Since when, at the latest.
    pub since: Timestamp,
    /// The branch it goes to.
    pub into: String,
    /// Not to be merged yet.
    pub draft: bool,
    /// The digest of title and text.
    pub text: Option<String>,
    /// Whether it is open.
    pub standing: PullStanding,
}

impl PullRequest {
    fn is_at(&mut self, head: &str, at: Timestamp) {
        if self.head != head {
            (self.head, self.since) = (head.to_owned(), at);
        }
    }
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
            Event::ForgeDone => {
                if let Some((ForgeWork::ResolveThread { thread, .. }, _)) = &self.open {
                    self.closed.insert(thread.clone());
                }
            }
            Event::IssueOpened { task: None, issue } => self.parent = Some(issue.clone()),
            Event::IssueOpened { task: Some(task), issue } => {
                self.issues.insert(task.clone(), issue.clone());
            }
            Event::IssuesListed { text } => self.listed = Some(text.clone()),
            Event::BranchPushed { branch, commit } => {
                self.pushed.insert(branch.clone(), commit.clone());
                self.ours.entry(branch.clone()).or_default().push(commit.clone());
                for pull in self.pulls.iter_mut().filter(|pull| pull.branch == *branch) {
                    pull.is_at(commit, at);
                }
            }
            Event::PullRequestOpened { tasks, pull, branch, head, into, draft, text } => {
                let same =
                    |known: &&PullRequest| known.link.number == pull.number && known.head == *head;
                let since = self.pulls.iter().find(same).map_or(at, |known| known.since);
                self.pulls.retain(|known| known.link.number != pull.number);
                self.pulls.push(PullRequest {
                    link: pull.clone(),
                    tasks: tasks.clone(),
                    branch: branch.clone(),
                    head: head.clone(),
                    since,
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
                    pull.is_at(head, at);
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
            Event::FollowUpEnded { end } => {
                self.budget.spent += end.usage.cost_usd.map_or(0, super::budget::micros);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Gate;
    use crate::model::{Recorded, RunSpec};

    fn state() -> State {
        let spec = r#"{"id":"run-1","base":"b","target":"main","jobs":1,"parallel":false,"merge":"none",
            "verify":[],"grace_ms":1,"log_cap":1,"estimate_seconds":null,"tasks":[],"agents":{}}"#;
        let spec: RunSpec = serde_json::from_str(spec).unwrap();
        State::new(spec, Timestamp(0))
    }

    fn plays(state: &mut State, at: i64, event: Event) {
        state.apply(&Recorded { seq: state.seq + 1, at: Timestamp(at), event });
    }

    fn link(number: u64) -> Link {
        Link { number, url: format!("https://x/{number}") }
    }

    fn opened(number: u64, branch: &str) -> Event {
        Event::PullRequestOpened {
            tasks: vec!["t".into()],
            pull: link(number),
            branch: branch.to_owned(),
            head: "1".to_owned(),
            into: "main".to_owned(),
            draft: false,
            text: None,
        }
    }

    fn failed(down: bool, until: Option<Timestamp>) -> Event {
        Event::ForgeFailed { message: "no".to_owned(), down, until }
    }

    #[test]
    fn what_nobody_knows_the_end_of_stays_open() {
        let mut state = state();
        let work = ForgeWork::OpenIssue { task: Some("t".into()) };
        plays(&mut state, 5, Event::ForgeStarting { work: work.clone() });
        plays(&mut state, 6, failed(true, None));
        assert_eq!(state.forge.open, Some((work.clone(), Timestamp(5))));
        plays(&mut state, 7, Event::IssueOpened { task: Some("t".into()), issue: link(1) });
        assert_eq!(state.forge.open, None);
        plays(&mut state, 8, Event::ForgeStarting { work });
        plays(&mut state, 9, failed(false, Some(Timestamp(100))));
        assert_eq!(state.forge.open, None, "what a limit refused was not done");
    }

    #[test]
    fn the_breaker_opens_after_three_failures_and_believes_a_limit() {
        let mut state = state();
        for _ in 0..2 {
            plays(&mut state, 0, failed(true, None));
        }
        assert_eq!(state.github.gate(Timestamp(0)), Gate::Closed);
        plays(&mut state, 1, failed(true, None));
        assert_eq!(state.github.gate(Timestamp(1)), Gate::Open(Timestamp(300_001)));
        plays(&mut state, 300_001, Event::ForgeDone);
        assert_eq!(state.github.gate(Timestamp(300_001)), Gate::Closed);
        plays(&mut state, 300_002, failed(false, Some(Timestamp(400_000))));
        assert_eq!(state.github.gate(Timestamp(300_003)), Gate::Open(Timestamp(400_000)));
    }

    #[test]
    fn a_closed_pull_request_gives_way_to_a_newer_one() {
        let mut state = state();
        plays(&mut state, 0, opened(1, "a"));
        plays(
            &mut state,
            1,
            Event::PullRequestUpdated {
                tasks: vec!["t".into()],
                number: 1,
                standing: PullStanding::Closed,
                head: "1".to_owned(),
                draft: false,
                text: None,
            },
        );
        assert_eq!(state.forge.pull_of(&"t".into()).map(|pull| pull.link.number), Some(1));
        plays(&mut state, 2, opened(2, "b"));
        plays(&mut state, 3, opened(2, "b"));
        assert_eq!(state.forge.pull_of(&"t".into()).map(|pull| pull.link.number), Some(2));
        assert_eq!(state.forge.pulls.len(), 2, "told twice, it is one");
    }

    #[test]
    fn what_is_wanted_adds_up() {
        let mut state = state();
        let wants = |tasks: &[&str], unified| Event::PullRequestsRequested {
            tasks: tasks.iter().map(|task| (*task).into()).collect(),
            unified,
            draft: false,
            issues: true,
            into: "main".to_owned(),
        };
        plays(&mut state, 0, wants(&["a", "b"], false));
        plays(&mut state, 1, wants(&["b", "c"], false));
        let tasks = |state: &State| state.forge.wanted.clone().unwrap().tasks;
        assert_eq!(tasks(&state), ["a".into(), "b".into(), "c".into()]);
        plays(&mut state, 2, wants(&["a"], true));
        assert_eq!(tasks(&state), ["a".into()]);
        assert_eq!(state.pulls_missing().len(), 1);
    }
}
