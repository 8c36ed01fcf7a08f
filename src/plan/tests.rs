mod wording;

use super::*;
use crate::model::{Access, Complexity, Target, Threshold, WorkType};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn target(path: &str, access: Access, confidence: f64) -> Target {
    Target { path: path.into(), access, confidence, evidence: vec![] }
}

/// A prompt that surely writes `writes`; `after` declares, each on line 3.
fn task(name: &str, writes: &[&str], after: &[&str]) -> PlanInput {
    PlanInput {
        name: name.into(),
        prompt: format!("prompts/{name}.md"),
        title: name.to_uppercase(),
        declared: after
            .iter()
            .map(|&name| Declared { name: name.into(), line: Some(3), words: None })
            .collect(),
        targets: writes.iter().map(|path| target(path, Access::Write, 1.0)).collect(),
        ..PlanInput::default()
    }
}

fn reading(name: &str, reads: &[&str]) -> PlanInput {
    let targets = reads.iter().map(|path| target(path, Access::Read, 1.0)).collect();
    PlanInput { targets, ..task(name, &[], &[]) }
}

fn covering(name: &str, glob: &str, listed: &[&str]) -> PlanInput {
    PlanInput { scopes: vec![target(glob, Access::Write, 1.0)], ..task(name, listed, &[]) }
}

fn planned(inputs: &[PlanInput]) -> Plan {
    build("0", inputs.to_vec(), &PlanOptions::default()).unwrap()
}

fn refused(inputs: &[PlanInput]) -> String {
    build("0", inputs.to_vec(), &PlanOptions::default()).unwrap_err().to_string()
}

/// `a<b` for each dependency, with the kind's first letter.
fn edges(plan: &Plan) -> Vec<String> {
    let mut edges: Vec<String> = plan
        .tasks
        .iter()
        .flat_map(|task| {
            task.depends_on.iter().map(|d| format!("{}<{} {}", d.task, task.name, d.kind))
        })
        .collect();
    edges.sort();
    edges
}

#[test]
fn conflicting_tasks_form_a_chain_without_needless_edges() {
    let plan = planned(&["a", "b", "c", "d"].map(|name| task(name, &["x.rs"], &[])));
    assert_eq!(edges(&plan), ["a<b conflict", "b<c conflict", "c<d conflict"]);
    assert_eq!(plan.conflicts.len(), 6);
    assert_eq!(plan.waves, [["a"], ["b"], ["c"], ["d"]]);
    assert_eq!(plan.task("b").unwrap().depends_on[0].reason, "both write x.rs");
    assert_eq!(plan.critical_path, ["a", "b", "c", "d"]);
}

#[test]
fn tasks_that_share_nothing_run_side_by_side() {
    let plan = planned(&[task("a", &["x"], &[]), task("b", &["y"], &[]), reading("c", &["z"])]);
    assert_eq!(plan.waves, [["a", "b", "c"]]);
    assert!(edges(&plan).is_empty() && plan.conflicts.is_empty());
    assert!((plan.estimate.sequential_seconds - 900.0).abs() < 1e-9);
    assert!((plan.estimate.parallel_seconds - 300.0).abs() < 1e-9);
}

#[test]
fn a_file_where_another_needs_a_directory_is_a_conflict() {
    let tasks = [task("a", &["new/dir"], &[]), task("b", &["new/dir/x.py", "new/dir.py"], &[])];
    let plan = planned(&tasks);
    assert_eq!(plan.conflicts[0].paths, ["new/dir/x.py"]);
    assert_eq!(plan.waves.len(), 2);
}

#[test]
fn declared_dependencies_are_kept_and_direct_conflicts() {
    let plan =
        planned(&[task("a", &["x"], &["b"]), task("b", &["x"], &[]), task("c", &[], &["a", "b"])]);
    assert_eq!(edges(&plan), ["a<c declared", "b<a declared", "b<c declared"]);
    assert_eq!(plan.task("a").unwrap().depends_on[0].reason, "declared in prompts/a.md:3");
    assert_eq!(plan.waves, [["b"], ["a"], ["c"]]);
}

