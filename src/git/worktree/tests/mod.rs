//! Making worktrees: like git's own, many at once, and after every kind of accident.

mod by_git;
mod crash;

use super::super::GitError;
use super::super::executable::{git, git_line};
use super::fixture::{Fixture, write};
use super::{Created, PoolLimits, Worktrees};
use std::fs;
use std::os::unix::fs::symlink;

fn message(result: Result<Created, GitError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_worktree_is_as_git_makes_it() {
    let fixture = Fixture::varied();
    let spec = fixture.spec("one");
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::Fresh);
    fixture.assert_as_git_makes_it(&spec);
    assert_eq!(fixture.git(&["status", "--porcelain"]), "");
    fixture.git(&["worktree", "repair"]);
    fixture.git(&["worktree", "remove", ".worktrees/one"]);
    assert!(!spec.path.exists());
}

#[test]
fn the_first_status_has_nothing_to_hash() {
    let fixture = Fixture::varied();
    let spec = fixture.spec("one");
    fixture.worktrees().create(&spec).unwrap();
    let index = fixture.root().join(".git/worktrees/one/index");
    let before = fs::read(&index).unwrap();
    git(&spec.path, &["status"]).unwrap();
    // Git writes an index again in which it found an entry as young as the index.
    assert_eq!(fs::read(&index).unwrap(), before);
}

#[test]
fn a_second_call_finds_it_with_the_work_in_it() {
    let fixture = Fixture::varied();
    let (worktrees, spec) = (fixture.worktrees(), fixture.spec("one"));
    worktrees.create(&spec).unwrap();
    write(&spec.path, "new.txt", "work\n");
    git(&spec.path, &["add", "new.txt"]).unwrap();
    git(&spec.path, &["commit", "-q", "-m", "work"]).unwrap();
    write(&spec.path, "more.txt", "not committed\n");
    let tip = git_line(&spec.path, &["rev-parse", "HEAD"]).unwrap();
    assert_eq!(worktrees.create(&spec).unwrap(), Created::Existing);
    assert_eq!(git_line(&spec.path, &["rev-parse", "HEAD"]).unwrap(), tip);
    assert!(spec.path.join("more.txt").exists());
    // Another process, and one that finds HEAD detached by a rebase.
    git(&spec.path, &["checkout", "-q", "--detach"]).unwrap();
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::Existing);
}

#[test]
fn a_branch_with_other_commits_is_refused_and_stays() {
    let fixture = Fixture::varied();
    let spec = fixture.spec("one");
    fixture.write("later", "");
    let later = fixture.commit("later");
    fixture.git(&["branch", &spec.branch]);
    let text = message(fixture.worktrees().create(&spec));
    assert!(text.contains("orch/one already exists"), "{text}");
    assert_eq!(fixture.git(&["rev-parse", &spec.branch]), later);
    assert!(!spec.path.exists());
}

#[test]
fn a_branch_at_the_base_is_used() {
    let fixture = Fixture::varied();
    let spec = fixture.spec("one");
    fixture.git(&["branch", &spec.branch]);
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::Fresh);
    fixture.assert_sound(&spec);
}

#[test]
fn a_branch_that_is_checked_out_is_refused() {
    let fixture = Fixture::varied();
    let mut spec = fixture.spec("one");
    spec.branch = "main".to_owned();
    let text = message(fixture.worktrees().create(&spec));
    assert!(text.contains("is checked out in"), "{text}");
    let other = fixture.dir.path().join("other");
    fixture.git(&["worktree", "add", "-q", "-b", "busy", other.to_str().unwrap()]);
    spec.branch = "busy".to_owned();
    let text = message(fixture.worktrees().create(&spec));
    assert!(text.contains("other"), "{text}");
}

#[test]
fn a_branch_name_that_is_a_folder_of_refs_leaves_nothing_behind() {
    let fixture = Fixture::varied();
    fixture.git(&["branch", "orch"]);
    let spec = fixture.spec("one");
    let text = message(fixture.worktrees().create(&spec));
    assert!(text.contains("create branch orch/one"), "{text}");
    fixture.assert_no_trace(&spec);
    assert!(!spec.path.exists());
}

