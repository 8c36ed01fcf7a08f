//! The processes of an attempt, whatever session or group they put themselves into.

use super::identity::{Process, ProcessId};
use super::platform::{self, Group};
use super::spec::KEY_VARIABLE;
use nix::sys::signal::Signal;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Everything alive below the processes with these numbers.
pub(super) fn descendants(roots: Vec<u32>) -> BTreeSet<ProcessId> {
    let mut seen = HashSet::new();
    let mut found = BTreeSet::new();
    let mut todo = roots.clone();
    while let Some(parent) = todo.pop() {
        let Some(children) = platform::children(parent) else {
            return below(&platform::processes(), roots);
        };
        for process in children.into_iter().filter_map(platform::process) {
            if seen.insert(process.id.pid) {
                todo.push(process.id.pid);
                if !process.zombie {
                    found.insert(process.id);
                }
            }
        }
    }
    found
}

fn below(table: &[Process], roots: Vec<u32>) -> BTreeSet<ProcessId> {
    let mut children: HashMap<u32, Vec<&Process>> = HashMap::new();
    for process in table {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = BTreeSet::new();
    let mut todo = roots;
    while let Some(parent) = todo.pop() {
        // Removed so that a table read while pids were reused cannot lead in a circle.
        for child in children.remove(&parent).unwrap_or_default() {
            todo.push(child.id.pid);
            if !child.zombie {
                found.insert(child.id);
            }
        }
    }
    found
}

/// Everything alive that carries the attempt's key in its environment, or its mark.
pub(super) fn carriers(key: &str) -> BTreeSet<ProcessId> {
    Hunt::new(key).look()
}

/// Looking for carriers of a key again and again, each time only at processes not known yet: fast
/// enough for one that starts its successor and ends within a millisecond.
pub(super) struct Hunt<'a> {
    key: &'a str,
    /// Processes that do not carry the key. Good for some seconds: numbers come round again.
    strangers: HashSet<u32>,
}

impl<'a> Hunt<'a> {
    pub(super) fn new(key: &'a str) -> Self {
        Self { key, strangers: HashSet::from([std::process::id()]) }
    }

    /// All carriers there are.
    pub(super) fn look(&mut self) -> BTreeSet<ProcessId> {
        let mut found = BTreeSet::new();
        self.each(|id| {
            found.insert(id);
        });
        found
    }

    /// Calls `caught` for each carrier in the moment it is found.
    pub(super) fn each(&mut self, mut caught: impl FnMut(ProcessId)) {
        for pid in platform::pids() {
            if self.strangers.contains(&pid) {
                continue;
            }
            match platform::carries(pid, KEY_VARIABLE, self.key) {
                Some(true) => ProcessId::of(pid).into_iter().for_each(&mut caught),
                Some(false) => {
                    self.strangers.insert(pid);
                }
                // Zombies and the kernel's own threads never get an environment (again).
                None => {
                    let process = platform::process(pid);
                    if process.is_none_or(|process| process.zombie || process.parent == KTHREADD) {
                        self.strangers.insert(pid);
                    }
                }
            }
        }
    }
}

/// The parent of the kernel's threads on Linux.
const KTHREADD: u32 = 2;

/// Everything alive in a control group.
pub(super) fn inside(group: &Group) -> BTreeSet<ProcessId> {
    group.members().into_iter().filter_map(ProcessId::of).collect()
}

/// The tree below this process (a shim), and what was done to it.
pub(super) struct Tree {
    key: String,
    group: Option<Group>,
    signalled: BTreeSet<ProcessId>,
}

impl Tree {
    pub(super) fn new(key: String, group: Option<Group>) -> Self {
        Self { key, group, signalled: BTreeSet::new() }
    }

    pub(super) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// Everything alive in it.
    pub(super) fn members(&self) -> BTreeSet<ProcessId> {
        let mut members = descendants(vec![std::process::id()]);
        if let Some(group) = &self.group {
            members.append(&mut inside(group));
        }
        if !platform::ADOPTS_ORPHANS {
            members.append(&mut carriers(&self.key));
        }
        members
    }

    /// SIGTERM to all of it. A stopped process is continued, or it could not obey.
    pub(super) fn terminate(&mut self) {
        /// Processes started during a round are seen by the next one.
        const ROUNDS: usize = 5;
        for _ in 0..ROUNDS {
            let mut new = self.members();
            new.retain(|id| !self.signalled.contains(id));
            if new.is_empty() {
                break;
            }
            for id in &new {
                platform::signal(*id, Signal::SIGTERM);
                platform::signal(*id, Signal::SIGCONT);
            }
            self.signalled.append(&mut new);
        }
    }

    /// SIGKILL to what is there now. Call it again until the tree is empty.
    pub(super) fn kill(&mut self) {
        let mut members = self.members();
        if let Some(group) = &self.group {
            group.kill();
        }
        for id in &members {
            platform::signal(*id, Signal::SIGKILL);
        }
        self.signalled.append(&mut members);
    }

    /// How many processes were signalled, the main one not counted.
    pub(super) fn ended_beside(&self, main: u32) -> usize {
        self.signalled.iter().filter(|id| id.pid != main).count()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            group.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: u32, parent: u32, zombie: bool) -> Process {
        Process { id: ProcessId { pid, start: 1 }, parent, zombie }
    }

    #[test]
    fn children_of_a_zombie_belong_to_the_tree_and_the_zombie_does_not() {
        let table = [row(2, 1, false), row(3, 2, true), row(4, 3, false), row(9, 1, false)];
        let pids: Vec<u32> = below(&table, vec![2]).iter().map(|id| id.pid).collect();
        assert_eq!(pids, [4]);
    }

    #[test]
    fn a_circle_in_a_torn_table_ends() {
        assert_eq!(below(&[row(2, 3, false), row(3, 2, false)], vec![2]).len(), 2);
    }

    #[test]
    fn both_ways_to_find_descendants_agree() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 1000 & echo $!; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        let grandchild = ProcessId::of(line.trim().parse().unwrap()).unwrap();
        let expected = BTreeSet::from([grandchild]);
        assert_eq!(descendants(vec![child.id()]), expected);
        assert_eq!(below(&platform::processes(), vec![child.id()]), expected);
        platform::signal(grandchild, Signal::SIGKILL);
        child.wait().unwrap();
    }
}
