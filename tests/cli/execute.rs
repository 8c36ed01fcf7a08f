//! `orch execute`: the main job.

use crate::support::{Sandbox, task};

/// Fails when two agents with this behaviour are at work at the same time.
const ALONE: &str = "mkdir $SANDBOX/gates/busy || exit 7\nsleep 0.2\nrmdir $SANDBOX/gates/busy\n";

#[test]
fn parallel_tasks_run_side_by_side() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started; wait_for b.started; echo a > a.txt");
    sandbox.task("b", &[], "started; wait_for a.started; echo b > b.txt");
    sandbox.orch("execute --parallel --jobs 2 --tasks prompts/a.md prompts/b.md").exits(0);
    assert_eq!(sandbox.show(&sandbox.branch_of("a"), "a.txt"), "a");
    assert_eq!(sandbox.show(&sandbox.branch_of("b"), "b.txt"), "b");
    sandbox.nothing_is_left_behind();
}

#[test]
fn without_parallel_one_task_ends_before_the_next_begins() {
    let sandbox = Sandbox::new();
    for name in ["a", "b", "c"] {
        sandbox.task(name, &[], ALONE);
    }
    sandbox.orch("execute --tasks prompts/a.md prompts/b.md prompts/c.md").exits(0);
    let order: Vec<_> = sandbox.attempts().into_iter().map(|a| a.task).collect();
    assert_eq!(order, ["a", "b", "c"]);
}

#[test]
fn jobs_bound_what_runs_at_the_same_time() {
    let sandbox = Sandbox::new();
    for name in ["a", "b", "c"] {
        sandbox.task(name, &[], ALONE);
    }
    sandbox.orch("execute --parallel --jobs 1 --all-prompts").exits(0);
    assert_eq!(sandbox.attempts().len(), 3);
}

#[test]
fn what_is_left_uncommitted_is_committed_by_the_user_and_what_was_committed_stays() {
    let sandbox = Sandbox::new();
    let behaviour = "echo mine > mine.txt; git add mine.txt; git commit -qm 'By the agent'\n\
        git rev-parse HEAD > $SANDBOX/gates/mine\n\
        echo left > left.txt; rm src/about; chmod +x README.md";
    sandbox.task("a", &[], behaviour);
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let branch = sandbox.branch_of("a");
    let mine = std::fs::read_to_string(sandbox.gate("mine")).unwrap();
    assert_eq!(sandbox.git(["rev-parse", &format!("{branch}~1")]), mine.trim());
    assert_eq!(
        sandbox.git(["log", "-1", "--format=%an %ae", &branch]),
        "Ada Tester ada@example.com"
    );
    let changes = sandbox.git(["diff", "--name-status", "main", &branch]);
    assert_eq!(changes, "M\tREADME.md\nA\tleft.txt\nA\tmine.txt\nD\tsrc/about");
    let mode = sandbox.git(["ls-tree", &branch, "README.md"]);
    assert!(mode.starts_with("100755"), "{mode}");
    let status = sandbox.status_of("a");
    assert_eq!(status["commit"], sandbox.git(["rev-parse", &branch]));
    assert_eq!(status["files_changed"].as_array().unwrap().len(), 4, "{status}");
}

#[test]
fn a_failing_agent_fails_its_task_and_no_other() {
    let sandbox = Sandbox::new();
    sandbox.task("bad", &[], "echo half > half.txt; echo 'cannot go on' >&2; exit 9");
    sandbox.task("good", &[], "echo good > good.txt");
    let run = sandbox.orch("execute --parallel --json --all-prompts").exits(1).json();
    assert_eq!(run["run"]["state"], "failed");
    let bad = task(&run, "bad");
    assert_eq!(bad["state"], "failed");
    assert_eq!(bad["attempts"][0]["exit_code"], 9, "{bad}");
    assert!(!bad["error"].is_null());
    assert_eq!(task(&run, "good")["state"], "succeeded");
    assert_eq!(sandbox.show(&sandbox.branch_of("good"), "good.txt"), "good");
    // What it did so far is there to be looked at.
    assert!(sandbox.worktree_of("bad").join("half.txt").exists());
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_failing_verification_fails_the_task() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.task("b", &["verify: ['test -e b.txt']"], "echo a > a.txt");
    sandbox.task("c", &["verify: ['test -e a.txt']"], "echo a > a.txt");
    let run = sandbox.orch("execute --parallel --json --verify 'grep -q a a.txt' --all-prompts");
    let run = run.exits(1).json();
    assert_eq!(task(&run, "a")["state"], "succeeded");
    assert_eq!(task(&run, "b")["state"], "failed");
    assert!(task(&run, "b")["error"].to_string().contains("verify"), "{run}");
    assert_eq!(task(&run, "c")["state"], "succeeded");
}

#[test]
fn the_second_of_two_conflicting_tasks_starts_from_the_work_of_the_first() {
    let sandbox = Sandbox::new();
    let files = ["files: [src/count.txt]"];
    sandbox.task("a", &files, "echo from-a >> src/count.txt");
    sandbox.task("b", &files, "grep -q from-a src/count.txt; echo from-b >> src/count.txt");
    sandbox.orch("execute --parallel --jobs 2 --tasks prompts/a.md prompts/b.md").exits(0);
    let both = sandbox.show(&sandbox.branch_of("b"), "src/count.txt");
    assert!(both.ends_with("from-a\nfrom-b"), "{both}");
}

