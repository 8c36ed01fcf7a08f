//! The pool: what gets in, what comes out, and what a crash leaves.

use super::super::executable::{git, git_line};
use super::super::worktree::files_in;
use super::super::worktree::fixture::{Fixture, snapshot, write};
use super::super::worktree::{Created, Intent, PoolLimits, Undo, WorktreeSpec, Worktrees};
use super::PoolEntry;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A worktree that was made and recycled, and its former branch deleted.
fn recycled(fixture: &Fixture, worktrees: &Worktrees) -> PoolEntry {
    let spec = fixture.spec("first");
    worktrees.create(&spec).unwrap();
    assert!(worktrees.recycle(&spec.id, &spec.path).unwrap());
    assert!(!spec.path.exists());
    fixture.git(&["branch", "-q", "-D", &spec.branch]);
    let [entry] = &worktrees.pool_entries()[..] else { panic!("one entry") };
    assert_eq!(entry.oid, spec.base);
    entry.clone()
}

fn place(fixture: &Fixture, entry: &PoolEntry) -> PathBuf {
    fixture.root().join(".git/orch/pool").join(&entry.name).join("tree")
}

/// Nothing of the pool is left, neither folders nor entries in git's bookkeeping.
fn assert_empty(fixture: &Fixture, worktrees: &Worktrees) {
    assert_eq!(worktrees.pool_entries(), []);
    assert_eq!(files_in(&fixture.root().join(".git/orch/pool")), Vec::<PathBuf>::new());
    assert!(!fixture.root().join(".worktrees/.pool").exists());
    assert!(!fixture.git(&["worktree", "list"]).contains("orch-pool"));
}

