//! A repository at a commit, read once.

use orch::analysis::score::Weights;
use orch::analysis::{Past, Place, Sources, Symbols, Tree};
use orch::git::{HistoryLimits, Repo};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::rc::Rc;

/// What is known of one commit.
pub struct World {
    pub tree: Tree,
    pub past: Past,
    pub symbols: Definitions,
}

impl World {
    pub fn sources<'a>(&'a self, weights: &'a Weights) -> Sources<'a> {
        Sources { tree: &self.tree, past: Some(&self.past), symbols: Some(&self.symbols), weights }
    }

    /// The files whose path, or unique name, stands in a text.
    pub fn named(&self, text: &str) -> BTreeSet<String> {
        let is_part = |c: char| c.is_alphanumeric() || "_./-".contains(c);
        let words = text.split(|c| !is_part(c)).map(|word| word.trim_matches(['.', '/']));
        let mut named = BTreeSet::new();
        for word in words.filter(|word| word.contains('.')) {
            if self.tree.contains(word) {
                named.insert(word.to_owned());
            } else {
                let mut same = self.tree.named(word);
                if let (Some(only), None) = (same.next(), same.next()) {
                    named.insert(only.to_owned());
                }
            }
        }
        named
    }
}

/// Repositories at commits.
pub struct Worlds {
    repo: Repo,
    objects: git2::Repository,
    known: HashMap<String, Rc<World>>,
    defined: HashMap<git2::Oid, Rc<Vec<String>>>,
}

impl Worlds {
    pub fn open(git_dir: &str) -> Self {
        let repo = Repo::discover(Path::new(git_dir)).unwrap();
        let objects = git2::Repository::open(git_dir).unwrap();
        Self { repo, objects, known: HashMap::new(), defined: HashMap::new() }
    }

    pub fn at(&mut self, base: &str) -> Rc<World> {
        if let Some(world) = self.known.get(base) {
            return Rc::clone(world);
        }
        let tree = Tree::new(self.repo.tree_paths(base).unwrap());
        let past = Past::new(&tree, &self.repo.history(base, HistoryLimits::default()).unwrap());
        let symbols = self.symbols(base);
        let world = Rc::new(World { tree, past, symbols });
        self.known.insert(base.to_owned(), Rc::clone(&world));
        world
    }

    fn symbols(&mut self, base: &str) -> Definitions {
        let mut all = Definitions::default();
        let tree = self.objects.revparse_single(base).unwrap().peel_to_tree().unwrap();
        let mut files = Vec::new();
        tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
            if entry.kind() == Some(git2::ObjectType::Blob) {
                files.push((format!("{folder}{}", entry.name().unwrap_or("?")), entry.id()));
            }
            git2::TreeWalkResult::Ok
        })
        .unwrap();
        for (path, id) in files {
            let code =
                [".rs", ".py", ".ts", ".tsx", ".js", ".jsx", ".go", ".java", ".c", ".cpp", ".h"];
            if !code.iter().any(|e| path.ends_with(e)) {
                continue;
            }
            let names = self.defined.entry(id).or_insert_with(|| {
                let blob = self.objects.find_blob(id).unwrap();
                Rc::new(definitions(&String::from_utf8_lossy(blob.content())))
            });
            for name in names.iter() {
                all.0.entry(name.clone()).or_default().push(path.clone());
            }
        }
        all
    }
}

/// A stand-in for the index of definitions.
#[derive(Default)]
pub struct Definitions(HashMap<String, Vec<String>>);

impl Symbols for Definitions {
    fn defined(&self, names: &BTreeSet<&str>) -> BTreeMap<String, Vec<Place>> {
        let of = |name: &&&str| self.0.get(**name).filter(|files| files.len() <= 12);
        names
            .iter()
            .filter_map(|name| Some((name, of(&name)?)))
            .map(|(name, files)| {
                let places = files.iter().map(|path| Place { path: path.clone(), line: 1 });
                ((*name).to_owned(), places.collect())
            })
            .collect()
    }
}

fn definitions(text: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let words: Vec<&str> = line
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|w| !w.is_empty())
            .take(8)
            .collect();
        for pair in words.windows(2) {
            let always = [
                "fn",
                "struct",
                "enum",
                "trait",
                "class",
                "def",
                "interface",
                "func",
                "function",
                "type",
            ];
            let outside = ["const", "static", "mod", "let", "var"];
            let top = !line.starts_with([' ', '\t']);
            if always.contains(&pair[0]) || (top && outside.contains(&pair[0])) {
                if pair[1].len() >= 4 && pair[1] != "async" && pair[1] != "function" {
                    names.insert(pair[1].to_owned());
                }
                break;
            }
        }
    }
    names.into_iter().collect()
}
