use crate::git::fixture::{Fixture, git, read, try_git, write};
use crate::git::{GitError, Removed};
use std::path::Path;

fn index_of(worktree: &Path) -> Vec<u8> {
    let index = git(worktree, &["rev-parse", "--path-format=absolute", "--git-path", "index"]);
    std::fs::read(index).unwrap()
}

/// Work of every kind.
fn work(f: &Fixture) -> std::path::PathBuf {
    let w = f.worktree("t");
    write(&w, "a.txt", "committed\n");
    git(&w, &["commit", "-qam", "own"]);
    write(&w, "a.txt", "uncommitted\n");
    write(&w, "staged", "staged\n");
    git(&w, &["add", "staged"]);
    write(&w, "untracked/file", "untracked\n");
    std::fs::remove_file(w.join("b.txt")).unwrap();
    w
}

#[test]
fn what_is_buried_and_removed_comes_back() {
    for format in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let f = Fixture::with(format);
        let w = work(&f);
        let before = git(&w, &["status", "--porcelain", "-uall"]);
        let head = f.oid("orch/t");
        let index = index_of(&w);
        let buried = f.repo.bury("task-1", &w, "orch/t").unwrap();
        assert_eq!(buried.refname, "refs/orch/graveyard/task-1");
        assert_eq!(index_of(&w), index, "the worktree's own index must not change");
        let removed = f.repo.remove_worktree(&buried.proof).unwrap();
        assert_eq!(removed, Removed { worktree: true, branch: true });
        assert!(!w.exists());
        f.git(&["gc", "-q", "--prune=now"]);

        let [grave] = &f.repo.graveyard_list().unwrap()[..] else { panic!() };
        assert_eq!((&*grave.task, &*grave.branch, &grave.worktree), ("task-1", "orch/t", &w));
        let restored = f.repo.restore("task-1").unwrap();
        assert_eq!((&restored.head, f.oid("orch/t")), (&head, head.clone()));
        f.git(&["worktree", "add", "-q", w.to_str().unwrap(), "orch/t"]);
        f.repo.unpack(&restored.snapshot, &w).unwrap();
        // All of it is there again; what was staged is untracked now.
        assert_eq!(
            git(&w, &["status", "--porcelain", "-uall"]),
            before.replace("A  ", "?? ").lines().collect::<Vec<_>>().join("\n")
        );
        assert_eq!(read(&w, "a.txt"), "uncommitted\n");
        assert!(matches!(f.repo.unpack(&restored.snapshot, &w), Err(GitError::Refused(_))));
        f.is_sound();
    }
}

#[test]
fn a_change_after_the_burial_is_not_removed() {
    let f = Fixture::new();
    let w = work(&f);
    let buried = f.repo.bury("t", &w, "orch/t").unwrap();
    write(&w, "untracked/file", "written a moment later\n");
    assert!(matches!(f.repo.remove_worktree(&buried.proof), Err(GitError::Refused(_))));
    assert_eq!(read(&w, "untracked/file"), "written a moment later\n");
    let again = f.repo.bury("t", &w, "orch/t").unwrap();
    assert_eq!(again.refname, "refs/orch/graveyard/t-2");
    f.repo.remove_worktree(&again.proof).unwrap();
    // The latest comes back, and the first by its name.
    assert_eq!(f.repo.restore("t").unwrap().refname, again.refname);
    assert_eq!(f.repo.restore("refs/orch/graveyard/t").unwrap().refname, buried.refname);
}

