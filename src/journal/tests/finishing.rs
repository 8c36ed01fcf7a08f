//! How long finished tasks took.

use super::*;
use crate::journal::FinishedTask;
use crate::model::{AttemptView, Complexity, Phase, StepView, Tokens, WorkType};

fn created(run: &str, tasks: &[(&str, &str)]) -> Recorded {
    let task = |(work_type, complexity): &(&str, &str)| {
        serde_json::json!({
            "id": "t", "name": "n", "prompt": "p", "title": "", "branch": "b", "worktree": "w", "agent": "x",
            "model": null, "role": null, "workflow": "default", "work_type": work_type,
            "complexity": complexity, "depends_on": [], "writes": [], "skip": null, "steps": [],
        })
    };
    let spec = serde_json::json!({
        "id": run, "base": "b", "target": null, "jobs": 1, "parallel": false, "merge": "none", "verify": [],
        "grace_ms": 1, "log_cap": 1, "estimate_seconds": null, "agents": {},
        "tasks": tasks.iter().map(task).collect::<Vec<_>>(),
    });
    let spec = serde_json::from_value(spec).unwrap();
    Recorded { seq: 1, at: Timestamp(0), event: Event::RunCreated { spec } }
}

fn attempt(step: &str, from: i64, to: Option<i64>) -> AttemptView {
    AttemptView {
        seconds: None,
        number: 1,
        step: step.into(),
        pid: None,
        started_at: Timestamp(from),
        finished_at: to.map(Timestamp),
        exit_code: None,
        signal: None,
        outcome: None,
        session: None,
        cost_usd: None,
        tokens: Tokens::default(),
        agent: None,
        resources: None,
        live: None,
    }
}

#[test]
fn what_succeeded_is_told_with_the_time_of_its_steps() {
    let place = Place::new();
    let mut journal = place.open();
    assert!(journal.finished_tasks().unwrap().is_empty());
    let mut done = task_view("t1", "a", TaskState::Merged);
    // Two attempts with a wait between them, and a command.
    done.attempts =
        vec![attempt("implement", 0, Some(2_000)), attempt("implement", 9_000, Some(10_500))];
    let step = |id: &str, seconds| StepView {
        started_at: None,
        id: id.into(),
        phase: Phase::Testing,
        state: "done".into(),
        reason: None,
        seconds,
    };
    done.steps =
        vec![step("implement", Some(1.5)), step("verify", Some(0.5)), step("review", None)];
    let failed = task_view("t2", "b", TaskState::Failed);
    let view = run_view("run-1", RunState::Succeeded);
    let events = [created("run-1", &[("bugfix", "high"), ("docs", "low")])];
    let turn = journal.turn(&RunId::from("run-1"), 0).unwrap().unwrap();
    let tasks = [(0, done), (1, failed)];
    turn.commit(&events, &Projection { run: &view, tasks: &tasks }, true).unwrap();
    assert_eq!(
        journal.finished_tasks().unwrap(),
        [FinishedTask {
            id: "t1".into(),
            title: String::new(),
            start: None,
            changed: vec![],
            agent: "shell".into(),
            work_type: WorkType::Bugfix,
            complexity: Complexity::High,
            seconds: 4.0,
        }]
    );
}
