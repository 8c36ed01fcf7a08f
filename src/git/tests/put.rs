use crate::git::fixture::{Fixture, git, lines, write};
use crate::git::{Edit, Put, Work};
use crate::model::Strategy;

fn put(
    f: &Fixture,
    tip: &str,
    branch: &str,
    strategy: Strategy,
    edit: Option<(&str, Edit)>,
) -> Put {
    let work = Work {
        commit: &f.oid(branch),
        strategy,
        merge_subject: "Merge it",
        squash_subject: "Do it",
        trailers: &[("Orch-Task", "t".to_owned()), ("Orch-Run", "r".to_owned())],
        landed: &[],
        edit,
    };
    let refs = f.git(&["for-each-ref"]);
    let put = f.repo.put(&f.oid(tip), &work).unwrap();
    assert_eq!(
        (f.git(&["for-each-ref"]), f.git(&["status", "--porcelain"])),
        (refs, String::new())
    );
    put
}

fn clean(put: Put) -> String {
    match put {
        Put::Clean { commit, .. } => commit,
        other => panic!("{other:?}"),
    }
}

/// `main` moved on, and `work` has two commits beside it.
fn apart() -> Fixture {
    let f = Fixture::new();
    f.branch("first", "main", &[("a.txt", Some("one\n"))]);
    f.branch("work", "first", &[("new.txt", Some("two\n"))]);
    write(&f.root, "b.txt", "main\n");
    f.git(&["commit", "-qam", "Move on"]);
    f
}

#[test]
fn whatever_the_strategy_the_tree_is_the_same() {
    let f = apart();
    let all = [Strategy::Merge, Strategy::Squash, Strategy::Rebase];
    let commits = all.map(|strategy| clean(put(&f, "main", "work", strategy, None)));
    let trees = commits.clone().map(|commit| f.oid(&format!("{commit}^{{tree}}")));
    assert!(trees[0] == trees[1] && trees[1] == trees[2]);
    let shape = |n: usize| f.git(&["log", "--format=%s %p|", &format!("main..{}", commits[n])]);
    assert_eq!(shape(0).matches('|').count(), 3);
    assert_eq!(shape(1).matches('|').count(), 1);
    let rebased = f.git(&[
        "log",
        "--format=%s,%an,%(trailers:key=Orch-Task,valueonly,separator=)",
        &format!("main..{}", commits[2]),
    ]);
    assert_eq!(rebased, "work,Ada,t\nfirst,Ada,t");
    assert_eq!(f.oid(&format!("{}~2", commits[2])), f.oid("main"));
    f.is_sound();
}

#[test]
fn what_is_there_is_not_put_again() {
    let f = apart();
    for strategy in [Strategy::Merge, Strategy::Squash, Strategy::Rebase] {
        let landed = clean(put(&f, "main", "work", strategy, None));
        f.git(&["branch", "-f", "landed", &landed]);
        let again = put(&f, "landed", "work", strategy, None);
        assert_eq!(again, Put::Nothing, "{strategy:?}");
    }
}

#[test]
fn work_that_builds_on_what_landed_otherwise_brings_only_its_own() {
    let f = apart();
    let landed = clean(put(&f, "main", "first", Strategy::Rebase, None));
    // Meanwhile somebody changed what the first had done.
    f.git(&["branch", "later", &landed]);
    f.branch("later2", "later", &[("a.txt", Some("changed\n"))]);
    let (tip, first) = (f.oid("later2"), f.oid("first"));
    let work = |strategy, landed: &[String]| {
        let commit = f.oid("work");
        let work = Work {
            commit: &commit,
            strategy,
            merge_subject: "",
            squash_subject: "",
            trailers: &[],
            landed,
            edit: None,
        };
        f.repo.put(&tip, &work).unwrap()
    };
    for strategy in [Strategy::Merge, Strategy::Squash, Strategy::Rebase] {
        let conflict = Put::Conflict { paths: vec!["a.txt".into()] };
        assert_eq!(work(strategy, &[]), conflict, "{strategy:?}");
        let commit = clean(work(strategy, std::slice::from_ref(&first)));
        assert_eq!(f.git(&["show", &format!("{commit}:a.txt")]), "changed", "{strategy:?}");
        assert_eq!(f.git(&["show", &format!("{commit}:new.txt")]), "two");
        assert_eq!(f.oid(&format!("{commit}^1")), tip, "{strategy:?}");
    }
}

