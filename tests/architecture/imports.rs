//! Which rooms a file reaches into: every path that starts at `crate`, climbs with `super`, or (in
//! the binary) goes through the library's name, in `use` declarations and in the middle of code.

use crate::lexer::{Kind, Token, tokens};

/// A path into a room (or into the crate's root: then `room` is what was named there).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub line: usize,
    pub room: String,
}

/// What is named in the crate's root by the code of the file that is the module `module`
/// (`["git", "repo"]` for `src/git/repo.rs`).
pub fn imports(source: &str, module: &[String]) -> Vec<Import> {
    let mut reader = Reader { tokens: tokens(source), at: 0, found: Vec::new() };
    reader.file(module);
    reader.found
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    found: Vec<Import>,
}

impl Reader {
    fn file(&mut self, file_module: &[String]) {
        let mut module = file_module.to_vec();
        let mut depth = 0_usize;
        // Depths at which an inline `mod name {` closes again.
        let mut inline: Vec<usize> = Vec::new();
        let mut serde_until = 0;
        while let Some(token) = self.tokens.get(self.at).cloned() {
            match &token.kind {
                Kind::Punct('{') => {
                    if let Some(name) = self.inline_module() {
                        module.push(name);
                        inline.push(depth);
                    }
                    depth += 1;
                }
                Kind::Punct('}') => {
                    depth = depth.saturating_sub(1);
                    if inline.last() == Some(&depth) {
                        inline.pop();
                        module.pop();
                    }
                }
                Kind::Punct('#') => serde_until = self.end_of_serde_attribute().max(serde_until),
                // serde writes paths as strings: `#[serde(with = "crate::...")]`.
                Kind::Text(text) if self.at < serde_until => {
                    let mut inner = Self { tokens: tokens(text), at: 0, found: Vec::new() };
                    inner.file(&module);
                    let line = token.line;
                    self.found.extend(inner.found.into_iter().map(|i| Import { line, ..i }));
                }
                Kind::Word(word) if self.starts_a_path(word) => {
                    self.path(module.clone());
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// The name, when the brace at hand opens `mod name {`.
    fn inline_module(&self) -> Option<String> {
        let before = |n| self.at.checked_sub(n).and_then(|i| self.tokens.get(i));
        match (&before(1)?.kind, before(2)?) {
            (Kind::Word(name), keyword) if keyword.is_word("mod") => Some(name.clone()),
            _ => None,
        }
    }

    /// The index after `#[serde(...)]`, or 0.
    fn end_of_serde_attribute(&self) -> usize {
        let is_serde = self.tokens.get(self.at + 1).is_some_and(|t| t.is('['))
            && self.tokens.get(self.at + 2).is_some_and(|t| t.is_word("serde"));
        if !is_serde {
            return 0;
        }
        let close = self.tokens[self.at..].iter().position(|t| t.is(']'));
        close.map_or(0, |n| self.at + n)
    }

    fn starts_a_path(&self, word: &str) -> bool {
        let in_the_middle = self.at > 0 && self.tokens[self.at - 1].kind == Kind::PathSep;
        let next = self.tokens.get(self.at + 1);
        let leads = match word {
            "crate" | "super" | "self" => {
                next.is_some_and(|t| t.kind == Kind::PathSep || t.is_word("as"))
            }
            "orch" => next.is_some_and(|t| t.kind == Kind::PathSep),
            _ => false,
        };
        leads && !in_the_middle
    }

    /// Follows the path at hand, through groups, and leaves `at` behind it.
    fn path(&mut self, mut place: Vec<String>) {
        loop {
            let Some(token) = self.tokens.get(self.at).cloned() else { return };
            let line = token.line;
            match &token.kind {
                Kind::Word(word) => match word.as_str() {
                    "crate" | "orch" if self.starts_a_path(word) => place.clear(),
                    "self" => {}
                    "super" => {
                        place.pop();
                    }
                    name => {
                        if place.is_empty() {
                            self.found.push(Import { line, room: name.to_owned() });
                        }
                        place.push(name.to_owned());
                    }
                },
                Kind::Punct('*') if place.is_empty() => {
                    self.found.push(Import { line, room: "*".to_owned() });
                }
                Kind::Punct('{') => {
                    self.group(&place);
                    return;
                }
                _ => return,
            }
            self.at += 1;
            match self.tokens.get(self.at) {
                Some(next) if next.kind == Kind::PathSep => self.at += 1,
                // The whole crate under another name would hide every import behind it.
                Some(next) if next.is_word("as") && place.is_empty() => {
                    self.found.push(Import { line, room: "*".to_owned() });
                    return;
                }
                _ => return,
            }
        }
    }

    /// `{a, b::c, d::{e, f}}`; each member continues the path so far.
    fn group(&mut self, place: &[String]) {
        self.at += 1;
        while let Some(token) = self.tokens.get(self.at) {
            if token.is('}') {
                self.at += 1;
                return;
            }
            let before = self.at;
            if token.is(',') {
                self.at += 1;
            } else {
                self.path(place.to_vec());
                // `a as b`, or something that is no path: step over it.
                if self.at == before
                    || self.tokens.get(self.at).is_some_and(|t| !t.is(',') && !t.is('}'))
                {
                    self.at += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::imports;

    fn rooms(module: &str, source: &str) -> Vec<String> {
        let module: Vec<_> = module.split("::").map(str::to_owned).collect();
        imports(source, &module).into_iter().map(|i| i.room).collect()
    }

    #[test]
    fn every_way_to_name_a_room_is_seen() {
        for (source, expected) in [
            ("use crate::cli::Args;", vec!["cli"]),
            ("use crate::cli;", vec!["cli"]),
            ("use crate::{cli, git::{Repo, Head as H}, model::*};", vec!["cli", "git", "model"]),
            ("use {crate::cli::A, std::fmt, crate::git::B};", vec!["cli", "git"]),
            ("use super::super::cli::Args;", vec!["cli"]),
            ("use super::super::{cli::Args, git};", vec!["cli", "git"]),
            ("use super::{Own, super::cli};", vec!["cli"]),
            ("use self::super::super::cli;", vec!["cli"]),
            (
                "fn f() -> crate::cli::Out { crate::git::go::<crate::plan::P>() }",
                vec!["cli", "git", "plan"],
            ),
            ("macro_rules! m { () => { $crate::cli::f() } }", vec!["cli"]),
            ("use crate as everything;", vec!["*"]),
            ("use super::super as everything;", vec!["*"]),
            ("use crate::*;", vec!["*"]),
            ("#[serde(with = \"crate::cli::seconds\")] x: u8", vec!["cli"]),
            ("pub(in crate::git) fn f() {}", vec!["git"]),
            ("use crate\n    ::cli\n    ::Args;", vec!["cli"]),
        ] {
            assert_eq!(rooms("git::repo", source), expected, "{source}");
        }
    }

    #[test]
    fn what_only_looks_like_an_import_is_not_one() {
        for source in [
            "// use crate::cli::Args;\n/* crate::cli::x() */",
            "/// See [`crate::cli`].\nfn f() {}",
            "let x = \"use crate::cli::Args\"; let y = r#\"crate::cli::\"#;",
            "#[doc = \"crate::cli\"] fn f() {}",
            "pub(crate) fn cli() { let crate_cli = self.cli(); super::head(); self::cli::f(); }",
            "use super::Error; use std::{fmt, path::Path}; use other::crate_::cli;",
        ] {
            assert_eq!(rooms("git::repo", source), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn inline_modules_are_a_step_further_down() {
        assert_eq!(rooms("git::repo", "mod tests { use super::super::cli::A; }"), [""; 0]);
        assert_eq!(rooms("git::repo", "mod tests { use super::super::super::cli::A; }"), ["cli"]);
        assert_eq!(
            rooms("git::repo", "mod a { fn f() { if x { } } } use super::super::cli::A;"),
            ["cli"]
        );
    }
}
