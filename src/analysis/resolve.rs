//! From a piece of text to files of the tree.

use super::expand::{Expansion, expand, is_glob, parse};
use super::tree::{extension, file_name};
use super::{Tree, asked, module};
use std::cell::Cell;

/// What a piece of text names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// One file, and how certain it is that it is this one (0 to 1).
    File(String, f64),
    /// The files a glob matches.
    Files(Vec<String>),
    /// A glob that matches too many files to list.
    Pattern(String),
    /// A directory, with a slash at the end.
    Directory(String),
    /// One of several files of the same name.
    Ambiguous(Vec<String>),
    /// A path that does not exist; it may be about to.
    Missing(String),
}

/// Extensions that make a missing name a file name even in a tree that has none such.
const COMMON_EXTENSIONS: &[&str] = &[
    "c", "cc", "cfg", "conf", "cpp", "cs", "css", "csv", "env", "ex", "go", "gradle", "h", "hpp",
    "html", "ini", "java", "js", "json", "jsx", "kt", "lock", "lua", "md", "mdx", "mjs", "php",
    "proto", "py", "rb", "rs", "rst", "scala", "scss", "sh", "sql", "svelte", "swift", "tf",
    "toml", "ts", "tsx", "txt", "vue", "xml", "yaml", "yml", "zig",
];

/// Products that look like file names.
const NOT_FILES: &[&str] = &[
    "asp.net",
    "d3.js",
    "deno.land",
    "express.js",
    "next.js",
    "node.js",
    "nuxt.js",
    "react.js",
    "three.js",
    "vue.js",
];

/// How many files of one name are looked at over a whole prompt: enough for every real prompt,
/// and a bound for one that names `mod.rs` in half a million different ways.
const BUDGET: usize = 5_000_000;

/// A glob in the text that matches more files than this says where things are rather than what is
/// changed: it stays a pattern.
pub(super) const MAX_IN_TEXT: usize = 32;

/// Longest path, bytes; what git and most file systems can hold is less.
const MAX_PATH: usize = 4_096;

/// Resolves text against one tree.
pub(super) struct Resolver<'t> {
    tree: &'t Tree,
    budget: Cell<usize>,
}

