//! What the code of the base commit says: where names are defined, who imports whom, which package
//! a file belongs to.
//!
//! Three things are known of a file by its content alone, and so kept by its blob: its *sketch*, hashes of
//! all names that look as if they were defined in it and of the words of its imports (a scan without a grammar,
//! cheap enough for every file),
//! its *outline*, definitions and imports as tree-sitter reads them, and its imports alone, for which most
//! languages need only the beginning. Only files whose sketch holds a name that was asked for, and files whose
//! imports were asked for, are parsed.
//!
//! Promise: no content makes it panic or take long; the same content gives the same answer.
//! Never: I/O; what it needs it asks of a [`Library`].

mod fan_in;
mod head;
mod language;
mod manifest;
mod outline;
mod packages;
mod resolve;
mod sketch;

pub use language::Language;
pub use manifest::Manifest;
pub use outline::{Defined, DefinitionKind, Outline, Written, imports, outline};
pub use packages::{Package, Packages};
pub use sketch::{Sketch, sketch};

use super::{Place, Symbols, Tree};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// What is computed from the content of a file may change with `orch`: it is kept under this number.
/// Raise it with every change of [`sketch`] or [`outline`].
pub const FORMAT: u32 = 3;

/// Larger files are generated or data, bytes.
pub const LARGEST: usize = 1 << 20;

/// A name that looks defined in more files than this means no file in particular, and looking into
/// all of them would take long.
const MAX_FILES: usize = 12;

/// Imports resolved of one file: more than any that a person writes.
const MAX_IMPORTS: usize = 2_000;

/// What the analysis asks the outside for, by the place of the file in the [`Tree`].
pub trait Library {
    /// The sketch of every file that is code and can be read.
    fn sketches(&self) -> HashMap<usize, Sketch>;

    /// The outlines of some files, in that order; an empty one for what cannot be read.
    fn outlines(&self, files: &[usize]) -> Vec<Outline>;

    /// The imports of some files, in that order; none for what cannot be read.
    fn imports(&self, files: &[usize]) -> Vec<Vec<Written>>;
}

/// A place where a name is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition<'a> {
    /// The name.
    pub name: String,
    /// The file.
    pub path: &'a str,
    /// From 1.
    pub line: u32,
    /// As what.
    pub kind: DefinitionKind,
}

/// A file of the tree that another imports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import<'a> {
    /// The file imported.
    pub path: &'a str,
    /// Where it is imported first, from 1.
    pub line: u32,
}

/// Answers about the code of one tree. Lazy: nothing is read before it is asked for, and nothing twice.
pub struct Code<'a> {
    tree: &'a Tree,
    library: &'a dyn Library,
    sketches: OnceCell<HashMap<usize, Sketch>>,
    outlines: RefCell<HashMap<usize, Rc<Outline>>>,
    written: RefCell<HashMap<usize, Rc<Vec<Written>>>>,
    imports: RefCell<HashMap<usize, Rc<Vec<Import<'a>>>>>,
    packages: OnceCell<Packages>,
    places: resolve::Places<'a>,
}

impl Symbols for Code<'_> {
    fn defined(&self, names: &BTreeSet<&str>) -> BTreeMap<String, Vec<Place>> {
        let place = |d: Definition<'_>| Place { path: d.path.to_owned(), line: d.line };
        let found = Code::defined(self, names).into_iter();
        found.map(|(name, places)| (name, places.into_iter().map(place).collect())).collect()
    }
}

impl<'a> Code<'a> {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(tree: &'a Tree, library: &'a dyn Library) -> Self {
        Self {
            tree,
            library,
            sketches: OnceCell::new(),
            outlines: RefCell::default(),
            written: RefCell::default(),
            imports: RefCell::default(),
            packages: OnceCell::new(),
            places: resolve::Places::default(),
        }
    }