#[test]
fn priority_then_work_behind_then_input_order_decide_who_goes_first() {
    let mut urgent = task("b", &["x"], &[]);
    urgent.priority = 5;
    assert_eq!(edges(&planned(&[task("a", &["x"], &[]), urgent.clone()])), ["b<a conflict"]);
    let blocked = [task("a", &["x"], &[]), task("b", &["x"], &[]), task("c", &[], &["b"])];
    assert_eq!(edges(&planned(&blocked)), ["b<a conflict", "b<c declared"]);
    // What an urgent task waits for is as urgent.
    urgent.declared = vec![Declared { name: "c".into(), ..Declared::default() }];
    urgent.targets.clear();
    let plan = planned(&[task("a", &["x"], &[]), urgent, task("c", &["x"], &[])]);
    assert_eq!(edges(&plan), ["c<a conflict", "c<b declared"]);
}

#[test]
fn a_free_task_does_not_wait_behind_one_that_waits_itself() {
    let plan = planned(&[task("a", &[], &[]), task("b", &["x"], &["a"]), task("c", &["x"], &[])]);
    assert_eq!(plan.waves, vec![vec!["a", "c"], vec!["b"]]);
}

#[test]
fn skipped_prompts_satisfy_and_take_no_part() {
    let mut done = task("a", &["x"], &["b"]);
    done.skip_reason = Some("status: COMPLETED".into());
    let plan = planned(&[done, task("b", &["x"], &["a"])]);
    assert_eq!(plan.waves, [["b"]]);
    assert!(plan.conflicts.is_empty() && edges(&plan).is_empty());
    assert_eq!(plan.task("b").unwrap().satisfied, ["a"]);
    assert_eq!(plan.task("a").unwrap().state, PlanTaskState::Skipped);
    assert!((plan.estimate.sequential_seconds - 300.0).abs() < 1e-9);
}

#[test]
fn globs_and_directories_overlap_with_files_and_each_other() {
    let overlap = |a: PlanInput, b: PlanInput| planned(&[a, b]).conflicts.len();
    let listed = || covering("a", "src/tui/**", &["src/tui/x.rs"]);
    assert_eq!(overlap(listed(), task("b", &["src/tui/new.rs"], &[])), 1, "a file to be created");
    assert_eq!(overlap(listed(), task("b", &["src/tui/x.rs"], &[])), 1);
    assert_eq!(overlap(listed(), task("b", &["src/tuix/new.rs"], &[])), 0);
    assert_eq!(overlap(listed(), task("b", &["src/tui/"], &[])), 1);
    assert_eq!(overlap(listed(), covering("b", "src/*/y.rs", &["src/net/y.rs"])), 0, "both listed");
    let open = covering("b", "src/*/y.rs", &["src/*/y.rs"]);
    assert_eq!(overlap(listed(), open.clone()), 1, "a pattern that is not listed");
    assert_eq!(overlap(open, covering("a", "src/*/z.rs", &["src/*/z.rs"])), 0);
    let same = || covering("a", "new/**", &["new/**"]);
    assert_eq!(overlap(same(), PlanInput { name: "b".into(), ..same() }), 1);
}

#[test]
fn scopes_that_share_a_path_conflict_as_surely_as_they_are_meant() {
    let wide = |name: &str, glob: &str, listed: &str| PlanInput {
        targets: vec![target(listed, Access::Write, 0.63)],
        scopes: vec![target(glob, Access::Write, 0.9)],
        ..task(name, &[], &[])
    };
    for (a, b) in [
        (("lib/x/**", "lib/x/"), ("lib/x/**", "lib/x/")),
        (("lib/x/**", "lib/x/"), ("lib/x/y/**", "lib/x/y/")),
        (("src/*.rs", "src/a.rs"), ("src/*.rs", "src/a.rs")),
        (("src/*.rs", "src/a.rs"), ("src/**", "src/a.rs")),
        (("gen/**", "gen/**"), ("gen/**", "gen/**")),
    ] {
        let plan = planned(&[wide("a", a.0, a.1), wide("b", b.0, b.1)]);
        assert_eq!(edges(&plan), ["a<b conflict"], "{a:?} {b:?}");
        assert!((plan.conflicts[0].confidence - 0.81).abs() < 1e-9, "{:?}", plan.conflicts);
    }
}

