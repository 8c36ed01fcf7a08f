//! Precision and recall of files and conflicts.

use crate::cases::{Case, Corpus, GROUP};
use orch::analysis::score::Weights;
use orch::analysis::{self, Analysis};
use orch::model::Access;
use orch::plan::{self, PlanInput, PlanOptions};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Right, in vain, missed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts(u32, u32, u32);

impl Counts {
    fn compare(&mut self, predicted: &BTreeSet<String>, truth: &BTreeSet<String>) {
        let both = u32::try_from(predicted.intersection(truth).count()).unwrap();
        self.0 += both;
        self.1 += u32::try_from(predicted.len()).unwrap() - both;
        self.2 += u32::try_from(truth.len()).unwrap() - both;
    }

    fn judge(&mut self, predicted: bool, truth: bool) {
        self.0 += u32::from(predicted && truth);
        self.1 += u32::from(predicted && !truth);
        self.2 += u32::from(!predicted && truth);
    }

    fn rates(self) -> [f64; 3] {
        let of = |n: u32, all: u32| f64::from(n) / f64::from(all.max(1));
        let (p, r) = (of(self.0, self.0 + self.1), of(self.0, self.0 + self.2));
        [p, r, 2.0 * p * r / (p + r).max(1e-9)]
    }

    fn add(&mut self, other: Self) {
        self.0 += other.0;
        self.1 += other.1;
        self.2 += other.2;
    }
}

/// Files and conflicts, ours and those of the plain baseline; and conflicts by confidence.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    files: [Counts; 2],
    conflicts: [Counts; 2],
    /// Files by tenths of confidence: listed, changed.
    calibration: [[u32; 2]; 10],
    /// Pairs by twentieths of confidence: conflicting, all.
    pairs: [[u32; 2]; 21],
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        for i in 0..2 {
            self.files[i].add(other.files[i]);
            self.conflicts[i].add(other.conflicts[i]);
        }
        for (own, other) in self.calibration.iter_mut().zip(other.calibration) {
            own[0] += other[0];
            own[1] += other[1];
        }
        for (own, other) in self.pairs.iter_mut().zip(other.pairs) {
            own[0] += other[0];
            own[1] += other[1];
        }
    }

    pub fn row(&self) -> String {
        let [f, c] = [self.files[0].rates(), self.conflicts[0].rates()];
        format!(
            "     {:.3} {:.3} {:.3}          {:.3} {:.3} {:.3}",
            f[0], f[1], f[2], c[0], c[1], c[2]
        )
    }

    pub fn table(&self) -> String {
        let mut out = String::new();
        for (name, counts) in [("files", self.files), ("conflicts", self.conflicts)] {
            let [[p, r, f], [bp, br, bf]] = counts.map(Counts::rates);
            let _ = writeln!(
                out,
                "  {name:<10} precision {p:.3} recall {r:.3} F1 {f:.3}   (baseline {bp:.3} {br:.3} {bf:.3})"
            );
        }
        out.push_str("  confidence ");
        for (i, [all, right]) in self.calibration.iter().enumerate() {
            if *all > 0 {
                let share = f64::from(*right) / f64::from(*all);
                let _ = write!(out, " .{i}: {share:.2} of {all}");
            }
        }
        let (mut right, mut all) = (0, 0);
        let total: u32 = self.pairs.iter().map(|p| p[0]).sum();
        out.push_str("\n  pairs from ");
        for (i, [hit, n]) in self.pairs.iter().enumerate().rev() {
            right += hit;
            all += n;
            if i % 2 == 1 || i < 12 {
                let p = f64::from(right) / f64::from(all.max(1));
                let r = f64::from(right) / f64::from(total.max(1));
                let _ = write!(out, " {:.2}: {p:.2}/{r:.2}", i as f64 / 20.0);
            }
        }
        out.push('\n');
        out
    }
}

