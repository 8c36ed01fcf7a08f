//! In which order candidates land.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What decides about a candidate's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Those that must land before it, by their place in the list.
    pub after: Vec<usize>,
    /// Its place in an order that somebody asked for; those without one come later.
    pub asked: Option<usize>,
    /// With how many others it may conflict: whoever is in nobody's way goes first.
    pub risk: usize,
    /// How much it changes: the smaller of two is easier to merge again.
    pub size: usize,
}

/// The places in the order in which they are to land: what others need first, then as asked, then by risk,
/// by size, and as listed. Where they need each other in a circle, it is broken at the first listed.
#[must_use]
pub fn order(places: &[Place]) -> Vec<usize> {
    let key = |n: usize| {
        let place = &places[n];
        Reverse((place.asked.unwrap_or(usize::MAX), place.risk, place.size, n))
    };
    let mut waits: Vec<Vec<usize>> = places
        .iter()
        .enumerate()
        .map(|(n, place)| {
            let mut after = place.after.clone();
            after.retain(|other| *other != n && *other < places.len());
            after
        })
        .collect();
    let mut out = Vec::with_capacity(places.len());
    let mut taken = vec![false; places.len()];
    while out.len() < places.len() {
        let mut ready: BinaryHeap<_> =
            (0..places.len()).filter(|n| !taken[*n] && waits[*n].is_empty()).map(key).collect();
        let first_left = || (0..places.len()).find(|n| !taken[*n]);
        let Some(n) = ready.pop().map(|Reverse((.., n))| n).or_else(first_left) else { break };
        taken[n] = true;
        out.push(n);
        for waits in &mut waits {
            waits.retain(|other| *other != n);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(after: &[usize], asked: Option<usize>, risk: usize, size: usize) -> Place {
        Place { after: after.to_vec(), asked, risk, size }
    }

    #[test]
    fn needs_come_first_then_what_was_asked_then_risk_then_size() {
        let places = [
            place(&[3], Some(0), 0, 1),
            place(&[], None, 2, 1),
            place(&[], None, 1, 9),
            place(&[], None, 5, 5),
            place(&[], None, 1, 2),
            place(&[], Some(1), 9, 9),
        ];
        assert_eq!(order(&places), [5, 4, 2, 1, 3, 0]);
    }

    #[test]
    fn a_circle_is_broken_and_nobody_is_lost() {
        let places = [place(&[1], None, 0, 0), place(&[0], None, 0, 0), place(&[2], None, 0, 0)];
        assert_eq!(order(&places), [2, 0, 1]);
    }
}
