//! What a shim reads of its attempt's processes.

use super::*;

fn heartbeat(trial: &Trial) -> Option<Heartbeat> {
    Heartbeat::read(&trial.dir()).unwrap()
}

#[tokio::test]
async fn a_silent_computation_is_no_stall() {
    const IDLE_MS: u64 = 400;
    let mut trial = Trial::sh("while [ ! -e enough ]; do :; done; exec sleep 1000");
    trial.spec.idle_timeout_ms = Some(IDLE_MS);
    let running = trial.start().await;
    // This much CPU time takes at least as much time.
    let computed = || heartbeat(&trial).is_some_and(|beat| beat.cpu_ms > 4 * IDLE_MS);
    eventually("four idle limits of computing", computed).await;
    assert!(running.stopper().process().is_alive());
    std::fs::write(trial.home.path().join("marks/enough"), "").unwrap();
    let result = done(running.wait().await.unwrap());
    assert_eq!(result.stopped, Some(StopReason::IdleTimeout));
    assert!(result.wall_ms > 4 * IDLE_MS, "{result:?}");
}

#[tokio::test]
async fn the_heartbeat_is_about_the_whole_tree() {
    let trial = Trial::sh("sh -c 'exec sleep 1000' & setsid sleep 1000 & echo told; wait");
    let running = trial.start().await;
    eventually("a heartbeat", || heartbeat(&trial).is_some_and(|b| b.processes == 3)).await;
    let beat = heartbeat(&trial).unwrap();
    assert!(beat.memory_bytes > 0 && beat.peak_memory_bytes >= beat.memory_bytes, "{beat:?}");
    assert!(beat.last_output_at.is_some_and(|at| at <= beat.at), "{beat:?}");
    running.stop(Stop::Now);
    let result = done(running.wait().await.unwrap());
    assert!(result.peak_memory_bytes >= beat.peak_memory_bytes, "{result:?} {beat:?}");
}

#[tokio::test]
async fn cpu_time_of_ended_children_is_not_forgotten() {
    let spin = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    // The shell that lives on does nothing itself.
    let trial = Trial::sh(&format!("sh -c '{spin}'; echo spun; exec sleep 1000"));
    let running = trial.start().await;
    eventually("the computing", || heartbeat(&trial).is_some_and(|b| b.cpu_ms >= 100)).await;
    running.stop(Stop::Now);
    done(running.wait().await.unwrap());
}
