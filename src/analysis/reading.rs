//! The prompts on their way: first what each says by itself, then, with what all of them asked for looked up
//! at once, what follows from it.

use super::evidence::{Evidences, Weighed};
use super::hints::{self, Definitions, Said};
use super::neighbours::{self, Anchor};
use super::score::{Candidate, Signals};
use super::survey::{Sources, Survey};
use super::{Analysis, AnalysisError, Request, front, judge, mentions};
use std::collections::BTreeSet;
use std::thread::ScopedJoinHandle;

/// Prompts for which another thread is worth its start.
const A_THREAD: usize = 16;

/// Prompts read, before anything is concluded.
pub(super) struct Readings<'a> {
    survey: Survey<'a>,
    definitions: Definitions,
    drafts: Vec<Draft<'a>>,
}

struct Draft<'a> {
    request: &'a Request<'a>,
    evidence: Evidences,
    said: Said<'a>,
}

impl<'a> Readings<'a> {
    pub(super) fn new(
        sources: Sources<'a>,
        requests: &'a [Request<'a>],
    ) -> Result<Self, AnalysisError> {
        let mut drafts = Vec::with_capacity(requests.len());
        for request in requests {
            let (mut evidence, mut said) = (Evidences::default(), Said::default());
            front::read(sources.tree, request, &mut evidence)?;
            mentions::read(sources.tree, request, &mut evidence, &mut said);
            drafts.push(Draft { request, evidence, said });
        }
        let names: BTreeSet<&str> =
            drafts.iter().flat_map(|draft| draft.said.names.iter().map(|(name, _)| name)).collect();
        let definitions = sources.symbols.map(|s| s.defined(&names)).unwrap_or_default();
        Ok(Self { survey: Survey::new(sources), definitions, drafts })
    }

    /// What each prompt is about. They are independent of each other by now, so several are read at a time.
    pub(super) fn analyses(self) -> Vec<Analysis> {
        let Self { survey, definitions, drafts } = self;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(drafts.len() / A_THREAD).max(1);
        let size = drafts.len().div_ceil(threads);
        let mut left = drafts.into_iter();
        let read = |portion: Vec<Draft<'a>>| -> Vec<Analysis> {
            portion.into_iter().map(|draft| draft.analysis(&survey, &definitions)).collect()
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads)
                .map(|_| left.by_ref().take(size).collect())
                .map(|portion| scope.spawn(|| read(portion)))
                .collect();
            let last = read(left.collect());
            let join = |thread: ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            others.into_iter().flat_map(join).chain(last).collect()
        })
    }

    /// What speaks for each file, by prompt.
    pub(super) fn candidates(self) -> Vec<Vec<Candidate>> {
        let Self { survey, definitions, drafts } = self;
        let of = |mut draft: Draft<'_>| {
            draft.conclude(&survey, &definitions);
            let mut all: Vec<Candidate> = draft.evidence.candidates().collect();
            all.sort_by(|a, b| a.path.cmp(&b.path));
            all
        };
        drafts.into_iter().map(of).collect()
    }
}

impl Draft<'_> {
    /// Adds what follows, and says from what.
    fn conclude(&mut self, survey: &Survey<'_>, definitions: &Definitions) -> (Trail, Vec<Anchor>) {
        // Whoever declares what is written has said all of it.
        if self.evidence.is_declared() {
            return Default::default();
        }
        let mut trail = hints::add(survey, &self.said, definitions, &mut self.evidence);
        let named = (self.evidence.named() as f64).ln_1p();
        self.evidence.others(named);
        let anchors = neighbours::anchors(survey, &self.evidence);
        trail.coupled = neighbours::spread(survey, &anchors, named, &mut self.evidence);
        self.evidence.others(named);
        (trail, anchors)
    }

    fn analysis(mut self, survey: &Survey<'_>, definitions: &Definitions) -> Analysis {
        let (trail, anchors) = self.conclude(survey, definitions);
        let Self { request, evidence, said } = self;
        let explain = |path: &str, signals: &Signals, evidence: &mut Vec<_>| {
            let context = hints::Context {
                survey,
                said: &said,
                definitions,
                anchors: &anchors,
                trail: &trail,
            };
            context.explain(path, signals, evidence);
        };
        let Weighed { targets, possible, scopes, reach } =
            evidence.weigh(survey.sources.weights, explain);
        let judgement = judge(survey.sources.tree, request, &targets, reach);
        Analysis { targets, possible, scopes, reach, judgement }
    }
}

/// From what was concluded, to tell it.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// By file: the anchor it is coupled with most.
    pub coupled: neighbours::Couplings,
    /// Changes described alike, the likest first.
    pub changes: Vec<(u32, f64)>,
}
