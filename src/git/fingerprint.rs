//! Whether anybody wrote to the user's checkout.
//!
//! Taken when a run starts and after each attempt, so it costs no more than one look at the
//! checkout: unchanged files are known by the stat data in the index, and only files that are not
//! committed anyway are looked into. `.worktrees/` and ignored files are left out.

use super::checkout::Checkout;
use super::uncommitted::Look;
use super::{GitError, Repo, names};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Uncommitted files up to this size (bytes) are known by their content, larger ones by size and
/// time: reading them after each attempt would cost more than it tells.
const CONTENT_UP_TO: u64 = 1 << 20;

/// What the user's checkouts look like. Serialisable, so that it survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// By the checkout's path.
    checkouts: BTreeMap<String, Stand>,
}

/// One checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stand {
    /// Full name of the branch, or nothing when detached.
    branch: Option<String>,
    /// The commit that HEAD is at.
    head: Option<String>,
    /// Digest of what is staged.
    index: String,
    /// Uncommitted files and what is in them.
    dirty: BTreeMap<String, String>,
}

impl Repo {
    /// Looks at the main checkout and at the one that the command was started in.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn fingerprint(&self) -> Result<Fingerprint, GitError> {
        let mut checkouts = BTreeMap::new();
        let main = self.main_checkout();
        let started_in = match &self.checkout {
            Some(path) if self.root.as_ref() != Some(path) => Some(self.linked(path)?),
            _ => None,
        };
        for checkout in main.iter().chain(&started_in) {
            checkouts.insert(checkout.path.display().to_string(), stand(checkout)?);
        }
        Ok(Fingerprint { checkouts })
    }
}

impl Fingerprint {
    /// What differs in a later one: paths inside the checkouts (absolute), `HEAD`, the branch, the
    /// index. Empty when nobody touched anything.
    #[must_use]
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (place, before) in &self.checkouts {
            let Some(after) = later.checkouts.get(place) else {
                found.push(place.clone());
                continue;
            };
            if before.branch != after.branch {
                let name = |b: &Option<String>| b.clone().unwrap_or("a detached HEAD".into());
                let (from, to) = (name(&before.branch), name(&after.branch));
                found.push(format!("HEAD of {place} ({from} -> {to})"));
            } else if before.head != after.head {
                let name = before.branch.as_deref().unwrap_or("HEAD");
                let oid = |o: &Option<String>| o.clone().unwrap_or("nothing".into());
                let (from, to) = (oid(&before.head), oid(&after.head));
                found.push(format!("{name} ({from} -> {to})"));
            } else if before.index != after.index {
                found.push(format!("the index of {place} (git add, git rm)"));
            }
            let paths = before.dirty.keys().chain(after.dirty.keys());
            let mut paths: Vec<&String> =
                paths.filter(|path| before.dirty.get(*path) != after.dirty.get(*path)).collect();
            paths.sort();
            paths.dedup();
            found.extend(
                paths.into_iter().map(|path| format!("{}", Path::new(place).join(path).display())),
            );
        }
        found
    }
}

fn stand(checkout: &Checkout) -> Result<Stand, GitError> {
    let found = checkout.uncommitted(Look::default())?;
    let (standing, index) = match checkout.open() {
        Ok(repo) => (super::commit::standing(&repo), staged(&repo)),
        Err(_) => (checkout.standing()?, None),
    };
    let index = if let Some(index) = index {
        index
    } else {
        let mut digest = Digest::new();
        digest.add(&checkout.git(&["ls-files", "--stage", "-z"])?);
        digest.0
    };
    let dirty = found
        .all()
        .into_iter()
        .filter(|path| !path.starts_with(b".worktrees/") && *path != b".worktrees")
        .map(|path| (names::show(path), content(&checkout.path.join(names::path(path)))))
        .collect();
    Ok(Stand {
        branch: standing.reference,
        head: standing.oid,
        index: format!("{index:016x}"),
        dirty,
    })
}

/// A digest of what is staged, without stat data: `git status` may refresh those at any time.
fn staged(repo: &git2::Repository) -> Option<u64> {
    let index = repo.index().ok()?;
    let mut digest = Digest::new();
    for entry in index.iter() {
        digest.add(&entry.path);
        digest.add(&entry.mode.to_le_bytes());
        digest.add(entry.id.as_bytes());
        digest.add(&(entry.flags & STAGE).to_le_bytes());
    }
    Some(digest.0)
}

/// What is at a path, in a few words that change when it does.
fn content(path: &Path) -> String {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return "gone".into() };
    let mut digest = Digest::new();
    if meta.is_symlink() {
        let target = std::fs::read_link(path).unwrap_or_default();
        digest.add(target.as_os_str().as_encoded_bytes());
        return format!("link {:016x}", digest.0);
    }
    if meta.is_file() && meta.len() <= CONTENT_UP_TO {
        digest.add(&std::fs::read(path).unwrap_or_default());
        return format!("file {} {:016x}", meta.len(), digest.0);
    }
    let time = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    let nanoseconds = time.map_or(0, |t| t.as_nanos());
    let kind = if meta.is_file() { "file" } else { "directory" };
    format!("{kind} {} @{nanoseconds}", meta.len())
}

/// The bits of an index entry's flags that hold its stage (gitformat-index(5)).
const STAGE: u16 = 0x3000;

/// FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv>): the same in every version of the
/// program, which the standard library's hashers do not promise. It guards against accidents, not
/// against somebody who looks for collisions.
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // Ends each part, so that two parts are not the same as one.
        self.0 = (self.0 ^ 0x1ff).wrapping_mul(0x0100_0000_01b3);
    }
}
