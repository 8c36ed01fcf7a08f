//! Why nothing new starts, and until when: breakers, shortages, pauses, money.

use crate::engine::{Gate, State};
use crate::model::{BreakerState, BreakerView, RunState, RunView, TaskState, TaskView, Timestamp};

/// A line for each thing that holds the run back.
pub(super) fn lines(run: &RunView, now: Timestamp) -> Vec<String> {
    let concerns = |b: &&BreakerView| match run.state {
        RunState::Running | RunState::Paused | RunState::Interrupted => {
            b.state_at(now) != BreakerState::Closed
        }
        // What mends itself is nobody's business once the run is over.
        RunState::Failed => {
            b.state == BreakerState::Open && b.retry_at.is_none() && !is_resource(&b.name)
        }
        RunState::Succeeded | RunState::Cancelled => false,
    };
    let open = run.breakers.iter().filter(concerns);
    let mut lines: Vec<String> = open.map(|breaker| line(breaker, now)).collect();
    if run.supervisor.alive {
        lines.extend(run.limited.clone());
    }
    if run.state == RunState::Paused {
        lines.push("paused: nothing new starts".to_owned());
    }
    lines.extend(
        run.budget.map(|budget| {
            format!("{} of {} spent", exact(budget.spent_usd), exact(budget.max_usd))
        }),
    );
    lines
}

/// To the hundredth of a cent: rounded to cents, a limit looks as if it were not reached yet.
fn exact(dollars: f64) -> String {
    let text = format!("${:.4}", dollars + 0.0);
    text.strip_suffix("00").map_or(text.clone(), str::to_owned)
}

/// Something that work which could start waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wait {
    /// Who or what: names it from one look to the next.
    pub(super) of: String,
    /// When it ends, where that is known.
    pub(super) until: Option<Timestamp>,
    /// `agent claude is limited until 20:45`.
    pub(super) what: String,
    /// What was said of the reason.
    pub(super) why: String,
}

/// What work that could start waits for now, other than for a free place or a person.
pub(super) fn current(state: &State, now: Timestamp) -> Vec<Wait> {
    if state.finished.is_some() {
        return Vec::new();
    }
    let short = state.holds.short.iter().map(|(resource, detail)| Wait {
        of: format!("{resource:?}"),
        until: None,
        what: "nothing new starts until there is more".to_owned(),
        why: detail.clone(),
    });
    let mut waits: Vec<Wait> = short.collect();
    if let (Gate::Open(until), Some(opened)) = (state.execution.gate(now), &state.execution.opened)
    {
        waits.push(Wait {
            of: "execution".to_owned(),
            until: Some(until),
            what: format!("no worktree is prepared before {}", clock(until, now)),
            why: format!("{}: {}", opened.why.class, opened.why.message),
        });
    }
    if state.agents.values().all(|agent| agent.breaker.opened.is_none()) {
        return waits;
    }
    for (name, until) in state.agents_waited_for(&state.standings(), now) {
        let Some(opened) = &state.agents[name].breaker.opened else { continue };
        let at = clock(until, now);
        let (what, why) = if opened.limit == Some(until) {
            (format!("agent {name} is limited until {at}"), opened.why.message.clone())
        } else {
            let why = format!("{}: {}", opened.why.class, opened.why.message);
            (format!("agent {name} gets no attempt before {at}"), why)
        };
        waits.push(Wait { of: format!("agent:{name}"), until: Some(until), what, why });
    }
    waits
}

/// One breaker that is not closed.
pub(super) fn line(breaker: &BreakerView, now: Timestamp) -> String {
    let reason = breaker.reason.as_deref().unwrap_or("unknown");
    let next = match (breaker.state_at(now), breaker.retry_at) {
        (BreakerState::HalfOpen, _) => "one attempt is tried".to_owned(),
        (_, Some(at)) => format!("next attempt at {}", clock(at, now)),
        (_, None) if is_resource(&breaker.name) => {
            "nothing new starts until there is more".to_owned()
        }
        (_, None) => "no more attempts until you ask: orch retry".to_owned(),
    };
    format!("{} open: {reason}; {next}", breaker.name)
}

