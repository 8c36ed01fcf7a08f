//! Tasks that turn out to change the same files: told while they run, and what then becomes of them.

use crate::support::{Running, Sandbox, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;

/// No plan foresees what these do; and a busy machine must not keep them from running side by side.
const SIDE_BY_SIDE: &str = "[limits]\nload = 0";

fn sandbox(top: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "*.o\n/build/\n");
    sandbox.write("orch.toml", format!("retries = 0\ngrace = \"1s\"\n{top}\n"));
    sandbox.commit_all("Settings");
    sandbox
}

/// The numbers to twenty, one a line.
fn twenty() -> String {
    let numbers: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    numbers.join("\n") + "\n"
}

/// The overlaps of `orch status --json`; none before there is a run.
fn overlaps(sandbox: &Sandbox) -> Vec<Value> {
    let status = sandbox.orch("status --json");
    if status.code != 0 {
        return Vec::new();
    }
    status.json()["overlaps"].as_array().unwrap().clone()
}

fn wait_for_overlap(sandbox: &Sandbox, what: &str, is_it: impl Fn(&Value) -> bool) {
    wait_until(what, || overlaps(sandbox).iter().any(&is_it));
}

#[test]
fn a_textual_conflict_is_told_with_its_lines_while_both_run() {
    let sandbox = sandbox("");
    sandbox.task("a", &[], "sed -i 's/^two$/zwei/' src/count.txt\nstarted\nwait_for go");
    sandbox.task("b", &[], "sed -i 's/^two$/deux/; 1i zero' src/count.txt\nstarted\nwait_for go");
    sandbox.config(SIDE_BY_SIDE);
    sandbox.commit_all("Prompts");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts --format ndjson");
    run.wait_for_output("overlap_found");
    let found = overlaps(&sandbox);
    assert_eq!(found.len(), 1, "{found:?}");
    let overlap = &found[0];
    assert_eq!((&overlap["task"], &overlap["with"]), (&"b".into(), &"a".into()));
    assert_eq!((&overlap["conflict"], &overlap["path_count"]), (&true.into(), &1.into()));
    let path = &overlap["paths"][0];
    assert_eq!(path["path"], "src/count.txt");
    assert_eq!(path["lines"], serde_json::json!([[3, 3]]), "{path}");
    assert_eq!(path["other_lines"], serde_json::json!([[2, 2]]), "{path}");
    let shown = sandbox.orch("status").exits(0).stdout;
    assert!(shown.contains("b and a conflict in src/count.txt (line 3)"), "{shown}");
    sandbox.open("go");
    run.finish().exits(0);
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_mere_overlap_is_told_as_one_and_its_end_too() {
    let sandbox = sandbox("");
    sandbox.write("list", twenty());
    sandbox.task("a", &[], "sed -i 's/^2$/two/' list\nstarted\nwait_for go");
    sandbox.task(
        "b",
        &[],
        "sed -i 's/^19$/nineteen/' list\nstarted\nwait_for undo\ngit checkout -q list\nwait_for go",
    );
    sandbox.config(SIDE_BY_SIDE);
    sandbox.commit_all("Prompts");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    wait_for_overlap(&sandbox, "the overlap is told", |overlap| {
        overlap["conflict"] == false && overlap["paths"][0]["path"] == "list"
    });
    assert!(sandbox.orch("status").exits(0).stdout.contains("both changed list, which merges"));
    sandbox.open("undo");
    wait_until("what was put back is no overlap", || overlaps(&sandbox).is_empty());
    sandbox.open("go");
    run.finish().exits(0);
}

#[test]
fn what_git_ignores_and_what_merely_was_touched_is_no_overlap() {
    let sandbox = sandbox("");
    let touch = "mkdir build; echo $ORCH_TASK_NAME > build/x; echo $ORCH_TASK_NAME > x.o\n\
                 touch src/count.txt; echo x >> README.md; git checkout -q README.md";
    // The last file says that what came before it has been looked at.
    for name in ["a", "b"] {
        sandbox.task(name, &[], &format!("{touch}\necho x >> bin/words\nstarted\nwait_for go"));
    }
    sandbox.config(SIDE_BY_SIDE);
    sandbox.commit_all("Prompts");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    wait_for_overlap(&sandbox, "the overlap is told", |overlap| {
        let paths = overlap["paths"].as_array().unwrap();
        assert!(paths.iter().all(|path| path["path"] == "bin/words"), "{overlap}");
        true
    });
    sandbox.open("go");
    run.finish().exits(0);
}

#[test]
fn a_branch_that_moved_is_compared_with_too() {
    let sandbox = sandbox("");
    sandbox.task("a", &[], "echo five >> src/count.txt\nstarted\nwait_for go");
    sandbox.config(SIDE_BY_SIDE);
    sandbox.commit_all("Prompts");
    let run = sandbox.start("execute --all-prompts");
    sandbox.wait_for_start("a");
    sandbox.write("src/count.txt", "one\ntwo\nthree\nfour\nand five\n");
    sandbox.git(["commit", "-qam", "Count on"]);
    wait_for_overlap(&sandbox, "the branch is named", |overlap| {
        overlap["branch"] == "main" && overlap["conflict"] == true
    });
    assert!(sandbox.orch("status").exits(0).stdout.contains("a and main conflict"));
    sandbox.open("go");
    // The run itself says that somebody wrote to the checkout; that is not what is tested here.
    let _ = run.finish();
}

#[test]
fn a_task_that_ended_is_still_compared_with_one_that_runs() {
    let sandbox = sandbox("");
    sandbox.task("a", &[], "echo from-a > new.txt");
    sandbox.task("b", &[], "started\nwait_for a-is-done\necho from-b > new.txt\nwait_for go");
    sandbox.config(SIDE_BY_SIDE);
    sandbox.commit_all("Prompts");
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("b");
    wait_until("a is done", || sandbox.status_of("a")["state"] == "succeeded");
    sandbox.open("a-is-done");
    wait_for_overlap(&sandbox, "the overlap is told", |overlap| overlap["conflict"] == true);
    sandbox.open("go");
    run.finish().exits(0);
}

#[test]
fn short_tasks_are_compared_at_the_end() {
    let sandbox = sandbox("");
    sandbox.task("a", &[], "echo from-a > new.txt");
    sandbox.task("b", &[], "echo from-b > new.txt");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --all-prompts").exits(0);
    let found = overlaps(&sandbox);
    assert_eq!(found.len(), 1, "{found:?}");
    // What has landed is nobody's overlap any more.
    sandbox.orch("merge a").exits(0);
    assert_eq!(overlaps(&sandbox).len(), 0);
}

/// `b` changes the same line as `a`; stopped, it takes its change back.
fn one_waits_for_the_other() -> Sandbox {
    let sandbox = sandbox("on_overlap = \"pause\"");
    sandbox.task("a", &[], "sed -i 's/^two$/zwei/' src/count.txt\nstarted\nwait_for go");
    sandbox.task(
        "b",
        &[],
        "if [ $ORCH_ATTEMPT = 2 ]; then\n\
         cp \"$1\" \"$SANDBOX/gates/prompt\" 2>/dev/null || cp \"$2\" \"$SANDBOX/gates/prompt\"\n\
         cat kept.txt; git checkout -q src/count.txt; exit; fi\n\
         wait_for a.started\nsed -i 's/^two$/deux/' src/count.txt\necho kept > kept.txt\nstarted\nwait_for never",
    );
    sandbox.config(SIDE_BY_SIDE);
    sandbox.commit_all("Prompts");
    sandbox
}

/// Starts the run; `b` begins when `a` is at work.
fn start_one_after_the_other(sandbox: &Sandbox) -> Running {
    let run = sandbox.start("execute --parallel --jobs 1 --all-prompts");
    sandbox.wait_for_start("a");
    sandbox.orch("jobs 2").exits(0);
    wait_until("b is paused", || is_paused(sandbox));
    run
}

fn is_paused(sandbox: &Sandbox) -> bool {
    let b = sandbox.status_of("b");
    b["state"] == "blocked" && b["blocked_on"] == serde_json::json!(["a"])
}

#[test]
fn the_later_task_waits_for_the_earlier_and_keeps_what_it_has_done() {
    let sandbox = one_waits_for_the_other();
    let run = start_one_after_the_other(&sandbox);
    let shown = sandbox.orch("status").exits(0).stdout;
    assert!(shown.contains("b waits until a has ended"), "{shown}");
    assert_eq!(overlaps(&sandbox)[0]["paused"], "b");
    sandbox.open("go");
    run.finish().exits(0);
    let prompt = std::fs::read_to_string(sandbox.gate("prompt")).unwrap();
    assert!(prompt.contains("the task a has meanwhile changed the same lines of src/count.txt"));
    assert_eq!(sandbox.show(&sandbox.branch_of("b"), "kept.txt"), "kept");
    assert_eq!((sandbox.attempts_of("a"), sandbox.attempts_of("b")), (1, 2));
    sandbox.orch("merge").exits(0);
    assert!(sandbox.read("src/count.txt").contains("zwei"));
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_pause_outlives_the_supervisor() {
    let sandbox = one_waits_for_the_other();
    let run = start_one_after_the_other(&sandbox);
    run.signal(Signal::SIGKILL);
    run.finish();
    // Nothing of b is left, frozen or not; a goes on.
    let mine = sandbox.worktree_of("b").display().to_string();
    let of_b = |sandbox: &Sandbox| sandbox.processes().iter().any(|(_, cmd)| cmd.contains(&mine));
    assert!(!of_b(&sandbox));
    let resumed = sandbox.start("resume");
    wait_until("a is adopted", || sandbox.status_of("a")["state"] == "running");
    assert!(is_paused(&sandbox), "{}", sandbox.status_of("b"));
    sandbox.open("go");
    resumed.finish().exits(0);
    assert_eq!((sandbox.attempts_of("a"), sandbox.attempts_of("b")), (1, 2));
    assert_eq!(sandbox.show(&sandbox.branch_of("b"), "kept.txt"), "kept");
}

#[test]
fn what_conflicts_least_is_merged_first_where_that_is_asked_for() {
    let sandbox = sandbox("on_overlap = \"order\"");
    // The first conflicts with both others, which do not conflict with each other.
    sandbox.write("list", twenty());
    sandbox.task("a", &[], "sed -i 's/^2$/A/; s/^19$/A/' list");
    sandbox.task("b", &[], "sed -i 's/^2$/B/' list");
    sandbox.task("c", &[], "sed -i 's/^19$/C/' list");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --all-prompts").exits(0);
    let told = sandbox.orch("merge").exits(3).stdout;
    assert!(told.contains("a: not merged"), "{told}");
    let states = ["a", "b", "c"].map(|name| sandbox.status_of(name)["state"].clone());
    assert_eq!(states, ["conflicted", "merged", "merged"]);
}

#[test]
fn what_was_done_before_is_not_told_again_when_it_overlaps_with_a_retry() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > v.txt");
    sandbox.task("b", &["verify: [\"test -e ../../fine\"]"], "echo b > v.txt");
    sandbox.task("c", &["depends_on: [b]"], "echo c > c.txt");
    sandbox.orch("execute --all-prompts").exits(1);
    sandbox.orch("retry c").exits(2).complains("follows by itself after: orch retry b");
    sandbox.write("fine", "");
    let retry = sandbox.orch("retry b").exits(0).stderr;
    assert!(retry.contains("overlap: ") && retry.contains("✓ b: "), "{retry}");
    assert!(!retry.contains("✓ a: "), "{retry}");
}
