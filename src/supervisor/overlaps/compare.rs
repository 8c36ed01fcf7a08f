//! Which sides meet, and what merging them would come to.

use super::lookout::Found;
use crate::git::{Changes, Clash, GitError, Repo, Side};
use crate::model::OverlapPath;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

/// Files that are told of one overlap.
const TOLD: usize = 20;

/// One side, as it was seen last.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) start: String,
    /// Where a worktree is; its commit, where the work is done.
    pub(super) worktree: Option<PathBuf>,
    pub(super) commit: Option<String>,
    pub(super) changes: Changes,
}

impl Seen {
    fn side(&self) -> Side<'_> {
        match (&self.worktree, &self.commit) {
            (Some(path), _) => Side::Worktree { path, start: &self.start, changes: &self.changes },
            (None, Some(commit)) => Side::Commit(commit),
            (None, None) => Side::Commit(&self.start),
        }
    }
}

type Pair = (usize, Option<usize>);
/// What the files that both have were like, which they are, and how many.
type Known = ((u64, u64), Vec<OverlapPath>, u64);

/// What is remembered between two comparisons.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Of each pair, what came of it.
    known: HashMap<Pair, Known>,
    /// Whether a commit is part of a start.
    contained: HashMap<(String, String), bool>,
    /// What the branch changed since a start.
    since: HashMap<String, Changes>,
    tip: Option<String>,
}

impl Comparison {
    /// Compares everybody with everybody they share a file with, and with the branch at `tip`.
    pub(super) fn of(
        &mut self,
        repo: &Repo,
        sides: &BTreeMap<usize, Seen>,
        tip: Option<&str>,
    ) -> Vec<Found> {
        if self.tip.as_deref() != tip {
            self.since.clear();
            self.tip = tip.map(str::to_owned);
        }
        let mut found = Vec::new();
        for (a, b) in meeting(sides) {
            // The later one in the plan first.
            let (task, with) = (b, a);
            let (one, other) = (&sides[&task], &sides[&with]);
            if self.builds_on(repo, one, other) || self.builds_on(repo, other, one) {
                continue;
            }
            let shared = one.changes.shared(&other.changes);
            let marks = (one.changes.mark(&shared), other.changes.mark(&shared));
            let sides = (one.side(), other.side());
            found.extend(self.judge(repo, (task, Some(with)), marks, shared, sides));
        }
        for (task, side) in sides {
            let Some(tip) = tip.filter(|tip| *tip != side.start) else { continue };
            if !self.since.contains_key(&side.start) {
                let since = repo.changes_since(&side.start, tip).unwrap_or_else(|error| {
                    tracing::debug!(%error, "compare with the branch");
                    Changes::default()
                });
                self.since.insert(side.start.clone(), since);
            }
            let since = &self.since[&side.start];
            let shared = side.changes.shared(since);
            if shared.is_empty() {
                continue;
            }
            let marks = (side.changes.mark(&shared), since.mark(&shared));
            let sides = (side.side(), Side::Commit(tip));
            found.extend(self.judge(repo, (*task, None), marks, shared, sides));
        }
        self.known.retain(|pair, _| found.iter().any(|f| (f.task, f.with) == *pair));
        found
    }

    /// Whether what one began at contains what the other has done.
    fn builds_on(&mut self, repo: &Repo, one: &Seen, other: &Seen) -> bool {
        let Some(commit) = &other.commit else { return false };
        let key = (one.start.clone(), commit.clone());
        let known = self.contained.entry(key);
        *known.or_insert_with(|| repo.contains_commit(&one.start, commit).unwrap_or(false))
    }

    fn judge(
        &mut self,
        repo: &Repo,
        pair: Pair,
        marks: (u64, u64),
        shared: Vec<String>,
        (ours, theirs): (Side<'_>, Side<'_>),
    ) -> Option<Found> {
        if shared.is_empty() {
            return None;
        }
        let (task, with) = pair;
        let (paths, path_count) = match self.known.get(&pair) {
            Some((known, paths, count)) if *known == marks => (paths.clone(), *count),
            _ => {
                let clashes = match repo.expect_merge(ours, theirs) {
                    Ok(clashes) => clashes,
                    // A file that changed while it was read; the next touch is looked at again.
                    Err(error) => {
                        log(&error);
                        return self.known.get(&pair).map(|(_, paths, count)| Found {
                            task,
                            with,
                            paths: paths.clone(),
                            path_count: *count,
                        });
                    }
                };
                let (paths, count) = told(shared, clashes);
                self.known.insert(pair, (marks, paths.clone(), count));
                (paths, count)
            }
        };
        Some(Found { task, with, paths, path_count })
    }
}

fn log(error: &GitError) {
    tracing::debug!(%error, "expect a merge");
}

/// Those that conflict first.
fn told(shared: Vec<String>, clashes: Vec<Clash>) -> (Vec<OverlapPath>, u64) {
    let named: BTreeSet<&str> = clashes.iter().map(|clash| clash.path.as_str()).collect();
    let merges: Vec<OverlapPath> = shared
        .into_iter()
        .filter(|path| !named.contains(path.as_str()))
        .map(|path| OverlapPath {
            path,
            conflict: false,
            lines: Vec::new(),
            other_lines: Vec::new(),
        })
        .collect();
    let conflicts = clashes.into_iter().map(|clash| OverlapPath {
        path: clash.path,
        conflict: true,
        lines: clash.ours,
        other_lines: clash.theirs,
    });
    let mut all: Vec<OverlapPath> = conflicts.chain(merges).collect();
    let count = all.len() as u64;
    all.truncate(TOLD);
    (all, count)
}

/// Pairs that changed the same path, or one a folder in the place of the other's file.
fn meeting(sides: &BTreeMap<usize, Seen>) -> BTreeSet<(usize, usize)> {
    let mut users: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (task, side) in sides {
        for path in side.changes.paths() {
            users.entry(path).or_default().push(*task);
        }
    }
    let mut pairs = BTreeSet::new();
    let mut pair = |a: usize, b: usize| {
        if a != b {
            pairs.insert((a.min(b), a.max(b)));
        }
    };
    for (path, tasks) in &users {
        for (n, a) in tasks.iter().enumerate() {
            for b in &tasks[n + 1..] {
                pair(*a, *b);
            }
        }
        let folders = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for above in folders.filter_map(|(at, _)| users.get(&path[..at])) {
            for a in above {
                for b in tasks {
                    pair(*a, *b);
                }
            }
        }
    }
    pairs
}