fn is_resource(name: &str) -> bool {
    matches!(name, "disk" | "memory")
}

/// What a task that has not started waits for, beside other tasks.
pub(super) fn of_task(run: &RunView, task: &TaskView, now: Timestamp) -> Option<String> {
    if task.state != TaskState::Queued {
        return None;
    }
    let own = format!("agent:{}", task.agent);
    let holds = |b: &&BreakerView| {
        let concerns = is_resource(&b.name) || b.name == "execution" || b.name == own;
        concerns && b.state_at(now) != BreakerState::Closed
    };
    let breaker = run.breakers.iter().find(holds)?;
    let until = breaker.retry_at.filter(|at| *at > now);
    let until = until.map_or(String::new(), |at| format!(" until {}", clock(at, now)));
    Some(format!("waits for {}{until}", breaker.name))
}

/// The time of day where the user is, with the date where it is not within a day, and how long that is where
/// it is within an hour.
pub(super) fn clock(at: Timestamp, now: Timestamp) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(at.0) else { return at.to_string() };
    let local = time.to_zoned(jiff::tz::TimeZone::system());
    let left = at.since(now);
    let (form, left) = match left.as_secs() {
        0..60 => ("%H:%M:%S", format!(" (in {} s)", left.as_millis().div_ceil(1000))),
        60..3600 => ("%H:%M", format!(" (in {} min)", left.as_secs().div_ceil(60))),
        3600..86_400 => ("%H:%M", String::new()),
        _ => ("%b %-d %H:%M", String::new()),
    };
    format!("{}{left}", local.strftime(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_breaker_says_when_it_is_tried_again() {
        let breaker = |state, retry_at| BreakerView {
            name: "agent:claude".to_owned(),
            state,
            failures: 1,
            retry_at,
            reason: Some("auth: not logged in".to_owned()),
        };
        let (now, later) = (Timestamp(1_000), Some(Timestamp(60_000)));
        let text = line(&breaker(BreakerState::Open, later), now);
        assert!(
            text.starts_with("agent:claude open: auth: not logged in; next attempt at "),
            "{text}"
        );
        let text = line(&breaker(BreakerState::Open, later), Timestamp(60_000));
        assert!(text.ends_with("one attempt is tried"), "{text}");
        let text = line(&breaker(BreakerState::Open, None), now);
        assert!(text.ends_with("orch retry"), "{text}");
    }

    #[test]
    fn a_limit_of_money_is_not_rounded() {
        assert_eq!([exact(0.035), exact(1.0), exact(0.0236)], ["$0.0350", "$1.00", "$0.0236"]);
    }

    #[test]
    fn a_wait_that_is_nearly_over_is_counted_down() {
        let left = |seconds: i64| {
            let text = clock(Timestamp(seconds * 1000), Timestamp(0));
            text.split_once(" (").map(|(_, left)| left.trim_end_matches(')').to_owned())
        };
        assert_eq!(left(40).as_deref(), Some("in 40 s"));
        assert_eq!(left(60).as_deref(), Some("in 1 min"));
        assert_eq!(left(3540).as_deref(), Some("in 59 min"));
        assert_eq!(left(3600), None);
    }

    #[test]
    fn breakers_are_shown_as_long_as_they_hold_something_back() {
        let mut run = crate::report::status::tests::run(RunState::Running);
        for (name, retry_at) in
            [("agent:a", Some(Timestamp(60_000))), ("agent:b", None), ("disk", None)]
        {
            run.breakers.push(BreakerView {
                name: name.to_owned(),
                state: BreakerState::Open,
                failures: 1,
                retry_at,
                reason: None,
            });
        }
        let names = |state| {
            let run = RunView { state, ..run.clone() };
            let names: Vec<String> = lines(&run, Timestamp(0))
                .iter()
                .filter_map(|line| Some(line.split_once(" open: ")?.0.to_owned()))
                .collect();
            names.join(" ")
        };
        assert_eq!(names(RunState::Running), "agent:a agent:b disk");
        assert_eq!(names(RunState::Failed), "agent:b");
        assert_eq!(names(RunState::Succeeded), "");
    }
}
