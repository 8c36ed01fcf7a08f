use crate::git::GitError;
use crate::git::checkout::Checkout;
use crate::git::fixture::{Fixture, git, lines, read, try_git, write};
use crate::git::land::LockedIndex;
use crate::git::landing_note::{Landing, Note};

fn refusal(result: Result<crate::git::Landed, GitError>) -> String {
    match result {
        Err(GitError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// A commit that changes, removes, adds, and swaps a file with a directory.
fn change(f: &Fixture) -> (String, String) {
    let old = f.oid("main");
    f.branch("half", "main", &[("b.txt", None), ("src/c.txt", None)]);
    let new = f.branch(
        "work",
        "half",
        &[
            ("a.txt", Some("new\n")),
            ("b.txt/in", Some("new\n")),
            ("added", Some("new\n")),
            ("src", Some("file")),
        ],
    );
    (old, new)
}

fn status(f: &Fixture) -> String {
    f.git(&["status", "--porcelain"])
}

#[test]
fn a_branch_that_nobody_has_checked_out_just_moves() {
    let f = Fixture::new();
    f.git(&["branch", "target"]);
    let (old, new) = change(&f);
    let landed = f.repo.land("target", &old, &new, "orch merge").unwrap();
    assert_eq!((landed.checkout, f.oid("target")), (None, new.clone()));
    assert_eq!(f.git(&["log", "-1", "-g", "--format=%gs", "target"]), "orch merge");
    assert_eq!(f.oid("main"), old);
    // Again: it is there already.
    assert_eq!(f.repo.land("target", &old, &new, "orch merge").unwrap().commit, new);
}

#[test]
fn the_checkout_goes_with_its_branch() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    write(&f.root, "untracked", "stays");
    // Stat data that are out of date are no change.
    write(&f.root, "a.txt", &lines("a", 20));
    let landed = f.repo.land("main", &old, &new, "orch merge").unwrap();
    assert_eq!(landed.checkout.as_deref(), Some(&*f.root));
    assert_eq!(status(&f), "?? untracked");
    assert_eq!((f.oid("HEAD"), read(&f.root, "b.txt/in")), (new, "new\n".into()));
    assert_eq!(f.git(&["log", "-1", "-g", "--format=%gs", "HEAD"]), "orch merge");
    f.is_sound();
}

#[test]
fn a_linked_worktree_goes_with_its_branch() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let (old, new) = change(&f);
    f.repo.land("orch/t", &old, &new, "orch merge").unwrap();
    assert_eq!(git(&w, &["status", "--porcelain"]), "");
    assert_eq!(read(&w, "added"), "new\n");
    assert_eq!(f.oid("main"), old);
}

#[test]
fn a_ref_that_moved_or_would_lose_commits_stays() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    let other = f.branch("other", "main", &[("x", Some("x"))]);
    f.git(&["branch", "target", &other]);
    match f.repo.land("target", &old, &new, "m") {
        Err(GitError::Moved { expected, found, .. }) => {
            assert_eq!((expected, found), (old, other.clone()));
        }
        result => panic!("{result:?}"),
    }
    assert!(refusal(f.repo.land("target", &other, &new, "m")).contains("lose commits"));
    assert!(matches!(f.repo.land("absent", &other, &new, "m"), Err(GitError::Moved { .. })));
    assert_eq!(f.oid("target"), other);
}

#[test]
fn a_checkout_with_changes_is_refused_and_untouched() {
    for staged in [false, true] {
        let f = Fixture::new();
        let (old, new) = change(&f);
        write(&f.root, "src/c.txt", "mine\n");
        if staged {
            f.git(&["add", "-A"]);
            // In the work tree it is as committed; only the index differs.
            write(&f.root, "src/c.txt", &lines("c", 20));
        }
        let before = status(&f);
        let text = refusal(f.repo.land("main", &old, &new, "m"));
        assert!(text.contains("src/c.txt") && text.contains("commit or stash"), "{text}");
        assert_eq!((f.oid("main"), status(&f)), (old, before));
        assert!(!f.root.join(".git/index.lock").exists());
    }
}

