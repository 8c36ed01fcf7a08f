//! Making worktrees: like git's own, many at once, and after every kind of accident.

use super::super::GitError;
use super::super::executable::{git, git_line};
use super::fixture::{Fixture, write};
use super::{Admin, Created, Intent, PoolLimits, Undo, WorktreeSpec, Worktrees};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

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

/// Runs in a process of its own, which the next test kills: makes, recycles and prepares worktrees
/// in the repository that the environment names, for as long as it is let.
#[test]
fn child_of_the_next_test() {
    let Some(root) = std::env::var_os("ORCH_TEST_KILLED_IN") else { return };
    let repo = super::super::Repo::discover(root.as_ref()).unwrap();
    let worktrees = Worktrees::new(repo.clone(), PoolLimits::default()).unwrap();
    let base = repo.head().unwrap().oid;
    for n in 0.. {
        let id = format!("k{}", n % 4);
        let path = repo.worktrees_dir().join(&id);
        let branch = format!("orch/{id}");
        let spec = WorktreeSpec { id, path, branch, base: base.clone() };
        worktrees.create(&spec).unwrap();
        worktrees.recycle(&spec.id, &spec.path).unwrap();
        worktrees.prepare(&base, n % 3).unwrap();
    }
}

#[test]
fn killed_at_any_instant_nothing_is_lost_or_left() {
    let fixture = Fixture::varied();
    let child = "git::worktree::tests::child_of_the_next_test";
    for round in 0..25 {
        let mut process = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", child])
            .env("ORCH_TEST_KILLED_IN", fixture.root())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Where the kill falls is left to chance; every place must do.
        std::thread::sleep(std::time::Duration::from_micros(20_000 + 1_370 * round));
        process.kill().unwrap();
        process.wait().unwrap();
        let worktrees = fixture.worktrees();
        for n in 0..4 {
            let spec = fixture.spec(&format!("k{n}"));
            worktrees.create(&spec).unwrap();
            fixture.assert_sound(&spec);
        }
        fixture.assert_as_git_makes_it(&fixture.spec(&format!("k{}", round % 4)));
        worktrees.drain().unwrap();
        assert_eq!(fixture.git(&["worktree", "list"]).lines().count(), 5, "round {round}");
        let left = fs::read_dir(fixture.root().join(".git/orch/intents")).unwrap().count();
        assert_eq!(left, 0, "round {round}");
    }
}

/// Everything [`Worktrees::create`] leaves when killed after each of its steps.
#[test]
fn after_a_crash_at_any_step_the_next_call_makes_it_whole() {
    for step in 0..9 {
        let fixture = Fixture::varied();
        let spec = fixture.spec("one");
        let worktrees = fixture.worktrees();
        let admin = Admin::named(&fixture.repo(), &spec.id);
        let (mut intent, _) = Intent::acquire(&worktrees.intents_dir(), &spec.id).unwrap();
        let steps: [&dyn Fn(); 8] = [
            &|| fs::create_dir_all(&admin.dir).unwrap(),
            &|| fs::write(admin.dir.join("locked"), "").unwrap(),
            &|| fs::write(admin.dir.join("locked"), "orch is making this worktree\n").unwrap(),
            &|| {
                let line = format!("{}/.git\n", spec.path.display());
                fs::write(admin.dir.join("gitdir"), line).unwrap();
            },
            &|| {
                fs::write(admin.dir.join("commondir"), "../..\n").unwrap();
                fs::write(admin.dir.join("HEAD"), "ref: refs/heads/orch/one\n").unwrap();
                fixture.git(&["branch", "-q", &spec.branch]);
            },
            &|| fs::create_dir_all(&spec.path).unwrap(),
            &|| admin.write_git_file(&spec.path).unwrap(),
            &|| write(&spec.path, "src/m0/f0.rs", "half of i"),
        ];
        if step > 0 {
            let undo = Undo {
                admins: vec![spec.id.clone()],
                folders: vec![spec.path.clone()],
                branch: Some((spec.branch.clone(), spec.base.clone())),
                pool: None,
            };
            intent.write(&undo).unwrap();
        }
        for done in steps.iter().take(step) {
            done();
        }
        drop(intent);
        if step % 2 == 0 {
            // The run is given up: whatever is made next clears up.
            let other = fixture.spec("other");
            worktrees.create(&other).unwrap();
            fixture.assert_no_trace(&spec);
            assert!(!spec.path.exists() || fs::read_dir(&spec.path).unwrap().count() == 0);
        }
        assert_eq!(worktrees.create(&spec).unwrap(), Created::Fresh, "step {step}");
        fixture.assert_as_git_makes_it(&spec);
        assert!(!worktrees.intents_dir().join("one").exists(), "step {step}");
    }
}

#[test]
fn killed_after_the_last_step_it_is_whole_and_kept() {
    let fixture = Fixture::varied();
    let (worktrees, spec) = (fixture.worktrees(), fixture.spec("one"));
    worktrees.create(&spec).unwrap();
    write(&spec.path, "work", "of an agent\n");
    let (mut intent, _) = Intent::acquire(&worktrees.intents_dir(), &spec.id).unwrap();
    let undo = Undo {
        admins: vec![spec.id.clone()],
        folders: vec![spec.path.clone()],
        branch: Some((spec.branch.clone(), spec.base.clone())),
        pool: None,
    };
    intent.write(&undo).unwrap();
    drop(intent);
    fixture.worktrees().create(&fixture.spec("other")).unwrap();
    assert!(spec.path.join("work").exists());
    assert_eq!(worktrees.create(&spec).unwrap(), Created::Existing);
    assert!(!worktrees.intents_dir().join("one").exists());
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
        let from_linked = super::super::Repo::discover(&spec.path).unwrap();
        assert_eq!(from_linked.root.as_deref(), Some(fixture.root().as_path()));
        assert_eq!(from_linked.head().unwrap().branch.as_deref(), Some("orch/one"));
    }
}
