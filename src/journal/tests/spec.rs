//! What a run was asked to do, beside what became of it.

use super::{Place, run_view, task_view};
use crate::journal::Projection;
use crate::model::{Event, Recorded, RunId, RunSpec, RunState, TaskState, Timestamp, Truth};
use serde_json::json;

#[test]
fn finished_tasks_are_told_with_what_was_expected_of_them() {
    let place = Place::new();
    let mut journal = place.open();
    let task = |name: &str, targets: serde_json::Value| {
        json!({
            "id": name, "name": name, "prompt": "p.md", "title": name, "branch": "b", "worktree": "w",
            "agent": "shell", "model": null, "role": null, "workflow": "default", "work_type": "general",
            "complexity": "low", "depends_on": [], "writes": ["old"], "targets": targets, "skip": null,
            "steps": [],
        })
    };
    let expected = json!([{ "path": "a", "confidence": 0.9 }, { "path": "b", "confidence": 0.4 }]);
    let spec: RunSpec = serde_json::from_value(json!({
        "id": "run-1", "base": "b", "target": null, "jobs": 1, "parallel": false, "merge": "none",
        "verify": [], "grace_ms": 1, "log_cap": 1, "estimate_seconds": null, "agents": {},
        "tasks": [task("good", expected), task("bad", json!([])), task("early", json!([]))],
    }))
    .unwrap();
    let mut views = [
        (0, task_view("good", "good", TaskState::Merged)),
        (1, task_view("bad", "bad", TaskState::Failed)),
        (2, task_view("early", "early", TaskState::Succeeded)),
    ];
    for (_, view) in &mut views {
        view.files_changed = vec!["a".to_owned(), "c".to_owned()];
    }
    let created = Event::RunCreated { spec: Box::new(spec.clone()) };
    let created = Recorded { seq: 1, at: Timestamp(0), event: created };
    let view = run_view("run-1", RunState::Failed);
    let turn = journal.turn(&RunId::from("run-1"), 0).unwrap().unwrap();
    turn.commit(&[created], &Projection { run: &view, tasks: &views }, true).unwrap();

    assert_eq!(journal.run_spec(&spec.id).unwrap(), spec);
    let done = journal.tasks(&spec.id).unwrap();
    let truth = |(task, view)| Truth::of(&spec.id, task, view);
    let truths: Vec<Truth> = spec.tasks.iter().zip(&done).filter_map(truth).collect();
    let told: Vec<(&str, usize, usize)> =
        truths.iter().map(|t| (t.title.as_str(), t.predicted.len(), t.hits())).collect();
    // A run of an earlier version has no targets, but paths.
    assert_eq!(told, [("good", 2, 1), ("early", 1, 0)]);
    assert!(journal.run_spec(&RunId::from("run-2")).is_err());
}
