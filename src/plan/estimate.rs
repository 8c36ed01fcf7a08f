//! How long tasks take, from what tasks like them took.
//!
//! The estimate is the median of the nearest group that has at least [`ENOUGH`] finished tasks: same agent,
//! type and size; same agent and size; same agent, each scaled to the size at hand. Other agents say
//! nothing: a formatter in a shell and a model are worlds apart. Without a group it is by size alone.

use super::input::PlanInput;
use crate::model::{Complexity, WorkType};
use std::collections::HashMap;

/// Seconds for a task of a size when nothing is known from history: rough, and meant only to tell
/// a long chain from a short one until the repository has a history of its own.
#[must_use]
pub const fn default_seconds(complexity: Complexity) -> f64 {
    match complexity {
        Complexity::Low => 300.0,
        Complexity::Medium => 600.0,
        Complexity::High => 1_200.0,
        Complexity::Critical => 2_400.0,
    }
}

/// Finished tasks of a group from which its median says more than the size alone.
const ENOUGH: usize = 3;

/// A task that was finished.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// Its agent.
    pub agent: String,
    /// Type.
    pub work_type: WorkType,
    /// Size.
    pub complexity: Complexity,
    /// Seconds that its steps took, waiting left out.
    pub seconds: f64,
}

/// How long tasks took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    exact: HashMap<(String, WorkType, Complexity), Vec<f64>>,
    by_size: HashMap<(String, Complexity), Vec<f64>>,
    /// Scaled to [`Complexity::Low`].
    by_agent: HashMap<String, Vec<f64>>,
}

impl History {
    /// Sorts finished tasks into their groups; what is no duration is left out.
    pub fn new(finished: impl IntoIterator<Item = Finished>) -> Self {
        let mut history = Self::default();
        for Finished { agent, work_type, complexity, seconds } in finished {
            if !seconds.is_finite() || seconds <= 0.0 {
                continue;
            }
            let low = seconds / default_seconds(complexity) * default_seconds(Complexity::Low);
            history.exact.entry((agent.clone(), work_type, complexity)).or_default().push(seconds);
            history.by_size.entry((agent.clone(), complexity)).or_default().push(seconds);
            history.by_agent.entry(agent).or_default().push(low);
        }
        let sort = |all: &mut Vec<f64>| all.sort_by(f64::total_cmp);
        history.exact.values_mut().for_each(sort);
        history.by_size.values_mut().for_each(sort);
        history.by_agent.values_mut().for_each(sort);
        history
    }
}

/// How long a task will take.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Guess {
    /// The median.
    pub seconds: f64,
    /// The middle half of what was seen lies between these; `None` without history.
    pub spread: Option<(f64, f64)>,
    /// Finished tasks behind it.
    pub samples: usize,
    /// One line.
    pub from: String,
}

/// For one task; a skipped one takes no time.
pub(super) fn of_task(input: &PlanInput, history: &History) -> Guess {
    if input.skip_reason.is_some() {
        return Guess { from: "skipped".to_owned(), ..Guess::default() };
    }
    let (agent, kind, size) = (&input.agent, input.work_type, input.complexity);
    let enough = |group: Option<&Vec<f64>>| group.filter(|g| g.len() >= ENOUGH).cloned();
    let scale = default_seconds(size) / default_seconds(Complexity::Low);
    let exact = || {
        let group = enough(history.exact.get(&(agent.clone(), kind, size)))?;
        Some((group, 1.0, format!("{kind} tasks of {size} complexity by {agent}")))
    };
    let by_size = || {
        let group = enough(history.by_size.get(&(agent.clone(), size)))?;
        Some((group, 1.0, format!("tasks of {size} complexity by {agent}")))
    };
    let by_agent = || {
        let group = enough(history.by_agent.get(agent))?;
        Some((group, scale, format!("tasks by {agent}, scaled to {size} complexity")))
    };
    match exact().or_else(by_size).or_else(by_agent) {
        Some((group, scale, of_what)) => Guess {
            seconds: quantile(&group, 0.5) * scale,
            spread: Some((quantile(&group, 0.25) * scale, quantile(&group, 0.75) * scale)),
            samples: group.len(),
            from: format!("median of {} finished {of_what}", group.len()),
        },
        None => Guess {
            seconds: default_seconds(size),
            from: format!("{size} complexity; too few finished tasks by {agent} to go by"),
            ..Guess::default()
        },
    }
}

/// A quantile of sorted numbers, between two of them where it falls there (type 7 of Hyndman and Fan,
/// what R, `NumPy` and spreadsheets use).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = q * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and the length"
    )]
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(
        agent: &str,
        work_type: WorkType,
        complexity: Complexity,
        seconds: f64,
    ) -> Finished {
        Finished { agent: agent.into(), work_type, complexity, seconds }
    }

    #[test]
    fn the_nearest_group_with_enough_decides() {
        use Complexity::{High, Low, Medium};
        use WorkType::{Bugfix, Docs, Feature};
        let history = History::new(
            [10.0, 20.0, 30.0, 40.0]
                .map(|s| finished("claude", Bugfix, Low, s))
                .into_iter()
                .chain([100.0, 200.0].map(|s| finished("claude", Feature, Medium, s)))
                .chain([f64::NAN, -1.0, 0.0].map(|s| finished("claude", Docs, High, s)))
                .chain([1.0; 9].map(|s| finished("shell", Bugfix, Low, s))),
        );
        let guess = |agent: &str, work_type, complexity| {
            let agent = agent.to_owned();
            let input = PlanInput { agent, work_type, complexity, ..PlanInput::default() };
            let guess = of_task(&input, &history);
            (guess.seconds, guess.spread, guess.samples)
        };
        assert_eq!(guess("claude", Bugfix, Low), (25.0, Some((17.5, 32.5)), 4));
        assert_eq!(guess("claude", Docs, Low), (25.0, Some((17.5, 32.5)), 4), "same size");
        // All six, scaled to low: 10 20 30 40 50 100.
        assert_eq!(guess("claude", Feature, Medium), (70.0, Some((45.0, 95.0)), 6));
        assert_eq!(guess("claude", Docs, High), (140.0, Some((90.0, 190.0)), 6));
        assert_eq!(guess("codex", Bugfix, Low), (300.0, None, 0), "other agents say nothing");
        assert_eq!(guess("shell", Docs, Low), (1.0, Some((1.0, 1.0)), 9));
    }
}
