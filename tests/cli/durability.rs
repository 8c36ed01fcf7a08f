//! Backups, and a journal that is damaged while or after a run.

use crate::support::{Running, Sandbox, task, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::path::PathBuf;

fn journal(sandbox: &Sandbox) -> PathBuf {
    sandbox.repo.join(".git/orch/journal.db")
}

/// Everything after the first page of the file says nothing any more, and its log is gone.
fn damage(sandbox: &Sandbox) {
    let path = journal(sandbox);
    let mut bytes = fs::read(&path).unwrap();
    let kept = bytes.len().min(4096);
    bytes[kept / 2..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let log = path.with_file_name("journal.db-wal");
    if log.exists() {
        fs::write(log, "").unwrap();
    }
}

/// Files of replaced journals, by what they are called.
fn kept(sandbox: &Sandbox, label: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.repo.join(".git/orch")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let ending = ".db";
    names.filter(|name| name.starts_with(label) && name.ends_with(ending)).collect()
}

#[test]
fn a_backup_is_made_while_a_supervisor_works_and_restored_only_afterwards() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started\nwait_for go\necho done > done.txt");
    let run = sandbox.start("execute --tasks prompts/a.md");
    sandbox.wait_for_start("a");
    let file = sandbox.root.join("backup.db");
    let backup = format!("backup {}", file.display());
    sandbox.orch(&backup).exits(0);
    sandbox.orch(&backup).exits(2).complains("--force");
    let restore = format!("restore {}", file.display());
    sandbox.orch(&restore).exits(4);
    sandbox.open("go");
    run.finish().exits(0);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");

    sandbox.orch(&restore).exits(0);
    assert_eq!(kept(&sandbox, "journal.replaced-").len(), 1);
    assert_eq!(sandbox.status_of("a")["state"], "interrupted", "as it was then");
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
    assert_eq!(sandbox.attempts_of("a"), 1, "its result was still there");
    sandbox.orch(&format!("{backup} --force")).exits(0);
    sandbox.nothing_is_left_behind();
}

#[test]
fn what_is_no_sound_journal_is_not_restored_and_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo done > done.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let file = sandbox.root.join("backup.db");
    sandbox.orch(&format!("backup {}", file.display())).exits(0);
    let whole = fs::read(&file).unwrap();
    let before = fs::read(journal(&sandbox)).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2..].fill(0x11);
    let cases: [(&str, &[u8]); 4] = [
        ("a text", b"these are notes, and no database\n"),
        ("empty", b""),
        ("half of it", &whole[..whole.len() / 2]),
        ("flipped", &flipped),
    ];
    for (what, bytes) in cases {
        fs::write(&file, bytes).unwrap();
        let refused = sandbox.orch(&format!("restore {}", file.display()));
        assert!(refused.code != 0, "{what} was restored");
        assert!(refused.stderr.contains("backup.db"), "{what}: {}", refused.stderr);
        assert!(fs::read(journal(&sandbox)).unwrap() == before, "{what}");
    }
    let own = format!("restore {}", journal(&sandbox).display());
    sandbox.orch(&own).exits(2).complains("the journal itself");
    assert_eq!(kept(&sandbox, "journal.replaced-").len(), 0);
    sandbox.orch("restore nowhere.db").exits(2).complains("no such file");
}

#[test]
fn a_damaged_journal_is_rebuilt_under_live_agents() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.task("b", &["depends_on: [a]"], "started\nwait_for go\necho b > b.txt");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("b");
    let before = sandbox.status();
    run.signal(Signal::SIGKILL);
    run.finish();
    damage(&sandbox);
    let resumed = sandbox.start("resume");
    wait_until("the run has a supervisor", || {
        let status = sandbox.orch("status --json");
        status.code == 0 && status.json()["run"]["supervisor"]["alive"] == true
    });
    sandbox.open("go");
    resumed.finish().exits(0).complains("it is kept as").complains("rebuilt");
    assert_eq!(kept(&sandbox, "journal.corrupt-").len(), 1);
    let after = sandbox.status();
    assert_eq!(after["run"]["id"], before["run"]["id"]);
    for name in ["a", "b"] {
        let status = sandbox.status_of(name);
        assert_eq!(status["state"], "succeeded", "{status}");
        assert_eq!(sandbox.attempts_of(name), 1, "{name} ran again");
    }
    assert_eq!(sandbox.show(&sandbox.branch_of("b"), "a.txt"), "a");
    assert_eq!(sandbox.show(&sandbox.branch_of("b"), "b.txt"), "b");
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_rebuilt_journal_runs_nothing_again_that_has_landed() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &["verify: [\"test -s a.txt\"]"], "echo a > a.txt");
    sandbox.task("b", &[], "echo b > b.txt");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    sandbox.orch("merge a").exits(0);
    sandbox.orch("clean").exits(0);
    damage(&sandbox);
    sandbox
        .orch("resume")
        .exits(0)
        .complains("taken as landed, as no branch and worktree is left: a");
    assert_eq!(sandbox.status_of("a")["state"], "merged");
    assert_eq!(sandbox.status_of("b")["state"], "succeeded");
    assert_eq!((sandbox.attempts_of("a"), sandbox.attempts_of("b")), (1, 1));
    sandbox.orch("merge").exits(0);
    sandbox.orch("clean").exits(0);
    assert_eq!(sandbox.show("main", "a.txt"), "a");
    assert_eq!(sandbox.show("main", "b.txt"), "b");
}

