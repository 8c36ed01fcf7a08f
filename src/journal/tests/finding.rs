//! What a person may call a run or a task.

use super::{Place, append, task_view};
use crate::journal::{Journal, JournalError};
use crate::model::{RunId, TaskState};

fn filled(place: &Place) -> Journal {
    let mut journal = place.open();
    let task = |id: &str, name: &str| task_view(id, name, TaskState::Queued);
    let old = [(0, task("task-old-1", "fix-login")), (1, task("task-old-2", "only-old"))];
    append(&mut journal, "run-20260101-aa", 0, &old);
    let new = [
        (0, task("task-new-1", "fix-login")),
        (1, task("task-new-2", "fix-logout")),
        (2, task("task-new-3", "fix")),
        (3, task("task-new-4", "100%_done")),
    ];
    append(&mut journal, "run-20260102-ab", 0, &new);
    journal
}

fn found(journal: &Journal, run: Option<&str>, name: &str) -> String {
    let run = run.map(RunId::from);
    match journal.find_task(run.as_ref(), name) {
        Ok(task) => task.id.0,
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_run_is_found_by_its_id_a_prefix_of_it_or_as_the_latest() {
    let place = Place::new();
    let journal = filled(&place);
    for (name, expected) in [
        ("latest", "run-20260102-ab"),
        ("run-20260101-aa", "run-20260101-aa"),
        ("run-20260101", "run-20260101-aa"),
    ] {
        assert_eq!(journal.find_run(name).unwrap(), Some(RunId::from(expected)), "{name}");
    }
}

#[test]
fn the_latest_of_no_runs_is_none_and_any_other_is_not_found() {
    let journal = Place::new().open();
    assert_eq!(journal.find_run("latest").unwrap(), None);
    assert!(matches!(journal.find_run("run-1"), Err(JournalError::NotFound(_))));
}

#[test]
fn a_prefix_of_two_runs_is_ambiguous_and_says_which() {
    let place = Place::new();
    let error = filled(&place).find_run("run-").unwrap_err().to_string();
    assert_eq!(error, "'run-' is ambiguous: run-20260102-ab, run-20260101-aa");
}

#[test]
fn a_run_whose_id_is_a_prefix_of_another_can_be_named() {
    let place = Place::new();
    let mut journal = filled(&place);
    append(&mut journal, "run-20260101-aab", 0, &[]);
    assert_eq!(journal.find_run("run-20260101-aa").unwrap(), Some(RunId::from("run-20260101-aa")));
}

#[test]
fn a_task_is_found_by_its_name_its_id_its_prompt_or_a_prefix() {
    let place = Place::new();
    let journal = filled(&place);
    for (name, expected) in [
        ("fix-logout", "task-new-2"),
        ("fix-logo", "task-new-2"),
        ("fix-logout.md", "task-new-2"),
        ("prompts/fix-logout.md", "task-new-2"),
        ("task-new-2", "task-new-2"),
        ("task-old-1", "task-old-1"),
        // The newest run that has it.
        ("fix-login", "task-new-1"),
        ("only", "task-old-2"),
        // A name that is a prefix of others is that name.
        ("fix", "task-new-3"),
        // Nothing in a name has a meaning of its own.
        ("100%_d", "task-new-4"),
    ] {
        assert_eq!(found(&journal, None, name), expected, "{name}");
    }
}

#[test]
fn within_a_run_only_its_tasks_are_found() {
    let place = Place::new();
    let journal = filled(&place);
    let old = Some("run-20260101-aa");
    assert_eq!(found(&journal, old, "fix-login"), "task-old-1");
    assert_eq!(found(&journal, old, "fix"), "task-old-1");
    assert_eq!(found(&journal, old, "fix-logout"), "no task 'fix-logout'; see: orch status");
}

#[test]
fn a_prefix_of_two_tasks_is_ambiguous_and_says_which() {
    let place = Place::new();
    let journal = filled(&place);
    assert_eq!(found(&journal, None, "fix-l"), "'fix-l' is ambiguous: fix-login, fix-logout");
}

#[test]
fn an_empty_name_or_a_wildcard_finds_nothing_by_accident() {
    let place = Place::new();
    let journal = filled(&place);
    for name in ["%", "_", "nothing", "'"] {
        assert_eq!(found(&journal, None, name), format!("no task '{name}'; see: orch status"));
    }
    assert!(found(&journal, None, "").contains("ambiguous"));
}

#[test]
fn what_has_a_worktree_still_is_listed() {
    let place = Place::new();
    let mut journal = filled(&place);
    let mut task = task_view("task-new-2", "fix-logout", TaskState::Succeeded);
    task.worktree = Some(".worktrees/x".into());
    append(&mut journal, "run-20260102-ab", 1, &[(1, task)]);
    let names: Vec<String> = journal.uncleaned().unwrap().into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["fix-logout"]);
}
