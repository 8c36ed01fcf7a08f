//! The repositories of submodules, which go when their worktree goes.
//!
//! Git keeps those of a linked worktree in the worktree's own git directory, under `modules/`; one
//! that was cloned by hand is in the work tree itself. What their remotes have is safe without them.

use super::checkout::{Checkout, run};
use super::executable::command;
use super::{GitError, names};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Commits of a repository that none of its remotes has.
#[derive(Debug, Default)]
pub(crate) struct Unpushed {
    pub count: usize,
    /// Those that all others can be reached from.
    pub tips: Vec<String>,
}

/// One line for each submodule that has commits which are on none of its remotes.
pub(crate) fn unpushed_submodules(checkout: &Checkout) -> Result<Vec<String>, GitError> {
    let mut found = Vec::new();
    for (git_dir, name) in submodules(checkout)? {
        let count = unpushed(&git_dir)?.count;
        if count > 0 {
            let commits = if count == 1 { "a commit" } else { "commits" };
            found.push(format!("{name} ({commits} of this submodule on none of its remotes)"));
        }
    }
    Ok(found)
}

/// The git directories of a checkout's submodules, checked out or not, with what git calls them.
pub(crate) fn submodules(checkout: &Checkout) -> Result<BTreeMap<PathBuf, String>, GitError> {
    let mut found = BTreeMap::new();
    collect(&checkout.git_dir.join("modules"), "", &mut found);
    for path in links(checkout)? {
        let own = checkout.path.join(names::path(&path)).join(".git");
        if own.is_dir() && !own.is_symlink() {
            collect(&own, &names::show(&path), &mut found);
        }
    }
    Ok(found)
}

/// Paths in the index that name a commit of another repository.
fn links(checkout: &Checkout) -> Result<Vec<Vec<u8>>, GitError> {
    const GITLINK: u32 = 0o160_000;
    if let Ok(index) =
        checkout.open().and_then(|repo| repo.index().map_err(GitError::lib("read the index")))
    {
        return Ok(index
            .iter()
            .filter(|entry| entry.mode == GITLINK)
            .map(|entry| entry.path)
            .collect());
    }
    let listing = checkout.git(&["ls-files", "--stage", "-z"])?;
    let entries = names::nul_separated(&listing).filter(|entry| entry.starts_with(b"160000 "));
    Ok(entries
        .filter_map(|entry| entry.splitn(2, |&b| b == b'\t').nth(1))
        .map(<[u8]>::to_vec)
        .collect())
}

/// A name may have slashes, and a submodule may have submodules.
fn collect(directory: &Path, name: &str, found: &mut BTreeMap<PathBuf, String>) {
    if directory.join("HEAD").is_file() && directory.join("objects").is_dir() {
        found.insert(directory.to_owned(), name.to_owned());
        return collect(&directory.join("modules"), name, found);
    }
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let inner = entry.file_name().to_string_lossy().into_owned();
            let inner = if name.is_empty() { inner } else { format!("{name}/{inner}") };
            collect(&entry.path(), &inner, found);
        }
    }
}

/// What none of the remotes of a repository (its git directory) has.
pub(crate) fn unpushed(git_dir: &Path) -> Result<Unpushed, GitError> {
    let ask = |args: &[&str]| {
        let mut asked = command(git_dir, args);
        asked.env("GIT_DIR", git_dir);
        run(asked)
    };
    let mut list = vec!["rev-list", "--parents", "--all"];
    // Without a commit there is no HEAD.
    if ask(&["rev-parse", "--verify", "-q", "HEAD"]).is_ok() {
        list.push("HEAD");
    }
    list.extend(["--not", "--remotes"]);
    let listing = names::show(&ask(&list)?);
    let (mut commits, mut above) = (Vec::new(), BTreeSet::new());
    for line in listing.lines() {
        let mut words = line.split(' ');
        commits.extend(words.next());
        above.extend(words);
    }
    let tips = commits.iter().filter(|commit| !above.contains(*commit));
    Ok(Unpushed { count: commits.len(), tips: tips.map(|&tip| tip.to_owned()).collect() })
}