#[test]
fn what_is_in_the_way_is_named_and_stays() {
    let fixture = Fixture::varied();
    let (worktrees, spec) = (fixture.worktrees(), fixture.spec("one"));
    write(&spec.path, "precious", "mine\n");
    let text = message(worktrees.create(&spec));
    assert!(text.contains(".worktrees/one is a folder that is not empty"), "{text}");
    assert!(spec.path.join("precious").exists());
    fixture.assert_no_trace(&spec);

    let spec = fixture.spec("two");
    fs::write(&spec.path, "mine\n").unwrap();
    let text = message(worktrees.create(&spec));
    assert!(text.contains(".worktrees/two is a file"), "{text}");

    let spec = fixture.spec("three");
    symlink("/", &spec.path).unwrap();
    let text = message(worktrees.create(&spec));
    assert!(text.contains(".worktrees/three is a symbolic link"), "{text}");
}

#[test]
fn a_file_named_worktrees_is_in_the_way() {
    let fixture = Fixture::varied();
    fs::write(fixture.root().join(".worktrees"), "").unwrap();
    let text = message(fixture.worktrees().create(&fixture.spec("one")));
    assert!(text.contains(".worktrees is not a folder"), "{text}");
}

#[test]
fn an_empty_folder_is_used() {
    let fixture = Fixture::varied();
    let spec = fixture.spec("one");
    fs::create_dir_all(&spec.path).unwrap();
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::Fresh);
    fixture.assert_sound(&spec);
}

#[test]
fn a_stale_entry_is_replaced_unless_somebody_locked_it() {
    let fixture = Fixture::varied();
    let (worktrees, spec) = (fixture.worktrees(), fixture.spec("one"));
    worktrees.create(&spec).unwrap();
    fs::remove_dir_all(&spec.path).unwrap();
    assert_eq!(worktrees.create(&spec).unwrap(), Created::Fresh);
    fixture.assert_sound(&spec);
    fixture.git(&["worktree", "lock", "--reason", "on a stick", ".worktrees/one"]);
    fs::remove_dir_all(&spec.path).unwrap();
    let text = message(worktrees.create(&spec));
    assert!(text.contains("locked (on a stick)"), "{text}");
}

#[test]
fn a_name_taken_by_another_worktree_is_refused() {
    let fixture = Fixture::varied();
    let other = fixture.dir.path().join("one");
    fixture.git(&["worktree", "add", "-q", other.to_str().unwrap()]);
    let text = message(fixture.worktrees().create(&fixture.spec("one")));
    assert!(text.contains("is taken by the worktree"), "{text}");
    assert!(other.join("run.sh").exists());
}

#[test]
fn an_id_that_leads_elsewhere_is_refused() {
    let fixture = Fixture::varied();
    for id in ["", "..", "a/b", ".pool"] {
        let mut spec = fixture.spec("x");
        spec.id = id.to_owned();
        spec.path = fixture.repo().worktrees_dir().join(id);
        assert!(matches!(fixture.worktrees().create(&spec), Err(GitError::Refused(_))), "{id}");
    }
}

#[test]
fn twenty_at_once_and_again() {
    let fixture = Fixture::varied();
    for round in 0..3 {
        let worktrees = Worktrees::new(fixture.repo(), PoolLimits::default()).unwrap();
        let specs: Vec<_> = (0..20).map(|n| fixture.spec(&format!("t{round}-{n}"))).collect();
        std::thread::scope(|scope| {
            for spec in &specs {
                scope.spawn(|| assert_eq!(worktrees.create(spec).unwrap(), Created::Fresh));
            }
        });
        fixture.assert_as_git_makes_it(&specs[7]);
        for spec in &specs {
            fixture.assert_sound(spec);
        }
    }
    assert!(!fixture.root().join(".git/config.lock").exists());
}

#[test]
fn twenty_at_once_a_hundred_times() {
    let fixture = Fixture::empty(&[]);
    for n in 0..8 {
        fixture.write(&format!("d{}/f{n}", n % 3), "x\n");
    }
    fixture.commit("first");
    let head = fixture.spec("x").base;
    for round in 0..100 {
        // Half of them as another process would.
        let (one, two) = (fixture.worktrees(), fixture.worktrees());
        std::thread::scope(|scope| {
            for n in 0..20 {
                let mut spec = fixture.spec(&format!("r{round}-{n}"));
                let worktrees = if n % 2 == 0 { &one } else { &two };
                scope.spawn(move || {
                    assert_eq!(worktrees.create(&spec).unwrap(), Created::Fresh);
                    assert_eq!(worktrees.create(&spec).unwrap(), Created::Existing);
                    spec.base.clear();
                });
            }
        });
        let made = fixture.git(&["for-each-ref", "--format=%(objectname)", "refs/heads/orch"]);
        assert_eq!(made.lines().filter(|line| *line == head).count(), 20, "round {round}");
        fs::remove_dir_all(fixture.root().join(".worktrees")).unwrap();
        fixture.git(&["worktree", "prune"]);
        for name in fixture.git(&["for-each-ref", "--format=%(refname)", "refs/heads/orch"]).lines()
        {
            fs::remove_file(fixture.root().join(".git").join(name)).unwrap();
        }
    }
}

