//! Killed at any instant, it is made whole or cleared up by the next call.

use super::super::fixture::{Fixture, write};
use super::super::{Admin, Created, Intent, PoolLimits, Undo, WorktreeSpec, Worktrees};
use std::fs;

/// Runs in a process of its own, which the next test kills: makes, recycles and prepares worktrees
/// in the repository that the environment names, for as long as it is let.
#[test]
fn child_of_the_next_test() {
    let Some(root) = std::env::var_os("ORCH_TEST_KILLED_IN") else { return };
    let repo = super::super::super::Repo::discover(root.as_ref()).unwrap();
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
    let child = "git::worktree::tests::crash::child_of_the_next_test";
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
        intent.abandon();
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
    intent.abandon();
    fixture.worktrees().create(&fixture.spec("other")).unwrap();
    assert!(spec.path.join("work").exists());
    assert_eq!(worktrees.create(&spec).unwrap(), Created::Existing);
    assert!(!worktrees.intents_dir().join("one").exists());
}

/// The steps that leave neither nothing nor something whole: a lock, and an empty file.
#[test]
fn killed_within_a_step_it_is_cleared_up_too() {
    type Leave = fn(&Fixture, &WorktreeSpec);
    let left: [Leave; 4] = [
        |f, _| write(&f.root(), ".git/refs/heads/orch/one.lock", ""),
        |_, spec| write(&spec.path, ".git", ""),
        |f, spec| {
            write(&spec.path, ".git", &format!("gitdir: {}/.git/work", f.root().display()));
        },
        |_, spec| write(&spec.path, ".git.orch", ""),
    ];
    for (n, leave) in left.iter().enumerate() {
        for swept in [false, true] {
            let fixture = Fixture::varied();
            let (worktrees, spec) = (fixture.worktrees(), fixture.spec("one"));
            let (mut intent, _) = Intent::acquire(&worktrees.intents_dir(), &spec.id).unwrap();
            let undo = Undo {
                admins: vec![spec.id.clone()],
                folders: vec![spec.path.clone()],
                branch: Some((spec.branch.clone(), spec.base.clone())),
                pool: None,
            };
            intent.write(&undo).unwrap();
            leave(&fixture, &spec);
            intent.abandon();
            if swept {
                worktrees.create(&fixture.spec("other")).unwrap();
                assert!(!spec.path.exists(), "{n}");
            }
            assert_eq!(worktrees.create(&spec).unwrap(), Created::Fresh, "{n}");
            fixture.assert_as_git_makes_it(&spec);
        }
    }
}

#[test]
fn what_the_dead_did_not_make_stays() {
    for (file, content) in [(".git", "gitdir: /elsewhere\n"), (".git", "mine"), ("mine", "")] {
        let fixture = Fixture::varied();
        let (worktrees, spec) = (fixture.worktrees(), fixture.spec("one"));
        let (mut intent, _) = Intent::acquire(&worktrees.intents_dir(), &spec.id).unwrap();
        let (admins, folders) = (vec![spec.id.clone()], vec![spec.path.clone()]);
        intent.write(&Undo { admins, folders, branch: None, pool: None }).unwrap();
        write(&spec.path, file, content);
        intent.abandon();
        assert!(worktrees.create(&spec).is_err());
        assert_eq!(fs::read_to_string(spec.path.join(file)).unwrap(), content);
    }
}
