//! The local merge queue: who is blamed, what is remembered, and what survives interference.

use crate::support::{Finished, Sandbox, wait_until};
use nix::sys::signal::Signal;
use std::fs;

/// Runs the tasks; each writes what `tasks` says to a file of its own name.
fn finished(tasks: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, content) in tasks {
        sandbox.task(name, &[], &format!("echo {content} > {name}.txt"));
    }
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --jobs 2 --all-prompts").exits(0);
    sandbox
}

/// A command for `--verify`, written beside the repository; it counts its runs in `gates/runs`.
fn verify(sandbox: &Sandbox, script: &str) -> String {
    let (file, root) = (sandbox.root.join("verify"), sandbox.root.display());
    fs::write(&file, format!("S={root}\necho run >> $S/gates/runs\n{script}\n")).unwrap();
    format!("'sh {}'", file.display())
}

fn runs(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.gate("runs")).unwrap_or_default().lines().count()
}

fn head(sandbox: &Sandbox) -> String {
    sandbox.git(["rev-parse", "main"])
}

fn said(finished: &Finished, words: &[&str]) {
    let all = format!("{}{}", finished.stdout, finished.stderr);
    for word in words {
        assert!(all.contains(word), "'{word}' is not said:\n{all}");
    }
}

#[test]
fn one_bad_task_is_found_and_named_with_its_log_and_nothing_is_tested_twice() {
    let tasks = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let tasks: Vec<(&str, &str)> =
        tasks.iter().map(|name| (*name, if *name == "c" { "bad" } else { "good" })).collect();
    let sandbox = finished(&tasks);
    let command = verify(&sandbox, "! grep -l bad *.txt");
    let told = sandbox.orch(&format!("merge --verify {command} --jobs 2")).exits(3);
    said(&told, &["✗ c: not merged", "log: ", "orch retry c"]);
    let log = told.stdout.lines().find_map(|l| l.trim().strip_prefix("log: ")).unwrap().to_owned();
    assert!(fs::read_to_string(log).unwrap().contains("c.txt"));
    assert!(!sandbox.repo.join("c.txt").exists());
    assert!(["a", "b", "d", "h"].iter().all(|n| sandbox.repo.join(format!("{n}.txt")).exists()));
    let before = runs(&sandbox);
    // 2*log2(8)+1, and one of what was left.
    assert!(before <= 8, "{before} runs");
    let again = sandbox.orch(&format!("merge --verify {command}")).exits(3);
    said(&again, &["✗ c", "--retest"]);
    let alone = runs(&sandbox) - before;
    assert!(alone <= 2, "the base and what passed were known: {alone} runs");
    let known = runs(&sandbox);
    sandbox.orch(&format!("merge --verify {command}")).exits(3);
    assert_eq!(runs(&sandbox), known);
    sandbox.orch(&format!("merge --verify {command} --retest")).exits(3);
    assert!(runs(&sandbox) > known);
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_flaky_test_blames_nobody_and_is_named() {
    let sandbox = finished(&[("a", "x"), ("b", "y")]);
    let fail_once = "git rev-parse HEAD > $S/gates/commit; [ -e $S/gates/failed ] || { : > $S/gates/failed; exit 1; }";
    let command = verify(&sandbox, fail_once);
    let told = sandbox.orch(&format!("merge --jobs 1 --verify {command}")).exits(0);
    said(&told, &["flaky", "✓ a", "✓ b"]);
    assert_eq!(runs(&sandbox), 2);
    let tested = fs::read_to_string(sandbox.gate("commit")).unwrap();
    assert_eq!(tested.trim(), head(&sandbox), "what was tested is what lands");
}

#[test]
fn nobody_is_blamed_for_a_branch_that_fails_by_itself() {
    let sandbox = finished(&[("a", "x"), ("b", "y")]);
    let before = head(&sandbox);
    let told = sandbox.orch("merge --verify false").exits(3);
    said(&told, &["a: not merged, the verification fails on main without any task"]);
    assert!(!told.stdout.contains("✗"), "{}", told.stdout);
    assert_eq!(head(&sandbox), before);
    // What could not be run says nothing about the work, and is not remembered.
    sandbox.orch("merge --verify no-such-command").exits(3);
    let path = format!("{}:{}", sandbox.root.display(), std::env::var("PATH").unwrap());
    fs::write(sandbox.root.join("no-such-command"), "#!/bin/sh\n").unwrap();
    let script = sandbox.root.join("no-such-command");
    fs::set_permissions(script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = sandbox.command("merge --verify no-such-command");
    command.env("PATH", path);
    Sandbox::finish(command).exits(0);
}

#[test]
fn of_two_that_pass_alone_and_not_together_one_lands() {
    let sandbox = finished(&[("a", "x"), ("b", "y"), ("c", "z")]);
    let command = verify(&sandbox, "! [ -e a.txt -a -e b.txt ]");
    let told = sandbox.orch(&format!("merge --verify {command}")).exits(3);
    said(&told, &["✓ a", "✗ b", "✓ c"]);
    assert!(sandbox.repo.join("a.txt").exists() && sandbox.repo.join("c.txt").exists());
    assert_eq!(sandbox.show(&sandbox.branch_of("b"), "b.txt"), "y");
}

#[test]
fn what_passed_the_same_commands_alone_is_said_not_to_go_with_the_others() {
    let sandbox = Sandbox::new();
    for name in ["a", "b"] {
        sandbox.task(name, &[], &format!("echo {name} > {name}.txt"));
    }
    let toml = fs::read_to_string(sandbox.repo.join("orch.toml")).unwrap();
    let command = "! [ -e a.txt -a -e b.txt ]";
    sandbox.write("orch.toml", format!("verify = [\"{command}\"]\n{toml}"));
    sandbox.config("[setup]\ncommands = [\"true\"]");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    said(&sandbox.orch("merge").exits(3), &["✓ a", "✗ b", "though alone it passed"]);
    assert_eq!(sandbox.status_of("b")["state"], "conflicted");
}

#[test]
fn who_goes_first_can_be_asked_for() {
    let sandbox = finished(&[("a", "x"), ("b", "y")]);
    let command = verify(&sandbox, "! [ -e a.txt -a -e b.txt ]");
    said(&sandbox.orch(&format!("merge --first b --verify {command}")).exits(3), &["✗ a", "✓ b"]);
}

#[test]
fn what_builds_on_a_bad_task_is_held_and_can_be_tried_with_it() {
    let sandbox = Sandbox::new();
    sandbox.task("base", &[], "echo bad > base.txt");
    sandbox.task("top", &["depends_on: [base]"], "echo good > base.txt");
    sandbox.task("other", &[], "echo other > other.txt");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    let command = verify(&sandbox, "! grep bad base.txt other.txt");
    // Together they pass.
    let told = sandbox.orch(&format!("merge --dry-run --verify {command}")).exits(0);
    said(&told, &["✓ base", "✓ top", "✓ other"]);
    let command = verify(&sandbox, "! [ -e base.txt ]");
    let told = sandbox.orch(&format!("merge --retest --verify {command}")).exits(3);
    said(&told, &["✗ base", "top: not merged, it builds on base", "✓ other"]);
    sandbox.orch("merge top").exits(0);
    assert_eq!(sandbox.read("base.txt"), "good\n");
}

#[test]
fn a_target_that_moves_meanwhile_is_merged_and_tested_again() {
    let sandbox = finished(&[("a", "x"), ("b", "y")]);
    sandbox.git(["branch", "landing"]);
    // While the first test runs, somebody commits to the branch.
    let move_it = "[ -e $S/gates/moved ] && exit 0; : > $S/gates/moved; \
                   git -C $S/repo worktree add -q $S/theirs landing; echo theirs > $S/theirs/theirs.txt; cd $S/theirs; \
                   git add .; git commit -qm Theirs; git checkout -q --detach";
    let command = verify(&sandbox, move_it);
    let told = sandbox.orch(&format!("merge --into landing --verify {command}")).exits(0);
    said(&told, &["landing moved meanwhile; merging again"]);
    let shown = |path| sandbox.show("landing", path);
    assert_eq!(
        (shown("a.txt"), shown("b.txt"), shown("theirs.txt")),
        ("x".into(), "y".into(), "theirs".into())
    );
    assert_eq!(runs(&sandbox), 2);
}

#[test]
fn of_two_merges_at_once_one_is_told_to_wait() {
    let sandbox = finished(&[("a", "x")]);
    let wait = ": > $S/gates/began; while [ ! -e $S/gates/go ]; do sleep 0.02; done";
    let command = verify(&sandbox, wait);
    let first = sandbox.start(&format!("merge --verify {command}"));
    wait_until("the test began", || sandbox.gate("began").exists());
    let told = sandbox.orch("merge").exits(4);
    said(&told, &["another orch merge is at work", &first.pid().to_string()]);
    sandbox.orch("merge --dry-run").exits(0);
    sandbox.open("go");
    first.finish().exits(0);
    assert_eq!(sandbox.read("a.txt"), "x\n");
}

#[test]
fn a_merge_that_was_killed_goes_on_with_what_it_found_out() {
    let sandbox = finished(&[("a", "bad"), ("b", "y"), ("c", "z"), ("d", "z")]);
    // The third run waits.
    let wait = "[ $(wc -l < $S/gates/runs) != 3 ] || { : > $S/gates/began; while [ ! -e $S/gates/go ]; do sleep 0.02; \
                done; }; ! grep bad *.txt";
    let command = verify(&sandbox, wait);
    let killed = sandbox.start(&format!("merge --jobs 1 --verify {command}"));
    wait_until("the third test began", || sandbox.gate("began").exists());
    killed.signal(Signal::SIGKILL);
    killed.finish().exits(137);
    let before = head(&sandbox);
    let told = sandbox.orch(&format!("merge --jobs 1 --verify {command}")).exits(3);
    said(&told, &["✗ a", "✓ b", "✓ c", "✓ d"]);
    assert!(!told.stderr.contains("verifying 4 merged"), "tested twice:\n{}", told.stderr);
    assert_ne!(head(&sandbox), before);
    sandbox.nothing_is_left_behind();
}

#[test]
fn ctrl_c_ends_the_test_and_lands_nothing() {
    let sandbox = finished(&[("a", "x")]);
    let before = sandbox.checkout();
    let command = verify(&sandbox, ": > $S/gates/began; exec sleep 1000");
    let merge = sandbox.start(&format!("merge --verify {command}"));
    wait_until("the test began", || sandbox.gate("began").exists());
    merge.signal(Signal::SIGINT);
    merge.finish().exits(130);
    assert_eq!(sandbox.checkout(), before);
    sandbox.nothing_is_left_behind();
}
