//! How files were changed, and whether changes to them merge: the history of a few paths, bounded.
//!
//! Two changes that were made side by side are in a merge commit: the file is merged again from its three
//! blobs. Where history is a line there are none, so each two changes that follow each other are tried as
//! if they had been made side by side: the later one is put upon the state before the earlier one,
//! which succeeds exactly if neither needs the other's lines.

use super::{GitError, Repo};
use git2::{AttrCheckFlags, AttrValue, Commit, MergeFileInput, Oid, Patch, Repository, Tree};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Commits of the first-parent line that are looked at: about what a few people do in a season, read in
/// some tens of milliseconds.
const MAX_COMMITS: usize = 500;
/// Paths that are looked at.
const MAX_PATHS: usize = 32;
/// Changes of a path that are compared and merged, the newest.
const MAX_CHANGES: usize = 24;
/// Merge commits whose common ancestor is looked for.
const MAX_MERGES: usize = 40;
/// Lines that a small change inserts and removes, at most.
const SMALL: usize = 20;
/// Larger files are not merged line by line, bytes.
const MAX_BLOB: usize = 4 << 20;

/// How a file was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathHistory {
    /// Commits that were looked at.
    pub seen: u32,
    /// Those of them that changed it.
    pub changes: u32,
    /// Those of the newest that inserted a few lines and removed next to nothing, scaled to all changes.
    pub small: u32,
    /// Pairs of changes that were merged again.
    pub pairs: u32,
    /// Those without a conflict.
    pub clean: u32,
}

/// What is known of a path while its history is read.
struct Trail {
    path: String,
    /// Its blob in the commit that was looked at last.
    current: Option<Oid>,
    /// From the newest; `None` where it did not exist.
    versions: Vec<Option<Oid>>,
    facts: PathHistory,
}

impl Repo {
    /// Those of `paths` for which `.gitattributes` says `merge=union`.
    #[must_use]
    pub fn merged_by_union(&self, paths: &[String]) -> HashSet<String> {
        let Ok(repo) = self.open() else { return HashSet::new() };
        let is_union = |path: &&String| {
            let value = repo.get_attr(Path::new(path.as_str()), "merge", AttrCheckFlags::default());
            value.is_ok_and(|value| AttrValue::from_string(value) == AttrValue::String("union"))
        };
        paths.iter().filter(is_union).cloned().collect()
    }

    /// The history of `paths` (the first 32 of them) behind the commit `base`.
    ///
    /// # Errors
    /// Objects that cannot be read. A repository that libgit2 does not open has nothing to say.
    pub fn path_history(
        &self,
        base: &str,
        paths: &[String],
    ) -> Result<BTreeMap<String, PathHistory>, GitError> {
        if paths.is_empty() || self.refused_by_libgit2().is_some() {
            return Ok(BTreeMap::new());
        }
        let repo = self.open()?;
        let read = |error| GitError::lib("read the history".to_owned())(error);
        let start = Oid::from_str(base).and_then(|id| repo.find_commit(id)).map_err(read)?;
        let tree = start.tree().map_err(read)?;
        let mut trails: Vec<Trail> =
            paths.iter().take(MAX_PATHS).map(|path| Trail::new(&tree, path)).collect();
        let mut merges = 0;
        let mut commit = Some(start);
        let mut seen = 0;
        while let Some(child) = commit.take().filter(|_| seen < MAX_COMMITS) {
            // A shallow clone ends where its parents are missing.
            let Ok(parent) = child.parent(0) else { break };
            seen += 1;
            step(&mut trails, &child, &parent).map_err(read)?;
            if child.parent_count() == 2
                && merges < MAX_MERGES
                && let Ok(other) = child.parent(1)
            {
                merges +=
                    usize::from(merge_again(&repo, &mut trails, &parent, &other).map_err(read)?);
            }
            commit = Some(parent);
        }
        let seen = u32::try_from(seen).unwrap_or(u32::MAX);
        Ok(trails
            .into_iter()
            .map(|trail| {
                let path = trail.path.clone();
                (path, PathHistory { seen, ..trail.finish(&repo) })
            })
            .collect())
    }
}

