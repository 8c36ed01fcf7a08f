//! Ends that somebody or some limit asks for, and what agents leave behind.

use super::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn send(process: ProcessId, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process.pid).unwrap()), signal).unwrap();
}

/// A tool in a session of its own that ignores SIGTERM and keeps both pipes open.
const STUBBORN_TOOL: &str =
    "setsid sh -c 'trap \"\" TERM; echo $$ > tool; while :; do sleep 1000; done' &
     while [ ! -s tool ]; do sleep 0.01; done;";

#[tokio::test]
async fn the_time_limit_ends_the_tree() {
    let mut trial = Trial::sh("sleep 1000 & echo $! > child; wait");
    trial.spec.timeout_ms = Some(300);
    let result = trial.run().await;
    assert_eq!((result.stopped, result.exit), (Some(StopReason::Timeout), signalled(15)));
    assert!(result.wall_ms >= 300);
    let child = std::fs::read_to_string(trial.spec.cwd.join("child")).unwrap();
    assert_eq!(ProcessId::of(child.trim().parse().unwrap()), None);
}

#[tokio::test]
async fn silence_ends_it_and_output_does_not() {
    let script = "for i in 1 2 3 4 5 6; do sleep 0.2; echo $i; done; exec sleep 1000";
    let mut trial = Trial::sh(script);
    trial.spec.idle_timeout_ms = Some(700);
    let result = trial.run().await;
    assert_eq!(result.stopped, Some(StopReason::IdleTimeout));
    assert_eq!(trial.stdout(), b"1\n2\n3\n4\n5\n6\n");
}

#[tokio::test]
async fn whoever_ignores_sigterm_is_killed_after_the_grace() {
    let mut trial = Trial::sh("trap 'echo no' TERM; echo $$ > agent; while :; do sleep 0.01; done");
    trial.spec.grace_ms = 300;
    let running = trial.start().await;
    trial.process("agent").await;
    assert!(running.stop(Stop::Gracefully));
    let result = done(running.wait().await.unwrap());
    assert_eq!((result.stopped, result.exit), (Some(StopReason::Cancelled), signalled(9)));
    assert_eq!(trial.stdout(), b"no\n", "output during the grace is kept");
}

#[tokio::test]
async fn an_agent_may_use_its_grace_and_its_exit_is_recorded() {
    let script = "trap 'echo bye; exit 0' TERM; echo $$ > agent; while :; do sleep 0.01; done";
    let trial = Trial::sh(script);
    let running = trial.start().await;
    trial.process("agent").await;
    running.stop(Stop::Gracefully);
    let result = done(running.wait().await.unwrap());
    assert_eq!((result.stopped, result.exit), (Some(StopReason::Cancelled), exited(0)));
    assert_eq!(trial.stdout(), b"bye\n");
}

#[tokio::test]
async fn asking_twice_or_at_once_shortens_the_grace() {
    for at_once in [false, true] {
        let trial = Trial::sh("trap 'echo no' TERM; echo $$ > agent; while :; do sleep 0.01; done");
        // The grace is 30 s, and the time limit, which would be recorded, 60 s.
        let running = trial.start().await;
        trial.process("agent").await;
        if at_once {
            running.stop(Stop::Now);
        } else {
            running.stop(Stop::Gracefully);
            eventually("the first request", || trial.stdout() == b"no\n").await;
            running.stop(Stop::Gracefully);
        }
        let result = done(running.wait().await.unwrap());
        assert_eq!((result.stopped, result.exit), (Some(StopReason::Cancelled), signalled(9)));
        assert!(result.wall_ms < 30_000);
    }
}

#[tokio::test]
async fn every_polite_signal_to_the_shim_stops_the_agent() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let trial = Trial::sh("echo $$ > agent; exec sleep 1000");
        let running = trial.start().await;
        let agent = trial.process("agent").await;
        send(running.stopper().process(), signal);
        let result = done(running.wait().await.unwrap());
        assert_eq!(result.stopped, Some(StopReason::Cancelled), "{signal}");
        assert!(!agent.is_alive());
    }
}

#[tokio::test]
async fn a_stopped_agent_is_continued_so_that_it_can_obey() {
    let script = "trap 'echo bye; exit 5' TERM; echo $$ > agent; while :; do sleep 0.01; done";
    let trial = Trial::sh(script);
    let running = trial.start().await;
    let agent = trial.process("agent").await;
    send(agent, Signal::SIGSTOP);
    running.stop(Stop::Gracefully);
    let result = done(running.wait().await.unwrap());
    assert_eq!((result.exit, trial.stdout()), (exited(5), b"bye\n".to_vec()));
}

