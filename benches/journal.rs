//! What a durable commit costs beside one `fdatasync` of as many bytes on the same disk, alone and while
//! others read. They take turns, so that whatever disturbs one disturbs the other.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must end")]

use orch::journal::{Journal, Projection};
use orch::model::{
    AttemptEnd, AttemptId, Ending, Event, Recorded, RunId, RunView, TaskState, TaskView, Timestamp,
};
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const COMMITS: usize = 400;
const TASKS: usize = 1000;

/// Most that a commit may cost, in syncs.
const REQUIRED: f64 = 1.5;

fn main() {
    // On the disk that repositories are on, which a temporary directory in memory is not.
    let dir =
        tempfile::tempdir_in(std::env::var_os("ORCH_BENCH_DIR").unwrap_or(".".into())).unwrap();
    let mut missed = false;
    for readers in [0, 2] {
        let (commit, sync, looks) = measure(&dir.path().join(readers.to_string()), readers);
        let ratio = commit / sync;
        missed |= ratio > REQUIRED;
        println!(
            "durable commit, {readers} readers: {:.3} ms, one fdatasync {:.3} ms, {ratio:.2} (<= {REQUIRED}); \
             looks meanwhile: {looks}",
            commit * 1000.0,
            sync * 1000.0
        );
    }
    std::process::exit(i32::from(missed));
}

/// Medians of a commit and of a sync, seconds; and how often the readers looked.
fn measure(dir: &Path, readers: usize) -> (f64, f64, u64) {
    fs::create_dir_all(dir).unwrap();
    let path = dir.join("journal.db");
    let mut journal = Journal::open(&path).unwrap();
    let run = RunId::from("run-1");
    let tasks: Vec<(usize, TaskView)> = (0..TASKS).map(|n| (n, view(n))).collect();
    append(&mut journal, &run, 0, &tasks);
    let mut plain = File::create(dir.join("plain")).unwrap();
    let (stop, looks) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..readers {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seen = Journal::look(&path, |journal| {
                        let states = [TaskState::Succeeded, TaskState::Running];
                        journal.tasks_in(&run, &states, 60)?;
                        journal.counts(&run)
                    });
                    seen.unwrap();
                    looks.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        let (mut commits, mut syncs) = (Vec::new(), Vec::new());
        for n in 1..=COMMITS {
            let grown = |file: &str| fs::metadata(dir.join(file)).map_or(0, |file| file.len());
            let before = grown("journal.db-wal");
            let start = Instant::now();
            append(&mut journal, &run, n as u64, &tasks[n % TASKS..=n % TASKS]);
            commits.push(start.elapsed().as_secs_f64());
            // What one commit writes, where the log did not start again from its beginning.
            let bytes = grown("journal.db-wal").saturating_sub(before).max(3 * 4120);
            let block = vec![7_u8; usize::try_from(bytes).unwrap()];
            let start = Instant::now();
            plain.write_all(&block).unwrap();
            plain.sync_data().unwrap();
            syncs.push(start.elapsed().as_secs_f64());
        }
        stop.store(true, Ordering::Relaxed);
        (median(commits), median(syncs), looks.load(Ordering::Relaxed))
    })
}

fn append(journal: &mut Journal, run: &RunId, after: u64, tasks: &[(usize, TaskView)]) {
    let attempt = AttemptId { task: "task-1".into(), step: "implement".into(), number: 1 };
    let event = Event::AttemptEnded { attempt, end: Box::new(AttemptEnd::of(Ending::Succeeded)) };
    let events = [Recorded { seq: after + 1, at: Timestamp(0), event }];
    let view: RunView = serde_json::from_value(json!({
        "id": run, "state": "running", "started_at": Timestamp(0), "active_seconds": 0.0,
        "finished_at": null, "base": "0".repeat(40), "target": null, "jobs": 8,
        "supervisor": {"pid": 1, "alive": true},
    }))
    .unwrap();
    let turn = journal.turn(run, after).unwrap().unwrap();
    turn.commit(&events, &Projection { run: &view, tasks }, true).unwrap();
}

fn view(n: usize) -> TaskView {
    let text = |words: usize| "some words of a title ".repeat(words);
    let files: Vec<String> = (0..8).map(|file| format!("src/some/folder/file{file}.rs")).collect();
    serde_json::from_value(json!({
        "id": format!("task-{n:05}"), "name": format!("name-{n}"), "title": text(3),
        "prompt": format!("prompts/name-{n}.md"), "agent": "claude", "state": "succeeded",
        "attempts": [], "branch": format!("orch/name-{n}"), "worktree": format!(".worktrees/task-{n}"),
        "commit": "1".repeat(40), "start": "0".repeat(40), "files_changed": files,
        "pull_request": null, "issue": null, "blocked_on": [], "error": null, "note": text(10),
    }))
    .unwrap()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
