//! What merging work in progress would come to: both sides' current trees, in memory.
//!
//! Promise: no ref moves, and where libgit2 can merge the repository no object is written to the disk. Where
//! only the git executable can (a merge driver, a format libgit2 cannot read), it leaves loose objects that
//! `git gc` takes away.

use super::changes::{oid, tree};
use super::executable::command;
use super::merge::{Merged, has_drivers, merge_in_library};
use super::touched::{Changes, Version};
use super::tree::{EXECUTABLE, SYMLINK};
use super::{GitError, Repo, names};
use git2::build::TreeUpdateBuilder;
use git2::{Blob, DiffOptions, FileMode, Patch, Repository};
use std::path::Path;

/// Above the object database's own backends, which have 1 and 2.
const IN_MEMORY_FIRST: i32 = 1000;

/// Ranges of lines that are told of one file.
const RANGES: usize = 10;

/// One side of a merge.
#[derive(Clone, Copy, Debug)]
pub enum Side<'a> {
    /// A worktree as it is.
    Worktree {
        /// Where.
        path: &'a Path,
        /// The commit that its task began at.
        start: &'a str,
        /// What differs from that.
        changes: &'a Changes,
    },
    /// A commit.
    Commit(&'a str),
}

/// A file that does not merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// From the repository's root.
    pub path: String,
    /// Where, as the first side has it: first and last line from 1. Empty where there are no lines.
    pub ours: Vec<(u32, u32)>,
    /// As the other side has it.
    pub theirs: Vec<(u32, u32)>,
}

impl Repo {
    /// The files that would not merge.
    ///
    /// # Errors
    /// When a side cannot be read, or they have no common history.
    pub fn expect_merge(&self, ours: Side<'_>, theirs: Side<'_>) -> Result<Vec<Clash>, GitError> {
        let Ok(repo) = self.open() else {
            let (ours, theirs) = (self.commit_by_git(ours)?, self.commit_by_git(theirs)?);
            let merged = self.merge_tree(&[&ours, &theirs])?;
            return Ok(clashes_without_lines(merged));
        };
        let by_library = !has_drivers(&repo);
        if by_library {
            let doing = || GitError::lib("keep objects in memory");
            let odb = repo.odb().map_err(doing())?;
            odb.add_new_mempack_backend(IN_MEMORY_FIRST).map_err(doing())?;
        }
        let (ours, theirs) = (commit(&repo, ours)?, commit(&repo, theirs)?);
        let merged = if by_library {
            merge_in_library(&repo, &ours, &theirs)?
        } else {
            self.merge_tree(&[&ours, &theirs])?
        };
        let Err(paths) = merged else { return Ok(Vec::new()) };
        let base = repo.merge_base(oid(&ours)?, oid(&theirs)?);
        let base = base.map_err(GitError::lib(format!("compare {ours} with {theirs}")))?;
        let base = tree(&repo, &base.to_string())?;
        let (our_tree, their_tree) = (tree(&repo, &ours)?, tree(&repo, &theirs)?);
        let told = paths.into_iter().map(|path| {
            let of = |tree: &git2::Tree<'_>| {
                let entry = tree.get_path(Path::new(&path)).ok()?;
                repo.find_blob(entry.id()).ok()
            };
            let (base, ours, theirs) = (of(&base), of(&our_tree), of(&their_tree));
            let (ours, theirs) = lines(base.as_ref(), ours.as_ref(), theirs.as_ref());
            Clash { path, ours, theirs }
        });
        Ok(told.collect())
    }

    /// The tree of a worktree that git wrote, as a commit.
    fn commit_by_git(&self, side: Side<'_>) -> Result<String, GitError> {
        match side {
            Side::Commit(commit) => Ok(commit.to_owned()),
            Side::Worktree { start, changes, .. } => {
                let Some(tree) = &changes.tree else { return Ok(start.to_owned()) };
                let mut write =
                    command(&self.common_dir, &["commit-tree", tree, "-p", start, "-m", MESSAGE]);
                for role in ["AUTHOR", "COMMITTER"] {
                    write.env(format!("GIT_{role}_NAME"), "orch");
                    write.env(format!("GIT_{role}_EMAIL"), "orch@localhost");
                }
                Ok(names::show(super::checkout::run(write)?.trim_ascii()))
            }
        }
    }
}

