//! The scripted agent: this program again, started by `orch` in a worktree.

use crate::tasks::{self, Kind};
use nix::unistd::setsid;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Holds the task's lock for its life, so that a second live attempt is found out.
struct Guard {
    _file: File,
}

struct Agent {
    side: PathBuf,
    task: String,
    name: String,
    attempt: String,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// `agent SIDE ORCH_DIR`.
pub fn act(arguments: &[String]) -> ExitCode {
    let agent = Agent {
        side: PathBuf::from(&arguments[0]),
        task: variable("ORCH_TASK_ID"),
        name: variable("ORCH_TASK_NAME"),
        attempt: variable("ORCH_ATTEMPT"),
    };
    let _guard = agent.guard();
    let attempts =
        Path::new(&arguments[1]).join("runs").join(variable("ORCH_RUN_ID")).join(&agent.task);
    if has_succeeded(&attempts) {
        agent.note("REPEATED");
    }
    agent.note("start");
    let code = agent.work();
    if code == 0 {
        agent.note("end");
    }
    ExitCode::from(code)
}

/// An attempt of the task's agent has reported success: another must never start.
fn has_succeeded(attempts: &Path) -> bool {
    let results = fs::read_dir(attempts).into_iter().flatten().flatten();
    results
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("implement."))
        .filter_map(|entry| fs::read_to_string(entry.path().join("result.json")).ok())
        .any(|text| text.contains("\"code\":0"))
}

impl Agent {
    /// Appends a line to what all agents of the trial wrote.
    fn note(&self, word: &str) {
        let line = format!("{word} {} {} {}\n", self.name, self.attempt, std::process::id());
        let file = File::options().append(true).create(true).open(self.side.join("ledger"));
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }

    fn guard(&self) -> Guard {
        let file = File::create(self.side.join(format!("{}.main", self.task))).unwrap();
        if file.try_lock().is_err() {
            self.note("DOUBLE");
        }
        // What an earlier attempt started holds this one: it must be gone as well.
        let tree = File::create(self.tree()).unwrap();
        if tree.try_lock().is_err() {
            self.note("SURVIVED");
        }
        Guard { _file: file }
    }

    fn tree(&self) -> PathBuf {
        self.side.join(format!("{}.tree", self.task))
    }

    #[expect(clippy::zombie_processes, reason = "what it leaves behind is the point")]
    fn work(&self) -> u8 {
        let pause = |ms| std::thread::sleep(Duration::from_millis(ms));
        let kind = Kind::of(&self.name).unwrap_or(Kind::Quick);
        match kind {
            Kind::Flaky => {
                let mark = self.side.join(format!("{}.failed", self.task));
                if !mark.exists() {
                    fs::write("half-done.txt", "to be thrown away\n").unwrap();
                    pause(200);
                    fs::write(mark, "").unwrap();
                    return 1;
                }
            }
            Kind::Children => {
                for _ in 0..2 {
                    let program = std::env::current_exe().unwrap();
                    let tree = self.tree();
                    Command::new(program).arg("linger").env("CHAOS_TREE", tree).spawn().unwrap();
                }
                pause(900);
            }
            Kind::Loud => {
                let mut out = std::io::stdout().lock();
                for n in 0..tasks::LOUD_LINES {
                    writeln!(out, "{n:07} of {} says a lot about nothing at all", self.name)
                        .unwrap();
                    if n % 8000 == 0 {
                        pause(100);
                    }
                }
            }
            _ => {}
        }
        for (path, text) in tasks::files(&self.name) {
            fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
            if kind == Kind::Slow {
                let mut file = File::create(&path).unwrap();
                for line in text.lines() {
                    writeln!(file, "{line}").unwrap();
                    pause(15);
                }
            } else {
                fs::write(&path, text).unwrap();
                pause(100);
            }
        }
        if kind == Kind::Commits {
            let git = |words: &[&str]| Command::new("git").args(words).status().unwrap().success();
            if !git(&["add", "-A"]) || !git(&["commit", "-qm", &format!("Do {}", self.name)]) {
                return 1;
            }
        }
        0
    }
}

/// A child that goes its own way: another session, no end.
pub fn linger() -> ExitCode {
    // Fails for the leader of a group, who then has a session already.
    let _ = setsid();
    let file = File::open(variable("CHAOS_TREE")).unwrap();
    file.lock_shared().unwrap();
    std::thread::sleep(Duration::from_mins(20));
    ExitCode::SUCCESS
}
