use crate::git::fixture::{Fixture, git, read, write};
use crate::git::{GitError, LARGEST_FILE};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

const REF: &str = "refs/orch/snapshots/t";

fn index_of(worktree: &Path) -> (Vec<u8>, std::time::SystemTime) {
    let index = git(worktree, &["rev-parse", "--path-format=absolute", "--git-path", "index"]);
    let written = std::fs::metadata(&index).unwrap().modified().unwrap();
    (std::fs::read(index).unwrap(), written)
}

/// Changes of every kind.
fn work(w: &Path) {
    write(w, "a.txt", "uncommitted\n");
    write(w, "staged", "staged\n");
    git(w, &["add", "staged"]);
    write(w, "new/deep/file", "untracked\n");
    std::fs::remove_file(w.join("b.txt")).unwrap();
    std::fs::remove_dir_all(w.join("src")).unwrap();
    symlink("a.txt", w.join("src")).unwrap();
    write(w, "run", "#!/bin/sh\n");
    std::fs::set_permissions(w.join("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    write(w, ".gitignore", "*.o\n");
    write(w, "x.o", "ignored\n");
    write(w, "odd \t\u{e9}", "a name\n");
}

#[test]
fn a_worktree_is_kept_as_it_is_and_not_touched() {
    for format in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let f = Fixture::with(format);
        let w = f.worktree("t");
        let start = f.oid("main");
        work(&w);
        let (status, index) = (git(&w, &["status", "--porcelain", "-uall"]), index_of(&w));
        // A lock of the agent's own git is no hindrance, and stays.
        let lock = git(&w, &["rev-parse", "--path-format=absolute", "--git-path", "index.lock"]);
        std::fs::write(&lock, "").unwrap();
        assert!(f.repo.take_snapshot("t", &w, &start, None).unwrap().taken);
        assert!(Path::new(&lock).exists());
        std::fs::remove_file(lock).unwrap();
        assert_eq!(index_of(&w), index, "the worktree's index was written");
        assert_eq!(git(&w, &["status", "--porcelain", "-uall"]), status);

        assert_eq!(f.oid(&format!("{REF}^")), start);
        // What git itself would have committed.
        git(&w, &["add", "-A"]);
        let all = git(&w, &["write-tree"]);
        assert_eq!(f.oid(&format!("{REF}^{{tree}}")), all);
        f.is_sound();
    }
}

#[test]
fn the_same_again_writes_nothing_and_a_change_does() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let start = f.oid("main");
    let take = |before| f.repo.take_snapshot("t", &w, &start, before).unwrap();
    let nothing = take(None);
    assert!(!nothing.taken);
    assert_eq!(f.repo.snapshot_of("t").unwrap(), None);

    write(&w, "a.txt", "one\n");
    let first = take(Some(nothing.mark));
    assert!(first.taken);
    let kept = f.oid(REF);
    let again = take(Some(first.mark));
    assert!(!again.taken && again.mark == first.mark);
    // Also for one who does not remember: the commit is the same.
    assert!(!take(None).taken);
    assert_eq!(f.oid(REF), kept);

    write(&w, "a.txt", "two two\n");
    assert!(take(Some(first.mark)).taken);
    assert_eq!(f.git(&["show", &format!("{REF}:a.txt")]), "two two");
    // What the agent commits itself is in it too.
    git(&w, &["commit", "-qam", "own"]);
    assert!(take(None).taken);
    assert_eq!(f.oid(&format!("{REF}^")), f.oid("orch/t"));
    f.is_sound();
}

#[test]
fn what_is_too_large_is_left_out_and_named() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let start = f.oid("main");
    let file = std::fs::File::create(w.join("core.dump")).unwrap();
    file.set_len(LARGEST_FILE + 1).unwrap();
    std::fs::File::options().write(true).open(w.join("a.txt")).unwrap().set_len(5 << 20).unwrap();
    write(&w, "small", "small\n");
    git(&w, &["init", "-q", "inner"]);
    write(&w, "inner/x", "theirs\n");
    git(&w.join("inner"), &["add", "-A"]);
    let who = ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "x"];
    git(&w.join("inner"), &who);
    f.repo.take_snapshot("t", &w, &start, None).unwrap();
    let kept = f.repo.snapshot_of("t").unwrap().unwrap();
    assert_eq!(kept.left_out, ["a.txt", "core.dump", "inner"]);
    let names = f.git(&["ls-tree", "-r", "--name-only", REF]);
    assert_eq!(names, "a.txt\nb.txt\nsmall\nsrc/c.txt");
    assert_eq!(f.oid(&format!("{REF}:a.txt")), f.oid("main:a.txt"));

    for n in 0..17 {
        let file = std::fs::File::create(w.join(format!("part{n}"))).unwrap();
        file.set_len(LARGEST_FILE).unwrap();
    }
    let refused = f.repo.take_snapshot("t", &w, &start, None);
    assert!(matches!(refused, Err(GitError::Refused(why)) if why.contains("68 MiB")));
    assert_eq!(f.repo.snapshot_of("t").unwrap().unwrap().commit, kept.commit);
}

