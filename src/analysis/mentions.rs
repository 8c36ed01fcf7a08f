//! Paths in the text of a prompt.

use super::asked::{self, Tests};
use super::cue::{self, Cue};
use super::evidence::{Evidences, Said, excerpt};
use super::lines::{Line, Place, lines};
use super::resolve::{Found, MAX_IN_TEXT, Resolver};
use super::tokens::{self, Token};
use super::tree::extension;
use super::{Request, Tree, hints, neighbours, shell};
use crate::model::{Evidence, Factor};
use std::collections::HashMap;

/// How certain it is that a mention means this file and a change of it, beside one that names the file
/// itself (1.0). What a mention of each kind is worth, [`super::score`] says.
mod certainty {
    /// Files of a glob or directory in the text.
    pub(super) const WIDE: f64 = 0.8;
    /// A file somewhere under a directory that is named as the place of the work.
    pub(super) const PLACE: f64 = 0.4;
    /// A file to be created, without the word for it.
    pub(super) const UNSAID_NEW: f64 = 0.8;
}

/// A name that this many files or fewer have is worth a note on each.
const MAX_AMBIGUOUS: usize = 3;
/// Mentions of one thing that are looked at: who says it more often says nothing new.
const MAX_TIMES: u32 = 200;
/// More files than any prompt names in earnest: a bound on what a generated text can fill memory with.
const MAX_PATHS: usize = 10_000;

pub(super) fn read<'b>(
    tree: &Tree,
    request: &Request<'b>,
    evidence: &mut Evidences,
    said: &mut hints::Said<'b>,
) {
    let mut reader = Reader { resolver: Resolver::new(tree), seen: HashMap::new(), evidence, said };
    if !request.title.is_empty() && !request.body.contains(request.title) {
        lines(request.title, 1).for_each(|line| reader.line(&line));
    }
    lines(request.body, request.body_line).for_each(|line| reader.line(&line));
    evidence.place_new(tree);
}

struct Reader<'t, 'b, 'e> {
    resolver: Resolver<'t>,
    /// What was found before, and how often it was looked at.
    seen: HashMap<(&'b str, bool), (Option<Found>, u32)>,
    evidence: &'e mut Evidences,
    said: &'e mut hints::Said<'b>,
}

impl<'b> Reader<'_, 'b, '_> {
    fn line(&mut self, line: &Line<'b>) {
        let Self { resolver, seen, evidence, said } = self;
        let text = line.text;
        if !cue::is_aside(line.heading) {
            said.names.add(line);
            said.question.add(text, line.number);
        }
        let mut taken = Taken::default();
        let tree = resolver.tree();
        let wide = (tree.beyond_ascii() && !text.is_ascii()).then(|| tokens::wide(text));
        for token in tokens::enclosed(text).chain(wide.into_iter().flatten()) {
            let path = token.text.trim_start_matches("./");
            if tree.contains(path) && taken.take(&token) {
                let found = Found::File(path.to_owned(), 1.0);
                Mention { tree, line, token }.note(&found, evidence);
            } else if line.place == Place::Prose && is_spaced(tree, path) && taken.take(&token) {
                let (_, times) = seen.entry((token.text, true)).or_insert((None, 0));
                *times += 1;
                if *times <= MAX_TIMES {
                    Mention { tree, line, token }.note(&Found::Missing(path.to_owned()), evidence);
                }
            }
        }
        for token in tokens::tokens(text) {
            let shell_new = line.place == Place::Shell && is_shell_name(token.text);
            let bare_new = line.place == Place::Prose && asked::is_bare_name(token.text);
            let is_candidate = shell_new || bare_new || resolver.is_candidate(token.text);
            if !is_candidate || taken.has(&token) {
                continue;
            }
            let quoted = token.quoted || line.place != Place::Prose;
            let (found, times) = seen
                .entry((token.text, quoted))
                .or_insert_with(|| (resolver.resolve(token.text, quoted), 0));
            *times += 1;
            if *times > MAX_TIMES {
                continue;
            }
            let mention = Mention { tree, line, token };
            if let Some(found) = found {
                mention.note(found, evidence);
            } else if line.place == Place::Prose
                && asked::makes(text, token.start, token.end())
                && let Some(found) = resolver.made(token.text)
            {
                mention.note(&found, evidence);
            } else if shell_new && shell::access(text, token.start, token.end()) == Cue::Create {
                mention.note(&Found::Missing(token.text.to_owned()), evidence);
            }
        }
    }
}

/// Parts of a line that are explained already, in order.
#[derive(Default)]
struct Taken(Vec<(usize, usize)>);

impl Taken {
    fn place(&self, token: &Token<'_>) -> (usize, bool) {
        let i = self.0.partition_point(|part| part.1 <= token.start);
        (i, self.0.get(i).is_some_and(|part| part.0 < token.end()))
    }

    fn has(&self, token: &Token<'_>) -> bool {
        self.place(token).1
    }

