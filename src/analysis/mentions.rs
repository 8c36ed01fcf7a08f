//! Paths in the text of a prompt.

use super::cue::{self, Cue};
use super::lines::{Line, Place, lines};
use super::resolve::{Found, Resolver};
use super::tokens::{self, Token};
use super::weigh::{Evidences, Said, excerpt};
use super::{Request, Tree, shell};
use crate::model::Evidence;
use std::collections::HashMap;

/// Confidence that a file is written, by how it is mentioned. Fitted roughly by hand on changes that
/// agents really made: how many of the files mentioned so were changed in the end.
mod confidence {
    /// A verb of writing beside it.
    pub(super) const VERB: f64 = 0.9;
    /// Under a heading or list line such as "Affected code:".
    pub(super) const HEADING: f64 = 0.75;
    /// Named without a verb.
    pub(super) const NAMED: f64 = 0.7;
    /// Named in a fenced block that is not shell.
    pub(super) const IN_CODE: f64 = 0.6;
    /// A verb of reading: that it is read.
    pub(super) const READ: f64 = 0.8;
    /// The only file that a bug fix points to: `fix the paging (see x.rs)`.
    pub(super) const POINTED: f64 = 0.6;
    /// Files of a glob or directory in the text, times one of the above.
    pub(super) const WIDE: f64 = 0.7;
    /// A file somewhere under a directory that is named as the place of the work, times one of the above.
    pub(super) const PLACE: f64 = 0.4;
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
        let Self { resolver, seen, evidence } = self;
        let text = line.text;
        let mut taken = Taken::default();
        let tree = resolver.tree();
        let wide = (tree.beyond_ascii() && !text.is_ascii()).then(|| tokens::wide(text));
        for token in tokens::enclosed(text).chain(wide.into_iter().flatten()) {
            let path = token.text.trim_start_matches("./");
            if tree.contains(path) && taken.take(&token) {
                let found = Found::File(path.to_owned(), 1.0);
                Mention { tree, line, token }.note(&found, evidence);
            }
        }
        for token in tokens::tokens(text) {
            let shell_new = line.place == Place::Shell && is_shell_name(token.text);
            if (!shell_new && !resolver.is_candidate(token.text)) || taken.has(&token) {
                continue;
            }
            let quoted = token.quoted || line.place != Place::Prose;
            let found = seen
                .entry((token.text, quoted))
                .or_insert_with(|| resolver.resolve(token.text, quoted));
            let mention = Mention { tree, line, token };
            if let Some(found) = found {
                mention.note(found, evidence);
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
        let evidence = || Evidence { line: line.number, text: excerpt(line.text, token.start) };
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
        let is_item =
            wide && saying.from_above && saying.said == Said::Write && is_item(line, token);
        if is_item {
            // `Edit:` above says of the whole item what `Edit` before it would.
            saying.from_above = false;
            saying.confidence = confidence::VERB;
        }
        let Saying { said, confidence: c, cue, from_above } = saying;
        match found {
            Found::File(path, certainty) => all.path(path, said, c * certainty, evidence),
            Found::Files(files) if !from_above => {
                for file in files {
                    all.path(file, said, c * confidence::WIDE, evidence);
                }
                all.scope(token.text, said, c, evidence);
            }
            Found::Files(_) => place(all, [token.text, token.text], said, c, evidence),
            Found::Pattern(glob) if !from_above => {
                all.path(glob, said, c * confidence::WIDE, evidence);
                all.scope(glob, said, c, evidence);
            }
            Found::Pattern(glob) => place(all, [glob, glob], said, c, evidence),
            Found::Directory(path) => {
                let glob = format!("{}**", globset::escape(path));
                let worked_on = said == Said::Write
                    && (is_item
                        || line.place == Place::Shell
                        || cue::is_object(line.text, token.start, token.end()));
                if worked_on {
                    all.path(path, said, c * confidence::WIDE, evidence);
                    all.scope(&glob, said, c, evidence);
                } else {
                    place(all, [path, &glob], said, c, evidence);
                }
            }
            Found::Ambiguous(files) => {
                let known = files.iter().filter(|file| all.has(file)).count();
                if known == 1 {
                    for file in files
                        .iter()
                        .filter(|file| all.has(file))
                        .take(1)
                        .cloned()
                        .collect::<Vec<_>>()
                    {
                        all.path(&file, said, c, evidence);
                    }
                } else if known == 0 && files.len() <= MAX_AMBIGUOUS {
                    for file in files {
                        all.path(file, Said::Read, c * confidence::AMBIGUOUS, evidence);
                    }
                }
            }
            Found::Missing(path) => {
                let new =
                    matches!(cue, Some(Cue::Create)) || cue::is_marked_new(line.text, token.end());
                if new || all.has(path) {
                    all.path(path, Said::Write, c, evidence);
                } else if said == Said::Write && self.has_parent(path) {
                    all.path(path, Said::Write, c * confidence::UNSAID_NEW, evidence);
                }
            }
        }
    }

    fn has_parent(&self, path: &str) -> bool {
        path.rsplit_once('/').is_some_and(|(parent, _)| self.tree.has_directory(parent))
    }
}

/// A directory or glob that says where things are: as a whole it is read, and some file
/// inside it may be written.
fn place(
    all: &mut Evidences,
    [path, glob]: [&str; 2],
    said: Said,
    c: f64,
    evidence: impl Fn() -> Evidence,
) {
    all.path(path, Said::Read, c * confidence::WIDE, &evidence);
    if said == Said::Write {
        all.scope(glob, said, c * confidence::PLACE, &evidence);
    }
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

/// What a mention says, how surely, and through which words.
struct Saying {
    said: Said,
    confidence: f64,
    cue: Option<Cue>,
    /// Whether only a heading or label says it.
    from_above: bool,
}

fn said(line: &Line<'_>, token: Token<'_>) -> Saying {
    use confidence::{HEADING, IN_CODE, NAMED, POINTED, READ, VERB};
    let (start, end) = (token.start, token.end());
    let above = || {
        let heading = || [label(line.text), line.heading].into_iter().find_map(cue::of_heading);
        Some(line.intro).filter(|intro| !intro.is_empty()).and_then(cue::of_intro).or_else(heading)
    };
    let (mut cue, c, from_above) = match line.place {
        Place::Shell => (Some(shell::access(line.text, start, end)), VERB, false),
        Place::Code => {
            let new = cue::around(line.text, start, end).filter(|c| *c == Cue::Create);
            (new.or_else(|| cue::of_intro(line.intro)), IN_CODE, false)
        }
        Place::Prose if token.command.is_some() => {
            let from = token.command.unwrap_or(0);
            let near = &line.text[end..line.text.ceil_char_boundary(end + MAX_LABEL)];
            let close = end + near.find('`').unwrap_or(near.len());
            let command = &line.text[from..close];
            (Some(shell::access(command, start - from, end - from)), VERB, false)
        }
        Place::Prose => match cue::around(line.text, start, end) {
            Some(cue) => (Some(cue), VERB, false),
            None => match above() {
                Some(cue) => (Some(cue), HEADING, true),
                None => (None, NAMED, false),
            },
        },
    };
    let mut c = c;
    if cue == Some(Cue::Read)
        && line.place == Place::Prose
        && token.command.is_none()
        && cue::is_place_of_fix(line.text, start, end)
    {
        (cue, c) = (Some(Cue::Write), POINTED);
    }
    if cue::is_aside(line.heading) || cue::is_aside(line.intro) {
        cue = Some(Cue::Read);
    }
    let (said, confidence) = match cue {
        Some(Cue::Create | Cue::Write) => (Said::Write, c),
        Some(Cue::Read) => (Said::Read, READ),
        Some(Cue::Not) => (Said::Not, READ),
        None => (Said::Named, c),
    };
    Saying { said, confidence, cue, from_above }
}
