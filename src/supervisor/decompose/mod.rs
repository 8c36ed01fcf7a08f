//! Prompts that are several tasks -> tasks of their own, when asked for.
//!
//! A part is an ordinary task: its prompt is what is common to all parts, and its own lines. Whatever was
//! decided about a prompt, and why, is told with the plan.

mod agent;
mod answer;
mod auto;

use super::intake::{IntakeError, Options, input};
use crate::analysis::Tree;
use crate::config::{Config, Decompose};
use crate::git::Repo;
use crate::model::slug;
use crate::plan::{Declared, Decomposition};
use crate::prompt::Prompt;
use std::collections::{BTreeMap, HashSet};

/// Prompts, some of them split.
pub(super) struct Decomposed {
    /// In input order, parts in the place of their whole.
    pub tasks: Vec<Planned>,
    /// The names of the parts, by the name of the whole.
    pub parts: BTreeMap<String, Vec<String>>,
    /// What was decided.
    pub told: Vec<Decomposition>,
}

/// A prompt, or a part of one.
pub(super) struct Planned {
    pub prompt: Prompt,
    pub part: Option<Part>,
}

/// What a part has beside its prompt.
#[derive(Clone)]
pub(super) struct Part {
    /// The name of the prompt it is a part of.
    pub whole: String,
    /// The body with only the part's own lines, each in its place: what says which files it touches.
    pub focus: String,
    /// The body with only what is common to all parts.
    pub common: String,
    /// Globs that it surely writes, and reads.
    pub files: Vec<String>,
    pub reads: Vec<String>,
    /// The other parts that come first, and why.
    pub after: Vec<Declared>,
    /// What the whole declares to come first.
    pub depends_on: Vec<String>,
}

impl Planned {
    /// The name of the prompt as the user knows it.
    pub fn whole(&self) -> &str {
        self.part.as_ref().map_or(&self.prompt.name, |part| &part.whole)
    }

    /// What its front matter declares to come first.
    pub fn depends_on(&self) -> &[String] {
        self.part.as_ref().map_or(&self.prompt.front.depends_on, |part| &part.depends_on)
    }
}

/// A prompt that stays one, or what it becomes, with the reason either way.
type Verdict = (Result<Vec<Planned>, Prompt>, String);

/// Splits what is to be split.
///
/// # Errors
/// An agent that was asked and failed, or whose answer cannot be carried out.
pub(super) fn decompose(
    repo: &Repo,
    config: &Config,
    base: &str,
    tree: &Tree,
    prompts: Vec<Prompt>,
    options: &Options,
) -> Result<Decomposed, IntakeError> {
    let how = options.decompose.as_ref().unwrap_or(&config.decompose);
    let mut done = Decomposed { tasks: Vec::new(), parts: BTreeMap::new(), told: Vec::new() };
    let taken: HashSet<String> = prompts.iter().map(|prompt| prompt.name.clone()).collect();
    let (by, verdicts): (String, Vec<Verdict>) = match how {
        Decompose::Off => {
            done.tasks = prompts.into_iter().map(|prompt| Planned { prompt, part: None }).collect();
            return Ok(done);
        }
        Decompose::Auto => ("auto".to_owned(), auto::split(tree, prompts)),
        Decompose::Agent(name) => {
            let name = name.as_ref().or(options.agent.as_ref()).unwrap_or(&config.agent);
            (format!("agent:{name}"), agent::split(repo, config, base, tree, prompts, name)?)
        }
    };
    for (verdict, reason) in verdicts {
        let mut into = Vec::new();
        let task = match verdict {
            Ok(parts) => {
                let task = parts.first().map(|part| part.whole().to_owned()).unwrap_or_default();
                into = parts.iter().map(|part| part.prompt.name.clone()).collect();
                if let Some(name) = into.iter().find(|name| taken.contains(*name)) {
                    return Err(input(format!(
                        "{task} would be split into {name}, and there is a prompt of that name; rename that one"
                    )));
                }
                done.parts.insert(task.clone(), into.clone());
                done.tasks.extend(parts);
                task
            }
            Err(prompt) => {
                let name = prompt.name.clone();
                done.tasks.push(Planned { prompt, part: None });
                name
            }
        };
        done.told.push(Decomposition { task, by: by.clone(), into, reason });
    }
    Ok(done)
}

/// The name of a part.
fn part_name(whole: &str, number: usize, title: &str) -> String {
    /// Characters of the title, so that a list of tasks stays readable.
    const LONGEST: usize = 24;
    // `1.2 Parser` is numbered anew.
    let title = match title.split_once(' ') {
        Some((first, rest)) if first.chars().all(|c| c.is_ascii_digit() || ".)".contains(c)) => {
            rest
        }
        _ => title,
    };
    let slug = slug(title);
    let end = slug.char_indices().nth(LONGEST).map_or(slug.len(), |(i, _)| i);
    let end = if end < slug.len() { slug[..end].rfind('-').unwrap_or(end) } else { end };
    match &slug[..end] {
        "task" => format!("{whole}.{number}"),
        slug => format!("{whole}.{number}-{slug}"),
    }
}
