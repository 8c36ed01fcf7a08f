//! `orch status`: a run, its tasks, and what to do next.

use super::style::{Style, columns, fit, mark};
use super::words::{bytes, count, duration, money, shell_word};
use super::{overlaps, waits};
use crate::model::{
    BreakerView, Failure, FailureClass, LiveView, OverlapView, RunState, RunView, TaskState,
    TaskView, Timestamp,
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// `orch.status/1`.
#[derive(Debug, Serialize)]
pub struct StatusJson<'a> {
    schema: &'static str,
    run: RunView,
    tasks: Vec<&'a RawValue>,
    totals: BTreeMap<String, u64>,
    breakers: Vec<BreakerView>,
    overlaps: Vec<OverlapView>,
}

impl<'a> StatusJson<'a> {
    /// The document, from the tasks as the journal has them (each a JSON object already).
    #[must_use]
    pub fn new(
        run: &RunView,
        tasks: Vec<&'a RawValue>,
        counts: &BTreeMap<TaskState, u64>,
        now: Timestamp,
    ) -> Self {
        use TaskState as S;
        let mut totals = BTreeMap::new();
        for state in [
            S::Queued,
            S::Blocked,
            S::Preparing,
            S::Running,
            S::Verifying,
            S::Succeeded,
            S::Failed,
            S::TimedOut,
            S::Cancelled,
            S::Skipped,
            S::Conflicted,
            S::GovernanceViolation,
            S::Interrupted,
            S::Merged,
        ] {
            totals.insert(state.to_string(), counts.get(&state).copied().unwrap_or(0));
        }
        let mut run = run.clone();
        let mut breakers = std::mem::take(&mut run.breakers);
        for breaker in &mut breakers {
            breaker.state = breaker.state_at(now);
        }
        let overlaps = std::mem::take(&mut run.overlaps);
        Self { schema: "orch.status/1", run, tasks, totals, breakers, overlaps }
    }
}

/// The human view of a run.
#[must_use]
pub fn status(
    run: &RunView,
    tasks: &[TaskView],
    counts: &BTreeMap<TaskState, u64>,
    now: Timestamp,
    style: Style,
) -> String {
    let mut out = String::new();
    let since = if run.supervisor.alive { now.since(run.started_at) } else { Duration::ZERO };
    let time = since.max(Duration::from_secs_f64(run.active_seconds.max(0.0)));
    let onto = run.target.as_deref().map_or(String::new(), |t| format!(" on {t}"));
    let _ = writeln!(
        out,
        "{}  {}  {}  base {}{onto}",
        style.bold(run.id.as_str()),
        run_word(run),
        duration(time),
        run.base.get(..10).unwrap_or(&run.base),
    );
    for line in waits::lines(run, now) {
        let _ = writeln!(out, "{}", style.dim(&line));
    }
    let total: u64 = counts.values().sum();
    let width = tasks.iter().map(|t| columns(&t.name)).max().unwrap_or(4).min(40);
    for view in tasks {
        let mut text = line(view, width, now, style);
        if let Some(why) = waits::of_task(run, view, now) {
            text = format!("{text}  {why}");
        }
        let _ = writeln!(out, "{text}");
        hints(&mut out, view, style);
    }
    let hidden = usize::try_from(total).unwrap_or(0).saturating_sub(tasks.len());
    if hidden > 0 {
        let _ = writeln!(out, "  … {hidden} more; see all with: orch status --all");
    }
    for line in overlaps::lines(&run.overlaps) {
        let _ = writeln!(out, "overlap: {line}");
    }
    let _ = writeln!(out, "{}", totals(counts));
    if let Some(next) = next(run, tasks) {
        let _ = writeln!(out, "next: {next}");
    }
    out
}

fn run_word(run: &RunView) -> String {
    match (run.state, run.supervisor.alive, run.supervisor.pid) {
        (RunState::Running | RunState::Paused, true, Some(pid)) => {
            format!("{} (process {pid})", run.state)
        }
        (state, ..) => state.to_string(),
    }
}

