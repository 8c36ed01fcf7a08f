//! What follows from what was found: files that change with it, its tests, the lists it must be entered in.

use super::Tree;
use super::evidence::Evidences;
use super::past::Coupled;
use super::survey::Survey;
use super::tree::{extension, file_name};
use crate::model::Factor;
use std::collections::{BTreeMap, HashMap};

/// Only what is at least this likely takes others along.
const ANCHOR_FROM: f64 = 0.1;
/// Of very many, the likeliest take others along.
const MAX_ANCHORS: usize = 40;
/// Less than this is not worth a candidate.
const LEAST: f64 = 0.05;
/// More files with a test's name are not its subject.
const MAX_TESTS: usize = 4;

/// Something that is probably changed.
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    pub path: String,
    chance: f64,
    is_new: bool,
}

/// What is probably changed by all that is known so far, the likeliest first.
pub(super) fn anchors(survey: &Survey<'_>, evidence: &Evidences) -> Vec<Anchor> {
    let tree = survey.sources.tree;
    let mut anchors: Vec<Anchor> = evidence
        .iter()
        .filter(|(path, _)| !path.ends_with('/'))
        .map(|(path, findings)| Anchor {
            path: path.to_owned(),
            chance: findings.chance(survey.sources.weights),
            is_new: !tree.contains(path),
        })
        .filter(|anchor| anchor.chance >= ANCHOR_FROM)
        .collect();
    anchors.sort_by(|a, b| b.chance.total_cmp(&a.chance).then_with(|| a.path.cmp(&b.path)));
    anchors.truncate(MAX_ANCHORS);
    anchors
}

/// By file: with which anchor (by its place) it is coupled most, in how many of how many changes.
pub(super) type Couplings = HashMap<u32, (usize, Coupled)>;

/// Adds what the anchors take along. `named` is how much the coupling counts: a prompt that names more files
/// leaves less doubt which of their neighbours are meant.
pub(super) fn spread(
    survey: &Survey<'_>,
    anchors: &[Anchor],
    named: f64,
    evidence: &mut Evidences,
) -> Couplings {
    let tree = survey.sources.tree;
    for anchor in anchors {
        for test in partners(tree, &anchor.path) {
            evidence.signal(test, Factor::Test, anchor.chance);
        }
        if anchor.is_new {
            for list in registries(tree, &anchor.path) {
                evidence.signal(&list, Factor::Registry, anchor.chance);
            }
        }
    }
    coupled(survey, anchors, named, evidence)
}

fn coupled(
    survey: &Survey<'_>,
    anchors: &[Anchor],
    named: f64,
    evidence: &mut Evidences,
) -> Couplings {
    let tree = survey.sources.tree;
    let mut none: BTreeMap<u32, f64> = BTreeMap::new();
    let mut strongest = Couplings::new();
    for (i, anchor) in anchors.iter().enumerate() {
        let Some(file) = tree.index(&anchor.path) else { continue };
        for other in survey.coupled(file).iter() {
            let chance = anchor.chance * other.confidence;
            *none.entry(other.file).or_insert(1.0) *= 1.0 - chance;
            let best = strongest.entry(other.file).or_insert((i, *other));
            if anchors[best.0].chance * best.1.confidence < chance {
                *best = (i, *other);
            }
        }
    }
    for (file, none) in none {
        if 1.0 - none >= LEAST {
            evidence.signal(tree.path(file as usize), Factor::Coupled, named * (1.0 - none));
        }
    }
    strongest
}

/// The anchor that `path` is the test of, or the other way round; or whose directory it lists.
pub(super) fn partner_of<'a>(tree: &Tree, anchors: &'a [Anchor], path: &str) -> Option<&'a str> {
    let of = |anchor: &&Anchor| partners(tree, &anchor.path).any(|p| p == path);
    anchors.iter().find(of).map(|anchor| anchor.path.as_str())
}

/// The new file that `path` must list.
pub(super) fn registered<'a>(tree: &Tree, anchors: &'a [Anchor], path: &str) -> Option<&'a str> {
    let of = |anchor: &&Anchor| anchor.is_new && registries(tree, &anchor.path).any(|p| p == path);
    anchors.iter().find(of).map(|anchor| anchor.path.as_str())
}

/// How tests are named after what they test.
const TEST_ENDINGS: [&str; 8] =
    ["_test", "_tests", "_spec", "-test", "-spec", "Test", "Tests", "IT"];
const TEST_BEGINNINGS: [&str; 2] = ["test_", "test-"];
const TEST_PARTS: [&str; 2] = ["test", "spec"];
const TEST_FOLDERS: [&str; 6] = ["test", "tests", "__tests__", "spec", "specs", "testing"];