/// The tree, and the subjects of the commits, with neither a merge among them.
fn rebased(f: &Fixture, branch: &str) -> (String, String, bool) {
    let Put::Clean { commit, tree, squashed } = put(f, "main", branch, Strategy::Rebase, None)
    else {
        panic!("{branch} does not fit");
    };
    assert_eq!(f.git(&["rev-list", "--merges", &format!("main..{commit}")]), "");
    assert_eq!(f.git(&["rev-parse", &format!("{commit}^{{tree}}")]), tree);
    (tree, f.git(&["log", "--format=%s", &format!("main..{commit}")]), squashed)
}

#[test]
fn what_only_a_merge_commit_holds_is_not_lost_in_a_rebase() {
    let f = apart();
    f.branch("side", "first", &[("side.txt", Some("side\n"))]);
    let w = f.worktree("t");
    git(&w, &["reset", "-q", "--hard", "work"]);
    // A merge without anything of its own: nothing is lost without it.
    git(&w, &["merge", "-q", "--no-ff", "-m", "plain", "side"]);
    let (tree, subjects, squashed) = rebased(&f, "orch/t");
    assert!(!squashed && subjects.contains("side") && subjects.contains("work"), "{subjects}");
    assert_eq!(f.git(&["show", &format!("{tree}:side.txt")]), "side");
    git(&w, &["reset", "-q", "--hard", "work"]);
    git(&w, &["merge", "-q", "--no-commit", "--no-ff", "side"]);
    write(&w, "merged-in.txt", "important\n");
    git(&w, &["add", "-A"]);
    git(&w, &["commit", "-qm", "evil"]);
    let (tree, subjects, squashed) = rebased(&f, "orch/t");
    assert!(squashed);
    assert_eq!(subjects, "Do it");
    for (file, text) in [("merged-in.txt", "important"), ("side.txt", "side"), ("b.txt", "main")] {
        assert_eq!(f.git(&["show", &format!("{tree}:{file}")]), text);
    }
}

#[test]
fn a_conflict_that_was_resolved_in_a_merge_on_the_branch_can_be_rebased() {
    let f = apart();
    write(&f.root, "a.txt", "mine\n");
    f.git(&["commit", "-qam", "Mine"]);
    let w = f.worktree("t");
    git(&w, &["reset", "-q", "--hard", "work"]);
    let both = ["merge", "-q", "-s", "ours", "-m", "Both", "main"];
    git(&w, &both);
    write(&w, "a.txt", "both\n");
    write(&w, "b.txt", "main\n");
    git(&w, &["commit", "-qam", "Resolve", "--amend"]);
    let (tree, _, squashed) = rebased(&f, "orch/t");
    assert!(squashed);
    assert_eq!(tree, f.oid("orch/t^{tree}"));
    // Also when the target has moved on since.
    write(&f.root, "later.txt", "later\n");
    f.git(&["add", "-A"]);
    f.git(&["commit", "-qm", "Later"]);
    let (tree, _, _) = rebased(&f, "orch/t");
    assert_eq!(f.git(&["show", &format!("{tree}:a.txt")]), "both");
    assert_eq!(f.git(&["show", &format!("{tree}:later.txt")]), "later");
}

#[test]
fn a_conflict_is_the_same_whatever_the_strategy() {
    let f = apart();
    write(&f.root, "a.txt", "mine\n");
    f.git(&["commit", "-qam", "Mine"]);
    for strategy in [Strategy::Merge, Strategy::Squash, Strategy::Rebase] {
        let paths = vec!["a.txt".to_owned()];
        assert_eq!(put(&f, "main", "work", strategy, None), Put::Conflict { paths });
    }
}