/// One line about a task.
pub(super) fn line(view: &TaskView, width: usize, now: Timestamp, style: Style) -> String {
    let state = view.state.to_string();
    let time = match (view.started_at, view.finished_at) {
        (Some(_), Some(_)) => duration(super::run::work_time(view)),
        // Its clock stands while it waits.
        (Some(_), None) if !view.state.is_final() => {
            let under_way = view.steps.iter().filter_map(|step| step.started_at);
            let running: Duration = under_way.map(|from| now.since(from)).sum();
            duration(super::run::work_time(view) + running)
        }
        _ => String::new(),
    };
    // The name gives way first on a narrow terminal, then the details.
    let width = style.width.map_or(width, |columns| width.min(columns.saturating_sub(24)).max(8));
    let name = if columns(&view.name) > width { fit(&view.name, width) } else { view.name.clone() };
    let head = format!(
        "{} {name}{:gap$}  {}{:pad$}  {time:>6}",
        mark(view.state),
        "",
        style.state(view.state, &state),
        "",
        gap = width.saturating_sub(columns(&name)),
        pad = 10_usize.saturating_sub(state.len()),
    );
    let rest = style.cut(&details(view, now), width + 24);
    format!("{head}  {rest}").trim_end().to_owned()
}

fn details(view: &TaskView, now: Timestamp) -> String {
    let mut parts = Vec::new();
    let tries = view.attempts.iter().filter(|a| a.step == "implement").count();
    if tries > 1 {
        parts.push(format!("attempt {tries}"));
    }
    let cost: f64 = view.attempts.iter().filter_map(|a| a.cost_usd).sum();
    if cost > 0.0 {
        parts.push(money(cost));
    }
    match view.state {
        TaskState::Blocked if !view.blocked_by.is_empty() => {
            parts.push(format!("blocked by {}", chain(view)));
        }
        TaskState::Blocked => parts.push(format!("waits for {}", view.blocked_on.join(", "))),
        TaskState::Skipped => parts.extend(view.skip_reason.clone()),
        TaskState::Succeeded | TaskState::Merged => {
            let files = view.files_changed.len();
            parts.push(if files == 0 { "no changes".to_owned() } else { count(files, "file") });
            // Where the worktree was cleaned away, so was the branch.
            parts.extend(view.branch.clone().filter(|_| view.worktree.is_some()));
            let number = |url: &String| url.rsplit('/').next().map(|number| format!("#{number}"));
            parts.extend(view.pull_request.as_ref().and_then(number));
        }
        _ => {}
    }
    parts.extend(view.attempts.iter().filter_map(|attempt| attempt.live).map(|at| live(at, now)));
    if view.cancel_requested {
        parts.push("being cancelled".to_owned());
    }
    if let Some(error) = &view.error {
        parts.push(format!("{}: {}", error.class, error.message));
    }
    parts.join("  ")
}

/// What the processes of an attempt that runs take, and when they last said something.
fn live(reading: LiveView, now: Timestamp) -> String {
    let output = reading.last_output_at.map_or_else(
        || "no output yet".to_owned(),
        |at| format!("output {} ago", duration(now.since(at))),
    );
    let cpu = Duration::try_from_secs_f64(reading.cpu_seconds).unwrap_or_default();
    format!("{}, CPU {}, {output}", bytes(reading.memory_bytes), duration(cpu))
}

/// `a <- b <- c`: what ended badly, down to the task itself.
fn chain(view: &TaskView) -> String {
    let names = view.blocked_by.iter().chain([&view.name]);
    names.map(String::as_str).collect::<Vec<_>>().join(" <- ")
}

/// What a person should read and do, below the line of a task.
pub(super) fn hints(out: &mut String, view: &TaskView, style: Style) {
    // What is tried again by itself needs nothing done.
    let stays = view.state != TaskState::Queued;
    if let Some(hint) = view.error.as_ref().filter(|_| stays).and_then(|e| e.suggestion.as_deref())
    {
        let _ = writeln!(out, "    {}", style.dim(&format!("hint: {hint}")));
    }
    for warning in &view.warnings {
        let _ = writeln!(out, "    warning: {warning}");
    }
}

fn totals(counts: &BTreeMap<TaskState, u64>) -> String {
    let parts: Vec<String> =
        counts.iter().filter(|(_, n)| **n > 0).map(|(state, n)| format!("{n} {state}")).collect();
    if parts.is_empty() { "no tasks".to_owned() } else { parts.join(", ") }
}

/// The command that most likely comes next.
fn next(run: &RunView, tasks: &[TaskView]) -> Option<String> {
    let stands = |state| tasks.iter().any(|t| t.state == state && t.worktree.is_some());
    match run.state {
        RunState::Running => {
            let busy = tasks.iter().find(|t| t.state == TaskState::Running)?;
            Some(format!("orch logs {} -f", shell_word(&busy.name)))
        }
        RunState::Paused | RunState::Interrupted => Some("orch resume".to_owned()),
        _ => {
            let bad = tasks.iter().find(|t| t.state.is_final() && !t.state.is_good());
            match bad {
                Some(bad) if bad.state == TaskState::Conflicted => {
                    let broken =
                        bad.error.as_ref().map(|e| e.class) == Some(FailureClass::VerifyFailed);
                    let command = if broken { "retry" } else { "diff" };
                    Some(format!("orch {command} {}", shell_word(&bad.name)))
                }
                Some(bad) if bad.state != TaskState::Cancelled => Some(again(run, tasks, bad)),
                _ if stands(TaskState::Succeeded) => Some("orch merge".to_owned()),
                _ if stands(TaskState::Merged) => Some("orch clean".to_owned()),
                _ => None,
            }
        }
    }
}

