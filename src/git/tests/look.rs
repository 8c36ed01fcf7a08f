use crate::git::fixture::{Fixture, git, read, write};
use crate::git::{DiffOptions, Fingerprint, Repo};

fn differences(f: &Fixture, change: impl Fn()) -> Vec<String> {
    let before = f.repo.fingerprint().unwrap();
    // It survives the journal.
    let json = serde_json::to_string(&before).unwrap();
    let before: Fingerprint = serde_json::from_str(&json).unwrap();
    assert_eq!(before.differences(&f.repo.fingerprint().unwrap()), [""; 0]);
    change();
    before.differences(&f.repo.fingerprint().unwrap())
}

#[test]
fn writes_to_the_users_checkout_are_named() {
    for sparse in ["false", "true"] {
        let f = Fixture::new();
        f.git(&["config", "core.sparseCheckout", sparse]);
        let at = |file: &str| f.root.join(file).display().to_string();
        write(&f.root, "dirty", "before");
        write(&f.root, "b.txt", "before");
        assert_eq!(differences(&f, || write(&f.root, "a.txt", "x")), [at("a.txt")]);
        assert_eq!(differences(&f, || write(&f.root, "new/file", "x")), [at("new/file")]);
        assert_eq!(differences(&f, || write(&f.root, "dirty", "after!")), [at("dirty")]);
        assert_eq!(differences(&f, || write(&f.root, "b.txt", "after!")), [at("b.txt")]);
        let gone = || std::fs::remove_file(f.root.join("src/c.txt")).unwrap();
        assert_eq!(differences(&f, gone), [at("src/c.txt")]);
        let back = || _ = f.git(&["checkout", "-q", "--", "a.txt"]);
        assert_eq!(differences(&f, back), [at("a.txt")]);
        let large = "x".repeat(2 << 20);
        assert_eq!(differences(&f, || write(&f.root, "large", &large)), [at("large")]);
        let large = "y".repeat(3 << 20);
        assert_eq!(differences(&f, || write(&f.root, "large", &large)), [at("large")]);
    }
}

#[test]
fn refs_and_the_index_of_the_users_checkout_count() {
    let f = Fixture::new();
    let staged = differences(&f, || {
        write(&f.root, "a.txt", "x");
        f.git(&["add", "a.txt"]);
        f.git(&["restore", "--staged", "a.txt"]);
        f.git(&["rm", "-q", "--cached", "b.txt"]);
    });
    assert!(staged[0].starts_with("the index of"), "{staged:?}");
    let committed = differences(&f, || _ = f.git(&["commit", "-qam", "x"]));
    assert!(committed[0].starts_with("refs/heads/main ("), "{committed:?}");
    let switched = differences(&f, || _ = f.git(&["switch", "-qc", "other"]));
    assert!(switched[0].starts_with("HEAD of"), "{switched:?}");
}

