//! The type of a task: multinomial naive Bayes over the words of its title and its beginning.
//!
//! What it knows ships as data: labelled examples (`data/task-types.tsv`) and beginnings of words by type
//! (`data/task-type-words.tsv`), which stand in for the many words that a few hundred examples do not
//! have. It is trained when it is first asked, in about a millisecond. How good it is:
//! `docs/task-types.md`.

use crate::model::WorkType;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

const EXAMPLES: &str = include_str!("../../data/task-types.tsv");
const STEMS: &str = include_str!("../../data/task-type-words.tsv");

/// What a word of the title counts; one of the body counts 1. This and the next two were chosen by
/// cross-validation on the examples.
const TITLE: f64 = 2.0;
/// What a beginning of a word that is known for a type counts more than a word.
const STEM: f64 = 2.0;
/// Added to every count, so that a word that a type never had does not rule it out (Lidstone).
const SMOOTHING: f64 = 0.3;
/// How often one feature counts in a text.
const MAX_REPEATS: f64 = 4.0;
/// How much of a body is read, bytes: what a task is about stands at its beginning.
const READ: usize = 600;
/// A type that is less likely than this is a guess, and `general` says so.
const SURE_FROM: f64 = 0.3;
/// Words named as the reason.
const MAX_WORDS: usize = 4;

/// What a task is, and why.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kind {
    pub work_type: WorkType,
    /// 0 to 1.
    pub confidence: f64,
    /// The words that spoke for it most.
    pub words: Vec<String>,
}

/// The type of a task from its title and the beginning of its body.
pub(super) fn classify(title: &str, body: &str) -> Kind {
    static MODEL: LazyLock<Model> = LazyLock::new(|| Model::train(examples(EXAMPLES)));
    let features = features(title, &beginning(title, body));
    MODEL.classify(&features)
}

/// The body without headings that repeat the title, and without code.
fn beginning(title: &str, body: &str) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for line in body.lines() {
        let text = line.trim();
        if text.starts_with("```") || text.starts_with("~~~") {
            in_code = !in_code;
        } else if !in_code && !text.is_empty() && text.trim_start_matches('#').trim() != title {
            out.push_str(text);
            out.push(' ');
        }
        if out.len() >= READ {
            break;
        }
    }
    out.truncate(out.floor_char_boundary(READ));
    out
}

/// Features with their weight. `@feature` is a known beginning of a word, `^fix` the first word, `^fix:` a
/// prefix as in conventional commits.
type Features = BTreeMap<String, f64>;

fn features(title: &str, body: &str) -> Features {
    let mut features = Features::new();
    let mut note = |feature: String, weight: f64, most: f64| {
        let place = features.entry(feature).or_insert(0.0_f64);
        *place = (*place + weight).min(most);
    };
    let (title, body) = (without_paths(title).to_lowercase(), without_paths(body).to_lowercase());
    for (part, weight) in [(&title, TITLE), (&body, 1.0)] {
        let words = words(part);
        for word in &words {
            note(word.clone(), weight, MAX_REPEATS);
        }
        for (work_type, found) in TYPES.into_iter().zip(STEMS_BY_TYPE.count(part, &words)) {
            if found > 0 {
                // One after the other, so that title and body add up.
                note(format!("@{work_type}"), weight * STEM * found.min(2) as f64, f64::INFINITY);
            }
        }
    }
    if let Some(first) = words(&title).first() {
        note(format!("^{first}"), TITLE, TITLE);
        for (work_type, leads) in TYPES.into_iter().zip(STEMS_BY_TYPE.leads(first, &title)) {
            if leads {
                note(format!("^@{work_type}"), STEM, STEM);
            }
        }
    }
    if let Some(prefix) = conventional(&title) {
        note(format!("^{prefix}:"), TITLE, TITLE);
    }
    features
}

/// The text without paths and file names: where something is done does not say what is done there, and every
/// repository has a `src`.
fn without_paths(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-./\\*@~".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let inside = is_part(c);
        let end = rest.find(|c| is_part(c) != inside).unwrap_or(rest.len());
        let (run, more) = rest.split_at(end);
        rest = more;
        out.push_str(if inside && is_path(run) { " " } else { run });
    }
    out
}

