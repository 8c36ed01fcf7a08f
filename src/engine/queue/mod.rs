//! The merge queue: which candidates are put together and tested next, and what lands.
//!
//! One algorithm, whoever does the merging and the testing. [`next`] looks at everything that is known and
//! names what has to be found out, or says what lands; the caller finds it out, adds it to the [`Facts`]
//! and asks again. So a caller that was killed asks again with what it wrote down, and no tree whose result
//! is known is tested anew.
//!
//! All candidates are put together and tested once. What fails is tested once more before anybody is
//! blamed. What fails twice is searched for the shortest beginning that fails: its last candidate is to
//! blame, all before it lands, and what is left is put together again, together with what had only
//! conflicted with the one that is gone. With `jobs`, several beginnings are tested at a time.

mod order;
#[cfg(test)]
mod tests;

pub use order::{Place, order};
use std::collections::{BTreeMap, HashMap};

/// Beginnings tested at a time, at most: with more of them, finding one culprit among 64 would take more
/// test runs than halving twice over.
const MOST_AT_ONCE: usize = 3;

/// How often a tree must fail before it counts as failing.
const RED: u32 = 2;

/// What is asked of a queue. Candidates are numbered from 0, in the order in which they are to land.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// For each candidate, those without which it must not land: earlier numbers.
    pub needs: Vec<Vec<usize>>,
    /// The tree that everything is put on.
    pub base: String,
    /// How many tests may run at the same time; at least 1.
    pub jobs: usize,
    /// Whether anything is tested at all.
    pub tested: bool,
}

/// What became of a candidate when it was put on those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It fits.
    Put {
        /// The tree with it.
        tree: String,
    },
    /// All of it is there already.
    Nothing,
    /// It does not fit; those after it are put on what was there without it.
    Conflict,
}

/// How the tests of a tree went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// Runs that passed.
    pub green: u32,
    /// Runs that did not.
    pub red: u32,
}

impl Tested {
    /// It passed, and failed too.
    #[must_use]
    pub fn is_flaky(self) -> bool {
        self.green > 0 && self.red > 0
    }
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// For candidates put one on the other, what became of each.
    pub chains: HashMap<Vec<usize>, Vec<Link>>,
    /// Results by tree.
    pub tests: BTreeMap<String, Tested>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Put these one on the other, on the base.
    Chain(Vec<usize>),
    /// Test these at the same time.
    Test(Vec<Probe>),
    /// Nothing: this is what lands.
    Done(Settled),
}

/// A tree to be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The tree.
    pub tree: String,
    /// The candidates in it; none for the base.
    pub of: Vec<usize>,
    /// Whether it has failed before.
    pub again: bool,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It lands.
    Landed,
    /// It was there already.
    Nothing,
    /// It does not fit onto what lands.
    Conflict,
    /// What lands before it passes, and with it fails.
    Broken {
        /// The tree that fails.
        tree: String,
    },
    /// One that it needs does not land.
    Held {
        /// Which.
        on: usize,
    },
    /// The base fails without any candidate, so that nobody can be blamed.
    BaseFails,
}

/// The end of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What lands, in order.
    pub landed: Vec<usize>,
    /// What became of each candidate.
    pub fates: Vec<Fate>,
}

/// What is to be done next.
#[must_use]
pub fn next(queue: &Queue, facts: &Facts) -> Next {
    let mut run = Run { queue, facts, accepted: Vec::new(), fates: vec![None; queue.needs.len()] };
    loop {
        if let Some(next) = run.round() {
            return next;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    Unknown,
    Green,
    /// It failed so often, and may be flaky.
    Suspect,
    Red,
}

struct Run<'q> {
    queue: &'q Queue,
    facts: &'q Facts,
    /// In order; what they make passes.
    accepted: Vec<usize>,
    /// What is settled of the others.
    fates: Vec<Option<Fate>>,
}

/// A beginning of a chain: how many candidates it has beside the accepted ones, and its tree.
struct Beginning<'q> {
    last: usize,
    tree: &'q str,
}

impl<'q> Run<'q> {
    /// Accepts or rejects something, or says what has to be known for it.
    fn round(&mut self) -> Option<Next> {
        self.hold();
        let mut left: Vec<usize> =
            (0..self.fates.len()).filter(|c| self.fates[*c].is_none()).collect();
        let (links, left) = loop {
            let chain = [&self.accepted[..], &left].concat();
            if left.is_empty() {
                return Some(self.done(&[], &[]));
            }
            let Some(links) = self.facts.chains.get(&chain) else {
                return Some(Next::Chain(chain));
            };
            let links = &links[self.accepted.len()..];
            // Without what it needs nothing lands, even where it would fit.
            let conflicts = |c: &usize| {
                let at = left.iter().position(|l| l == c);
                at.map_or(!self.accepted.contains(c) && self.fates[*c].is_none(), |at| {
                    links[at] == Link::Conflict
                })
            };
            let fits = |at: usize| matches!(links[at], Link::Put { .. });
            let kept: Vec<usize> = (0..left.len())
                .filter(|at| !(fits(*at) && self.queue.needs[left[*at]].iter().any(conflicts)))
                .map(|at| left[at])
                .collect();
            if kept.len() == left.len() {
                break (links, left);
            }
            left = kept;
        };
        let put: Vec<Beginning<'q>> = left
            .iter()
            .zip(links)
            .filter_map(|(c, link)| match link {
                Link::Put { tree } => Some(Beginning { last: *c, tree }),
                Link::Nothing | Link::Conflict => None,
            })
            .collect();
        if put.is_empty() {
            return Some(self.done(&left, links));
        }
        if !self.queue.tested {
            self.accept(&put);
            return None;
        }
        self.judge(&put)
    }

