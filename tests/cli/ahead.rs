//! Worktrees that are made while agents are at work, for tasks that wait for theirs.

use crate::support::{Sandbox, wait_until};
use std::fs;

/// Worktrees that are ready to be taken.
fn ready(sandbox: &Sandbox) -> usize {
    let pool = fs::read_dir(sandbox.repo.join(".git/orch/pool"));
    pool.into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("entry").is_file())
        .count()
}

#[test]
fn a_task_that_waits_for_another_finds_its_worktree_ready() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started\nwait_for go\necho a > a.txt");
    sandbox.task("b", &["depends_on: [a]"], "cat a.txt > b.txt");
    sandbox.task("c", &["depends_on: [b]"], "cat b.txt > c.txt");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("a");
    wait_until("two are ready", || ready(&sandbox) == 2);
    sandbox.open("go");
    run.finish().exits(0);
    assert_eq!(ready(&sandbox), 0, "both were taken");
    let branch = sandbox.branch_of("c");
    assert_eq!(sandbox.show(&branch, "c.txt"), "a");
    assert_eq!(sandbox.git(["diff", "--name-only", "main", &branch]), "a.txt\nb.txt\nc.txt");
    sandbox.nothing_is_left_behind();
}

#[test]
fn none_is_made_ahead_where_the_pool_is_turned_off() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started\nwait_for go\necho a > a.txt");
    sandbox.task("b", &["depends_on: [a]"], "echo b > b.txt");
    sandbox.config("[worktrees]\npool = 0\nsnapshots = \"0.1s\"");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("a");
    // Both are the same thread's work, one thing at a time: by the second snapshot it had its turn.
    let snapshot =
        || sandbox.git(["for-each-ref", "--format=%(objectname)", "refs/orch/snapshots"]);
    fs::write(sandbox.worktree_of("a").join("one"), "1").unwrap();
    wait_until("a snapshot is taken", || !snapshot().is_empty());
    let first = snapshot();
    fs::write(sandbox.worktree_of("a").join("one"), "12").unwrap();
    wait_until("another is taken", || snapshot() != first);
    assert_eq!(ready(&sandbox), 0);
    sandbox.open("go");
    run.finish().exits(0);
}