#[test]
fn a_conflict_orders_but_does_not_bind() {
    let sandbox = Sandbox::new();
    let files = ["files: [src/count.txt]"];
    sandbox.task("a", &files, "exit 1");
    sandbox.task("b", &files, "echo from-b >> src/count.txt");
    sandbox.orch("execute --parallel --tasks prompts/a.md prompts/b.md").exits(1);
    assert_eq!(sandbox.status_of("b")["state"], "succeeded");
}

#[test]
fn what_depends_on_a_failed_task_does_not_start() {
    let sandbox = Sandbox::new();
    sandbox.task("first", &[], "exit 1");
    sandbox.task("second", &["depends_on: [first]"], "echo second > second.txt");
    sandbox.task("third", &["depends_on: [second]"], "echo third > third.txt");
    let run = sandbox.orch("execute --parallel --json --all-prompts").exits(1).json();
    assert_eq!(task(&run, "second")["state"], "blocked");
    assert!(task(&run, "second")["blocked_on"].to_string().contains("first"), "{run}");
    assert_eq!(task(&run, "third")["state"], "blocked");
    assert_eq!(sandbox.attempts().len(), 1);
}

#[test]
fn a_conflict_check_refuses_to_start_and_says_which() {
    let sandbox = Sandbox::new();
    sandbox.task("left", &["files: [src/count.txt]"], "started");
    sandbox.task("right", &["files: [src/count.txt]"], "started");
    let before = sandbox.checkout();
    let told = sandbox.orch("execute --parallel --conflict-check --all-prompts").exits(3);
    for word in ["left", "right", "src/count.txt"] {
        assert!(told.stderr.contains(word), "{word} is not named: {}", told.stderr);
    }
    assert_eq!(sandbox.attempts().len(), 0);
    assert_eq!((sandbox.task_branches().len(), sandbox.worktrees().len()), (0, 0));
    assert_eq!(sandbox.checkout(), before);
}

#[test]
fn a_conflict_check_lets_tasks_through_that_do_not_conflict() {
    let sandbox = Sandbox::new();
    sandbox.task("left", &["files: [src/count.txt]"], "echo left >> src/count.txt");
    sandbox.task("right", &["files: [README.md]"], "echo right >> README.md");
    sandbox.orch("execute --parallel --conflict-check --all-prompts").exits(0);
    assert_eq!(sandbox.attempts().len(), 2);
}

#[test]
fn a_dry_run_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &["files: [src/count.txt]"], "started");
    let before = sandbox.checkout();
    let told = sandbox.orch("execute --parallel --dry-run --tasks prompts/a.md").exits(0);
    assert!(told.stdout.contains('a'));
    assert_eq!(sandbox.attempts().len(), 0);
    assert_eq!((sandbox.task_branches().len(), sandbox.worktrees().len()), (0, 0));
    assert_eq!(sandbox.checkout(), before);
}

#[test]
fn a_finished_prompt_is_skipped_and_said_to_be() {
    let sandbox = Sandbox::new();
    sandbox.task("done", &["status: COMPLETED"], "started");
    sandbox.task("open", &[], "echo open > open.txt");
    let run = sandbox.orch("execute --all-prompts --json").exits(0).json();
    assert_eq!(task(&run, "done")["state"], "skipped");
    assert_eq!(task(&run, "open")["state"], "succeeded");
    assert_eq!(sandbox.attempts_of("done"), 0);
}

#[test]
fn ndjson_is_an_event_a_line_in_the_order_of_their_numbers() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo noise; echo a > a.txt");
    let events = sandbox.orch("execute --format ndjson --tasks prompts/a.md").exits(0).ndjson();
    assert!(events.iter().all(|e| e["event"].is_string()), "{events:?}");
    let named = |name: &str| events.iter().any(|e| e["event"] == name);
    assert!(named("run_created") && named("run_finished"), "{events:?}");
    let numbers: Vec<_> = events.iter().filter_map(|e| e["seq"].as_u64()).collect();
    assert!(
        numbers.len() > 2 && numbers.iter().copied().eq(1..=numbers.len() as u64),
        "{numbers:?}"
    );
}

#[test]
fn a_task_that_takes_too_long_is_ended_with_everything_it_started() {
    let sandbox = Sandbox::new();
    sandbox.task("slow", &["timeout: 1s"], "setsid sleep 1000 &\ntrap '' TERM\nsleep 1000");
    sandbox.config("");
    let run = sandbox.orch("execute --json --tasks prompts/slow.md").exits(1).json();
    assert_eq!(task(&run, "slow")["state"], "timed_out");
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_session_left_behind_by_a_successful_agent_is_ended() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "setsid sleep 1000 > /dev/null 2>&1 &\necho a > a.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    assert_eq!(sandbox.attempts_of("a"), 1);
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_failure_is_tried_again_as_often_as_asked() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "[ $ORCH_ATTEMPT -gt 1 ]; echo a > a.txt");
    sandbox.orch("execute --retries 1 --tasks prompts/a.md").exits(0);
    assert_eq!(sandbox.attempts_of("a"), 2);
    assert_eq!(sandbox.status_of("a")["attempts"].as_array().unwrap().len(), 2);
}

#[test]
fn merging_locally_lands_what_succeeded() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --merge local --tasks prompts/a.md").exits(0);
    assert_eq!(sandbox.read("a.txt"), "a\n");
    assert_eq!(sandbox.status_of("a")["state"], "merged");
}
