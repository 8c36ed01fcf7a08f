use crate::git::fixture::{Fixture, git, lines, read, try_git, write};
use crate::git::{GitError, Proof, Removal, Removed};
use std::path::Path;

fn check(f: &Fixture, worktree: &Path, branch: &str) -> Removal {
    f.repo.removal_check(worktree, branch, &["main".to_owned()]).unwrap()
}

fn safe(f: &Fixture, worktree: &Path, branch: &str) -> Proof {
    match check(f, worktree, branch) {
        Removal::Safe(proof) => proof,
        other => panic!("{other:?}"),
    }
}

fn work(f: &Fixture, name: &str) -> std::path::PathBuf {
    let w = f.worktree(name);
    write(&w, "a.txt", &format!("by {name}\n"));
    git(&w, &["commit", "-qam", name]);
    w
}

const BOTH: Removed = Removed { worktree: true, branch: true };

#[test]
fn merged_work_goes_and_unmerged_work_stays() {
    let f = Fixture::new();
    let w = work(&f, "t");
    assert_eq!(check(&f, &w, "orch/t"), Removal::Unmerged { commits: 1 });
    f.git(&["merge", "-q", "--no-ff", "orch/t"]);
    write(&f.root, ".git/info/exclude", "/.worktrees/\nbuild/\n");
    write(&w, "build/out/1", "x");
    write(&w, "build/out/2", "x");
    f.git(&["config", "branch.orch/t.remote", "origin"]);
    let proof = safe(&f, &w, "orch/t");
    assert_eq!(proof.ignored, 1);
    assert_eq!(f.repo.remove_worktree(&proof).unwrap(), BOTH);
    assert!(!w.exists());
    assert_eq!(std::fs::read_dir(f.root.join(".worktrees")).unwrap().count(), 0);
    assert_eq!(f.git(&["branch", "--list", "orch/*"]), "");
    assert_eq!(f.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(f.git(&["worktree", "prune", "--dry-run", "-v"]), "");
    assert!(!read(&f.root, ".git/config").contains("orch/t"));
    // Once more: nothing is there, and that is fine.
    assert_eq!(f.repo.remove_worktree(&safe(&f, &w, "orch/t")).unwrap(), Removed::default());
}

#[test]
fn what_is_uncommitted_stays() {
    type Case = (&'static str, &'static dyn Fn(&Path));
    let cases: [Case; 7] = [
        ("b.txt", &|w| write(w, "b.txt", "changed")),
        ("new", &|w| write(w, "new", "untracked")),
        ("b.txt", &|w| std::fs::remove_file(w.join("b.txt")).unwrap()),
        ("b.txt", &|w| {
            write(w, "b.txt", "staged");
            git(w, &["add", "b.txt"]);
            write(w, "b.txt", &lines("b", 20));
        }),
        ("inner", &|w| {
            std::fs::create_dir(w.join("inner")).unwrap();
            git(&w.join("inner"), &["init", "-q"]);
        }),
        ("far/down/inner", &|w| {
            std::fs::create_dir_all(w.join("far/down/inner")).unwrap();
            git(&w.join("far/down/inner"), &["init", "-q"]);
        }),
        ("(a bisect, unfinished)", &|w| {
            git(w, &["bisect", "start"]);
        }),
    ];
    for (expected, make) in cases {
        let f = Fixture::new();
        let w = f.worktree("t");
        let proof = safe(&f, &w, "orch/t");
        make(&w);
        match check(&f, &w, "orch/t") {
            Removal::Dirty { paths } => assert!(paths.iter().any(|p| p == expected), "{paths:?}"),
            other => panic!("{expected}: {other:?}"),
        }
        // A proof from before does not help.
        assert!(matches!(f.repo.remove_worktree(&proof), Err(GitError::Refused(_))));
        assert!(w.join(".git").exists());
        assert_ne!(f.git(&["branch", "--list", "orch/t"]), "");
    }
}

#[test]
fn a_proof_does_not_cover_later_commits() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let proof = safe(&f, &w, "orch/t");
    write(&w, "a.txt", "later\n");
    git(&w, &["commit", "-qam", "later"]);
    assert!(matches!(f.repo.remove_worktree(&proof), Err(GitError::Refused(_))));
    // Merged again, but it is not what was examined.
    f.git(&["merge", "-q", "orch/t"]);
    assert!(matches!(f.repo.remove_worktree(&proof), Err(GitError::Refused(_))));
    assert!(w.exists());
}

