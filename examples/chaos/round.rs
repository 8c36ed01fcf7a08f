//! One round: a run, killed again and again until it is over, then landed and cleaned, killed as well.

use crate::place::Place;
use crate::random::Random;
use crate::targets::{self, Role, Target};
use crate::{Tally, checks, tasks};
use std::collections::HashMap;
use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

/// A shim that dies counts against its task: three times are forgiven.
const SHIM_KILLS: u32 = 2;

/// An agent that is killed has failed, and is tried again as often as the run was told to.
const AGENT_KILLS: u32 = 2;

/// After so many the run is left alone to come to its end.
const KILLS: u32 = 30;

/// A run that is not over then hangs.
const PATIENCE: Duration = Duration::from_mins(3);

pub fn round(place: &Place, random: &mut Random, tally: &mut Tally) {
    tally.rounds += 1;
    let chosen = tasks::choose(tally.rounds, random);
    let folder = place.root.join("prompts").join(tally.rounds.to_string());
    fs::create_dir(&folder).unwrap();
    let mut words: Vec<String> =
        ["execute", "--parallel", "--jobs", "6", "--tasks"].map(str::to_owned).to_vec();
    for task in &chosen {
        let file = folder.join(format!("{}.md", task.name));
        fs::write(&file, tasks::prompt(task)).unwrap();
        words.push(file.display().to_string());
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let before = place.git(&["rev-parse", "main"]);
    let mut run = Run { place, random, tally, shims: HashMap::new(), agents: HashMap::new() };
    let code = run.disturb(&words);
    checks::after_run(place, &chosen, code, &before, tally);
    if tally.is_clean() {
        for words in [&["merge"][..], &["clean"]] {
            until_done(place, random, tally, words);
        }
        if tally.is_clean() {
            checks::after_clean(place, &chosen, tally);
        }
    }
}

struct Run<'a> {
    place: &'a Place,
    random: &'a mut Random,
    tally: &'a mut Tally,
    /// Kills so far, by task.
    shims: HashMap<String, u32>,
    agents: HashMap<String, u32>,
}

