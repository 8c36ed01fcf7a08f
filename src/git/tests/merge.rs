use crate::git::fixture::{Fixture, git, lines, try_git, write};
use crate::git::{Integration, Merge};

/// Merges both ways and compares with `git merge-tree`.
fn agree(f: &Fixture, ours: &str, theirs: &str) -> Merge {
    let (ours, theirs) = (f.oid(ours), f.oid(theirs));
    let refs = f.git(&["for-each-ref"]);
    let result = f.repo.merge_commits(&ours, &theirs, "merged").unwrap();
    let args = ["merge-tree", "--write-tree", "--name-only", "--no-messages", &ours, &theirs];
    let output = try_git(&f.root, &args);
    let text = String::from_utf8(output.stdout).unwrap();
    match &result {
        Merge::Clean { tree, commit } => {
            assert_eq!(text.trim(), tree);
            assert_eq!(f.oid(&format!("{commit}^1")), ours);
            assert_eq!(f.oid(&format!("{commit}^2")), theirs);
        }
        Merge::Conflict { .. } => assert_eq!(output.status.code(), Some(1), "{text}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(f.git(&["for-each-ref"]), refs);
    assert_eq!(f.git(&["status", "--porcelain"]), "");
    f.is_sound();
    result
}

fn conflict(paths: &[&str]) -> Merge {
    Merge::Conflict { paths: paths.iter().map(ToString::to_string).collect() }
}

#[test]
fn changes_apart_are_put_together() {
    let f = Fixture::new();
    write(&f.root, "deep/er/one", "1");
    write(&f.root, "deep/er/two", "2");
    f.git(&["add", "-A"]);
    f.git(&["commit", "-qm", "deep"]);
    f.branch("x", "main", &[("a.txt", Some("x\n")), ("new/x", Some("x")), ("deep/er/one", None)]);
    f.branch("y", "main", &[("b.txt", None), ("new/y", Some("y")), ("src/c.txt", Some("y\n"))]);
    f.branch("z", "main", &[("deep/er/two", None), ("deep/er/one", None)]);
    agree(&f, "x", "y");
    agree(&f, "y", "z");
    f.branch("w", "main", &[("deep/er/two", None)]);
    // Both together empty the directory.
    let Merge::Clean { tree, .. } = agree(&f, "x", "w") else { panic!() };
    assert_eq!(f.git(&["ls-tree", "-r", "--name-only", &tree, "deep"]), "");
    assert_eq!(f.git(&["ls-tree", &tree, "deep"]), "");
}

#[test]
fn a_change_follows_a_rename() {
    let f = Fixture::new();
    let renamed = [("a.txt", None), ("moved.txt", Some(&*lines("a", 20)))];
    f.branch("x", "main", &renamed);
    let changed = lines("a", 20).replace("a 3\n", "a three\n");
    f.branch("y", "main", &[("a.txt", Some(&changed))]);
    let Merge::Clean { tree, .. } = agree(&f, "x", "y") else { panic!() };
    assert_eq!(f.git(&["show", &format!("{tree}:moved.txt")]), changed.trim());
    agree(&f, "y", "x");
}

#[test]
fn lines_apart_in_one_file_merge_and_the_same_line_conflicts() {
    let f = Fixture::new();
    let with = |n: usize, text: &str| lines("a", 20).replace(&format!("a {n}\n"), text);
    f.branch("top", "main", &[("a.txt", Some(&with(2, "top\n")))]);
    f.branch("end", "main", &[("a.txt", Some(&with(19, "end\n")))]);
    f.branch("also", "main", &[("a.txt", Some(&with(2, "also\n"))), ("b.txt", None)]);
    f.branch("edits", "main", &[("b.txt", Some("other\n"))]);
    f.branch("both", "main", &[("new", Some("1"))]);
    f.branch("both2", "main", &[("new", Some("2"))]);
    agree(&f, "top", "end");
    assert_eq!(agree(&f, "top", "also"), conflict(&["a.txt"]));
    assert_eq!(agree(&f, "edits", "also"), conflict(&["b.txt"]));
    assert_eq!(agree(&f, "both", "both2"), conflict(&["new"]));
}

#[test]
fn a_file_and_a_directory_of_one_name_conflict() {
    let f = Fixture::new();
    f.branch("file", "main", &[("thing", Some("file"))]);
    f.branch("directory", "main", &[("thing/inside", Some("x"))]);
    let Merge::Conflict { paths } = agree(&f, "file", "directory") else { panic!() };
    assert!(paths.iter().any(|path| path.starts_with("thing")), "{paths:?}");
    // A file that becomes a directory on one side alone is no conflict.
    f.branch("becomes", "main", &[("b.txt", None)]);
    f.branch("becomes2", "becomes", &[("b.txt/inside", Some("x"))]);
    f.branch("other", "main", &[("a.txt", Some("other\n"))]);
    agree(&f, "other", "becomes2");
}

#[test]
fn one_side_containing_the_other_needs_no_merge() {
    let f = Fixture::new();
    let one = f.branch("one", "main", &[("a.txt", Some("1\n"))]);
    let main = f.oid("main");
    assert_eq!(f.repo.merge_commits(&one, &main, "m").unwrap(), Merge::UpToDate);
    assert_eq!(f.repo.merge_commits(&main, &one, "m").unwrap(), Merge::FastForward(one));
}

#[test]
fn a_criss_cross_history_merges_as_in_git() {
    let f = Fixture::new();
    let with = |n: usize, text: &str| lines("a", 20).replace(&format!("a {n}\n"), text);
    f.branch("x", "main", &[("a.txt", Some(&with(2, "x\n")))]);
    f.branch("y", "main", &[("a.txt", Some(&with(19, "y\n")))]);
    let (x, y) = (f.oid("x"), f.oid("y"));
    for (name, into, from) in [("x2", &x, &y), ("y2", &y, &x)] {
        let Merge::Clean { commit, .. } = f.repo.merge_commits(into, from, "cross").unwrap() else {
            panic!()
        };
        f.git(&["branch", name, &commit]);
    }
    let both = with(2, "x\n").replace("a 19\n", "y\n");
    f.branch("x3", "x2", &[("a.txt", Some(&both.replace("a 7\n", "seven\n")))]);
    f.branch("y3", "y2", &[("a.txt", Some(&both.replace("a 13\n", "thirteen\n")))]);
    agree(&f, "x3", "y3");
}

#[test]
fn a_merge_driver_of_the_users_is_asked() {
    let f = Fixture::new();
    f.git(&["config", "merge.mine.driver", "true"]);
    write(&f.root, ".gitattributes", "a.txt merge=mine\n");
    f.git(&["add", "-A"]);
    f.git(&["commit", "-qm", "attributes"]);
    f.branch("x", "main", &[("a.txt", Some("x\n"))]);
    f.branch("y", "main", &[("a.txt", Some("y\n"))]);
    let Merge::Clean { tree, .. } = agree(&f, "x", "y") else { panic!() };
    assert_eq!(f.git(&["show", &format!("{tree}:a.txt")]), "x");
}

#[test]
fn other_formats_merge_through_the_executable() {
    for format in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        let f = Fixture::with(format);
        f.branch("x", "main", &[("a.txt", Some("x\n"))]);
        f.branch("y", "main", &[("b.txt", Some("y\n"))]);
        f.branch("z", "main", &[("b.txt", Some("z\n"))]);
        agree(&f, "x", "y");
        assert_eq!(agree(&f, "y", "z"), conflict(&["b.txt"]));
    }
}

#[test]
fn names_that_are_not_utf8_merge_and_are_shown() {
    let f = Fixture::new();
    // Made through the index: not every file system takes such names.
    let blob = |text: &str| {
        write(&f.root, "../blob", text);
        f.git(&["hash-object", "-w", "../blob"])
    };
    let mut tips = Vec::new();
    for text in ["one", "two"] {
        let w = f.worktree(text);
        let script =
            format!("printf '100644 {}\\tcaf\\351\\n' | git update-index --index-info", blob(text));
        git(&w, &["-c", &format!("alias.x=!{script}"), "x"]);
        git(&w, &["commit", "-qm", text]);
        tips.push(git(&w, &["rev-parse", "HEAD"]));
    }
    let merged = f.repo.merge_commits(&tips[0], &tips[1], "m").unwrap();
    assert_eq!(merged, conflict(&[r#""caf\351""#]));
    let main = f.oid("main");
    assert_eq!(f.repo.changed_files(&main, &tips[0]).unwrap(), [r#""caf\351""#]);
}

fn named(f: &Fixture, names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| (f.oid(name), (*name).to_owned())).collect()
}

#[test]
fn prerequisites_are_put_together_with_as_few_merges_as_possible() {
    let f = Fixture::new();
    let main = f.oid("main");
    let a = f.branch("a", "main", &[("a.txt", Some("a\n"))]);
    f.branch("b", "main", &[("b.txt", Some("b\n"))]);
    let integrate = |names: &[&str]| f.repo.integrate(&main, &named(&f, names), "start").unwrap();
    assert_eq!(integrate(&[]), Integration::Clean(main.clone()));
    assert_eq!(integrate(&["a"]), Integration::Clean(a.clone()));
    assert_eq!(integrate(&["a", "a"]), Integration::Clean(a.clone()));
    let Integration::Clean(both) = integrate(&["a", "b"]) else { panic!() };
    assert_eq!(f.git(&["rev-list", "--count", "--merges", &both]), "1");
    f.git(&["branch", "both", &both]);
    let c = f.branch("c", "both", &[("c", Some("c"))]);
    // `c` contains both of the others: it is the start by itself.
    assert_eq!(integrate(&["a", "b", "c"]), Integration::Clean(c.clone()));
    assert_eq!(integrate(&["c", "a"]), Integration::Clean(c));
    f.branch("d", "main", &[("b.txt", Some("d\n"))]);
    assert_eq!(
        integrate(&["a", "b", "d"]),
        Integration::Conflict { name: "d".into(), paths: vec!["b.txt".into()] }
    );
}

#[test]
fn both_sides_of_a_rename_are_listed() {
    let f = Fixture::new();
    f.branch("x", "main", &[("a.txt", None), ("m.txt", Some(&lines("a", 20)))]);
    let changed = f.repo.changed_files(&f.oid("main"), &f.oid("x")).unwrap();
    assert_eq!(changed, ["a.txt", "m.txt"]);
}
