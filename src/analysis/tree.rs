//! The files of the base commit, indexed once for all prompts.

use std::collections::BTreeSet;
use std::ops::Range;

/// Paths of one commit: by path, by file name, by directory.
///
/// Three questions need only two sorted lists: a path is a binary search, a directory is the range
/// of paths that begin with it, and a file name a binary search over the same paths sorted by name.
#[derive(Debug, Default)]
pub struct Tree {
    paths: Vec<String>,
    /// Index of the path and byte offset of its file name.
    by_name: Vec<(u32, u32)>,
    extensions: BTreeSet<String>,
    plain_names: BTreeSet<String>,
    beyond_ascii: bool,
}

/// The last component of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What follows the last dot of the file name; nothing for `Makefile` and `.gitignore`.
pub(super) fn extension(path: &str) -> Option<&str> {
    let (stem, extension) = file_name(path).rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then_some(extension)
}

fn name_of(paths: &[String], (path, start): (u32, u32)) -> &str {
    &paths[path as usize][start as usize..]
}

impl Tree {
    /// Indexes `paths`: files from the repository's root, with `/`, in any order.
    #[must_use]
    pub fn new(mut paths: Vec<String>) -> Self {
        paths.sort_unstable();
        paths.dedup();
        paths.truncate(u32::MAX as usize);
        let mut by_name: Vec<(u32, u32)> = (0_u32..)
            .zip(&paths)
            .map(|(i, path)| (i, u32::try_from(path.len() - file_name(path).len()).unwrap_or(0)))
            .collect();
        by_name.sort_by(|a, b| name_of(&paths, *a).cmp(name_of(&paths, *b)));
        let mut tree = Self { by_name, ..Self::default() };
        for path in &paths {
            match extension(path) {
                Some(extension) if !tree.extensions.contains(extension) => {
                    tree.extensions.insert(extension.to_owned());
                }
                Some(_) => {}
                None => {
                    tree.plain_names.insert(file_name(path).to_owned());
                }
            }
        }
        tree.beyond_ascii = paths.iter().any(|path| !path.is_ascii());
        tree.paths = paths;
        tree
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The path of the file at `place`, from 0, in the order of the paths.
    ///
    /// # Panics
    /// At a place that is not below [`Tree::len`].
    #[must_use]
    pub fn path(&self, place: usize) -> &str {
        &self.paths[place]
    }

    /// The place of the file at `path`.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<usize> {
        self.paths.binary_search_by(|p| p.as_str().cmp(path)).ok()
    }

    /// Whether there is a file at `path`.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        self.paths.binary_search_by(|p| p.as_str().cmp(path)).is_ok()
    }

    /// The place of the file at `path` among all, which are sorted.
    pub(super) fn index(&self, path: &str) -> Option<u32> {
        let found = self.paths.binary_search_by(|p| p.as_str().cmp(path)).ok()?;
        u32::try_from(found).ok()
    }

    /// Whether there is a directory at `path` (without a slash at the end).
    #[must_use]
    pub fn has_directory(&self, path: &str) -> bool {
        !path.is_empty() && !self.range(&format!("{path}/")).is_empty()
    }

    /// All paths that begin with `prefix`, sorted.
    #[must_use]
    pub fn under(&self, prefix: &str) -> &[String] {
        &self.paths[self.range(prefix)]
    }

    /// All files called `name`.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &str> {
        self.by_names(move |n| n.cmp(name))
    }

    /// All files whose name begins with `stem` and a dot.
    pub(super) fn with_stem(&self, stem: &str) -> impl Iterator<Item = &str> {
        self.by_names(move |n| match n.strip_prefix(stem) {
            Some(rest) => rest.chars().next().map_or(std::cmp::Ordering::Less, |c| c.cmp(&'.')),
            None => n.cmp(stem),
        })
    }

    /// Whether some file has this extension.
    pub(super) fn knows_extension(&self, extension: &str) -> bool {
        self.extensions.contains(extension)
    }

    /// Whether some file without an extension is called this.
    pub(super) fn knows_plain_name(&self, name: &str) -> bool {
        self.plain_names.contains(name)
    }

    /// Whether some path has letters outside ASCII.
    pub(super) fn beyond_ascii(&self) -> bool {
        self.beyond_ascii
    }

    fn range(&self, prefix: &str) -> Range<usize> {
        let start = self.paths.partition_point(|p| p.as_str() < prefix);
        let length = self.paths[start..].partition_point(|p| p.starts_with(prefix));
        start..start + length
    }

    fn by_names(&self, order: impl Fn(&str) -> std::cmp::Ordering) -> impl Iterator<Item = &str> {
        let order = |entry: &(u32, u32)| order(name_of(&self.paths, *entry));
        let start = self.by_name.partition_point(|entry| order(entry).is_lt());
        // Nearly always none or one.
        let length = match self.by_name.get(start) {
            Some(entry) if order(entry).is_eq() => {
                self.by_name[start..].partition_point(|entry| order(entry).is_eq())
            }
            _ => 0,
        };
        self.by_name[start..start + length].iter().map(|(i, _)| self.paths[*i as usize].as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        Tree::new(paths.iter().map(|&p| p.to_owned()).collect())
    }

    #[test]
    fn paths_names_and_directories_are_found() {
        let tree =
            tree(&["src/a.rs", "src/b/a.rs", "src/b.rs", "src-old/c.rs", "Makefile", "src/a.b.rs"]);
        assert!(tree.contains("src/b.rs") && !tree.contains("src/b"));
        assert!(tree.has_directory("src/b") && tree.has_directory("src"));
        assert!(
            !tree.has_directory("sr") && !tree.has_directory("") && !tree.has_directory("src/a.rs")
        );
        assert_eq!(tree.named("a.rs").collect::<Vec<_>>(), ["src/a.rs", "src/b/a.rs"]);
        assert_eq!(tree.under("src/b/").len(), 1);
        assert_eq!(tree.under("").len(), tree.len());
        assert!(tree.knows_plain_name("Makefile") && tree.knows_extension("rs"));
    }

    #[test]
    fn a_stem_ends_at_its_first_dot() {
        let tree = tree(&["x/run.rs", "y/run.py", "runner.rs", "run-it.rs", "run"]);
        assert_eq!(tree.with_stem("run").collect::<Vec<_>>(), ["y/run.py", "x/run.rs"]);
        assert_eq!(tree.with_stem("ru").count(), 0);
    }
}