    /// Those that need one which is rejected are.
    fn hold(&mut self) {
        for c in 0..self.fates.len() {
            let rejected = |n: &&usize| {
                let fate = self.fates[**n].as_ref();
                fate.is_some_and(|fate| !matches!(fate, Fate::Landed | Fate::Nothing))
            };
            if self.fates[c].is_none()
                && let Some(on) = self.queue.needs[c].iter().find(rejected)
            {
                self.fates[c] = Some(Fate::Held { on: *on });
            }
        }
    }

    fn judge(&mut self, put: &[Beginning<'q>]) -> Option<Next> {
        let all = put.len();
        match self.colour(put[all - 1].tree) {
            Colour::Green => {
                self.accept(put);
                return None;
            }
            Colour::Unknown => return Some(self.test(put, vec![all])),
            Colour::Suspect => {
                // Should it fail again, the search has begun meanwhile.
                let mut probes = vec![all];
                probes.extend(self.search(put).0.into_iter().take(self.at_once() - 1));
                return Some(self.test(put, probes));
            }
            Colour::Red => {}
        }
        let (probes, good) = self.search(put);
        if !probes.is_empty() {
            return Some(self.test(put, probes));
        }
        let culprit = &put[good];
        if self.colour(culprit.tree) == Colour::Suspect {
            return Some(self.test(put, vec![good + 1]));
        }
        if good == 0 && self.accepted.is_empty() {
            match self.colour(&self.queue.base) {
                Colour::Green => {}
                Colour::Unknown | Colour::Suspect => return Some(self.test(put, vec![0])),
                Colour::Red => {
                    for fate in self.fates.iter_mut().filter(|fate| fate.is_none()) {
                        *fate = Some(Fate::BaseFails);
                    }
                    return Some(self.done(&[], &[]));
                }
            }
        }
        self.accept(&put[..good]);
        self.fates[culprit.last] = Some(Fate::Broken { tree: culprit.tree.to_owned() });
        None
    }

    /// Where to look next, as lengths of beginnings; when there is nowhere, the length of one that passes
    /// while the next longer one fails.
    fn search(&self, put: &[Beginning<'q>]) -> (Vec<usize>, usize) {
        let colour = |length: usize| self.colour(put[length - 1].tree);
        let (mut good, mut bad) = (0, put.len());
        loop {
            let between = good + 1..bad;
            if let Some(length) = between.clone().rev().find(|l| colour(*l) == Colour::Green) {
                good = length;
            } else if let Some(length) =
                between.clone().find(|l| matches!(colour(*l), Colour::Red | Colour::Suspect))
            {
                bad = length;
            } else {
                let parts = self.at_once().min(between.len()) + 1;
                let cut = |n: usize| good + (bad - good) * n / parts;
                let mut probes: Vec<usize> = (1..parts).map(cut).collect();
                probes.retain(|length| between.contains(length));
                probes.dedup();
                return (probes, good);
            }
        }
    }

    fn at_once(&self) -> usize {
        self.queue.jobs.clamp(1, MOST_AT_ONCE)
    }

    fn test(&self, put: &[Beginning<'q>], lengths: Vec<usize>) -> Next {
        let probe = |length: usize| {
            let tree = length.checked_sub(1).map_or(&*self.queue.base, |last| put[last].tree);
            let own = put[..length].iter().map(|b| b.last);
            Probe {
                tree: tree.to_owned(),
                of: self.accepted.iter().copied().chain(own).collect(),
                again: self.colour(tree) == Colour::Suspect,
            }
        };
        let mut probes: Vec<Probe> = lengths.into_iter().map(probe).collect();
        let mut seen = std::collections::BTreeSet::new();
        probes.retain(|probe| seen.insert(probe.tree.clone()));
        Next::Test(probes)
    }

    fn colour(&self, tree: &str) -> Colour {
        match self.facts.tests.get(tree) {
            Some(Tested { green: 1.., .. }) => Colour::Green,
            Some(Tested { red: RED.., .. }) => Colour::Red,
            Some(Tested { red: 1.., .. }) => Colour::Suspect,
            _ => Colour::Unknown,
        }
    }

    fn accept(&mut self, put: &[Beginning<'q>]) {
        for beginning in put {
            self.accepted.push(beginning.last);
            self.fates[beginning.last] = Some(Fate::Landed);
        }
    }

    /// The end; `left` with their links are what nothing can be done about.
    fn done(&self, left: &[usize], links: &[Link]) -> Next {
        let mut fates: Vec<Option<Fate>> = self.fates.clone();
        for (c, link) in left.iter().zip(links) {
            let nothing = *link == Link::Nothing;
            fates[*c] = Some(if nothing { Fate::Nothing } else { Fate::Conflict });
        }
        for c in 0..fates.len() {
            if fates[c].is_none() {
                let rejected =
                    |n: &&usize| !matches!(fates[**n], Some(Fate::Landed | Fate::Nothing));
                let on = self.queue.needs[c].iter().find(rejected).copied();
                fates[c] = Some(on.map_or(Fate::Conflict, |on| Fate::Held { on }));
            }
        }
        let fates = fates.into_iter().flatten().collect();
        Next::Done(Settled { landed: self.accepted.clone(), fates })
    }
}
