//! Why a plan cannot be made.

use std::fmt;

/// Everything that is wrong, at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct PlanError(pub Vec<Problem>);

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A file and, where known, a line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The prompt file as the user gave it.
    pub file: String,
    /// From 1.
    pub line: Option<u32>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Two prompts of one name.
    #[error("{second}: the name '{name}' is taken by {first}; give one of them another 'id'")]
    DuplicateName {
        /// The name.
        name: String,
        /// Who had it first.
        first: String,
        /// Who wants it too.
        second: String,
    },
    /// A dependency on a prompt that is not there.
    #[error("{at}: '{task}' depends on '{name}', which is not among the prompts given{}", hint(.nearest.as_deref()))]
    UnknownDependency {
        /// Where it is declared.
        at: Location,
        /// Who declares it.
        task: String,
        /// The name.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A dependency on itself.
    #[error("{at}: '{task}' depends on itself; remove that line")]
    SelfDependency {
        /// Where it is declared.
        at: Location,
        /// Who.
        task: String,
    },
    /// Tasks that wait for each other.
    #[error("dependency cycle: {}; remove one of: {}", path(.0), places(.0))]
    Cycle(Vec<CycleStep>),
    /// A pattern of conflicts to ignore that is not a glob.
    #[error("conflicts to ignore: '{glob}' is not a valid glob: {why}")]
    BadIgnore {
        /// As written.
        glob: String,
        /// The parser's words.
        why: String,
    },
}

/// One task of a cycle: it depends on the next one, the last on the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleStep {
    /// The task.
    pub task: String,
    /// Where it declares that it depends on the next one.
    pub at: Location,
    /// The words that say so.
    pub words: Option<String>,
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; add its file, or remove the dependency".to_owned(),
        |name| format!("; did you mean '{name}'?"),
    )
}

fn path(steps: &[CycleStep]) -> String {
    let names: Vec<&str> =
        steps.iter().chain(steps.first()).map(|step| step.task.as_str()).collect();
    names.join(" -> ")
}

fn places(steps: &[CycleStep]) -> String {
    let place = |step: &CycleStep| match &step.words {
        Some(words) => format!("{} \"{words}\"", step.at),
        None => step.at.to_string(),
    };
    steps.iter().map(place).collect::<Vec<_>>().join(", ")
}
