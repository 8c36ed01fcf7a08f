use super::*;
use crate::model::{Complexity, Target, WorkType};
use crate::plan::{Declared, Decomposition, HotFacts, Import, PlanInput, PlanOptions, Risk, build};

fn input(name: &str, writes: &[(&str, f64)], after: &[&str]) -> PlanInput {
    PlanInput {
        name: name.into(),
        prompt: format!("prompts/{name}.md"),
        title: name.into(),
        declared: after
            .iter()
            .map(|&name| Declared { name: name.into(), line: Some(2), words: None })
            .collect(),
        targets: writes
            .iter()
            .map(|&(path, confidence)| Target {
                path: path.into(),
                access: Access::Write,
                confidence,
                evidence: vec![],
            })
            .collect(),
        work_type: WorkType::Feature,
        ..PlanInput::default()
    }
}

fn sample() -> Plan {
    let mut big = input(
        "big-refactoring-of-the-network-layer",
        &[
            ("src/net/a.rs", 1.0),
            ("src/net/b.rs", 0.9),
            ("src/net/c.rs", 0.9),
            ("src/net/d.rs", 0.7),
        ],
        &[],
    );
    big.complexity = Complexity::Critical;
    let mut done = input("done", &[("src/net/a.rs", 1.0)], &[]);
    done.skip_reason = Some("status: COMPLETED".into());
    let inputs = vec![
        input("docs", &[("README.md", 0.6)], &[]),
        big,
        input("retry", &[("src/net/b.rs", 0.9)], &["docs"]),
        input("設定", &[("README.md", 0.6)], &[]),
        done,
        input("unknown", &[], &["retry", "done"]),
    ];
    build("0", inputs, &PlanOptions { jobs: 2, ..PlanOptions::default() }).unwrap()
}

fn odd() -> Plan {
    let inputs = vec![
        input("a\"b\\c\n] --> x;", &[("src/<b>|`#.rs", 1.0)], &[]),
        input("end", &[("src/<b>|`#.rs", 1.0)], &[]),
    ];
    build("0", inputs, &PlanOptions::default()).unwrap()
}

