//! Which of many branches cannot be merged with which.
//!
//! Each branch is compared with its merge base once. Two branches that touch different paths fit, which
//! takes a look at two sorted lists; two that change the same files are merged in just those files, and
//! each pair of changes to a file only once, however many branches share them. A full merge is left for
//! what may involve renames, directories or attributes.

use super::changes::{oid, tree};
use super::merge::{Change, changes, has_drivers, may_move, merge_in_library, touches};
use super::{GitError, Repo, names};
use git2::Oid;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Two branches that cannot both be merged as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClashingPair {
    /// The first, by its place in the list.
    pub one: usize,
    /// The second, which comes later.
    pub other: usize,
    /// The paths in conflict, sorted.
    pub paths: Vec<String>,
}

/// What a side changed since a merge base; `None` with submodules among it.
type Side = Option<BTreeMap<Vec<u8>, Change>>;

/// The contents of a file: before, and on both sides.
type Contents = (Oid, Oid, Oid);

impl Repo {
    /// Every pair of these commits that conflicts.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn clashes(&self, commits: &[String]) -> Result<Vec<ClashingPair>, GitError> {
        let library = self.open().ok().filter(|repo| !has_drivers(repo));
        let Some(repo) = library else { return self.clashes_one_by_one(commits) };
        let mut seen = Seen {
            repo: &repo,
            sides: HashMap::new(),
            files: HashMap::new(),
            attributes: HashMap::new(),
        };
        let mut found = Vec::new();
        for (one, ours) in commits.iter().enumerate() {
            for (other, theirs) in commits.iter().enumerate().skip(one + 1) {
                let paths = seen.pair(ours, theirs)?;
                if !paths.is_empty() {
                    found.push(ClashingPair { one, other, paths });
                }
            }
        }
        Ok(found)
    }

    fn clashes_one_by_one(&self, commits: &[String]) -> Result<Vec<ClashingPair>, GitError> {
        let mut found = Vec::new();
        for (one, ours) in commits.iter().enumerate() {
            for (other, theirs) in commits.iter().enumerate().skip(one + 1) {
                if let Err(paths) = self.merge_trees(ours, theirs)? {
                    found.push(ClashingPair { one, other, paths });
                }
            }
        }
        Ok(found)
    }
}

struct Seen<'r> {
    repo: &'r git2::Repository,
    /// By merge base and commit.
    sides: HashMap<(Oid, Oid), Side>,
    /// Whether the contents of a file can be merged.
    files: HashMap<Contents, bool>,
    /// Patterns of the files of a base that may be merged in another way than line by line.
    attributes: HashMap<Oid, Vec<String>>,
}