const MESSAGE: &str = "orch: work in progress";

fn clashes_without_lines(merged: Merged) -> Vec<Clash> {
    let paths = merged.err().unwrap_or_default().into_iter();
    paths.map(|path| Clash { path, ours: Vec::new(), theirs: Vec::new() }).collect()
}

/// A side as a commit.
fn commit(repo: &Repository, side: Side<'_>) -> Result<String, GitError> {
    let (path, start, changes) = match side {
        Side::Commit(commit) => return Ok(commit.to_owned()),
        Side::Worktree { start, changes, .. } if changes.is_empty() => return Ok(start.to_owned()),
        Side::Worktree { path, start, changes } => (path, start, changes),
    };
    let doing = || GitError::lib(format!("make a tree of {}", path.display()));
    let tree = match &changes.tree {
        Some(tree) => oid(tree)?,
        None => tree_of(repo, path, start, changes)?,
    };
    let write = || {
        let tree = repo.find_tree(tree)?;
        let who = git2::Signature::now("orch", "orch@localhost")?;
        let parent = repo.find_commit(git2::Oid::from_str(start)?)?;
        repo.commit(None, &who, &who, MESSAGE, &tree, &[&parent])
    };
    Ok(write().map_err(doing())?.to_string())
}

/// The start's tree with the changed files put in.
fn tree_of(
    repo: &Repository,
    top: &Path,
    start: &str,
    changes: &Changes,
) -> Result<git2::Oid, GitError> {
    let doing = || GitError::lib(format!("make a tree of {}", top.display()));
    let base = tree(repo, start)?;
    let (mut gone, mut here) = (TreeUpdateBuilder::new(), TreeUpdateBuilder::new());
    for (path, version) in &changes.files {
        let known = base.get_path(&names::path(path)).is_ok();
        match version.map(|version| (version, content(&top.join(names::path(path)), version))) {
            // What is large is left as it was.
            Some((Version { large: true, .. }, _)) => {}
            Some((version, Some(bytes))) => {
                let id = repo.blob(&bytes).map_err(doing())?;
                let mode = match version.mode {
                    EXECUTABLE => FileMode::BlobExecutable,
                    SYMLINK => FileMode::Link,
                    _ => FileMode::Blob,
                };
                here.upsert(path.as_slice(), id, mode);
            }
            _ if known => _ = gone.remove(path.as_slice()),
            _ => {}
        }
    }
    // Removals first: they make room for directories, and directories for files.
    let without = gone.create_updated(repo, &base).map_err(doing())?;
    let without = repo.find_tree(without).map_err(doing())?;
    here.create_updated(repo, &without).map_err(doing())
}

/// `None` where it went away meanwhile.
fn content(place: &Path, version: Version) -> Option<Vec<u8>> {
    if version.large {
        return None;
    }
    if version.mode == SYMLINK {
        return Some(std::fs::read_link(place).ok()?.into_os_string().into_encoded_bytes());
    }
    std::fs::read(place).ok()
}

/// A change of one side: its lines in the base (from 0, the end excluded), and its own, from 1.
#[derive(Clone, Copy, Debug)]
struct Hunk {
    base: (u32, u32),
    own: (u32, u32),
}

/// First and last lines.
type Ranges = Vec<(u32, u32)>;

