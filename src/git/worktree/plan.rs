//! What is read once for a commit, however many worktrees begin at it.

use super::super::GitError;
use super::super::features::{Features, TreeTraits};
use super::super::tree::{File, Listing};
use super::{Cached, Worktrees};
use std::sync::{Arc, Mutex, PoisonError};

/// Commits whose listings are kept: the base of this run, and the one before it moved on. A listing
/// of 80,000 files takes eight megabytes.
const KEPT: usize = 2;

/// What is needed to write the worktree of one commit.
pub(in crate::git) struct Plan {
    files: Arc<Files>,
    /// Opened once for all small questions; reading the settings of git takes most of the time
    /// that a worktree from the pool takes.
    pub handle: git2::Repository,
}

impl Plan {
    pub fn listing(&self) -> &Listing {
        &self.files.listing
    }

    /// Whether an index holds exactly the files of the plan.
    pub fn is_that_of(&self, index: &[Cached<'_>]) -> bool {
        let same = |(entry, file): (&Cached<'_>, &File)| {
            entry.oid == file.oid
                && entry.mode == file.mode
                && entry.path == self.files.listing.path(file)
        };
        let files = &self.files.listing.files;
        index.len() == files.len() && index.iter().zip(files).all(same)
    }
}

/// The files of a commit, and what they say about how to check them out.
#[derive(Debug)]
struct Files {
    listing: Listing,
    traits: TreeTraits,
}

type Slot = Arc<Mutex<Option<Arc<Files>>>>;

/// The latest last.
#[derive(Debug, Default)]
pub(super) struct Plans(Vec<(String, Slot)>);

impl Plans {
    fn slot(&mut self, oid: &str) -> Slot {
        if let Some(at) = self.0.iter().position(|(known, _)| known == oid) {
            let known = self.0.remove(at);
            self.0.push(known);
        } else {
            if self.0.len() == KEPT {
                self.0.remove(0);
            }
            self.0.push((oid.to_owned(), Slot::default()));
        }
        self.0.last().map(|(_, slot)| Arc::clone(slot)).unwrap_or_default()
    }
}

impl Worktrees {
    /// The plan for a commit, and what the repository uses now: a hook or a filter may have been
    /// installed since the last worktree. `None` where only git can read the repository.
    pub(in crate::git) fn plan(&self, oid: &str) -> Result<Option<Plan>, GitError> {
        if self.repo.refused_by_libgit2().is_some() {
            return Ok(None);
        }
        let handle = self.repo.open_checkout()?;
        let slot = self.plans.lock().unwrap_or_else(PoisonError::into_inner).slot(oid);
        // Twenty threads that ask at once wait here for the first.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let files = match &*slot {
            Some(files) => Arc::clone(files),
            None => Arc::clone(slot.insert(Arc::new(Files::read(&handle, oid)?))),
        };
        drop(slot);
        let features = Features::detect_in(&self.repo, &handle, &files.traits)?;
        Ok((!features.through_git()).then_some(Plan { files, handle }))
    }
}

impl Files {
    fn read(handle: &git2::Repository, oid: &str) -> Result<Self, GitError> {
        let listing = Listing::read(handle, oid)?;
        let traits = TreeTraits::read(handle, &listing);
        Ok(Self { listing, traits })
    }
}
