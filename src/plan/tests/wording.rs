//! What a conflict claims: no more than is likely.

use super::*;

/// A prompt that writes `paths`, each as surely as it says.
fn sure(name: &str, paths: &[(&str, f64)]) -> PlanInput {
    let targets = paths.iter().map(|(path, sure)| target(path, Access::Write, *sure)).collect();
    PlanInput { targets, ..task(name, &[], &[]) }
}

#[test]
fn a_path_that_one_hardly_writes_is_not_said_to_be_written_by_both() {
    let a = sure("a", &[("a.log", 0.9), ("shared.rs", 0.9), ("z.rs", 0.8)]);
    let b = sure("b", &[("a.log", 0.08), ("shared.rs", 0.9), ("z.rs", 0.9)]);
    let plan = planned(&[a, b]);
    let conflict = &plan.conflicts[0];
    assert_eq!(conflict.reason, "both write shared.rs, z.rs");
    assert_eq!(
        (conflict.paths.as_slice(), conflict.path_count),
        (&["shared.rs".into(), "z.rs".into()][..], 2)
    );
    // Where nothing is likely, what is likeliest is told, as what it is.
    let plan = planned(&[
        sure("a", &[("p", 0.3), ("q", 0.35), ("r", 0.3), ("s", 0.3)]),
        sure("b", &[("p", 0.3), ("q", 0.35), ("r", 0.3), ("s", 0.3)]),
    ]);
    assert_eq!(plan.conflicts[0].reason, "both may write q, p, r");
}

#[test]
fn what_both_create_is_said_first() {
    let with = |name: &str, log: f64| {
        let mut input = sure(name, &[("CHANGES", log), ("src/new.rs", 0.85)]);
        input.creates.insert("src/new.rs".into());
        input
    };
    let plan = planned(&[with("a", 0.9), with("b", 0.05)]);
    assert_eq!(plan.conflicts[0].reason, "both create src/new.rs");
    let plan = planned(&[with("a", 0.9), with("b", 0.9)]);
    assert_eq!(plan.conflicts[0].reason, "both create src/new.rs and write CHANGES");
    assert_eq!(plan.conflicts[0].paths, ["src/new.rs", "CHANGES"]);
}

#[test]
fn what_orders_is_said_before_what_merges_by_itself() {
    let both = ["a", "b"].map(|name| task(name, &["CHANGES", "src/x.rs"], &[]));
    let union = HotFacts { union: true, ..HotFacts::default() };
    let plan = with_hot(&both, "CHANGES", union);
    assert_eq!(plan.conflicts[0].reason, "both write src/x.rs, CHANGES");
}

#[test]
fn a_line_is_said_to_import_only_what_it_imports() {
    let mut user = task("a", &["app.rs"], &[]);
    let import = |path: &str, line| Import { path: path.into(), by: "app.rs".into(), line };
    user.imports = vec![import("lib.rs", 3), import("more.rs", 9)];
    let plan = planned(&[user, task("b", &["lib.rs", "more.rs"], &[])]);
    assert_eq!(plan.conflicts[0].reason, "app.rs:3 imports lib.rs, and 1 more like that");
}

#[test]
fn a_file_that_is_ignored_is_not_worth_a_word() {
    let options = PlanOptions {
        hot: [("CHANGES".to_owned(), HotFacts::default())].into(),
        ignore: vec!["CHANGES".into()],
        ..PlanOptions::default()
    };
    let plan =
        build("0", vec![task("a", &["CHANGES"], &[]), task("b", &["CHANGES"], &[])], &options);
    let plan = plan.unwrap();
    assert!(
        plan.hot_files.is_empty() && plan.conflicts.is_empty() && plan.tasks[0].risks.is_empty()
    );
}
