//! Measures what `orch plan` predicts against changes that were really made, and fits its weights.
//!
//! A case is a line of JSON: `{"name", "base": commit, "files": [paths changed], "prompt": text}`. Nothing after `base` is read.
//! `docs/prediction.md` has the figures and the commands that made them.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made must end")]

mod cases;
mod fit;
mod measure;
mod world;

use cases::Corpus;
use measure::Tally;
use orch::analysis::score::{FACTORS, WEIGHTS, Weights};

const USAGE: &str = "usage: prediction [--group] [--fit] [--folds N] [--ablate] [--transfer] [--show] [--dump] [--ignore PREFIX] GIT_DIR CASES.jsonl [GIT_DIR CASES.jsonl]...

  Without options: how well the weights in use predict the cases, each at its own base commit.
  --group     eight cases at a time, all at the base of the last, as one plan would be made
  --fit       weights fitted on all cases
  --folds N   weights fitted on all but one of N parts (in time), judged on that part
  --transfer  weights fitted on all but one repository, judged on that one
  --ablate    each factor left out in turn, as --folds 5
  --ignore P  paths that begin with P are not counted: of them the cases do not say whether they changed
  --dump      the signals of every candidate, a line of JSON each, and nothing else
  --show      what is missed and what is listed in vain";

/// What the command line asks for.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a command line")]
pub struct Options {
    /// `--group`.
    pub group: bool,
    fit: bool,
    folds: usize,
    ablate: bool,
    transfer: bool,
    show: bool,
    dump: bool,
    /// `--ignore`.
    pub ignore: Option<String>,
    inputs: Vec<String>,
}

fn options() -> Options {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--group" => options.group = true,
            "--fit" => options.fit = true,
            "--ablate" => options.ablate = true,
            "--transfer" => options.transfer = true,
            "--dump" => options.dump = true,
            "--ignore" => options.ignore = args.next(),
            "--show" => options.show = true,
            "--folds" => {
                let parts = args.next().and_then(|n| n.parse().ok());
                options.folds = parts.unwrap_or_else(|| panic!("{USAGE}"));
            }
            _ => options.inputs.push(arg),
        }
    }
    assert!(!options.inputs.is_empty() && options.inputs.len() % 2 == 0, "{USAGE}");
    options
}

fn main() {
    let options = options();
    let corpora: Vec<Corpus> =
        options.inputs.chunks(2).map(|pair| Corpus::load(&pair[0], &pair[1], &options)).collect();
    if options.dump {
        corpora.iter().for_each(dump);
        return;
    }
    for corpus in &corpora {
        let tally = measure::judge(corpus, &WEIGHTS, |_| true, options.show);
        println!("{}: {} cases\n{}", corpus.name, corpus.len(), tally.table());
    }
    if options.folds > 0 {
        let tally = folds(&corpora, options.folds, &[]);
        println!(
            "{} parts, each judged by weights fitted on the others\n{}",
            options.folds,
            tally.table()
        );
    }
    if options.ablate {
        ablate(&corpora);
    }
    if options.transfer {
        transfer(&corpora);
    }
    if options.fit {
        let weights = fit::weights(&corpora, |_, _| true, &[]);
        print(&weights);
        for corpus in &corpora {
            let tally = measure::judge(corpus, &weights, |_| true, false);
            println!("{}: fitted on what is judged\n{}", corpus.name, tally.table());
        }
    }
}

fn dump(corpus: &Corpus) {
    for (case, world) in &corpus.cases {
        let requests = [case.request()];
        let all = orch::analysis::candidates(world.sources(&WEIGHTS), &requests).unwrap();
        for candidate in all.into_iter().flatten().filter(|c| corpus.counts(&c.path)) {
            let changed = case.files.contains(&candidate.path);
            let line = serde_json::json!({
                "case": case.name, "path": candidate.path, "changed": changed,
                "refused": candidate.is_refused, "wide": candidate.is_wide,
                "signals": candidate.signals.0,
            });
            println!("{line}");
        }
    }
}

fn print(weights: &Weights) {
    for (name, odds) in [("named", weights.named), ("unnamed", weights.unnamed)] {
        println!("    {name}: bias: {:.2},\n    of: [", odds.bias);
        for (factor, weight) in FACTORS.iter().zip(odds.of) {
            println!("        {weight:.2}, // {factor:?}");
        }
        println!("    ],");
    }
}

/// The sum over all parts, each judged by what the others taught.
fn folds(corpora: &[Corpus], parts: usize, without: &[usize]) -> Tally {
    let mut sum = Tally::default();
    for part in 0..parts {
        let is_in = |corpus: &Corpus, group: usize| group * parts / corpus.groups() == part;
        let weights = fit::weights(corpora, |corpus, group| !is_in(corpus, group), without);
        for corpus in corpora {
            sum.add(&measure::judge(corpus, &weights, |group| is_in(corpus, group), false));
        }
    }
    sum
}

fn ablate(corpora: &[Corpus]) {
    println!("without        files P     R     F1     conflicts P     R     F1");
    let row = |name: &str, tally: Tally| println!("{name:<12} {}", tally.row());
    row("(nothing)", folds(corpora, 5, &[]));
    for (i, factor) in FACTORS.iter().enumerate() {
        row(&format!("{factor:?}").to_lowercase(), folds(corpora, 5, &[i]));
    }
}

fn transfer(corpora: &[Corpus]) {
    for judged in corpora {
        let weights = fit::weights(corpora, |corpus, _| corpus.name != judged.name, &[]);
        let tally = measure::judge(judged, &weights, |_| true, false);
        println!("{}: weights of the other repositories\n{}", judged.name, tally.table());
    }
}
