//! `orch merge` and `orch clean`: what lands, what stays, and that nothing is lost.

use crate::support::Sandbox;

/// Runs the tasks `a` (writes `a.txt`) and `b` (writes `b.txt`).
fn two_finished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.task("b", &[], "echo b > b.txt");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    sandbox
}

fn head(sandbox: &Sandbox) -> String {
    sandbox.git(["rev-parse", "main"])
}

#[test]
fn merge_lands_what_succeeded() {
    let sandbox = two_finished();
    sandbox.orch("merge").exits(0);
    assert_eq!((sandbox.read("a.txt"), sandbox.read("b.txt")), ("a\n".into(), "b\n".into()));
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
    assert_eq!(sandbox.git(["symbolic-ref", "HEAD"]), "refs/heads/main");
    for name in ["a", "b"] {
        assert_eq!(sandbox.status_of(name)["state"], "merged");
        sandbox.git(["merge-base", "--is-ancestor", &sandbox.branch_of(name), "main"]);
    }
    sandbox.orch("merge").exits(0);
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_task_that_failed_does_not_land() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.task("bad", &[], "echo bad > bad.txt; exit 1");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --all-prompts").exits(1);
    sandbox.orch("merge").exits(0);
    assert!(sandbox.repo.join("a.txt").exists());
    assert!(!sandbox.repo.join("bad.txt").exists());
}

#[test]
fn a_conflict_is_named_and_the_rest_lands() {
    let sandbox = Sandbox::new();
    sandbox.task("left", &[], "echo from-left > src/count.txt");
    sandbox.task("other", &[], "echo other > other.txt");
    sandbox.task("right", &[], "echo from-right > src/count.txt");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --parallel --all-prompts").exits(0);

    let before = head(&sandbox);
    let predicted = sandbox.orch("merge --dry-run").exits(3);
    assert!(format!("{}{}", predicted.stdout, predicted.stderr).contains("src/count.txt"));
    assert_eq!(head(&sandbox), before);

    let told = sandbox.orch("merge").exits(3);
    let told = format!("{}{}", told.stdout, told.stderr);
    for word in ["src/count.txt", "left", "right"] {
        assert!(told.contains(word), "{word} is not named:\n{told}");
    }
    assert_eq!(sandbox.read("src/count.txt"), "from-left\n");
    assert_eq!(sandbox.read("other.txt"), "other\n");
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
    assert_eq!(sandbox.status_of("right")["state"], "conflicted");
    assert_eq!(sandbox.show(&sandbox.branch_of("right"), "src/count.txt"), "from-right");
}

#[test]
fn a_dirty_checkout_is_left_alone() {
    let sandbox = two_finished();
    sandbox.write("README.md", "the user is in the middle of something\n");
    let before = sandbox.checkout();
    sandbox.orch("merge").exits(3).complains("commit");
    assert_eq!(sandbox.checkout(), before);
}

#[test]
fn an_untracked_file_in_the_way_is_not_overwritten() {
    let sandbox = two_finished();
    sandbox.write("a.txt", "the user's own\n");
    sandbox.orch("merge").exits(3);
    assert_eq!(sandbox.read("a.txt"), "the user's own\n");
}