#[test]
fn a_commit_on_a_detached_head_counts() {
    let f = Fixture::new();
    let w = f.worktree("t");
    git(&w, &["switch", "-q", "--detach"]);
    git(&w, &["commit", "-q", "--allow-empty", "-m", "nowhere else"]);
    assert_eq!(check(&f, &w, "orch/t"), Removal::Unmerged { commits: 1 });
}

#[test]
fn what_is_not_ours_stays() {
    let f = Fixture::new();
    let not_ours = |worktree: &Path, word: &str| match check(&f, worktree, "orch/t") {
        Removal::NotOurs(reason) => assert!(reason.contains(word), "{reason}"),
        other => panic!("{word}: {other:?}"),
    };
    let elsewhere = f.beside("elsewhere");
    f.git(&["worktree", "add", "-q", "-b", "mine", elsewhere.to_str().unwrap()]);
    not_ours(&elsewhere, "is not in");
    not_ours(&f.root, "is not in");
    let w = f.worktree("t");
    f.git(&["worktree", "lock", w.to_str().unwrap()]);
    not_ours(&w, "locked");
    write(&f.root, ".worktrees/plain/file", "x");
    not_ours(&f.root.join(".worktrees/plain"), "usable worktree");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&elsewhere, f.root.join(".worktrees/link")).unwrap();
        not_ours(&f.root.join(".worktrees/link"), "symbolic link");
    }
}

#[test]
fn a_branch_that_is_checked_out_elsewhere_stays() {
    let f = Fixture::new();
    let w = f.worktree("t");
    git(&w, &["switch", "-q", "--detach"]);
    f.git(&["switch", "-q", "orch/t"]);
    let removed = f.repo.remove_worktree(&safe(&f, &w, "orch/t")).unwrap();
    assert_eq!(removed, Removed { worktree: true, branch: false });
    assert_eq!(f.git(&["symbolic-ref", "HEAD"]), "refs/heads/orch/t");
    assert_eq!(f.git(&["status", "--porcelain"]), "");
}

#[test]
fn read_only_directories_go_as_well() {
    let f = Fixture::new();
    let w = f.worktree("t");
    write(&f.root, ".git/info/exclude", "/.worktrees/\ncache/\n");
    write(&w, "cache/module/file", "x");
    let directory = w.join("cache/module");
    let mut permissions = std::fs::metadata(&directory).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&directory, permissions).unwrap();
    assert_eq!(f.repo.remove_worktree(&safe(&f, &w, "orch/t")).unwrap(), BOTH);
    assert_eq!(std::fs::read_dir(f.root.join(".worktrees")).unwrap().count(), 0);
}

