use super::*;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// A world in which a tree is the set of what is in it.
#[derive(Clone, Debug, Default)]
struct World {
    /// They break whatever they are in.
    bad: BTreeSet<usize>,
    /// Both together break what they are in.
    apart: BTreeSet<(usize, usize)>,
    /// The second does not fit where the first is.
    conflicts: BTreeSet<(usize, usize)>,
    needs: Vec<Vec<usize>>,
    /// The base alone fails.
    base_fails: bool,
    /// Test runs that fail though they should not, by their number.
    flaky: BTreeSet<usize>,
}

#[derive(Debug)]
struct Ran {
    settled: Settled,
    runs: usize,
    /// Runs when the first was blamed.
    runs_of: HashMap<String, usize>,
}

fn name(of: &[usize]) -> String {
    let mut of = of.to_vec();
    of.sort_unstable();
    of.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
}

impl World {
    fn of(count: usize) -> Self {
        Self { needs: vec![Vec::new(); count], ..Self::default() }
    }

    fn clash(pairs: &BTreeSet<(usize, usize)>, there: &[usize], c: usize) -> bool {
        there.iter().any(|t| pairs.contains(&(*t, c)) || pairs.contains(&(c, *t)))
    }

    fn is_green(&self, of: &[usize]) -> bool {
        let clash = |(n, c): (usize, &usize)| Self::clash(&self.apart, &of[..n], *c);
        !self.base_fails
            && !of.iter().any(|c| self.bad.contains(c))
            && !of.iter().enumerate().any(clash)
    }

    fn chain(&self, of: &[usize]) -> Vec<Link> {
        let mut there = Vec::new();
        let link = |c: &usize| {
            if Self::clash(&self.conflicts, &there, *c) {
                return Link::Conflict;
            }
            there.push(*c);
            Link::Put { tree: name(&there) }
        };
        of.iter().map(link).collect()
    }

    fn run(&self, jobs: usize, facts: &mut Facts) -> Ran {
        let queue = Queue { needs: self.needs.clone(), base: String::new(), jobs, tested: true };
        let (mut runs, mut runs_of) = (0, HashMap::new());
        loop {
            match next(&queue, facts) {
                Next::Done(settled) => return Ran { settled, runs, runs_of },
                Next::Chain(of) => {
                    let links = self.chain(&of);
                    assert!(facts.chains.insert(of, links).is_none(), "asked twice");
                }
                Next::Test(probes) => {
                    assert!(!probes.is_empty() && probes.len() <= jobs.max(1));
                    for probe in probes {
                        let known = facts.tests.entry(probe.tree.clone()).or_default();
                        assert_eq!(probe.tree, name(&probe.of));
                        assert_eq!(probe.again, known.red > 0);
                        assert!(known.green == 0 && known.red < 2, "a known tree is tested again");
                        if self.is_green(&probe.of) && !self.flaky.contains(&runs) {
                            known.green += 1;
                        } else {
                            known.red += 1;
                        }
                        runs += 1;
                        *runs_of.entry(probe.tree).or_default() += 1;
                    }
                }
            }
        }
    }
}

fn landed(count: usize, without: &[usize]) -> Vec<usize> {
    (0..count).filter(|c| !without.contains(c)).collect()
}

#[test]
fn one_bad_of_64_is_found_in_at_most_13_runs_wherever_it_is() {
    for jobs in 1..=4 {
        let mut most = 0;
        for bad in 0..64 {
            let world = World { bad: [bad].into(), ..World::of(64) };
            let ran = world.run(jobs, &mut Facts::default());
            assert_eq!(ran.settled.landed, landed(64, &[bad]));
            assert!(matches!(ran.settled.fates[bad], Fate::Broken { .. }));
            // The last run is that of what is left when it is found.
            let left = usize::from(bad < 63);
            most = most.max(ran.runs - left);
        }
        assert!(most <= 2 * 6 + 1, "{most} runs with {jobs} jobs");
    }
}

#[test]
fn what_passes_is_tested_once() {
    let ran = World::of(64).run(4, &mut Facts::default());
    assert_eq!((ran.runs, ran.settled.landed), (1, landed(64, &[])));
}

#[test]
fn a_test_that_fails_once_blames_nobody() {
    for jobs in 1..=3 {
        let world = World { flaky: [0].into(), ..World::of(8) };
        let mut facts = Facts::default();
        let ran = world.run(jobs, &mut facts);
        assert_eq!(ran.settled.landed, landed(8, &[]));
        assert!(facts.tests.values().any(|tested| tested.is_flaky()));
    }
    // Neither does one that fails in the middle of the search for somebody else.
    for flaky in 2..9 {
        let world = World { flaky: [flaky].into(), bad: [5].into(), ..World::of(8) };
        let ran = world.run(1, &mut Facts::default());
        assert_eq!(ran.settled.landed, landed(8, &[5]), "{flaky}");
    }
}

