//! The tasks of a round: what each is to leave behind, whatever happens to it.

use crate::random::Random;
use std::collections::BTreeMap;

/// How an agent behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Writes and ends.
    Quick,
    /// Writes a little at a time.
    Slow,
    /// Leaves children in sessions of their own.
    Children,
    /// Commits what it did.
    Commits,
    /// Fails the first time.
    Flaky,
    /// Prints megabytes.
    Loud,
    /// Is verified afterwards, slowly.
    Verified,
}

pub const KINDS: [Kind; 7] = [
    Kind::Quick,
    Kind::Slow,
    Kind::Children,
    Kind::Commits,
    Kind::Flaky,
    Kind::Loud,
    Kind::Verified,
];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Slow => "slow",
            Self::Children => "children",
            Self::Commits => "commits",
            Self::Flaky => "flaky",
            Self::Loud => "loud",
            Self::Verified => "verified",
        }
    }

    /// Of a task's name, `r1-slow-2`.
    pub fn of(name: &str) -> Option<Self> {
        let word = name.split('-').nth(1)?;
        KINDS.into_iter().find(|kind| kind.name() == word)
    }
}

/// A task of a round.
#[derive(Clone, Debug)]
pub struct Task {
    pub name: String,
    pub kind: Kind,
    pub after: Option<String>,
}

/// Bytes that a loud agent prints, without the newlines.
pub const LOUD_LINES: u64 = 40_000;

/// What the task's agent writes: paths in the repository and their content.
pub fn files(name: &str) -> BTreeMap<String, String> {
    let file = |n: usize| {
        let line = format!("{name}, file {n}: written once, kept for ever\n");
        (format!("work/{name}/{n}.txt"), line.repeat(20 * n))
    };
    (1..=3).map(file).collect()
}

/// Some tasks of every kind, some of which wait for another.
pub fn choose(round: u32, random: &mut Random) -> Vec<Task> {
    let count = random.between(7, 11);
    let mut tasks: Vec<Task> = Vec::new();
    for n in 0..count {
        let kind = match n {
            0 => Kind::Slow,
            1 => Kind::Children,
            _ => *random.one_of(&KINDS).unwrap_or(&Kind::Quick),
        };
        let before = random.chance(25).then(|| random.one_of(&tasks).map(|t| t.name.clone()));
        let name = format!("r{round}-{}-{n}", kind.name());
        tasks.push(Task { name, kind, after: before.flatten() });
    }
    tasks
}

/// The prompt of a task.
pub fn prompt(task: &Task) -> String {
    let after =
        task.after.as_ref().map_or_else(String::new, |name| format!("depends_on: [{name}]\n"));
    let verify = if task.kind == Kind::Verified {
        format!("verify: [\"test -s work/{0}/3.txt\", \"sleep 0.7\"]\n", task.name)
    } else {
        String::new()
    };
    format!(
        "---\nagent: chaos\nfiles: [\"work/{0}/**\"]\n{after}{verify}---\n# Do {0}\n\nWrite `work/{0}/`.\n",
        task.name
    )
}