#[test]
fn an_edit_goes_with_the_work_and_keeps_the_file_as_it_was_otherwise() {
    let f = apart();
    let add = |before: Option<&[u8]>| Some([before.unwrap_or_default(), b"more\n"].concat());
    for strategy in [Strategy::Merge, Strategy::Squash, Strategy::Rebase] {
        let plain = clean(put(&f, "main", "work", strategy, None));
        let commit = clean(put(&f, "main", "work", strategy, Some(("docs/LOG", &add))));
        assert_eq!(f.git(&["diff", "--name-only", &plain, &commit]), "docs/LOG");
        let count = |to: &str| f.git(&["rev-list", "--count", &format!("main..{to}")]);
        assert_eq!(count(&plain), count(&commit), "{strategy:?}");
        let commit = clean(put(&f, "main", "work", strategy, Some(("b.txt", &add))));
        assert_eq!(f.git(&["show", &format!("{commit}:b.txt")]), "main\nmore");
        // Where the branch could be moved to the work as it is.
        let commit = clean(put(&f, "first", "work", strategy, Some(("a.txt", &add))));
        assert_eq!(f.git(&["show", &format!("{commit}:a.txt")]), "one\nmore");
    }
    let work = Work {
        commit: &f.oid("work"),
        strategy: Strategy::Merge,
        merge_subject: "",
        squash_subject: "",
        trailers: &[],
        landed: &[],
        edit: Some(("src", &add)),
    };
    assert!(f.repo.put(&f.oid("main"), &work).unwrap_err().to_string().contains("not a file"));
}

#[test]
fn a_merge_in_a_worktree_is_begun_and_concluded() {
    use crate::git::Concluded;
    let f = Fixture::new();
    f.branch("work", "main", &[("a.txt", Some("work\n")), ("b.txt", None)]);
    f.git(&["branch", "orch/t", "work"]);
    let w = f.root.join(".worktrees/t");
    f.git(&["worktree", "add", "-q", w.to_str().unwrap(), "orch/t"]);
    write(&f.root, "a.txt", "main\n");
    write(&f.root, "b.txt", &lines("x", 3));
    f.git(&["commit", "-qam", "Main"]);
    let (tip, main) = (f.oid("orch/t"), f.oid("main"));
    let mut paths = f.repo.begin_merge(&w, &main).unwrap();
    paths.sort();
    assert_eq!(paths, ["a.txt", "b.txt"]);
    let conclude = || f.repo.conclude_merge(&w, "orch/t", &tip, &main, "Both\n").unwrap();
    assert_eq!(conclude(), Concluded::Markers(vec!["a.txt".into()]));
    write(&w, "a.txt", "both\n");
    std::fs::remove_file(w.join("b.txt")).unwrap();
    let Concluded::Both(commit) = conclude() else { panic!() };
    assert_eq!(f.oid(&format!("{commit}^1")), tip);
    assert_eq!(f.oid(&format!("{commit}^2")), main);
    assert_eq!(git(&w, &["status", "--porcelain"]), "");
    assert_eq!(f.git(&["ls-tree", "--name-only", &commit, "b.txt"]), "");
}

#[cfg(unix)]
#[test]
fn an_edit_keeps_the_mode_and_refuses_a_link() {
    let add = |before: Option<&[u8]>| Some([before.unwrap_or_default(), b"more\n"].concat());
    for format in [&[][..], &["--object-format=sha256"]] {
        let f = Fixture::with(format);
        f.git(&["update-index", "--chmod=+x", "a.txt"]);
        std::fs::create_dir(f.root.join("docs")).unwrap();
        std::os::unix::fs::symlink("../b.txt", f.root.join("docs/LOG")).unwrap();
        f.git(&["add", "docs"]);
        f.git(&["commit", "-qm", "Link"]);
        f.git(&["reset", "-q", "--hard"]);
        f.branch("work", "main", &[("new.txt", Some("two\n"))]);
        let commit = clean(put(&f, "main", "work", Strategy::Squash, Some(("a.txt", &add))));
        let listed = f.git(&["ls-tree", &commit, "a.txt"]);
        assert!(listed.starts_with("100755 "), "{listed}");
        let work = Work {
            commit: &f.oid("work"),
            strategy: Strategy::Squash,
            merge_subject: "",
            squash_subject: "Do it",
            trailers: &[],
            landed: &[],
            edit: Some(("docs/LOG", &add)),
        };
        let refused = f.repo.put(&f.oid("main"), &work).unwrap_err().to_string();
        assert!(refused.contains("symbolic link to ../b.txt"), "{refused}");
    }
}
