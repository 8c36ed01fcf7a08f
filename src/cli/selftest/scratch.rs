//! A repository for one trial, with a world of its own around it, and what a run made of it.

use super::super::error::CliError;
use crate::git::Repo;
use crate::journal::{Journal, Layout};
use crate::model::{Event, Recorded, RunId};
use crate::process::SupervisorLock;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Task name, front matter, what its agent does. `$NOTES` is outside of the repository.
const TASKS: [(&str, &str, &str); 4] = [
    ("words", "", "echo words > words.txt; echo more >> src/common.txt"),
    ("commits", "", "echo own > own.txt; git add own.txt; git commit -qm 'Commit it myself'"),
    ("follows", "depends_on: [words]\n", "cat words.txt words.txt > twice.txt"),
    (
        "verified",
        "verify: [\"test -s list/3.txt\"]\n",
        "mkdir list; for n in 1 2 3; do seq $n 99 > list/$n.txt; done; seq 1 2000",
    ),
];

/// See the [module documentation](self).
pub(super) struct Scratch {
    root: PathBuf,
    repo: PathBuf,
}

/// What a run came to.
pub(super) struct Outcome {
    /// How many records its history has.
    pub(super) records: u64,
    /// By task: its state, and the tree of its commit.
    tasks: BTreeMap<String, (String, String)>,
    /// What the agents noted: each start and each end.
    notes: Vec<String>,
    /// What should be gone.
    left: Vec<String>,
}

impl Outcome {
    /// How it differs from an undisturbed run, if it does.
    pub(super) fn difference(&self, undisturbed: &Self) -> Option<String> {
        if self.tasks != undisturbed.tasks {
            return Some(format!("ended as {:?}, not {:?}", self.tasks, undisturbed.tasks));
        }
        if self.notes != undisturbed.notes {
            return Some(format!("agents ran as {:?}, not {:?}", self.notes, undisturbed.notes));
        }
        (!self.left.is_empty()).then(|| format!("left behind: {}", self.left.join(", ")))
    }
}

impl Scratch {
    pub(super) fn new(root: &Path) -> Result<Self, CliError> {
        let scratch = Self { root: root.to_owned(), repo: root.join("repo") };
        for dir in ["repo/src", "repo/prompts", "home", "tmp"] {
            fs::create_dir_all(root.join(dir))?;
        }
        fs::write(
            root.join("home/gitconfig"),
            "[user]\n\tname = orch selftest\n\temail = selftest@localhost\n[core]\n\tfsync = none\n",
        )?;
        scratch.git(&["init", "-q", "-b", "main"])?;
        for n in 1..=3 {
            fs::write(scratch.repo.join("src/common.txt"), format!("version {n}\n"))?;
            scratch.git(&["add", "."])?;
            scratch.git(&["commit", "-qm", &format!("Version {n}")])?;
        }
        for (name, front, script) in TASKS {
            let text = format!(
                "---\nagent: shell\n{front}---\n# Do {name}\n\n```sh\necho start {name} >> \"$NOTES\"\n{script}\n\
                 echo end {name} >> \"$NOTES\"\n```\n"
            );
            fs::write(scratch.repo.join(format!("prompts/{name}.md")), text)?;
        }
        scratch.git(&["add", "."])?;
        scratch.git(&["commit", "-qm", "Ask for four things"])?;
        Ok(scratch)
    }

    /// The run as it is without a crash.
    pub(super) fn undisturbed(&self) -> Result<Outcome, CliError> {
        let out = self.orch(&EXECUTE, None)?;
        if !out.status.success() {
            return Err(CliError::failed(format!("the undisturbed run failed: {}", said(&out))));
        }
        self.outcome()
    }

    /// Runs until the crash; the name of the last event that was recorded then.
    pub(super) fn crash(&self, when: &str, record: u64) -> Result<String, CliError> {
        let out = self.orch(&EXECUTE, Some(&format!("{when}:{record}")))?;
        if out.status.code().is_some() {
            // A run may need fewer records than the one they were counted in: two events in one.
            return Ok("(not reached)".to_owned());
        }
        Ok(self.history()?.last().map_or_else(|| "(nothing)".to_owned(), |r| name(&r.event)))
    }

    /// `orch resume`, or where nothing was recorded the run once more.
    pub(super) fn recover(&self) -> Result<Outcome, CliError> {
        let words: &[&str] = if self.history()?.is_empty() { &EXECUTE } else { &["resume"] };
        let out = self.orch(words, None)?;
        if !out.status.success() {
            return Err(CliError::failed(format!("orch {}: {}", words[0], said(&out))));
        }
        self.outcome()
    }

