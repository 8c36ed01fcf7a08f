use super::*;
use crate::model::{Complexity, Target, WorkType};
use crate::plan::{Declared, PlanInput, PlanOptions, build};

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