    /// Takes it unless some of it is taken.
    fn take(&mut self, token: &Token<'_>) -> bool {
        let (i, is_taken) = self.place(token);
        if !is_taken {
            self.0.insert(i, (token.start, token.end()));
        }
        !is_taken
    }
}

/// A piece of a line that names something.
struct Mention<'a> {
    tree: &'a Tree,
    line: &'a Line<'a>,
    token: Token<'a>,
}

impl Mention<'_> {
    fn note(&self, found: &Found, all: &mut Evidences) {
        let Self { line, token, .. } = *self;
        let evidence =
            || Evidence { line: line.number, text: excerpt(line.text, token.start), factor: None };
        let known = match found {
            Found::Files(_) => all.is_known_scope(token.text),
            Found::Ambiguous(_) => false,
            Found::File(path, _)
            | Found::Missing(path)
            | Found::Pattern(path)
            | Found::Directory(path) => all.is_known(path),
        };
        if known || all.len() > MAX_PATHS {
            return;
        }
        let mut saying = said(line, token);
        let wide = matches!(found, Found::Files(_) | Found::Pattern(_) | Found::Directory(_));
        let is_item = wide && saying.said == Said::Heading && is_item(line, token);
        if is_item {
            // `Edit:` above says of the whole item what `Edit` before it would.
            saying.said = Said::Verb;
        }
        let Saying { mut said, cue } = saying;
        if let Found::File(path, _) = found
            && let Some(tests) = self.tests(path, cue)
        {
            for test in neighbours::tests_of(self.tree, path) {
                all.asked(test, evidence);
            }
            // The tests of a Rust file are mostly in it.
            if tests == Tests::Of && extension(path) != Some("rs") {
                said = Said::Read;
                all.tested(path);
            }
        }
        let from_above = said == Said::Heading;
        let says_write = matches!(cue, Some(Cue::Create | Cue::Write));
        // `src/x/*` is mostly the place of the work; all of it where a verb acts on it, or it is a list.
        let all_meant = || {
            token.text.contains('{')
                || cue::is_object(line.text, token.start, token.end())
                || (is_item && is_last(line.text, token.end()))
        };
        match found {
            Found::File(path, certainty) => all.path(path, said, *certainty, evidence),
            Found::Files(files) if !from_above => {
                let share = if all_meant() { 1.0 } else { share_of(files.len()) };
                for file in files {
                    all.path(file, said, certainty::WIDE * share, evidence);
                }
                all.scope(token.text, said, share, evidence);
            }
            Found::Files(files) => {
                let share = says_write.then(|| share_of(files.len()));
                place(all, [token.text, token.text], said, share, evidence);
            }
            Found::Pattern(glob) if !from_above && all_meant() => {
                all.wide(glob, said, certainty::WIDE, evidence);
                all.scope(glob, said, 1.0, evidence);
            }
            Found::Pattern(glob) => {
                let share = (says_write || said.writes()).then(|| share_of(MAX_IN_TEXT));
                place(all, [glob, glob], said, share, evidence);
            }
            Found::Directory(path) => {
                let glob = format!("{}**", globset::escape(path));
                let worked_on = says_write
                    && (is_item
                        || line.place == Place::Shell
                        || cue::is_object(line.text, token.start, token.end()));
                if worked_on {
                    all.wide(path, said, certainty::WIDE, evidence);
                    all.scope(&glob, said, 1.0, evidence);
                } else {
                    let share = says_write.then(|| share_of(self.tree.under(path).len()));
                    place(all, [path, &glob], said, share, evidence);
                }
            }
            Found::Ambiguous(files) => ambiguous(all, files, said, evidence),
            Found::Missing(path) => {
                let new = matches!(cue, Some(Cue::Create))
                    || cue::is_marked_new(line.text, token.end())
                    || (line.place == Place::Prose
                        && !matches!(cue, Some(Cue::Read | Cue::Not))
                        && asked::makes(line.text, token.start, token.end()));
                if new || all.has(path) {
                    all.path(path, if said.writes() { said } else { Said::Named }, 1.0, evidence);
                    all.signal(path, Factor::Created, f64::from(u8::from(new)));
                } else if says_write && self.has_root(path) {
                    all.path(path, said, certainty::UNSAID_NEW, evidence);
                }
            }
        }
    }

    /// Which tests of the file are asked for.
    fn tests(&self, path: &str, cue: Option<Cue>) -> Option<Tests> {
        let Self { line, token, .. } = *self;
        let is_said = line.place == Place::Prose && token.command.is_none() && path.contains('.');
        is_said.then(|| asked::tests(line.text, token.start, token.end(), cue)).flatten()
    }

    /// Whether the directory in which it begins exists.
    fn has_root(&self, path: &str) -> bool {
        path.split_once('/').is_some_and(|(root, _)| self.tree.has_directory(root))
    }
}

/// A directory or glob that says where things are: as a whole it is read, and some file
/// inside it may be written, each with certainty `share`.
fn place(
    all: &mut Evidences,
    [path, glob]: [&str; 2],
    said: Said,
    share: Option<f64>,
    evidence: impl Fn() -> Evidence,
) {
    all.wide(path, Said::Read, 1.0, &evidence);
    if let Some(share) = share {
        all.scope(glob, said, share.min(certainty::PLACE), &evidence);
    }
}