/// How to go on from the first task that failed.
fn again(run: &RunView, tasks: &[TaskView], bad: &TaskView) -> String {
    let class = |task: &TaskView| task.error.as_ref().map(|error| error.class);
    let mended_once = match class(bad) {
        Some(FailureClass::Budget) if run.budget.is_some() => Some(" --max-cost-usd USD"),
        Some(FailureClass::Auth | FailureClass::Quota | FailureClass::Budget) => Some(""),
        _ => None,
    };
    let alike = tasks.iter().filter(|t| t.state.is_final() && class(t) == class(bad)).count();
    let name = shell_word(&bad.name);
    match mended_once {
        Some(more) if alike > 1 => format!("orch retry --failed{more}"),
        Some(more) if bad.logs.is_empty() => format!("orch retry {name}{more}"),
        _ if bad.logs.is_empty() => format!("orch retry {name}"),
        _ => format!("orch logs {name}, then: orch retry {name}"),
    }
}

/// One line about a task, with a line break.
#[must_use]
pub fn task_line(view: &TaskView, now: Timestamp, style: Style) -> String {
    format!("{}\n", line(view, view.name.chars().count(), now, style))
}

/// `orch status TASK`: everything about one task.
#[must_use]
pub fn task(view: &TaskView, now: Timestamp, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}  {}", style.bold(&view.name), view.title);
    out.push_str(&task_line(view, now, style));
    hints(&mut out, view, style);
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<9} {value}");
    };
    fact("id", view.id.as_str());
    fact("prompt", &view.prompt);
    fact("agent", &view.agent);
    for (name, value) in [
        ("branch", if view.worktree.is_some() { &view.branch } else { &None }),
        ("worktree", &view.worktree),
        ("start", &view.start),
        ("commit", &view.commit),
        ("issue", &view.issue),
        ("pull", &view.pull_request),
        ("note", &view.note),
    ] {
        if let Some(value) = value {
            fact(name, value);
        }
    }
    if let Some(kept) = &view.snapshot {
        let mut text = format!("{}  {}", kept.taken_at, count(kept.files, "file"));
        if !kept.left_out.is_empty() {
            let _ = write!(text, ", without {}", kept.left_out.join(", "));
        }
        fact("snapshot", &format!("{text}  (orch diff {} --snapshot)", shell_word(&view.name)));
    }
    if !view.files_changed.is_empty() {
        fact("files", &view.files_changed.join(", "));
    }
    if let Some(error) = &view.error {
        fact("failure", &circumstances(error));
    }
    for step in &view.steps {
        let time = step.seconds.map_or(String::new(), |s| duration(Duration::from_secs_f64(s)));
        let reason = step.reason.as_deref().unwrap_or_default();
        let text = format!("{:<13} {:<8} {time:>6}  {reason}", step.id, step.state);
        fact("step", text.trim_end());
    }
    for attempt in &view.attempts {
        let outcome = attempt.outcome.as_deref().unwrap_or("running");
        let exit = match (attempt.exit_code, attempt.signal) {
            (Some(code), _) => format!("exit {code}"),
            (_, Some(signal)) => format!("signal {signal}"),
            _ => String::new(),
        };
        let cost = attempt.cost_usd.map_or(String::new(), money);
        let session = attempt.session.as_deref().unwrap_or_default();
        let by = attempt.agent.as_ref().map_or(String::new(), |agent| format!("by {agent}"));
        let used = attempt.resources.map_or(String::new(), |used| {
            let cpu = Duration::try_from_secs_f64(used.cpu_seconds).unwrap_or_default();
            format!("peak {}, CPU {}", bytes(used.peak_memory_bytes), duration(cpu))
        });
        let now_used = attempt.live.map_or(String::new(), |reading| {
            let (cpu_at, peak) = (now.since(reading.last_cpu_at), bytes(reading.peak_memory_bytes));
            let more = if reading.processes == 1 { "" } else { "es" };
            let (what, cpu_at) = (live(reading, now), duration(cpu_at));
            format!(
                "{what}, CPU use {cpu_at} ago, peak {peak}, {} process{more}",
                reading.processes
            )
        });
        let number = format!("{}.{}", attempt.step, attempt.number);
        let text = format!("{number} {outcome} {by} {exit} {cost} {used}{now_used} {session}");
        fact("attempt", text.split_whitespace().collect::<Vec<_>>().join(" ").as_str());
    }
    out
}

