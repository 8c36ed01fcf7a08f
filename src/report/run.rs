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
    let wall = run.finished_at.unwrap_or(run.started_at).since(run.started_at);
    let _ = writeln!(
        out,
        "{} of {} done in {}",
        style.bold(&done.count().to_string()),
        count(asked, "task"),
        duration(wall)
    );
    let work: Duration = tasks.iter().filter_map(work_time).sum();
    if asked > 1 && wall > Duration::ZERO && work > Duration::ZERO {
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

/// The sum of the times of a task's attempts.
fn work_time(task: &TaskView) -> Option<Duration> {
    let (from, to) = (task.started_at?, task.finished_at?);
    let steps: f64 = task.steps.iter().filter_map(|s| s.seconds).sum();
    Some(to.since(from).min(Duration::from_secs_f64(steps)))
}