/// Notes which paths differ between a commit and its parent.
fn step(trails: &mut [Trail], child: &Commit<'_>, parent: &Commit<'_>) -> Result<(), git2::Error> {
    let (after, before) = (child.tree()?, parent.tree()?);
    if after.id() == before.id() {
        return Ok(());
    }
    for trail in trails {
        let top = trail.path.split('/').next().unwrap_or_default();
        let entry = |tree: &Tree<'_>| tree.get_name(top).map(|entry| entry.id());
        if entry(&after) == entry(&before) {
            continue;
        }
        let was = blob(&before, &trail.path);
        if was != trail.current {
            trail.facts.changes += 1;
            if trail.versions.len() <= MAX_CHANGES {
                trail.versions.push(was);
            }
            trail.current = was;
        }
    }
    Ok(())
}

/// Merges the paths that both parents of a merge commit have changed. Whether there were any.
fn merge_again(
    repo: &Repository,
    trails: &mut [Trail],
    ours: &Commit<'_>,
    theirs: &Commit<'_>,
) -> Result<bool, git2::Error> {
    let (our_tree, their_tree) = (ours.tree()?, theirs.tree()?);
    let mut both = Vec::new();
    for (i, trail) in trails.iter().enumerate() {
        let sides = (blob(&our_tree, &trail.path), blob(&their_tree, &trail.path));
        if let (Some(a), Some(b)) = sides
            && a != b
        {
            both.push((i, a, b));
        }
    }
    if both.is_empty() {
        return Ok(false);
    }
    let Ok(base) = repo.merge_base(ours.id(), theirs.id()) else { return Ok(true) };
    let base = repo.find_commit(base)?.tree()?;
    for (i, a, b) in both {
        let Some(from) = blob(&base, &trails[i].path).filter(|from| *from != a && *from != b)
        else {
            continue;
        };
        if let Some(clean) = merges(repo, from, a, b) {
            trails[i].facts.pairs += 1;
            trails[i].facts.clean += u32::from(clean);
        }
    }
    Ok(true)
}

impl Trail {
    fn new(tree: &Tree<'_>, path: &str) -> Self {
        let (path, current) = (path.to_owned(), blob(tree, path));
        Self { path, current, versions: vec![current], facts: PathHistory::default() }
    }

    /// Compares and merges what the newest changes left.
    fn finish(mut self, repo: &Repository) -> PathHistory {
        let pairs = self.versions.windows(2);
        let sizes: Vec<bool> = pairs
            .filter_map(|pair| match pair {
                [Some(after), Some(before)] => is_small(repo, *before, *after),
                _ => None,
            })
            .collect();
        let small = sizes.iter().filter(|small| **small).count();
        if !sizes.is_empty() {
            let scaled = f64::from(self.facts.changes) * small as f64 / sizes.len() as f64;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most the changes"
            )]
            let scaled = scaled.round() as u32;
            self.facts.small = scaled;
        }
        let mut tried = HashSet::new();
        for three in self.versions.windows(3) {
            let [Some(later), Some(middle), Some(earlier)] = three else { continue };
            // What was reverted and made again would be the same merge twice.
            if later == earlier || !tried.insert((later, middle, earlier)) {
                continue;
            }
            if let Some(clean) = merges(repo, *middle, *earlier, *later) {
                self.facts.pairs += 1;
                self.facts.clean += u32::from(clean);
            }
        }
        self.facts
    }
}

fn blob(tree: &Tree<'_>, path: &str) -> Option<Oid> {
    let entry = tree.get_path(Path::new(path)).ok()?;
    (entry.kind() == Some(git2::ObjectType::Blob)).then(|| entry.id())
}

