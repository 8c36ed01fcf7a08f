//! Rust: `mod` trees by their files, `crate::`, `super::`, `self::`, other crates of the tree.

use super::super::{Language, Written};
use super::{From, MAX_PASSED_ON, directory, join, upwards};
use crate::analysis::tree::file_name;
use std::collections::BTreeSet;

/// A module: its file, if there is one, and the directory its children are in.
#[derive(Clone, Debug)]
struct Module {
    file: Option<usize>,
    dir: String,
}

pub(super) fn resolve(from: &From<'_, '_>, written: &Written, found: &mut BTreeSet<usize>) {
    if let Some(way) = written.text.strip_prefix("mod ") {
        if let Some(path) = written.names.first() {
            let named = join(from.dir(), path).and_then(|path| from.tree().place(&path));
            found.extend(named);
            return;
        }
        let mut module = own(from);
        for part in way.split("::") {
            let Some(child) = child(from, &module, part) else {
                // An inline module has no file but a directory.
                module = Module { file: None, dir: below(&module.dir, part) };
                continue;
            };
            module = child;
        }
        found.extend(module.file);
        return;
    }
    path(from, &written.text, 0, found);
}

fn path(from: &From<'_, '_>, text: &str, depth: usize, found: &mut BTreeSet<usize>) {
    let text = text.trim_start_matches("r#").trim_start_matches("::");
    let mut parts = text.split("::").filter(|part| !part.is_empty()).peekable();
    let Some(first) = parts.next() else { return };
    let mut module = match first {
        "crate" | "$crate" => root(from),
        "self" => own(from),
        "super" => {
            let mut module = parent(from, &own(from));
            while parts.next_if_eq(&"super").is_some() {
                module = parent(from, &module);
            }
            module
        }
        name => {
            let own = own(from);
            match child(from, &own, name).or_else(|| other_crate(from, name)) {
                Some(module) => module,
                None => return,
            }
        }
    };
    while let Some(next) = parts.peek().and_then(|part| child(from, &module, part)) {
        module = next;
        parts.next();
    }
    let Some(file) = module.file else { return };
    found.insert(file);
    if let Some(name) = parts.next().filter(|name| *name != "*") {
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
    if depth >= MAX_PASSED_ON || from.seems_to_define(file, name) {
        return;
    }
    let there = from.at(file);
    let written = from.code.written(file);
    let public = written.iter().filter(|w| w.names.iter().any(|n| n == "pub"));
    let mut globs = Vec::new();
    for written in public {
        match written.text.rsplit("::").next() {
            Some("*") => globs.push(written),
            Some(last) if last == name => {
                path(&there, &written.text, depth + 1, found);
                return;
            }
            _ => {}
        }
    }
    for written in globs {
        let mut behind = BTreeSet::new();
        path(&there, &written.text, depth + 1, &mut behind);
        found.extend(behind.into_iter().filter(|file| from.defines(*file, name)));
    }
}

fn below(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

fn child(from: &From<'_, '_>, module: &Module, name: &str) -> Option<Module> {
    let name = name.trim_start_matches("r#");
    let dir = below(&module.dir, name);
    let file = from.first([format!("{dir}.rs"), format!("{dir}/mod.rs")])?;
    // A root file is nobody's child.
    (Some(file) != module.file).then_some(Module { file: Some(file), dir })
}

/// The module that this file is.
fn own(from: &From<'_, '_>) -> Module {
    let path = from.path();
    let name = file_name(path);
    let is_root = from.tree().place(path) == root(from).file;
    let dir = if is_root || matches!(name, "mod.rs" | "lib.rs" | "main.rs") {
        from.dir().to_owned()
    } else {
        path.trim_end_matches(".rs").to_owned()
    };
    Module { file: Some(from.file), dir }
}

fn parent(from: &From<'_, '_>, module: &Module) -> Module {
    let root = root(from);
    let dir = directory(&module.dir).to_owned();
    if module.dir == root.dir || dir == root.dir || dir.is_empty() {
        return root;
    }
    let file = from.first([format!("{dir}.rs"), format!("{dir}/mod.rs")]);
    Module { file, dir }
}

/// The root of the crate that this file belongs to, by Cargo's rules for where targets are.
fn root(from: &From<'_, '_>) -> Module {
    let path = from.path();
    let tree = from.tree();
    let manifest = |dir: &&str| tree.contains(&below(dir, "Cargo.toml"));
    let package = upwards(from.dir()).find(manifest);
    let dir = package.unwrap_or_default();
    let inside = if dir.is_empty() { path } else { &path[dir.len() + 1..] };
    let of = |dir: String, names: &[&str]| {
        let file = from.first(names.iter().map(|name| below(&dir, name)));
        Module { file, dir }
    };
    let mut parts = inside.split('/');
    let first = parts.next().unwrap_or_default();
    let second = parts.next();
    // tests/a.rs is a crate, tests/a/main.rs too; tests/shared/mod.rs is part of several.
    let target = match (first, second) {
        ("tests" | "examples" | "benches", Some(second)) => Some((below(dir, first), second)),
        ("src", Some("bin")) => parts.next().map(|third| (below(dir, "src/bin"), third)),
        _ => None,
    };
    if let Some((dir, name)) = target {
        let within = below(&dir, name);
        if tree.contains(&below(&within, "main.rs")) {
            return of(within, &["main.rs"]);
        }
        let file = if Language::of(name) == Some(Language::Rust) { Some(from.file) } else { None };
        return Module { file, dir };
    }
    if inside == "build.rs" {
        return Module { file: Some(from.file), dir: dir.to_owned() };
    }
    if package.is_some()
        && let Some(entry) =
            from.code.package_of(path).filter(|p| p.dir == dir).and_then(|package| {
                package.entries.iter().find_map(|entry| tree.place(&join(dir, entry)?))
            })
    {
        return Module { file: Some(entry), dir: directory(tree.path(entry)).to_owned() };
    }
    let source = upwards(from.dir()).find(|dir| file_name(dir) == "src").unwrap_or(dir);
    of(source.to_owned(), &["lib.rs", "main.rs"])
}

/// Another crate of the tree, or this file's own from its tests.
fn other_crate(from: &From<'_, '_>, name: &str) -> Option<Module> {
    let packages = from.code.packages();
    let own = from.code.package_of(from.path());
    let renamed = own.and_then(|own| own.renamed.iter().find(|(here, _)| here == name));
    let name = renamed.map_or(name, |(_, package)| package);
    let package = packages.named(Language::Cargo, name).or_else(|| {
        name.contains('_').then(|| packages.named(Language::Cargo, &name.replace('_', "-")))?
    })?;
    let file =
        package.entries.iter().find_map(|entry| from.tree().place(&join(&package.dir, entry)?))?;
    Some(Module { file: Some(file), dir: directory(from.tree().path(file)).to_owned() })
}
