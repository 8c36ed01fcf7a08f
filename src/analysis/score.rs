//! How likely it is that a task changes a file: one function, with its weights in one place.
//!
//! Logistic regression: what speaks for a file (its [`Signals`], one number per [`Factor`]) is added up, each
//! times its weight, and turned into a probability. So a confidence is a frequency: of the files listed
//! with 0.7, seven in ten are changed. `docs/prediction.md` says what the weights were fitted on, how well they do on
//! changes they have not seen, and what each factor adds; `examples/prediction` fits and measures them, on
//! your own changes too.
//!
//! A repository without history and a prompt of one line leave most factors silent, which the weights would take
//! for doubt. So a file that the text says is to be written is at least as likely as that mention is certain
//! ([`said`]).
//!
//! What each signal is:
//!
//! | factor | value |
//! |---|---|
//! | verb, heading, named, code | certainty (0 to 1) that this file is meant, of the best mention of the kind |
//! | created | 1 if it does not exist and is said to be new |
//! | place | 1 / square root of the number of files in the directory named around it |
//! | symbol | ln(1 + sum over the names it defines of 1 / number of files that define it) |
//! | coupled | N times the probability that one of its neighbours in history is changed and takes it along |
//! | test, registry | probability that the file it belongs to is changed |
//! | words | similarity of its path with the prompt, as a share of the most similar file's |
//! | past | log10(1 + 9 times the share of the earlier changes most like the task that changed it) |
//! | others | N if it is not named itself: the more files a prompt names, the surer those are all |
//!
//! N is ln(1 + number of files the prompt names as if to write them).

use crate::model::Factor;

/// Factors that carry a weight; what front matter declares is certain and not weighed.
pub const FACTORS: [Factor; 13] = [
    Factor::Verb,
    Factor::Heading,
    Factor::Named,
    Factor::Code,
    Factor::Created,
    Factor::Place,
    Factor::Symbol,
    Factor::Coupled,
    Factor::Test,
    Factor::Registry,
    Factor::Words,
    Factor::Past,
    Factor::Others,
];

/// What each factor counts. A prompt that names no file is another kind of prompt: what it shares with a path, or
/// with what earlier changes were said to be about, is then all there is to go by, and says more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// In a prompt that names files.
    pub named: Odds,
    /// In a prompt that names none.
    pub unnamed: Odds,
}

/// The log odds that a file is changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    /// Log odds of a file for which nothing speaks.
    pub bias: f64,
    /// Log odds for one unit of the signal, in the order of [`FACTORS`].
    pub of: [f64; FACTORS.len()],
}

/// The weights in use.
pub const WEIGHTS: Weights = Weights {
    named: Odds {
        bias: -4.0,
        of: [
            2.7,  // verb
            1.9,  // heading
            2.2,  // named
            2.2,  // code
            1.0,  // created
            3.7,  // place
            1.1,  // symbol
            1.2,  // coupled
            2.3,  // test
            0.4,  // registry
            0.8,  // words
            2.4,  // past
            -0.5, // others
        ],
    },
    unnamed: Odds {
        bias: -4.8,
        of: [
            0.0, // verb
            0.0, // heading
            0.0, // named
            0.0, // code
            0.0, // created
            0.0, // place
            2.5, // symbol
            0.0, // coupled
            1.3, // test
            0.0, // registry
            1.0, // words
            7.2, // past
            0.0, // others
        ],
    },
};

/// From this probability on a file is listed as written: below it, listing it costs more in precision than it
/// wins in recall (measured: docs/prediction.md).
pub const WRITE_FROM: f64 = 0.2;
/// Less probable files are forgotten; above, they count where two tasks may meet.
pub const POSSIBLE_FROM: f64 = 0.05;

/// What the files have of a prompt that names any.
const NAMING: [Factor; 6] =
    [Factor::Others, Factor::Verb, Factor::Heading, Factor::Named, Factor::Code, Factor::Place];

/// What speaks for one file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signals(pub [f64; FACTORS.len()]);

/// A file for which something speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// From the repository's root.
    pub path: String,
    /// What speaks for it.
    pub signals: Signals,
    /// Whether it is to be left alone, and so not written however much speaks for it.
    pub is_refused: bool,
    /// Whether it is a directory or glob, which the weights do not judge.
    pub is_wide: bool,
}

fn place(factor: Factor) -> Option<usize> {
    FACTORS.iter().position(|&f| f == factor)
}

impl Signals {
    /// Whether they are of a prompt that names no file: then this one is not named, nor where it lies, and others
    /// are not either.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        NAMING.iter().all(|&factor| self.get(factor) <= 0.0)
    }

    /// The signal of a factor; 0 when nothing is known.
    #[must_use]
    pub fn get(&self, factor: Factor) -> f64 {
        place(factor).map_or(0.0, |i| self.0[i])
    }

    /// Sets the signal of a factor.
    pub fn set(&mut self, factor: Factor, value: f64) {
        if let Some(i) = place(factor) {
            self.0[i] = value;
        }
    }

    /// Raises the signal of a factor to at least `value`.
    pub fn raise(&mut self, factor: Factor, value: f64) {
        if let Some(i) = place(factor) {
            self.0[i] = self.0[i].max(value);
        }
    }
}

/// How likely a file is changed that is mentioned in this way, by the text alone. Of the files that prompts name,
/// four in five are (`docs/prediction.md`, the baseline); a bare mention is somewhat less than that, and two of
/// them still order their tasks (0.7 * 0.7 >= 0.45).
const SAID: [(Factor, f64); 4] =
    [(Factor::Verb, 0.85), (Factor::Heading, 0.75), (Factor::Named, 0.7), (Factor::Code, 0.7)];

