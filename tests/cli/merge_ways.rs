//! Ways of landing: strategies, the change log, protected branches, hooks, conflicts given to an agent, and a bare
//! repository as the only remote.

use crate::support::{Finished, Sandbox};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn said(finished: &Finished, words: &[&str]) {
    let all = format!("{}{}", finished.stdout, finished.stderr);
    for word in words {
        assert!(all.contains(word), "'{word}' is not said:\n{all}");
    }
}

/// Task `a` makes two commits, `b` one.
fn three_commits() -> Sandbox {
    let sandbox = Sandbox::new();
    let commits =
        "echo 1 > a.txt; git add .; git commit -qm One; echo 2 > a.txt; git commit -qam Two";
    sandbox.task("a", &[], commits);
    sandbox.task("b", &[], "echo b > b.txt");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    sandbox
}

fn log(sandbox: &Sandbox, format: &str) -> Vec<String> {
    let log = sandbox.git(["log", &format!("--format={format}"), "--reverse", "main"]);
    log.lines().skip(4).map(str::to_owned).collect()
}

#[test]
fn squashed_there_is_one_commit_for_each_task_and_clean_knows() {
    let sandbox = three_commits();
    sandbox.orch("merge --strategy squash").exits(0);
    assert_eq!(log(&sandbox, "%s").len(), 2);
    assert_eq!(sandbox.git(["rev-list", "--merges", "main"]), "");
    let trailers =
        sandbox.git(["log", "--format=%(trailers:key=Orch-Task,valueonly)", "-2", "main"]);
    assert_eq!(trailers.lines().filter(|l| l.starts_with("task-")).count(), 2, "{trailers}");
    assert_eq!(sandbox.status_of("a")["state"], "merged");
    // Again, by name: it is there.
    said(&sandbox.orch("merge --strategy squash a").exits(0), &["already"]);
    // Also when others change the same lines later.
    sandbox.write("a.txt", "3\n");
    sandbox.git(["commit", "-qam", "Three"]);
    sandbox.orch("clean").exits(0);
    assert!(sandbox.task_branches().is_empty());
}

#[test]
fn rebased_the_history_is_linear_and_has_every_commit_with_its_trailers() {
    let sandbox = three_commits();
    sandbox.config("");
    let toml = fs::read_to_string(sandbox.repo.join("orch.toml")).unwrap();
    sandbox.write("orch.toml", format!("merge_strategy = \"rebase\"\n{toml}"));
    sandbox.git(["commit", "-qam", "Configure"]);
    sandbox.orch("merge").exits(0);
    let subjects = sandbox.git(["log", "--format=%s", "-3", "main"]);
    assert!(subjects.contains("One") && subjects.contains("Two"), "{subjects}");
    assert_eq!(sandbox.git(["rev-list", "--merges", "main"]), "");
    let trailers =
        sandbox.git(["log", "--format=%(trailers:key=Orch-Run,valueonly)", "-3", "main"]);
    assert_eq!(trailers.lines().filter(|l| l.starts_with("run-")).count(), 3, "{trailers}");
    sandbox.orch("clean").exits(0);
    assert!(sandbox.task_branches().is_empty());
}

#[test]
fn entries_in_the_change_log_are_written_when_tasks_land_and_are_tested_with_them() {
    for strategy in ["merge", "squash", "rebase"] {
        let sandbox = Sandbox::new();
        for (name, title) in [("one", "Fix the crash on start"), ("two", "Add a new option")] {
            sandbox.task(name, &[], &format!("echo {name} > {name}.txt"));
            let body = format!("# {title}\n\nDo it.\n");
            sandbox.prompt(name, &["agent: scripted"], &body);
        }
        let old = "# Changelog\r\n\r\n## [1.0.0]\r\n\r\n- Old  \r\n";
        sandbox.write("CHANGELOG.md", old);
        let toml = fs::read_to_string(sandbox.repo.join("orch.toml")).unwrap();
        sandbox.write("orch.toml", format!("changelog = true\n{toml}"));
        sandbox.commit_all("Prompts");
        sandbox.orch("execute --parallel --all-prompts").exits(0);
        let check = "--verify 'grep -q crash CHANGELOG.md'";
        sandbox.orch(&format!("merge --strategy {strategy} {check}")).exits(0);
        let new = sandbox.read("CHANGELOG.md");
        for line in [
            "### Added\r\n\r\n- Add a new option\r\n",
            "### Fixed\r\n\r\n- Fix the crash on start\r\n",
        ] {
            assert!(new.contains(line), "{strategy}: {new}");
        }
        assert!(new.ends_with(old.strip_prefix("# Changelog\r\n\r\n").unwrap()), "{new}");
        assert_eq!(sandbox.git(["status", "--porcelain"]), "");
        sandbox.orch("merge").exits(0);
        assert_eq!(sandbox.read("CHANGELOG.md"), new);
        sandbox.orch("clean").exits(0);
        assert!(sandbox.task_branches().is_empty(), "{strategy}");
    }
}

