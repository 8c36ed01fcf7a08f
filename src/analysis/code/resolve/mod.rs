//! From an import as written to files of the tree.
//!
//! What leads out of the tree gives nothing. Where a module only passes a name on (`pub use`, `export from`,
//! an `__init__.py`), the file that defines the name is imported too.

mod c;
mod go;
mod java;
mod python;
mod rust;
mod script;
#[cfg(test)]
mod tests;

use super::super::Tree;
use super::{Code, Language, Written};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// How often a name is passed on at most before nobody follows it.
const MAX_PASSED_ON: usize = 4;

/// Where things are in one tree, found when first asked for.
#[derive(Default)]
pub(super) struct Places<'a> {
    /// Python: for each package at the top, the directories it is in.
    python: OnceCell<HashMap<&'a str, BTreeSet<&'a str>>>,
    /// Java: the directories with classes, by their last part.
    java: OnceCell<HashMap<&'a str, BTreeSet<&'a str>>>,
    /// What `tsconfig.json` says for a directory.
    scripts: RefCell<HashMap<String, Rc<Vec<script::Mapping>>>>,
}

/// The file whose imports are resolved.
#[derive(Clone, Copy)]
pub(super) struct From<'c, 'a> {
    pub code: &'c Code<'a>,
    pub file: usize,
    pub language: Language,
}

impl<'a> From<'_, 'a> {
    /// The files that one import means: nearly always one, none where it leads out of the tree.
    pub(super) fn resolve(&self, written: &Written) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        match self.language {
            Language::Python => python::resolve(self, written, 0, &mut found),
            Language::Rust => rust::resolve(self, written, &mut found),
            Language::JavaScript | Language::TypeScript | Language::Tsx => {
                script::resolve(self, written, 0, &mut found);
            }
            Language::Go => go::resolve(self, written, &mut found),
            Language::Java => java::resolve(self, written, &mut found),
            Language::C | Language::Cpp => c::resolve(self, written, &mut found),
            _ => {}
        }
        found
    }

    fn tree(&self) -> &'a Tree {
        self.code.tree()
    }

    fn path(&self) -> &'a str {
        self.tree().path(self.file)
    }

    fn dir(&self) -> &'a str {
        directory(self.path())
    }

    /// The same question from another file.
    fn at(&self, file: usize) -> Self {
        Self { file, ..*self }
    }

    /// The first of `paths` that is a file.
    fn first(&self, paths: impl IntoIterator<Item = String>) -> Option<usize> {
        paths.into_iter().find_map(|path| self.tree().place(&path))
    }

    /// Whether `file` defines `name`, for sure.
    fn defines(&self, file: usize, name: &str) -> bool {
        self.code.defines(file, name)
    }

    /// Whether `file` seems to define `name`.
    fn seems_to_define(&self, file: usize, name: &str) -> bool {
        self.code.seems_to_define(file, name)
    }

    /// The files whose path ends with `end` at a border; where there are several, the one that is nearest
    /// to this file, if one is.
    fn by_end(&self, end: &str) -> Option<usize> {
        let name = super::super::tree::file_name(end);
        let matches = |path: &&str| {
            path.strip_suffix(end).is_some_and(|start| start.is_empty() || start.ends_with('/'))
        };
        let shared = |path: &str| {
            let own = self.path().split('/');
            path.split('/').zip(own).take_while(|(a, b)| a == b).count()
        };
        let mut best: Vec<(usize, &str)> = Vec::new();
        for path in self.tree().named(name).take(MAX_SAME_NAME).filter(matches) {
            let shared = shared(path);
            if best.first().is_none_or(|(most, _)| *most <= shared) {
                best.retain(|(most, _)| *most == shared);
                best.push((shared, path));
            }
        }
        match best.as_slice() {
            [(_, path)] => self.tree().place(path),
            _ => None,
        }
    }

    /// The files directly in `dir` with this extension, `limit` at most; none where there are more.
    fn directly_in(&self, dir: &str, extension: &str, limit: usize) -> Vec<usize> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let direct = |path: &&String| {
            let name = &path[prefix.len()..];
            !name.contains('/') && name.ends_with(extension)
        };
        let found: Vec<usize> = self
            .tree()
            .under(&prefix)
            .iter()
            .filter(direct)
            .take(limit + 1)
            .filter_map(|path| self.tree().place(path))
            .collect();
        if found.len() > limit { Vec::new() } else { found }
    }
}

/// A name that more files have means none in particular.
const MAX_SAME_NAME: usize = 256;

/// The directory of a path; empty at the root.
pub(super) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// `to` as seen from `dir`; `None` where it leaves the tree.
pub(super) fn join(dir: &str, to: &str) -> Option<String> {
    let mut parts: Vec<&str> = dir.split('/').filter(|p| !p.is_empty()).collect();
    if to.starts_with('/') {
        return None;
    }
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `dir` and the directories above it, down to the root, which is empty.
fn upwards(dir: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(dir), |dir| (!dir.is_empty()).then(|| directory(dir)))
}
