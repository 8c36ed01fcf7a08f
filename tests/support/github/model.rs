//! What GitHub knows: issues, pull requests, checks, rules; over a real bare repository, in which a merge
//! really merges and a conflict really conflicts.

use std::path::PathBuf;
use std::process::Command;

/// Something wrong, for the requests that it is for.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `GET`, `POST`, ...; empty: any.
    pub verb: &'static str,
    /// What the path contains.
    pub path: &'static str,
    /// What happens.
    pub what: Trouble,
    /// So often.
    pub times: u32,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It fails with this status, and nothing is done.
    Status(u16),
    /// The connection ends, and nothing is done.
    Reset,
    /// It is done, and the connection ends.
    Lost,
    /// It is done, and answered so many milliseconds later.
    Slow(u64),
    /// The secondary limit; seconds in `retry-after`, if it says.
    Limited(Option<u64>),
}

#[derive(Clone, Debug)]
pub struct Issue {
    pub number: u64,
    pub title: String,
    pub body: String,
}

#[expect(clippy::struct_excessive_bools, reason = "as GitHub has them")]
#[derive(Clone, Debug)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub head: String,
    pub base: String,
    pub draft: bool,
    pub open: bool,
    pub merged: Option<String>,
    /// The head when it was last told; a new one has no known mergeability for a while.
    pub seen: String,
    /// Looks until its mergeability is known.
    pub unknown: u32,
    pub queued: bool,
    pub auto_merge: bool,
}

#[derive(Clone, Debug)]
pub struct Review {
    pub pull: u64,
    pub author: String,
    pub state: &'static str,
    pub commit: String,
    pub body: String,
}

/// A check of every commit that is pushed.
#[derive(Clone, Debug, Default)]
pub struct CheckRule {
    pub name: &'static str,
    pub required: bool,
    /// Looks until it has ended.
    pub looks: u32,
    /// How long it takes from the push, at least.
    pub takes: std::time::Duration,
    /// It fails where the tree has this file.
    pub fails_with: Option<&'static str>,
    /// Looks until it is reported at all; it always is on the base, unless workflows show that it will be.
    pub late: u32,
}

/// The rules of the base branch, and how GitHub behaves today.
#[expect(clippy::struct_excessive_bools, reason = "as GitHub has them")]
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub checks: Vec<CheckRule>,
    pub approvals: usize,
    /// A branch must contain the base.
    pub strict: bool,
    pub merge_queue: bool,
    pub no_merge_commits: bool,
    pub auto_merge: bool,
    /// Looks until the mergeability of a new head is known.
    pub slow_mergeability: u32,
    /// Workflows of GitHub Actions.
    pub workflows: u64,
    /// We may not close other people's threads.
    pub no_resolving: bool,
}

impl Rules {
    pub fn may_resolve(&self) -> bool {
        !self.no_resolving
    }
}

#[derive(Debug, Default)]
pub struct Model {
    pub bare: PathBuf,
    pub rules: Rules,
    pub issues: Vec<Issue>,
    pub pulls: Vec<Pull>,
    pub reviews: Vec<Review>,
    pub threads: Vec<super::Thread>,
    /// What is said below issues and pull requests, by their numbers.
    pub talk: Vec<(u64, super::Said)>,
    /// How much was said.
    pub words: u64,
    /// Where logs of checks are kept, which is not where the API is.
    pub logs_url: String,
    pub faults: Vec<Fault>,
    /// How often each commit's checks were looked at.
    pub looked: std::collections::BTreeMap<String, u32>,
    /// When commits were seen first.
    pub born: std::collections::BTreeMap<String, std::time::Instant>,
    /// Verb and path of every request, in order.
    pub requests: Vec<String>,
    /// What was against GitHub's description of itself.
    pub mistakes: Vec<String>,
    /// Answers 304.
    pub unchanged: u32,
}

impl Model {
    pub fn next_number(&self) -> u64 {
        (self.issues.len() + self.pulls.len()) as u64 + 1
    }

    /// Runs git in the bare repository; its output, if it succeeds.
    pub fn git(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("git")
            .args(args)
            .current_dir(&self.bare)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs([("GIT_AUTHOR_NAME", "GitHub"), ("GIT_AUTHOR_EMAIL", "noreply@github.com")])
            .envs([("GIT_COMMITTER_NAME", "GitHub"), ("GIT_COMMITTER_EMAIL", "noreply@github.com")])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        output.status.success().then_some(text)
    }

