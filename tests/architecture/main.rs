//! The architecture as a test: reads the source and fails, naming file and line, on an import that
//! points up or sideways, on a word outside the one room that may use it, and on bad manners.

#![expect(clippy::expect_used, reason = "a test that cannot read the source must fail")]

mod imports;
mod lexer;
mod rules;

use rules::{FLOORS, Source};
use std::path::{Path, PathBuf};

/// Every Rust file under `src/`.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("src/ can be read") {
            let path: PathBuf = entry.expect("src/ can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("source is UTF-8");
                let path = path.strip_prefix(&root).expect("it is below src/");
                sources.push(Source { path: path.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn broken(rule: fn(&Source) -> Vec<String>) -> String {
    sources().iter().flat_map(rule).collect::<Vec<_>>().join("\n")
}

fn made_up(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn arrows_only_point_down() {
    let broken = broken(rules::arrows);
    assert!(broken.is_empty(), "\n{broken}");
}

#[test]
fn what_belongs_to_one_room_stays_there() {
    let broken = broken(rules::trespassers);
    assert!(broken.is_empty(), "\n{broken}");
}

#[test]
fn files_have_a_place_a_name_and_a_bearable_size() {
    let broken = broken(rules::manners);
    assert!(broken.is_empty(), "\n{broken}");
}

/// The rules above hold for whatever they are shown; this is that they are shown everything.
#[test]
fn every_room_is_read() {
    let sources = sources();
    for room in FLOORS.iter().flat_map(|floor| floor.iter()) {
        assert!(
            sources.iter().any(|s| s.path == format!("{room}/mod.rs")),
            "src/{room}/mod.rs was not found"
        );
    }
}

#[test]
fn a_made_up_bad_import_is_found() {
    for (path, text, expected) in [
        ("git/repo.rs", "\nuse crate::cli::Args;", "src/git/repo.rs:2: git imports cli"),
        ("git/repo.rs", "use crate::journal::J;", "rooms on one floor"),
        ("plan/mod.rs", "use crate::analysis::T;", "rooms on one floor"),
        ("model/a.rs", "fn f() { crate::config::load() }", "only ever points down"),
        ("engine/mod.rs", "use crate::{model::A, git::B};", "the engine is pure"),
        ("engine/mod.rs", "use crate::analysis::B;", "the engine is pure"),
        ("report/a/b.rs", "use super::super::super::cli::A;", "only ever points down"),
        ("git/repo.rs", "#[cfg(test)] mod tests { use crate::agent::A; }", "rooms on one floor"),
        ("main.rs", "use orch::git::Repo;", "main.rs calls cli"),
        ("cli/a.rs", "use crate::*;", "is not a room"),
    ] {
        let found = rules::arrows(&made_up(path, text)).join("\n");
        assert!(found.contains(expected), "{path}: {text}: found '{found}'");
    }
}

#[test]
fn a_made_up_good_import_passes() {
    for (path, text) in [
        ("main.rs", "fn main() -> std::process::ExitCode { orch::cli::main() }"),
        ("lib.rs", "pub mod cli; pub mod git;"),
        ("cli/a.rs", "use crate::{engine::A, git::B, model::C, supervisor::D, report::E};"),
        ("engine/mod.rs", "use crate::model::A; use crate::plan::B; use crate::workflow::C;"),
        ("plan/graph.rs", "use crate::git::A; use super::targets::B; use crate::plan::C;"),
        ("git/repo.rs", "// crate::cli\nconst X: &str = \"crate::cli::x\";"),
    ] {
        assert_eq!(rules::arrows(&made_up(path, text)), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn a_made_up_trespasser_is_found() {
    for (path, text) in [
        ("cli/a.rs", "use git2::Repository;"),
        ("git/a.rs", "fn f() { rusqlite::open() }"),
        ("git/a.rs", "fn f() { unsafe { g() } }"),
        ("supervisor/a.rs", "#[cfg(target_os = \"linux\")] fn f() {}"),
        ("supervisor/a.rs", "use {std::fmt, nix::sys};"),
    ] {
        assert_eq!(rules::trespassers(&made_up(path, text)).len(), 1, "{path}: {text}");
    }
    let at_home = made_up("git/a.rs", "use git2::Oid; // unsafe, rusqlite\nlet x = \"libc\";");
    assert_eq!(rules::trespassers(&at_home), Vec::<String>::new());
}

#[test]
fn made_up_bad_manners_are_found() {
    let long = "\n".repeat(rules::MAX_LINES + 1);
    for (path, text, expected) in [
        ("git/utils.rs", "", "does not say"),
        ("cli/common/a.rs", "", "does not say"),
        ("stray.rs", "", "none of the rooms"),
        ("attic/mod.rs", "//! a\n//! b\n//! c", "none of the rooms"),
        ("git/a.rs", long.as_str(), "two files"),
        ("git/mod.rs", "//! The room.\n", "opens with 1 lines"),
        ("git/a.rs", "#[path = \"../cli/b.rs\"] mod b;", "its own folder"),
    ] {
        let found = rules::manners(&made_up(path, text)).join("\n");
        assert!(found.contains(expected), "{path}: found '{found}'");
    }
}