#[test]
fn no_write_conflict_names_a_path_that_a_task_only_reads() {
    // `src/**` is where things are: read as a whole, and some file in it may be written.
    let place = PlanInput {
        targets: vec![target("src/**", Access::Read, 0.5)],
        scopes: vec![target("src/**", Access::Write, 0.3)],
        ..task("a", &[], &[])
    };
    let plan = planned(&[place.clone(), PlanInput { name: "b".into(), ..place.clone() }]);
    assert!(plan.conflicts.is_empty(), "{:?}", plan.conflicts);
    let plan = planned(&[place, covering("b", "**", &["**"])]);
    assert!(
        plan.conflicts.iter().all(|c| c.kind != ConflictKind::WriteWrite),
        "{:?}",
        plan.conflicts
    );
}

#[test]
fn reading_orders_only_what_is_certain_and_the_writer_goes_first() {
    let plan = planned(&[reading("a", &["x"]), task("b", &["x"], &[])]);
    assert_eq!(edges(&plan), ["b<a conflict"]);
    assert_eq!(plan.conflicts[0].kind, ConflictKind::WriteRead);
    assert_eq!(plan.conflicts[0].tasks, ["a", "b"]);
    let mut unsure = reading("a", &["x"]);
    unsure.targets[0].confidence = 0.95;
    let plan = planned(&[unsure.clone(), task("b", &["x"], &[])]);
    assert!(edges(&plan).is_empty() && plan.conflicts.len() == 1 && !plan.conflicts[0].orders);
    unsure.targets[0].confidence = 0.5;
    assert!(planned(&[unsure, task("b", &["x"], &[])]).conflicts.is_empty());
    // Each reads what the other writes: somebody goes first, and nothing hangs.
    let mut a = task("a", &["x"], &[]);
    let mut b = task("b", &["y"], &[]);
    a.targets.push(target("y", Access::Read, 1.0));
    b.targets.push(target("x", Access::Read, 1.0));
    assert_eq!(planned(&[a, b]).waves.len(), 2);
}

#[test]
fn unlikely_conflicts_are_reported_but_order_nothing() {
    let mut inputs = [task("a", &["x"], &[]), task("b", &["x"], &[])];
    for input in &mut inputs {
        input.targets[0].confidence = 0.6;
    }
    let plan = planned(&inputs);
    assert_eq!((plan.waves.len(), plan.conflicts.len()), (1, 1));
    assert_eq!(plan.ordering_conflicts().count(), 0);
    for input in &mut inputs {
        input.targets[0].confidence = 0.3;
    }
    assert!(planned(&inputs).conflicts.is_empty());
}

#[test]
fn thresholds_are_the_users() {
    let inputs = vec![task("a", &["x"], &[]), reading("b", &["x"])];
    let mut options = PlanOptions::default();
    options.thresholds.reads.order = 1.0;
    assert_eq!(build("0", inputs.clone(), &options).unwrap().waves.len(), 2);
    options.thresholds.reads = Threshold { order: 1.0, report: 1.0 };
    let mut unsure = inputs.clone();
    unsure[1].targets[0].confidence = 0.99;
    let plan = build("0", unsure, &options).unwrap();
    assert!(plan.conflicts.is_empty());
    assert_eq!(plan.tasks[0].notes[0].text, "one reads what the other writes: x");
    // What orders is always told.
    let mut both = vec![task("a", &["x"], &[]), task("b", &["x"], &[])];
    both[0].targets[0].confidence = 0.5;
    options.thresholds.writes = Threshold { order: 0.4, report: 0.9 };
    let plan = build("0", both, &options).unwrap();
    assert!(plan.conflicts[0].orders && plan.waves.len() == 2);
}

fn importing(name: &str, writes: &str, imports: &str) -> PlanInput {
    let import = Import { path: imports.into(), by: writes.into(), line: 7 };
    PlanInput { imports: vec![import], ..task(name, &[writes], &[]) }
}

