//! What speaks for a file without naming it: definitions, likeness, directories.

use super::evidence::{Evidences, excerpt};
use super::expand::{Expansion, expand, is_glob, parse};
use super::neighbours::{self, Anchor};
use super::reading::Trail;
use super::score::{self, Signals};
use super::similar::{Question, best};
use super::survey::{Place, Survey};
use super::symbols::{Names, Used};
use super::{Past, Tree};
use crate::model::{Evidence, Factor};
use std::collections::{BTreeMap, HashMap};

/// Most similar files that are looked at.
const MOST_SIMILAR: usize = 30;
/// Most similar changes of the past that are looked at.
const MOST_CHANGES: usize = 20;
/// Changes of other files that are assumed beyond those seen: one that is alike is no certainty.
const UNSEEN: f64 = 2.0;
/// Files of a directory that is named and holds no more are candidates for that alone.
const SMALL_PLACE: usize = 12;
/// Terms shown.
const MAX_TERMS: usize = 4;

/// Where the names of all prompts are defined.
pub(super) type Definitions = BTreeMap<String, Vec<Place>>;

/// What one prompt says, apart from the paths it names.
#[derive(Debug, Default)]
pub(super) struct Said<'b> {
    pub names: Names<'b>,
    pub question: Question,
}

/// Adds everything of this kind.
pub(super) fn add(
    survey: &Survey<'_>,
    said: &Said<'_>,
    definitions: &Definitions,
    evidence: &mut Evidences,
) -> Trail {
    let tree = survey.sources.tree;
    symbols(&said.names, definitions, evidence);
    places(tree, evidence);
    for (file, share) in shares(survey.paths().scores(&said.question), MOST_SIMILAR) {
        evidence.signal(tree.path(file as usize), Factor::Words, share);
    }
    let Some(past) = survey.sources.past else { return Trail::default() };
    let changes = past.alike(&said.question, &named(tree, evidence), MOST_CHANGES);
    for (file, share) in best(by_changes(past, &changes), MOST_SIMILAR) {
        evidence.signal(tree.path(file as usize), Factor::Past, share);
    }
    Trail { changes, ..Trail::default() }
}

/// The files that the prompt names as if to write them, each with how certain it is that it is meant.
fn named(tree: &Tree, evidence: &Evidences) -> Vec<(u32, f64)> {
    let mut named: Vec<(u32, f64)> = evidence
        .iter()
        .filter_map(|(path, findings)| {
            let certainty = score::named(&findings.signals);
            Some((tree.index(path).filter(|_| certainty > 0.0)?, certainty))
        })
        .collect();
    // Sums of floating point numbers depend on their order.
    named.sort_unstable_by_key(|(file, _)| *file);
    named
}