    /// Where each of `names` is defined, by name and path. A name that is defined in very many files is
    /// left out. One call for all prompts costs little more than one for one.
    #[must_use]
    pub fn defined(&self, names: &BTreeSet<&str>) -> BTreeMap<String, Vec<Definition<'a>>> {
        let mut by_hash: HashMap<u32, Vec<&str>> = HashMap::new();
        for name in names.iter().filter(|name| name.len() >= sketch::SHORTEST) {
            by_hash.entry(sketch::hash(name.as_bytes())).or_default().push(name);
        }
        if by_hash.is_empty() {
            return BTreeMap::new();
        }
        let mut files: HashMap<u32, Vec<usize>> = HashMap::new();
        for (&file, sketch) in self.sketches.get_or_init(|| self.library.sketches()) {
            for hash in sketch.hashes().filter(|hash| by_hash.contains_key(hash)) {
                let files = files.entry(hash).or_default();
                // One more says that there are too many.
                if files.len() <= MAX_FILES {
                    files.push(file);
                }
            }
        }
        files.retain(|_, files| files.len() <= MAX_FILES);
        let all: BTreeSet<usize> = files.values().flatten().copied().collect();
        self.load(all);
        let mut found: BTreeMap<String, Vec<Definition<'a>>> = BTreeMap::new();
        for (hash, files) in files {
            for file in files {
                let outline = self.outline(file);
                let names = by_hash.get(&hash).into_iter().flatten();
                for definition in
                    names.flat_map(|name| outline.definitions.iter().filter(|d| d.name == **name))
                {
                    found.entry(definition.name.clone()).or_default().push(Definition {
                        name: definition.name.clone(),
                        path: self.tree.path(file),
                        line: definition.line,
                        kind: definition.kind,
                    });
                }
            }
        }
        for definitions in found.values_mut() {
            definitions.sort_by_key(|d| (d.path, d.line));
        }
        found
    }

    /// The files of the tree that `path` imports, sorted by path.
    #[must_use]
    pub fn imports(&self, path: &str) -> Rc<Vec<Import<'a>>> {
        let Some(file) = self.tree.place(path) else { return Rc::default() };
        if let Some(known) = self.imports.borrow().get(&file) {
            return Rc::clone(known);
        }
        let mut first: BTreeMap<usize, u32> = BTreeMap::new();
        let imports = self.written(file);
        if let Some(language) = Language::of(path) {
            let from = resolve::From { code: self, file, language };
            for written in imports.iter().take(MAX_IMPORTS) {
                for to in from.resolve(written) {
                    if to != file {
                        first.entry(to).or_insert(written.line);
                    }
                }
            }
        }
        let found =
            first.into_iter().map(|(to, line)| Import { path: self.tree.path(to), line }).collect();
        let found = Rc::new(found);
        self.imports.borrow_mut().insert(file, Rc::clone(&found));
        found
    }

    /// About how many files of the tree import each of `paths`; those that none does are left out. Only where names
    /// were looked up, as it is known by the way then; otherwise nothing is known.
    #[must_use]
    pub fn importers<'p>(&self, paths: &BTreeSet<&'p str>) -> HashMap<&'p str, usize> {
        let Some(sketches) = self.sketches.get() else { return HashMap::new() };
        let places: HashMap<usize, &str> =
            paths.iter().filter_map(|path| Some((self.tree.place(path)?, *path))).collect();
        let counts = fan_in::count(self.tree, sketches, places.keys().copied());
        counts.into_iter().map(|(place, count)| (places[&place], count)).collect()
    }

    /// Reads what [`Code::imports`] will need for these files, all at once: several threads, one look
    /// into the cache.
    pub fn read_ahead<'p>(&self, paths: impl IntoIterator<Item = &'p str>) {
        self.load_written(paths.into_iter().filter_map(|path| self.tree.place(path)));
    }

    /// The packages of the tree, and which needs which.
    #[must_use]
    pub fn packages(&self) -> &Packages {
        self.packages.get_or_init(|| {
            let manifests = packages::manifests(self.tree);
            self.load(manifests.iter().copied());
            packages::Packages::new(
                manifests.into_iter().map(|file| (self.tree.path(file), self.outline(file))),
            )
        })
    }

    /// The package a file belongs to.
    #[must_use]
    pub fn package_of(&self, path: &str) -> Option<&Package> {
        self.packages().of(path)
    }

    fn tree(&self) -> &'a Tree {
        self.tree
    }

    /// Whether a file may define a name. Where the sketches were read, which is so as soon as a prompt names
    /// anything, it spares parsing most of the files that do not.
    fn may_define(&self, file: usize, name: &str) -> bool {
        self.sketched(file, name).unwrap_or(true)
    }

    /// Whether a file defines a name, for sure.
    fn defines(&self, file: usize, name: &str) -> bool {
        self.may_define(file, name) && self.outline(file).definitions.iter().any(|d| d.name == name)
    }

    /// Whether a file seems to define a name, at the least price.
    fn seems_to_define(&self, file: usize, name: &str) -> bool {
        self.sketched(file, name).unwrap_or_else(|| self.defines(file, name))
    }

    fn sketched(&self, file: usize, name: &str) -> Option<bool> {
        let sketches = self.sketches.get().filter(|_| name.len() >= sketch::SHORTEST)?;
        Some(sketches.get(&file).is_some_and(|sketch| sketch.may_hold(name)))
    }

    /// What a file imports, as written.
    fn written(&self, file: usize) -> Rc<Vec<Written>> {
        self.load_written([file]);
        self.written.borrow().get(&file).map(Rc::clone).unwrap_or_default()
    }

    fn load_written(&self, files: impl IntoIterator<Item = usize>) {
        let known = self.written.borrow();
        let new: BTreeSet<usize> = files.into_iter().filter(|f| !known.contains_key(f)).collect();
        drop(known);
        let has_head = |file: &usize| {
            Language::of(self.tree.path(*file)).is_some_and(head::has_head)
                && !self.outlines.borrow().contains_key(file)
        };
        let (heads, whole): (Vec<usize>, Vec<usize>) = new.into_iter().partition(has_head);
        self.load(whole.iter().copied());
        let imports = |file: usize| (file, Rc::new(self.outline(file).imports.clone()));
        let whole: Vec<_> = whole.into_iter().map(imports).collect();
        let mut written = self.written.borrow_mut();
        written.extend(whole);
        if !heads.is_empty() {
            let imports = self.library.imports(&heads).into_iter().map(Rc::new);
            written.extend(heads.into_iter().zip(imports));
        }
    }

    fn load(&self, files: impl IntoIterator<Item = usize>) {
        let known = self.outlines.borrow();
        let is_new = |file: &usize| {
            !known.contains_key(file) && Language::of(self.tree.path(*file)).is_some()
        };
        let wanted: BTreeSet<usize> = files.into_iter().filter(is_new).collect();
        drop(known);
        if wanted.is_empty() {
            return;
        }
        let wanted: Vec<usize> = wanted.into_iter().collect();
        let outlines = self.library.outlines(&wanted).into_iter().map(Rc::new);
        self.outlines.borrow_mut().extend(wanted.into_iter().zip(outlines));
    }

    fn outline(&self, file: usize) -> Rc<Outline> {
        self.load([file]);
        self.outlines.borrow().get(&file).map(Rc::clone).unwrap_or_default()
    }
}

impl std::fmt::Debug for Code<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("files", &self.tree.len()).finish_non_exhaustive()
    }
}