/// The class of a failure, its phase, and what the machine looked like.
fn circumstances(error: &Failure) -> String {
    let mut parts = vec![error.class.to_string()];
    if let Some(context) = &error.context {
        parts.extend(context.phase.map(|phase| format!("in {phase}")));
        parts.extend(context.free_memory_bytes.map(|n| format!("{} of memory free", bytes(n))));
        parts.extend(context.free_disk_bytes.map(|n| format!("{} of disk free", bytes(n))));
        parts.extend(context.load.map(|load| format!("load {load:.1}")));
        parts.extend(context.running.map(|n| format!("{n} running")));
        parts.extend(context.found_later.then(|| "read when it was found".to_owned()));
    }
    parts.join(", ")
}

/// `orch status --runs`.
#[must_use]
pub fn runs(runs: &[RunView]) -> String {
    let mut out = String::new();
    for run in runs {
        let time = duration(Duration::from_secs_f64(run.active_seconds.max(0.0)));
        let _ = writeln!(
            out,
            "{}  {:<11}  {time:>6}  {}",
            run.id,
            run.state.to_string(),
            run.started_at
        );
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in crate::report) fn run(state: RunState) -> RunView {
        serde_json::from_value(json!({
            "id": "run-1", "state": state, "started_at": "2026-01-01T00:00:00Z", "finished_at": null,
            "base": "b", "target": null, "jobs": 1, "supervisor": {"pid": null, "alive": false},
        }))
        .unwrap()
    }

    fn task(name: &str, state: TaskState, class: Option<FailureClass>) -> TaskView {
        let error = class.map(|class| Failure::new(class, "made up"));
        serde_json::from_value(json!({
            "id": name, "name": name, "prompt": "", "title": "", "agent": "x", "state": state,
            "attempts": [], "branch": null, "worktree": null, "commit": null, "start": null,
            "files_changed": [], "pull_request": null, "issue": null, "blocked_on": [],
            "error": error, "steps": [], "started_at": null, "finished_at": null,
        }))
        .unwrap()
    }

    #[test]
    fn the_clock_of_a_task_stands_while_it_waits() {
        let mut waits = task("a", TaskState::Queued, None);
        waits.started_at = Some(Timestamp(0));
        let step = json!({"id": "s", "phase": "implementation", "state": "done", "seconds": 4.0});
        waits.steps = vec![serde_json::from_value(step).unwrap()];
        let shown = |view: &TaskView| line(view, 1, Timestamp(3_600_000), Style::PLAIN);
        assert!(shown(&waits).contains(" 4.0s"), "{}", shown(&waits));
        let mut runs = TaskView { state: TaskState::Running, ..waits };
        runs.steps[0].started_at = Some(Timestamp(3_598_000));
        assert!(shown(&runs).contains(" 6.0s"), "{}", shown(&runs));
    }

    #[test]
    fn the_next_command_is_one_that_does_something() {
        use FailureClass::{Auth, Budget, Crashed};
        let failed = |name, class| task(name, TaskState::Failed, Some(class));
        let ended = run(RunState::Failed);
        assert_eq!(next(&ended, &[failed("a", Crashed)]).unwrap(), "orch retry a");
        let mut ran = failed("a", Crashed);
        ran.logs.push(crate::model::LogView { step: "implement".to_owned(), attempt: 1 });
        assert_eq!(next(&ended, &[ran.clone()]).unwrap(), "orch logs a, then: orch retry a");
        ran.name = "it's a task".to_owned();
        let quoted = r"orch logs 'it'\''s a task', then: orch retry 'it'\''s a task'";
        assert_eq!(next(&ended, &[ran]).unwrap(), quoted);
        let two = [failed("a", Auth), failed("b", Auth)];
        assert_eq!(next(&ended, &two).unwrap(), "orch retry --failed");
        let budget = Some(crate::model::BudgetView { spent_usd: 1.0, max_usd: 1.0 });
        let limited = RunView { budget, ..ended };
        let two = [failed("a", Budget), failed("b", Budget)];
        assert_eq!(next(&limited, &two).unwrap(), "orch retry --failed --max-cost-usd USD");

        let mut merged = task("a", TaskState::Merged, None);
        let done = run(RunState::Succeeded);
        assert_eq!(next(&done, &[merged.clone()]), None, "cleaned already");
        merged.worktree = Some("w".to_owned());
        assert_eq!(next(&done, &[merged]).unwrap(), "orch clean");
    }
}