#[test]
fn a_person_sees_what_runs_together_and_what_waits_for_what() {
    insta::assert_snapshot!(human(&sample(), 80), @r###"
    5 tasks (1 skipped) in 3 waves, 1 conflict; about 50m with 2 jobs instead of
      1h00m

    Wave 1: 3 run side by side
       docs                           5m  README.md
     * big-refactoring-of-the-ne…    40m  src/net/a.rs, src/net/b.rs and 2 more
       設定                           5m  README.md

    Wave 2: then
     * retry                          5m  src/net/b.rs
         after docs: declared in prompts/retry.md:2
         after big-refactoring-of-the-network-layer: conflict: both write
           src/net/b.rs

    Wave 3: then
     * unknown                        5m  files unknown
         after retry: declared in prompts/unknown.md:2

    * longest chain: big-refactoring-of-the-network-layer > retry > unknown

    Skipped
       done: status: COMPLETED

    May also collide, not ordered
       docs | 設定: both may write README.md (36%)
    "###);
}

#[test]
fn a_narrow_terminal_gets_short_lines() {
    let text = human(&sample(), 44);
    assert!(text.lines().all(|line| width(line) <= 44), "{text}");
    insta::assert_snapshot!(text, @r###"
    5 tasks (1 skipped) in 3 waves, 1 conflict;
      about 50m with 2 jobs instead of 1h00m

    Wave 1: 3 run side by side
       docs               5m  README.md
     * big-refactori…    40m  src/net/a.rs and …
       設定               5m  README.md

    Wave 2: then
     * retry              5m  src/net/b.rs
         after docs: declared in
           prompts/retry.md:2
         after
           big-refactoring-of-the-network-layer:
           conflict: both write src/net/b.rs

    Wave 3: then
     * unknown            5m  files unknown
         after retry: declared in
           prompts/unknown.md:2

    * longest chain:
      big-refactoring-of-the-network-layer >
      retry > unknown

    Skipped
       done: status: COMPLETED

    May also collide, not ordered
       docs | 設定: both may write README.md
         (36%)
    "###);
}

#[test]
fn nothing_to_do_is_said() {
    let plan = build("0", vec![], &PlanOptions::default()).unwrap();
    insta::assert_snapshot!(human(&plan, 80), @r###"
    0 tasks in 0 waves, 0 conflicts
    "###);
}

#[test]
fn graphviz() {
    insta::assert_snapshot!(dot(&sample()), @r###"
    digraph plan {
      rankdir=LR;
      node [shape=box, style=rounded];
      t0 [label="docs"];
      t1 [label="big-refactoring-of-the-network-layer"];
      t2 [label="retry"];
      t3 [label="設定"];
      t4 [label="done", style="rounded,dashed", fontcolor=gray];
      t5 [label="unknown"];
      t0 -> t2;
      t1 -> t2 [style=dashed, label="both write src/net/b.rs"];
      t2 -> t5;
      t0 -> t3 [style=dotted, dir=none, constraint=false, label="README.md"];
    }
    "###);
}

#[test]
fn mermaid_flow_chart() {
    insta::assert_snapshot!(mermaid(&sample()), @r###"
    flowchart LR
      t0["docs"]
      t1["big-refactoring-of-the-network-layer"]
      t2["retry"]
      t3["設定"]
      t4["done"]:::skipped
      t5["unknown"]
      t0 --> t2
      t1 -. "both write src/net/b.rs" .-> t2
      t2 --> t5
      t0 -. "README.md" .- t3
      classDef skipped stroke-dasharray:4,color:gray
    "###);
}

#[test]
fn odd_names_stay_inside_their_quotes() {
    insta::assert_snapshot!(dot(&odd()), @r###"
    digraph plan {
      rankdir=LR;
      node [shape=box, style=rounded];
      t0 [label="a\"b\\c\n] --> x;"];
      t1 [label="end"];
      t0 -> t1 [style=dashed, label="both write src/<b>|`#.rs"];
    }
    "###);
    insta::assert_snapshot!(mermaid(&odd()), @r###"
    flowchart LR
      t0["a#34;b#92;c #93; --#62; x#59;"]
      t1["end"]
      t0 -. "both write src/#60;b#62;#124;#96;#35;.rs" .-> t1
    "###);
    let text = human(&odd(), 80);
    assert!(text.lines().all(|line| !line.contains('\u{7}')), "{text}");
    assert!(!text.contains("c\n]"), "{text}");
}

/// One task that knows something of everything.
fn talkative() -> Plan {
    let mut api = input("api", &[("src/api.rs", 1.0), ("CHANGELOG.md", 1.0)], &[]);
    api.reasons = vec!["type feature: by the words add".into()];
    api.research = Some("something is open: the format is TBD".into());
    api.risks = vec![
        Risk {
            kind: "public_api".into(),
            reason: "writes src/api.rs: others may rely on it".into(),
        },
        Risk { kind: "no_tests".into(), reason: "no tests were found for src/api.rs".into() },
    ];
    api.remarks = vec!["line 3 names 'postgres', which is not among the prompts given".into()];
    let log = input("log", &[("CHANGELOG.md", 1.0)], &[]);
    let mut user = input("user", &[("src/user.rs", 0.8)], &[]);
    user.imports = vec![Import { path: "src/api.rs".into(), by: "src/user.rs".into(), line: 4 }];
    let union = HotFacts { union: true, ..HotFacts::default() };
    let mut mods =
        [input("m1", &[("src/mod.rs", 1.0)], &[]), input("m2", &[("src/mod.rs", 1.0)], &[])];
    mods[0].part_of = Some("m".into());
    let hot = [("CHANGELOG.md".to_owned(), union), ("src/mod.rs".to_owned(), HotFacts::default())];
    let options = PlanOptions { hot: hot.into(), ..PlanOptions::default() };
    let [m1, m2] = mods;
    let mut plan = build("0", vec![api, log, user, m1, m2], &options).unwrap();
    let told = |task: &str, into: &[&str], reason: &str| Decomposition {
        task: task.into(),
        by: "auto".into(),
        into: into.iter().map(|&name| name.into()).collect(),
        reason: reason.into(),
    };
    plan.decompositions = vec![
        told("m", &["m1", "m2"], "2 parts write different files"),
        told("api", &[], "it has neither sections nor a list of more than one part"),
        told("log", &[], "it has neither sections nor a list of more than one part"),
    ];
    plan
}

#[test]
fn what_is_worth_a_look_is_said_once() {
    let text = human(&talkative(), 100);
    for line in [
        "   api | log: both may write CHANGELOG.md (merges by itself: CHANGELOG.md: git merges it line by",
        "   api: find out more first: something is open: the format is TBD; line 3 names 'postgres', which is",
        "   src/mod.rs: module list that several tasks write; no two of its changes could be tried side by",
        "   m into m1, m2: 2 parts write different files",
        "   api, log stay one: it has neither sections nor a list of more than one part",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n---\n{text}");
    }
    assert!(!text.contains("no tests were found"), "{text}");
}

#[test]
fn one_task_is_told_in_full() {
    insta::assert_snapshot!(about(&talkative(), "api", 120).unwrap(), @r###"
       type feature: by the words add
       estimate 5m: low complexity; too few finished tasks by to go by
       may collide with log (100%): both write CHANGELOG.md; merges by itself: CHANGELOG.md: git merges it line by line
         (merge=union)
       note with user (80%): src/user.rs:4 imports src/api.rs
       note: line 3 names 'postgres', which is not among the prompts given
       find out more first: something is open: the format is TBD
       risk public_api: writes src/api.rs: others may rely on it
       risk no_tests: no tests were found for src/api.rs
       risk hot_file: writes CHANGELOG.md, a change log that others write too
    "###);
    assert!(about(&talkative(), "nobody", 120).is_none());
}

#[test]
fn json_is_one_document() {
    let text = json(&sample());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], "orch.plan/1");
    assert!(text.ends_with("}\n"));
}

#[test]
fn durations_read_easily() {
    let shown: Vec<String> =
        [0.0, 59.0, 60.0, 3_569.0, 3_599.0, 3_600.0, 90_000.0].map(duration).to_vec();
    assert_eq!(shown, ["0s", "59s", "1m", "59m", "1h00m", "1h00m", "25h00m"]);
}

#[test]
fn a_long_chain_is_cut() {
    let inputs = (0..30).map(|i| input(&format!("t{i}"), &[("x.rs", 1.0)], &[])).collect();
    let text = human(&build("0", inputs, &PlanOptions::default()).unwrap(), 200);
    assert!(text.contains("t11 > 18 more\n") && !text.contains("> t12"), "{text}");
}