#[test]
fn a_detached_head_and_a_broken_link_are_kept_too() {
    let f = Fixture::new();
    let w = work(&f);
    git(&w, &["switch", "-q", "--detach"]);
    git(&w, &["commit", "-q", "-m", "detached"]);
    let detached = git(&w, &["rev-parse", "HEAD"]);
    let buried = f.repo.bury("t", &w, "orch/t").unwrap();
    assert_eq!(f.oid(&format!("{}^2", buried.refname)), detached);
    // Without its link the worktree lies inside the user's checkout as any directory does.
    write(&f.root, "a.txt", "the user's own\n");
    std::fs::remove_file(w.join(".git")).unwrap();
    let buried = f.repo.bury("t", &w, "orch/t").unwrap();
    for (file, content) in [("a.txt", "uncommitted"), ("untracked/file", "untracked")] {
        assert_eq!(f.git(&["show", &format!("{}:{file}", buried.refname)]), content);
    }
    assert!(
        !try_git(&f.root, &["cat-file", "-e", &format!("{}:b.txt", buried.refname)])
            .status
            .success()
    );
    f.repo.remove_worktree(&buried.proof).unwrap();
    assert!(!w.exists());
    assert_eq!(f.git(&["status", "--porcelain"]), " M a.txt");
}

#[test]
fn repositories_inside_are_kept_with_their_own_commits() {
    let f = Fixture::new();
    let w = f.worktree("t");
    for path in ["inner", "inner/deeper"] {
        std::fs::create_dir(w.join(path)).unwrap();
        git(&w.join(path), &["init", "-q"]);
        write(&w.join(path), "committed", path);
        git(&w.join(path), &["add", "committed"]);
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        git(&w.join(path), &[&who[..], &["commit", "-qm", path]].concat());
        write(&w.join(path), "loose", path);
    }
    let own = git(&w.join("inner"), &["rev-parse", "HEAD"]);
    let buried = f.repo.bury("t", &w, "orch/t").unwrap();
    f.repo.remove_worktree(&buried.proof).unwrap();
    f.git(&["gc", "-q", "--prune=now"]);
    let files = f.git(&["ls-tree", "-r", "--name-only", &buried.refname, "inner"]);
    let expected = ["committed", "deeper/committed", "deeper/loose", "loose"];
    assert_eq!(files.replace("inner/", ""), expected.join("\n"));
    f.git(&["merge-base", "--is-ancestor", &own, &buried.refname]);
    f.is_sound();
}

#[test]
fn a_branch_alone_or_files_alone_are_kept() {
    let f = Fixture::new();
    let w = work(&f);
    std::fs::remove_dir_all(&w).unwrap();
    let head = f.oid("orch/t");
    let buried = f.repo.bury("t", &w, "orch/t").unwrap();
    f.repo.remove_worktree(&buried.proof).unwrap();
    assert_eq!(f.repo.restore("t").unwrap().head, head);
    let buried = f.repo.bury("none", &w, "absent");
    assert!(matches!(buried, Err(GitError::InTheWay(_))), "{buried:?}");
    assert!(matches!(f.repo.bury("a..b", &w, "orch/t"), Err(GitError::InTheWay(_))));
}

#[test]
fn restoring_never_overwrites_a_branch() {
    let f = Fixture::new();
    let w = work(&f);
    let buried = f.repo.bury("t", &w, "orch/t").unwrap();
    f.repo.remove_worktree(&buried.proof).unwrap();
    let other = f.branch("orch/t", "main", &[("x", Some("other work"))]);
    assert!(matches!(f.repo.restore("t"), Err(GitError::Refused(_))));
    assert_eq!(f.oid("orch/t"), other);
    assert!(matches!(f.repo.restore("unknown"), Err(GitError::InTheWay(_))));
}

#[test]
fn burying_needs_no_identity_and_no_hook() {
    let f = Fixture::new();
    let w = work(&f);
    f.git(&["config", "--unset", "user.name"]);
    f.git(&["config", "--unset", "user.email"]);
    f.git(&["config", "user.useConfigOnly", "true"]);
    f.repo.bury("t", &w, "orch/t").unwrap();
}

fn graves(f: &Fixture) -> usize {
    f.git(&["for-each-ref", "refs/orch/graveyard"]).lines().count()
}

