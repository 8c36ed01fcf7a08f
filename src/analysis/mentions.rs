//! Paths in the text of a prompt.

use super::cue::{self, Cue};
use super::lines::{Line, Place, lines};
use super::resolve::{Found, Resolver};
use super::tokens::{self, Token};
use super::weigh::{Evidences, Said, excerpt};
use super::{Request, Tree};
use crate::model::Evidence;
use std::collections::HashMap;

/// Confidence that a file is written, by how it is mentioned. Fitted roughly by hand on changes that
/// agents really made: how many of the files mentioned so were changed in the end.
mod confidence {
    /// A verb of writing beside it.
    pub(super) const VERB: f64 = 0.9;
    /// Under a heading or list line such as "Affected code:".
    pub(super) const HEADING: f64 = 0.85;
    /// Named without a verb.
    pub(super) const NAMED: f64 = 0.75;
    /// Named in a fenced block that is not shell.
    pub(super) const IN_CODE: f64 = 0.6;
    /// A verb of reading: that it is read.
    pub(super) const READ: f64 = 0.8;
    /// Files of a glob or directory in the text, times one of the above.
    pub(super) const WIDE: f64 = 0.7;
    /// One of several files of that name, times one of the above.
    pub(super) const AMBIGUOUS: f64 = 0.3;
    /// A file to be created, without the word for it, times one of the above.
    pub(super) const UNSAID_NEW: f64 = 0.7;
}

/// A name that this many files or fewer have is worth a note on each.
const MAX_AMBIGUOUS: usize = 3;
/// More files than any prompt names in earnest: a bound on what a generated text can fill memory with.
const MAX_PATHS: usize = 10_000;

pub(super) fn read(tree: &Tree, request: &Request<'_>, evidence: &mut Evidences) {
    let mut reader = Reader { resolver: Resolver::new(tree), seen: HashMap::new(), evidence };
    if !request.title.is_empty() && !request.body.contains(request.title) {
        lines(request.title, 1).for_each(|line| reader.line(&line));
    }
    lines(request.body, request.body_line).for_each(|line| reader.line(&line));
}

struct Reader<'t, 'b, 'e> {
    resolver: Resolver<'t>,
    seen: HashMap<(&'b str, bool), Option<Found>>,
    evidence: &'e mut Evidences,
}

impl<'b> Reader<'_, 'b, '_> {
    fn line(&mut self, line: &Line<'b>) {
        let text = line.text;
        let mut taken: Vec<(usize, usize)> = Vec::new();
        let tree = self.resolver.tree();
        let wide = (tree.beyond_ascii() && !text.is_ascii()).then(|| tokens::wide(text));
        for token in tokens::enclosed(text).chain(wide.into_iter().flatten()) {
            let path = token.text.trim_start_matches("./");
            if !taken.iter().any(|t| token.start < t.1 && t.0 < token.end()) && tree.contains(path)
            {
                taken.push((token.start, token.end()));
                self.found(line, token, &Found::File(path.to_owned(), 1.0));
            }
        }
        for token in tokens::tokens(text) {
            let shell_new = line.place == Place::Shell && is_shell_name(token.text);
            if (!shell_new && !self.resolver.is_candidate(token.text))
                || taken.iter().any(|t| token.start < t.1 && t.0 < token.end())
            {
                continue;
            }
            let quoted = token.quoted || line.place != Place::Prose;
            let key = (token.text, quoted);
            if !self.seen.contains_key(&key) {
                let found = self.resolver.resolve(token.text, quoted);
                self.seen.insert(key, found);
            }
            if let Some(found) = self.seen.get(&key).and_then(Clone::clone) {
                self.found(line, token, &found);
            } else if shell_new && cue::in_shell(text, token.start, token.end()) == Cue::Create {
                self.found(line, token, &Found::Missing(token.text.to_owned()));
            }
        }
    }

    fn found(&mut self, line: &Line<'b>, token: Token<'b>, found: &Found) {
        let evidence = || Evidence { line: line.number, text: excerpt(line.text, token.start) };
        if let Found::File(path, _) | Found::Missing(path) = found {
            if self.evidence.is_known(path) {
                return;
            }
        }
        if self.evidence.len() > MAX_PATHS {
            return;
        }
        let (said, c, cue) = said(line, token);
        match found {
            Found::File(path, certainty) => self.evidence.path(path, said, c * certainty, evidence),
            Found::Files(files) => {
                for file in files {
                    self.evidence.path(file, said, c * confidence::WIDE, evidence);
                }
                self.evidence.scope(token.text, said, c * confidence::WIDE, evidence);
            }
            Found::Pattern(glob) => {
                self.evidence.path(glob, said, c * confidence::WIDE, evidence);
                self.evidence.scope(glob, said, c * confidence::WIDE, evidence);
            }
            Found::Directory(path) => {
                // Where a thing lives, unless a verb says that it is worked on.
                let said = if said == Said::Named { Said::Read } else { said };
                self.evidence.path(path, said, c * confidence::WIDE, evidence);
                let glob = format!("{}**", globset::escape(path));
                self.evidence.scope(&glob, said, c * confidence::WIDE, evidence);
            }
            Found::Ambiguous(files) => {
                let known = files.iter().filter(|file| self.evidence.has(file)).count();
                if known == 1 {
                    for file in files
                        .iter()
                        .filter(|file| self.evidence.has(file))
                        .take(1)
                        .cloned()
                        .collect::<Vec<_>>()
                    {
                        self.evidence.path(&file, said, c, evidence);
                    }
                } else if known == 0 && files.len() <= MAX_AMBIGUOUS {
                    for file in files {
                        self.evidence.path(file, Said::Read, c * confidence::AMBIGUOUS, evidence);
                    }
                }
            }
            Found::Missing(path) => {
                let new =
                    matches!(cue, Some(Cue::Create)) || cue::is_marked_new(line.text, token.end());
                if new || self.evidence.has(path) {
                    self.evidence.path(path, Said::Write, c, evidence);
                } else if said == Said::Write && self.has_parent(path) {
                    self.evidence.path(path, Said::Write, c * confidence::UNSAID_NEW, evidence);
                }
            }
        }
    }

    fn has_parent(&self, path: &str) -> bool {
        path.rsplit_once('/').is_some_and(|(parent, _)| self.resolver.tree().has_directory(parent))
    }
}

/// A relative name that a shell command may create, whatever its extension.
fn is_shell_name(text: &str) -> bool {
    !text.starts_with(['-', '/', '~', '$', '.'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

fn said(line: &Line<'_>, token: Token<'_>) -> (Said, f64, Option<Cue>) {
    use confidence::{HEADING, IN_CODE, NAMED, READ, VERB};
    let (start, end) = (token.start, token.end());
    let (cue, c) = match line.place {
        Place::Shell => (Some(cue::in_shell(line.text, start, end)), VERB),
        Place::Code => (cue::around(line.text, start, end).filter(|c| *c == Cue::Create), IN_CODE),
        Place::Prose => match cue::around(line.text, start, end) {
            Some(cue) => (Some(cue), VERB),
            None => {
                let above = [line.intro, line.heading].into_iter().find_map(cue::of_heading);
                (above, if above.is_some() { HEADING } else { NAMED })
            }
        },
    };
    match cue {
        Some(Cue::Create | Cue::Write) => (Said::Write, c, cue),
        Some(Cue::Read) => (Said::Read, READ, cue),
        Some(Cue::Not) => (Said::Not, READ, cue),
        None => (Said::Named, c.min(NAMED), cue),
    }
}