#[test]
fn what_others_import_goes_first_where_both_sides_are_certain() {
    let plan = planned(&[importing("a", "app.rs", "lib.rs"), task("b", &["lib.rs"], &[])]);
    assert_eq!(edges(&plan), ["b<a import"]);
    assert_eq!(plan.tasks[0].depends_on[0].reason, "app.rs:7 imports lib.rs");
    assert_eq!((plan.conflicts.len(), plan.conflicts[0].kind), (1, ConflictKind::Import));
    // Each imports what the other writes: somebody goes first, and nothing hangs.
    let circle = [importing("a", "x.rs", "y.rs"), importing("b", "y.rs", "x.rs")];
    assert_eq!(edges(&planned(&circle)), ["a<b import"]);
}

#[test]
fn an_unsure_import_is_a_note() {
    let mut writer = task("b", &["lib.rs"], &[]);
    writer.targets[0].confidence = 0.9;
    let plan = planned(&[importing("a", "app.rs", "lib.rs"), writer.clone()]);
    assert!(plan.conflicts.is_empty() && plan.waves.len() == 1);
    let note = &plan.tasks[1].notes[0];
    assert_eq!((note.kind, note.task.as_deref()), (Some(ConflictKind::Import), Some("a")));
    assert_eq!(note.text, "app.rs:7 imports lib.rs");
    writer.targets[0].confidence = 0.1;
    assert!(planned(&[importing("a", "app.rs", "lib.rs"), writer]).tasks[1].notes.is_empty());
}

#[test]
fn a_write_conflict_hides_what_is_weaker() {
    let mut both = importing("a", "app.rs", "lib.rs");
    both.targets.push(target("lib.rs", Access::Write, 1.0));
    let plan = planned(&[both, task("b", &["lib.rs"], &[])]);
    assert_eq!(plan.conflicts.len(), 1);
    assert_eq!(plan.conflicts[0].kind, ConflictKind::WriteWrite);
    assert!(plan.tasks[0].notes.is_empty());
}

fn with_hot(inputs: &[PlanInput], path: &str, facts: HotFacts) -> Plan {
    let options = PlanOptions { hot: [(path.to_owned(), facts)].into(), ..PlanOptions::default() };
    build("0", inputs.to_vec(), &options).unwrap()
}

#[test]
fn a_file_that_merges_by_itself_is_a_hint_and_no_barrier() {
    let union = HotFacts { union: true, ..HotFacts::default() };
    let inputs = [task("a", &["CHANGELOG.md"], &[]), task("b", &["CHANGELOG.md"], &[])];
    assert_eq!(contested(&inputs), ["CHANGELOG.md"]);
    let plan = with_hot(&inputs, "CHANGELOG.md", union);
    assert_eq!((plan.waves.len(), plan.conflicts.len()), (1, 1));
    let conflict = &plan.conflicts[0];
    assert!(!conflict.orders && (conflict.confidence - 1.0).abs() < 1e-9);
    assert_eq!(
        conflict.hint.as_deref(),
        Some("merges by itself: CHANGELOG.md: git merges it line by line (merge=union)")
    );
    assert_eq!((plan.hot_files[0].kind, plan.hot_files[0].mergeable), ("change log", true));
    // Any other file that both write still counts.
    let mut more = inputs.clone();
    for input in &mut more {
        input.targets.push(target("x.rs", Access::Write, 1.0));
    }
    let plan = with_hot(&more, "CHANGELOG.md", union);
    assert!(plan.conflicts[0].orders && plan.conflicts[0].hint.is_none());
    // Without a reason to believe it, it is a file like any other.
    let plan = with_hot(&inputs, "CHANGELOG.md", HotFacts::default());
    assert!(plan.conflicts[0].orders && !plan.hot_files[0].mergeable);
    // Two new files of one name are two whole texts.
    let mut new = inputs.clone();
    for input in &mut new {
        input.creates.insert("CHANGELOG.md".into());
    }
    let plan = with_hot(&new, "CHANGELOG.md", union);
    assert!(plan.conflicts[0].orders);
    assert_eq!(plan.conflicts[0].reason, "both create CHANGELOG.md");
}