    fn outcome(&self) -> Result<Outcome, CliError> {
        let journal = self.journal()?.ok_or_else(|| CliError::failed("there is no journal"))?;
        let run = journal.find_run("latest")?.ok_or_else(|| CliError::failed("there is no run"))?;
        let mut tasks = BTreeMap::new();
        for task in journal.tasks(&run)? {
            let commit = task.commit.unwrap_or_default();
            let tree = self.git(&["rev-parse", &format!("{commit}^{{tree}}")])?;
            tasks.insert(task.name, (task.state.to_string(), tree));
        }
        let notes = fs::read_to_string(self.notes()).unwrap_or_default();
        let mut notes: Vec<String> = notes.lines().map(str::to_owned).collect();
        notes.sort();
        let records = journal.events_after(&run, 0)?.len() as u64;
        Ok(Outcome { records, tasks, notes, left: self.left(&journal, &run)? })
    }

    /// Attempts that live, locks of git, a supervisor.
    fn left(&self, journal: &Journal, run: &RunId) -> Result<Vec<String>, CliError> {
        let layout = self.layout()?;
        let mut left = Vec::new();
        for task in journal.tasks(run)? {
            for log in &task.logs {
                let id = crate::model::AttemptId {
                    task: task.id.clone(),
                    step: log.step.as_str().into(),
                    number: log.attempt,
                };
                let dir = layout.attempt(run, &id);
                if dir.is_dir() && !crate::process::has_ended(&dir).unwrap_or(false) {
                    left.push(format!("attempt {id}"));
                }
            }
        }
        if let Some(holder) = SupervisorLock::holder(&layout.supervisor_lock()) {
            left.push(format!("supervisor {}", holder.pid));
        }
        locks(&self.repo.join(".git"), layout.dir(), &mut left)?;
        Ok(left)
    }

    fn history(&self) -> Result<Vec<Recorded>, CliError> {
        let Some(journal) = self.journal()? else { return Ok(Vec::new()) };
        match journal.find_run("latest")? {
            Some(run) => Ok(journal.events_after(&run, 0)?),
            None => Ok(Vec::new()),
        }
    }

    fn journal(&self) -> Result<Option<Journal>, CliError> {
        Ok(Journal::open_existing(&self.layout()?.journal())?)
    }

    fn layout(&self) -> Result<Layout, CliError> {
        Ok(Layout::new(Repo::discover(&self.repo)?.state_dir()))
    }

    fn notes(&self) -> PathBuf {
        self.root.join("notes")
    }

    fn orch(&self, words: &[&str], crash: Option<&str>) -> Result<Output, CliError> {
        let program = std::env::current_exe()?;
        let mut command = self.furnished(&program);
        command.args(words).env("NOTES", self.notes());
        if let Some(place) = crash {
            command.env("ORCH_CRASH", place);
        }
        Ok(command.output()?)
    }

    fn git(&self, words: &[&str]) -> Result<String, CliError> {
        let out = self.furnished(Path::new("git")).args(words).output()?;
        if !out.status.success() {
            return Err(CliError::failed(format!("git {}: {}", words.join(" "), said(&out))));
        }
        Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// A command that sees nothing of the user's but PATH.
    fn furnished(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.join("home"))
            .env("TMPDIR", self.root.join("tmp"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.root.join("home/gitconfig"))
            .current_dir(&self.repo)
            .stdin(Stdio::null());
        command
    }
}

const EXECUTE: [&str; 5] = ["execute", "--parallel", "--jobs", "4", "--all-prompts"];

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).trim().to_owned()
}

/// `attempt_ended words/implement.1`: the event's serialised name, and what it is about.
fn name(event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap_or_default();
    let kind = value["event"].as_str().unwrap_or("?").to_owned();
    let step = value["attempt"]["step"].as_str().or(value["step"].as_str()).unwrap_or_default();
    format!("{kind} {step}").trim_end().to_owned()
}

/// Lock files of git that a dead process left. Those in `ours` are held or not, and stay.
fn locks(dir: &Path, ours: &Path, found: &mut Vec<String>) -> Result<(), CliError> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && path != ours {
            locks(&path, ours, found)?;
        } else if path.extension().is_some_and(|e| e == "lock") {
            found.push(path.display().to_string());
        }
    }
    Ok(())
}