#[test]
fn a_failing_verification_keeps_the_target_where_it_is() {
    let sandbox = two_finished();
    let before = sandbox.checkout();
    sandbox.orch("merge --verify 'test ! -e b.txt' b").exits(3);
    assert_eq!(sandbox.checkout(), before);
    sandbox.orch("merge --verify 'test -e b.txt' b").exits(0);
    assert!(sandbox.repo.join("b.txt").exists());
    assert!(!sandbox.repo.join("a.txt").exists());
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_target_that_is_not_checked_out_is_moved_without_touching_the_checkout() {
    let sandbox = two_finished();
    sandbox.git(["checkout", "-q", "-b", "elsewhere"]);
    sandbox.write("README.md", "dirty, and it does not matter\n");
    let files = sandbox.git(["status", "--porcelain"]);
    sandbox.orch("merge").exits(0);
    assert_eq!(sandbox.show("main", "a.txt"), "a");
    assert_eq!(sandbox.git(["status", "--porcelain"]), files);
    assert!(!sandbox.repo.join("a.txt").exists());
}

#[test]
fn clean_removes_what_is_merged_and_keeps_and_lists_the_rest() {
    let sandbox = two_finished();
    sandbox.orch("merge a").exits(0);
    let (a, b) = (sandbox.branch_of("a"), sandbox.branch_of("b"));
    let told = sandbox.orch("clean").exits(0);
    assert!(!sandbox.task_branches().contains(&a));
    assert_eq!(sandbox.task_branches(), [b.as_str()]);
    assert_eq!(sandbox.worktrees().len(), 1);
    assert_eq!(sandbox.show(&b, "b.txt"), "b");
    assert!(told.stdout.contains('b') && told.stdout.contains("merged"), "{told:?}");
}

#[test]
fn clean_keeps_what_is_uncommitted_even_where_the_branch_is_merged() {
    let sandbox = two_finished();
    sandbox.orch("merge").exits(0);
    let worktree = sandbox.worktree_of("a");
    std::fs::write(worktree.join("later.txt"), "by hand\n").unwrap();
    sandbox.orch("clean").exits(0);
    assert_eq!(std::fs::read_to_string(worktree.join("later.txt")).unwrap(), "by hand\n");
    assert_eq!(sandbox.worktrees().len(), 1);
}

#[test]
fn clean_leaves_worktrees_alone_that_it_did_not_make() {
    let sandbox = two_finished();
    sandbox.orch("merge").exits(0);
    assert_eq!(sandbox.worktrees().len(), 2);
    sandbox.git(["worktree", "add", "-q", "-b", "mine", ".worktrees/mine"]);
    sandbox.git(["branch", "orch/mine-1234"]);
    sandbox.orch("clean").exits(0);
    assert_eq!(sandbox.worktrees(), ["mine"]);
    assert_eq!(sandbox.task_branches(), ["orch/mine-1234"]);
}

#[test]
fn what_is_forced_away_can_be_brought_back() {
    let sandbox = two_finished();
    let branch = sandbox.branch_of("b");
    std::fs::write(sandbox.worktree_of("b").join("later.txt"), "by hand\n").unwrap();
    sandbox.orch("clean --force b").exits(0);
    assert_eq!(sandbox.worktrees().len(), 1, "a is unmerged and was not forced");
    assert!(!sandbox.task_branches().contains(&branch));
    let graves = sandbox.git(["for-each-ref", "--format=%(refname)", "refs/orch/graveyard"]);
    assert_eq!(graves.lines().count(), 1, "{graves}");
    assert_eq!(sandbox.show(&graves, "later.txt"), "by hand");

    sandbox.orch("clean --restore b").exits(0);
    assert_eq!(sandbox.show(&branch, "b.txt"), "b");
    let later = sandbox.worktree_of("b").join("later.txt");
    assert_eq!(std::fs::read_to_string(later).unwrap(), "by hand\n");
}

#[test]
fn logs_of_old_runs_go_unless_their_work_is_unmerged() {
    let sandbox = Sandbox::new();
    sandbox.task("landed", &[], "echo a > a.txt");
    sandbox.task("open", &[], "echo b > b.txt");
    sandbox.task("last", &[], "echo c > c.txt");
    sandbox.config("");
    let config = std::fs::read_to_string(sandbox.repo.join("orch.toml")).unwrap();
    sandbox.write("orch.toml", format!("keep_runs = 1\n{config}"));
    let mut runs = Vec::new();
    for name in ["landed", "open", "last"] {
        sandbox.orch(&format!("execute --tasks prompts/{name}.md")).exits(0);
        runs.push(sandbox.status()["run"]["id"].as_str().unwrap().to_owned());
        if name == "landed" {
            sandbox.orch("merge").exits(0);
        }
    }
    sandbox.orch("clean").exits(0);
    let kept = |run: &String| sandbox.repo.join(".git/orch/runs").join(run).is_dir();
    assert_eq!(runs.iter().map(kept).collect::<Vec<_>>(), [false, true, true]);
    assert!(sandbox.orch("status --runs").exits(0).stdout.contains(&runs[0]), "its history stays");
}