#[test]
fn what_fewer_wait_behind_waits() {
    // Two short tasks wait for b, one long one for a.
    let mut long = task("c", &[], &["a"]);
    long.complexity = Complexity::Critical;
    let inputs = [
        task("a", &["x"], &[]),
        task("b", &["x"], &[]),
        long,
        task("d", &[], &["b"]),
        task("e", &[], &["b"]),
    ];
    assert!(edges(&planned(&inputs)).contains(&"b<a conflict".to_owned()));
}

#[test]
fn tasks_are_grouped_by_how_they_relate() {
    let inputs = [
        task("lone", &["README.md"], &[]),
        task("list", &["src/tui/list.rs"], &[]),
        task("tree", &["src/tui/tree.rs", "src/tui/view/node.rs", "docs/tree.md"], &[]),
        task("last", &["z/z/z"], &["first"]),
        task("first", &["src/tui/x.rs"], &[]),
        PlanInput { domain: Some("net".into()), ..task("tcp", &["a/b"], &[]) },
        PlanInput { domain: Some("net".into()), ..task("udp", &["c"], &[]) },
        PlanInput { skip_reason: Some("done".into()), ..task("done", &["src/tui/y"], &[]) },
    ];
    let groups: Vec<(GroupKind, Option<String>, Vec<String>)> =
        planned(&inputs).groups.into_iter().map(|g| (g.kind, g.domain, g.tasks)).collect();
    let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        groups,
        [
            (GroupKind::Independent, None, names(&["lone"])),
            (GroupKind::Domain, Some("src/tui".into()), names(&["list", "tree"])),
            (GroupKind::Domain, Some("net".into()), names(&["tcp", "udp"])),
            (GroupKind::Sequential, None, names(&["first", "last"])),
        ]
    );
}

#[test]
fn a_cycle_is_named_with_the_words_that_made_it() {
    let mut a = task("a", &[], &["b"]);
    a.declared[0].words = Some("Start after b is done.".into());
    let said = refused(&[a, task("b", &[], &["a"])]);
    assert_eq!(
        said,
        "dependency cycle: a -> b -> a; remove one of: prompts/a.md:3 \"Start after b is done.\", prompts/b.md:3"
    );
}

#[test]
fn ignored_paths_never_conflict() {
    let inputs = vec![task("a", &["CHANGELOG.md", "x"], &[]), task("b", &["CHANGELOG.md"], &[])];
    let options = PlanOptions { ignore: vec!["*.md".into()], ..PlanOptions::default() };
    assert!(build("0", inputs.clone(), &options).unwrap().conflicts.is_empty());
    let options = PlanOptions { ignore: vec!["[a".into(), "{".into()], ..PlanOptions::default() };
    let wrong = build("0", inputs, &options).unwrap_err();
    assert_eq!(wrong.0.len(), 2, "{wrong}");
}

#[test]
fn everything_wrong_is_said_at_once() {
    let inputs = [
        task("alpha", &[], &["alhpa", "alpha", "nothing", "betta"]),
        task("beta", &[], &["gamma"]),
        task("gamma", &[], &["delta", "alpha"]),
        task("delta", &[], &["beta"]),
        PlanInput { prompt: "other/beta.md".into(), ..task("beta", &[], &[]) },
    ];
    assert_eq!(
        refused(&inputs),
        "other/beta.md: the name 'beta' is taken by prompts/beta.md; give one of them another 'id'\n\
         prompts/alpha.md:3: 'alpha' depends on 'alhpa', which is not among the prompts given; add its file, or \
         remove the dependency\n\
         prompts/alpha.md:3: 'alpha' depends on itself; remove that line\n\
         prompts/alpha.md:3: 'alpha' depends on 'nothing', which is not among the prompts given; add its file, or \
         remove the dependency\n\
         prompts/alpha.md:3: 'alpha' depends on 'betta', which is not among the prompts given; did you mean 'beta'?\n\
         dependency cycle: beta -> gamma -> delta -> beta; remove one of: prompts/beta.md:3, prompts/gamma.md:3, \
         prompts/delta.md:3"
    );
}

#[test]
fn a_cycle_is_the_shortest_and_two_are_two() {
    let inputs = [
        task("a", &[], &["b", "c"]),
        task("b", &[], &["a"]),
        task("c", &[], &["b"]),
        task("x", &[], &["y"]),
        task("y", &[], &["x"]),
    ];
    let said = refused(&inputs);
    assert!(said.starts_with("dependency cycle: a -> b -> a;"), "{said}");
    assert!(said.contains("\ndependency cycle: x -> y -> x;"), "{said}");
}

