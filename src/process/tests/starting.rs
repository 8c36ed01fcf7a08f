//! Starts: once, acknowledged, and with nothing that the agent should not have.

use super::*;
use std::os::unix::process::ExitStatusExt;

#[tokio::test]
async fn a_directory_starts_one_agent_ever() {
    let trial = Trial::sh("echo x >> count");
    let again = || async { start_with(&launcher(), &trial.dir(), &trial.spec).await };
    let running = trial.start().await;
    assert!(matches!(again().await, Err(ProcessError::AlreadyStarted(_))));
    running.wait().await.unwrap();
    assert!(matches!(again().await, Err(ProcessError::AlreadyStarted(_))));
    let count = std::fs::read_to_string(trial.spec.cwd.join("count")).unwrap();
    assert_eq!(count, "x\n");
}

#[tokio::test]
async fn a_second_shim_for_the_same_directory_refuses() {
    let trial = Trial::sh("echo x >> count; read x < go");
    let pipe = trial.spec.cwd.join("go");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let running = trial.start().await;
    let second = || {
        let launcher = launcher();
        let mut command = std::process::Command::new(launcher.program);
        let output = command.args(launcher.arguments).arg(trial.dir()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let expected = "was already used for an attempt";
    let (worked, words) = second();
    assert!(!worked && words.contains(expected), "{words}");
    tokio::task::spawn_blocking(|| std::fs::write(pipe, "\n")).await.unwrap().unwrap();
    assert_eq!(done(running.wait().await.unwrap()).exit, exited(0));
    let (worked, words) = second();
    assert!(!worked && words.contains(expected), "{words}");
    assert_eq!(std::fs::read_to_string(trial.spec.cwd.join("count")).unwrap(), "x\n");
}

#[tokio::test]
async fn what_cannot_be_executed_is_a_result_that_says_why() {
    let mut no_program = Trial::of(&["/nonexistent/agent"]);
    let no_permission = Trial::of(&["/etc/passwd"]);
    let huge = "x".repeat(10_000_000);
    let huge = Trial::of(&["echo", &huge]);
    let mut no_directory = Trial::sh("true");
    no_directory.spec.cwd.push("gone");
    let mut no_input = Trial::sh("true");
    no_input.spec.stdin = Some(no_input.home.path().join("gone"));
    let empty = Trial::of(&[]);
    no_program.spec.env.insert("A".into(), "b".into());
    for (trial, words) in [
        (no_program, "/nonexistent/agent: not found"),
        (no_permission, "not executable"),
        (huge, "longest argument: 10000000 bytes"),
        (no_directory, "gone does not exist"),
        (no_input, "as standard input"),
        (empty, "the command is empty"),
    ] {
        let result = trial.run().await;
        let error = result.spawn_error.clone().expect(words);
        assert!(error.contains(words), "{error}");
        assert_eq!((result.exit, result.stopped), (Exit::default(), None));
    }
}

#[tokio::test]
async fn a_shim_that_cannot_be_executed_is_an_error_and_spends_the_directory() {
    let trial = Trial::sh("true");
    let broken = Launcher { program: "/bin/sh".into(), arguments: vec!["/nonexistent".into()] };
    let error = start_with(&broken, &trial.dir(), &trial.spec).await.unwrap_err();
    assert!(matches!(error, ProcessError::NotReady { .. }), "{error}");
    assert!(error.to_string().contains("/nonexistent"), "{error}");
    assert!(matches!(recover(&trial.dir()).unwrap(), Recovery::NeverStarted));
    let again = start_with(&launcher(), &trial.dir(), &trial.spec).await;
    assert!(matches!(again, Err(ProcessError::AlreadyStarted(_))));
}

#[tokio::test]
async fn a_shim_that_is_killed_before_it_is_ready_is_told_apart() {
    let trial = Trial::sh("true");
    let arguments = vec!["-c".into(), "kill -9 $$".into()];
    let killed = Launcher { program: "/bin/sh".into(), arguments };
    let error = start_with(&killed, &trial.dir(), &trial.spec).await.unwrap_err();
    assert!(matches!(error, ProcessError::ShimKilled(_)), "{error}");
    assert!(matches!(recover(&trial.dir()).unwrap(), Recovery::NeverStarted));
}

#[tokio::test]
async fn the_prompt_is_standard_input_and_otherwise_there_is_none() {
    let mut trial = Trial::sh("cat; echo over");
    assert_eq!(trial.run().await.exit, exited(0));
    assert_eq!(trial.stdout(), b"over\n");
    trial = Trial::sh("cat");
    let prompt = trial.home.path().join("prompt.md");
    std::fs::write(&prompt, "do it").unwrap();
    trial.spec.stdin = Some(prompt);
    trial.run().await;
    assert_eq!(trial.stdout(), b"do it");
}

#[tokio::test]
async fn the_environment_is_ours_with_the_changes_asked_for() {
    let mut trial =
        Trial::sh("echo $A-$HOME-$PATH-; case $ORCH_ATTEMPT_KEY in ?*) echo key;; esac");
    trial.spec.env.insert("A".into(), "b c".into());
    trial.spec.env_remove.push("HOME".into());
    trial.run().await;
    let path = std::env::var("PATH").unwrap();
    assert_eq!(String::from_utf8(trial.stdout()).unwrap(), format!("b c--{path}-\nkey\n"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_agent_inherits_no_descriptor_no_ignored_signal_and_no_group() {
    use std::os::fd::AsRawFd;
    let open = std::fs::File::open("/dev/null").unwrap();
    // As if the supervisor's own parent had left it open.
    nix::fcntl::fcntl(&open, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let script = "ls /proc/$$/fd; grep -E '^Sig(Blk|Ign):' /proc/self/status; \
                  cut -d' ' -f1,5,6,7 /proc/$$/stat; cat /proc/$$/oom_score_adj";
    let trial = Trial::sh(script);
    let running = trial.start().await;
    let shim = running.pid();
    running.wait().await.unwrap();
    let text = String::from_utf8(trial.stdout()).unwrap();
    assert!(open.as_raw_fd() > 2 && text.starts_with("0\n1\n2\n"), "{text}");
    assert!(!text.contains(&format!("\n{}\n", open.as_raw_fd())), "{text}");
    assert!(text.contains("SigBlk:\t0000000000000000\n"), "{text}");
    let ignored = text.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    // Signals 32 and 33 are the C library's own, and it lets nobody touch them.
    let ours = u64::from_str_radix(ignored, 16).unwrap() & !(0b11 << 31);
    assert_eq!(ours, 0, "{text}");
    let line = text.lines().rev().nth(1).unwrap();
    let [pid, group, session, terminal] = line.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{line}")
    };
    assert_eq!((group, session, terminal), (pid, shim.to_string().as_str(), "0"));
    let ours = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    assert!(text.ends_with(&ours), "{text}");
}

#[tokio::test]
async fn the_result_says_what_it_cost() {
    let trial = Trial::sh("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 3");
    let result = trial.run().await;
    assert_eq!(result.exit, exited(3));
    assert!(result.user_ms + result.sys_ms > 0, "{result:?}");
    assert!(result.max_rss_bytes > 100 << 10, "{result:?}");
    assert!(result.finished_at >= result.started_at);
    assert!(!trial.dir().join("shim.err").exists(), "an empty file is no use");
    let status = std::process::ExitStatus::from_raw(3 << 8);
    assert_eq!(status.code(), result.exit.code);
}