/// The name of what a file is about, without extension and signs of a test, and whether it is a test.
fn subject(path: &str) -> (&str, bool) {
    let name = file_name(path);
    let mut parts = name.split('.');
    let stem = parts.next().unwrap_or(name);
    let is_marked = parts.any(|part| TEST_PARTS.contains(&part));
    let in_folder = path.split('/').rev().skip(1).any(|part| TEST_FOLDERS.contains(&part));
    let bare = TEST_ENDINGS
        .iter()
        .find_map(|ending| stem.strip_suffix(ending))
        .or_else(|| TEST_BEGINNINGS.iter().find_map(|beginning| stem.strip_prefix(beginning)))
        .filter(|bare| !bare.is_empty());
    (bare.unwrap_or(stem), is_marked || in_folder || bare.is_some())
}

/// Names too general to belong together.
const INDEXES: [&str; 6] = ["mod", "lib", "main", "index", "__init__", "conftest"];

/// The tests of a file, or what a test tests.
fn partners<'t>(tree: &'t Tree, path: &str) -> impl Iterator<Item = &'t str> + use<'t> {
    let (about, is_test) = subject(path);
    let mut found: Vec<&str> = Vec::new();
    if !INDEXES.contains(&about) && extension(path).is_some() {
        let names = std::iter::once(about.to_owned())
            .chain(TEST_ENDINGS.iter().map(|ending| format!("{about}{ending}")))
            .chain(TEST_BEGINNINGS.iter().map(|beginning| format!("{beginning}{about}")));
        for name in names {
            let same = tree.with_stem(&name).take(MAX_TESTS + 1);
            found.extend(same.filter(|other| subject(other).1 != is_test));
        }
    }
    if found.len() > MAX_TESTS {
        found.clear();
    }
    found.into_iter()
}

/// The tests of a file that is none itself.
pub(super) fn tests_of<'t>(tree: &'t Tree, path: &str) -> impl Iterator<Item = &'t str> + use<'t> {
    let is_test = subject(path).1;
    partners(tree, path).filter(move |_| !is_test)
}

/// Files that name the other files of their directory.
const LISTS: [&str; 8] = [
    "mod.rs",
    "lib.rs",
    "main.rs",
    "__init__.py",
    "index.ts",
    "index.tsx",
    "index.js",
    "CMakeLists.txt",
];

/// Where a new file at `path` must be entered.
fn registries<'t>(tree: &'t Tree, path: &str) -> impl Iterator<Item = String> + use<'t> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let inside = LISTS.iter().map(move |name| format!("{prefix}{name}"));
    let beside = extension(path).filter(|_| !folder.is_empty()).map(|e| format!("{folder}.{e}"));
    let own = path.to_owned();
    inside.chain(beside).filter(move |list| *list != own && tree.contains(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        Tree::new(paths.iter().map(|&p| p.to_owned()).collect())
    }

    #[test]
    fn a_test_is_known_by_its_name_in_many_languages() {
        for (code, test) in [
            ("src/router.py", "tests/test_router.py"),
            ("src/router.ts", "src/router.test.ts"),
            ("src/router.ts", "src/__tests__/router.spec.ts"),
            ("pkg/router.go", "pkg/router_test.go"),
            ("src/Router.java", "test/RouterTest.java"),
            ("src/router.rs", "tests/router.rs"),
            ("lib/router.rb", "spec/router_spec.rb"),
        ] {
            let tree = tree(&[code, test, "src/other.rs", "tests/test_other.py"]);
            assert_eq!(partners(&tree, code).collect::<Vec<_>>(), [test]);
            assert_eq!(partners(&tree, test).collect::<Vec<_>>(), [code]);
        }
        let tree = tree(&["src/a/mod.rs", "tests/mod.rs"]);
        assert_eq!(partners(&tree, "src/a/mod.rs").count(), 0);
    }

    #[test]
    fn a_new_file_is_entered_where_its_folder_is_listed() {
        let tree = tree(&["src/net/mod.rs", "src/tui.rs", "src/tui/a.rs", "web/index.ts"]);
        let lists = |path| registries(&tree, path).collect::<Vec<_>>();
        assert_eq!(lists("src/net/tls.rs"), ["src/net/mod.rs"]);
        assert_eq!(lists("src/tui/b.rs"), ["src/tui.rs"]);
        assert_eq!(lists("web/page.ts"), ["web/index.ts"]);
        assert!(lists("docs/page.md").is_empty());
    }
}
