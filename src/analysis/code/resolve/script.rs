//! JavaScript and TypeScript: relative paths, `tsconfig.json`, packages of the tree.

use super::super::{Language, Package, Written};
use super::{From, MAX_PASSED_ON, directory, join, upwards};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What may be left out of a path, in the order in which it is tried.
const EXTENSIONS: [&str; 15] = [
    ".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".mjs", ".cts", ".cjs", ".vue", ".svelte",
    ".json", ".d.mts", ".d.cts", ".css",
];

/// What is written for a file that is compiled to it.
const COMPILED: [(&str, [&str; 3]); 4] = [
    (".js", [".ts", ".tsx", ".d.ts"]),
    (".jsx", [".tsx", ".ts", ".d.ts"]),
    (".mjs", [".mts", ".d.mts", ".ts"]),
    (".cjs", [".cts", ".d.cts", ".ts"]),
];

/// How many `tsconfig.json` continue each other at most.
const MAX_EXTENDED: usize = 8;

/// One pattern of `paths`, or `baseUrl` as a pattern of all.
#[derive(Debug)]
pub(in super::super) struct Mapping {
    pattern: String,
    /// With `*` for what the pattern's `*` is; from the root of the tree.
    to: Vec<String>,
}

pub(super) fn resolve(
    from: &From<'_, '_>,
    written: &Written,
    depth: usize,
    found: &mut BTreeSet<usize>,
) {
    let text = written.text.split(['?']).next().unwrap_or_default();
    let Some(file) = one(from, text) else { return };
    found.insert(file);
    for name in written.names.iter().filter(|name| !matches!(name.as_str(), "*" | "export")) {
        passed_on(from, file, name, depth, found);
    }
}

/// `name` is asked of the module `file`, which may have it from another.
fn passed_on(
    from: &From<'_, '_>,
    file: usize,
    name: &str,
    depth: usize,
    found: &mut BTreeSet<usize>,
) {
    let is_script = Language::of(from.tree().path(file)).is_some_and(Language::is_script);
    if depth >= MAX_PASSED_ON || !is_script || from.seems_to_define(file, name) {
        return;
    }
    let there = from.at(file);
    for written in from.code.written(file).iter() {
        let has = |wanted: &str| written.names.iter().any(|n| n == wanted);
        if !has("export") {
            continue;
        }
        if has(name) {
            let one = Written { names: vec![name.to_owned()], ..written.clone() };
            resolve(&there, &one, depth + 1, found);
            return;
        }
        if has("*")
            && let Some(behind) = one(&there, &written.text)
        {
            if from.seems_to_define(behind, name) {
                found.insert(behind);
                return;
            }
            passed_on(&there, behind, name, depth + 1, found);
        }
    }
}

fn one(from: &From<'_, '_>, text: &str) -> Option<usize> {
    if text.starts_with("./") || text.starts_with("../") || text == "." || text == ".." {
        return file(from, &join(from.dir(), text)?);
    }
    if text.is_empty() || text.contains(':') {
        return None;
    }
    let mappings = mappings(from, from.dir());
    let mapped = mappings.iter().find_map(|mapping| {
        let star = captured(&mapping.pattern, text)?;
        mapping.to.iter().find_map(|to| file(from, &to.replace('*', star)))
    });
    mapped.or_else(|| package(from, text))
}

/// The file that `base` means: itself, with an extension, compiled from, or a directory's index.
fn file(from: &From<'_, '_>, base: &str) -> Option<usize> {
    let tree = from.tree();
    if let Some(place) = tree.place(base) {
        return Some(place);
    }
    for (compiled, sources) in COMPILED {
        if let Some(stem) = base.strip_suffix(compiled)
            && let Some(place) = from.first(sources.iter().map(|source| format!("{stem}{source}")))
        {
            return Some(place);
        }
    }
    from.first(EXTENSIONS.iter().map(|extension| format!("{base}{extension}"))).or_else(|| {
        let slash = if base.is_empty() { "" } else { "/" };
        from.first(EXTENSIONS.iter().map(|extension| format!("{base}{slash}index{extension}")))
    })
}

/// What the `*` of a pattern stands for; nothing for a pattern without one.
fn captured<'t>(pattern: &str, text: &'t str) -> Option<&'t str> {
    match pattern.split_once('*') {
        Some((start, end)) => text.strip_prefix(start)?.strip_suffix(end),
        None => (pattern == text).then_some(""),
    }
}