impl Seen<'_> {
    /// The paths in conflict.
    fn pair(&mut self, ours: &str, theirs: &str) -> Result<Vec<String>, GitError> {
        let repo = self.repo;
        let (our, their) = (oid(ours)?, oid(theirs)?);
        let bases = repo
            .merge_bases(our, their)
            .map_err(GitError::lib(format!("find where {ours} and {theirs} part")))?;
        let full = || Ok(merge_in_library(repo, ours, theirs)?.err().unwrap_or_default());
        let [base] = bases[..] else { return full() };
        if base == our || base == their {
            return Ok(Vec::new());
        }
        self.look(base, our)?;
        self.look(base, their)?;
        let (Some(Some(one)), Some(Some(other))) =
            (self.sides.get(&(base, our)), self.sides.get(&(base, their)))
        else {
            return full();
        };
        if may_move(one, other) || may_move(other, one) {
            return full();
        }
        let mut both = Vec::new();
        for (path, change) in one {
            match (other.get(path), change) {
                // Gone on both sides, it may have been renamed on one.
                (Some(theirs), ours) if theirs == ours && ours.is_some() => {}
                (Some(Some(theirs)), Some(ours)) => both.push((path, *ours, *theirs)),
                (Some(_), _) => return full(),
                (None, _) if touches(other, path) => return full(),
                (None, _) => {}
            }
        }
        if other.keys().any(|path| !one.contains_key(path) && touches(one, path)) {
            return full();
        }
        let base_tree = tree(repo, &base.to_string())?;
        for (path, ours, theirs) in both {
            let before = base_tree.get_path(&names::path(path)).ok();
            let before = before.filter(|entry| is_file(entry.filemode()));
            let plain = is_file(ours.0.into()) && ours.0 == theirs.0;
            let Some(before) = before.filter(|_| plain) else { return full() };
            let contents = (before.id(), ours.1, theirs.1);
            let known = self.files.get(&contents).copied();
            let merges = match known {
                Some(known) => known,
                None => merges(repo, contents)?,
            };
            self.files.insert(contents, merges);
            // A line in .gitattributes may merge it all the same, and a full merge names everything.
            if !merges {
                return full();
            }
            let special = match self.attributes.entry(base) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(special_patterns(repo, &base_tree)?),
            };
            if special.iter().any(|pattern| may_match(pattern, path)) {
                return full();
            }
        }
        Ok(Vec::new())
    }

    fn look(&mut self, base: Oid, commit: Oid) -> Result<(), GitError> {
        if let Entry::Vacant(free) = self.sides.entry((base, commit)) {
            let (from, to) =
                (tree(self.repo, &base.to_string())?, tree(self.repo, &commit.to_string())?);
            free.insert(changes(self.repo, &from, &to)?);
        }
        Ok(())
    }
}

fn is_file(mode: i32) -> bool {
    [git2::FileMode::Blob, git2::FileMode::BlobExecutable].iter().any(|m| i32::from(*m) == mode)
}

/// Whether two changes of a file fit together, line by line.
fn merges(repo: &git2::Repository, (before, ours, theirs): Contents) -> Result<bool, GitError> {
    let doing = || GitError::lib("merge the contents of a file");
    let read = |id: Oid| repo.find_blob(id).map_err(doing());
    let (before, ours, theirs) = (read(before)?, read(ours)?, read(theirs)?);
    if [&before, &ours, &theirs].iter().any(|blob| blob.is_binary()) {
        return Ok(false);
    }
    let (mut base, mut one, mut other) =
        (git2::MergeFileInput::new(), git2::MergeFileInput::new(), git2::MergeFileInput::new());
    base.content(before.content());
    one.content(ours.content());
    other.content(theirs.content());
    let merged = git2::merge_file(&base, &one, &other, None).map_err(doing())?;
    Ok(merged.is_automergeable())
}

/// The patterns that some `.gitattributes` gives another way of merging.
fn special_patterns(
    repo: &git2::Repository,
    tree: &git2::Tree<'_>,
) -> Result<Vec<String>, GitError> {
    let info = repo.commondir().join("info/attributes");
    let mut texts: Vec<Vec<u8>> = std::fs::read(info).into_iter().collect();
    tree.walk(git2::TreeWalkMode::PreOrder, |_, entry| {
        if entry.name_bytes() == b".gitattributes"
            && let Ok(blob) = repo.find_blob(entry.id())
        {
            texts.push(blob.content().to_vec());
        }
        git2::TreeWalkResult::Ok
    })
    .map_err(GitError::lib("look for .gitattributes"))?;
    let mut patterns = Vec::new();
    for text in texts {
        for line in String::from_utf8_lossy(&text).lines() {
            let mut words = line.split_whitespace();
            let Some(pattern) = words.next().filter(|word| !word.starts_with('#')) else {
                continue;
            };
            if words.any(|word| word.contains("merge") || word.contains("binary")) {
                patterns.push(pattern.to_owned());
            }
        }
    }
    Ok(patterns)
}

/// Whether a pattern may mean a path: surely not where it is about another ending.
fn may_match(pattern: &str, path: &[u8]) -> bool {
    let ending = pattern.strip_prefix('*').filter(|rest| !rest.contains(['*', '?', '[', '/']));
    ending.is_none_or(|ending| path.ends_with(ending.as_bytes()))
}
