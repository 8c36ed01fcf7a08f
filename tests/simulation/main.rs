//! The engine against a simulated world: random task graphs, agents that succeed, fail, hang, vanish;
//! people who cancel, retry and interrupt at any moment; a supervisor that dies between any two
//! events. After every event the rules of `rules.rs` must hold. There is no clock and no I/O, so a
//! schedule is a function of its case, and a failing one is shrunk and printed with its journal.
//!
//! `ORCH_SIM_CASES` is the number of cases, `ORCH_SIM_SEED` where they begin; `scripts/soak` runs many.

#![expect(clippy::expect_used, reason = "a test that meets the impossible should stop and say so")]

mod breakers;
mod case;
mod overlaps;
mod policies;
mod rules;
mod script;
mod tally;
mod weather;
mod world;

use case::Case;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// Enough for every rule to be tried in every way that once failed, and still a few seconds in a
/// debug build.
const CASES: u32 = 500;

fn number(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")),
        Err(_) => otherwise,
    }
}

/// On as many cores as there are, each with seeds of its own.
#[test]
fn no_schedule_breaks_a_rule() {
    let seed = number("ORCH_SIM_SEED", 1);
    let cases = u32::try_from(number("ORCH_SIM_CASES", u64::from(CASES))).unwrap();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = u32::try_from(cores).unwrap().min(cases.div_ceil(CASES));
    std::thread::scope(|scope| {
        let shards: Vec<_> = (0..cores)
            .map(|shard| scope.spawn(move || explore(seed, shard, cases.div_ceil(cores))))
            .collect();
        for shard in shards {
            if let Err(broken) = shard.join().expect("a shard reports, it does not panic") {
                panic!("{broken}");
            }
        }
    });
}

/// Plays so many cases. The error says what was broken, with the smallest case that breaks it.
fn explore(seed: u64, shard: u32, cases: u32) -> Result<(), String> {
    // A minute of making a failing case smaller is enough.
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 4096, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&shard.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, rng)
        .run(&case::cases(), |case| world::play(&case).map(drop).map_err(TestCaseError::fail));
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(_, smallest)) => {
            let why = world::play(&smallest).err().unwrap_or_default();
            Err(format!(
                "{why}\nthe smallest such case, from ORCH_SIM_SEED={seed}, shard {shard}:\n{smallest:?}"
            ))
        }
        Err(TestError::Abort(why)) => Err(format!("gave up: {why}")),
    }
}

/// The cases are worth something only if they reach what the rules are about.
#[test]
fn the_cases_reach_every_corner() {
    let mut seen = tally::Tally::default();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config { cases: 1500, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    for _ in 0..1500 {
        let case: Case = proptest::strategy::ValueTree::current(
            &proptest::strategy::Strategy::new_tree(&case::cases(), &mut runner).unwrap(),
        );
        if let Ok(tally) = world::play(&case) {
            seen.add(&tally);
        }
    }
    let unreached: Vec<&str> = seen.0.iter().filter(|(_, n)| **n == 0).map(|(k, _)| *k).collect();
    assert!(unreached.is_empty(), "never reached: {unreached:?}; {:?}", seen.0);
}