/// One of several files of a name: the one that is known already, if it is only one.
fn ambiguous(all: &mut Evidences, files: &[String], said: Said, evidence: impl Fn() -> Evidence) {
    let mut known = files.iter().filter(|file| all.has(file));
    match (known.next(), known.next()) {
        (Some(only), None) => all.path(only, said, 1.0, &evidence),
        (None, _) if files.len() <= MAX_AMBIGUOUS => {
            for file in files {
                all.path(file, Said::OneOf, 1.0 / files.len() as f64, &evidence);
            }
        }
        _ => {}
    }
}

/// How certain it is that one of so many files is meant where all of them are named together.
fn share_of(files: usize) -> f64 {
    1.0 / (files.max(1) as f64).sqrt()
}

/// Whether the list item is this path, with nothing before it and at most a remark behind it.
fn is_item(line: &Line<'_>, token: Token<'_>) -> bool {
    let around: &[char] = &['`', '"', '*', '_', ' '];
    let before = line.text[..token.start].trim_start().trim_end_matches(around);
    let mark = before.trim_end_matches(['x', 'X', '[', ']', ' ']);
    let digits = mark.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_list = matches!(mark, "-" | "+" | "•" | "・")
        || (mark.is_empty() && line.text.trim_start().starts_with("* "))
        || (digits.len() < mark.len() && matches!(digits, "." | ")"));
    let behind = line.text[token.end()..].trim_start_matches(around);
    is_list
        && (behind.is_empty()
            || token.text.ends_with(':')
            || behind.starts_with([':', ',', '(', '-', '–', '—', '：', '（', '、']))
}

/// Whether it can only be one path with a space in it, `docs/my notes.md`, and no command with its arguments.
fn is_spaced(tree: &Tree, text: &str) -> bool {
    let Some((first, rest)) = text.split_once(' ') else { return false };
    let Some((_, last)) = text.rsplit_once(' ') else { return false };
    let clean = |c: char| c.is_alphanumeric() || "_-. ".contains(c);
    first.contains('/')
        && extension(first).is_none()
        && !first.starts_with(['/', '.', '~'])
        && rest.chars().all(clean)
        && extension(last).is_some_and(|extension| tree.knows_extension(extension))
        && tree.named(last).next().is_none()
}

/// Whether nothing is said behind it.
fn is_last(line: &str, end: usize) -> bool {
    !line[end..].contains(char::is_alphanumeric)
}

/// A relative name that a shell command may create, whatever its extension.
fn is_shell_name(text: &str) -> bool {
    !text.starts_with(['-', '/', '~', '$', '.'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// What stands before the first colon: `Affected code: a.rs, b.rs`.
fn label(text: &str) -> &str {
    let start = &text[..text.floor_char_boundary(MAX_LABEL)];
    start.split_once([':', '：']).map_or("", |(label, _)| label)
}

/// Longest label, bytes.
const MAX_LABEL: usize = 60;

/// What a mention says, and through which words.
struct Saying {
    said: Said,
    cue: Option<Cue>,
}

fn said(line: &Line<'_>, token: Token<'_>) -> Saying {
    let (start, end) = (token.start, token.end());
    let above = || {
        let heading = || [label(line.text), line.heading].into_iter().find_map(cue::of_heading);
        Some(line.intro).filter(|intro| !intro.is_empty()).and_then(cue::of_intro).or_else(heading)
    };
    let (mut cue, mut writing) = match line.place {
        Place::Shell => (Some(shell::access(line.text, start, end)), Said::Verb),
        Place::Code => {
            let new = cue::around(line.text, start, end).filter(|c| *c == Cue::Create);
            (new.or_else(|| cue::of_intro(line.intro)), Said::Code)
        }
        Place::Prose if token.command.is_some() => {
            let from = token.command.unwrap_or(0);
            let near = &line.text[end..line.text.ceil_char_boundary(end + MAX_LABEL)];
            let close = end + near.find('`').unwrap_or(near.len());
            let command = &line.text[from..close];
            (Some(shell::access(command, start - from, end - from)), Said::Verb)
        }
        Place::Prose => match cue::around(line.text, start, end) {
            Some(cue) => (Some(cue), Said::Verb),
            None => match above() {
                Some(cue) => (Some(cue), Said::Heading),
                None => (None, Said::Named),
            },
        },
    };
    if cue == Some(Cue::Read)
        && line.place == Place::Prose
        && token.command.is_none()
        && cue::is_place_of_fix(line.text, start, end)
    {
        (cue, writing) = (Some(Cue::Write), Said::Named);
    }
    if cue::is_aside(line.heading) || cue::is_aside(line.intro) {
        cue = Some(Cue::Read);
    }
    let said = match cue {
        Some(Cue::Create | Cue::Write) | None => writing,
        Some(Cue::Read) => Said::Read,
        Some(Cue::Not) => Said::Not,
    };
    Saying { said, cue }
}