#[test]
fn files_in_the_way_are_refused_even_ignored_ones() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    write(&f.root, ".git/info/exclude", "/.worktrees/\nadded\n");
    write(&f.root, "added", "mine, and ignored\n");
    let text = refusal(f.repo.land("main", &old, &new, "m"));
    assert!(text.contains("added") && text.contains("move them away"), "{text}");
    assert_eq!(
        (f.oid("main"), read(&f.root, "added")),
        (old.clone(), "mine, and ignored\n".into())
    );
    // A directory that would become a file holds something that is not tracked.
    std::fs::remove_file(f.root.join("added")).unwrap();
    write(&f.root, "src/mine", "mine");
    assert!(refusal(f.repo.land("main", &old, &new, "m")).contains("src"));
    assert_eq!(read(&f.root, "src/mine"), "mine");
    std::fs::remove_file(f.root.join("src/mine")).unwrap();
    // A file of mine stands where a directory is needed.
    let deep = f.branch("deep", "work", &[("d/e/f", Some("x"))]);
    write(&f.root, "d", "mine");
    assert!(refusal(f.repo.land("main", &old, &deep, "m")).contains("d/e/f"));
    std::fs::remove_file(f.root.join("d")).unwrap();
    f.repo.land("main", &old, &deep, "m").unwrap();
    assert_eq!(status(&f), "");
}

#[test]
fn a_checkout_in_the_middle_of_something_is_refused() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    f.git(&["bisect", "start"]);
    assert!(refusal(f.repo.land("main", &old, &new, "m")).contains("bisect"));
    f.git(&["bisect", "reset"]);
    f.branch("side", "main", &[("a.txt", Some("side\n"))]);
    write(&f.root, "a.txt", "mine\n");
    f.git(&["commit", "-qam", "mine"]);
    assert!(!try_git(&f.root, &["rebase", "-q", "side"]).status.success());
    // HEAD is detached now, but git will move main when the rebase ends.
    let tip = f.oid("main");
    let further = f.branch("further", "main", &[("z", Some("z"))]);
    assert!(refusal(f.repo.land("main", &tip, &further, "m")).contains("rebase"));
}

#[test]
fn an_index_that_is_locked_is_respected() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    write(&f.root, ".git/index.lock", "somebody's");
    let text = refusal(f.repo.land("main", &old, &new, "m"));
    assert!(text.contains("index.lock"), "{text}");
    assert_eq!(read(&f.root, ".git/index.lock"), "somebody's");
    std::fs::remove_file(f.root.join(".git/index.lock")).unwrap();
    f.repo.land("main", &old, &new, "m").unwrap();
}

#[test]
fn two_landings_at_once_are_refused() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    let held = Note::open(&f.repo.common_dir).unwrap();
    assert!(refusal(f.repo.land("main", &old, &new, "m")).contains("another orch"));
    drop(held);
    f.repo.land("main", &old, &new, "m").unwrap();
}