/// The groups of a corpus that are taken, judged.
pub fn judge(
    corpus: &Corpus,
    weights: &Weights,
    take: impl Fn(usize) -> bool,
    show: bool,
) -> Tally {
    let mut tally = Tally::default();
    for (group, cases) in corpus.cases.chunks(GROUP).enumerate() {
        if !take(group) {
            continue;
        }
        let analyses: Vec<Analysis> = cases
            .iter()
            .flat_map(|(case, world)| {
                analysis::analyse(world.sources(weights), &[case.request()]).unwrap()
            })
            .collect();
        for ((case, _), analysis) in cases.iter().zip(&analyses) {
            files(corpus, case, analysis, &mut tally, show);
        }
        let cases: Vec<&Case> = cases.iter().map(|(case, _)| case).collect();
        conflicts(&cases, analyses, &mut tally);
    }
    tally
}

fn files(corpus: &Corpus, case: &Case, analysis: &Analysis, tally: &mut Tally, show: bool) {
    let listed: BTreeSet<String> = analysis
        .targets
        .iter()
        .filter(|t| t.access == Access::Write && corpus.counts(&t.path))
        .map(|t| t.path.clone())
        .collect();
    tally.files[0].compare(&listed, &case.files);
    tally.files[1].compare(&case.named, &case.files);
    let written = analysis.targets.iter().filter(|t| t.access == Access::Write);
    for target in written.chain(&analysis.possible).filter(|t| corpus.counts(&t.path)) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
        let bin = &mut tally.calibration[((target.confidence * 10.0) as usize).min(9)];
        bin[0] += 1;
        bin[1] += u32::from(case.files.contains(&target.path));
    }
    if show {
        println!("{}", case.name);
        let reach = |path: &String| {
            let found = analysis.possible.iter().chain(&analysis.targets).find(|t| &t.path == path);
            found.map_or_else(String::new, |t| {
                let why: Vec<String> =
                    t.evidence.iter().map(|e| format!("{:?}", e.factor.unwrap())).collect();
                format!("{:?} {:.2} {}", t.access, t.confidence, why.join(","))
            })
        };
        for path in case.files.difference(&listed) {
            println!("  missed {path} {}", reach(path));
        }
        for path in listed.difference(&case.files) {
            println!("  extra  {path} {}", reach(path));
        }
    }
}

fn conflicts(cases: &[&Case], analyses: Vec<Analysis>, tally: &mut Tally) {
    let inputs = cases.iter().zip(analyses).map(|(case, analysis)| PlanInput {
        name: case.name.clone(),
        targets: analysis.targets,
        possible: analysis.possible,
        scopes: analysis.scopes,
        ..PlanInput::default()
    });
    let inputs: Vec<PlanInput> = inputs.collect();
    let defaults = PlanOptions::default();
    let mut everything = defaults.clone();
    everything.thresholds.writes.report = 0.0;
    let plan = plan::build("", inputs, &everything).unwrap();
    for (i, x) in cases.iter().enumerate() {
        for y in &cases[..i] {
            let truth = !x.files.is_disjoint(&y.files);
            let is_pair = |names: &[String; 2]| names.contains(&x.name) && names.contains(&y.name);
            let found = plan.conflicts.iter().find(|c| is_pair(&c.tasks));
            let confidence = found
                .filter(|c| c.kind == plan::ConflictKind::WriteWrite)
                .map_or(0.0, |c| c.confidence);
            let reported = found.is_some_and(|c| {
                c.kind != plan::ConflictKind::WriteWrite
                    || c.confidence >= defaults.thresholds.writes.report
            });
            tally.conflicts[0].judge(reported, truth);
            tally.conflicts[1].judge(!x.named.is_disjoint(&y.named), truth);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
            let bin = &mut tally.pairs[(confidence * 20.0) as usize];
            bin[0] += u32::from(truth);
            bin[1] += 1;
        }
    }
}
