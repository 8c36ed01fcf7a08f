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
//! | words, past | similarity with the prompt, as a share of the most similar file's |
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

/// What each factor counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Log odds of a file for which nothing speaks.
    pub bias: f64,
    /// Log odds for one unit of the signal, in the order of [`FACTORS`].
    pub of: [f64; FACTORS.len()],
}

/// The weights in use.
pub const WEIGHTS: Weights = Weights {
    bias: -3.2,
    of: [
        2.8,  // verb
        2.3,  // heading
        2.2,  // named
        2.2,  // code
        0.7,  // created
        2.4,  // place
        1.2,  // symbol
        2.0,  // coupled
        1.5,  // test
        0.5,  // registry
        1.0,  // words
        0.8,  // past
        -1.0, // others
    ],
};

/// From this probability on a file is listed as written: below it, listing it costs more in precision than it
/// wins in recall (measured: docs/prediction.md).
pub const WRITE_FROM: f64 = 0.25;
/// Less probable files are forgotten; above, they count where two tasks may meet.
pub const POSSIBLE_FROM: f64 = 0.05;

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

/// How likely a file is changed that alone defines a name which a prompt uses, where that prompt names no file at all.
/// Judged by hand, not fitted: the prompts that were fitted on hardly ever name none.
const DEFINES: f64 = 0.5;

/// What a name that is used says of the file that defines it, 0 to 1, in a prompt that names no file.
#[must_use]
pub fn defined(signals: &Signals) -> f64 {
    let one = std::f64::consts::LN_2;
    if signals.get(Factor::Others) > 0.0 {
        return 0.0;
    }
    DEFINES * (signals.get(Factor::Symbol) / one).min(1.0)
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
            assert!(chance(&[(factor, 1.0)]) >= WRITE_FROM, "{factor:?}");
        }
        for factor in [Factor::Words, Factor::Past, Factor::Symbol, Factor::Test] {
            assert!(chance(&[(factor, 1.0)]) < WRITE_FROM, "{factor:?}");
        }
    }

    #[test]
    fn evidence_adds_up_and_a_verb_counts_most() {
        let words = (Factor::Words, 1.0);
        let alone = chance(&[words]);
        assert!(chance(&[words, (Factor::Coupled, 0.5)]) > alone);
        assert!(chance(&[words, (Factor::Others, 1.0)]) < alone);
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