#[test]
fn the_pool_is_not_to_be_seen() {
    let fixture = Fixture::varied();
    let worktrees = fixture.worktrees();
    let entry = recycled(&fixture, &worktrees);
    assert_eq!(worktrees.prepare(&entry.oid, 1).unwrap(), 1);
    assert_eq!(worktrees.pool_entries().len(), 2);
    assert_eq!(fixture.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(files_in(&fixture.root().join(".worktrees")), Vec::<PathBuf>::new());
    assert_eq!(fixture.git(&["status", "--porcelain", "--ignored"]), "");
    assert_eq!(files_in(&fixture.root().join(".git/worktrees")), Vec::<PathBuf>::new());
    // Whoever finds one can look at it with git.
    let there = place(&fixture, &entry);
    assert_eq!(git_line(&there, &["status", "--porcelain"]).unwrap(), "");
    assert_eq!(git_line(&there, &["rev-parse", "HEAD"]).unwrap(), entry.oid);
    assert_eq!(worktrees.drain().unwrap(), 2);
    assert_empty(&fixture, &worktrees);
    assert!(!fixture.root().join(".worktrees").exists());
}

#[test]
fn an_entry_whose_objects_git_has_pruned_is_brought_to_the_base() {
    let fixture = Fixture::varied();
    let worktrees = fixture.worktrees();
    let spec = fixture.spec("first");
    worktrees.create(&spec).unwrap();
    write(&spec.path, "src/m0/f0.rs", "work\n");
    write(&spec.path, "late/and/deep", "work\n");
    git(&spec.path, &["add", "-A"]).unwrap();
    git(&spec.path, &["commit", "-q", "-m", "work"]).unwrap();
    assert!(worktrees.recycle(&spec.id, &spec.path).unwrap());
    let lost = worktrees.pool_entries()[0].oid.clone();
    fixture.git(&["branch", "-q", "-D", &spec.branch]);
    fixture.git(&["reflog", "expire", "--expire=now", "--all"]);
    fixture.git(&["prune", "--expire=now"]);
    assert!(git(&fixture.root(), &["cat-file", "-e", &lost]).is_err());
    let next = fixture.spec("second");
    assert_eq!(fixture.worktrees().create(&next).unwrap(), Created::FromPool);
    fixture.assert_as_git_makes_it(&next);
    assert_eq!(git_line(&next.path, &["write-tree"]).unwrap().len(), 40);
}

#[test]
fn an_index_that_is_not_of_its_commit_is_not_believed() {
    let fixture = Fixture::varied();
    let worktrees = fixture.worktrees();
    let entry = recycled(&fixture, &worktrees);
    // Names an object that does not exist, for a file that is as it was written.
    let index = place(&fixture, &entry).with_file_name("admin").join("index");
    let mut bytes = fs::read(&index).unwrap();
    let id = fixture.git(&["rev-parse", "HEAD:a.b"]);
    let id = git2::Oid::from_str(&id).unwrap();
    let at = bytes.windows(20).position(|window| window == id.as_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&index, bytes).unwrap();
    let spec = fixture.spec("second");
    worktrees.create(&spec).unwrap();
    fixture.assert_as_git_makes_it(&spec);
}

#[test]
fn entries_of_an_earlier_version_go_unless_somebody_changed_them() {
    let fixture = Fixture::varied();
    let old = |name: &str| fixture.root().join(".worktrees/.pool").join(name);
    let voucher = |name: &str| fixture.root().join(".git/orch/pool").join(name);
    fs::create_dir_all(voucher("")).unwrap();
    let head = fixture.spec("x").base;
    let names = ["clean", "changed", "gone", "unvouched"].map(|name| format!("orch-pool-{name}"));
    // One process, which clears up before it makes the first.
    let earlier = fixture.worktrees();
    for name in &names {
        let spec = fixture.spec(name);
        earlier.create(&spec).unwrap();
        git(&spec.path, &["checkout", "-q", "--detach"]).unwrap();
        fs::create_dir_all(old("")).unwrap();
        fixture.git(&["worktree", "move", spec.path.to_str().unwrap(), old("").to_str().unwrap()]);
        let text = format!(r#"{{"name":"{name}","oid":"{head}","bytes":1,"files":1}}"#);
        fs::create_dir_all(voucher("")).unwrap();
        fs::write(voucher(name), text).unwrap();
    }
    write(&old(&names[1]), "notes.txt", "mine\n");
    fs::remove_dir_all(old(&names[2])).unwrap();
    fs::remove_file(voucher(&names[3])).unwrap();
    let worktrees = fixture.worktrees();
    let spec = fixture.spec("next");
    assert_eq!(worktrees.create(&spec).unwrap(), Created::Fresh);
    let list = fixture.git(&["worktree", "list"]);
    for (name, stays) in names.iter().zip([false, true, false, true]) {
        assert_eq!(old(name).exists(), stays, "{name}");
        assert_eq!(list.contains(name.as_str()), stays, "{name}: {list}");
    }
    assert!(old(&names[1]).join("notes.txt").exists());
    assert!(!voucher(&names[0]).exists() && !voucher(&names[2]).exists());
    assert_eq!(worktrees.pool_entries(), []);
}

/// Only where there are two file systems to try it on.
#[test]
fn a_worktree_on_another_file_system_is_left_where_it_is() {
    use std::os::unix::fs::MetadataExt;
    let fixture = Fixture::varied();
    let other = tempfile::tempdir().unwrap();
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(other.path()) == device(&fixture.root()) {
        return;
    }
    symlink(other.path(), fixture.root().join(".worktrees")).unwrap();
    let worktrees = fixture.worktrees();
    let spec = fixture.spec("one");
    assert_eq!(worktrees.create(&spec).unwrap(), Created::Fresh);
    let path = spec.path.canonicalize().unwrap();
    write(&path, "src/m0/f0.o", "ignored\n");
    assert!(!worktrees.recycle(&spec.id, &path).unwrap());
    assert!(path.join("src/m0/f0.o").exists());
    assert_eq!(git_line(&path, &["status", "--porcelain"]).unwrap(), "");
    assert_eq!(worktrees.prepare(&spec.base, 1).unwrap(), 0);
    assert_empty(&fixture, &worktrees);
}

#[test]
fn a_recycled_worktree_comes_back_as_new() {
    let fixture = Fixture::varied();
    let worktrees = fixture.worktrees();
    let entry = recycled(&fixture, &worktrees);
    assert!(entry.files > 40 && entry.bytes > 0);
    let spec = fixture.spec("second");
    assert_eq!(worktrees.create(&spec).unwrap(), Created::FromPool);
    fixture.assert_as_git_makes_it(&spec);
    assert_eq!(worktrees.pool_entries(), []);
    assert_eq!(worktrees.create(&spec).unwrap(), Created::Existing);
    assert_eq!(git_line(&spec.path, &["reflog"]).unwrap().lines().count(), 1);
}

#[test]
fn a_prepared_worktree_is_used_by_another_process() {
    let fixture = Fixture::varied();
    let base = fixture.spec("x").base;
    assert_eq!(fixture.worktrees().prepare(&base, 3).unwrap(), 3);
    assert_eq!(fixture.worktrees().pool_entries().len(), 3);
    for id in ["one", "two", "three"] {
        let spec = fixture.spec(id);
        assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::FromPool);
        fixture.assert_as_git_makes_it(&spec);
    }
    assert_eq!(fixture.worktrees().create(&fixture.spec("four")).unwrap(), Created::Fresh);
}

#[test]
fn a_new_base_replaces_files_by_folders_and_back() {
    let fixture = Fixture::varied();
    let worktrees = fixture.worktrees();
    fixture.write("kind/file-then-folder", "a file\n");
    fixture.write("kind/folder-then-file/deep/x", "in a folder\n");
    fixture.write("kind/folder-then-link/x", "in a folder\n");
    symlink("../run.sh", fixture.root().join("kind/link-then-folder")).unwrap();
    fixture.write("mode.sh", "#!/bin/sh\n");
    fixture.write("leaves/with/its/folders", "x\n");
    let old = fixture.commit("old");
    recycled(&fixture, &worktrees);
    let root = fixture.root();
    fs::remove_dir_all(root.join("kind")).unwrap();
    fs::remove_dir_all(root.join("leaves")).unwrap();
    fixture.write("kind/file-then-folder/y", "now in a folder\n");
    fixture.write("kind/folder-then-file", "now a file\n");
    fixture.write("kind/link-then-folder/x", "now in a folder\n");
    symlink("nowhere", root.join("kind/folder-then-link")).unwrap();
    fs::set_permissions(root.join("mode.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fixture.write("empty", "no longer\n");
    let new = fixture.commit("new");
    let mut spec = fixture.spec("second");
    assert_eq!(worktrees.create(&spec).unwrap(), Created::FromPool);
    fixture.assert_as_git_makes_it(&spec);
    // And the way back, from another process.
    assert!(worktrees.recycle(&spec.id, &spec.path).unwrap());
    spec = WorktreeSpec { base: old, ..fixture.spec("third") };
    assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::FromPool);
    fixture.assert_as_git_makes_it(&spec);
    assert_ne!(spec.base, new);
}

/// What is done to a worktree, with a name.
type Soil<'a> = (&'a str, &'a dyn Fn(&WorktreeSpec));

#[test]
fn work_is_never_recycled() {
    let fixture = Fixture::varied();
    let worktrees = fixture.worktrees();
    let soil: [Soil<'_>; 9] = [
        ("modified", &|spec| write(&spec.path, "src/m0/f0.rs", "fn f0() {x}\n")),
        ("same size", &|spec| write(&spec.path, "src/m0/f0.rs", "fn g0() {}\n")),
        ("deleted", &|spec| fs::remove_file(spec.path.join("empty")).unwrap()),
        ("untracked", &|spec| write(&spec.path, "notes.txt", "mine\n")),
        ("untracked deep", &|spec| write(&spec.path, "new/deep/notes.txt", "mine\n")),
        ("mode", &|spec| {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(spec.path.join("empty"), mode).unwrap();
        }),
        ("staged", &|spec| {
            write(&spec.path, "staged", "x\n");
            git(&spec.path, &["add", "staged"]).unwrap();
            fs::remove_file(spec.path.join("staged")).unwrap();
        }),
        ("link", &|spec| {
            fs::remove_file(spec.path.join("link")).unwrap();
            symlink("elsewhere", spec.path.join("link")).unwrap();
        }),
        ("repository", &|spec| git(&spec.path, &["init", "-q", "clone"]).map(|_| ()).unwrap()),
    ];
    for (n, (what, act)) in soil.iter().enumerate() {
        let spec = fixture.spec(&format!("t{n}"));
        worktrees.create(&spec).unwrap();
        act(&spec);
        assert!(!worktrees.recycle(&spec.id, &spec.path).unwrap(), "{what}");
        assert!(spec.path.exists(), "{what}");
        let status = git_line(&spec.path, &["status", "--porcelain"]).unwrap();
        assert_ne!(status, "", "{what}");
    }
    assert_eq!(worktrees.pool_entries(), []);
}

#[test]
fn what_is_committed_is_clean_and_what_is_ignored_goes() {
    let fixture = Fixture::varied();
    let worktrees = fixture.worktrees();
    let spec = fixture.spec("one");
    worktrees.create(&spec).unwrap();
    write(&spec.path, "src/m0/f0.rs", "work\n");
    git(&spec.path, &["commit", "-q", "-am", "work"]).unwrap();
    write(&spec.path, "build/output/x", "x\n");
    write(&spec.path, "src/m0/f0.o", "x\n");
    write(&spec.path, "only/ignored.o", "x\n");
    fs::create_dir(spec.path.join("hollow")).unwrap();
    let tip = git_line(&spec.path, &["rev-parse", "HEAD"]).unwrap();
    assert!(worktrees.recycle(&spec.id, &spec.path).unwrap());
    assert_eq!(worktrees.pool_entries()[0].oid, tip);
    assert_eq!(fixture.git(&["rev-parse", &spec.branch]), tip);
    let next = fixture.spec("two");
    assert_eq!(worktrees.create(&next).unwrap(), Created::FromPool);
    fixture.assert_as_git_makes_it(&next);
}

#[test]
fn an_entry_that_was_touched_is_kept_and_never_used() {
    let soil: [&dyn Fn(&Path); 6] = [
        &|place| write(place, "src/m0/f0.rs", "fn g0() {}\n"),
        &|place| write(place, "src/m0/late.o", "ignored, but there\n"),
        &|place| fs::remove_file(place.join("empty")).unwrap(),
        &|place| fs::create_dir(place.join("src/hollow")).unwrap(),
        &|place| fs::remove_file(place.join(".git")).unwrap(),
        &|place| fs::remove_dir_all(place).unwrap(),
    ];
    for (n, act) in soil.iter().enumerate() {
        let fixture = Fixture::varied();
        let worktrees = fixture.worktrees();
        let entry = recycled(&fixture, &worktrees);
        act(&place(&fixture, &entry));
        let before = (n < 5).then(|| snapshot(&place(&fixture, &entry)));
        for id in ["second", "third"] {
            let spec = fixture.spec(id);
            // The second time in another process, which clears up first.
            assert_eq!(fixture.worktrees().create(&spec).unwrap(), Created::Fresh, "case {n}");
            fixture.assert_as_git_makes_it(&spec);
        }
        assert_eq!(worktrees.pool_entries(), []);
        if let Some(before) = before {
            let kept = PoolEntry { name: format!("changed-{}", entry.name), ..entry };
            assert_eq!(snapshot(&place(&fixture, &kept)), before, "case {n}");
            git(&place(&fixture, &kept), &["status"]).unwrap();
            assert_eq!(worktrees.drain().unwrap(), 1);
        }
        assert_empty(&fixture, &worktrees);
    }
}

#[test]
fn the_limits_hold_and_zero_turns_it_off() {
    let fixture = Fixture::varied();
    let base = fixture.spec("x").base;
    let with = |count, bytes| Worktrees::new(fixture.repo(), PoolLimits { count, bytes }).unwrap();
    assert_eq!(with(0, u64::MAX).prepare(&base, 2).unwrap(), 0);
    assert_eq!(with(8, 10).prepare(&base, 2).unwrap(), 0);
    assert_empty(&fixture, &with(8, 10));
    assert_eq!(with(2, u64::MAX).prepare(&base, 5).unwrap(), 2);
    let spec = fixture.spec("one");
    assert_eq!(with(0, u64::MAX).create(&spec).unwrap(), Created::Fresh);
    assert!(!with(2, u64::MAX).recycle(&spec.id, &spec.path).unwrap());
    fixture.assert_sound(&spec);
    assert_eq!(with(2, u64::MAX).drain().unwrap(), 2);
    assert_empty(&fixture, &with(8, 10));
    fixture.assert_sound(&spec);
}

#[test]
fn many_at_once_never_share_an_entry() {
    let fixture = Fixture::varied();
    let base = fixture.spec("x").base;
    for round in 0..5 {
        fixture.worktrees().prepare(&base, 6).unwrap();
        let (one, two) = (fixture.worktrees(), fixture.worktrees());
        let specs: Vec<_> = (0..12).map(|n| fixture.spec(&format!("t{round}-{n}"))).collect();
        let made: Vec<Created> = std::thread::scope(|scope| {
            let threads: Vec<_> = specs
                .iter()
                .enumerate()
                .map(|(n, spec)| {
                    let worktrees = if n % 2 == 0 { &one } else { &two };
                    scope.spawn(move || worktrees.create(spec).unwrap())
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(made.iter().filter(|m| **m == Created::FromPool).count(), 6, "{made:?}");
        for spec in &specs {
            fixture.assert_sound(spec);
        }
        std::thread::scope(|scope| {
            for spec in &specs {
                scope.spawn(|| one.recycle(&spec.id, &spec.path).unwrap());
            }
        });
        assert_eq!(one.pool_entries().len(), 8, "round {round}");
        assert_eq!(two.drain().unwrap(), 8);
    }
}

/// Every state a kill between two steps of taking an entry leaves.
#[test]
fn a_crash_while_taking_an_entry_is_cleared_up() {
    for step in 0..9 {
        let fixture = Fixture::varied();
        let worktrees = fixture.worktrees();
        let entry = recycled(&fixture, &worktrees);
        let spec = fixture.spec("second");
        let (mut intent, _) = Intent::acquire(&worktrees.intents_dir(), &spec.id).unwrap();
        let undo = Undo {
            admins: vec![spec.id.clone()],
            folders: vec![spec.path.clone()],
            branch: Some((spec.branch.clone(), spec.base.clone())),
            pool: Some(entry.name.clone()),
        };
        intent.write(&undo).unwrap();
        let common = fixture.root().join(".git");
        let home = common.join("orch/pool").join(&entry.name);
        let (from, to) = (home.join("admin"), common.join("worktrees").join(&spec.id));
        let steps: [&dyn Fn(); 8] = [
            &|| fs::remove_file(home.join("entry")).unwrap(),
            &|| fs::write(from.join("locked"), "orch is making this worktree\n").unwrap(),
            &|| fs::remove_file(place(&fixture, &entry).join("empty")).unwrap(),
            &|| {
                let gitdir = format!("{}/.git\n", spec.path.display());
                fs::write(from.join("gitdir"), gitdir).unwrap();
                fs::write(from.join("commondir"), "../..\n").unwrap();
            },
            &|| fs::rename(place(&fixture, &entry), &spec.path).unwrap(),
            &|| {
                let gitfile = format!("gitdir: {}\n", to.display());
                fs::write(spec.path.join(".git"), gitfile).unwrap();
            },
            &|| {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::rename(&from, &to).unwrap();
            },
            &|| {
                fs::remove_dir(&home).unwrap();
                fixture.git(&["branch", "-q", &spec.branch]);
            },
        ];
        for done in steps.iter().take(step) {
            done();
        }
        drop(intent);
        let expected = if step == 0 { Created::FromPool } else { Created::Fresh };
        if step % 2 == 1 {
            let other = fixture.spec("other");
            assert_eq!(fixture.worktrees().create(&other).unwrap(), expected, "step {step}");
            fixture.assert_no_trace(&spec);
            assert!(!spec.path.exists(), "step {step}");
            fixture.assert_as_git_makes_it(&other);
        }
        assert_eq!(fixture.worktrees().create(&spec).unwrap(), expected, "step {step}");
        fixture.assert_as_git_makes_it(&spec);
        assert_empty(&fixture, &worktrees);
    }
}

/// Every state a kill between two steps of recycling leaves.
#[test]
fn a_crash_while_recycling_is_cleared_up() {
    for step in 0..8 {
        let fixture = Fixture::varied();
        let spec = fixture.spec("first");
        let worktrees = fixture.worktrees();
        worktrees.create(&spec).unwrap();
        let name = "orch-pool-test".to_owned();
        let home = fixture.root().join(".git/orch/pool").join(&name);
        let folder = home.join("tree");
        let (mut intent, _) = Intent::acquire(&worktrees.intents_dir(), &spec.id).unwrap();
        let undo = Undo {
            admins: vec![spec.id.clone()],
            folders: Vec::new(),
            branch: None,
            pool: Some(name.clone()),
        };
        intent.write(&undo).unwrap();
        let entries = fixture.root().join(".git/worktrees");
        let (from, to) = (entries.join(&spec.id), home.join("admin"));
        let steps: [&dyn Fn(); 7] = [
            &|| fs::create_dir_all(&home).unwrap(),
            &|| fs::rename(&spec.path, &folder).unwrap(),
            &|| fs::rename(&from, &to).unwrap(),
            &|| fs::write(to.join("locked"), "orch is making this worktree\n").unwrap(),
            &|| fs::write(to.join("commondir"), "../../../..\n").unwrap(),
            &|| {
                fs::write(to.join("gitdir"), format!("{}/.git\n", folder.display())).unwrap();
                fs::write(folder.join(".git"), format!("gitdir: {}\n", to.display())).unwrap();
            },
            &|| fs::remove_file(to.join("locked")).unwrap(),
        ];
        for done in steps.iter().take(step) {
            done();
        }
        drop(intent);
        let other = fixture.spec("other");
        assert_eq!(fixture.worktrees().create(&other).unwrap(), Created::Fresh, "step {step}");
        assert_empty(&fixture, &worktrees);
        assert!(!home.exists(), "step {step}");
        if step <= 1 {
            fixture.assert_sound(&spec);
        } else {
            assert!(!entries.join(&spec.id).exists(), "step {step}");
            // The branch is its owner's; the worktree can be made again.
            assert_eq!(worktrees.create(&spec).unwrap(), Created::Fresh, "step {step}");
        }
    }
}

#[test]
fn a_worktree_of_somebody_else_is_not_taken() {
    let fixture = Fixture::varied();
    let worktrees = fixture.worktrees();
    let other = fixture.dir.path().join("other");
    fixture.git(&["worktree", "add", "-q", other.to_str().unwrap()]);
    // Right name, wrong place.
    assert!(!worktrees.recycle("other", &fixture.root()).unwrap());
    // Not where worktrees are made here.
    assert!(!worktrees.recycle("other", &other).unwrap());
    assert!(other.join("run.sh").exists());
    // Locked by a person.
    let spec = fixture.spec("one");
    worktrees.create(&spec).unwrap();
    fixture.git(&["worktree", "lock", ".worktrees/one"]);
    assert!(!worktrees.recycle("one", &spec.path).unwrap());
    fixture.git(&["worktree", "unlock", ".worktrees/one"]);
    // Where only git makes worktrees, there is no pool.
    fixture.git(&["config", "core.eol", "crlf"]);
    assert!(!worktrees.recycle("one", &spec.path).unwrap());
    fixture.git(&["config", "--unset", "core.eol"]);
    assert!(worktrees.recycle("one", &spec.path).unwrap());
    fixture.git(&["config", "core.eol", "crlf"]);
    assert_eq!(worktrees.prepare(&fixture.spec("x").base, 1).unwrap(), 0);
}