#[test]
fn nothing_lands_on_a_protected_branch() {
    let sandbox = three_commits();
    let before = sandbox.git(["rev-parse", "main"]);
    let toml = fs::read_to_string(sandbox.repo.join("orch.toml")).unwrap();
    sandbox.write("orch.toml", format!("protected = [\"ma*\"]\n{toml}"));
    let told = sandbox.orch("merge --dry-run").exits(3);
    said(&told, &["main is protected", "would fit", "main stays at"]);
    said(&sandbox.orch("merge").exits(3), &["main is protected", "--into"]);
    assert_eq!(sandbox.git(["rev-parse", "main"]), before);
    sandbox.git(["branch", "next"]);
    sandbox.orch("merge --into next").exits(0);
    assert_eq!(sandbox.show("next", "b.txt"), "b");
}

fn hook(sandbox: &Sandbox, name: &str, script: &str) {
    let file = sandbox.repo.join(".git/hooks").join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn hooks_for_a_persons_commits_are_named_and_a_veto_on_the_branch_is_heard() {
    let sandbox = three_commits();
    hook(&sandbox, "commit-msg", "exit 1");
    hook(&sandbox, "pre-merge-commit", "exit 1");
    let veto = "[ \"$1\" != prepared ] || ! grep -q refs/heads/main";
    hook(&sandbox, "reference-transaction", veto);
    let before = sandbox.checkout();
    said(&sandbox.orch("merge").exits(3), &["hooks/reference-transaction", "nothing was landed"]);
    assert_eq!(sandbox.checkout(), before);
    fs::remove_file(sandbox.repo.join(".git/hooks/reference-transaction")).unwrap();
    said(&sandbox.orch("merge").exits(0), &["not run", "pre-merge-commit", "commit-msg"]);
    assert_eq!(sandbox.read("b.txt"), "b\n");
}

#[test]
fn a_dry_run_names_the_pairs_that_conflict() {
    let sandbox = Sandbox::new();
    for name in ["x", "y", "z"] {
        sandbox.task(name, &[], &format!("echo {name} > same.txt; echo {name} > {name}.txt"));
    }
    sandbox.task("w", &[], "echo w > w.txt");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    let told = sandbox.orch("merge --dry-run").exits(3);
    said(&told, &["x and y conflict in same.txt", "x and z conflict", "y and z conflict"]);
    assert!(!told.stdout.contains("w and"), "{}", told.stdout);
}

/// Two tasks write the same line; what the second does when it is asked to resolve is `resolution`.
fn in_conflict(resolution: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.task("left", &[], "echo from-left > src/count.txt");
    let right = format!(
        "if [ \"$ORCH_STEP\" = resolve ]; then cp \"$ORCH_PROMPT_FILE\" $SANDBOX/asked; {resolution}; else echo \
         from-right > src/count.txt; fi"
    );
    sandbox.task("right", &[], &right);
    let toml = fs::read_to_string(sandbox.repo.join("orch.toml")).unwrap();
    sandbox.write("orch.toml", format!("on_conflict = \"agent\"\nagent = \"scripted\"\n{toml}"));
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    sandbox
}

#[test]
fn an_agent_puts_both_sides_together_and_the_result_is_tested() {
    let sandbox = in_conflict("printf 'from-left\\nfrom-right\\n' > src/count.txt");
    let check = "--verify 'grep -q left src/count.txt'";
    let told = sandbox.orch(&format!("merge {check}")).exits(0);
    said(
        &told,
        &["right: asking scripted to resolve the conflict in src/count.txt", "✓ right: merged"],
    );
    assert_eq!(sandbox.read("src/count.txt"), "from-left\nfrom-right\n");
    let asked = fs::read_to_string(sandbox.root.join("asked")).unwrap();
    for words in
        ["The task right", "The task left", "<<<<<<<", "from-left", "from-right", "grep -q left"]
    {
        assert!(asked.contains(words), "'{words}' is not in:\n{asked}");
    }
    assert_eq!(sandbox.status_of("right")["state"], "merged");
    sandbox.orch("logs right --step resolve").exits(0);
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_resolution_that_fails_the_test_does_not_land() {
    let sandbox = in_conflict("echo nonsense > src/count.txt");
    let check = "--verify '! grep -q nonsense src/count.txt'";
    said(&sandbox.orch(&format!("merge {check}")).exits(3), &["✓ left", "✗ right"]);
    assert_eq!(sandbox.read("src/count.txt"), "from-left\n");
}

#[test]
fn where_the_agent_does_not_manage_neither_side_is_lost() {
    for resolution in ["exit 1", "true", "git merge --abort"] {
        let sandbox = in_conflict(resolution);
        let branch = sandbox.branch_of("right");
        let before = sandbox.git(["rev-parse", &branch]);
        let told = sandbox.orch("merge").exits(3);
        said(&told, &["✓ left", "the agent did not resolve it", "git -C .worktrees/"]);
        assert_eq!(sandbox.git(["rev-parse", &branch]), before, "{resolution}");
        let worktree = sandbox.worktree_of("right");
        assert_eq!(sandbox.git_in(&worktree, ["status", "--porcelain"]), "", "{resolution}");
        assert_eq!(sandbox.read("src/count.txt"), "from-left\n");
    }
}

#[test]
fn what_a_person_resolved_on_the_branch_lands() {
    let sandbox = Sandbox::new();
    sandbox.task("left", &[], "echo from-left > src/count.txt");
    sandbox.task("right", &[], "echo from-right > src/count.txt");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    said(
        &sandbox.orch("merge").exits(3),
        &["git -C .worktrees/", "merge main", "orch merge right"],
    );
    let worktree = sandbox.worktree_of("right");
    let path = worktree.to_str().unwrap().to_owned();
    sandbox.git(["-C", &path, "merge", "-q", "-s", "ours", "main"]);
    sandbox.orch("merge right").exits(0);
    assert_eq!(sandbox.read("src/count.txt"), "from-right\n");
}

#[test]
fn with_a_bare_repository_as_the_only_remote_nothing_is_different() {
    let sandbox = three_commits();
    let bare = sandbox.root.join("bare.git");
    sandbox.git(["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    sandbox.git(["remote", "add", "origin", bare.to_str().unwrap()]);
    let before = sandbox.git_in(&bare, ["rev-parse", "main"]);
    sandbox.orch("merge --verify 'test -e a.txt'").exits(0);
    assert_eq!(sandbox.git_in(&bare, ["rev-parse", "main"]), before, "nothing is pushed unasked");
    sandbox.git(["push", "-q", "origin", "main"]);
    assert_eq!(sandbox.git_in(&bare, ["rev-parse", "main"]), sandbox.git(["rev-parse", "main"]));
}

#[test]
fn a_dry_run_refuses_where_the_merge_would() {
    let sandbox = three_commits();
    sandbox.orch("merge --dry-run").exits(0);
    let before = sandbox.checkout();
    sandbox.write("b.txt", "mine\n");
    said(&sandbox.orch("merge --dry-run").exits(3), &["b.txt; move them away", "main stays at"]);
    fs::remove_file(sandbox.repo.join("b.txt")).unwrap();
    assert_eq!(sandbox.checkout(), before);
    sandbox.write("src/count.txt", "mine\n");
    said(&sandbox.orch("merge --dry-run").exits(3), &["uncommitted changes (src/count.txt)"]);
    assert_eq!(sandbox.read("src/count.txt"), "mine\n");
}

#[test]
fn what_only_a_merge_of_the_agents_holds_is_on_the_target_before_its_branch_goes() {
    let sandbox = Sandbox::new();
    let script = "git checkout -q -b t1; echo one > one.txt; git add .; git commit -qm one; git checkout -q -; \
                  echo two > two.txt; git add .; git commit -qm two; git merge -q --no-commit --no-ff t1; \
                  echo important > merged-in.txt; git add .; git commit -qm m";
    sandbox.task("evil", &[], script);
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    said(&sandbox.orch("merge --strategy rebase").exits(0), &["evil: lands as one commit"]);
    sandbox.orch("clean").exits(0);
    for (file, text) in [("one.txt", "one"), ("two.txt", "two"), ("merged-in.txt", "important")] {
        assert_eq!(sandbox.show("main", file), text);
    }
    assert_eq!(sandbox.git(["rev-list", "--merges", "main"]), "");
}

#[test]
fn a_resolved_conflict_lands_whatever_the_strategy() {
    for strategy in ["rebase", "squash"] {
        let sandbox = in_conflict("printf 'from-left\\nfrom-right\\n' > src/count.txt");
        let told = sandbox.orch(&format!("merge --strategy {strategy}")).exits(0);
        said(&told, &["✓ right: merged"]);
        assert_eq!(sandbox.read("src/count.txt"), "from-left\nfrom-right\n");
        assert_eq!(sandbox.git(["rev-list", "--merges", "main"]), "", "{strategy}");
    }
}

#[test]
fn a_resolution_that_gives_the_tasks_work_up_is_said_to() {
    let sandbox = in_conflict("git checkout -q --theirs src/count.txt");
    let told = sandbox.orch("merge").exits(0);
    said(&told, &["right: nothing of it is in what the agent made", "orch retry right"]);
    assert_eq!(sandbox.read("src/count.txt"), "from-left\n");
}

#[test]
fn what_a_squashed_task_is_built_on_lands_with_it() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.task("b", &["depends_on: [a]"], "echo b >> a.txt");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    let told = sandbox.orch("merge b --strategy squash").exits(0);
    said(&told, &["a: b is built on its work, which lands with it"]);
    assert_eq!(sandbox.status_of("a")["state"], "merged");
    sandbox.write("a.txt", "changed\n");
    sandbox.git(["commit", "-qam", "Change"]);
    sandbox.orch("merge").exits(0);
    said(&sandbox.orch("merge a").exits(0), &["already"]);
    assert_eq!(sandbox.read("a.txt"), "changed\n");
    sandbox.orch("clean").exits(0);
    assert!(sandbox.task_branches().is_empty());
}

#[test]
fn only_those_that_are_at_odds_are_named() {
    let sandbox = Sandbox::new();
    let lines: Vec<String> = (1..=30).map(|n| format!("line {n}")).collect();
    sandbox.write("lines.txt", lines.join("\n") + "\n");
    for (name, line, more) in
        [("a", 1, "; echo > a1.txt"), ("b", 1, "; echo > b1.txt; echo > b2.txt"), ("c", 30, "")]
    {
        sandbox.task(
            name,
            &[],
            &format!("sed -i.old '{line}s/$/ {name}/' lines.txt; rm lines.txt.old{more}"),
        );
    }
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    said(&sandbox.orch("merge --first a,c").exits(3), &["conflicts with a in lines.txt"]);
}

#[test]
fn an_empty_command_tests_nothing_and_is_refused() {
    let sandbox = three_commits();
    let told = sandbox.orch("merge --verify ''").exits(2);
    said(&told, &["must not be empty", "--no-verify"]);
}

#[test]
fn a_checkout_without_an_index_is_told_how_to_get_one() {
    let sandbox = three_commits();
    fs::remove_file(sandbox.repo.join(".git/index")).unwrap();
    let before = sandbox.git(["rev-parse", "main"]);
    let refused = sandbox.orch("merge");
    assert_ne!(refused.code, 0);
    said(&refused, &["has no index", "git reset"]);
    assert_eq!(sandbox.git(["rev-parse", "main"]), before);
    sandbox.git(["reset", "-q"]);
    sandbox.orch("merge").exits(0);
}