#[test]
fn estimates_come_from_history_where_there_is_one() {
    let mut options = PlanOptions { jobs: 2, ..PlanOptions::default() };
    let seen = |seconds| Finished {
        agent: String::new(),
        work_type: WorkType::General,
        complexity: Complexity::Low,
        seconds,
    };
    options.history = History::new([5.0, 10.0, 20.0].map(seen));
    let mut large = task("b", &[], &[]);
    large.agent = "other".into();
    large.complexity = Complexity::High;
    let inputs = vec![task("a", &[], &[]), large, task("c", &[], &["a"]), task("d", &[], &[])];
    let plan = build("0", inputs, &options).unwrap();
    assert_eq!(
        plan.tasks.iter().map(|t| t.estimate_seconds).collect::<Vec<_>>(),
        [10.0, 1200.0, 10.0, 10.0]
    );
    assert_eq!(plan.tasks[0].estimate_low_seconds, Some(7.5));
    assert_eq!(
        plan.tasks[0].estimate_from,
        "median of 3 finished general tasks of low complexity by "
    );
    assert_eq!(plan.tasks[1].estimate_high_seconds, None);
    assert!((plan.estimate.parallel_seconds - 1200.0).abs() < 1e-9);
    assert!((plan.estimate.speed_up - 1.025).abs() < 0.01);
    assert_eq!(plan.estimate.high_seconds, Some(1200.0));
    let names = |smart| plan.start_order(smart).map(|t| t.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(true), ["b", "a", "c", "d"]);
    assert_eq!(names(false), ["a", "b", "d", "c"]);
}

#[test]
fn the_document_is_the_contracts() {
    let json =
        serde_json::to_value(planned(&[task("a", &["x.rs"], &[]), task("b", &["x.rs"], &[])]))
            .unwrap();
    assert_eq!(json["schema"], "orch.plan/1");
    for key in ["base", "tasks", "conflicts", "waves", "critical_path", "estimate"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    let b = &json["tasks"][1];
    for key in [
        "name",
        "prompt",
        "title",
        "state",
        "skip_reason",
        "type",
        "complexity",
        "targets",
        "estimate_seconds",
    ] {
        assert!(b.get(key).is_some(), "{key}");
    }
    assert_eq!((&b["state"], &b["type"]), (&"ready".into(), &"general".into()));
    assert_eq!(b["depends_on"][0]["kind"], "conflict");
    assert_eq!(json["conflicts"][0]["kind"], "write-write");
    assert_eq!(json["conflicts"][0]["tasks"], serde_json::json!(["a", "b"]));
}

fn any_inputs() -> impl Strategy<Value = Vec<PlanInput>> {
    let one = (
        prop::collection::vec((0..8_usize, any::<bool>(), 0..=10_u32), 0..4),
        prop::collection::vec(0..12_usize, 0..3),
        0..3_i64,
        any::<bool>(),
        prop::option::weighted(0.2, 0..3_usize),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(one, 1..12).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(i, (targets, after, priority, large, glob, skip))| {
                let mut input = task(&format!("t{i}"), &[], &[]);
                let by_path: BTreeMap<String, Target> = targets
                    .into_iter()
                    .map(|(path, write, confidence)| {
                        let path = format!("d{}/f{path}", path % 3);
                        let access = if write { Access::Write } else { Access::Read };
                        (path.clone(), target(&path, access, f64::from(confidence) / 10.0))
                    })
                    .collect();
                input.targets = by_path.into_values().collect();
                input.scopes =
                    glob.iter().map(|d| target(&format!("d{d}/*"), Access::Write, 1.0)).collect();
                // Only on earlier ones, so that there is no cycle.
                let earlier = after.into_iter().filter(|&d| d < i);
                input.declared = earlier
                    .map(|d| Declared { name: format!("t{d}"), line: Some(1), words: None })
                    .collect();
                input.priority = priority;
                input.complexity = if large { Complexity::High } else { Complexity::Low };
                input.skip_reason = skip.then(|| "done".into());
                input
            })
            .collect()
    })
}

