//! Chaos: the real binary on a real repository, killed at random times, for as long as one likes.
//!
//! Rounds of scripted agents run under `orch execute`; supervisors, shims, agents and what agents start are
//! killed with SIGKILL, one at a time or together, and `orch resume` goes on, sometimes two at once.
//! After each round everything is held against what an undisturbed run makes. Use `scripts/chaos`.
#![expect(clippy::unwrap_used, reason = "a trial that cannot be set up must end")]

mod agent;
mod checks;
mod place;
mod random;
mod round;
mod targets;
mod tasks;

use place::Place;
use random::Random;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What happened, and what must not have.
#[derive(Debug, Default)]
struct Tally {
    rounds: u32,
    /// Kill operations by what was hit, and the processes they hit.
    kills: std::collections::BTreeMap<&'static str, u32>,
    processes: u32,
    /// Two `orch` at once: how often it was tried.
    races: u32,
    resumes: u32,
    /// What went wrong, one line each, by kind.
    lost: Vec<String>,
    duplicated: Vec<String>,
    orphans: Vec<String>,
    leaks: Vec<String>,
}

impl Tally {
    fn killed(&mut self, what: &'static str, processes: u32) {
        if processes > 0 {
            *self.kills.entry(what).or_default() += 1;
            self.processes += processes;
        }
    }

    fn faults(&self) -> [(&'static str, &[String]); 4] {
        [
            ("lost", &self.lost),
            ("duplicated", &self.duplicated),
            ("orphans", &self.orphans),
            ("leaks", &self.leaks),
        ]
    }

    fn is_clean(&self) -> bool {
        self.faults().iter().all(|(_, found)| found.is_empty())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("agent") => return agent::act(&arguments[1..]),
        Some("linger") => return agent::linger(),
        _ => {}
    }
    let mut seconds = 60;
    let mut seed = u64::from(std::process::id());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let number = |text: Option<&String>| text.and_then(|t| t.parse().ok());
        match word.as_str() {
            "--seed" => match number(words.next()) {
                Some(n) => seed = n,
                None => return usage(),
            },
            other => match other.parse() {
                Ok(n) => seconds = n,
                Err(_) => return usage(),
            },
        }
    }
    let place = Place::new(seed);
    println!("chaos for {seconds} s, seed {seed}, in {}", place.root.display());
    let (tally, took) = run(&place, seed, Duration::from_secs(seconds));
    report(&tally, took);
    if tally.is_clean() {
        place.remove();
        return ExitCode::SUCCESS;
    }
    println!("seed {seed}; everything is kept in {}", place.root.display());
    ExitCode::FAILURE
}

fn usage() -> ExitCode {
    eprintln!("usage: chaos [SECONDS] [--seed N]");
    ExitCode::from(2)
}

fn run(place: &Place, seed: u64, time: Duration) -> (Tally, Duration) {
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    let start = Instant::now();
    while start.elapsed() < time && tally.is_clean() {
        round::round(place, &mut random, &mut tally);
        let kills: u32 = tally.kills.values().sum();
        println!(
            "round {:3}: {kills:4} kills, {:3} resumes, {:4.0} s",
            tally.rounds,
            tally.resumes,
            start.elapsed().as_secs_f64()
        );
    }
    if tally.is_clean() {
        checks::nothing_at_all_is_left(place, &mut tally);
    }
    (tally, start.elapsed())
}

fn report(tally: &Tally, took: Duration) {
    println!();
    for (_, found) in tally.faults() {
        for line in found {
            println!("  {line}");
        }
    }
    println!("{:<34}{:>6}", "rounds", tally.rounds);
    for (what, count) in &tally.kills {
        println!("killed: {what:<26}{count:>6}");
    }
    let kills: u32 = tally.kills.values().sum();
    println!("{:<34}{kills:>6}", "kills survived");
    println!("{:<34}{:>6}", "processes killed", tally.processes);
    println!("{:<34}{:>6}", "resumes", tally.resumes);
    println!("{:<34}{:>6}", "two at once", tally.races);
    for (kind, found) in tally.faults() {
        println!("{kind:<34}{:>6}", found.len());
    }
    println!("{:<34}{:>6.0}", "seconds", took.as_secs_f64());
}