/// Where both sides' changes meet, as each side has it.
fn lines(
    base: Option<&Blob<'_>>,
    ours: Option<&Blob<'_>>,
    theirs: Option<&Blob<'_>>,
) -> (Ranges, Ranges) {
    let [one, other] = [hunks(base, ours), hunks(base, theirs)];
    // Where one side removed the file, everything the other did conflicts.
    let removed = ours.is_none() || theirs.is_none();
    let meet = |a: &Hunk, b: &Hunk| a.base.0 <= b.base.1 && b.base.0 <= a.base.1;
    let ranges = |own: &[Hunk], others: &[Hunk]| {
        let told = own.iter().filter(|a| removed || others.iter().any(|b| meet(a, b)));
        told.map(|hunk| hunk.own).take(RANGES).collect()
    };
    (ranges(&one, &other), ranges(&other, &one))
}

fn hunks(base: Option<&Blob<'_>>, side: Option<&Blob<'_>>) -> Vec<Hunk> {
    let Some(side) = side else { return Vec::new() };
    let mut options = DiffOptions::new();
    options.context_lines(0).interhunk_lines(0);
    let patch = match base {
        Some(base) => Patch::from_blobs(base, None, side, None, Some(&mut options)),
        None => Patch::from_blob_and_buffer(side, None, &[], None, Some(options.reverse(true))),
    };
    let Ok(patch) = patch else { return Vec::new() };
    let found = (0..patch.num_hunks()).filter_map(|at| {
        let (hunk, _) = patch.hunk(at).ok()?;
        let (from, count) = (hunk.old_start(), hunk.old_lines());
        // An insertion stands after the line that it names.
        let start = if count == 0 { from } else { from.saturating_sub(1) };
        let (own, own_count) = (hunk.new_start().max(1), hunk.new_lines());
        Some(Hunk { base: (start, start + count), own: (own, own + own_count.saturating_sub(1)) })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    const TEN: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";

    /// A repository with `f` and two worktrees of it.
    fn two() -> (Fixture, String, [PathBuf; 2]) {
        let fixture = Fixture::new();
        fs::write(fixture.root.join("f"), TEN).unwrap();
        fs::write(fixture.root.join(".gitignore"), "*.o\nbuild/\n").unwrap();
        fixture.git(&["add", "."]);
        fixture.git(&["commit", "-qm", "ten"]);
        let start = fixture.git(&["rev-parse", "HEAD"]);
        let places = ["one", "two"].map(|name| {
            let place = fixture.root.join(".worktrees").join(name);
            fixture.git(&["worktree", "add", "-q", place.to_str().unwrap()]);
            place
        });
        (fixture, start.trim().to_owned(), places)
    }

    fn changes(fixture: &Fixture, place: &Path, start: &str) -> Changes {
        let mut changes = Changes::default();
        fixture.repo.look_at(place, start, None, &mut changes).unwrap();
        changes
    }

    fn expect(fixture: &Fixture, start: &str, places: &[PathBuf; 2]) -> Vec<Clash> {
        let seen = [0, 1].map(|n| changes(fixture, &places[n], start));
        let side = |n: usize| Side::Worktree { path: &places[n], start, changes: &seen[n] };
        fixture.repo.expect_merge(side(0), side(1)).unwrap()
    }

    #[test]
    fn the_lines_of_a_conflict_are_those_of_each_side() {
        let (fixture, start, places) = two();
        fs::write(places[0].join("f"), format!("new\n{}", TEN.replace("5\n", "five\nand\n")))
            .unwrap();
        fs::write(places[1].join("f"), TEN.replace("5\n", "V\n").replace("10\n", "X\n")).unwrap();
        let clash = Clash { path: "f".to_owned(), ours: vec![(6, 7)], theirs: vec![(5, 5)] };
        assert_eq!(expect(&fixture, &start, &places), std::slice::from_ref(&clash));
        // What is committed counts as what is not.
        fixture.git(&["-C", places[0].to_str().unwrap(), "commit", "-qam", "five"]);
        assert_eq!(expect(&fixture, &start, &places), [clash]);
        let loose = fixture.git(&["count-objects"]);
        expect(&fixture, &start, &places);
        assert_eq!(fixture.git(&["count-objects"]), loose, "nothing is written");
    }

    #[test]
    fn different_places_of_a_file_merge() {
        let (fixture, start, places) = two();
        fs::write(places[0].join("f"), TEN.replace("1\n2\n", "one\n2\n")).unwrap();
        fs::write(places[1].join("f"), TEN.replace("9\n", "nine\n")).unwrap();
        assert_eq!(expect(&fixture, &start, &places), []);
        let [one, two] = [0, 1].map(|n| changes(&fixture, &places[n], &start));
        assert_eq!(one.shared(&two), ["f"]);
    }

    #[test]
    fn what_both_create_and_what_one_removes_conflict() {
        let (fixture, start, places) = two();
        fs::write(places[0].join("new"), "a\n").unwrap();
        fs::write(places[1].join("new"), "b\nc\n").unwrap();
        fs::remove_file(places[0].join("f")).unwrap();
        fs::write(places[1].join("f"), TEN.replace("3\n", "three\n")).unwrap();
        let found = expect(&fixture, &start, &places);
        let clash = |path: &str, ours: &[(u32, u32)], theirs: &[(u32, u32)]| Clash {
            path: path.to_owned(),
            ours: ours.to_vec(),
            theirs: theirs.to_vec(),
        };
        assert_eq!(found, [clash("f", &[], &[(3, 3)]), clash("new", &[(1, 1)], &[(1, 2)])]);
    }

    #[test]
    fn only_what_differs_and_is_not_ignored_is_a_change() {
        let (fixture, start, [place, _]) = two();
        let mut seen = Changes::default();
        let look = |touched: &[&str], seen: &mut Changes| {
            let touched: BTreeSet<PathBuf> = touched.iter().map(PathBuf::from).collect();
            fixture.repo.look_at(&place, &start, Some(&touched), seen).unwrap()
        };
        let write = |name: &str, text: &str| {
            fs::create_dir_all(place.join(name).parent().unwrap()).unwrap();
            fs::write(place.join(name), text).unwrap();
        };
        write("f", "other\n");
        write("a.o", "ignored");
        write("build/x", "ignored");
        write("deep/er/y", "new");
        write("clone/.git/HEAD", "x");
        write("clone/z", "theirs");
        let folders = look(&["f", "a.o", "build", "deep", "clone", ".git"], &mut seen);
        let names = |seen: &Changes| seen.files.keys().map(|p| names::show(p)).collect::<Vec<_>>();
        assert_eq!(names(&seen), ["deep/er/y", "f"]);
        assert_eq!(folders, [PathBuf::from("deep"), PathBuf::from("deep/er")]);
        let mut whole = Changes::default();
        fixture.repo.look_at(&place, &start, None, &mut whole).unwrap();
        assert_eq!(whole, seen, "a look at everything sees the same");
        // Put back, and moved away with its folder.
        write("f", TEN);
        fs::rename(place.join("deep"), place.join("moved")).unwrap();
        look(&["f", "deep", "moved"], &mut seen);
        assert_eq!(names(&seen), ["moved/er/y"]);
    }

    #[test]
    fn a_branch_that_moved_is_a_side_too() {
        let (fixture, start, [place, _]) = two();
        fs::write(fixture.root.join("f"), TEN.replace("2\n", "zwei\n")).unwrap();
        fixture.git(&["commit", "-qam", "zwei"]);
        let tip = fixture.git(&["rev-parse", "HEAD"]).trim().to_owned();
        fs::write(place.join("f"), TEN.replace("2\n", "deux\n")).unwrap();
        let own = changes(&fixture, &place, &start);
        let theirs = fixture.repo.changes_since(&start, &tip).unwrap();
        assert_eq!(own.shared(&theirs), ["f"]);
        let side = Side::Worktree { path: &place, start: &start, changes: &own };
        let found = fixture.repo.expect_merge(side, Side::Commit(&tip)).unwrap();
        assert_eq!(found.len(), 1);
        assert!(fixture.repo.changes_since(&start, &start).unwrap().is_empty());
    }
}