#[tokio::test]
async fn a_tool_in_its_own_session_that_holds_the_pipes_does_not_outlive_a_success() {
    let mut trial = Trial::sh(&format!("{STUBBORN_TOOL} echo done"));
    trial.spec.grace_ms = 100;
    let running = trial.start().await;
    let tool = trial.process("tool").await;
    let result = done(running.wait().await.unwrap());
    assert_eq!((result.exit, result.stopped), (exited(0), None));
    assert!(result.killed >= 1 && result.unkillable == 0, "{result:?}");
    assert!(!tool.is_alive());
    assert_eq!(trial.stdout(), b"done\n");
}

#[tokio::test]
async fn a_chatty_tool_does_not_postpone_the_end() {
    let script = "setsid sh -c 'trap \"\" TERM; echo $$ > tool; exec yes' & \
                  while [ ! -s tool ]; do sleep 0.01; done";
    let mut trial = Trial::sh(script);
    trial.spec.grace_ms = 100;
    trial.spec.log_cap = 1 << 20;
    let running = trial.start().await;
    let tool = trial.process("tool").await;
    let result = done(running.wait().await.unwrap());
    assert!(!tool.is_alive());
    assert_eq!((result.exit, result.stopped, result.killed), (exited(0), None, 1));
}

#[tokio::test]
async fn a_daemon_that_forked_twice_and_closed_everything_is_found() {
    let script = "( setsid sh -c '( exec <&- >&- 2>&-; echo $(exec sh -c \"echo \\$PPID\") > daemon; \
                  exec sleep 1000 ) & ' ) ; while [ ! -s daemon ]; do sleep 0.01; done";
    let trial = Trial::sh(script);
    let running = trial.start().await;
    let daemon = trial.process("daemon").await;
    let result = done(running.wait().await.unwrap());
    assert!(!daemon.is_alive());
    assert_eq!((result.exit, result.killed), (exited(0), 1));
}

#[tokio::test]
async fn a_process_that_ends_by_itself_soon_is_left_to() {
    // The shell does not wait for the reader of the pipe, which has something left to say.
    let trial = Trial::sh("(sleep 0.02; echo last) & echo first");
    let result = trial.run().await;
    assert_eq!((result.killed, trial.stdout()), (0, b"first\nlast\n".to_vec()));
}

#[tokio::test]
async fn fifty_children_in_fifty_sessions_are_ended() {
    let script = "for i in $(seq 50); do setsid sh -c 'trap \"\" TERM; echo $$ >> all; \
                  sleep 1000 & wait; sleep 1000' & done; \
                  while [ \"$(cat all 2>/dev/null | wc -l)\" -lt 50 ]; do sleep 0.02; done; \
                  echo $$ > agent; wait";
    let mut trial = Trial::sh(script);
    trial.spec.grace_ms = 200;
    let running = trial.start().await;
    trial.process("agent").await;
    running.stop(Stop::Gracefully);
    let result = done(running.wait().await.unwrap());
    assert!(result.killed >= 50, "{result:?}");
    assert_eq!(result.unkillable, 0);
    let all = std::fs::read_to_string(trial.spec.cwd.join("all")).unwrap();
    assert_eq!(all.lines().count(), 50);
    for pid in all.lines() {
        assert_eq!(ProcessId::of(pid.parse().unwrap()), None);
    }
}

#[tokio::test]
async fn a_stop_after_the_agents_own_end_does_not_change_what_it_was() {
    let trial = Trial::sh(&format!("{STUBBORN_TOOL} exit 4"));
    let running = trial.start().await;
    let tool = trial.process("tool").await;
    // The agent is gone; its tool uses its 30 seconds of grace.
    let agent = running.stopper().process();
    assert!(agent.is_alive());
    eventually("the agent's end", || {
        std::fs::read_to_string(trial.dir().join("agent.json"))
            .ok()
            .and_then(|text| serde_json::from_str::<ProcessId>(&text).ok())
            .is_some_and(|agent| !agent.is_alive())
    })
    .await;
    running.stop(Stop::Now);
    let result = done(running.wait().await.unwrap());
    assert_eq!((result.exit, result.stopped), (exited(4), None));
    assert!(!tool.is_alive());
}

#[tokio::test]
async fn a_process_that_hands_itself_on_is_caught() {
    // Each shell starts the next and ends, so none is there for longer than a millisecond.
    let script = "trap '' TERM; echo 'sh ./hop &' > hop; sh ./hop; echo $$ > agent; \
                  while :; do sleep 1000; done";
    let mut trial = Trial::sh(script);
    trial.spec.grace_ms = 50;
    let running = trial.start().await;
    trial.process("agent").await;
    running.stop(Stop::Gracefully);
    let result = done(running.wait().await.unwrap());
    assert_eq!((result.exit, result.unkillable), (signalled(9), 0), "{result:?}");
    let key = std::fs::read_to_string(trial.dir().join("spec.json")).unwrap();
    let key = serde_json::from_str::<serde_json::Value>(&key).unwrap()["key"].clone();
    assert_eq!(tree::carriers(key.as_str().unwrap()).len(), 0);
}