impl<'t> Resolver<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self { tree, budget: Cell::new(BUDGET) }
    }

    pub(super) fn tree(&self) -> &'t Tree {
        self.tree
    }

    /// Whether it could name anything: most words are dismissed here.
    pub(super) fn is_candidate(&self, text: &str) -> bool {
        text.len() <= MAX_PATH
            && (text.bytes().any(|b| b"./\\*:".contains(&b)) || self.tree.knows_plain_name(text))
    }

    /// What `raw` names, if anything.
    pub(super) fn resolve(&self, raw: &str, quoted: bool) -> Option<Found> {
        if self.tree.contains(raw) {
            return plain(raw, quoted).then(|| Found::File(raw.to_owned(), 1.0));
        }
        let text = trimmed(raw.strip_prefix('@').unwrap_or(raw));
        if let Some((path, rest)) = text.split_once("::") {
            let is_file = path.contains(['.', '/']);
            return if is_file {
                self.path(path, quoted)
            } else {
                module::rust(self.tree, path, rest)
            };
        }
        let mut text = text;
        let drive = text.as_bytes().get(1) == Some(&b':')
            && text.as_bytes()[0].is_ascii_alphabetic()
            && text[2..].starts_with(['\\', '/']);
        if drive {
            text = &text[2..];
        }
        let text = trimmed(&text[..text.find([':', '#']).unwrap_or(text.len())]);
        if text.contains('\\') {
            let escaped = ["\\_", "\\*", "\\-", "\\.", "\\[", "\\]", "\\#"]
                .iter()
                .fold(text.to_owned(), |text, &escape| text.replace(escape, &escape[1..]));
            let found = self.path(&escaped.replace('\\', "/"), quoted);
            return match found {
                None | Some(Found::Missing(_)) => {
                    self.path(&text.replace('\\', "/"), quoted).or(found)
                }
                found => found,
            };
        }
        self.path(text, quoted)
    }

    /// The new file that `raw` names where the words around say that it is to be made.
    pub(super) fn made(&self, raw: &str) -> Option<Found> {
        if asked::is_bare_name(raw) {
            let path = raw.trim_start_matches("./").trim_end_matches(['.', ',', ';', ':']);
            let clean = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
            return (path.chars().all(clean)
                && !path.starts_with(['/', '~'])
                && !path.contains(".."))
            .then(|| Found::Missing(path.to_owned()));
        }
        self.resolve(raw, true).filter(|found| matches!(found, Found::Missing(_)))
    }

    fn path(&self, text: &str, quoted: bool) -> Option<Found> {
        let mut text = text;
        while let Some(rest) = text.strip_prefix("./").or_else(|| text.strip_prefix("../")) {
            text = rest;
        }
        let absolute = text.starts_with(['/', '~', '$']);
        if absolute {
            text = text.trim_start_matches('/');
        }
        let decoded = text.contains('%').then(|| text.replace("%20", " "));
        let mut text = decoded.as_deref().unwrap_or(text);
        let collapsed = text
            .contains("//")
            .then(|| text.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"));
        text = collapsed.as_deref().unwrap_or(text);
        if !text.bytes().any(|b| b.is_ascii_alphanumeric() || !b.is_ascii()) {
            return None;
        }
        if self.tree.contains(text) {
            return plain(text, quoted).then(|| Found::File(text.to_owned(), 1.0));
        }
        self.directory(text)
            .or_else(|| self.glob(text))
            .or_else(|| self.by_end(text, quoted))
            .or_else(|| self.without_extension(text))
            .or_else(|| self.without_start(text, absolute))
            .or_else(|| module::dotted(self.tree, text))
            .or_else(|| self.missing(text, absolute, quoted))
    }

    fn directory(&self, text: &str) -> Option<Found> {
        let name = text.strip_suffix('/').unwrap_or(text);
        (text.contains('/') && self.tree.has_directory(name))
            .then(|| Found::Directory(format!("{name}/")))
    }

    fn glob(&self, text: &str) -> Option<Found> {
        // `*` is also emphasis and multiplication, `?` and `[` are punctuation.
        let stars = text.contains('*') && (text.contains('/') || text.starts_with("*."));
        let choice = text.contains('{') && text.contains(',') && text.contains(['/', '.']);
        if !stars && !choice {
            return None;
        }
        let glob = parse(text).ok()?;
        match expand(self.tree, &glob) {
            Expansion::Files(files) if files.is_empty() => None,
            Expansion::Files(files) if files.len() <= MAX_IN_TEXT => Some(Found::Files(files)),
            Expansion::Files(_) | Expansion::TooMany(_) => Some(Found::Pattern(text.to_owned())),
        }
    }

    /// Files whose path ends with `text` at a component's border.
    fn by_end(&self, text: &str, quoted: bool) -> Option<Found> {
        let name = file_name(text);
        if name.is_empty() || !plain(text, quoted) {
            return None;
        }
        let mut left = self.budget.get();
        let found: Vec<&str> = self
            .tree
            .named(name)
            .take(left)
            .inspect(|_| left -= 1)
            .filter(|path| {
                path.strip_suffix(text)
                    .is_some_and(|start| start.is_empty() || start.ends_with('/'))
            })
            .collect();
        self.budget.set(left);
        match found.as_slice() {
            [] => None,
            [one] => {
                Some(Found::File((*one).to_owned(), if text.contains('/') { 0.97 } else { 0.93 }))
            }
            several => Some(Found::Ambiguous(several.iter().map(|&p| p.to_owned()).collect())),
        }
    }

    /// `src/web/state` for the only `src/web/state.*`.
    fn without_extension(&self, text: &str) -> Option<Found> {
        let (folder, name) = text.rsplit_once('/')?;
        if name.is_empty() || name.contains('.') || !self.tree.has_directory(folder) {
            return None;
        }
        let start = format!("{text}.");
        match self.tree.under(&start) {
            [only] if !only[start.len()..].contains('/') => Some(Found::File(only.clone(), 0.9)),
            _ => None,
        }
    }

    /// Paths written from somewhere else: absolute ones, `a/src/x.rs` of a diff, `repo/src/x.rs`.
    fn without_start(&self, text: &str, absolute: bool) -> Option<Found> {
        let mut rest = text;
        for _ in 0..if absolute { 16 } else { 1 } {
            let (first, more) = rest.split_once('/')?;
            rest = more;
            // Below a hidden directory lies somebody's configuration, not a checkout of ours.
            if first.starts_with('.') || (first == "~" && rest.starts_with('.')) {
                return None;
            }
            if rest.contains('/') && self.tree.contains(rest) {
                return Some(Found::File(rest.to_owned(), 0.9));
            }
        }
        None
    }

    fn missing(&self, text: &str, absolute: bool, quoted: bool) -> Option<Found> {
        let extension = extension(text)?;
        let known = self.tree.knows_extension(extension) || COMMON_EXTENSIONS.contains(&extension);
        let clean = |part: &str| {
            !part.is_empty()
                && part != ".."
                && part.chars().all(|c| c.is_alphanumeric() || "_-.+@[]".contains(c))
        };
        if !known || is_glob(extension) || text.len() > 200 || !text.split('/').all(clean) {
            return None;
        }
        let proper = match text.split_once('/') {
            // `github.com/owner/x.go` is an import, not a file of ours.
            Some((first, _)) => {
                let known = self.tree.has_directory(first);
                known || (!absolute && (first.starts_with('.') || !first.contains('.')))
            }
            None => {
                !absolute
                    && !NOT_FILES.contains(&text.to_ascii_lowercase().as_str())
                    && (quoted || !text.starts_with(|c: char| c.is_uppercase()))
            }
        };
        proper.then(|| Found::Missing(text.to_owned()))
    }
}

