//! What is known of the repository at the base commit, read and indexed once for all prompts.

use super::past::Coupled;
use super::score::{WEIGHTS, Weights};
use super::similar::Index;
use super::{Past, Tree};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A place where a name is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, from the repository's root.
    pub path: String,
    /// From 1.
    pub line: u32,
}

/// Whoever knows where names are defined.
pub trait Symbols {
    /// Where each of `names` is defined, by name; one that is unknown, or defined all over the place, is left
    /// out. Called once for all prompts.
    fn defined(&self, names: &BTreeSet<&str>) -> BTreeMap<String, Vec<Place>>;
}

/// The repository as the analysis sees it. Only the files' paths must be there; without the rest the
/// factors that need it are silent.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The files.
    pub tree: &'a Tree,
    /// Where names are defined.
    pub symbols: Option<&'a dyn Symbols>,
    /// What earlier commits changed.
    pub past: Option<&'a Past>,
    /// What each factor counts.
    pub weights: &'a Weights,
}

impl<'a> Sources<'a> {
    /// The files, and nothing else yet.
    #[must_use]
    pub fn new(tree: &'a Tree) -> Self {
        Self { tree, symbols: None, past: None, weights: &WEIGHTS }
    }
}

/// [`Sources`] with what is computed from them when it is first needed, by whichever thread.
pub(super) struct Survey<'a> {
    pub(super) sources: Known<'a>,
    paths: OnceLock<Index>,
    coupled: Mutex<HashMap<u32, Arc<Vec<Coupled>>>>,
}

/// What is left of the [`Sources`] when the names were looked up.
pub(super) struct Known<'a> {
    pub(super) tree: &'a Tree,
    pub(super) past: Option<&'a Past>,
    pub(super) weights: &'a Weights,
}

impl<'a> Survey<'a> {
    pub(super) fn new(sources: Sources<'a>) -> Self {
        let Sources { tree, past, weights, .. } = sources;
        let sources = Known { tree, past, weights };
        Self { sources, paths: OnceLock::new(), coupled: Mutex::default() }
    }

    /// What changes with a file; nothing where no history is known.
    pub(super) fn coupled(&self, file: u32) -> Arc<Vec<Coupled>> {
        let Some(past) = self.sources.past else { return Arc::default() };
        let mut known = self.coupled.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(file).or_insert_with(|| Arc::new(past.coupled(file))))
    }

    /// The paths, as texts to compare with.
    pub(super) fn paths(&self) -> &Index {
        let tree = self.sources.tree;
        self.paths.get_or_init(|| Index::new(tree.under("").iter().map(String::as_str)))
    }
}