#[test]
fn with_filters_git_itself_writes_what_is_kept() {
    let f = Fixture::new();
    f.git(&["config", "filter.upper.clean", "tr a-z A-Z"]);
    f.git(&["config", "filter.upper.smudge", "tr A-Z a-z"]);
    std::fs::write(f.root.join(".gitattributes"), "*.up filter=upper\n").unwrap();
    f.git(&["add", "-A"]);
    f.git(&["commit", "-qm", "filters"]);
    let w = f.worktree("t");
    write(&w, "x.up", "words\n");
    let looked = f.repo.take_snapshot("t", &w, &f.oid("main"), None).unwrap();
    assert!(looked.taken);
    assert_eq!(f.git(&["show", &format!("{REF}:x.up")]), "WORDS");
    let admin = f.root.join(".git/worktrees/t");
    let left: Vec<_> = std::fs::read_dir(admin).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("orch-index-")), "{left:?}");
}

#[test]
fn a_snapshot_is_laid_over_the_start_and_let_go_of() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let start = f.oid("main");
    work(&w);
    let status = git(&w, &["status", "--porcelain", "-uall"]);
    f.repo.take_snapshot("t", &w, &start, None).unwrap();
    let held = f.repo.hold_snapshot("t").unwrap();
    f.repo.rewind_worktree(&w, "orch/t", &start, "t").unwrap();
    assert_eq!(read(&w, "b.txt").lines().count(), 20);
    f.repo.unpack(&held, &w).unwrap();
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let now = git(&w, &["status", "--porcelain", "-uall"]);
    // What was staged is untracked now. The ignored file was never kept, and is gone.
    assert_eq!(sorted(&now), sorted(&status.replace("A  ", "?? ")));
    assert!(!w.join("x.o").exists());

    // A later one does not take the held one away.
    write(&w, "a.txt", "later\n");
    f.repo.take_snapshot("t", &w, &start, None).unwrap();
    f.git(&["reflog", "expire", "--expire=now", "--all"]);
    f.git(&["gc", "-q", "--prune=now"]);
    assert_eq!(f.git(&["show", &format!("{held}:a.txt")]), "uncommitted");

    let latest = f.oid(REF);
    assert!(f.repo.forget_snapshot("t", Some(&held)).is_err(), "it moved since it was looked at");
    f.repo.forget_snapshot("t", Some(&latest)).unwrap();
    assert_eq!(f.git(&["for-each-ref", "refs/orch/snapshots", "refs/orch/retries"]), "");
    assert!(matches!(f.repo.hold_snapshot("t"), Err(GitError::InTheWay(_))));
}

#[test]
fn a_lock_left_by_a_killed_process_hinders_nothing_and_goes() {
    let f = Fixture::new();
    let w = f.worktree("t");
    let start = f.oid("main");
    let locked = |name: &str| {
        let lock = format!(".git/refs/orch/{name}.lock");
        write(&f.root, &lock, "");
        let lock = f.root.join(lock);
        let before = std::time::SystemTime::now() - std::time::Duration::from_secs(10);
        std::fs::File::options().write(true).open(&lock).unwrap().set_modified(before).unwrap();
        lock
    };
    let (mine, held, other) = (locked("snapshots/t"), locked("retries/t"), locked("snapshots/u"));
    write(&w, "a.txt", "uncommitted\n");
    assert!(f.repo.take_snapshot("t", &w, &start, None).unwrap().taken);
    assert!(!mine.exists() && !held.exists() && !other.exists());
    for name in ["snapshots/t", "retries/t"] {
        let lock = locked(name);
        let kept = f.repo.hold_snapshot("t").unwrap();
        assert!(!lock.exists());
        let lock = locked(name);
        f.repo.forget_snapshot("t", Some(&kept)).unwrap();
        assert!(!lock.exists());
        f.repo.take_snapshot("t", &w, &start, None).unwrap();
    }
    let left = locked("snapshots/gone");
    f.repo.unlock_snapshots().unwrap();
    assert!(!left.exists());
    assert_ne!(f.oid(REF), start);
}