#[cfg(unix)]
fn hook(f: &Fixture, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = f.root.join(".git/hooks/reference-transaction");
    write(&f.root, ".git/hooks/reference-transaction", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_veto_of_the_users_hook_puts_the_files_back() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    hook(&f, "echo policy: no >&2; test \"$1\" != prepared");
    let text = refusal(f.repo.land("main", &old, &new, "m"));
    for words in ["hooks/reference-transaction", "policy: no", "nothing was landed", "orch merge"] {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(text.matches("policy: no").count(), 1, "{text}");
    assert_eq!((f.oid("main"), status(&f)), (old, String::new()));
    assert_eq!(read(&f.root, "src/c.txt"), lines("c", 20));
    assert!(!f.root.join(".git/index.lock").exists());
}

#[test]
fn filters_and_sparse_checkouts_are_honoured() {
    let f = Fixture::new();
    f.git(&["config", "filter.shout.clean", "tr a-z A-Z"]);
    f.git(&["config", "filter.shout.smudge", "tr A-Z a-z"]);
    write(&f.root, ".gitattributes", "*.shout filter=shout\n");
    f.git(&["add", "-A"]);
    f.git(&["commit", "-qm", "attributes"]);
    let new = f.branch("work", "main", &[("x.shout", Some("quiet\n")), ("src/c.txt", Some("c\n"))]);
    assert_eq!(f.git(&["show", "work:x.shout"]), "QUIET");
    f.git(&["sparse-checkout", "set", "--cone", "docs"]);
    f.repo.land("main", &f.oid("main"), &new, "m").unwrap();
    assert_eq!(read(&f.root, "x.shout"), "quiet\n");
    assert!(!f.root.join("src/c.txt").exists());
    assert_eq!(status(&f), "");
}

/// The steps of a landing, done by hand up to one of them, as a kill would leave them.
fn killed(f: &Fixture, old: &str, new: &str, steps: usize) {
    let lock = f.root.join(".git/index.lock");
    let mut note = Note::open(&f.repo.common_dir).unwrap();
    note.write(&Landing {
        branch: "main".into(),
        old: old.into(),
        new: new.into(),
        checkout: f.root.clone(),
        git_dir: f.root.join(".git"),
        began: false,
    })
    .unwrap();
    let index = f.root.join(".git/index");
    let step: [&dyn Fn(); 5] = [
        &|| _ = std::fs::copy(&index, &lock).unwrap(),
        // Some files are written, one is removed, one half-way: removed and not yet written.
        &|| {
            write(&f.root, "added", "new\n");
            std::fs::remove_file(f.root.join("a.txt")).unwrap();
            std::fs::remove_dir_all(f.root.join("src")).unwrap();
            std::fs::write(f.root.join(".git/index.lock.lock"), "half").unwrap();
        },
        &|| {
            std::fs::remove_file(f.root.join(".git/index.lock.lock")).unwrap();
            std::fs::remove_file(f.root.join("added")).unwrap();
            let place = f.root.to_str().unwrap();
            let script = format!(
                "cd {place} && GIT_INDEX_FILE={place}/.git/index.lock git read-tree --reset -u {new}"
            );
            git(&f.root, &["-c", &format!("alias.x=!{script}"), "x"]);
        },
        &|| _ = f.git(&["update-ref", "refs/heads/main", new, old]),
        &|| std::fs::rename(&lock, &index).unwrap(),
    ];
    for (at, step) in step.iter().enumerate().take(steps) {
        step();
        if at == 0 {
            note.began().unwrap();
        }
    }
}

#[test]
fn a_lock_that_the_note_does_not_name_yet_is_known_and_anothers_is_not() {
    for ours in [true, false] {
        let f = Fixture::new();
        let (old, new) = change(&f);
        let lock = f.root.join(".git/index.lock");
        killed(&f, &old, &new, 0);
        let checkout = Checkout { path: f.root.clone(), git_dir: f.root.join(".git") };
        _ = LockedIndex::take(&checkout).unwrap();
        if !ours {
            std::fs::remove_file(&lock).unwrap();
            std::fs::copy(f.root.join(".git/orch-index.lock"), &lock).unwrap();
        }
        let landed = f.repo.land("main", &old, &new, "m");
        assert_eq!(landed.is_ok(), ours, "{landed:?}");
        assert_eq!(lock.exists(), !ours);
        assert!(!f.root.join(".git/orch-index.lock").exists());
    }
}

#[test]
fn a_file_that_was_cut_short_is_no_work_of_somebodys() {
    for steps in [2, 4] {
        let f = Fixture::new();
        let (old, new) = change(&f);
        killed(&f, &old, &new, steps);
        // Added, replaced, and swapped with a directory; of one nothing was written yet.
        write(&f.root, "added", "ne");
        write(&f.root, "a.txt", "");
        if steps == 2 {
            write(&f.root, "src", "fi");
        }
        let notes = f.repo.finish_landing().unwrap();
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert_eq!(status(&f), "");
        f.repo.land("main", &old, &new, "m").unwrap();
        assert_eq!((status(&f), read(&f.root, "added")), (String::new(), "new\n".into()));
    }
    // What is in no version stays, though it begins as one.
    let f = Fixture::new();
    let (old, new) = change(&f);
    killed(&f, &old, &new, 2);
    write(&f.root, "added", "new\nand mine\n");
    let notes = f.repo.finish_landing().unwrap();
    assert!(notes[1].contains("left as they are") && notes[1].contains("added"), "{notes:?}");
    assert_eq!(read(&f.root, "added"), "new\nand mine\n");
}

#[test]
fn what_a_landing_would_refuse_is_known_without_touching_anything() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    let would = || f.repo.would_refuse("main", &old, &new).unwrap();
    assert_eq!(would(), None);
    write(&f.root, "added", "mine");
    assert!(would().unwrap().contains("move them away"));
    std::fs::remove_file(f.root.join("added")).unwrap();
    write(&f.root, "src/c.txt", "mine\n");
    let index = std::fs::read(f.root.join(".git/index")).unwrap();
    assert!(would().unwrap().contains("commit or stash"));
    assert_eq!(std::fs::read(f.root.join(".git/index")).unwrap(), index);
    assert!(!f.root.join(".git/index.lock").exists());
    assert_eq!((f.oid("main"), read(&f.root, "src/c.txt")), (old.clone(), "mine\n".into()));
}

#[test]
fn a_landing_killed_anywhere_is_put_right_by_the_next() {
    for steps in 0..=5 {
        for lock_removed in [false, true] {
            let f = Fixture::new();
            let (old, new) = change(&f);
            killed(&f, &old, &new, steps);
            if lock_removed {
                // As git tells people to do.
                _ = std::fs::remove_file(f.root.join(".git/index.lock"));
            }
            let notes = f.repo.finish_landing().unwrap();
            let landed = steps >= 4;
            assert_eq!(status(&f), "", "after {steps}: {notes:?}");
            assert_eq!(f.oid("main"), if landed { &new } else { &old }.clone(), "after {steps}");
            assert_eq!(f.root.join("added").exists(), landed);
            assert!(!f.root.join(".git/index.lock").exists());
            assert_eq!(f.repo.finish_landing().unwrap(), [""; 0]);
            f.repo.land("main", &old, &new, "again").unwrap();
            assert_eq!((status(&f), f.oid("main")), (String::new(), new));
        }
    }
}

#[test]
fn what_somebody_changed_after_a_kill_is_left_and_named() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    killed(&f, &old, &new, 2);
    write(&f.root, "added", "mine now\n");
    write(&f.root, "untracked", "mine\n");
    let notes = f.repo.finish_landing().unwrap();
    assert!(notes.iter().any(|note| note.contains("added")), "{notes:?}");
    assert_eq!(read(&f.root, "added"), "mine now\n");
    assert_eq!(status(&f), "?? added\n?? untracked");
    assert!(refusal(f.repo.land("main", &old, &new, "m")).contains("added"));
}

#[test]
fn a_branch_that_moved_on_after_a_kill_is_left_alone() {
    let f = Fixture::new();
    let (old, new) = change(&f);
    killed(&f, &old, &new, 2);
    let other = f.branch("other", "main", &[("x", Some("x"))]);
    f.git(&["update-ref", "refs/heads/main", &other]);
    let notes = f.repo.finish_landing().unwrap();
    assert!(notes[0].contains("moved since"), "{notes:?}");
    assert!(!f.root.join(".git/index.lock").exists());
}