/// What the nearest `tsconfig.json` or `jsconfig.json` says, the most telling pattern first.
fn mappings(from: &From<'_, '_>, dir: &str) -> Rc<Vec<Mapping>> {
    if let Some(known) = from.code.places.scripts.borrow().get(dir) {
        return Rc::clone(known);
    }
    let nearest = upwards(dir).find_map(|dir| {
        from.first(
            ["tsconfig.json", "jsconfig.json"].map(|name| join(dir, name).unwrap_or_default()),
        )
    });
    let mut found = Vec::new();
    if let Some(config) = nearest {
        let mut seen = BTreeSet::new();
        collect(from, config, &mut seen, &mut found);
    }
    found.sort_by_key(|m| std::cmp::Reverse(m.pattern.find('*').unwrap_or(usize::MAX)));
    let found = Rc::new(found);
    from.code.places.scripts.borrow_mut().insert(dir.to_owned(), Rc::clone(&found));
    found
}

fn collect(
    from: &From<'_, '_>,
    config: usize,
    seen: &mut BTreeSet<usize>,
    found: &mut Vec<Mapping>,
) {
    if seen.len() >= MAX_EXTENDED || !seen.insert(config) {
        return;
    }
    let outline = from.code.outline(config);
    let Some(manifest) = &outline.manifest else { return };
    let dir = directory(from.tree().path(config));
    let base = manifest.base.as_ref().and_then(|base| join(dir, base));
    let at = base.clone().unwrap_or_else(|| dir.to_owned());
    for (pattern, to) in &manifest.paths {
        let to = to.iter().filter_map(|to| join(&at, to)).collect();
        found.push(Mapping { pattern: pattern.clone(), to });
    }
    if let Some(base) = base {
        let to = join(&base, "*").into_iter().collect();
        found.push(Mapping { pattern: "*".to_owned(), to });
    }
    for extended in manifest.extends.iter().filter(|e| e.starts_with('.')) {
        if let Some(path) = join(dir, extended)
            && let Some(config) = from.first([path.clone(), format!("{path}.json")])
        {
            collect(from, config, seen, found);
        }
    }
}

/// `@scope/name/inside` of a package of the tree, or `#inside` of the own one.
fn package(from: &From<'_, '_>, text: &str) -> Option<usize> {
    let packages = from.code.packages();
    if text.starts_with('#') {
        return listed(from, packages.of(from.path())?, text);
    }
    let parts = if text.starts_with('@') { 2 } else { 1 };
    let end = text.match_indices('/').nth(parts - 1).map_or(text.len(), |(at, _)| at);
    let package = packages.named(Language::Npm, &text[..end])?;
    let inside = text[end..].trim_start_matches('/');
    if inside.is_empty() {
        let entry = package.entries.iter().find_map(|e| exact_or_source(from, package, e));
        let usual = ["src/index", "index", "src/main", "lib/index"];
        return entry.or_else(|| {
            usual.into_iter().find_map(|usual| file(from, &join(&package.dir, usual)?))
        });
    }
    listed(from, package, &format!("./{inside}"))
        .or_else(|| file(from, &join(&package.dir, inside)?))
        .or_else(|| file(from, &join(&package.dir, &format!("src/{inside}"))?))
}

/// What `exports` or `imports` of a package say of `text`.
fn listed(from: &From<'_, '_>, package: &Package, text: &str) -> Option<usize> {
    package.paths.iter().find_map(|(pattern, to)| {
        let star = captured(pattern, text)?;
        to.iter().find_map(|to| exact_or_source(from, package, &to.replace('*', star)))
    })
}

/// A file of a package, or the source of what its build makes: `dist/x.js` from `src/x.ts`.
fn exact_or_source(from: &From<'_, '_>, package: &Package, entry: &str) -> Option<usize> {
    let path = join(&package.dir, entry)?;
    file(from, &path).or_else(|| {
        let inside = entry.trim_start_matches("./");
        let (built, rest) = inside.split_once('/')?;
        let stem = rest.trim_end_matches(".d.ts").rsplit_once('.').map_or(rest, |(stem, _)| stem);
        let is_built = matches!(built, "dist" | "lib" | "build" | "out" | "es" | "esm" | "cjs");
        let source = join(&package.dir, &format!("src/{stem}"))?;
        is_built.then(|| file(from, &source)).flatten()
    })
}
