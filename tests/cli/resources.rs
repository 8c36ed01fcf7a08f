//! Processes, stalls and the machine's limits, from the outside.

use crate::support::{Sandbox, wait_until};
use nix::sys::signal::Signal;

#[test]
fn ps_shows_the_live_tree_also_without_a_supervisor() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "started; wait_for go; echo a > a.txt");
    assert_eq!(sandbox.orch("doctor --json").json()["schema"], "orch.doctor/1");
    let run = sandbox.start("execute --tasks prompts/a.md");
    sandbox.wait_for_start("a");
    let supervisor = run.pid();
    let ps = || sandbox.orch("ps --json").exits(0).json();
    let document = ps();
    assert_eq!(document["schema"], "orch.ps/1");
    assert_eq!(document["supervisor"], supervisor);
    let attempt = &document["attempts"][0];
    assert_eq!(
        (attempt["name"].as_str(), attempt["step"].as_str(), attempt["attempt"].as_u64()),
        (Some("a"), Some("implement"), Some(1))
    );
    assert!(attempt["memory_bytes"].as_u64() > Some(0), "{attempt}");
    assert_eq!(attempt["processes"][0]["pid"], attempt["agent_pid"]);
    assert_eq!(attempt["processes"][0]["parent"], attempt["shim_pid"]);
    status_tells_what_it_does(&sandbox, "running");
    run.signal(Signal::SIGKILL);
    run.finish();
    status_tells_what_it_does(&sandbox, "interrupted");
    let orphaned = ps();
    assert!(orphaned["supervisor"].is_null());
    assert_eq!(orphaned["attempts"][0]["shim_pid"], attempt["shim_pid"]);
    let text = sandbox.orch("ps a").exits(0).stdout;
    assert!(text.contains("a  implement.1") && text.contains("orch resume"), "{text}");
    let doctor = sandbox.orch("doctor").stdout;
    assert!(doctor.contains("1 attempt of it run on"), "{doctor}");
    sandbox.open("go");
    sandbox.orch("resume").exits(0);
    assert_eq!(ps()["attempts"], serde_json::json!([]));
    assert!(sandbox.status_of("a")["attempts"][0]["live"].is_null(), "it has ended");
    let status = sandbox.status_of("a");
    assert!(status["attempts"][0]["resources"]["peak_memory_bytes"].as_u64() > Some(0), "{status}");
}

/// The list, the task and both documents have the reading of the attempt that runs.
fn status_tells_what_it_does(sandbox: &Sandbox, state: &str) {
    let live = |attempt: &serde_json::Value| attempt["live"].clone();
    // The first reading comes a moment after the start.
    wait_until("a reading", || live(&sandbox.status_of("a")["attempts"][0]).is_object());
    let status = sandbox.status_of("a");
    assert_eq!(status["state"], state);
    let reading = live(&status["attempts"][0]);
    assert!(reading["memory_bytes"].as_u64() > Some(0), "{reading}");
    assert!(reading["processes"].as_u64() > Some(0), "{reading}");
    assert!(reading["heartbeat_at"].is_string() && reading["last_cpu_at"].is_string(), "{reading}");
    let alone = sandbox.orch("status a --json").exits(0).json();
    assert!(live(&alone["attempts"][0])["cpu_seconds"].is_f64(), "{alone}");
    for command in ["status", "status a"] {
        let text = sandbox.orch(command).exits(0).stdout;
        assert!(text.contains("iB, CPU ") && text.contains(", no output yet"), "{text}");
    }
}

#[test]
fn a_floor_that_the_machine_cannot_meet_is_refused_at_the_start() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "exit 1");
    let config = sandbox.read("orch.toml");
    for limit in ["free_disk", "least_memory"] {
        sandbox.write("orch.toml", format!("{config}\n[limits]\n{limit} = \"1000000TiB\"\n"));
        let refused = sandbox.orch("execute --tasks prompts/a.md").exits(2);
        assert!(refused.stderr.contains(limit), "{}", refused.stderr);
        assert!(refused.stderr.contains("can never be met"), "{}", refused.stderr);
    }
    sandbox.write("orch.toml", &config);
    sandbox.orch("execute --tasks prompts/a.md").exits(1);
    sandbox.config("[limits]\nfree_disk = \"1000000TiB\"\n");
    sandbox.orch("retry a").exits(2);
    assert_eq!(sandbox.attempts_of("a"), 1);
}