#[test]
fn a_journal_cut_short_is_never_taken_for_an_empty_one() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let bytes = fs::read(journal(&sandbox)).unwrap();
    for length in [bytes.len() - 4096, 5000, 60] {
        fs::write(journal(&sandbox), &bytes[..length]).unwrap();
        sandbox.orch("status").exits(1).complains("orch resume");
        sandbox.orch("resume").exits(0).complains("it is kept as");
        assert_eq!(sandbox.status_of("a")["state"], "succeeded", "cut to {length}");
    }
    assert_eq!(kept(&sandbox, "journal.corrupt-").len(), 3);
    assert_eq!(sandbox.attempts_of("a"), 1);
}

#[test]
fn a_journal_that_is_gone_is_rebuilt_from_what_lies_beside_it() {
    let sandbox = Sandbox::new();
    sandbox.orch("resume").exits(2).complains("no run in this repository yet");
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    fs::remove_file(journal(&sandbox)).unwrap();
    sandbox.orch("resume").exits(0).complains("knows no run");
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
    assert_eq!(sandbox.attempts_of("a"), 1);
}

/// What `orch doctor` says of the journal: all of it is looked at.
fn diagnosis(sandbox: &Sandbox) -> serde_json::Value {
    let found = sandbox.orch("doctor --json").json();
    let findings = found["findings"].as_array().unwrap();
    findings.iter().find(|found| found["what"] == "journal").unwrap().clone()
}

/// The journal without a log, as one page after the other is overwritten with what means nothing.
fn page_by_page(sandbox: &Sandbox, mut check: impl FnMut(usize)) {
    let path = journal(sandbox);
    let whole = fs::read(&path).unwrap();
    assert!(!path.with_file_name("journal.db-wal").exists(), "all of it is in the one file");
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    for page in 0..whole.len() / 4096 {
        let mut bytes = whole.clone();
        for byte in &mut bytes[page * 4096..(page + 1) * 4096] {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            *byte = noise.to_le_bytes()[3];
        }
        for log in ["journal.db-wal", "journal.db-shm"] {
            let _ = fs::remove_file(path.with_file_name(log));
        }
        fs::write(&path, bytes).unwrap();
        check(page + 1);
    }
}

#[test]
fn any_damaged_page_of_a_finished_run_is_found_and_the_journal_rebuilt() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.task("b", &["depends_on: [a]"], "echo b > b.txt");
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    let mut damaged = 0;
    page_by_page(&sandbox, |page| {
        damaged += 1;
        let before = diagnosis(&sandbox);
        assert_eq!((&before["health"], &before["fix"]), (&"problem".into(), &"orch resume".into()));
        if page % 3 == 0 {
            // Whoever takes the place of a supervisor mends it first.
            let retry = sandbox.orch("retry --failed").complains("it is kept as");
            // Nothing failed; but where a step has to be done again, it is not all done.
            let open = retry.stderr.contains("go on with: orch resume");
            retry.exits(i32::from(open)).complains("nothing to retry");
            sandbox.orch("resume").exits(0);
        } else {
            sandbox.orch("resume").exits(0).complains("it is kept as");
        }
        assert_eq!(diagnosis(&sandbox)["health"], "ok", "page {page}");
        for name in ["a", "b"] {
            assert_eq!(sandbox.status_of(name)["state"], "succeeded", "page {page}");
        }
    });
    assert!(damaged > 5);
    assert_eq!(kept(&sandbox, "journal.corrupt-").len(), damaged);
    assert_eq!((sandbox.attempts_of("a"), sandbox.attempts_of("b")), (1, 1));
}

