//! What is known of the repository at the base commit, read and indexed once for all prompts.

use super::past::Coupled;
use super::score::{WEIGHTS, Weights};
use super::similar::Index;
use super::{Past, Tree};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

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

/// [`Sources`] with what is computed from them when it is first needed.
pub(super) struct Survey<'a> {
    pub(super) sources: Sources<'a>,
    paths: OnceCell<Index>,
    coupled: RefCell<HashMap<u32, Rc<Vec<Coupled>>>>,
}

impl<'a> Survey<'a> {
    pub(super) fn new(sources: Sources<'a>) -> Self {
        Self { sources, paths: OnceCell::new(), coupled: RefCell::default() }
    }

    /// What changes with a file; nothing where no history is known.
    pub(super) fn coupled(&self, file: u32) -> Rc<Vec<Coupled>> {
        let Some(past) = self.sources.past else { return Rc::default() };
        let mut known = self.coupled.borrow_mut();
        Rc::clone(known.entry(file).or_insert_with(|| Rc::new(past.coupled(file))))
    }

    /// The paths, as texts to compare with.
    pub(super) fn paths(&self) -> &Index {
        let tree = self.sources.tree;
        self.paths.get_or_init(|| Index::new(tree.under("").iter().map(String::as_str)))
    }
}