/// How likely a file is changed that defines all the names which a prompt uses, where that prompt names no file at all.
/// Of 47 such files of four repositories 21 were (`docs/prediction.md`).
const DEFINES: f64 = 0.5;

/// A file that is only like what the prompt says is never more likely than this: two tasks do not wait for each
/// other because of words alone (0.65 * 0.65 < 0.45), which in a young history often point at the one file there is.
const ONLY_ALIKE: f64 = 0.65;

/// How likely the test of a file is changed where the text asks for tests of that file. Not measured: as sure as
/// a file under a heading of writing (`SAID`), since tests may also go into a new file.
pub const TESTS_ASKED: f64 = 0.75;

/// What the names that are used say of a file that defines some of them, 0 to 1, in a prompt that names no file.
/// `share` is its part of all that they point at: who names many things changes few of the places they come from.
#[must_use]
pub fn defined(signals: &Signals, share: f64) -> f64 {
    let one = std::f64::consts::LN_2;
    if signals.get(Factor::Others) > 0.0 {
        return 0.0;
    }
    DEFINES * share * (signals.get(Factor::Symbol) / one).min(1.0)
}

/// How certain it is, 0 to 1, that a file is meant by its best mention that may mean writing.
#[must_use]
pub fn named(signals: &Signals) -> f64 {
    SAID.iter().map(|&(factor, _)| signals.get(factor)).fold(0.0, f64::max)
}

/// What the text says outright of a file, 0 to 1: of its best mention that may mean writing.
#[must_use]
pub fn said(signals: &Signals) -> f64 {
    SAID.iter().map(|&(factor, chance)| chance * signals.get(factor)).fold(0.0, f64::max)
}

impl Weights {
    /// The probability, 0 to 1, that a file with these signals is changed, by the weights alone.
    #[must_use]
    pub fn score(&self, signals: &Signals) -> f64 {
        if !signals.is_unnamed() {
            return self.named.chance(signals);
        }
        let is_only_alike = signals.get(Factor::Symbol) <= 0.0 && signals.get(Factor::Test) <= 0.0;
        self.unnamed.chance(signals).min(if is_only_alike { ONLY_ALIKE } else { 1.0 })
    }
}

impl Odds {
    /// The probability, 0 to 1.
    fn chance(&self, signals: &Signals) -> f64 {
        let sum: f64 = self.of.iter().zip(signals.0).map(|(weight, signal)| weight * signal).sum();
        1.0 / (1.0 + (-self.bias - sum).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chance(signals: &[(Factor, f64)]) -> f64 {
        let mut all = Signals::default();
        for &(factor, value) in signals {
            all.set(factor, value);
        }
        WEIGHTS.score(&all)
    }

    #[test]
    fn what_is_named_is_listed_and_what_is_only_alike_is_not() {
        for factor in [Factor::Verb, Factor::Heading, Factor::Named, Factor::Code] {
            let mut signals = Signals::default();
            signals.set(factor, 1.0);
            assert!(WEIGHTS.score(&signals).max(said(&signals)) >= WRITE_FROM, "{factor:?}");
        }
        let others = (Factor::Others, std::f64::consts::LN_2);
        for factor in [Factor::Words, Factor::Past, Factor::Symbol, Factor::Test] {
            assert!(chance(&[(factor, 1.0), others]) < WRITE_FROM, "{factor:?}");
        }
    }

    #[test]
    fn where_no_file_is_named_what_is_alike_says_more() {
        let alike = [(Factor::Past, 0.7), (Factor::Words, 1.0)];
        assert!(chance(&alike) >= WRITE_FROM);
        let others = (Factor::Others, std::f64::consts::LN_2);
        assert!(chance(&[alike[0], alike[1], others]) < WRITE_FROM);
        // Words alone make no two tasks wait for each other.
        let order = crate::model::Thresholds::default().writes.order;
        assert!(chance(&[(Factor::Past, 1.0), (Factor::Words, 1.0)]).powi(2) < order);
        // That a name of the prompt points at a file counts by its share in all that they point at.
        let mut signals = Signals::default();
        signals.set(Factor::Symbol, 1.0);
        assert!(defined(&signals, 1.0) > WRITE_FROM && defined(&signals, 0.2) < WRITE_FROM);
    }

    #[test]
    fn evidence_adds_up_and_a_verb_counts_most() {
        let named = (Factor::Named, 0.5);
        let alone = chance(&[named]);
        assert!(chance(&[named, (Factor::Coupled, 0.5)]) > alone);
        assert!(chance(&[(Factor::Others, 2.0)]) < chance(&[(Factor::Others, 1.0)]));
        assert!(chance(&[(Factor::Verb, 1.0)]) > chance(&[(Factor::Named, 1.0)]));
        assert!(chance(&[(Factor::Verb, 1.0)]) > chance(&[(Factor::Verb, 0.5)]));
    }

    #[test]
    fn a_signal_is_kept_by_its_factor_and_only_raised_by_more() {
        let mut signals = Signals::default();
        signals.raise(Factor::Past, 0.5);
        signals.raise(Factor::Past, 0.2);
        signals.set(Factor::Declared, 1.0);
        assert!((signals.get(Factor::Past) - 0.5).abs() < f64::EPSILON);
        assert!(signals.get(Factor::Declared).abs() < f64::EPSILON);
    }
}