#[test]
fn a_deleted_worktree_leaves_a_branch_to_judge() {
    let f = Fixture::new();
    let w = work(&f, "t");
    std::fs::remove_dir_all(&w).unwrap();
    assert_eq!(check(&f, &w, "orch/t"), Removal::Unmerged { commits: 1 });
    f.git(&["merge", "-q", "orch/t"]);
    let removed = f.repo.remove_worktree(&safe(&f, &w, "orch/t")).unwrap();
    assert_eq!(removed, Removed { worktree: false, branch: true });
    assert_eq!(f.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn squashed_and_picked_work_counts_as_merged_where_it_is_sure() {
    let f = Fixture::new();
    let merged = |branch: &str| f.repo.is_merged(&f.oid(branch), "main").unwrap();
    let edit = |n: usize| lines("a", 20).replace(&format!("a {n}\n"), "edited\n");
    f.branch("squash", "main", &[("a.txt", Some(&edit(2)))]);
    f.branch("squash2", "squash", &[("new", Some("new\n"))]);
    f.branch("pick", "main", &[("a.txt", Some(&edit(18)))]);
    f.branch("undone", "main", &[("b.txt", Some("x\n"))]);
    let undone = f.branch("undone2", "undone", &[("b.txt", Some(&lines("b", 20)))]);
    assert!(!merged("squash2") && !merged("pick"));
    f.git(&["merge", "-q", "--squash", "squash2"]);
    f.git(&["commit", "-qm", "squashed"]);
    f.git(&["cherry-pick", "pick"]);
    // Later changes to the same line: only `git cherry` still knows.
    write(&f.root, "a.txt", "all different\n");
    f.git(&["commit", "-qam", "later"]);
    assert!(merged("pick"));
    assert!(!merged("squash2"), "not sure any more");
    f.git(&["revert", "--no-edit", "HEAD"]);
    assert!(merged("squash2"));
    // Its commits take each other back, but they are nowhere else.
    assert!(!f.repo.is_merged(&undone, "main").unwrap());
    // What was taken back on main is not there any more.
    f.git(&["revert", "--no-edit", "HEAD~3"]);
    assert!(!merged("squash2"));
}

#[test]
fn a_scratch_worktree_lives_as_long_as_its_owner() {
    let f = Fixture::new();
    let w = f.worktree("t");
    write(&f.root, ".worktrees/.scratch-mine/file", "somebody's own");
    let scratch = f.repo.scratch(&f.oid("main")).unwrap();
    let path = scratch.path().to_owned();
    assert_eq!(git(&path, &["rev-parse", "HEAD"]), f.oid("main"));
    assert!(!try_git(&path, &["symbolic-ref", "-q", "HEAD"]).status.success());
    assert_eq!(f.repo.sweep_scratch().unwrap(), [""; 0].map(std::path::PathBuf::from));
    assert!(path.exists());
    write(&path, "left", "behind");
    drop(scratch);
    assert!(!path.exists());
    assert_eq!(f.git(&["worktree", "list"]).lines().count(), 2);
    assert_eq!(std::fs::read_dir(f.root.join(".git/orch/scratch")).unwrap().count(), 0);
    assert!(w.exists() && f.root.join(".worktrees/.scratch-mine/file").exists());
    assert!(f.repo.scratch(&"0".repeat(40)).is_err());
    assert_eq!(std::fs::read_dir(f.root.join(".git/orch/scratch")).unwrap().count(), 0);
}

#[test]
fn what_a_killed_owner_left_is_swept() {
    let f = Fixture::new();
    let scratch = f.repo.scratch(&f.oid("main")).unwrap();
    let path = scratch.path().to_owned();
    scratch.abandon();
    // A claim that was never finished, and a file that is no claim.
    write(&f.root, ".git/orch/scratch/scratch-cut", "");
    write(&f.root, ".git/orch/scratch/scratch-odd", "/etc");
    write(&f.root, ".worktrees/.scratch-odd/file", "not made here");
    assert_eq!(f.repo.sweep_scratch().unwrap(), std::slice::from_ref(&path));
    assert!(!path.exists());
    assert!(f.root.join(".worktrees/.scratch-odd/file").exists());
    assert_eq!(f.git(&["worktree", "prune", "--dry-run", "-v"]), "");
}

#[test]
fn other_formats_are_cleaned_too() {
    for format in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        let f = Fixture::with(format);
        let w = work(&f, "t");
        assert_eq!(check(&f, &w, "orch/t"), Removal::Unmerged { commits: 1 });
        f.repo.land("main", &f.oid("main"), &f.oid("orch/t"), "m").unwrap();
        assert_eq!(f.git(&["status", "--porcelain"]), "");
        drop(f.repo.scratch(&f.oid("main")).unwrap());
        assert_eq!(f.repo.remove_worktree(&safe(&f, &w, "orch/t")).unwrap(), BOTH);
    }
}

/// A worktree with a submodule `libs/sub`, and a commit in that which is nowhere else; the worktree's
/// own branch does not have it.
pub(super) fn with_submodule(f: &Fixture, name: &str) -> (std::path::PathBuf, String) {
    let upstream = f.beside("upstream");
    std::fs::create_dir(&upstream).unwrap();
    git(&upstream, &["init", "-q", "-b", "main"]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
    let commit = ["commit", "-q", "--allow-empty", "-m", "c"];
    git(&upstream, &[&who[..], &commit].concat());
    let w = f.worktree(name);
    git(&w, &["submodule", "add", "-q", upstream.to_str().unwrap(), "libs/sub"]);
    git(&w, &["commit", "-qm", "submodule"]);
    f.git(&["merge", "-q", &format!("orch/{name}")]);
    safe(f, &w, &format!("orch/{name}"));
    let sub = w.join("libs/sub");
    git(&sub, &[&who[..], &commit].concat());
    let own = git(&sub, &["rev-parse", "HEAD"]);
    // Away from it: to the worktree the submodule is as it was.
    git(&sub, &["branch", "-q", "aside"]);
    git(&sub, &["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(git(&w, &["status", "--porcelain"]), "");
    (w, own)
}

#[test]
fn commits_of_a_submodule_that_are_nowhere_else_stay() {
    let f = Fixture::new();
    let (w, _) = with_submodule(&f, "t");
    let expected = vec!["libs/sub (a commit of this submodule on none of its remotes)".to_owned()];
    assert_eq!(check(&f, &w, "orch/t"), Removal::Dirty { paths: expected.clone() });
    // Whether it is checked out or not.
    git(&w, &["submodule", "deinit", "-q", "--force", "libs/sub"]);
    assert_eq!(check(&f, &w, "orch/t"), Removal::Dirty { paths: expected });
    let sub = f.root.join(".git/worktrees/t/modules/libs/sub");
    git(&f.root, &["--git-dir", sub.to_str().unwrap(), "push", "-q", "origin", "aside"]);
    assert_eq!(f.repo.remove_worktree(&safe(&f, &w, "orch/t")).unwrap(), BOTH);
}

#[test]
fn a_repository_cloned_by_hand_and_added_is_a_submodule_too() {
    let f = Fixture::new();
    let w = f.worktree("t");
    std::fs::create_dir(w.join("sub")).unwrap();
    let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
    git(&w.join("sub"), &["init", "-q"]);
    git(&w.join("sub"), &[&who[..], &["commit", "-q", "--allow-empty", "-m", "c"]].concat());
    git(&w, &["add", "sub"]);
    git(&w, &["commit", "-qm", "sub"]);
    f.git(&["merge", "-q", "orch/t"]);
    match check(&f, &w, "orch/t") {
        Removal::Dirty { paths } => assert!(paths[0].starts_with("sub ("), "{paths:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worktree_that_was_moved_is_not_taken_for_gone() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let proof = safe(&f, &w, "orch/t");
    let now = f.beside("moved");
    f.git(&["worktree", "move", w.to_str().unwrap(), now.to_str().unwrap()]);
    let Removal::NotOurs(reason) = check(&f, &w, "orch/t") else { panic!() };
    assert!(
        reason.starts_with(&format!("its worktree was moved to {}", now.display())),
        "{reason}"
    );
    assert!(matches!(f.repo.remove_worktree(&proof), Err(GitError::Refused(_))));
    assert!(now.exists());
    assert_eq!(f.oid("orch/t"), f.oid("main"));
}

#[test]
fn many_are_removed_at_once_also_where_refs_are_packed() {
    for packed in [false, true] {
        let f = Fixture::new();
        let names: Vec<String> = (0..24).map(|n| format!("t{n}")).collect();
        for name in &names {
            f.worktree(name);
        }
        if packed {
            f.git(&["pack-refs", "--all"]);
        }
        // Two processes, each with a batch.
        std::thread::scope(|scope| {
            for part in names.chunks(12) {
                let f = &f;
                scope.spawn(move || {
                    let path = |name: &String| f.root.join(".worktrees").join(name);
                    let branch = |name: &String| format!("orch/{name}");
                    let proofs: Vec<Proof> =
                        part.iter().map(|name| safe(f, &path(name), &branch(name))).collect();
                    for proof in &proofs {
                        assert!(f.repo.take_worktree(proof).unwrap());
                    }
                    let gone = f.repo.remove_branches(&proofs.iter().collect::<Vec<_>>());
                    assert!(gone.iter().all(|gone| matches!(gone, Ok(true))), "{gone:?}");
                });
            }
        });
        assert_eq!(f.git(&["branch", "--list", "orch/*"]), "");
        f.is_sound();
    }
}

#[test]
fn a_hook_that_watches_refs_sees_a_branch_go() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let seen = f.beside("seen");
    let hook = f.root.join(".git/hooks/reference-transaction");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\ncat >> '{}'\n", seen.display())).unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let Removal::Safe(proof) = f.repo.removal_check(&w, "orch/t", &["main".to_owned()]).unwrap()
    else {
        panic!()
    };
    f.repo.remove_worktree(&proof).unwrap();
    assert!(std::fs::read_to_string(seen).unwrap().contains("refs/heads/orch/t"));
}

#[test]
fn of_several_branches_only_the_one_that_moved_stays() {
    let f = Fixture::new();
    let names = ["t1", "t2", "t3"];
    let proofs: Vec<Proof> = names
        .iter()
        .map(|name| {
            let w = f.worktree(name);
            f.git(&["config", &format!("branch.orch/{name}.remote"), "origin"]);
            let proof = safe(&f, &w, &format!("orch/{name}"));
            f.repo.take_worktree(&proof).unwrap();
            proof
        })
        .collect();
    let moved = f.branch("aside", "main", &[("a.txt", Some("new\n"))]);
    f.git(&["branch", "-f", "orch/t2", &moved]);
    let done = f.repo.remove_branches(&proofs.iter().collect::<Vec<_>>());
    let [Ok(true), Err(GitError::Moved { .. }), Ok(true)] = &done[..] else { panic!("{done:?}") };
    assert_eq!(f.git(&["branch", "--list", "orch/*"]).trim(), "orch/t2");
    let settings = f.git(&["config", "--list"]);
    assert!(
        settings.contains("branch.orch/t2.remote") && !settings.contains("branch.orch/t1.remote")
    );
}