#[test]
fn what_is_no_change_is_not_named() {
    let f = Fixture::new();
    write(&f.root, ".gitignore", "*.log\n");
    f.git(&["add", "-A"]);
    f.git(&["commit", "-qm", "ignore"]);
    write(&f.root, "dirty", "same");
    // Also where a user took the exclusion out again.
    write(&f.root, ".git/info/exclude", "");
    let found = differences(&f, || {
        let w = f.worktree("t");
        write(&w, "a.txt", "an agent's work");
        write(&f.root, "x.log", "ignored");
        let same = read(&f.root, "a.txt");
        write(&f.root, "a.txt", &same);
        write(&f.root, "dirty", "same");
        // The user looks around, and git refreshes its stat data.
        f.git(&["status"]);
        git(&w, &["commit", "-qam", "work"]);
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn looking_writes_nothing() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let same = read(&f.root, "a.txt");
    write(&f.root, "a.txt", &same);
    let index = std::fs::read(f.root.join(".git/index")).unwrap();
    f.repo.fingerprint().unwrap();
    f.repo.worktree_state(&w, "HEAD").unwrap_err();
    f.repo.worktree_state(&w, &f.oid("main")).unwrap();
    assert_eq!(std::fs::read(f.root.join(".git/index")).unwrap(), index);
}

#[test]
fn the_checkout_that_orch_was_started_in_counts_too() {
    let f = Fixture::new();
    let w = f.worktree("mine");
    let repo = Repo::discover(&w).unwrap();
    let before = repo.fingerprint().unwrap();
    write(&w, "a.txt", "x");
    let after = repo.fingerprint().unwrap();
    assert_eq!(before.differences(&after), [w.join("a.txt").display().to_string()]);
}

#[test]
fn a_worktree_tells_where_it_stands() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let base = f.oid("main");
    write(&w, "a.txt", "x");
    git(&w, &["commit", "-qam", "one"]);
    for n in 0..60 {
        write(&w, &format!("new/{n}"), "x");
    }
    let state = f.repo.worktree_state(&w, &base).unwrap();
    assert_eq!((state.branch.as_deref(), state.ahead), (Some("orch/t"), 1));
    assert_eq!((state.dirty.len(), state.dirty_count), (50, 60));
    assert_eq!(state.head, Some(f.oid("orch/t")));
    git(&w, &["switch", "-q", "--detach"]);
    git(&w, &["bisect", "start"]);
    let state = f.repo.worktree_state(&w, &base).unwrap();
    assert_eq!((state.branch, state.operation), (None, Some("a bisect")));
}

#[test]
fn differences_are_printed_as_git_does() {
    let f = Fixture::new();
    let base = f.oid("main");
    let head = f.branch("x", "main", &[("a.txt", Some("x\n")), ("b.txt", None)]);
    let plain = DiffOptions::default();
    for (options, args) in [
        (plain, &["--color=never"][..]),
        (DiffOptions { color: true, ..plain }, &["--color=always"]),
        (DiffOptions { stat: true, ..plain }, &["--stat"]),
        (DiffOptions { name_only: true, ..plain }, &["--name-only"]),
    ] {
        let ours = f.repo.diff(&base, &head, options).unwrap();
        let theirs = f.git(&[&["diff"], args, &["main", "x"]].concat());
        assert_eq!(String::from_utf8(ours).unwrap().trim_end_matches('\n'), theirs);
    }
}

#[test]
fn a_difference_is_a_patch_whatever_the_settings() {
    let f = Fixture::new();
    let base = f.oid("main");
    let head = f.branch("x", "main", &[("a.txt", Some("x\n"))]);
    let w = f.worktree("t");
    write(&w, "a.txt", "x\n");
    let differences = || {
        let plain = DiffOptions::default();
        let of_branch = f.repo.diff(&base, &head, plain).unwrap();
        (of_branch, f.repo.diff_worktree(&base, &w, plain).unwrap())
    };
    let expected = differences();
    assert_eq!(expected.0, expected.1);
    write(&f.root, ".git/info/attributes", "*.txt diff=mine\n");
    for (key, value) in [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.external", "true"),
        ("diff.mine.textconv", "wc"),
        ("diff.mine.command", "true"),
    ] {
        f.git(&["config", key, value]);
        assert_eq!(differences(), expected, "{key}");
        f.git(&["config", "--unset", key]);
    }
}

#[test]
fn a_worktree_that_is_gone_is_called_gone() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let ask = || f.repo.worktree_state(&w, "main").unwrap_err().to_string();
    std::fs::remove_file(w.join(".git")).unwrap();
    assert!(ask().contains("its .git is gone"), "{}", ask());
    std::fs::remove_dir_all(&w).unwrap();
    assert!(ask().contains("t is gone; ") && !ask().contains("repair"), "{}", ask());
}

#[test]
fn a_running_task_is_compared_without_leaving_a_trace() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let base = f.oid("main");
    write(&w, "a.txt", "committed\n");
    git(&w, &["commit", "-qam", "one"]);
    write(&w, "b.txt", "changed\n");
    write(&w, "new:file", "untracked\n");
    std::fs::remove_file(w.join("src/c.txt")).unwrap();
    let objects = f.git(&["count-objects", "-v"]);
    let index = std::fs::read(f.root.join(".git/worktrees/t/index")).unwrap();
    let ours = f.repo.diff_worktree(&base, &w, DiffOptions::default()).unwrap();
    assert_eq!(f.git(&["count-objects", "-v"]), objects);
    assert_eq!(std::fs::read(f.root.join(".git/worktrees/t/index")).unwrap(), index);
    assert!(
        !std::fs::read_dir(f.root.join(".git/worktrees/t"))
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().starts_with("orch-") })
    );
    git(&w, &["add", "-A"]);
    let theirs = git(&w, &["diff", "--cached", &base]);
    assert_eq!(String::from_utf8(ours).unwrap().trim_end_matches('\n'), theirs);
    assert!(theirs.contains("new:file"));
}
