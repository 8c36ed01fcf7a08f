//! Which of many short texts are most like a long one: Okapi BM25 over an inverted index.
//!
//! Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the
//! usual parameters. A term that most texts have says nothing and is passed over, which also bounds the
//! work of a question.

use super::terms::terms;
use std::collections::HashMap;

/// How soon more of the same term stops counting.
const K1: f64 = 1.2;
/// How much longer texts are held back.
const B: f64 = 0.75;
/// A term in more than this share of the texts is no sign of any.
const TOO_COMMON: f64 = 0.2;

/// Terms of a question with how often it has each, and the line of the first.
#[derive(Debug, Default)]
pub(super) struct Question(HashMap<String, (u32, u32)>);

impl Question {
    /// Adds the terms of a line.
    pub(super) fn add(&mut self, text: &str, line: u32) {
        terms(text, |term| match self.0.get_mut(term) {
            Some((count, _)) => *count += 1,
            None => {
                self.0.insert(term.to_owned(), (1, line));
            }
        });
    }
}

/// Texts by number, in the order they were given.
#[derive(Debug, Default)]
pub(super) struct Index {
    postings: HashMap<String, Vec<(u32, u32)>>,
    lengths: Vec<u32>,
    average: f64,
}

impl Index {
    pub(super) fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut index = Self::default();
        for (id, text) in (0_u32..).zip(texts) {
            let mut length = 0;
            terms(text, |term| {
                length += 1;
                let postings = match index.postings.get_mut(term) {
                    Some(postings) => postings,
                    None => index.postings.entry(term.to_owned()).or_default(),
                };
                match postings.last_mut() {
                    Some((last, count)) if *last == id => *count += 1,
                    _ => postings.push((id, 1)),
                }
            });
            index.lengths.push(length);
        }
        let total: f64 = index.lengths.iter().map(|&n| f64::from(n)).sum();
        index.average = (total / index.lengths.len().max(1) as f64).max(1.0);
        index
    }

    /// The texts that share a telling term with the question, each with its score, in no order.
    pub(super) fn scores(&self, question: &Question) -> Vec<(u32, f64)> {
        let all = self.lengths.len() as f64;
        // One place a text: a question touches thousands, and looking each up would be most of the work.
        let mut scores = vec![0.0_f64; self.lengths.len()];
        let mut found: Vec<u32> = Vec::new();
        let mut terms: Vec<_> = question.0.iter().collect();
        // Sums of floating point numbers depend on their order.
        terms.sort_unstable();
        for (term, (count, _)) in terms {
            let Some(postings) = self.postings.get(term) else { continue };
            let having = postings.len() as f64;
            if having > (all * TOO_COMMON).max(2.0) {
                continue;
            }
            let idf = (1.0 + (all - having + 0.5) / (having + 0.5)).ln();
            let asked = 1.0 + f64::from(*count).ln();
            for &(id, count) in postings {
                let count = f64::from(count);
                let length = f64::from(self.lengths[id as usize]) / self.average;
                let weight = count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length));
                let score = &mut scores[id as usize];
                if *score == 0.0 {
                    found.push(id);
                }
                *score += idf * asked * weight;
            }
        }
        found.into_iter().map(|id| (id, scores[id as usize])).collect()
    }

    /// The rarest terms that the question shares with a text, at most `most`, with the question's line of the first.
    pub(super) fn shared<'q>(
        &self,
        question: &'q Question,
        text: &str,
        most: usize,
    ) -> (Vec<&'q str>, u32) {
        let mut shared: Vec<(usize, &str, u32)> = Vec::new();
        terms(text, |term| {
            if let (Some((own, (_, line))), Some(postings)) =
                (question.0.get_key_value(term), self.postings.get(term))
            {
                shared.push((postings.len(), own, *line));
            }
        });
        shared.sort_unstable();
        shared.dedup();
        shared.truncate(most);
        let line = shared.first().map_or(1, |(.., line)| *line);
        (shared.into_iter().map(|(_, term, _)| term).collect(), line)
    }
}

/// The best `most`, the best first. Few of thousands: the others need no order.
pub(super) fn best(mut scores: Vec<(u32, f64)>, most: usize) -> Vec<(u32, f64)> {
    let order = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if scores.len() > most {
        scores.select_nth_unstable_by(most, order);
        scores.truncate(most);
    }
    scores.sort_unstable_by(order);
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_with_the_rarer_words_wins() {
        let index = Index::new([
            "fix the router",
            "add a page to the docs",
            "the router drops its queue",
            "bump the version",
            "bump the version again",
            "the end",
        ]);
        let mut question = Question::default();
        question.add("Routers and queues", 3);
        let scores: HashMap<u32, f64> = index.scores(&question).into_iter().collect();
        assert!(scores[&2] > scores[&0], "{scores:?}");
        assert_eq!(scores.len(), 2);
        let (terms, line) = index.shared(&question, "the router drops its queue", 2);
        assert_eq!((terms, line), (vec!["queue", "router"], 3));
    }

    #[test]
    fn what_every_text_has_says_nothing() {
        let index = Index::new(["src a", "src b", "src c"]);
        let mut question = Question::default();
        question.add("src", 1);
        assert!(index.scores(&question).is_empty());
        assert!(Index::default().scores(&question).is_empty());
    }
}
