//! The rules of the house, each a function from a source file to the lines that break it.

use crate::imports::imports;
use crate::lexer::{Kind, tokens};

/// From the ground up. An arrow points to a lower floor, never within one.
pub const FLOORS: [&[&str]; 7] = [
    &["model"],
    &["config", "prompt", "git", "process", "agent", "forge", "journal"],
    &["analysis", "plan", "workflow"],
    &["engine"],
    &["supervisor"],
    &["report"],
    &["cli"],
];

/// The engine is pure: of the rooms below it, it may only see those without effects.
const ENGINE_SEES: [&str; 3] = ["model", "plan", "workflow"];

/// Words that belong to one room, and what they are. `nix` and `libc` are crates of the dependency
/// tree; nothing else in this code base is called that.
const BELONGS_TO: [(&str, &str); 8] = [
    ("git2", "git"),
    ("rusqlite", "journal"),
    ("octocrab", "forge"),
    ("tree_sitter", "analysis"),
    ("unsafe", "process"),
    ("target_os", "process"),
    ("nix", "process"),
    ("libc", "process"),
];

/// Names that say nothing about what is inside.
const SAYS_NOTHING: [&str; 8] =
    ["util", "utils", "common", "helper", "helpers", "type", "types", "misc"];

/// Lines a file may have.
pub const MAX_LINES: usize = 600;

/// Lines of `//!` a room's `mod.rs` opens with, at least: duty, promise, never.
const INTRODUCTION: usize = 3;

/// A source file: its path from `src/` with `/`, and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// `git` for `git/repo.rs`; `main` and `lib` for the two files of the root.
    pub fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn module(&self) -> Vec<String> {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let is_root = matches!(path, "main" | "lib");
        if is_root { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
    }
}

/// Imports that point up or sideways.
pub fn arrows(source: &Source) -> Vec<String> {
    let from = source.room();
    let found = imports(&source.text, &source.module()).into_iter();
    let bad = found.filter(|import| !may_import(from, &import.room));
    bad.map(|i| {
        let why = if floor(&i.room).is_none() {
            format!("'{}' is not a room; name the room it comes from", i.room)
        } else if from == "main" || from == "lib" {
            "main.rs calls cli and lib.rs only declares the rooms".to_owned()
        } else if from == "engine" {
            format!("the engine is pure and sees only {}", ENGINE_SEES.join(", "))
        } else if floor(&i.room) == floor(from) {
            "rooms on one floor do not import each other".to_owned()
        } else {
            "an arrow only ever points down".to_owned()
        };
        format!("src/{}:{}: {from} imports {}: {why}", source.path, i.line, i.room)
    })
    .collect()
}

/// Words outside the one room that may use them.
pub fn trespassers(source: &Source) -> Vec<String> {
    let room = source.room();
    let mut broken = Vec::new();
    for token in tokens(&source.text) {
        let Kind::Word(word) = &token.kind else { continue };
        let owner = BELONGS_TO.iter().find(|(name, _)| name == word).map(|(_, owner)| *owner);
        if let Some(owner) = owner.filter(|owner| *owner != room) {
            broken.push(format!(
                "src/{}:{}: only {owner}/ may name `{word}`",
                source.path, token.line
            ));
        }
    }
    broken
}

/// Names, sizes, and introductions.
pub fn manners(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let path = &source.path;
    for part in path.trim_end_matches(".rs").split('/') {
        if SAYS_NOTHING.contains(&part) {
            broken.push(format!("src/{path}:1: '{part}' does not say what is inside"));
        }
    }
    let root = source.room();
    let known = floor(root).is_some() && path.contains('/');
    if !known && !matches!(path.as_str(), "main.rs" | "lib.rs") {
        broken.push(format!("src/{path}:1: it is in none of the rooms"));
    }
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        broken.push(format!("src/{path}:{MAX_LINES}: {lines} lines; it is asking to be two files"));
    }
    let introduction = source.text.lines().take_while(|line| line.starts_with("//!")).count();
    if path.ends_with("/mod.rs") && path.matches('/').count() == 1 && introduction < INTRODUCTION {
        broken.push(format!(
            "src/{path}:1: opens with {introduction} lines of //!; say what the room is for, promises, and never does"
        ));
    }
    let code = tokens(&source.text);
    for five in code.windows(5) {
        let is_path = five[0].is('#') && five[1].is('[') && five[2].is_word("path");
        // A file of tests beside its module is fine; one from another folder is an import in disguise.
        let elsewhere = matches!(&five[4].kind, Kind::Text(to) if to.contains('/'));
        if is_path && elsewhere {
            broken.push(format!("src/{path}:{}: a module lives in its own folder", five[0].line));
        }
    }
    broken
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn may_import(from: &str, to: &str) -> bool {
    match (from, floor(from), floor(to)) {
        ("main", ..) => to == "cli",
        (_, Some(_), Some(_)) if from == to => true,
        ("engine", ..) => ENGINE_SEES.contains(&to),
        (_, Some(upper), Some(lower)) => lower < upper,
        _ => false,
    }
}
