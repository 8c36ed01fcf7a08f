//! The packages of a tree and which needs which.

use super::super::Tree;
use super::super::tree::file_name;
use super::{Language, Outline};
use std::collections::BTreeSet;
use std::rc::Rc;

/// One package of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// As its manifest calls it.
    pub name: String,
    /// From the root, without a slash at the end; empty for the root.
    pub dir: String,
    /// `Cargo`, `Npm` or `GoMod`.
    pub language: Language,
}

/// All packages of a tree.
#[derive(Debug, Default)]
pub struct Packages {
    all: Vec<Package>,
}

/// The manifests of a tree.
pub(super) fn manifests(tree: &Tree) -> BTreeSet<usize> {
    let names = ["Cargo.toml", "package.json", "go.mod"];
    names
        .into_iter()
        .flat_map(|name| tree.named(name))
        .filter_map(|path| tree.place(path))
        .collect()
}

impl Packages {
    pub(super) fn new<'a>(manifests: impl Iterator<Item = (&'a str, Rc<Outline>)>) -> Self {
        let mut all = Vec::new();
        for (path, outline) in manifests {
            if let (Some(manifest), Some(language)) = (&outline.manifest, Language::of(path))
                && !manifest.name.is_empty()
            {
                let dir = path[..path.len() - file_name(path).len()].trim_end_matches('/');
                all.push(Package { name: manifest.name.clone(), dir: dir.to_owned(), language });
            }
        }
        Self { all }
    }

    /// The one a file belongs to.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<&Package> {
        let within = |dir: &str| {
            dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
        };
        self.all.iter().filter(|package| within(&package.dir)).max_by_key(|p| p.dir.len())
    }

    /// The packages that need one of `packages`, directly or not, with themselves; by name, sorted.
    #[must_use]
    pub fn affected(&self, packages: &BTreeSet<&str>) -> BTreeSet<&str> {
        self.all.iter().map(|p| p.name.as_str()).filter(|name| packages.contains(name)).collect()
    }
}
