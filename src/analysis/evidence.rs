//! All that speaks for a path -> one target with one access and one confidence.
//!
//! What the front matter declares is certain. Otherwise [`super::score`] says how likely the path is changed; one
//! that is likely enough is written, one that is named and not that likely is read. A word such as "do
//! not touch" makes it read unless two others say otherwise.

use super::Tree;
use super::score::{self, Candidate, POSSIBLE_FROM, Signals, WRITE_FROM, Weights};
use crate::model::{Access, Evidence, Factor, Target};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// How a path is mentioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Front matter `files`.
    DeclaredWrite,
    /// Front matter `reads`.
    DeclaredRead,
    /// Beside a verb of writing.
    Verb,
    /// Under a heading or behind a label of writing.
    Heading,
    /// Its name only.
    Named,
    /// In a fenced block.
    Code,
    /// A name that several files have.
    OneOf,
    /// Beside a verb of reading.
    Read,
    /// It is to be left alone.
    Not,
}

impl Said {
    /// Whether it may mean that the path is written.
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::DeclaredWrite | Self::Verb | Self::Heading | Self::Named | Self::Code)
    }

    fn factor(self) -> Factor {
        match self {
            Self::DeclaredWrite | Self::DeclaredRead => Factor::Declared,
            Self::Verb => Factor::Verb,
            Self::Heading => Factor::Heading,
            Self::Named => Factor::Named,
            Self::Code => Factor::Code,
            Self::OneOf => Factor::OneOf,
            Self::Read => Factor::Read,
            Self::Not => Factor::Not,
        }
    }
}

/// Mentions kept per path as evidence; each other factor may add one line.
const MAX_MENTIONED: usize = 3;
/// Mentions of a path that are looked at closely; one that is named more often is known by then.
const MAX_MENTIONS: u32 = 16;
/// Characters kept of a line.
const MAX_TEXT: usize = 120;
/// Text never makes a target as certain as front matter does.
const MAX_FROM_TEXT: f64 = 0.97;
/// That a path is read which a verb of reading names.
const READ: f64 = 0.8;
/// What is left of the doubt after each further such mention.
const DOUBT_AFTER_ANOTHER: f64 = 0.85;
/// That a path is read which is named and probably not written.
const ONLY_NAMED: f64 = 0.5;

/// What was found about one path.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub signals: Signals,
    declared: Option<Access>,
    /// Mentions that may mean writing, those with a verb or heading, and those that mean reading.
    may_write: u32,
    says_write: u32,
    reads: u32,
    refused: bool,
    /// Whether it is a directory or pattern.
    is_wide: bool,
    /// Its share, 0 to 1, of all that the names in the prompt point at.
    defines: f64,
    /// What it is where the text asks for tests of a file.
    testing: Option<Testing>,
    evidence: Vec<Evidence>,
}

/// What a file is to a request for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Testing {
    /// One of the tests.
    Test,
    /// What they test, and so not asked for itself.
    Subject,
}

/// Everything that was found, by path.
#[derive(Debug, Default)]
pub(super) struct Evidences {
    paths: HashMap<String, Findings>,
    scopes: HashMap<String, Findings>,
    reach: usize,
}

/// The outcome.
pub(super) struct Weighed {
    pub targets: Vec<Target>,
    pub possible: Vec<Target>,
    pub scopes: Vec<Target>,
    /// Files written beyond those listed in `targets`.
    pub reach: usize,
}

impl Evidences {
    /// A mention of a path that means it with certainty `c`.
    pub(super) fn path(&mut self, path: &str, said: Said, c: f64, line: impl FnOnce() -> Evidence) {
        note(&mut self.paths, path, said, c, line);
    }