    pub fn tip(&self, branch: &str) -> Option<String> {
        self.git(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")])
    }

    pub fn contains(&self, commit: &str, ancestor: &str) -> bool {
        self.git(&["merge-base", "--is-ancestor", ancestor, commit]).is_some()
    }

    /// The tree of both sides merged; `None` where they conflict.
    fn merged_tree(&self, base: &str, head: &str) -> Option<String> {
        self.git(&["merge-tree", "--write-tree", base, head])
    }

    /// Merges `head` into the branch `base`. `None` where that conflicts.
    pub fn merge(&self, base: &str, head: &str, method: &str) -> Option<String> {
        let tip = self.tip(base)?;
        let tree = self.merged_tree(&tip, head)?;
        let message = ["-m", "Merged by the forge"];
        let commit = match method {
            "merge" => {
                self.git(&["commit-tree", &tree, "-p", &tip, "-p", head, message[0], message[1]])?
            }
            _ => self.git(&["commit-tree", &tree, "-p", &tip, message[0], message[1]])?,
        };
        self.git(&["update-ref", &format!("refs/heads/{base}"), &commit, &tip])?;
        Some(commit)
    }

    /// Whether a check is there by now.
    pub fn is_reported(&self, sha: &str, check: &CheckRule) -> bool {
        self.looked.get(sha).copied().unwrap_or(0) >= check.late
            || self.rules.workflows == 0 && self.tip("main").is_some_and(|tip| tip == sha)
    }

    /// A check's conclusion by now; `None`: it has not ended.
    pub fn conclusion(&self, sha: &str, check: &CheckRule) -> Option<&'static str> {
        let early = self.born.get(sha).is_some_and(|born| born.elapsed() < check.takes);
        if early || self.looked.get(sha).copied().unwrap_or(0) < check.late + check.looks {
            return None;
        }
        let fails = |file: &str| self.git(&["cat-file", "-e", &format!("{sha}:{file}")]).is_some();
        Some(if check.fails_with.is_some_and(fails) { "failure" } else { "success" })
    }

    /// `mergeable` and `mergeable_state`.
    pub fn mergeability(&self, pull: &Pull) -> (Option<bool>, &'static str) {
        let (Some(head), Some(base)) = (self.tip(&pull.head), self.tip(&pull.base)) else {
            return (None, "unknown");
        };
        if pull.unknown > 0 || !pull.open {
            return (None, "unknown");
        }
        if self.merged_tree(&base, &head).is_none() {
            return (Some(false), "dirty");
        }
        if pull.draft {
            return (Some(true), "draft");
        }
        let ended = |check: &CheckRule| self.conclusion(&head, check);
        let required = self.rules.checks.iter().filter(|check| check.required);
        if required.clone().any(|check| ended(check) != Some("success"))
            || self.approvals(pull.number) < self.rules.approvals
        {
            return (Some(true), "blocked");
        }
        if self.rules.strict && !self.contains(&head, &base) {
            return (Some(true), "behind");
        }
        let mut reported = self.rules.checks.iter().filter(|c| self.is_reported(&head, c));
        if reported.any(|check| ended(check) != Some("success")) {
            return (Some(true), "unstable");
        }
        (Some(true), "clean")
    }

    fn approvals(&self, pull: u64) -> usize {
        let of_pull = self.reviews.iter().filter(|review| review.pull == pull);
        of_pull.filter(|review| review.state == "APPROVED").count()
    }

    /// What follows by itself: heads that moved, work that is on the base by now, the merge queue.
    pub fn settle(&mut self) {
        for at in 0..self.pulls.len() {
            let pull = self.pulls[at].clone();
            if !pull.open {
                continue;
            }
            let (Some(head), Some(base)) = (self.tip(&pull.head), self.tip(&pull.base)) else {
                continue;
            };
            self.born.entry(head.clone()).or_insert_with(std::time::Instant::now);
            // As after a merge with a merge commit.
            if self.contains(&base, &head) {
                self.pulls[at].open = false;
                self.pulls[at].merged = Some(base);
                continue;
            }
            let key = format!("{head} {base}");
            if pull.seen != key {
                self.pulls[at].seen = key;
                self.pulls[at].unknown = self.rules.slow_mergeability;
            }
            let ready = self.mergeability(&self.pulls[at]).1 == "clean";
            if ready && (pull.queued || pull.auto_merge) {
                let merged = self.merge(&pull.base, &head, "merge");
                self.pulls[at].open = merged.is_none();
                self.pulls[at].merged = merged;
            }
        }
    }
}