#[test]
fn any_damaged_page_of_an_interrupted_run_is_found_and_the_journal_rebuilt() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.task("b", &["depends_on: [a]"], "started\nwait_for go\necho b > b.txt");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("b");
    run.signal(Signal::SIGKILL);
    run.finish();
    // Whoever opens it last puts its log into it.
    sandbox.status();
    page_by_page(&sandbox, |page| {
        eprintln!("page {page}: {}", diagnosis(&sandbox));
        let resumed = sandbox.start("resume");
        wait_until("the run has a supervisor that knows what is done", || {
            let status = sandbox.orch("status --json");
            status.code == 0 && {
                let status = status.json();
                status["run"]["supervisor"]["alive"] == true
                    && task(&status, "a")["state"] == "succeeded"
            }
        });
        resumed.signal(Signal::SIGKILL);
        resumed.finish().complains("it is kept as");
        assert_eq!(diagnosis(&sandbox)["health"], "ok", "page {page}");
    });
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.status_of("b")["state"], "succeeded");
    assert_eq!((sandbox.attempts_of("a"), sandbox.attempts_of("b")), (1, 1));
    sandbox.nothing_is_left_behind();
}

#[test]
fn nothing_is_merged_or_cleaned_by_a_damaged_journal() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let main = sandbox.git(["rev-parse", "main"]);
    let last = fs::read(journal(&sandbox)).unwrap().len() / 4096;
    page_by_page(&sandbox, |page| {
        for command in ["merge", "clean", "clean --force a"] {
            sandbox.orch(command).exits(1).complains("orch resume");
        }
        let doctor = sandbox.orch("doctor").exits(1);
        assert!(!doctor.stdout.contains("belongs to no task"), "{}", doctor.stdout);
        if page == last {
            sandbox.orch("resume").exits(0);
        }
    });
    assert_eq!(sandbox.git(["rev-parse", "main"]), main);
    sandbox.orch("merge").exits(0);
    assert_eq!(sandbox.show("main", "a.txt"), "a");
}

#[test]
fn a_row_that_says_nothing_is_damage_too() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let path = journal(&sandbox);
    let whole = fs::read(&path).unwrap();
    let words: [(&[u8], &[u8]); 3] = [
        (b"\"event\":\"attempt_ended\"", b"\"event\":\"attempt\xffended\""),
        (b"\"event\":\"attempt_ended\"", b"\"event\" \"attempt_ended\""),
        (b"\"event\":\"run_created\"", b"\"event\":\"run_cremated"),
    ];
    for (right, wrong) in words {
        let mut bytes = whole.clone();
        let mut found = 0;
        for at in 0..bytes.len() - right.len() {
            if bytes[at..].starts_with(right) {
                bytes[at..at + wrong.len()].copy_from_slice(wrong);
                found += 1;
            }
        }
        assert!(found > 0);
        fs::write(&path, bytes).unwrap();
        sandbox.orch("resume").exits(0).complains("it is kept as");
        assert_eq!(diagnosis(&sandbox)["health"], "ok");
        assert_eq!(sandbox.status_of("a")["state"], "succeeded");
    }
    assert_eq!(sandbox.attempts_of("a"), 1);
}

#[test]
fn a_journal_that_is_gone_is_said_to_be_gone() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started\nwait_for go\necho a > a.txt");
    let run = sandbox.start("execute --tasks prompts/a.md");
    sandbox.wait_for_start("a");
    run.signal(Signal::SIGKILL);
    run.finish();
    sandbox.status();
    let path = journal(&sandbox);
    let size = fs::read(&path).unwrap().len();
    let without: [&dyn Fn(); 3] =
        [&|| fs::remove_file(&path).unwrap(), &|| fs::write(&path, "").unwrap(), &|| {
            fs::write(&path, vec![0; size]).unwrap();
        }];
    for (case, make) in without.iter().enumerate() {
        make();
        let mut commands = vec!["status", "status --runs", "ps", "clean", "merge", "logs a"];
        // Zeros are damage, which whoever stops something mends first.
        commands.extend(if case < 2 { ["cancel --all", "retry --failed"].as_slice() } else { &[] });
        for command in commands {
            sandbox.orch(command).exits(1).complains("orch resume");
        }
        assert_eq!(diagnosis(&sandbox)["fix"], "orch resume");
    }
    sandbox.open("go");
    sandbox.orch("resume").exits(0).complains("rebuilt");
    assert_eq!(sandbox.attempts_of("a"), 1);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for command in ["status", "resume", "execute --tasks prompts/a.md", "ps", "merge", "clean"] {
        sandbox.orch(command).exits(2).complains("is a directory");
    }
    fs::remove_dir(&path).unwrap();
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
}