    /// A mention of a directory or pattern that stands for its files.
    pub(super) fn wide(&mut self, path: &str, said: Said, c: f64, line: impl FnOnce() -> Evidence) {
        note(&mut self.paths, path, said, c, line);
        if let Some(findings) = self.paths.get_mut(path) {
            findings.is_wide = true;
        }
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

    /// A test of a file, which the text asks for without naming it.
    pub(super) fn asked(&mut self, path: &str, line: impl FnOnce() -> Evidence) {
        let findings = self.paths.entry(path.to_owned()).or_default();
        if findings.testing.replace(Testing::Test) != Some(Testing::Test) {
            findings.evidence.push(Evidence { factor: Some(Factor::Test), ..line() });
        }
    }

    /// A file of which the text asks for tests.
    pub(super) fn tested(&mut self, path: &str) {
        self.paths.entry(path.to_owned()).or_default().testing = Some(Testing::Subject);
    }

    /// What is not a mention.
    pub(super) fn signal(&mut self, path: &str, factor: Factor, value: f64) {
        if !self.paths.contains_key(path) {
            self.paths.insert(path.to_owned(), Findings::default());
        }
        if let Some(findings) = self.paths.get_mut(path) {
            findings.signals.raise(factor, value);
        }
    }

    /// The share of a file in all that the names of the prompt point at.
    pub(super) fn defines(&mut self, path: &str, share: f64) {
        if let Some(findings) = self.paths.get_mut(path) {
            findings.defines = share;
        }
    }

    /// A new file of which only the name is said lies where the prompt names most files of its kind.
    pub(super) fn place_new(&mut self, tree: &Tree) {
        let bare: Vec<String> = self
            .paths
            .iter()
            .filter(|(path, f)| {
                !path.contains('/') && f.signals.get(Factor::Created) > 0.0 && !tree.contains(path)
            })
            .map(|(path, _)| path.clone())
            .collect();
        for name in bare {
            let Some(folder) = self.folder_like(&name) else { continue };
            let path = format!("{folder}/{name}");
            if let Some(found) = self.paths.remove(&name) {
                self.paths.entry(path).or_insert(found);
            }
        }
    }

    /// The directory of most files that are named and end like `name`.
    fn folder_like(&self, name: &str) -> Option<&str> {
        let ending = &name[name.find('.')?..];
        let mut folders: BTreeMap<&str, u32> = BTreeMap::new();
        for (path, findings) in &self.paths {
            if let Some((folder, other)) = path.rsplit_once('/')
                && other.find('.').is_some_and(|dot| &other[dot..] == ending)
            {
                *folders.entry(folder).or_default() += findings.may_write;
            }
        }
        let most = folders.into_iter().max_by_key(|(folder, count)| (*count, Reverse(*folder)));
        most.filter(|(_, count)| *count > 0).map(|(folder, _)| folder)
    }

    /// `count` files that no target lists.
    pub(super) fn reaches(&mut self, said: Said, count: usize) {
        if said.writes() {
            self.reach = self.reach.saturating_add(count);
        }
    }

    /// Whether nothing new is to be learnt from another mention.
    pub(super) fn is_known(&self, path: &str) -> bool {
        self.paths.get(path).is_some_and(Findings::is_enough)
    }

    /// The same for a glob.
    pub(super) fn is_known_scope(&self, glob: &str) -> bool {
        self.scopes.get(glob).is_some_and(Findings::is_enough)
    }

    /// Whether something was found at this path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// How many paths were found.
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// How many files are named as if to write them.
    pub(super) fn named(&self) -> usize {
        self.paths.values().filter(|f| f.may_write > 0 && !f.is_wide).count()
    }

    /// Sets [`Factor::Others`] of every path that is not named so.
    pub(super) fn others(&mut self, value: f64) {
        for findings in self.paths.values_mut().filter(|f| f.may_write == 0) {
            findings.signals.set(Factor::Others, value);
        }
    }

    /// Whether front matter declares what is written.
    pub(super) fn is_declared(&self) -> bool {
        self.paths.values().any(|f| f.declared == Some(Access::Write))
    }

    /// Everything by path.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Findings)> {
        self.paths.iter().map(|(path, findings)| (path.as_str(), findings))
    }

    /// What the weights can judge.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> {
        self.paths.iter().filter(|(_, f)| f.declared.is_none()).map(|(path, findings)| Candidate {
            path: path.clone(),
            signals: findings.signals,
            is_refused: findings.is_refused(),
            is_wide: findings.is_wide,
        })
    }

    /// Judges everything. `explain` adds to the evidence of a path that is kept.
    pub(super) fn weigh(
        self,
        weights: &Weights,
        explain: impl Fn(&str, &Signals, &mut Vec<Evidence>),
    ) -> Weighed {
        let mut weighed =
            Weighed { targets: vec![], possible: vec![], scopes: vec![], reach: self.reach };
        for (path, mut findings) in self.paths {
            let chance = findings.chance(weights);
            let judged = if findings.is_wide {
                Some(findings.judge_scope(weights))
            } else {
                findings.judge(chance)
            };
            let is_possible = !findings.is_wide
                && findings.declared.is_none()
                && !findings.is_refused()
                && (POSSIBLE_FROM..WRITE_FROM).contains(&chance);
            if judged.is_none() && !is_possible {
                continue;
            }
            explain(&path, &findings.signals, &mut findings.evidence);
            let evidence = findings.evidence;
            if is_possible {
                weighed.possible.push(target(
                    path.clone(),
                    (Access::Write, chance),
                    evidence.clone(),
                ));
            }
            if let Some(judged) = judged {
                weighed.targets.push(target(path, judged, evidence));
            }
        }
        for (glob, findings) in self.scopes {
            let judged = findings.judge_scope(weights);
            weighed.scopes.push(target(glob, judged, findings.evidence));
        }
        for list in [&mut weighed.targets, &mut weighed.possible, &mut weighed.scopes] {
            list.sort_by(|a, b| a.path.cmp(&b.path));
        }
        weighed
    }
}

