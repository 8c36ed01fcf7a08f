//! Names of runs, tasks, steps and attempts.

use super::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// `run-YYYYMMDD-HHMMSS-xxxx`, unique within a repository.
    RunId
}
text_id! {
    /// `task-YYYYMMDD-HHMMSS-xxxx`, unique within a repository.
    TaskId
}
text_id! {
    /// The id of a step within its workflow, such as `implement`.
    StepId
}

impl RunId {
    /// A run id from the time it was asked for (UTC) and sixteen random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: u16) -> Self {
        Self(stamped("run", now, random))
    }
}

impl TaskId {
    /// A task id from the time its run was asked for (UTC) and sixteen random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: u16) -> Self {
        Self(stamped("task", now, random))
    }

    /// The random part, which the task's branch carries too.
    #[must_use]
    pub fn suffix(&self) -> &str {
        self.0.rsplit('-').next().unwrap_or(&self.0)
    }
}

fn stamped(prefix: &str, now: Timestamp, random: u16) -> String {
    let time = jiff::Timestamp::from_millisecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{prefix}-{}-{random:04x}", time.strftime("%Y%m%d-%H%M%S"))
}

/// One attempt of one step of one task. Attempts are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The task.
    pub task: TaskId,
    /// The step of the task's workflow.
    pub step: StepId,
    /// From 1.
    pub number: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.task, self.step, self.number)
    }
}

/// The part of a branch name that comes from a task's name: lower-case ASCII letters, digits and
/// single hyphens, at most 40 characters, never empty.
#[must_use]
pub fn slug(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() >= 40 {
            break;
        }
    }
    let out = out.trim_matches('-');
    if out.is_empty() { "task".to_owned() } else { out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_always_a_valid_branch_component() {
        assert_eq!(slug("Fix: the CLI's --help!"), "fix-the-cli-s-help");
        assert_eq!(slug("  ../.. "), "task");
        assert_eq!(slug("日本語"), "task");
        assert!(slug(&"x-".repeat(90)).len() <= 40);
        assert!(!slug(&"x-".repeat(90)).ends_with('-'));
    }

    #[test]
    fn ids_carry_the_time_in_utc() {
        let id = TaskId::new(Timestamp(1_767_268_800_000), 0xab12);
        assert_eq!(id.as_str(), "task-20260101-120000-ab12");
        assert_eq!(id.suffix(), "ab12");
    }
}