fn is_path(run: &str) -> bool {
    let run = run.trim_matches(['.', '-', '*', '~']);
    let (folder, name) = run.rsplit_once(['/', '\\']).unwrap_or(("", run));
    let is_name = name.rsplit_once('.').is_some_and(|(stem, ending)| {
        stem.contains(|c: char| c.is_ascii_alphanumeric())
            && (1..=MAX_EXTENSION).contains(&ending.len())
            && ending.starts_with(|c: char| c.is_ascii_lowercase())
            && ending.chars().all(|c| c.is_ascii_alphanumeric())
    });
    // `I/O` and `CI/CD` are words.
    is_name || (!folder.is_empty() && run.contains(|c: char| c.is_ascii_lowercase()))
}

/// Longest extension of a file name, letters: `svelte`, `gradle`, `graphql`.
const MAX_EXTENSION: usize = 7;

/// `fix` of `fix(parser)!: ...`.
fn conventional(title: &str) -> Option<&str> {
    let (head, _) = title.split_once(": ")?;
    let head = head.trim_end_matches('!');
    let word = head.split_once('(').map_or(head, |(word, _)| word);
    word.chars().all(|c| c.is_ascii_lowercase()).then_some(word).filter(|word| !word.is_empty())
}

/// Words without their commonest English endings; of scripts that write no spaces, pairs of letters.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        let mut rest = run;
        while let Some(c) = rest.chars().next() {
            let wide = is_unspaced(c);
            let end = rest.find(|c| is_unspaced(c) != wide).unwrap_or(rest.len());
            let (piece, more) = rest.split_at(end);
            rest = more;
            if wide {
                let letters: Vec<char> = piece.chars().collect();
                words.extend(letters.windows(2).map(|pair| pair.iter().collect::<String>()));
            } else {
                words.push(stem(piece).to_owned());
            }
        }
    }
    words
}

/// Chinese, Japanese, Korean.
fn is_unspaced(c: char) -> bool {
    c >= '\u{3000}'
}

fn stem(word: &str) -> &str {
    let cut = ["ing", "ed", "es", "s"]
        .into_iter()
        .find_map(|ending| word.strip_suffix(ending).filter(|rest| rest.chars().count() >= 4));
    cut.unwrap_or(word)
}

const TYPES: [WorkType; 10] = [
    WorkType::Feature,
    WorkType::Bugfix,
    WorkType::Test,
    WorkType::Docs,
    WorkType::Refactor,
    WorkType::Performance,
    WorkType::Research,
    WorkType::Devops,
    WorkType::Security,
    WorkType::General,
];

fn type_of(name: &str) -> Option<WorkType> {
    TYPES.into_iter().find(|work_type| work_type.to_string() == name)
}

/// A set of types: the bit of each place in [`TYPES`].
type TypeSet = u16;

/// Something for each type, in the order of [`TYPES`].
type ByType<T> = [T; TYPES.len()];

/// Beginnings of words by type.
#[derive(Default)]
struct Stems {
    /// What a word begins with.
    beginnings: HashMap<&'static str, TypeSet>,
    /// Whole words, with how they are written in the list.
    whole: HashMap<&'static str, (&'static str, TypeSet)>,
    /// In scripts without spaces: anywhere in the text.
    unspaced: ByType<Vec<&'static str>>,
}

static STEMS_BY_TYPE: LazyLock<Stems> = LazyLock::new(|| {
    let mut all = Stems::default();
    for line in STEMS.lines().filter(|line| !line.starts_with('#')) {
        let Some((work_type, stems)) = line.split_once('\t') else { continue };
        let Some(place) = TYPES.iter().position(|t| t.to_string() == work_type) else { continue };
        for stem in stems.split_whitespace() {
            if stem.starts_with(is_unspaced) {
                all.unspaced[place].push(stem);
            } else if let Some(word) = stem.strip_prefix('=') {
                all.whole.entry(word).or_insert((stem, 0)).1 |= 1 << place;
            } else {
                *all.beginnings.entry(stem).or_default() |= 1 << place;
            }
        }
    }
    all
});

impl Stems {
    /// How many different ones of each type are in a text.
    fn count(&self, text: &str, words: &[String]) -> ByType<usize> {
        let mut counts = ByType::default();
        if text.contains(is_unspaced) {
            for (count, stems) in counts.iter_mut().zip(&self.unspaced) {
                *count = stems.iter().filter(|stem| text.contains(**stem)).count();
            }
        }
        let mut seen: HashSet<(usize, &str)> = HashSet::new();
        for word in words {
            for (place, stem) in self.beginning(word).into_iter().enumerate() {
                if stem.is_some_and(|stem| seen.insert((place, stem))) {
                    counts[place] += 1;
                }
            }
        }
        counts
    }

