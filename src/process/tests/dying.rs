//! Shims and supervisors that are killed.

use super::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{Command, Stdio};

fn sigkill(pid: u32) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
}

/// An agent, a tool in its own session, and a daemon re-parented away from both.
const FAMILY: &str = "setsid sh -c 'trap \"\" TERM; echo $$ > tool; while :; do sleep 1000; done' &
    ( setsid sh -c 'echo $$ > daemon; exec sleep 1000' & )
    while [ ! -s tool ] || [ ! -s daemon ]; do sleep 0.01; done
    echo $$ > agent; while :; do sleep 1000; done";

async fn family(trial: &Trial) -> [ProcessId; 3] {
    [trial.process("agent").await, trial.process("tool").await, trial.process("daemon").await]
}

#[tokio::test]
async fn when_the_shim_is_killed_nothing_is_left_and_it_is_lost() {
    let trial = Trial::sh(FAMILY);
    let running = trial.start().await;
    let family = family(&trial).await;
    sigkill(running.pid());
    let Finished::Lost { survivors_ended } = running.wait().await.unwrap() else {
        panic!("a killed shim reports nothing")
    };
    assert!(survivors_ended >= 2, "{survivors_ended}");
    assert_eq!(family.map(ProcessId::is_alive), [false; 3]);
    assert!(matches!(recover(&trial.dir()).unwrap(), Recovery::Lost { survivors_ended: 0 }));
    assert!(has_ended(&trial.dir()).unwrap());
}

#[tokio::test]
async fn the_agent_dies_with_its_shim_even_if_nobody_looks() {
    let trial = Trial::sh("echo $$ > agent; exec sleep 1000");
    let running = trial.start().await;
    let agent = trial.process("agent").await;
    sigkill(running.pid());
    if cfg!(target_os = "linux") {
        eventually("the parent-death signal", || !agent.is_alive()).await;
    }
    running.wait().await.unwrap();
    assert!(!agent.is_alive());
}

/// Not a test: a supervisor, in a process of its own, of the trial in its last argument.
#[test]
fn supervisor_entry() {
    let Some(dir) = std::env::args().next_back().map(PathBuf::from) else { return };
    let Ok(spec) = std::fs::read(dir.join("trial.json")) else { return };
    let spec: ShimSpec = serde_json::from_slice(&spec).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let running = start_with(&launcher(), &dir.join("attempt"), &spec).await.unwrap();
        running.wait().await.unwrap();
    });
}

