//! The summary at the end of `orch execute`.

use super::style::Style;
use super::words::{count, duration, money, tokens};
use crate::model::{RunView, TaskState, TaskView, Tokens};
use std::fmt::Write;
use std::time::Duration;

/// What a run came to: results, speed-up, cost.
#[must_use]
pub fn summary(run: &RunView, tasks: &[TaskView], style: Style) -> String {
    let mut out = String::new();
    let done = tasks.iter().filter(|t| matches!(t.state, TaskState::Succeeded | TaskState::Merged));
    let asked = tasks.iter().filter(|t| t.state != TaskState::Skipped).count();
    let wall = Duration::from_secs_f64(run.active_seconds.max(0.0));
    let _ = writeln!(
        out,
        "{} of {} done in {}",
        style.bold(&done.clone().count().to_string()),
        count(asked, "task"),
        duration(wall)
    );
    let work: Duration =
        tasks.iter().filter(|t| t.state != TaskState::Skipped).map(work_time).sum();
    if done.clone().count() > 1 && wall > Duration::ZERO && work > wall {
        let _ = writeln!(
            out,
            "speed-up {:.1}x: the tasks took {} one after another",
            work.as_secs_f64() / wall.as_secs_f64(),
            duration(work)
        );
    }
    let attempts = || tasks.iter().flat_map(|t| &t.attempts);
    let cost: f64 = attempts().filter_map(|a| a.cost_usd).sum();
    let used = attempts().fold(Tokens::default(), |sum, a| Tokens {
        input: sum.input + a.tokens.input,
        output: sum.output + a.tokens.output,
        cache_read: sum.cache_read + a.tokens.cache_read,
        cache_write: sum.cache_write + a.tokens.cache_write,
    });
    if cost > 0.0 || used != Tokens::default() {
        let _ = writeln!(
            out,
            "cost {}; tokens {} in, {} out, {} cached",
            money(cost),
            tokens(used.input + used.cache_write),
            tokens(used.output),
            tokens(used.cache_read)
        );
    }
    out
}

/// The time a task was worked on: the sum of its steps.
pub(super) fn work_time(task: &TaskView) -> Duration {
    Duration::from_secs_f64(task.steps.iter().filter_map(|step| step.seconds).sum::<f64>().max(0.0))
}
