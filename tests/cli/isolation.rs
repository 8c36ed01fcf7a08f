//! Each task in a worktree and on a branch of its own; the user's checkout is not touched.

use crate::support::Sandbox;
use std::fs;

#[test]
fn the_users_checkout_is_the_same_to_the_byte() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a >> README.md; rm -r src; git commit -qam 'Away with it'");
    sandbox.task("b", &[], "echo b >> README.md; exit 1");
    sandbox.write("src/count.txt", "the user is in the middle of something\n");
    sandbox.git(["add", "src/count.txt"]);
    sandbox.write("src/deep/er/list.txt", "and of something else\n");
    sandbox.write("notes.txt", "untracked\n");
    let before = sandbox.checkout();
    sandbox.orch("execute --parallel --all-prompts").exits(1);
    assert_eq!(sandbox.checkout(), before);
}

#[test]
fn a_task_starts_from_the_commit_and_not_from_what_is_uncommitted() {
    let sandbox = Sandbox::new();
    sandbox.write("README.md", "uncommitted\n");
    sandbox.task("a", &[], "grep -q 'Counts words' README.md; echo a > a.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let base = sandbox.git(["rev-parse", "HEAD"]);
    assert_eq!(sandbox.git(["rev-parse", &format!("{}~1", sandbox.branch_of("a"))]), base);
}

#[test]
fn names_follow_the_contract() {
    let sandbox = Sandbox::new();
    sandbox.task("fix-the-count", &[], "echo a > a.txt");
    sandbox.orch("execute --tasks prompts/fix-the-count.md").exits(0);
    let status = sandbox.status_of("fix-the-count");
    let id = status["id"].as_str().unwrap();
    let parts: Vec<_> = id.split('-').collect();
    let shape: Vec<_> = parts.iter().map(|p| p.len()).collect();
    assert_eq!((parts[0], shape), ("task", vec![4, 8, 6, 4]), "{id}");
    assert_eq!(status["worktree"], format!(".worktrees/{id}"));
    assert_eq!(status["branch"], format!("orch/fix-the-count-{}", parts[3]));
    let listed = sandbox.git(["worktree", "list", "--porcelain"]);
    assert!(listed.contains(&format!("branch refs/heads/{}", status["branch"].as_str().unwrap())));
    assert!(sandbox.read(".git/info/exclude").lines().any(|l| l.trim() == ".worktrees/"));
    assert_eq!(sandbox.git(["status", "--porcelain", "--", ".worktrees"]), "");
}

#[test]
fn the_agent_is_told_where_it_is() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &["role: tester"], "pwd -P > $SANDBOX/gates/pwd; env > $SANDBOX/gates/env");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    let status = sandbox.status();
    let worktree = sandbox.worktree_of("a");
    let pwd = fs::read_to_string(sandbox.gate("pwd")).unwrap();
    assert_eq!(pwd.trim(), worktree.to_str().unwrap());
    let env = fs::read_to_string(sandbox.gate("env")).unwrap();
    let value = |name: &str| {
        let line = env.lines().find_map(|l| l.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("{name} is not set:\n{env}")).to_owned()
    };
    assert_eq!(value("ORCH_RUN_ID"), status["run"]["id"]);
    assert_eq!(value("ORCH_TASK_ID"), status["tasks"][0]["id"]);
    assert_eq!(value("ORCH_TASK_NAME"), "a");
    assert_eq!(value("ORCH_ATTEMPT"), "1");
    assert_eq!(value("ORCH_ROLE"), "tester");
    assert_eq!(value("ORCH_WORKTREE"), worktree.to_str().unwrap());
    assert_eq!(value("ORCH_BRANCH"), status["tasks"][0]["branch"]);
    assert_eq!(value("ORCH_BASE"), sandbox.git(["rev-parse", "HEAD"]));
    assert!(!value("ORCH_STEP").is_empty());
    let prompt = fs::read_to_string(value("ORCH_PROMPT_FILE")).unwrap();
    assert!(prompt.contains("Do what is to be done."), "{prompt}");
}

#[test]
fn a_write_into_the_users_checkout_is_found_out_and_named() {
    let sandbox = Sandbox::new();
    let script = format!("echo x >> {}/README.md; echo fine > fine.txt", sandbox.repo.display());
    sandbox.prompt("burglar", &["agent: shell"], &format!("# B\n\n```sh\n{script}\n```\n"));
    let run = sandbox.orch("execute --json --tasks prompts/burglar.md").exits(1).json();
    let told = run["tasks"][0]["error"].to_string();
    assert_eq!(run["tasks"][0]["state"], "failed", "{run}");
    assert!(told.contains("README.md"), "{told}");
}

#[test]
fn where_it_may_have_been_the_user_the_task_is_only_warned() {
    let sandbox = Sandbox::new();
    sandbox.task("quiet", &[], "echo x >> $CHECKOUT/README.md; echo fine > fine.txt");
    let run = sandbox.orch("execute --json --tasks prompts/quiet.md").exits(0).json();
    assert_eq!(run["tasks"][0]["state"], "succeeded", "{run}");
    let told = run["tasks"][0]["warnings"].to_string();
    assert!(told.contains("README.md"), "{told}");
}

#[test]
fn a_detached_head_works() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.git(["checkout", "-q", "--detach", "HEAD~1"]);
    let head = sandbox.git(["rev-parse", "HEAD"]);
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    assert_eq!(sandbox.git(["rev-parse", &format!("{}~1", sandbox.branch_of("a"))]), head);
}

#[test]
fn a_run_from_a_sub_folder_is_the_same_run() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    let mut command = sandbox.command("execute --tasks ../../prompts/a.md");
    command.current_dir(sandbox.repo.join("src/deep"));
    Sandbox::finish(command).exits(0);
    assert_eq!(sandbox.worktrees().len(), 1);
    assert_eq!(sandbox.show(&sandbox.branch_of("a"), "a.txt"), "a");
}

#[test]
fn a_run_from_another_worktree_starts_from_what_is_checked_out_there() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.commit_all("Prompts");
    let linked = sandbox.root.join("linked");
    sandbox.git(["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    sandbox.git_in(&linked, ["commit", "-q", "--allow-empty", "-m", "Aside"]);
    let mut command = sandbox.command("execute --json --tasks prompts/a.md");
    command.current_dir(&linked);
    let run = Sandbox::finish(command).exits(0).json();
    assert_eq!(run["run"]["base"], sandbox.git(["rev-parse", "side"]));
}