#[test]
fn nobody_is_blamed_when_the_base_fails() {
    let world = World { base_fails: true, ..World::of(8) };
    let ran = world.run(1, &mut Facts::default());
    assert_eq!(ran.settled.fates, vec![Fate::BaseFails; 8]);
    assert!(ran.settled.landed.is_empty());
}

#[test]
fn two_that_pass_alone_and_not_together_do_not_both_land() {
    let world = World { apart: [(2, 5)].into(), ..World::of(8) };
    let ran = world.run(1, &mut Facts::default());
    assert_eq!(ran.settled.landed, landed(8, &[5]));
}

#[test]
fn what_conflicted_only_with_the_culprit_lands() {
    let world = World { conflicts: [(1, 3)].into(), bad: [1].into(), ..World::of(4) };
    let ran = world.run(1, &mut Facts::default());
    assert_eq!(ran.settled.landed, [0, 2, 3]);
}

#[test]
fn without_what_it_needs_nothing_lands() {
    let mut world = World { bad: [0].into(), conflicts: [(3, 4)].into(), ..World::of(7) };
    world.needs[1] = vec![0];
    world.needs[2] = vec![1];
    world.needs[5] = vec![4];
    let ran = world.run(1, &mut Facts::default());
    assert_eq!(ran.settled.landed, [3, 6]);
    assert_eq!(ran.settled.fates[2], Fate::Held { on: 1 });
    assert_eq!(ran.settled.fates[4], Fate::Conflict);
    assert_eq!(ran.settled.fates[5], Fate::Held { on: 4 });
}

#[test]
fn a_second_run_tests_nothing_it_knows() {
    let world = World { bad: [5, 11].into(), apart: [(2, 9)].into(), ..World::of(16) };
    let mut facts = Facts::default();
    let first = world.run(2, &mut facts);
    let again = world.run(2, &mut Facts { tests: facts.tests.clone(), ..Facts::default() });
    assert_eq!((again.runs, again.settled), (0, first.settled));
}

fn worlds() -> impl Strategy<Value = World> {
    (1_usize..24).prop_flat_map(|count| {
        let pairs = || {
            prop::collection::btree_set((0..count, 0..count), 0..5).prop_map(|pairs| {
                pairs.into_iter().filter(|(a, b)| a != b).collect::<BTreeSet<_>>()
            })
        };
        let needs = prop::collection::vec(
            prop::option::weighted(0.15, any::<prop::sample::Index>()),
            count,
        );
        let bad = prop::collection::btree_set(0..count, 0..=count.min(6));
        (bad, pairs(), pairs(), needs).prop_map(|(bad, apart, conflicts, needs)| {
            let needs = needs.iter().enumerate().map(|(c, need)| {
                need.filter(|_| c > 0).map(|need| need.index(c)).into_iter().collect()
            });
            World { bad, apart, conflicts, needs: needs.collect(), ..World::default() }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_lands_passes_and_nothing_is_rejected_without_reason(
        world in worlds(),
        jobs in 1_usize..5,
    ) {
        let mut facts = Facts::default();
        let ran = world.run(jobs, &mut facts);
        let Settled { landed, fates } = &ran.settled;
        prop_assert!(world.is_green(landed));
        prop_assert!(landed.is_empty() || facts.tests[&name(landed)].green > 0, "not as tested");
        for (c, fate) in fates.iter().enumerate() {
            let lands = landed.contains(&c);
            prop_assert_eq!(lands, *fate == Fate::Landed);
            let with = [&landed[..], &[c]].concat();
            let reason = match fate {
                Fate::Landed => world.needs[c].iter().all(|need| landed.contains(need)),
                Fate::Broken { tree } => {
                    facts.tests[tree] == Tested { green: 0, red: 2 } && !world.is_green(&with)
                }
                Fate::Conflict => World::clash(&world.conflicts, landed, c),
                Fate::Held { on } => world.needs[c].contains(on) && !landed.contains(on),
                Fate::Nothing | Fate::BaseFails => false,
            };
            prop_assert!(reason, "{c}: {fate:?} of {world:?}");
        }
        for (tree, runs) in &ran.runs_of {
            let red = facts.tests[tree].red as usize;
            prop_assert!(*runs == 1 || (*runs == 2 && red == 2), "{tree}: {runs}");
        }
    }

    #[test]
    fn killed_anywhere_it_comes_to_the_same_end_without_testing_anew(
        world in worlds(),
        jobs in 1_usize..4,
        kept in prop::collection::vec(any::<bool>(), 64),
    ) {
        let mut facts = Facts::default();
        let whole = world.run(jobs, &mut facts);
        let mut known = Facts::default();
        for ((tree, tested), kept) in facts.tests.iter().zip(kept) {
            if kept {
                known.tests.insert(tree.clone(), *tested);
            }
        }
        let again = world.run(jobs, &mut known);
        prop_assert!(world.is_green(&again.settled.landed));
        prop_assert!(again.runs <= whole.runs || whole.settled != again.settled);
    }
}
