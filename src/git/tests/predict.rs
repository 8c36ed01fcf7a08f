use crate::git::fixture::{Fixture, lines, try_git, write};
use std::collections::BTreeSet;

/// Pairs that conflict, as `git merge-tree` sees them, and as predicted.
fn both(f: &Fixture, branches: &[String]) -> [BTreeSet<(usize, usize)>; 2] {
    let commits: Vec<String> = branches.iter().map(|branch| f.oid(branch)).collect();
    let mut expected = BTreeSet::new();
    for one in 0..commits.len() {
        for other in one + 1..commits.len() {
            let args =
                ["merge-tree", "--write-tree", "--no-messages", &commits[one], &commits[other]];
            match try_git(&f.root, &args).status.code() {
                Some(0) => {}
                Some(1) => _ = expected.insert((one, other)),
                code => panic!("{code:?}"),
            }
        }
    }
    let found = f.repo.clashes(&commits).unwrap();
    assert!(found.iter().all(|pair| !pair.paths.is_empty()));
    [expected, found.iter().map(|pair| (pair.one, pair.other)).collect()]
}

#[test]
fn the_same_pairs_conflict_as_for_git() {
    let f = Fixture::new();
    write(&f.root, "list.txt", &lines("l", 6));
    write(&f.root, "log.union", &lines("u", 6));
    write(&f.root, ".gitattributes", "*.union merge=union\n");
    f.git(&["add", "-A"]);
    f.git(&["commit", "-qm", "more"]);
    let with = |word: &str, n: usize, text: &str| {
        let count = if word == "a" || word == "c" { 20 } else { 6 };
        lines(word, count).replace(&format!("{word} {n}\n"), text)
    };
    let moved = lines("a", 20);
    let a = |n, text: &str| with("a", n, text);
    let edits: Vec<Vec<(&str, Option<String>)>> = vec![
        vec![("a.txt", Some(a(2, "two\n")))],
        vec![("a.txt", Some(a(19, "nineteen\n")))],
        vec![("a.txt", Some(a(2, "zwei\n"))), ("new", Some("1".into()))],
        vec![("a.txt", None), ("b.txt", Some("b\n".into()))],
        vec![("a.txt", None), ("moved.txt", Some(moved))],
        vec![("new", Some("2".into())), ("src/c.txt", Some(with("c", 3, "drei\n")))],
        vec![("new/inside", Some("x".into()))],
        vec![("src/c.txt", None), ("src/d.txt", Some(lines("c", 20)))],
        vec![("log.union", Some(with("u", 3, "three\n")))],
        vec![("log.union", Some(with("u", 3, "drei\n")))],
        vec![("list.txt", Some(with("l", 6, "six\nseven\n")))],
        vec![("list.txt", Some(with("l", 6, "six\nseven\n"))), ("list2.txt", Some("x".into()))],
        vec![("bin", Some("\0a".into()))],
        vec![("bin", Some("\0b".into()))],
        vec![("b.txt", None), ("b.txt/inside", Some("x".into()))],
    ];
    let mut branches = Vec::new();
    for (n, files) in edits.iter().enumerate() {
        let name = format!("x{n}");
        // A file makes room for a directory in a commit of its own.
        let (gone, made): (Vec<_>, Vec<_>) = files.iter().partition(|(_, text)| text.is_none());
        let gone: Vec<(&str, Option<&str>)> = gone.iter().map(|(path, _)| (*path, None)).collect();
        let made: Vec<(&str, Option<&str>)> =
            made.iter().map(|(path, text)| (*path, text.as_deref())).collect();
        let mut from = "main".to_owned();
        if !gone.is_empty() {
            from = format!("{name}-gone");
            f.branch(&from, "main", &gone);
        }
        if made.is_empty() {
            branches.push(from);
        } else {
            f.branch(&name, &from, &made);
            branches.push(name);
        }
    }
    let [expected, found] = both(&f, &branches);
    assert!(expected.len() >= 10, "{expected:?}");
    assert_eq!(found, expected);
}

#[test]
fn branches_that_hold_each_other_or_begin_elsewhere_are_compared_too() {
    let f = Fixture::new();
    f.branch("one", "main", &[("a.txt", Some("one\n"))]);
    f.branch("two", "one", &[("b.txt", Some("two\n"))]);
    f.branch("three", "main", &[("b.txt", Some("three\n"))]);
    f.branch("four", "three", &[("a.txt", Some("four\n"))]);
    let names = ["one", "two", "three", "four", "one"].map(str::to_owned);
    let [expected, found] = both(&f, &names);
    assert_eq!(found, expected);
    assert_eq!(found, BTreeSet::from([(0, 3), (1, 2), (1, 3), (3, 4)]));
}