fn is_small(repo: &Repository, before: Oid, after: Oid) -> Option<bool> {
    let (before, after) = (text(repo, before)?, text(repo, after)?);
    let patch = Patch::from_buffers(before.content(), None, after.content(), None, None).ok()?;
    let (_, inserted, removed) = patch.line_stats().ok()?;
    Some(inserted + removed <= SMALL && removed * 2 <= inserted)
}

fn input<'a>(blob: &'a git2::Blob<'_>) -> MergeFileInput<'a> {
    let mut input = MergeFileInput::new();
    input.content(blob.content());
    input
}

/// Whether two changes of a file merge line by line; `None` for what is no text.
fn merges(repo: &Repository, base: Oid, ours: Oid, theirs: Oid) -> Option<bool> {
    let (base, ours, theirs) = (text(repo, base)?, text(repo, ours)?, text(repo, theirs)?);
    let merged = git2::merge_file(&input(&base), &input(&ours), &input(&theirs), None).ok()?;
    Some(merged.is_automergeable())
}

fn text(repo: &Repository, id: Oid) -> Option<git2::Blob<'_>> {
    let blob = repo.find_blob(id).ok()?;
    (blob.size() <= MAX_BLOB && !blob.is_binary()).then_some(blob)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::fixture::Fixture;

    fn change(fixture: &Fixture, file: &str, text: &str) {
        std::fs::write(fixture.root.join(file), text).unwrap();
        fixture.git(&["add", "-A"]);
        fixture.git(&["commit", "-qm", "change"]);
    }

    fn seen(fixture: &Fixture, path: &str) -> PathHistory {
        let paths = [path.to_owned()];
        fixture.repo.path_history(&fixture.oid("HEAD"), &paths).unwrap()[path]
    }

    #[test]
    fn changes_in_different_places_merge_and_those_at_the_end_do_not() {
        let fixture = Fixture::new();
        let mut spread: Vec<String> = (0..60).map(|i| format!("line {i}")).collect();
        let mut log = String::from("# Log\n");
        change(&fixture, "spread.txt", &spread.join("\n"));
        change(&fixture, "log.md", &log);
        for i in 0..6 {
            spread[i * 9] = format!("changed {i}\nand more");
            change(&fixture, "spread.txt", &spread.join("\n"));
            log = format!("{log}- {i}\n");
            change(&fixture, "log.md", &log);
        }
        let (spread, log) = (seen(&fixture, "spread.txt"), seen(&fixture, "log.md"));
        assert_eq!((spread.seen, spread.changes, spread.pairs, spread.clean), (14, 7, 5, 5));
        assert_eq!((log.changes, log.small, log.pairs, log.clean), (7, 7, 5, 0));
        assert_eq!(seen(&fixture, "a.txt"), PathHistory { seen: 14, ..PathHistory::default() });
        assert_eq!(seen(&fixture, "no/such"), PathHistory { seen: 14, ..PathHistory::default() });
    }

    #[test]
    fn merge_commits_are_merged_again() {
        let fixture = Fixture::new();
        let text = std::fs::read_to_string(fixture.root.join("a.txt")).unwrap();
        fixture.branch("side", "main", &[("a.txt", Some(&format!("first\n{text}")))]);
        change(&fixture, "a.txt", &format!("{text}last\n"));
        fixture.git(&["merge", "-q", "-m", "both", "side"]);
        let seen = seen(&fixture, "a.txt");
        assert!(seen.pairs >= 1 && seen.clean >= 1, "{seen:?}");
    }

    #[test]
    fn union_is_read_from_the_attributes() {
        let fixture = Fixture::new();
        change(&fixture, ".gitattributes", "*.txt merge=union\n");
        let paths = ["a.txt", ".gitattributes", "new.txt"].map(str::to_owned);
        let union = fixture.repo.merged_by_union(&paths);
        assert_eq!(union, HashSet::from(["a.txt".to_owned(), "new.txt".to_owned()]));
    }
}