/// Whether this way of writing a name can mean a file. One without an extension is often also a word
/// (`build`, `test`): it must stand in backticks or be written as no word is (`Makefile`).
fn plain(name: &str, quoted: bool) -> bool {
    quoted || name.contains(['/', '.']) || name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Without the punctuation and Markdown around it.
fn trimmed(text: &str) -> &str {
    let mut text = text;
    loop {
        let before = text;
        text = text.trim_end_matches(['.', ',', ';', ':', '!', '?', '~', '-']);
        text = text.trim_start_matches([',', ';', ':', '!', '?', '+', '-', '#']);
        for (open, close) in [('[', ']'), ('{', '}')] {
            if !text.contains(open) {
                text = text.trim_end_matches(close);
            }
            if !text.contains(close) {
                text = text.trim_start_matches(open);
            }
            let inner = text.strip_prefix(open).and_then(|t| t.strip_suffix(close));
            text = inner.filter(|t| !t.contains([open, close])).unwrap_or(text);
        }
        for mark in ["***", "**", "*", "__", "_"] {
            let inner = text.strip_prefix(mark).and_then(|t| t.strip_suffix(mark));
            text = inner.filter(|t| !t.is_empty()).unwrap_or(text);
        }
        // Emphasis that began or ended with another word; `src/**` and `*.rs` are globs.
        if let Some(inner) = text.strip_suffix("**").filter(|t| !t.ends_with('/')) {
            text = inner;
        }
        if let Some(inner) = text.strip_prefix("**").filter(|t| !t.starts_with('/')) {
            text = inner;
        }
        if text == before {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[&str] = &[
        "src/main.rs",
        "src/tui/mod.rs",
        "src/tui/runner.rs",
        "src/vcs/mod.rs",
        "src/_x.rs",
        "Makefile",
        "build",
        ".gitignore",
        "app/[id]/page.tsx",
        "docs/my guide.md",
        "pkg/bot/live.py",
        "web/app.js",
        "README.md",
        "sub/README.md",
    ];

    fn on(raw: &str) -> Option<Found> {
        let tree = Tree::new(FILES.iter().map(|&p| p.to_owned()).collect());
        Resolver::new(&tree).resolve(raw, false)
    }

    #[test]
    fn a_path_is_found_however_it_is_written() {
        for raw in [
            "src/main.rs",
            "./src/main.rs",
            "../../src/main.rs",
            "src/main.rs:12",
            "src/main.rs:12:5,",
            "src/main.rs#L3",
            "src/main.rs.",
            "**src/main.rs**",
            "src/main.rs**:",
            "[src/main.rs]",
            "_src/main.rs_",
            "src\\main.rs",
            ".\\src\\main.rs:7",
            "@src/main.rs",
            "src//main.rs",
            "a/src/main.rs",
            "/home/me/repo/src/main.rs",
            "C:\\work\\repo\\src\\main.rs",
            "~/repo/src/main.rs",
            "$ROOT/src/main.rs",
            "src/main.rs::tests::x",
            "main.rs",
            "main.rs:3",
            "/src/main.rs",
        ] {
            match on(raw) {
                Some(Found::File(path, _)) => assert_eq!(path, "src/main.rs", "{raw}"),
                other => panic!("{raw}: {other:?}"),
            }
        }
    }

    #[test]
    fn odd_names_are_found() {
        for (raw, path) in [
            (".gitignore", ".gitignore"),
            ("Makefile.", "Makefile"),
            ("app/[id]/page.tsx", "app/[id]/page.tsx"),
            ("docs/my%20guide.md", "docs/my guide.md"),
            ("src/\\_x.rs", "src/_x.rs"),
            ("tui/mod.rs", "src/tui/mod.rs"),
            ("crate::tui::runner::Runner", "src/tui/runner.rs"),
            ("crate::vcs", "src/vcs/mod.rs"),
            ("pkg.bot.live", "pkg/bot/live.py"),
            ("README.md", "README.md"),
        ] {
            match on(raw) {
                Some(Found::File(found, _)) => assert_eq!(found, path, "{raw}"),
                other => panic!("{raw}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_a_file_is_not_found() {
        for raw in [
            "build",
            "e.g.",
            "1.2",
            "v1.2.3",
            "and/or",
            "...",
            "*",
            "**",
            "a*b",
            "std::process::Command",
            "Node.js",
            "github.com/owner/x.go",
            "/etc/passwd",
            "~/.gitignore",
            "self.x",
            "",
            ":",
            "::",
            "[",
            "../..",
            "\\",
            "https:",
            "src.main",
        ] {
            assert_eq!(on(raw), None, "{raw}");
        }
    }

    #[test]
    fn the_only_file_of_a_stem_needs_no_extension() {
        assert_eq!(on("pkg/bot/live"), Some(Found::File("pkg/bot/live.py".into(), 0.9)));
        assert_eq!(on("src/tui"), Some(Found::Directory("src/tui/".into())));
        assert_eq!(on("pkg/bot/li"), None);
    }

    #[test]
    fn several_meanings_are_told_apart() {
        assert_eq!(on("src/tui/"), Some(Found::Directory("src/tui/".into())));
        assert_eq!(on("src/tui"), Some(Found::Directory("src/tui/".into())));
        assert!(matches!(on("mod.rs"), Some(Found::Ambiguous(files)) if files.len() == 2));
        assert!(matches!(on("src/tui/*.rs"), Some(Found::Files(files)) if files.len() == 2));
        assert!(matches!(on("src/{main,_x}.rs"), Some(Found::Files(files)) if files.len() == 2));
        assert_eq!(on("src/new.rs"), Some(Found::Missing("src/new.rs".into())));
        assert_eq!(on("notes.md"), Some(Found::Missing("notes.md".into())));
    }
}