impl Run<'_> {
    /// Starts the run and gives the exit code of the supervisor that ended it.
    fn disturb(&mut self, words: &[&str]) -> Option<i32> {
        let start = Instant::now();
        let runs = self.runs();
        let mut supervisor = self.place.start(words);
        let mut kills = 0;
        loop {
            let pause = Duration::from_millis(self.random.between(20, 700));
            if let Some(code) = wait(&mut supervisor, pause) {
                // Killed before the run was recorded: there is nothing to resume yet.
                return code;
            }
            if start.elapsed() > PATIENCE {
                self.tally.lost.push(format!("the run hangs for {PATIENCE:?}"));
                targets::end(pid(&supervisor));
                let _ = supervisor.wait();
                return None;
            }
            if kills >= KILLS {
                continue;
            }
            kills += 1;
            if self.strike(&mut supervisor) {
                let _ = supervisor.wait();
                supervisor = self.go_on(words, runs);
            }
        }
    }

    /// Kills something. Whether the supervisor is dead then.
    fn strike(&mut self, supervisor: &mut Child) -> bool {
        let found = targets::look(self.place);
        let chance = self.random.between(0, 100);
        // Whoever has lost enough is spared where all shims are hit.
        let chance =
            if (70..96).contains(&chance) && !self.may_lose_all(&found) { 0 } else { chance };
        match chance {
            0..35 => {
                let hit = targets::end(pid(supervisor));
                self.tally.killed("supervisor", u32::from(hit));
                true
            }
            35..50 => {
                let shims: Vec<&Target> =
                    found.iter().filter(|t| matches!(t.role, Role::Shim(_))).collect();
                let hit = self.random.one_of(&shims).is_some_and(|t| self.kill_shim(t));
                self.tally.killed("shim", u32::from(hit));
                false
            }
            50..62 => {
                let agents: Vec<&Target> =
                    found.iter().filter(|t| matches!(t.role, Role::Agent(_))).collect();
                let hit = self.random.one_of(&agents).is_some_and(|t| self.kill_agent(t));
                self.tally.killed("agent", u32::from(hit));
                false
            }
            62..70 => {
                let children: Vec<&Target> =
                    found.iter().filter(|t| t.role == Role::Child).collect();
                let hit = self.random.one_of(&children).is_some_and(|t| targets::end(t.pid));
                self.tally.killed("agent's child", u32::from(hit));
                false
            }
            70..88 => {
                let mut hit = u32::from(targets::end(pid(supervisor)));
                let _ = supervisor.wait();
                hit += Self::kill_all(&found, |role| matches!(role, Role::Shim(_)));
                hit += Self::kill_all(&found, |role| *role != Role::Other);
                self.tally.killed("all of them", hit);
                true
            }
            88..96 => {
                let mut hit = u32::from(targets::end(pid(supervisor)));
                let _ = supervisor.wait();
                hit += Self::kill_all(&found, |role| matches!(role, Role::Shim(_)));
                self.tally.killed("supervisor and shims", hit);
                true
            }
            _ => {
                self.second_execute();
                false
            }
        }
    }

    fn kill_shim(&mut self, target: &Target) -> bool {
        let Role::Shim(task) = &target.role else { return false };
        let so_far = self.shims.entry(task.clone()).or_default();
        *so_far += 1;
        *so_far <= SHIM_KILLS && targets::end(target.pid)
    }

    /// Whether every task may lose its shim once more, which is counted.
    fn may_lose_all(&mut self, found: &[Target]) -> bool {
        let tasks: Vec<&String> = found
            .iter()
            .filter_map(|target| match &target.role {
                Role::Shim(task) => Some(task),
                _ => None,
            })
            .collect();
        let may = tasks.iter().all(|task| self.shims.get(*task).is_none_or(|n| *n < SHIM_KILLS));
        for task in tasks.into_iter().filter(|_| may) {
            *self.shims.entry(task.clone()).or_default() += 1;
        }
        may
    }

    fn kill_agent(&mut self, target: &Target) -> bool {
        let Role::Agent(task) = &target.role else { return false };
        let so_far = self.agents.entry(task.clone()).or_default();
        *so_far += 1;
        *so_far <= AGENT_KILLS && targets::end(target.pid)
    }

    fn kill_all(found: &[Target], wanted: fn(&Role) -> bool) -> u32 {
        let hit = found.iter().filter(|t| wanted(&t.role) && targets::end(t.pid));
        u32::try_from(hit.count()).unwrap_or(0)
    }

    /// Another `orch execute` beside a living supervisor must be refused, and change nothing.
    fn second_execute(&mut self) {
        self.tally.races += 1;
        let file = self.place.root.join("prompts/second.md");
        fs::write(&file, "---\nagent: chaos\n---\n# Never\n\nDo nothing.\n").unwrap();
        let out = self.place.orch(&["execute", "--tasks", &file.display().to_string()]);
        // Not by the number of runs: the first may be about to record its own.
        if self.place.orch(&["status", "second"]).status.success() {
            self.tally.duplicated.push("a refused execute recorded a run".to_owned());
        }
        if out.status.code() != Some(4) {
            let said = String::from_utf8_lossy(&out.stderr);
            self.tally.duplicated.push(format!("a second execute was not refused: {said}"));
        }
    }

    /// How many runs are recorded.
    fn runs(&self) -> usize {
        let out = self.place.orch(&["status", "--runs"]);
        String::from_utf8_lossy(&out.stdout).lines().filter(|line| line.contains("run-")).count()
    }

    /// After the supervisor's death: resume, sometimes twice at once; or, where nothing was recorded yet,
    /// once more from the beginning.
    fn go_on(&mut self, words: &[&str], runs: usize) -> Child {
        std::thread::sleep(Duration::from_millis(self.random.between(0, 300)));
        if self.runs() == runs {
            return self.place.start(words);
        }
        self.tally.resumes += 1;
        if !self.random.chance(25) {
            return self.place.start(&["resume"]);
        }
        self.tally.races += 1;
        let (mut one, mut two) = (self.place.start(&["resume"]), self.place.start(&["resume"]));
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let pause = Duration::from_millis(20);
            if let Some(code) = wait(&mut one, pause) {
                self.judge_loser(code, &mut two);
                // Whoever found nothing left to do has ended the run.
                return if code == Some(0) { one } else { two };
            }
            if let Some(code) = wait(&mut two, pause) {
                self.judge_loser(code, &mut one);
                return if code == Some(0) { two } else { one };
            }
            if Instant::now() > deadline {
                self.tally.duplicated.push("two resumes at once, and none was refused".to_owned());
                targets::end(pid(&two));
                let _ = two.wait();
                return one;
            }
        }
    }

    fn judge_loser(&mut self, code: Option<i32>, other: &mut Child) {
        // Both may end well when the run was nearly over.
        let over =
            code == Some(0) && matches!(wait(other, Duration::from_secs(9)), Some(Some(0 | 4)));
        if code != Some(4) && !over {
            self.tally.duplicated.push(format!("one of two resumes ended with {code:?}, not 4"));
        }
    }
}

/// Runs `orch merge` or `orch clean`, killed a few times, to its end.
fn until_done(place: &Place, random: &mut Random, tally: &mut Tally, words: &[&str]) {
    let kills = random.between(0, 3);
    for _ in 0..kills {
        let mut child = place.start(words);
        if wait(&mut child, Duration::from_millis(random.between(0, 250))).is_some() {
            break;
        }
        let what = if words[0] == "merge" { "merge" } else { "clean" };
        let hit = targets::end(pid(&child));
        tally.killed(what, u32::from(hit));
        let _ = child.wait();
    }
    let out = place.orch(words);
    if out.status.code() != Some(0) {
        let said = String::from_utf8_lossy(&out.stderr);
        let shown = String::from_utf8_lossy(&out.stdout);
        tally.lost.push(format!("{words:?} ended with {:?}: {said}{shown}", out.status.code()));
    }
}

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap_or(-1)
}

/// The exit code (`None` for a signal), once it has ended within the time.
#[expect(clippy::option_option, reason = "not yet ended, ended by a signal, ended with a code")]
fn wait(child: &mut Child, time: Duration) -> Option<Option<i32>> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code());
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
