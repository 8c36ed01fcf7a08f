//! A journal that is older than what happened since: a backup, or a copy of the files under a supervisor.

use crate::support::{Running, Sandbox, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::path::PathBuf;

/// `a` to `d`, one after the other, each with a test; a copy is made by `copy` while the agent of `b` is at
/// work, and the supervisor dies when that of `d` is.
fn dies_after_a_copy(sandbox: &Sandbox, copy: impl FnOnce(&Sandbox)) {
    for name in ["a", "b", "c", "d"] {
        let patient = format!("echo {name} > {name}.txt\nstarted\nwait_for {name}.go");
        let verify = format!("verify: [\"test -s {name}.txt\"]");
        sandbox.task(name, &[&verify], &patient);
    }
    let run = sandbox.start(
        "execute --parallel --jobs 1 --tasks prompts/a.md prompts/b.md prompts/c.md prompts/d.md",
    );
    sandbox.open("a.go");
    sandbox.wait_for_start("b");
    copy(sandbox);
    sandbox.open("b.go");
    sandbox.open("c.go");
    sandbox.wait_for_start("d");
    kill(run);
}

fn kill(run: Running) {
    run.signal(Signal::SIGKILL);
    run.finish();
}

fn live(sandbox: &Sandbox) -> Vec<String> {
    let ps = sandbox.orch("ps --json").exits(0).json();
    let attempts = ps["attempts"].as_array().unwrap().iter();
    attempts.map(|at| format!("{}.{}", at["name"].as_str().unwrap(), at["attempt"])).collect()
}

fn each_ran_once(sandbox: &Sandbox) {
    for name in ["a", "b", "c", "d"] {
        let status = sandbox.status_of(name);
        assert_eq!(status["state"], "succeeded", "{status}");
        assert_eq!(sandbox.attempts_of(name), 1, "{name} ran again");
        assert_eq!(sandbox.show(&sandbox.branch_of(name), &format!("{name}.txt")), name);
    }
    sandbox.nothing_is_left_behind();
}

#[test]
fn after_a_restore_live_agents_are_adopted_and_finished_work_counts() {
    let sandbox = Sandbox::new();
    let file = sandbox.root.join("backup.db");
    dies_after_a_copy(&sandbox, |sandbox| {
        sandbox.orch(&format!("backup {}", file.display())).exits(0);
    });
    let tip = sandbox.git(["rev-parse", &sandbox.branch_of("c")]);
    sandbox.orch(&format!("restore {}", file.display())).exits(0);
    assert_eq!(live(&sandbox), ["d.1"]);
    sandbox.task("other", &[], "echo other > other.txt");
    let other = sandbox.orch("execute --tasks prompts/other.md");
    other.exits(4).complains("still at work");
    let resumed = sandbox.start("resume");
    wait_until("it is adopted", || sandbox.status_of("d")["state"] == "running");
    assert_eq!(live(&sandbox), ["d.1"]);
    sandbox.open("d.go");
    resumed.finish().exits(0).complains("the journal is older than what happened since");
    each_ran_once(&sandbox);
    assert_eq!(sandbox.git(["rev-parse", &sandbox.branch_of("c")]), tip, "committed again");
    // Nothing is found twice.
    let again = sandbox.orch("resume").exits(0);
    assert!(!again.stderr.contains("found again"), "{}", again.stderr);
}

#[test]
fn files_copied_under_a_supervisor_are_as_good_as_a_backup() {
    let sandbox = Sandbox::new();
    let place = |name: &str| -> (PathBuf, PathBuf) {
        (sandbox.repo.join(".git/orch").join(name), sandbox.root.join(name))
    };
    let names = ["journal.db", "journal.db-wal"];
    dies_after_a_copy(&sandbox, |_| {
        for name in names {
            let (journal, copy) = place(name);
            fs::copy(journal, copy).unwrap();
        }
    });
    let _ = fs::remove_file(place("journal.db-shm").0);
    for name in names {
        let (journal, copy) = place(name);
        fs::copy(copy, journal).unwrap();
    }
    assert_eq!(live(&sandbox), ["d.1"]);
    // Whoever asks for it again is told that it runs.
    sandbox.orch("retry d").exits(2).complains("d is running");
    assert_eq!(sandbox.attempts_of("d"), 1);
    sandbox.open("d.go");
    sandbox.orch("resume").exits(0);
    each_ran_once(&sandbox);
}

#[test]
fn a_task_that_was_tried_again_since_goes_on_with_its_last_attempt() {
    let sandbox = Sandbox::new();
    sandbox.task(
        "a",
        &[],
        "[ $ORCH_ATTEMPT != 1 ] || exit 7\necho $ORCH_ATTEMPT > a.txt\nstarted\nwait_for go",
    );
    sandbox.orch("execute --tasks prompts/a.md").exits(1);
    let file = sandbox.root.join("backup.db");
    sandbox.orch(&format!("backup {}", file.display())).exits(0);
    let retried = sandbox.start("retry a");
    sandbox.wait_for_start("a");
    kill(retried);
    sandbox.orch(&format!("restore {}", file.display())).exits(0);
    assert_eq!(sandbox.status_of("a")["state"], "failed", "as it was then");
    assert_eq!(live(&sandbox), ["a.2"], "of a run that is over for this journal");
    let resumed = sandbox.start("resume");
    wait_until("it is adopted", || sandbox.status_of("a")["state"] == "running");
    sandbox.open("go");
    resumed.finish().exits(0);
    assert_eq!(
        (sandbox.status_of("a")["state"].as_str(), sandbox.attempts_of("a")),
        (Some("succeeded"), 2)
    );
    assert_eq!(sandbox.show(&sandbox.branch_of("a"), "a.txt"), "2");
    sandbox.nothing_is_left_behind();
}

#[test]
fn what_is_cancelled_with_an_older_journal_is_ended() {
    let sandbox = Sandbox::new();
    let file = sandbox.root.join("backup.db");
    dies_after_a_copy(&sandbox, |sandbox| {
        sandbox.orch(&format!("backup {}", file.display())).exits(0);
    });
    sandbox.orch(&format!("restore {}", file.display())).exits(0);
    sandbox.orch("cancel --all").exits(0);
    sandbox.no_process_is_left();
    assert_eq!(sandbox.status_of("d")["state"], "cancelled");
}

#[test]
fn a_run_that_began_after_the_backup_is_known_again() {
    let sandbox = Sandbox::new();
    sandbox.task("early", &[], "echo early > early.txt");
    sandbox.orch("execute --tasks prompts/early.md").exits(0);
    let file = sandbox.root.join("backup.db");
    sandbox.orch(&format!("backup {}", file.display())).exits(0);
    dies_after_a_copy(&sandbox, |_| {});
    let restored = sandbox.orch(&format!("restore {}", file.display())).exits(0);
    restored.complains("is older than runs of which there is work");
    assert_eq!(live(&sandbox), ["d.1"]);
    sandbox.open("d.go");
    sandbox.orch("resume").exits(0);
    each_ran_once(&sandbox);
    assert_eq!(sandbox.attempts_of("early"), 1);
}