/// Names that come before `name`, near and far.
fn all_before(plan: &Plan, name: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut stack = vec![name.to_owned()];
    while let Some(name) = stack.pop() {
        for dependency in &plan.task(&name).unwrap().depends_on {
            if seen.insert(dependency.task.clone()) {
                stack.push(dependency.task.clone());
            }
        }
    }
    seen
}

proptest! {
    #[test]
    fn a_plan_keeps_its_promises(inputs in any_inputs()) {
        let plan = planned(&inputs);
        let wave: BTreeMap<&str, usize> = plan.waves.iter().enumerate()
            .flat_map(|(i, wave)| wave.iter().map(move |name| (name.as_str(), i))).collect();
        let ready = plan.tasks.iter().filter(|t| t.state == PlanTaskState::Ready).count();
        prop_assert_eq!(plan.waves.concat().len(), ready);
        prop_assert_eq!(wave.len(), ready);
        for task in plan.tasks.iter().filter(|t| t.state == PlanTaskState::Ready) {
            let waits = task.depends_on.iter().map(|d| wave[d.task.as_str()] + 1).max().unwrap_or(0);
            prop_assert_eq!(waits, wave[task.name.as_str()], "{} is in the first wave it can be in", task.name);
        }
        for conflict in plan.ordering_conflicts() {
            let [a, b] = &conflict.tasks;
            prop_assert_ne!(wave[a.as_str()], wave[b.as_str()]);
            prop_assert!(all_before(&plan, a).contains(b) || all_before(&plan, b).contains(a));
        }
        let jobs: f64 = plan.critical_path.iter().map(|n| plan.task(n).unwrap().estimate_seconds).sum();
        prop_assert!((plan.estimate.parallel_seconds - jobs).abs() < 1e-6, "with enough jobs the longest chain is it");
        prop_assert_eq!(plan.start_order(true).count(), ready);
        // No conflict edge follows from the others.
        for task in &plan.tasks {
            for edge in task.depends_on.iter().filter(|d| d.kind != DependencyKind::Declared) {
                let others = task.depends_on.iter().filter(|d| d.task != edge.task);
                prop_assert!(others.clone().all(|d| !all_before(&plan, &d.task).contains(&edge.task)));
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_plan(inputs in any_inputs()) {
        let text = |plan: &Plan| serde_json::to_string(plan).unwrap();
        prop_assert_eq!(text(&planned(&inputs)), text(&planned(&inputs)));
    }

    #[test]
    fn the_order_of_unrelated_prompts_changes_nothing(inputs in any_inputs(), seed in any::<u64>()) {
        // Two groups that share no path and no dependency, the second woven into the first.
        let mut second = inputs.clone();
        for input in &mut second {
            input.name.insert(0, 'u');
            for declared in &mut input.declared {
                declared.name.insert(0, 'u');
            }
            for target in input.targets.iter_mut().chain(&mut input.scopes) {
                target.path.insert(0, 'u');
            }
        }
        let (mut woven, mut rest) = (Vec::new(), second.clone().into_iter());
        for (i, input) in inputs.iter().enumerate() {
            if seed >> (i % 64) & 1 == 1 {
                woven.extend(rest.next());
            }
            woven.push(input.clone());
        }
        woven.extend(rest);
        let (alone, together) = (planned(&inputs), planned(&woven));
        for task in &alone.tasks {
            prop_assert_eq!(Some(task), together.task(&task.name));
        }
    }

    #[test]
    fn what_a_pattern_matches_overlaps_with_whatever_else_matches_it(
        a in "(a|b|\\*|\\?|\\*\\*/|/){1,5}", b in "(a|b|\\*|\\?|\\*\\*/|/){1,5}", path in "[ab]{1,2}(/[ab]{1,2}){0,3}"
    ) {
        let (a, b) = (pattern::Pattern::new(&a), pattern::Pattern::new(&b));
        if a.matches(&path) && b.matches(&path) {
            prop_assert!(a.overlaps(&b), "{} and {} both match {}", a.text(), b.text(), path);
        }
    }
}
