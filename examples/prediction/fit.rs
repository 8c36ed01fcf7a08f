//! Logistic regression by Newton's method, with a little ridge so that rare signals stay modest.

use crate::cases::{Corpus, GROUP};
use orch::analysis::score::{FACTORS, Odds, WEIGHTS, Weights};
use orch::analysis::{self};

const SIZE: usize = FACTORS.len() + 1;
/// Pull towards zero, as if this many files spoke against each weight.
const RIDGE: f64 = 1.0;
/// Signals depend on the weights (through neighbours), so fitting is repeated.
const ROUNDS: usize = 3;
const STEPS: usize = 25;

struct Row {
    x: [f64; SIZE],
    y: f64,
    is_unnamed: bool,
}

/// Weights for the groups that are taken, with the factors `without` left out.
pub fn weights(
    corpora: &[Corpus],
    take: impl Fn(&Corpus, usize) -> bool,
    without: &[usize],
) -> Weights {
    let mut weights = WEIGHTS;
    for &factor in without {
        weights.named.of[factor] = 0.0;
        weights.unnamed.of[factor] = 0.0;
    }
    for _ in 0..ROUNDS {
        let (unnamed, named): (Vec<Row>, Vec<Row>) =
            rows(corpora, &take, &weights, without).into_iter().partition(|row| row.is_unnamed);
        weights = Weights { named: newton(&named), unnamed: newton(&unnamed) };
    }
    weights
}

fn rows(
    corpora: &[Corpus],
    take: &impl Fn(&Corpus, usize) -> bool,
    weights: &Weights,
    without: &[usize],
) -> Vec<Row> {
    let mut rows = Vec::new();
    for corpus in corpora {
        for (i, (case, world)) in corpus.cases.iter().enumerate() {
            if !take(corpus, i / GROUP) {
                continue;
            }
            let requests = [case.request()];
            let all = analysis::candidates(world.sources(weights), &requests).unwrap();
            for candidate in all
                .into_iter()
                .flatten()
                .filter(|c| !c.is_wide && !c.is_refused && corpus.counts(&c.path))
            {
                let mut x = [1.0; SIZE];
                x[1..].copy_from_slice(&candidate.signals.0);
                for &factor in without {
                    x[factor + 1] = 0.0;
                }
                let y = f64::from(u8::from(case.files.contains(&candidate.path)));
                let is_unnamed = candidate.signals.is_unnamed();
                rows.push(Row { x, y, is_unnamed });
            }
        }
    }
    rows
}

#[expect(clippy::needless_range_loop, reason = "rows and columns, as the algorithm has them")]
fn newton(rows: &[Row]) -> Odds {
    let mut w = [0.0; SIZE];
    for _ in 0..STEPS {
        let mut gradient = [0.0; SIZE];
        let mut hessian = [[0.0; SIZE]; SIZE];
        for row in rows {
            let z: f64 = w.iter().zip(row.x).map(|(w, x)| w * x).sum();
            let p = 1.0 / (1.0 + (-z).exp());
            let (error, spread) = (row.y - p, p * (1.0 - p));
            for i in 0..SIZE {
                if row.x[i] == 0.0 {
                    continue;
                }
                gradient[i] += error * row.x[i];
                for j in 0..SIZE {
                    hessian[i][j] += spread * row.x[i] * row.x[j];
                }
            }
        }
        for i in 1..SIZE {
            gradient[i] -= RIDGE * w[i];
            hessian[i][i] += RIDGE;
        }
        let step = solve(hessian, gradient);
        for i in 0..SIZE {
            w[i] += step[i];
        }
        if step.iter().all(|s| s.abs() < 1e-6) {
            break;
        }
    }
    let mut of = [0.0; FACTORS.len()];
    of.copy_from_slice(&w[1..]);
    Odds { bias: w[0], of }
}

/// Gaussian elimination with pivots.
#[expect(clippy::needless_range_loop, reason = "rows and columns, as the algorithm has them")]
fn solve(mut a: [[f64; SIZE]; SIZE], mut b: [f64; SIZE]) -> [f64; SIZE] {
    for i in 0..SIZE {
        let pivot = (i..SIZE).max_by(|&x, &y| a[x][i].abs().total_cmp(&a[y][i].abs())).unwrap();
        a.swap(i, pivot);
        b.swap(i, pivot);
        for row in i + 1..SIZE {
            let factor = a[row][i] / a[i][i];
            for column in i..SIZE {
                a[row][column] -= factor * a[i][column];
            }
            b[row] -= factor * b[i];
        }
    }
    let mut x = [0.0; SIZE];
    for i in (0..SIZE).rev() {
        let rest: f64 = (i + 1..SIZE).map(|j| a[i][j] * x[j]).sum();
        x[i] = (b[i] - rest) / a[i][i];
    }
    x
}
