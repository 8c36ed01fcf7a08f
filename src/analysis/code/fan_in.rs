//! How many files import a file, from the sketches of all: estimated by the words of their imports, as resolving
//! every import of a tree would mean parsing all of it.
//!
//! A file is meant by its name, or by its directory's where it stands for that. A name that several files have
//! counts where the importer names the directory too, or is a neighbour.

use super::{Language, Sketch, sketch};
use crate::analysis::Tree;
use crate::analysis::tree::file_name;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

/// Files that stand for their directory.
const INDEXES: [&str; 6] = ["mod", "lib", "main", "index", "__init__", "package-info"];

/// A file whose importers are counted.
struct Wanted<'t> {
    place: usize,
    language: Language,
    /// Words that its importers have.
    words: Vec<u32>,
    /// The directory it is known by its name in.
    within: &'t str,
    /// That directory's name.
    above: Option<u32>,
    is_unique: bool,
}

/// About how many files import each of `files`, by place; those that none does are left out.
pub(super) fn count(
    tree: &Tree,
    sketches: &HashMap<usize, Sketch>,
    files: impl IntoIterator<Item = usize>,
) -> HashMap<usize, usize> {
    let folders = OnceCell::new();
    let folders = || folders.get_or_init(|| folders_by_name(tree));
    let wanted: Vec<Wanted<'_>> =
        files.into_iter().filter_map(|file| Wanted::new(tree, file, folders)).collect();
    let mut by_word: HashMap<u32, Vec<&Wanted<'_>>> = HashMap::new();
    for one in &wanted {
        by_word.entry(one.words[0]).or_default().push(one);
    }
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for (&file, sketch) in sketches {
        for one in sketch.imported().filter_map(|word| by_word.get(&word)).flatten() {
            if one.place != file && one.is_imported_by(tree.path(file), sketch) {
                *counts.entry(one.place).or_default() += 1;
            }
        }
    }
    counts
}

impl<'t> Wanted<'t> {
    fn new<'f>(
        tree: &'t Tree,
        place: usize,
        folders: impl Fn() -> &'f HashMap<&'t str, usize>,
    ) -> Option<Self>
    where
        't: 'f,
    {
        let path = tree.path(place);
        let language = Language::of(path).filter(|language| !language.is_manifest())?;
        let stem = stem(path);
        let dir = directory(path);
        let by_directory = language == Language::Go || INDEXES.contains(&stem);
        let (name, within) =
            if by_directory { (file_name(dir), directory(dir)) } else { (stem, dir) };
        let words: Vec<u32> = sketch::words(name).collect();
        let same = |other: &&str| is_family(language, other);
        let is_unique = if by_directory {
            folders().get(name) == Some(&1)
        } else {
            tree.with_stem(stem).filter(same).take(2).count() == 1
        };
        let above = sketch::words(file_name(within)).last();
        (!words.is_empty()).then_some(Self { place, language, words, within, above, is_unique })
    }

    fn is_imported_by(&self, path: &str, sketch: &Sketch) -> bool {
        let near = || directory(path) == self.within;
        let named = || self.above.is_some_and(|above| sketch.imports(above));
        is_family(self.language, path)
            && self.words.iter().all(|word| sketch.imports(*word))
            && (self.is_unique || near() || named())
    }
}

/// Whether files of this language import a file.
fn is_family(language: Language, path: &str) -> bool {
    Language::of(path).is_some_and(|other| {
        other == language
            || (other.is_script() && language.is_script())
            || (other.is_c() && language.is_c())
    })
}

/// How many directories have each name.
fn folders_by_name(tree: &Tree) -> HashMap<&str, usize> {
    let folders: HashSet<&str> = tree.under("").iter().map(|path| directory(path)).collect();
    let mut names: HashMap<&str, usize> = HashMap::new();
    for folder in folders {
        *names.entry(file_name(folder)).or_default() += 1;
    }
    names
}

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

fn stem(path: &str) -> &str {
    let name = file_name(path);
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(files: &[(&str, &str)], of: &str) -> usize {
        let tree = Tree::new(files.iter().map(|(path, _)| (*path).to_owned()).collect());
        let read = |(path, text): &(&str, &str)| {
            let language = Language::of(path).unwrap();
            (tree.place(path).unwrap(), sketch::sketch(language, text.as_bytes()))
        };
        let sketches: HashMap<usize, Sketch> = files.iter().map(read).collect();
        let place = tree.place(of).unwrap();
        count(&tree, &sketches, [place]).get(&place).copied().unwrap_or(0)
    }

    #[test]
    fn importers_are_counted_in_every_language() {
        let python = [
            ("app/core.py", "import app.core\n"),
            ("app/a.py", "from app.core import (\n    x,\n)\n"),
            ("app/b.py", "from . import core\n"),
            ("app/c.py", "def f():\n    import app.core as c\n    return c\n"),
            ("app/d.py", "# import core\ncore = 1\nraise X from core\n"),
            ("web/x.ts", "import { y } from '../app/core'\n"),
        ];
        assert_eq!(counted(&python, "app/core.py"), 3);
        let rust = [
            ("src/core.rs", ""),
            ("src/a.rs", "pub(crate) use crate::{\n    core::X,\n    other::Y,\n};\n"),
            ("src/lib.rs", "// mod core;\npub mod core;\n"),
            ("src/b.rs", "// use core\nlet core = 1;\n"),
        ];
        assert_eq!(counted(&rust, "src/core.rs"), 2);
        let script = [
            ("src/core/index.ts", ""),
            ("src/a.ts", "import {\n  b,\n} from './core'\n"),
            ("src/b.js", "const core = require('../src/core')\n"),
            ("src/c.tsx", "export * from '@/src/core'\n"),
            ("src/d.ts", "const a = await import('./core/index')\n"),
            ("src/e.ts", "const core = 'nothing'\n"),
        ];
        assert_eq!(counted(&script, "src/core/index.ts"), 4);
        let go = [
            ("core/a.go", "package core\n"),
            ("core/b.go", "package core\n"),
            ("cmd/main.go", "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.org/core\"\n)\n"),
        ];
        assert_eq!(counted(&go, "core/b.go"), 1);
        let java = [
            ("p/Core.java", "package p;\n"),
            ("q/A.java", "package q;\nimport static p.Core.one;\n\nclass A { Core c; }\n"),
        ];
        assert_eq!(counted(&java, "p/Core.java"), 1);
        let c = [
            ("inc/core.h", ""),
            ("a.c", "#include \"inc/core.h\"\n"),
            ("b.c", "// include core\n"),
        ];
        assert_eq!(counted(&c, "inc/core.h"), 1);
    }

    #[test]
    fn one_of_several_with_a_name_is_told_by_its_directory() {
        let files = [
            ("a/models.py", ""),
            ("b/models.py", ""),
            ("a/x.py", "from .models import X\n"),
            ("c/y.py", "from b.models import Y\n"),
            ("c/z.py", "from a.models import Z\nfrom b.models import Y\n"),
        ];
        assert_eq!(counted(&files, "a/models.py"), 2);
        assert_eq!(counted(&files, "b/models.py"), 2);
    }
}