fn target(path: String, (access, confidence): (Access, f64), evidence: Vec<Evidence>) -> Target {
    Target { path, access, confidence: (confidence * 100.0).round() / 100.0, evidence }
}

fn note(
    all: &mut HashMap<String, Findings>,
    path: &str,
    said: Said,
    c: f64,
    line: impl FnOnce() -> Evidence,
) {
    if !all.contains_key(path) {
        all.insert(path.to_owned(), Findings::default());
    }
    if let Some(findings) = all.get_mut(path) {
        findings.note(said, c, line);
    }
}

impl Findings {
    fn is_enough(&self) -> bool {
        self.may_write + self.reads >= MAX_MENTIONS
    }

    /// Whether the text or the front matter names it.
    pub(super) fn is_named(&self) -> bool {
        !self.evidence.is_empty()
    }

    fn is_refused(&self) -> bool {
        self.refused && self.says_write < 2
    }

    /// The least that the text says, where it says more of writing than of reading.
    fn said(&self) -> f64 {
        let is_said = self.says_write > 0 || self.may_write > self.reads;
        let said = if is_said { score::said(&self.signals) } else { 0.0 };
        let defined =
            if self.reads == 0 { score::defined(&self.signals, self.defines) } else { 0.0 };
        let asked = if self.testing == Some(Testing::Test) { score::TESTS_ASKED } else { 0.0 };
        if self.is_refused() { 0.0 } else { said.max(defined).max(asked) }
    }

    /// How likely it is written.
    pub(super) fn chance(&self, weights: &Weights) -> f64 {
        match self.declared {
            Some(Access::Write) => 1.0,
            Some(Access::Read) => 0.0,
            None if self.testing == Some(Testing::Subject) && self.may_write == 0 => 0.0,
            None => weights.score(&self.signals).max(self.said()).min(MAX_FROM_TEXT),
        }
    }

    fn note(&mut self, said: Said, c: f64, line: impl FnOnce() -> Evidence) {
        let factor = said.factor();
        match said {
            Said::DeclaredWrite => self.declared = Some(Access::Write),
            Said::DeclaredRead => {
                self.declared.get_or_insert(Access::Read);
            }
            Said::Not => self.refused = true,
            Said::Read => self.reads += 1,
            Said::OneOf => {}
            Said::Verb | Said::Heading | Said::Named | Said::Code => self.may_write += 1,
        }
        self.says_write += u32::from(matches!(said, Said::Verb | Said::Heading));
        self.signals.raise(factor, c);
        let is_bare = |f: Option<Factor>| matches!(f, Some(Factor::Named | Factor::Code));
        let full = self.evidence.len() >= MAX_MENTIONED;
        let weakest = self.evidence.iter().rposition(|e| is_bare(e.factor));
        if full && (is_bare(Some(factor)) || weakest.is_none()) {
            return;
        }
        let line = line();
        if self.evidence.iter().any(|e| e.line == line.line) {
            return;
        }
        if let (true, Some(weakest)) = (full, weakest) {
            self.evidence.remove(weakest);
        }
        self.evidence.push(Evidence { factor: Some(factor), ..line });
        self.evidence.sort_by_key(|e| e.line);
    }

    fn judge(&self, chance: f64) -> Option<(Access, f64)> {
        if let Some(access) = self.declared {
            return Some((access, 1.0));
        }
        if chance >= WRITE_FROM && !self.is_refused() {
            return Some((Access::Write, chance));
        }
        self.is_named().then(|| (Access::Read, self.read_chance()))
    }

    fn read_chance(&self) -> f64 {
        let mentions = self.reads + u32::from(self.refused);
        match mentions {
            0 => ONLY_NAMED,
            n => {
                1.0 - (1.0 - READ)
                    * DOUBT_AFTER_ANOTHER.powi(i32::try_from(n - 1).unwrap_or(i32::MAX))
            }
        }
    }

    /// A directory or glob is what the words say of it; how many of its files are changed is not asked.
    fn judge_scope(&self, weights: &Weights) -> (Access, f64) {
        match self.declared {
            Some(access) => (access, 1.0),
            None if self.may_write > self.reads && !self.is_refused() => {
                (Access::Write, self.chance(weights))
            }
            None => (Access::Read, self.read_chance()),
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
    // A word that is cut says nothing.
    let begin = text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at);
    let word = if skip == 0 { None } else { text[begin..start].find(' ') };
    let mut cut = word.map_or_else(String::new, |_| "… ".to_owned());
    let begin = word.map_or(begin, |space| begin + space + 1);
    cut.extend(text[begin..].chars().take(MAX_TEXT + 1));
    if cut.chars().count() > MAX_TEXT {
        cut = cut.chars().take(MAX_TEXT - 1).collect();
        cut.push('…');
    }
    cut
}

/// Bytes on either side that hold [`MAX_TEXT`] characters of any script.
const MAX_BYTES: usize = 4 * MAX_TEXT;
