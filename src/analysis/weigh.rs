//! All mentions of a path -> one target with one access and one confidence.
//!
//! The rule, in order: what the front matter declares is certain; a verb of writing beside any
//! mention makes it written; a word such as "do not touch" makes it read; otherwise the majority of
//! mentions decides, and a mention without a verb counts as writing. The confidence is that of the
//! best mention, raised by each further one.

use crate::model::{Access, Evidence, Target};
use std::collections::HashMap;

/// What a mention says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Front matter `files`.
    DeclaredWrite,
    /// Front matter `reads`.
    DeclaredRead,
    /// A verb of writing.
    Write,
    /// A verb of reading.
    Read,
    /// It is to be left alone.
    Not,
    /// Its name only.
    Named,
}

/// Evidence lines kept per path.
const MAX_EVIDENCE: usize = 3;
/// Mentions of a path that are looked at closely; one that is named more often is known by then.
const MAX_MENTIONS: u32 = 16;
/// Characters kept of a line.
const MAX_TEXT: usize = 120;
/// What is left of the doubt after each further mention.
const DOUBT_AFTER_ANOTHER: f64 = 0.85;
/// Text never makes a target as certain as front matter does.
const MAX_FROM_TEXT: f64 = 0.97;

#[derive(Debug, Default)]
struct Mentions {
    declared: Option<Access>,
    writes: u32,
    names: u32,
    reads: u32,
    refused: bool,
    best_write: f64,
    best_read: f64,
    evidence: Vec<(bool, Evidence)>,
}

/// Everything that was found, by path.
#[derive(Debug, Default)]
pub(super) struct Evidences {
    paths: HashMap<String, Mentions>,
    scopes: HashMap<String, Mentions>,
    reach: usize,
}

/// The outcome.
pub(super) struct Weighed {
    pub targets: Vec<Target>,
    pub scopes: Vec<Target>,
    /// Files written beyond those listed in `targets`.
    pub reach: usize,
}

impl Evidences {
    /// A mention of a path with confidence `c`.
    pub(super) fn path(&mut self, path: &str, said: Said, c: f64, line: impl FnOnce() -> Evidence) {
        note(&mut self.paths, path, said, c, line);
    }

    /// A mention of a glob, apart from the files it matches.
    pub(super) fn scope(
        &mut self,
        glob: &str,
        said: Said,
        c: f64,
        line: impl FnOnce() -> Evidence,
    ) {
        note(&mut self.scopes, glob, said, c, line);
    }

    /// `count` files that no target lists.
    pub(super) fn reaches(&mut self, said: Said, count: usize) {
        if matches!(said, Said::DeclaredWrite | Said::Write | Said::Named) {
            self.reach = self.reach.saturating_add(count);
        }
    }

    /// Whether nothing new is to be learnt from another mention.
    pub(super) fn is_known(&self, path: &str) -> bool {
        self.paths.get(path).is_some_and(Mentions::is_enough)
    }

    /// The same for a glob.
    pub(super) fn is_known_scope(&self, glob: &str) -> bool {
        self.scopes.get(glob).is_some_and(Mentions::is_enough)
    }

    /// Whether something was found at this path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// How many paths were found.
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    pub(super) fn weigh(self) -> Weighed {
        let weigh = |all: HashMap<String, Mentions>| {
            let mut targets: Vec<Target> =
                all.into_iter().map(|(path, mentions)| mentions.weigh(path)).collect();
            targets.sort_by(|a, b| a.path.cmp(&b.path));
            targets
        };
        Weighed { targets: weigh(self.paths), scopes: weigh(self.scopes), reach: self.reach }
    }
}

fn note(
    all: &mut HashMap<String, Mentions>,
    path: &str,
    said: Said,
    c: f64,
    line: impl FnOnce() -> Evidence,
) {
    if !all.contains_key(path) {
        all.insert(path.to_owned(), Mentions::default());
    }
    if let Some(mentions) = all.get_mut(path) {
        mentions.note(said, c, line);
    }
}

impl Mentions {
    fn is_enough(&self) -> bool {
        self.writes + self.reads + self.names >= MAX_MENTIONS
    }

    fn note(&mut self, said: Said, c: f64, line: impl FnOnce() -> Evidence) {
        let telling = said != Said::Named;
        match said {
            Said::DeclaredWrite => self.declared = Some(Access::Write),
            Said::DeclaredRead => {
                self.declared.get_or_insert(Access::Read);
            }
            Said::Write => self.writes += 1,
            Said::Named => self.names += 1,
            Said::Read => self.reads += 1,
            Said::Not => self.refused = true,
        }
        match said {
            Said::Read | Said::Not => self.best_read = self.best_read.max(c),
            _ => self.best_write = self.best_write.max(c),
        }
        let full = self.evidence.len() >= MAX_EVIDENCE;
        let weakest = self.evidence.iter().rposition(|(telling, _)| !telling);
        if full && !(telling && weakest.is_some()) {
            return;
        }
        let line = line();
        if self.evidence.iter().any(|(_, e)| e.line == line.line) {
            return;
        }
        if let (true, Some(weakest)) = (full, weakest) {
            self.evidence.remove(weakest);
        }
        self.evidence.push((telling, line));
        self.evidence.sort_by_key(|(_, e)| e.line);
    }

    fn weigh(self, path: String) -> Target {
        let (access, confidence) = self.judge();
        let confidence = (confidence * 100.0).round() / 100.0;
        Target {
            path,
            access,
            confidence,
            evidence: self.evidence.into_iter().map(|(_, evidence)| evidence).collect(),
        }
    }

    fn judge(&self) -> (Access, f64) {
        if let Some(access) = self.declared {
            return (access, 1.0);
        }
        let from = |best: f64, others: u32| {
            let doubt = DOUBT_AFTER_ANOTHER.powi(i32::try_from(others).unwrap_or(i32::MAX));
            (1.0 - (1.0 - best) * doubt).min(MAX_FROM_TEXT)
        };
        let written = self.writes > 0 && !(self.refused && self.writes == 1);
        if written || (!self.refused && self.names > self.reads) {
            (Access::Write, from(self.best_write, (self.writes + self.names).saturating_sub(1)))
        } else {
            (Access::Read, from(self.best_read, self.reads.saturating_sub(1)))
        }
    }
}

/// The trimmed line, or where it is long, the part of it around byte `at`. Its cost does not depend on
/// the length of the line.
pub(super) fn excerpt(line: &str, at: usize) -> String {
    let from = line.floor_char_boundary(at.saturating_sub(MAX_BYTES));
    let to = line.ceil_char_boundary(at.saturating_add(MAX_BYTES).min(line.len()));
    let text = line[from..to].trim();
    let before = text.as_ptr() as usize - line.as_ptr() as usize;
    let start = text.floor_char_boundary(at.saturating_sub(before));
    let far = text[..start].chars().count();
    let skip = if far > MAX_TEXT - MAX_TEXT / 4 { far - MAX_TEXT / 4 } else { 0 };
    let mut cut: String = text.chars().skip(skip).take(MAX_TEXT + 1).collect();
    if cut.chars().count() > MAX_TEXT {
        cut = cut.chars().take(MAX_TEXT - 1).collect();
        cut.push('…');
    }
    cut
}

/// Bytes on either side that hold [`MAX_TEXT`] characters of any script.
const MAX_BYTES: usize = 4 * MAX_TEXT;