    /// For each type, whether the title's main word is one: its first, and in scripts without spaces, where the
    /// verb comes last, one of its last letters.
    fn leads(&self, first: &str, title: &str) -> ByType<bool> {
        /// A verb with its ending, letters.
        const VERB: usize = 12;
        let from = title.char_indices().rev().nth(VERB - 1).map_or(0, |(i, _)| i);
        let mut leads = self.beginning(first).map(|stem| stem.is_some());
        for (leads, stems) in leads.iter_mut().zip(&self.unspaced) {
            *leads = *leads || stems.iter().any(|stem| title[from..].contains(stem));
        }
        leads
    }

    /// For each type the one that a word begins with, or is.
    fn beginning(&self, word: &str) -> ByType<Option<&'static str>> {
        let mut found: ByType<Option<&'static str>> = ByType::default();
        if word.starts_with(is_unspaced) {
            for (found, stems) in found.iter_mut().zip(&self.unspaced) {
                *found = stems.iter().find(|stem| **stem == word).copied();
            }
        }
        let mut note = |stem: &'static str, types: TypeSet| {
            for (place, found) in found.iter_mut().enumerate() {
                if types & (1 << place) != 0 {
                    found.get_or_insert(stem);
                }
            }
        };
        if let Some((stem, types)) = self.whole.get(word) {
            note(stem, *types);
        }
        for end in word.char_indices().map(|(i, c)| i + c.len_utf8()) {
            if let Some((stem, types)) = self.beginnings.get_key_value(&word[..end]) {
                note(stem, *types);
            }
        }
        found
    }
}