#[test]
fn a_disk_that_is_short_holds_a_run_back_and_does_not_fail_it() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    // More than is free on any disk that has something on it.
    let total = orch::process::disk_space(&sandbox.repo).unwrap().total;
    sandbox.config(&format!("[limits]\nfree_disk = {}\n", total - 1));
    let run = sandbox.start("execute --tasks prompts/a.md");
    let said = |text: &str| wait_until(text, || run.stderr_so_far().contains(text));
    said("nothing new starts until there is more");
    assert_eq!(sandbox.status_of("a")["state"], "queued");
    assert_eq!(sandbox.attempts_of("a"), 0);
    run.signal(Signal::SIGINT);
    assert_eq!(run.finish().code, 130);
    let config = sandbox.read("orch.toml").replace(&(total - 1).to_string(), "0");
    sandbox.write("orch.toml", config);
    sandbox.orch("resume").exits(0);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
}

#[test]
fn little_memory_lowers_the_number_of_agents_and_ends_none() {
    let sandbox = Sandbox::new();
    for name in ["a", "b", "c"] {
        sandbox.task(name, &[], &format!("started; wait_for go; echo {name} > {name}.txt"));
    }
    sandbox.config("[limits]\nfree_memory = \"1000000TiB\"\nleast_memory = 0\n");
    let run = sandbox.start("execute --parallel --jobs 3 --all-prompts");
    let said = |text: &str| wait_until(text, || run.stderr_so_far().contains(text));
    said("at a time instead of");
    sandbox.open("go");
    run.finish().exits(0);
    for name in ["a", "b", "c"] {
        assert_eq!(sandbox.attempts_of(name), 1, "{name}");
    }
}

#[test]
fn the_newest_is_stopped_before_memory_runs_out_and_the_others_are_left_alone() {
    let sandbox = Sandbox::new();
    for name in ["a", "b"] {
        sandbox.task(name, &[], &format!("started; wait_for go; echo {name} > {name}.txt"));
    }
    let run = sandbox.start("execute --parallel --jobs 2 --all-prompts");
    sandbox.wait_for_start("a");
    sandbox.wait_for_start("b");
    run.signal(Signal::SIGKILL);
    run.finish();
    // Some of it is always in use.
    let most = orch::process::system().memory_bytes - 1;
    sandbox.config(&format!("[limits]\nleast_memory = {most}\n"));
    let run = sandbox.start("resume");
    let outcomes = || {
        let tasks = ["a", "b"].map(|name| sandbox.status_of(name));
        tasks.map(|task| task["attempts"][0]["outcome"].as_str().map(str::to_owned))
    };
    wait_until("one is stopped", || outcomes().iter().flatten().count() == 1);
    let stopped = if outcomes()[0].is_some() { "a" } else { "b" };
    let other = if stopped == "a" { "b" } else { "a" };
    let task = sandbox.status_of(stopped);
    assert_eq!(
        (&task["state"], &task["attempts"][0]["outcome"]),
        (&"queued".into(), &"interrupted".into())
    );
    let waits = |step: &serde_json::Value| step["reason"].to_string().contains("tried again at");
    assert!(task["steps"].as_array().unwrap().iter().any(waits), "{task}");
    sandbox.open("go");
    wait_until("the other is done", || sandbox.status_of(other)["state"] == "succeeded");
    assert_eq!(sandbox.attempts_of(other), 1);
    assert_eq!(sandbox.attempts_of(stopped), 1, "nothing starts while there is none");
    run.signal(Signal::SIGINT);
    assert_eq!(run.finish().code, 130);
}