/// The trial under a supervisor in a process of its own.
fn elsewhere(trial: &Trial) -> std::process::Child {
    let spec = serde_json::to_vec(&trial.spec).unwrap();
    std::fs::write(trial.home.path().join("trial.json"), spec).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["process::tests::dying::supervisor_entry", "--exact", "--test-threads=1"])
        .arg(trial.home.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn adopt(trial: &Trial) -> Adopted {
    eventually("a shim", || trial.dir().join("shim.json").exists()).await;
    match recover(&trial.dir()).unwrap() {
        Recovery::Alive(adopted) => adopted,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_attempt_goes_on_without_its_supervisor_and_is_adopted() {
    let trial = Trial::sh("echo $$ > agent; read x < go; echo finished; exit 6");
    let pipe = trial.spec.cwd.join("go");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut supervisor = elsewhere(&trial);
    let agent = trial.process("agent").await;
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let adopted = adopt(&trial).await;
    assert!(agent.is_alive() && !has_ended(&trial.dir()).unwrap());
    tokio::task::spawn_blocking(|| std::fs::write(pipe, "\n")).await.unwrap().unwrap();
    let result = done(adopted.wait().await.unwrap());
    assert_eq!((result.exit, trial.stdout()), (exited(6), b"finished\n".to_vec()));
    assert!(matches!(recover(&trial.dir()).unwrap(), Recovery::Finished(again) if again == result));
}

#[tokio::test]
async fn an_adopted_attempt_can_be_stopped() {
    let trial = Trial::sh(FAMILY);
    let mut supervisor = elsewhere(&trial);
    let family = family(&trial).await;
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let adopted = adopt(&trial).await;
    assert!(adopted.stop(Stop::Now));
    let result = done(adopted.wait().await.unwrap());
    assert_eq!(result.stopped, Some(StopReason::Cancelled));
    assert_eq!(family.map(ProcessId::is_alive), [false; 3]);
}

#[tokio::test]
async fn when_both_are_killed_recovery_ends_what_is_left() {
    let trial = Trial::sh(FAMILY);
    let mut supervisor = elsewhere(&trial);
    let family = family(&trial).await;
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let adopted = adopt(&trial).await;
    sigkill(adopted.pid());
    let Finished::Lost { survivors_ended } = adopted.wait().await.unwrap() else {
        panic!("a killed shim reports nothing")
    };
    assert!(survivors_ended >= 2, "{survivors_ended}");
    assert_eq!(family.map(ProcessId::is_alive), [false; 3]);
}

#[test]
fn a_shim_that_comes_after_a_recovery_refuses() {
    let trial = Trial::sh("echo ran > ran");
    let dir = trial.dir();
    assert!(matches!(recover(&dir).unwrap(), Recovery::NeverStarted));
    // What a supervisor leaves that dies between writing the spec and spawning.
    std::fs::create_dir(&dir).unwrap();
    let stored = spec::StoredSpec { key: "k".into(), spec: trial.spec.clone() };
    std::fs::write(dir.join("spec.json"), serde_json::to_vec(&stored).unwrap()).unwrap();
    assert!(matches!(recover(&dir).unwrap(), Recovery::NeverStarted));
    let late = launcher();
    let status = Command::new(late.program)
        .args(late.arguments)
        .arg(&dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    assert!(!trial.spec.cwd.join("ran").exists());
    assert!(matches!(recover(&dir).unwrap(), Recovery::NeverStarted));
}

/// Recoveries and late shims at the same instant: the agent ran exactly when somebody says so.
#[test]
fn a_shim_and_a_recovery_at_once_agree() {
    for _ in 0..30 {
        let trial = Trial::sh("echo ran > ran");
        let dir = trial.dir();
        std::fs::create_dir(&dir).unwrap();
        let stored = spec::StoredSpec { key: "k3".into(), spec: trial.spec.clone() };
        std::fs::write(dir.join("spec.json"), serde_json::to_vec(&stored).unwrap()).unwrap();
        let late = launcher();
        let mut shim = Command::new(late.program)
            .args(late.arguments)
            .arg(&dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let verdict = recover(&dir).unwrap();
        shim.wait().unwrap();
        let ran = trial.spec.cwd.join("ran").exists();
        match verdict {
            Recovery::NeverStarted => assert!(!ran),
            Recovery::Alive(_) | Recovery::Finished(_) => assert!(ran),
            Recovery::Lost { .. } => panic!("nobody died"),
        }
    }
}

fn key_of(dir: &Path) -> String {
    let stored: spec::StoredSpec = durable::read(&layout::spec(dir)).unwrap().unwrap();
    stored.key
}

/// The pauses are the point here, not a means: each round kills at another instant.
#[tokio::test]
async fn a_shim_killed_at_any_instant_leaves_nothing() {
    for round in 0..15 {
        let trial = Trial::sh(FAMILY);
        let running = trial.start().await;
        tokio::time::sleep(Duration::from_millis(2 * round)).await;
        sigkill(running.pid());
        let finished = running.wait().await.unwrap();
        assert!(matches!(finished, Finished::Lost { .. }), "{finished:?}");
        assert_eq!(tree::carriers(&key_of(&trial.dir())).len(), 0, "round {round}");
    }
}

/// As above, from the shim's first instant on, with a recovery by somebody else.
#[tokio::test]
async fn a_shim_killed_while_it_starts_is_decided_once_and_for_all() {
    for round in 0..25 {
        let trial = Trial::sh("echo ran >> ran; exec sleep 1000");
        let dir = trial.dir();
        std::fs::create_dir(&dir).unwrap();
        let key = format!("{:032x}", round + u64::from(std::process::id()));
        let stored = spec::StoredSpec { key: key.clone(), spec: trial.spec.clone() };
        std::fs::write(dir.join("spec.json"), serde_json::to_vec(&stored).unwrap()).unwrap();
        let late = launcher();
        let mut shim = Command::new(late.program)
            .args(late.arguments)
            .arg(&dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(round * 800));
        shim.kill().unwrap();
        let verdict = match recover(&dir).unwrap() {
            // The signal was on its way.
            Recovery::Alive(adopted) => match adopted.wait().await.unwrap() {
                Finished::Lost { survivors_ended } => Recovery::Lost { survivors_ended },
                Finished::Done(result) => Recovery::Finished(result),
            },
            verdict => verdict,
        };
        assert_eq!(tree::carriers(&key).len(), 0);
        shim.wait().unwrap();
        let ran = trial.spec.cwd.join("ran").exists();
        match verdict {
            Recovery::NeverStarted => assert!(!ran),
            Recovery::Lost { .. } => {}
            other => panic!("{other:?}"),
        }
        let again = recover(&dir).unwrap();
        assert_eq!(std::mem::discriminant(&again), std::mem::discriminant(&verdict));
    }
}

#[tokio::test]
async fn a_process_that_hands_itself_on_does_not_outlive_its_shim() {
    for _ in 0..5 {
        let script = "echo 'sh ./hop &' > hop; sh ./hop; echo $$ > agent; exec sleep 1000";
        let trial = Trial::sh(script);
        let running = trial.start().await;
        trial.process("agent").await;
        sigkill(running.pid());
        assert!(matches!(running.wait().await.unwrap(), Finished::Lost { .. }));
        let key = key_of(&trial.dir());
        for look in 0..20 {
            assert_eq!(tree::carriers(&key).len(), 0, "look {look}");
        }
    }
}

#[tokio::test]
async fn a_shim_that_was_stopped_by_hand_can_still_be_asked() {
    let trial = Trial::sh("echo $$ > agent; exec sleep 1000");
    let running = trial.start().await;
    trial.process("agent").await;
    kill(Pid::from_raw(i32::try_from(running.pid()).unwrap()), Signal::SIGSTOP).unwrap();
    running.stop(Stop::Gracefully);
    let result = done(running.wait().await.unwrap());
    assert_eq!((result.stopped, result.exit), (Some(StopReason::Cancelled), signalled(15)));
}

#[tokio::test]
async fn an_attempt_inside_an_attempt_ends_with_it() {
    // The inner agent's environment names both attempts.
    let key = "echo $ORCH_ATTEMPT_KEY > keys; echo $$ > agent; exec sleep 1000";
    let mut trial = Trial::sh(key);
    trial.spec.argv = ["env", "ORCH_ATTEMPT_KEY=outer", "sh", "-c", key].map(str::to_owned).into();
    let running = trial.start().await;
    let agent = trial.process("agent").await;
    assert!(tree::carriers("outer").contains(&agent));
    running.stop(Stop::Now);
    running.wait().await.unwrap();
    assert!(!agent.is_alive());
}

/// A group of the v2 hierarchy, as a session manager would have given us one.
#[cfg(target_os = "linux")]
struct Delegated(PathBuf);

#[cfg(target_os = "linux")]
impl Delegated {
    fn make() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
        let mount = mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            (fields.get(2) == Some(&"cgroup2")).then(|| PathBuf::from(fields[1]))
        })?;
        let path = mount.join(format!("orch-test-{}", std::process::id()));
        std::fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    /// The shim, started from within the group.
    fn launcher(&self) -> Launcher {
        let inner = launcher();
        let enter = "echo $$ > \"$0\"/cgroup.procs && exec \"$@\"";
        let mut arguments: Vec<std::ffi::OsString> = vec!["-c".into(), enter.into()];
        arguments.push(self.0.clone().into());
        arguments.push(inner.program.into());
        arguments.extend(inner.arguments);
        Launcher { program: "/bin/sh".into(), arguments }
    }

    fn children(&self) -> usize {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// With a group of its own, nothing escapes: not even a daemon without environment or parent.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_control_group_is_used_where_one_was_delegated() {
    let Some(group) = Delegated::make() else {
        eprintln!("skipped: no cgroup v2 hierarchy that this user may write to");
        return;
    };
    let script = "( env -i setsid sh -c 'echo $$ > daemon; exec sleep 1000' & ); \
                  echo $$ > agent; exec sleep 1000";
    for shim_dies in [false, true] {
        let trial = Trial::sh(script);
        let running = start_with(&group.launcher(), &trial.dir(), &trial.spec).await.unwrap();
        let (agent, daemon) = (trial.process("agent").await, trial.process("daemon").await);
        let own = std::fs::read_to_string(format!("/proc/{}/cgroup", daemon.pid)).unwrap();
        assert!(own.contains("/orch-test-") && own.matches("/orch-").count() == 2, "{own}");
        assert_eq!(group.children(), 1);
        if shim_dies {
            sigkill(running.pid());
            let finished = running.wait().await.unwrap();
            assert!(matches!(finished, Finished::Lost { survivors_ended: 1.. }), "{finished:?}");
        } else {
            running.stop(Stop::Now);
            assert_eq!(done(running.wait().await.unwrap()).killed, 1);
        }
        assert!(!agent.is_alive() && !daemon.is_alive());
        assert_eq!(group.children(), 0, "the attempt's group is removed");
    }
}

/// No environment, no parent, no session of ours; alone, and with the agent ended before anybody looks.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_daemon_that_emptied_its_environment_does_not_outlive_its_shim() {
    let script = "( env -i setsid sh -c 'echo $$ > daemon; exec sleep 1000' & ); \
                  echo $$ > agent; exec sleep 1000";
    for both in [false, true] {
        let trial = Trial::sh(script);
        if both {
            let mut supervisor = elsewhere(&trial);
            let daemon = trial.process("daemon").await;
            let agent = trial.process("agent").await;
            supervisor.kill().unwrap();
            supervisor.wait().unwrap();
            let shim = adopt(&trial).await;
            sigkill(shim.pid());
            eventually("the parent-death signal", || !agent.is_alive()).await;
            assert!(left_over(&trial.dir()).unwrap().contains(&daemon));
            let recovery = recover(&trial.dir()).unwrap();
            assert!(matches!(recovery, Recovery::Lost { survivors_ended: 1 }), "{recovery:?}");
            assert!(!daemon.is_alive());
        } else {
            let running = trial.start().await;
            let daemon = trial.process("daemon").await;
            trial.process("agent").await;
            sigkill(running.pid());
            assert!(matches!(running.wait().await.unwrap(), Finished::Lost { .. }));
            assert!(!daemon.is_alive());
        }
    }
}

#[test]
fn files_that_a_power_failure_left_empty_say_as_much_as_none() {
    let names = ["spec.json", "shim.json", "agent.json", "result.json"];
    for count in 1..=names.len() {
        let dir = tempfile::tempdir().unwrap();
        for name in &names[..count] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = recover(dir.path()).unwrap();
        let right = match count {
            1 => matches!(found, Recovery::NeverStarted),
            _ => matches!(found, Recovery::Lost { survivors_ended: 0 }),
        };
        assert!(right, "{:?}: {found:?}", &names[..count]);
    }
}