/// `TYPE tab TITLE | BODY` a line.
fn examples(text: &str) -> Vec<(WorkType, Features)> {
    let example = |line: &str| {
        let (work_type, text) = line.split_once('\t')?;
        let (title, body) = text.split_once(" | ").unwrap_or((text, ""));
        Some((type_of(work_type)?, features(title, body)))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(example).collect()
}

/// For every feature that was seen, its logarithmic probability by type, in the order of [`TYPES`].
struct Model(HashMap<String, ByType<f64>>);

impl Model {
    fn train(examples: Vec<(WorkType, Features)>) -> Self {
        let mut counts: HashMap<String, ByType<f64>> = HashMap::new();
        let mut totals = [0.0; TYPES.len()];
        for (work_type, features) in examples {
            let Some(place) = TYPES.iter().position(|t| *t == work_type) else { continue };
            for (feature, count) in features {
                counts.entry(feature).or_default()[place] += count;
                totals[place] += count;
            }
        }
        let vocabulary = counts.len() as f64;
        for counts in counts.values_mut() {
            for (count, total) in counts.iter_mut().zip(totals) {
                *count = ((*count + SMOOTHING) / (total + SMOOTHING * vocabulary)).ln();
            }
        }
        Self(counts)
    }

    fn classify(&self, features: &Features) -> Kind {
        let mut scores = [0.0; TYPES.len()];
        let mut known = false;
        for (feature, count) in features {
            let Some(logarithms) = self.0.get(feature) else { continue };
            known = true;
            for (score, logarithm) in scores.iter_mut().zip(logarithms) {
                *score += count * logarithm;
            }
        }
        let best = (0..TYPES.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let Some(best) = best.filter(|_| known) else {
            return Kind { work_type: WorkType::General, confidence: 0.0, words: Vec::new() };
        };
        // The probabilities of naive Bayes are too extreme in long texts and used only to tell a guess.
        let all: f64 = scores.iter().map(|score| (score - scores[best]).exp()).sum();
        let confidence = 1.0 / all;
        if confidence < SURE_FROM {
            return Kind { work_type: WorkType::General, confidence, words: Vec::new() };
        }
        Kind { work_type: TYPES[best], confidence, words: self.words(features, best) }
    }

    /// The plain words that speak for a type more than the average of the others.
    fn words(&self, features: &Features, best: usize) -> Vec<String> {
        let gain = |feature: &String, count: f64| {
            let logarithms = self.0.get(feature)?;
            let mean = logarithms.iter().sum::<f64>() / TYPES.len() as f64;
            Some(count * (logarithms[best] - mean)).filter(|gain| *gain > 0.5)
        };
        // Short words of a script with spaces say nothing to a person.
        let telling = |feature: &str| feature.len() > 2 && !feature.starts_with(['@', '^']);
        let plain = features.iter().filter(|(feature, _)| telling(feature));
        let mut words: Vec<(f64, &String)> =
            plain.filter_map(|(feature, count)| Some((gain(feature, *count)?, feature))).collect();
        words.sort_by(|a, b| b.0.total_cmp(&a.0));
        words.into_iter().take(MAX_WORDS).map(|(_, word)| word.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD_OUT: &str = include_str!("../../data/task-types-held-out.tsv");

    fn right(model: &Model, examples: &[(WorkType, Features)]) -> Vec<bool> {
        examples.iter().map(|(t, features)| model.classify(features).work_type == *t).collect()
    }

    fn share(right: &[bool]) -> f64 {
        right.iter().filter(|right| **right).count() as f64 / right.len() as f64
    }

    /// The floors are below what `docs/task-types.md` states by two examples in a hundred.
    #[test]
    fn it_does_not_get_worse() {
        let examples = || super::examples(EXAMPLES);
        let held_out = super::examples(HELD_OUT);
        assert!(examples().len() > 600 && held_out.len() > 200);
        let model = Model::train(examples());
        let held = right(&model, &held_out);
        let mut folds = Vec::new();
        for fold in 0..5 {
            let (inside, outside): (Vec<_>, Vec<_>) =
                examples().into_iter().enumerate().partition(|(i, _)| i % 5 != fold);
            let part = |all: Vec<(usize, _)>| all.into_iter().map(|(_, e)| e).collect::<Vec<_>>();
            folds.extend(right(&Model::train(part(inside)), &part(outside)));
        }
        println!("held out {:.3}, five-fold {:.3}", share(&held), share(&folds));
        for work_type in TYPES {
            let of: Vec<bool> = held_out
                .iter()
                .zip(&held)
                .filter(|((t, _), _)| *t == work_type)
                .map(|(_, right)| *right)
                .collect();
            println!("  {work_type:12} {:.2} of {}", share(&of), of.len());
        }
        assert!(share(&held) >= 0.83, "held out {}", share(&held));
        assert!(share(&folds) >= 0.73, "five-fold {}", share(&folds));
    }

    #[test]
    fn no_example_is_in_both_sets() {
        let texts = |all: &'static str| {
            all.lines()
                .filter_map(|l| Some(l.split_once('\t')?.1.to_lowercase()))
                .collect::<Vec<_>>()
        };
        let known = texts(EXAMPLES);
        assert!(texts(HELD_OUT).iter().all(|text| !known.contains(text)));
    }

    #[test]
    fn the_title_tells_the_type() {
        for (title, work_type) in [
            ("Fix the crash on empty input", WorkType::Bugfix),
            ("Add a --json flag", WorkType::Feature),
            ("Refactor the parser", WorkType::Refactor),
            ("Make startup faster", WorkType::Performance),
            ("Add tests for the parser", WorkType::Test),
            ("Write a tutorial", WorkType::Docs),
            ("Investigate the memory use", WorkType::Research),
            ("Run clippy in CI", WorkType::Devops),
            ("Close the SQL injection in search", WorkType::Security),
            ("TUI の不具合を直す", WorkType::Bugfix),
            ("", WorkType::General),
            ("\u{0}\u{feff}…", WorkType::General),
        ] {
            assert_eq!(classify(title, "").work_type, work_type, "{title}");
        }
        // Where it is done says nothing.
        for (with, without) in [
            ("Ändere rs/src/lib.rs", "Ändere"),
            ("Delete py/pkg/user2.py", "Delete"),
            ("Update py/pkg/sub/live.py and update its tests.", "Update and update its tests."),
            ("Fix the crash in `tests/docs/perf.rs`", "Fix the crash in"),
            ("次に src/test.rs を直す", "次に を直す"),
        ] {
            let (with, without) = (classify(with, ""), classify(without, ""));
            assert_eq!(with, without);
        }
        for word in ["I/O", "CI/CD", "v1.2.3", "x --json", "a.", "src"] {
            assert_eq!(without_paths(word), word);
        }
        let kind =
            classify("Fix the crash", "# Fix the crash\n\n```sh\ndocs docs docs docs\n```\n");
        assert_eq!(kind.work_type, WorkType::Bugfix);
        assert!(kind.words.contains(&"crash".to_owned()), "{kind:?}");
    }
}
