//! What goes through the git executable: filters, hooks, sparse checkouts, other formats.

use super::super::Created;
use super::super::fixture::Fixture;
use super::message;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_smudge_filter_is_run() {
    let fixture = Fixture::varied();
    fixture.git(&["config", "filter.shout.smudge", "tr a-z A-Z"]);
    fixture.git(&["config", "filter.shout.clean", "tr A-Z a-z"]);
    fixture.write(".gitattributes", "*.loud filter=shout\n");
    fixture.write("x.loud", "hello\n");
    fixture.commit("filtered");
    let spec = fixture.spec("one");
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::ThroughGit);
    assert_eq!(fs::read_to_string(spec.path.join("x.loud")).unwrap(), "HELLO\n");
    fixture.assert_as_git_makes_it(&spec);
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::Existing);
}

#[test]
fn a_filter_that_fails_leaves_nothing() {
    let fixture = Fixture::varied();
    fixture.git(&["config", "filter.lfs.smudge", "false"]);
    fixture.git(&["config", "filter.lfs.clean", "cat"]);
    fixture.write(".gitattributes", "*.big filter=lfs\n");
    fixture.write("x.big", "pointer\n");
    fixture.commit("filtered");
    fixture.git(&["config", "filter.lfs.required", "true"]);
    let spec = fixture.spec("one");
    let text = message(fixture.worktrees().create(&spec));
    assert!(text.contains("worktree add") && text.contains("lfs"), "{text}");
    fixture.assert_no_trace(&spec);
    assert!(!spec.path.exists());
}

#[test]
fn twenty_at_once_through_git() {
    let fixture = Fixture::varied();
    fixture.git(&["config", "core.eol", "crlf"]);
    let worktrees = fixture.worktrees();
    let specs: Vec<_> = (0..20).map(|n| fixture.spec(&format!("t{n}"))).collect();
    std::thread::scope(|scope| {
        for spec in &specs {
            scope.spawn(|| assert_eq!(worktrees.create(spec).unwrap(), Created::ThroughGit));
        }
    });
    for spec in &specs {
        fixture.assert_sound(spec);
    }
    assert!(fs::read(specs[0].path.join("empty")).unwrap().is_empty());
    let text = fs::read_to_string(specs[0].path.join("a.b")).unwrap();
    assert!(text.ends_with("\r\n"), "{text:?}");
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let fixture = Fixture::varied();
    fixture.git(&["sparse-checkout", "set", "src/m1"]);
    let spec = fixture.spec("one");
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::ThroughGit);
    assert!(spec.path.join("src/m1/f1.rs").exists());
    assert!(!spec.path.join("src/m2").exists());
    fixture.assert_as_git_makes_it(&spec);
}

#[test]
fn a_checkout_hook_is_run() {
    let fixture = Fixture::varied();
    let hook = fixture.root().join(".git/hooks/post-checkout");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho ran > hooked.o\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let spec = fixture.spec("one");
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::ThroughGit);
    assert!(spec.path.join("hooked.o").exists());
}

#[test]
fn formats_beyond_libgit2_go_through_git() {
    for format in ["--object-format=sha256", "--ref-format=reftable"] {
        let fixture = Fixture::empty(&[format]);
        fixture.write("src/a", "a\n");
        let head = fixture.commit("first");
        let repo = fixture.repo();
        assert!(repo.refused_by_libgit2().is_some(), "{format}");
        assert_eq!(repo.root.as_deref(), Some(fixture.root().as_path()));
        let stands = repo.head().unwrap();
        assert_eq!((stands.oid, stands.branch.as_deref()), (head.clone(), Some("main")));
        assert_eq!(repo.resolve("main~0").unwrap(), head);
        assert_eq!(repo.tree_paths(&head).unwrap(), ["src/a"]);
        assert_eq!(repo.read_blob(&head, "src/a").unwrap().as_deref(), Some(&b"a\n"[..]));
        assert_eq!(repo.read_blob(&head, "src").unwrap(), None);
        assert_eq!(repo.branches_exist(&["main".into(), "x".into()]).unwrap(), [true, false]);
        let spec = fixture.spec("one");
        assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::ThroughGit);
        fixture.assert_sound(&spec);
        assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::Existing);
        let from_linked = super::super::super::Repo::discover(&spec.path).unwrap();
        assert_eq!(from_linked.root.as_deref(), Some(fixture.root().as_path()));
        assert_eq!(from_linked.head().unwrap().branch.as_deref(), Some("orch/one"));
    }
}
