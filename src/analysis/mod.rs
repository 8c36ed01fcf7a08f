//! A prompt and the files of the base commit -> what the task will touch, of which type and size it is.
//!
//! Promise: linear in the text and cheap for large trees; every target says which lines of the prompt
//! it was read from; nothing in a prompt makes it panic.
//! Never: I/O, git, or a guess without evidence.
//!
//! The way of a prompt: `lines` (where a line stands) -> `tokens` (pieces that may be paths) ->
//! `resolve` (which file they are) with `cue` (write or read) -> `weigh` (one target per path).
//! More sources of evidence (symbols, imports, history) become further mentions for `weigh`.

mod asked;
mod chinese;
pub mod code;
mod cue;
mod dependencies;
mod error;
mod evidence;
mod expand;
mod front;
mod hints;
mod kind;
mod lines;
mod mentions;
mod module;
mod neighbours;
mod parts;
mod past;
mod reading;
mod resolve;
mod risk;
pub mod score;
mod shell;
mod similar;
mod size;
mod survey;
mod symbols;
mod terms;
mod tokens;
mod tree;
mod words;

#[cfg(test)]
mod tests;

pub use dependencies::{TextDependencies, TextDependency, dependencies};
pub use error::AnalysisError;
pub use parts::{Part, Parts, is_about, parts};
pub use past::Past;
pub use risk::Risk;
pub use size::Ground;
pub use survey::{Place, Sources, Symbols};
pub use tree::Tree;

use crate::model::{Complexity, Target, WorkType};

/// What is asked for, as the prompt room read it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The prompt's name, for errors.
    pub name: &'a str,
    /// One line.
    pub title: &'a str,
    /// The Markdown without its front matter.
    pub body: &'a str,
    /// The line of the file on which `body` begins, from 1.
    pub body_line: u32,
    /// The front matter's `files`: globs it writes.
    pub files: &'a [String],
    /// The line of the file on which `files` is set, from 1, where that is known.
    pub files_line: Option<u32>,
    /// The front matter's `reads`: globs it reads.
    pub reads: &'a [String],
    /// The line of the file on which `reads` is set, from 1, where that is known.
    pub reads_line: Option<u32>,
}

/// What a task is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// One per path, sorted by path. A path that ends with `/` is a directory, one with glob
    /// characters that is also in `scopes` a pattern that could not be listed as files.
    pub targets: Vec<Target>,
    /// Files that may be written as well, each too unlikely to be a target; sorted by path. Where another task
    /// writes one of them the two may still collide.
    pub possible: Vec<Target>,
    /// Globs and directories the task covers, of which `targets` lists the files that exist: a file
    /// that another task creates may fall into them. `path` is always a glob.
    pub scopes: Vec<Target>,
    /// Files it covers beyond those in `targets`.
    pub reach: usize,
    /// Of which type and size it is, and what may go wrong, as far as the text and the tree tell.
    pub judgement: Judgement,
}

/// What kind of work a task is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Its type.
    pub work_type: WorkType,
    /// Its size.
    pub complexity: Complexity,
    /// Why; a line each.
    pub reasons: Vec<String>,
    /// Why somebody should find out more before it starts, if so.
    pub research: Option<String>,
    /// What may go wrong; at most one of each kind.
    pub risks: Vec<Risk>,
}

/// Reads prompts against the repository at the base commit. What all of them need is looked up once.
///
/// # Errors
/// A glob in the front matter that cannot be one, or that leaves the repository.
pub fn analyse(
    sources: Sources<'_>,
    requests: &[Request<'_>],
) -> Result<Vec<Analysis>, AnalysisError> {
    Ok(reading::Readings::new(sources, requests)?.analyses())
}

/// What speaks for each file, prompt by prompt: for fitting and measuring the weights. Files that front matter
/// declares are left out.
///
/// # Errors
/// As [`analyse`].
pub fn candidates(
    sources: Sources<'_>,
    requests: &[Request<'_>],
) -> Result<Vec<Vec<score::Candidate>>, AnalysisError> {
    Ok(reading::Readings::new(sources, requests)?.candidates())
}

/// Type, size and risks of a task with these targets.
fn judge(tree: &Tree, request: &Request<'_>, targets: &[Target], reach: usize) -> Judgement {
    let (title, body) = (request.title, request.body);
    let kind = kind::classify(title, body);
    let size = size::measure(targets, reach, body);
    let words = kind.words.join(", ");
    let sure = (kind.confidence * 100.0).round();
    let why = match (kind.words.is_empty(), sure >= 100.0) {
        (true, _) => "no words tell it".to_owned(),
        (false, true) => format!("by the words {words}"),
        (false, false) => format!("{sure}% by the words {words}"),
    };
    Judgement {
        work_type: kind.work_type,
        complexity: size.complexity,
        reasons: vec![
            format!("type {}: {why}", kind.work_type),
            format!("complexity {}: {}", size.complexity, size.reason),
        ],
        research: risk::research(title, body, kind.work_type, targets),
        risks: risk::find(tree, title, body, kind.work_type, targets, reach),
    }
}