#[test]
fn the_same_one_from_many_threads_is_made_once() {
    let fixture = Fixture::varied();
    let spec = fixture.spec("one");
    let results: Vec<Created> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| fixture.worktrees().create(&spec).unwrap())).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|made| **made == Created::Fresh).count(), 1, "{results:?}");
    fixture.assert_as_git_makes_it(&spec);
}

#[test]
fn a_failure_in_the_middle_leaves_nothing() {
    let fixture = Fixture::varied();
    let spec = fixture.spec("one");
    // A blob is missing, as after damage to the disk.
    let blob = fixture.git(&["rev-parse", "HEAD:src/m3/f3.rs"]);
    let object = fixture.root().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    let bytes = fs::read(&object).unwrap();
    fs::remove_file(&object).unwrap();
    let text = message(fixture.worktrees().create(&spec));
    assert!(text.contains("read the content of") && text.contains("f3.rs"), "{text}");
    fixture.assert_no_trace(&spec);
    assert!(!spec.path.exists());
    fs::write(&object, bytes).unwrap();
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::Fresh);
    fixture.assert_as_git_makes_it(&spec);
}

#[test]
fn a_folder_that_may_not_be_written_is_a_clear_error() {
    // Root may write anywhere, so the test is about a path that cannot be a folder for anybody.
    let fixture = Fixture::varied();
    let mut spec = fixture.spec("one");
    spec.path = "/proc/orch-test/one".into();
    let text = message(fixture.worktrees().create(&spec));
    assert!(text.contains("/proc/orch-test"), "{text}");
    fixture.assert_no_trace(&spec);
}

#[test]
fn the_places_a_run_may_be_started_from() {
    let fixture = Fixture::varied();
    fixture.git(&["checkout", "-q", "--detach"]);
    fixture.write("dirty", "not committed\n");
    let one = fixture.spec("one");
    fixture.worktrees().create(&one).unwrap();
    fixture.assert_as_git_makes_it(&one);
    for (id, place) in [("two", one.path.join("src/m1")), ("three", fixture.root().join("a/b"))] {
        let repo = super::super::Repo::discover(&place).unwrap();
        let mut spec = fixture.spec(id);
        assert_eq!(spec.path, repo.worktrees_dir().join(id));
        spec.base = repo.head().unwrap().oid;
        Worktrees::new(repo, PoolLimits::default()).unwrap().create(&spec).unwrap();
        fixture.assert_as_git_makes_it(&spec);
    }
}

#[test]
fn a_bare_repository_holds_its_worktrees_itself() {
    let fixture = Fixture::varied();
    let bare = fixture.dir.path().canonicalize().unwrap().join("bare.git");
    fixture.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let repo = super::super::Repo::discover(&bare).unwrap();
    assert_eq!(repo.root, None);
    let mut spec = fixture.spec("one");
    spec.path = bare.join(".worktrees/one");
    assert_eq!(repo.worktrees_dir(), bare.join(".worktrees"));
    Worktrees::new(repo, PoolLimits::default()).unwrap().create(&spec).unwrap();
    assert_eq!(git_line(&spec.path, &["status", "--porcelain"]).unwrap(), "");
    assert!(git_line(&bare, &["worktree", "list"]).unwrap().contains(".worktrees/one"));
}

#[test]
fn without_commits_there_is_no_base() {
    let fixture = Fixture::empty(&[]);
    assert!(matches!(fixture.repo().head(), Err(GitError::NoCommits)));
    let mut spec = Fixture::varied().spec("one");
    spec.path = fixture.repo().worktrees_dir().join("one");
    assert!(matches!(fixture.worktrees().create(&spec), Err(GitError::UnknownRevision(_))));
    fixture.assert_no_trace(&spec);
}

#[test]
fn submodules_are_empty_folders() {
    let fixture = Fixture::varied();
    let head = fixture.git(&["rev-parse", "HEAD"]);
    for path in ["vendor/lib", "zlib"] {
        fixture.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},{path}")]);
    }
    fixture.git(&["commit", "-q", "-m", "submodules"]);
    let spec = fixture.spec("one");
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::Fresh);
    assert!(spec.path.join("vendor/lib").is_dir());
    fixture.assert_as_git_makes_it(&spec);
}