#[test]
fn an_interrupted_removal_does_not_bury_what_is_left_over_the_rest() {
    let f = Fixture::new();
    let w = work(&f);
    let first = f.repo.bury("t-7", &w, "orch/t").unwrap();
    // Killed before the worktree went, and again after it.
    assert_eq!(f.repo.bury("t-7", &w, "orch/t").unwrap().refname, first.refname);
    std::fs::remove_dir_all(&w).unwrap();
    let again = f.repo.bury("t-7", &w, "orch/t").unwrap();
    assert_eq!(again.refname, first.refname);
    let removed = f.repo.remove_worktree(&again.proof).unwrap();
    assert_eq!(removed, Removed { worktree: false, branch: true });
    // And after the branch.
    let last = f.repo.bury("t-7", &w, "orch/t").unwrap();
    assert_eq!(f.repo.remove_worktree(&last.proof).unwrap(), Removed::default());
    assert_eq!(graves(&f), 1);
    let restored = f.repo.restore("t-7").unwrap();
    f.git(&["worktree", "add", "-q", w.to_str().unwrap(), "orch/t"]);
    f.repo.unpack(&restored.snapshot, &w).unwrap();
    assert_eq!(read(&w, "a.txt"), "uncommitted\n");
    // Other work on the branch is buried, and it is what comes back.
    git(&w, &["commit", "-qam", "more"]);
    f.git(&["worktree", "remove", "--force", w.to_str().unwrap()]);
    let more = f.repo.bury("t-7", &w, "orch/t").unwrap();
    assert_eq!(more.refname, "refs/orch/graveyard/t-7-2");
    assert_eq!(f.repo.restore("t-7").unwrap().refname, more.refname);
}

#[test]
fn rewinding_again_and_again_buries_once_and_minds_no_stale_lock() {
    let f = Fixture::new();
    let w = work(&f);
    let start = f.oid("main");
    let locks = ["worktrees/t/index.lock", "worktrees/t/HEAD.lock", "refs/heads/orch/t.lock"];
    for lock in locks {
        write(&f.root, &format!(".git/{lock}"), "");
    }
    let rewind = || f.repo.rewind_worktree(&w, "orch/t", &start, "t").unwrap();
    let kept = rewind().unwrap();
    assert_eq!(git(&w, &["status", "--porcelain", "-b"]), "## orch/t");
    assert_eq!((f.oid("orch/t"), rewind()), (start.clone(), None));
    // The same work once more, as after an attempt to rewind that failed half way.
    let head = f.oid(&format!("{kept}^1"));
    git(&w, &["reset", "-q", "--hard", &head]);
    let tree = format!("--source={kept}");
    git(&w, &["restore", &tree, "--worktree", "--no-overlay", "--", ":/"]);
    assert_eq!(rewind(), Some(kept));
    assert_eq!(graves(&f), 1);
    write(&w, "new", "something else");
    assert_eq!(rewind().as_deref(), Some("refs/orch/graveyard/t-2"));
}

#[test]
fn what_may_not_be_removed_is_not_buried() {
    let f = Fixture::new();
    let w = work(&f);
    let place = w.to_str().unwrap();
    let refused = |word: &str| {
        let error = f.repo.bury("t", &w, "orch/t").unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains("since it was"), "{error}");
        assert_eq!(graves(&f), 0);
    };
    f.git(&["worktree", "lock", place]);
    refused("is locked");
    f.git(&["worktree", "unlock", place]);
    let buried = f.repo.bury("t", &w, "orch/t").unwrap();
    f.git(&["worktree", "lock", place]);
    let error = f.repo.remove_worktree(&buried.proof).unwrap_err().to_string();
    assert!(error.contains("is locked") && !error.contains("since it was"), "{error}");
    f.git(&["worktree", "unlock", place]);
    f.git(&["update-ref", "-d", &buried.refname]);
    let now = f.beside("moved");
    f.git(&["worktree", "move", place, now.to_str().unwrap()]);
    refused(now.to_str().unwrap());
}

#[test]
fn commits_of_a_submodule_are_kept() {
    let f = Fixture::new();
    let (w, own) = super::clean::with_submodule(&f, "t");
    let buried = f.repo.bury("t", &w, "orch/t").unwrap();
    f.repo.remove_worktree(&buried.proof).unwrap();
    f.git(&["gc", "-q", "--prune=now"]);
    f.git(&["merge-base", "--is-ancestor", &own, &buried.refname]);
    f.is_sound();
}
