//! The packages of a tree and which needs which: Cargo, npm (with yarn and pnpm), Go.

use super::super::Tree;
use super::super::tree::file_name;
use super::resolve::{directory, join};
use super::{Language, Outline};
use std::collections::{BTreeSet, HashMap};
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
    pub(super) entries: Vec<String>,
    /// What its code calls others, and their names.
    pub(super) renamed: Vec<(String, String)>,
    /// What its own manifest says paths mean: `exports`, `imports`.
    pub(super) paths: Vec<(String, Vec<String>)>,
    /// Places of the packages it needs.
    needs: Vec<usize>,
}

/// All packages of a tree.
#[derive(Debug, Default)]
pub struct Packages {
    all: Vec<Package>,
    by_dir: HashMap<String, Vec<usize>>,
    by_name: HashMap<(Language, String), usize>,
}

/// The manifests of a tree. What was installed is nobody's to change.
pub(super) fn manifests(tree: &Tree) -> BTreeSet<usize> {
    let names = ["Cargo.toml", "package.json", "go.mod"];
    names
        .into_iter()
        .flat_map(|name| tree.named(name))
        .filter(|path| !path.contains("node_modules/") && !path.starts_with("vendor/"))
        .filter_map(|path| tree.place(path))
        .collect()
}

impl Packages {
    pub(super) fn new<'a>(manifests: impl Iterator<Item = (&'a str, Rc<Outline>)>) -> Self {
        let mut packages = Self::default();
        let mut needs = Vec::new();
        for (path, outline) in manifests {
            let (Some(manifest), Some(language)) = (&outline.manifest, Language::of(path)) else {
                continue;
            };
            if manifest.name.is_empty() {
                continue;
            }
            let dir = directory(path).to_owned();
            let place = packages.all.len();
            packages.by_dir.entry(dir.clone()).or_default().push(place);
            packages.by_name.entry((language, manifest.name.clone())).or_insert(place);
            packages.all.push(Package {
                name: manifest.name.clone(),
                dir,
                language,
                entries: manifest.entries.clone(),
                renamed: manifest.renamed.clone(),
                paths: manifest.paths.clone(),
                needs: Vec::new(),
            });
            needs.push((place, outline));
        }
        for (place, outline) in needs {
            let Package { dir, language, .. } = packages.all[place].clone();
            let wanted = outline.manifest.iter().flat_map(|manifest| &manifest.needs);
            let found: BTreeSet<usize> = wanted
                .filter_map(|(name, at)| {
                    let at = at.as_ref().and_then(|at| join(&dir, at));
                    let there = at.and_then(|at| packages.in_dir(&at, language));
                    there.or_else(|| packages.by_name.get(&(language, name.clone())).copied())
                })
                .filter(|needed| *needed != place)
                .collect();
            packages.all[place].needs = found.into_iter().collect();
        }
        packages
    }

    fn in_dir(&self, dir: &str, language: Language) -> Option<usize> {
        self.by_dir.get(dir)?.iter().copied().find(|p| self.all[*p].language == language)
    }

    /// All of them, by the path of their manifests.
    #[must_use]
    pub fn all(&self) -> &[Package] {
        &self.all
    }

    /// The one a file belongs to: the nearest above it that is of its language, or the nearest.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<&Package> {
        let own = match Language::of(path) {
            Some(Language::Rust | Language::Cargo) => Some(Language::Cargo),
            Some(Language::Go | Language::GoMod) => Some(Language::GoMod),
            Some(language) if language.is_script() || language.is_manifest() => Some(Language::Npm),
            _ => None,
        };
        let mut nearest = None;
        let mut dir = directory(path);
        loop {
            if let Some(here) = self.by_dir.get(dir) {
                let of_own = own.and_then(|own| self.in_dir(dir, own));
                if own.is_none() || of_own.is_some() {
                    return of_own.or(here.first().copied()).map(|p| &self.all[p]);
                }
                nearest = nearest.or(here.first().copied());
            }
            if dir.is_empty() {
                return nearest.map(|p| &self.all[p]);
            }
            dir = directory(dir);
        }
    }

    pub(super) fn named(&self, language: Language, name: &str) -> Option<&Package> {
        self.by_name.get(&(language, name.to_owned())).map(|p| &self.all[*p])
    }

    /// The Go modules, or whatever else.
    pub(super) fn of_language(&self, language: Language) -> impl Iterator<Item = &Package> {
        self.all.iter().filter(move |p| p.language == language)
    }

    /// The packages that hold one of `paths`, and those that need them, directly or not; names, sorted.
    #[must_use]
    pub fn affected<'p>(&self, paths: impl IntoIterator<Item = &'p str>) -> Vec<String> {
        let mut needed_by = vec![Vec::new(); self.all.len()];
        for (place, package) in self.all.iter().enumerate() {
            for &needed in &package.needs {
                needed_by[needed].push(place);
            }
        }
        let mut open: Vec<usize> = paths.into_iter().flat_map(|path| self.holding(path)).collect();
        let mut found: BTreeSet<usize> = open.iter().copied().collect();
        while let Some(place) = open.pop() {
            open.extend(needed_by[place].iter().copied().filter(|other| found.insert(*other)));
        }
        let names: BTreeSet<&str> = found.into_iter().map(|p| self.all[p].name.as_str()).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The places of the packages that a change of `path` is a change of: the one it belongs to, or, where it is
    /// a workspace's own manifest, all below it.
    fn holding(&self, path: &str) -> Vec<usize> {
        let dir = directory(path);
        let workspace = match file_name(path) {
            "Cargo.toml" => Some(Language::Cargo),
            "package.json" => Some(Language::Npm),
            _ => None,
        };
        let of_all = match file_name(path) {
            "go.work" => Some(Language::GoMod),
            "pnpm-workspace.yaml" => Some(Language::Npm),
            _ => workspace.filter(|language| self.in_dir(dir, *language).is_none()),
        };
        let Some(language) = of_all else {
            let package = self.of(path);
            return package.and_then(|p| self.in_dir(&p.dir, p.language)).into_iter().collect();
        };
        let is_below = |package: &Package| {
            package.language == language
                && (dir.is_empty()
                    || package.dir.strip_prefix(dir).is_some_and(|p| p.starts_with('/')))
        };
        (0..self.all.len()).filter(|&place| is_below(&self.all[place])).collect()
    }

    /// The packages that `package` needs directly.
    pub fn needs<'s>(&'s self, package: &'s Package) -> impl Iterator<Item = &'s Package> {
        package.needs.iter().map(|p| &self.all[*p])
    }
}
