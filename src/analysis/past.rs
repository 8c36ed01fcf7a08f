//! The history of the repository, indexed once for all prompts: what was changed together, and which
//! changes were described in what words.
//!
//! Coupling is an association rule "who changed `a` also changed `b`" with its support (in how many
//! changes both were) and confidence (in which share of the changes of `a`), after Zimmermann et al.,
//! "Mining version histories to guide software changes" (ICSE 2004).

use super::Tree;
use super::similar::{Index, Question, best};
use crate::model::PastChange;

/// Fewer common changes than this are chance.
const LEAST_SUPPORT: u32 = 2;
/// Changes of a file without the other that are assumed beyond those seen: two of two are no certainty.
const UNSEEN: f64 = 2.0;
/// Of a file that is changed all the time, this many changes tell as much as all.
const MOST_CHANGES: usize = 300;

/// What is known of the past; files are indices into [`Tree::under`]`("")`.
#[derive(Debug, Default)]
pub struct Past {
    /// The files of each change, newest first, of those that still exist.
    changes: Vec<Vec<u32>>,
    /// The changes of each file, newest first.
    of_file: Vec<Vec<u32>>,
    messages: Index,
    subjects: Vec<String>,
}

/// A file that changes with another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Coupled {
    pub file: u32,
    /// Changes of both.
    pub support: u32,
    /// Changes of the other.
    pub of: u32,
    pub confidence: f64,
}

impl Past {
    /// Indexes changes, newest first, against the files of the base commit.
    #[must_use]
    pub fn new(tree: &Tree, changes: &[PastChange]) -> Self {
        let mut past = Self { of_file: vec![Vec::new(); tree.len()], ..Self::default() };
        let mut messages = Vec::new();
        for change in changes {
            let mut files: Vec<u32> = change.paths.iter().filter_map(|p| tree.index(p)).collect();
            files.sort_unstable();
            files.dedup();
            if files.is_empty() {
                continue;
            }
            let id = u32::try_from(past.changes.len()).unwrap_or(u32::MAX);
            for &file in &files {
                past.of_file[file as usize].push(id);
            }
            past.changes.push(files);
            messages.push(change.message.as_str());
            past.subjects.push(change.message.lines().next().unwrap_or_default().to_owned());
        }
        past.messages = Index::new(messages);
        past
    }

    /// The files of a change.
    pub(super) fn files(&self, change: u32) -> &[u32] {
        &self.changes[change as usize]
    }

    /// The first line of a change's message.
    pub(super) fn subject(&self, change: u32) -> &str {
        &self.subjects[change as usize]
    }

    /// The `most` changes that are most like a task, the likest first: by what was said about them (the
    /// share of the best message) and by how many of the files that it names they changed (the cosine of
    /// the two sets).
    pub(super) fn alike(
        &self,
        question: &Question,
        named: &[(u32, f64)],
        most: usize,
    ) -> Vec<(u32, f64)> {
        let messages = self.messages.scores(question);
        let top = messages.iter().map(|(_, score)| *score).fold(f64::MIN_POSITIVE, f64::max);
        let mut alike = vec![0.0; self.changes.len()];
        for (change, score) in messages {
            alike[change as usize] = score / top;
        }
        let length = named.iter().map(|(_, certainty)| certainty * certainty).sum::<f64>().sqrt();
        for &(file, certainty) in named {
            for &change in &self.of_file[file as usize] {
                let size = (self.files(change).len() as f64).sqrt();
                alike[change as usize] += certainty / (length * size);
            }
        }
        best((0..).zip(alike).filter(|(_, likeness)| *likeness > 0.0).collect(), most)
    }

    /// What changes with `file`.
    pub(super) fn coupled(&self, file: u32) -> Vec<Coupled> {
        let Some(changes) = self.of_file.get(file as usize) else { return Vec::new() };
        let changes = &changes[..changes.len().min(MOST_CHANGES)];
        let mut others: Vec<u32> = changes
            .iter()
            .flat_map(|&change| self.files(change))
            .copied()
            .filter(|&other| other != file)
            .collect();
        others.sort_unstable();
        let of = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        others
            .chunk_by(|a, b| a == b)
            .map(|same| (same[0], u32::try_from(same.len()).unwrap_or(u32::MAX)))
            .filter(|(_, support)| *support >= LEAST_SUPPORT)
            .map(|(file, support)| Coupled {
                file,
                support,
                of,
                confidence: f64::from(support) / (f64::from(of) + UNSEEN),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_and_confidence_are_counted_over_the_changes_of_a_file() {
        let tree = Tree::new(["a", "b", "c"].map(str::to_owned).to_vec());
        let change = |paths: &[&str]| PastChange {
            tasks: Vec::new(),
            message: "m".into(),
            paths: paths.iter().map(|&p| p.to_owned()).collect(),
        };
        let past = Past::new(
            &tree,
            &[
                change(&["a", "b", "gone"]),
                change(&["a", "b"]),
                change(&["a", "c"]),
                change(&["a"]),
                change(&["gone"]),
            ],
        );
        // `c` changed with `a` only once, and what is gone is no candidate.
        let of_a = past.coupled(0);
        assert_eq!(of_a.len(), 1, "{of_a:?}");
        assert_eq!((of_a[0].file, of_a[0].support, of_a[0].of), (1, 2, 4));
        assert!((of_a[0].confidence - 2.0 / 6.0).abs() < 1e-9);
        // The rule has a direction: every change of `b` changed `a`.
        let of_b = past.coupled(1);
        assert!(of_b[0].confidence > of_a[0].confidence);
        assert!(past.coupled(2).is_empty());
    }

    #[test]
    fn changes_are_alike_by_their_words_and_by_their_files() {
        let tree = Tree::new(["a", "b", "c", "d", "e"].map(str::to_owned).to_vec());
        let change = |message: &str, paths: &[&str]| PastChange {
            tasks: Vec::new(),
            message: message.into(),
            paths: paths.iter().map(|&p| p.to_owned()).collect(),
        };
        let past = Past::new(
            &tree,
            &[
                change("bump", &["e"]),
                change("paging of the list", &["d"]),
                change("one", &["a", "c"]),
                change("two", &["a", "b"]),
                change("three", &["a", "b", "c", "d", "e"]),
            ],
        );
        let mut question = Question::default();
        question.add("fix the paging", 1);
        let order = |named: &[(u32, f64)]| -> Vec<u32> {
            past.alike(&question, named, 3).into_iter().map(|(change, _)| change).collect()
        };
        assert_eq!(order(&[]), [1]);
        // The change of just the files that are named is as like as one with the same words.
        assert_eq!(order(&[(0, 1.0), (1, 1.0)]), [1, 3, 4]);
    }
}