#[test]
fn nothing_is_left_beside_a_backup() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo done > done.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let dir = sandbox.root.join("backups");
    fs::create_dir(&dir).unwrap();
    sandbox.orch(&format!("backup {}", dir.join("one.db").display())).exits(0);
    sandbox.orch(&format!("restore {}", dir.join("one.db").display())).exits(0);
    let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["one.db"]);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
}

/// A file system of its own for the repository, taken away in the end; `None` where that is not allowed.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: &std::path::Path) -> Option<Self> {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(place);
        mount.output().ok()?.status.success().then(|| Self(place.to_owned()))
    }

    /// Leaves no room.
    fn fill(&self) {
        use std::io::Write;
        let mut file = fs::File::create(self.ballast()).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join(".git/ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A repository on a small disk; `None` where that is not allowed.
fn small_repository() -> Option<(Sandbox, SmallDisk)> {
    let sandbox = Sandbox::without_repository();
    let Some(disk) = SmallDisk::mount(&sandbox.repo) else {
        eprintln!(
            "skipped: a tmpfs cannot be mounted here (not root, or a container without the right)"
        );
        return None;
    };
    sandbox.git(["init", "-q", "-b", "main"]);
    sandbox.write("README.md", "# Small\n");
    sandbox.git(["add", "."]);
    sandbox.git(["commit", "-qm", "Start"]);
    Some((sandbox, disk))
}

/// An agent that a full disk ends says so nowhere, its supervisor is dead, and there is room again by the time
/// anybody looks.
#[test]
fn a_task_that_a_full_disk_ended_while_nobody_looked_starts_again() {
    let Some((sandbox, disk)) = small_repository() else { return };
    sandbox.task("a", &[], "started\nwait_for go\n{ echo a > a.txt; } 2> /dev/null || exit 9");
    let run = sandbox.start("execute --tasks prompts/a.md");
    sandbox.wait_for_start("a");
    wait_until("its start is recorded", || {
        sandbox.status_of("a")["attempts"][0]["pid"].is_number()
    });
    run.signal(Signal::SIGKILL);
    run.finish();
    disk.fill();
    sandbox.open("go");
    sandbox.no_process_is_left();
    disk.make_room();
    sandbox.orch("resume").exits(0);
    let status = sandbox.status_of("a");
    assert_eq!(status["state"], "succeeded");
    assert_eq!(status["attempts"][0]["outcome"], "interrupted", "{status}");
}

/// A run of `a`, and `b` after it, on a small disk that is full by the time `a` ends.
fn full_disk(meanwhile: impl FnOnce(&Sandbox, &SmallDisk, Running)) {
    let Some((sandbox, disk)) = small_repository() else { return };
    sandbox.task("a", &[], "echo a > a.txt\nstarted\nwait_for go");
    sandbox.task("b", &["depends_on: [a]"], "echo b > b.txt");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("a");
    wait_until("its start is recorded", || {
        sandbox.status_of("a")["attempts"][0]["pid"].is_number()
    });
    disk.fill();
    sandbox.open("go");
    wait_until("the full disk is told", || {
        run.stderr_so_far().contains("nothing is done until there is room")
    });
    meanwhile(&sandbox, &disk, run);
    for name in ["a", "b"] {
        assert_eq!(sandbox.status_of(name)["state"], "succeeded");
        assert_eq!(sandbox.attempts_of(name), 1, "{name}");
    }
    assert_eq!(sandbox.show(&sandbox.branch_of("b"), "a.txt"), "a");
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_full_disk_is_waited_for_and_loses_no_result() {
    full_disk(|sandbox, disk, run| {
        assert_eq!(sandbox.attempts_of("b"), 0);
        disk.make_room();
        run.finish().exits(0);
    });
}

#[test]
fn whoever_does_not_wait_for_room_loses_nothing_either() {
    full_disk(|sandbox, disk, run| {
        run.signal(Signal::SIGINT);
        wait_until("it is told how", || run.stderr_so_far().contains("interrupt again"));
        run.signal(Signal::SIGINT);
        run.finish().exits(130).complains("make room, then: orch resume");
        sandbox.no_process_is_left();
        assert_eq!(sandbox.orch("status --json").exits(0).json()["run"]["state"], "interrupted");
        disk.make_room();
        sandbox.orch("resume").exits(0);
    });
}