#[test]
fn an_agent_that_asks_is_reported_and_then_stopped() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "printf 'Proceed? [y/n] '; exec sleep 1000");
    let agent = "[agents.scripted]\n";
    let asks = format!("idle_timeout = \"2s\"\n{agent}waiting = [\"[Y/N]\"]\n");
    let config = sandbox.read("orch.toml").replace(agent, &asks);
    sandbox.write("orch.toml", config);
    sandbox.orch("execute --tasks prompts/a.md").exits(1);
    let task = sandbox.status_of("a");
    assert_eq!(task["error"]["class"], "idle");
    let warnings = task["warnings"].to_string();
    assert!(warnings.contains("waits for input (`Proceed? [y/n]`)"), "{task}");
}

#[test]
fn doctor_names_what_is_wrong_with_the_configuration() {
    let sandbox = Sandbox::new();
    sandbox.write("orch.toml", "agent = \"nobody\"\nworkflow = \"none\"\n");
    let found = sandbox.orch("doctor").exits(1).stdout;
    assert!(found.contains("there is no such agent") && found.contains("workflow = \"none\""));
    sandbox.write("orch.toml", "jbos = 3\n");
    let found = sandbox.orch("doctor").exits(1).stdout;
    assert!(
        found.contains("orch.toml:1: unknown key `jbos`") && found.contains("`jobs`"),
        "{found}"
    );
    assert!(found.contains("✓ git"), "the rest is looked at all the same: {found}");
}

#[test]
fn doctor_mends_what_cannot_lose_anything() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    sandbox.orch("execute --tasks prompts/a.md").exits(0);
    sandbox.git(["worktree", "add", "-q", "../gone"]);
    let gone = sandbox.git(["worktree", "list", "--porcelain"]);
    let gone =
        gone.lines().find_map(|l| l.strip_prefix("worktree ").filter(|p| p.ends_with("gone")));
    std::fs::remove_dir_all(gone.unwrap()).unwrap();
    sandbox.write(".git/index.lock", "");
    let lock =
        std::fs::File::options().write(true).open(sandbox.repo.join(".git/index.lock")).unwrap();
    lock.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let found = sandbox.orch("doctor").exits(1).stdout;
    assert!(found.contains("whose folders are gone: gone") && found.contains("git worktree prune"));
    assert!(found.contains("index.lock is left of a git that has ended"), "{found}");
    sandbox.orch("doctor --fix");
    assert!(!sandbox.git(["worktree", "list"]).contains("gone"));
    assert!(
        sandbox.repo.join(".git/index.lock").exists(),
        "only a person knows that no git is at work"
    );
    assert!(sandbox.worktree_of("a").exists());
}

#[test]
fn doctor_finds_an_agent_that_cannot_start_and_a_folder_that_takes_nothing() {
    let sandbox = Sandbox::new();
    let bin = sandbox.root.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let broken = bin.join("claude");
    std::fs::write(&broken, "#!/bin/sh\necho no node here >&2\nexit 127\n").unwrap();
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let doctor = || {
        let mut command = sandbox.command("doctor");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        Sandbox::finish({
            command.env("PATH", path);
            command
        })
    };
    let found = doctor().exits(1).stdout;
    assert!(found.contains("claude (") && found.contains(") does not tell its version"), "{found}");
    std::fs::write(&broken, "#!/bin/sh\necho '2.0 (Claude Code)'\n").unwrap();
    let found = doctor().stdout;
    assert!(found.contains("claude 2.0 (Claude Code)"), "{found}");

    let place = sandbox.repo.join(".worktrees");
    std::fs::create_dir(&place).unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "ro,size=64k", "tmpfs"]).arg(&place);
    if !mount.output().is_ok_and(|out| out.status.success()) {
        eprintln!(
            "skipped: a tmpfs cannot be mounted here (not root, or a container without the right)"
        );
        return;
    }
    let found = doctor();
    let _ = std::process::Command::new("umount").arg("-l").arg(&place).status();
    assert!(found.exits(1).stdout.contains(".worktrees, so nothing can run"));
}
