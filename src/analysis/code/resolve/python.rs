//! Python: packages, relative imports, `src` layouts.

use super::super::Written;
use super::{From, MAX_PASSED_ON, directory, join, upwards};
use std::collections::{BTreeSet, HashMap};

/// Directories beside the root that hold packages in many projects.
const ROOTS: [&str; 4] = ["", "src", "lib", "python"];

pub(super) fn resolve(
    from: &From<'_, '_>,
    written: &Written,
    depth: usize,
    found: &mut BTreeSet<usize>,
) {
    let text = written.text.as_str();
    let rest = text.trim_start_matches('.');
    let dots = text.len() - rest.len();
    let base = if dots > 0 {
        let Some(dir) = upwards(from.dir()).nth(dots - 1) else { return };
        let Some(base) = join(dir, &rest.replace('.', "/")) else { return };
        Some(base)
    } else {
        absolute(from, rest)
    };
    let Some(base) = base else { return };
    let own = module(from, &base);
    if written.names.is_empty() {
        found.extend(own);
        return;
    }
    for name in &written.names {
        if let Some(submodule) = module(from, &format!("{base}/{name}")) {
            found.insert(submodule);
        } else if let Some(own) = own {
            found.insert(own);
            passed_on(from, own, name, depth, found);
        }
    }
}

/// The file of the module at `base`.
fn module(from: &From<'_, '_>, base: &str) -> Option<usize> {
    from.first([
        format!("{base}.py"),
        format!("{base}/__init__.py"),
        format!("{base}.pyi"),
        format!("{base}/__init__.pyi"),
    ])
}

/// `name` is asked of the module `file`, which may have it from another.
fn passed_on(
    from: &From<'_, '_>,
    file: usize,
    name: &str,
    depth: usize,
    found: &mut BTreeSet<usize>,
) {
    let is_package = from.tree().path(file).ends_with("__init__.py");
    if depth >= MAX_PASSED_ON || !is_package || from.seems_to_define(file, name) {
        return;
    }
    let there = from.at(file);
    for written in from.code.written(file).iter() {
        if written.names.iter().any(|n| n == name) {
            let one = Written { names: vec![name.to_owned()], ..written.clone() };
            resolve(&there, &one, depth + 1, found);
        }
    }
}

/// Where the module `a.b.c` is, without its extension.
fn absolute(from: &From<'_, '_>, dotted: &str) -> Option<String> {
    let path = dotted.replace('.', "/");
    let first = dotted.split('.').next().unwrap_or_default();
    let exists = |root: &&str| {
        let base = if root.is_empty() { path.clone() } else { format!("{root}/{path}") };
        (module(from, &base).is_some() || (path != first && from.tree().has_directory(&base)))
            .then_some(base)
    };
    // Where the interpreter would look for a script or a package of this file.
    let has_init = |dir: &str| {
        let init =
            if dir.is_empty() { "__init__.py".to_owned() } else { format!("{dir}/__init__.py") };
        from.tree().contains(&init)
    };
    let own_root = upwards(from.dir()).find(|dir| !has_init(dir)).unwrap_or_default();
    if let Some(base) = exists(&own_root) {
        return Some(base);
    }
    let roots = from.code.places.python.get_or_init(|| roots(from));
    if let Some(dirs) = roots.get(first) {
        let shared = |dir: &&&str| {
            from.path().split('/').zip(dir.split('/')).take_while(|(a, b)| a == b).count()
        };
        let mut dirs: Vec<&&str> = dirs.iter().collect();
        dirs.sort_by_key(|dir| (std::cmp::Reverse(shared(dir)), dir.len()));
        return dirs.into_iter().find_map(exists);
    }
    // Packages without `__init__.py`. One plain name is rather a library than a file far away.
    let plain = path == first;
    let above = upwards(from.dir()).filter(|_| !plain);
    above
        .chain(ROOTS.into_iter().take(if plain { 2 } else { ROOTS.len() }))
        .find_map(|dir| exists(&dir))
}

/// For each package at the top (its directory has an `__init__.py`, the one above it has none), where it is.
fn roots<'a>(from: &From<'_, 'a>) -> HashMap<&'a str, BTreeSet<&'a str>> {
    let tree = from.tree();
    let inits: BTreeSet<&str> = tree.named("__init__.py").map(directory).collect();
    let mut roots: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for dir in &inits {
        let parent = directory(dir);
        if !dir.is_empty() && (parent.is_empty() || !inits.contains(parent)) {
            let name = dir.rsplit('/').next().unwrap_or(dir);
            roots.entry(name).or_default().insert(parent);
        }
    }
    roots
}
