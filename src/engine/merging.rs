//! What the history says about merging: which trees were tested, which landing began, which conflict an
//! agent was given.

use super::queue::Tested;
use crate::model::{Event, Head, TaskId};
use std::collections::{BTreeMap, VecDeque};

/// Test results that are remembered, the newest ones. Each was minutes of somebody's time, and takes a few
/// hundred bytes.
const MOST: usize = 1000;

/// What resolving a conflict is called where the steps of a task are.
pub const RESOLVE: &str = "resolve";

/// What a merge has found out and is about to do: folded from its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merging {
    tests: VecDeque<Run>,
    /// The landing that began last.
    pub landing: Option<Landing>,
    /// Conflicts that an agent was given and that have no outcome yet.
    pub resolving: BTreeMap<TaskId, Resolving>,
    /// How often an agent was asked, for each task.
    pub asked: BTreeMap<TaskId, u32>,
    /// What agents made of conflicts: the task's branch with both sides.
    pub resolved: BTreeMap<TaskId, String>,
}

/// A test of a merged tree.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    tree: String,
    commands: Vec<String>,
    passed: bool,
    log: String,
}

/// A landing that began.
#[derive(Clone, Debug, PartialEq)]
pub struct Landing {
    /// The branch.
    pub into: String,
    /// The commit it was to move to.
    pub to: String,
    /// What lands with it.
    pub tasks: Vec<Head>,
}

/// A conflict that an agent was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolving {
    /// The commit that goes into the task's branch.
    pub onto: String,
    /// Which attempt.
    pub attempt: u32,
    /// The agent.
    pub agent: String,
}

impl Merging {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::MergeTested { tree, commands, passed, log, .. } => {
                if self.tests.len() == MOST {
                    self.tests.pop_front();
                }
                let (tree, commands, log) = (tree.clone(), commands.clone(), log.clone());
                self.tests.push_back(Run { tree, commands, passed: *passed, log });
            }
            Event::LandingStarting { into, to, tasks, .. } => {
                let (into, to, tasks) = (into.clone(), to.clone(), tasks.clone());
                self.landing = Some(Landing { into, to, tasks });
            }
            Event::ConflictResolving { task, onto, attempt, agent, .. } => {
                let resolving =
                    Resolving { onto: onto.clone(), attempt: *attempt, agent: agent.clone() };
                self.resolving.insert(task.clone(), resolving);
                self.asked.insert(task.clone(), *attempt);
            }
            Event::ConflictResolved { task, commit, .. } => {
                self.resolving.remove(task);
                if let Some(commit) = commit {
                    self.resolved.insert(task.clone(), commit.clone());
                }
            }
            _ => {}
        }
    }

    /// What is known of trees that were tested with just these commands.
    #[must_use]
    pub fn tests(&self, commands: &[String]) -> BTreeMap<String, Tested> {
        let mut known: BTreeMap<String, Tested> = BTreeMap::new();
        for run in self.tests.iter().filter(|run| run.commands == commands) {
            let tested = known.entry(run.tree.clone()).or_default();
            *(if run.passed { &mut tested.green } else { &mut tested.red }) += 1;
        }
        known
    }

    /// The folder of the log of the last test of a tree that failed, from the folder of the run.
    #[must_use]
    pub fn failed_log(&self, tree: &str, commands: &[String]) -> Option<&str> {
        let is_it = |run: &&Run| run.tree == tree && run.commands == commands && !run.passed;
        self.tests.iter().rev().find(is_it).map(|run| &*run.log)
    }
}