fn symbols(names: &Names<'_>, definitions: &Definitions, evidence: &mut Evidences) {
    let mut sums: HashMap<&str, f64> = HashMap::new();
    for (name, _) in names.iter() {
        let mut files: Vec<&str> =
            definitions.get(name).into_iter().flatten().map(|place| place.path.as_str()).collect();
        files.dedup();
        for file in &files {
            *sums.entry(file).or_default() += 1.0 / files.len() as f64;
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    // Sums of floating point numbers depend on their order.
    sums.sort_unstable_by_key(|(file, _)| *file);
    let all: f64 = sums.iter().map(|(_, sum)| sum).sum();
    for (file, sum) in sums {
        evidence.signal(file, Factor::Symbol, sum.ln_1p());
        evidence.defines(file, sum / all);
    }
}

fn places(tree: &Tree, evidence: &mut Evidences) {
    let named: Vec<String> = evidence
        .iter()
        .filter(|(path, _)| path.ends_with('/') || is_glob(path) && !tree.contains(path))
        .map(|(path, _)| path.to_owned())
        .collect();
    for place in named {
        let globbed =
            (!place.ends_with('/')).then(|| match parse(&place).map(|g| expand(tree, &g)) {
                Ok(Expansion::Files(files)) => files,
                _ => Vec::new(),
            });
        let files = globbed.as_deref().unwrap_or_else(|| tree.under(&place));
        let share = 1.0 / (files.len().max(1) as f64).sqrt();
        for file in files {
            if files.len() <= SMALL_PLACE || evidence.has(file) {
                evidence.signal(file, Factor::Place, share);
            }
        }
    }
}

/// How many of the changes most alike changed each file, 0 to 1. The more alike, the more they count.
fn by_changes(past: &Past, changes: &[(u32, f64)]) -> Vec<(u32, f64)> {
    let mut files: BTreeMap<u32, f64> = BTreeMap::new();
    let mut all = UNSEEN;
    for &(change, likeness) in changes {
        let weight = likeness * likeness;
        all += weight;
        for &file in past.files(change) {
            *files.entry(file).or_default() += weight;
        }
    }
    files.into_iter().map(|(file, sum)| (file, (1.0 + 9.0 * sum / all).log10())).collect()
}

/// The best `most` as shares of the best.
fn shares(scores: Vec<(u32, f64)>, most: usize) -> Vec<(u32, f64)> {
    let best = best(scores, most);
    let top = best.first().map_or(1.0, |(_, score)| *score);
    best.iter().map(|(file, score)| (*file, score / top)).collect()
}

/// What evidence is told from.
pub(super) struct Context<'a> {
    pub survey: &'a Survey<'a>,
    pub said: &'a Said<'a>,
    pub definitions: &'a Definitions,
    pub anchors: &'a [Anchor],
    pub trail: &'a Trail,
}

impl Context<'_> {
    /// Says in words what the signals of a path come from, apart from its mentions.
    pub(super) fn explain(&self, path: &str, signals: &Signals, evidence: &mut Vec<Evidence>) {
        let tree = self.survey.sources.tree;
        let past = self.survey.sources.past;
        let first = evidence.first().map_or(1, |e| e.line);
        let mut add = |factor, line, text: String| {
            evidence.push(Evidence { line, text: excerpt(&text, 0), factor: Some(factor) });
        };
        let has = |factor| signals.get(factor) > 0.0;
        if let (true, Some((name, used, line))) = (has(Factor::Symbol), self.symbol(path)) {
            let text = format!("defines {name} (line {line}): {}", excerpt(used.line, used.at));
            add(Factor::Symbol, used.number, text);
        }
        let coupled = tree.index(path).and_then(|file| self.trail.coupled.get(&file));
        if let (true, Some((anchor, with))) = (has(Factor::Coupled), coupled) {
            let anchor = &self.anchors[*anchor].path;
            let text = format!("in {} of the {} changes of {anchor}", with.support, with.of);
            add(Factor::Coupled, first, text);
        }
        if has(Factor::Test)
            && let Some(of) = neighbours::partner_of(tree, self.anchors, path)
        {
            add(Factor::Test, first, format!("one tests the other: {of}"));
        }
        if has(Factor::Registry)
            && let Some(new) = neighbours::registered(tree, self.anchors, path)
        {
            add(Factor::Registry, first, format!("lists its directory, where {new} is new"));
        }
        if has(Factor::Place) {
            add(Factor::Place, first, "in a directory that is named".to_owned());
        }
        if has(Factor::Words) {
            let paths = self.survey.paths();
            let (terms, line) = paths.shared(&self.said.question, path, MAX_TERMS);
            add(Factor::Words, line, format!("words of the path: {}", terms.join(", ")));
        }
        if let (true, Some(past), Some(file)) = (has(Factor::Past), past, tree.index(path)) {
            let mut changes = self.trail.changes.iter().map(|(change, _)| *change);
            if let Some(change) = changes.find(|&c| past.files(c).binary_search(&file).is_ok()) {
                add(Factor::Past, first, format!("changed by: {}", past.subject(change)));
            }
        }
    }

    /// A name of the prompt that the file defines.
    fn symbol(&self, path: &str) -> Option<(&str, Used<'_>, u32)> {
        self.said.names.iter().find_map(|(name, used)| {
            let place = self.definitions.get(name)?.iter().find(|place| place.path == path)?;
            Some((name, used, place.line))
        })
    }
}
