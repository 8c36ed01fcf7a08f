//! Whole configurations, good and bad. What a message says is part of what is tested.

use super::*;
use crate::model::{
    BreakerRule, Dialect, MergeMode, OnConflict, OnLimit, OnOverlap, Policy, PromptDelivery,
    Strategy, Threshold, Thresholds,
};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new(FILE), text)
}

/// The same without the file it came from.
pub(super) fn settings(config: Config) -> Config {
    Config { source: None, ..config }
}

#[test]
fn without_a_file_everything_has_a_default() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Config::load(dir.path()).unwrap(), Config::default());
    fs::write(dir.path().join(FILE), "\u{feff}# nothing\r\n").unwrap();
    let config = Config::load(dir.path()).unwrap();
    assert_eq!(config.source, Some(dir.path().join(FILE)));
    assert_eq!(settings(config), Config::default());
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
        agent = "codex"
        model = "large"
        jobs = 3
        timeout = "1h30m"
        idle_timeout = 600
        grace = 2.5
        retries = 0
        verify = ["cargo test"]
        merge = "local"
        merge_strategy = "rebase"
        on_conflict = "agent"
        changelog = true
        protected = ["release/*"]
        into = "trunk"
        prompts = "docs/prompts"
        workflow = "bugfix"
        decompose = "agent:codex"
        log_cap = "1MiB"
        keep_runs = 7
        on_limit = "fallback"
        on_overlap = "order"
        max_cost_usd = 20
        max_task_cost_usd = 1_000.5
        [setup]
        commands = ["npm ci"]
        [worktrees]
        pool = 0
        pool_bytes = 5_000_000
        snapshots = "none"
        [conflicts]
        ignore = ["CHANGELOG.md", "docs/**"]
        order_from = 0.8
        order_imports_from = 1
        report_imports_from = 0.0
        [breakers]
        agent_failures = 1
        agent_cool_down = 1.5
        execution_failures = 2
        execution_cool_down = "2m"
        github_failures = 4
        github_cool_down = "1h"
        [agents.claude]
        model = "small"
        fallback = "own"
        [agents.own]
        command = ["own", "--file", "{prompt_file}", ""]
        prompt = "file"
        output = "codex"
        requires_changes = false
        resume_command = ["own", "{session}"]
        env = { RUST_LOG = "debug", EMPTY = "" }
        waiting = ["(y/n)"]
        [limits]
        free_memory = "2GiB"
        least_memory = "100MiB"
        free_disk = "5GB"
        load = 1.5
        [github]
        remote = "up"
        repository = "o/r"
        api_url = "https://ghe/api/v3"
        issues = false
        pace = "2s"
        timeout = 5
        reviewers = ["ada"]
        fixes = 7
        checks_grace = "3s"
        token_for_agents = true
        "#,
    )
    .unwrap();
    let github = GitHub {
        remote: Some("up".into()),
        repository: Some("o/r".into()),
        api_url: Some("https://ghe/api/v3".into()),
        issues: false,
        pace: Duration::from_secs(2),
        timeout: Duration::from_secs(5),
        reviewers: vec!["ada".into()],
        fixes: 7,
        checks_grace: Duration::from_secs(3),
        token_for_agents: true,
    };
    let own = AgentOverride {
        line: 46,
        command: Some(["own", "--file", "{prompt_file}", ""].map(str::to_owned).into()),
        resume_command: Some(vec!["own".into(), "{session}".into()]),
        prompt: Some(PromptDelivery::File),
        output: Some(Dialect::Codex),
        requires_changes: Some(false),
        env: [("RUST_LOG", "debug"), ("EMPTY", "")].map(|(k, v)| (k.into(), v.into())).into(),
        model: None,
        fallback: None,
        waiting: Some(vec!["(y/n)".into()]),
    };
    let rule = |failures, cool_down_ms| BreakerRule { failures, cool_down_ms };
    let policy = Policy {
        agent: rule(1, 1_500),
        execution: rule(2, 120_000),
        github: rule(4, 3_600_000),
        on_limit: OnLimit::Fallback,
        max_cost_usd: Some(20.0),
        max_task_cost_usd: Some(1000.5),
        on_overlap: OnOverlap::Order,
    };
    let claude = AgentOverride {
        line: 43,
        model: Some("small".into()),
        fallback: Some("own".into()),
        ..AgentOverride::default()
    };
    let mut thresholds = Thresholds::default();
    thresholds.writes.order = 0.8;
    thresholds.imports = Threshold { order: 1.0, report: 0.0 };
    let expected = Config {
        source: Some(FILE.into()),
        agent: "codex".into(),
        model: Some("large".into()),
        jobs: Some(3),
        timeout: Some(Duration::from_mins(90)),
        idle_timeout: Some(Duration::from_mins(10)),
        grace: Duration::from_millis(2500),
        retries: 0,
        verify: vec!["cargo test".into()],
        merge: MergeMode::Local,
        merge_strategy: Strategy::Rebase,
        on_conflict: OnConflict::Agent,
        changelog: Some("CHANGELOG.md".into()),
        protected: vec!["release/*".into()],
        into: Some("trunk".into()),
        prompts: PathBuf::from("docs/prompts"),
        workflow: Some("bugfix".into()),
        log_cap: 1 << 20,
        keep_runs: 7,
        setup: Some(vec!["npm ci".into()]),
        pool: 0,
        pool_bytes: 5_000_000,
        snapshots: None,
        ignore_conflicts: vec!["CHANGELOG.md".into(), "docs/**".into()],
        thresholds,
        decompose: Decompose::Agent(Some("codex".into())),
        policy,
        free_memory: Some(2 << 30),
        least_memory: Some(100 << 20),
        load: 1.5,
        github,
        free_disk: Some(5_000_000_000),
        agents: [("claude".into(), claude), ("own".into(), own)].into(),
    };
    assert_eq!(config, expected);
}

#[test]
fn money_and_breakers_are_checked() {
    let text = "max_cost_usd = -1\nmax_task_cost_usd = nan\non_limit = \"wiat\"\n[breakers]\nagent_failure = 3\ngithub_failures = 0\n";
    insta::assert_snapshot!(parse(text).unwrap_err(), @r#"
    orch.toml:1: `max_cost_usd` must be an amount of dollars above zero, not -1
      hint: for example: max_cost_usd = 2.50
    orch.toml:2: `max_task_cost_usd` must be an amount of dollars above zero, not nan
      hint: for example: max_task_cost_usd = 2.50
    orch.toml:3: `on_limit` must be one of wait, fallback, stop, not `wiat`
      hint: for example: on_limit = "wait"
    orch.toml:5: unknown key `agent_failure` in [breakers]
      hint: did you mean `agent_failures`?
    orch.toml:6: `github_failures` must be a number from 1 to 1000, not 0
      hint: for example: github_failures = 2
    "#);
}

#[test]
fn a_pattern_that_can_match_nothing_is_refused() {
    for glob in ["/src/**", "../x", "a/../b"] {
        let error = parse(&format!("[conflicts]\nignore = [\"{glob}\"]\n")).unwrap_err();
        assert!(error.to_string().contains("in `ignore` matches nothing"), "{error}");
    }
}

#[test]
fn thresholds_are_checked() {
    let text = "decompose = \"agent:\"\n[conflicts]\norder_from = 1.5\nreport_from = \"low\"\norder_frm = 0\n";
    insta::assert_snapshot!(parse(text).unwrap_err(), @r#"
    orch.toml:1: `decompose` must be one of off, auto, agent, agent:NAME, not `agent:`
      hint: for example: decompose = "auto"
    orch.toml:3: `order_from` must be a number from 0 to 1, not 1.5
      hint: for example: order_from = 0.5
    orch.toml:4: `report_from` must be a number from 0 to 1, not `low`
      hint: for example: report_from = 0.5
    orch.toml:5: unknown key `order_frm` in [conflicts]
      hint: did you mean `order_from`?
    "#);
}

#[test]
fn no_limit_can_be_said() {
    assert_eq!(parse("timeout = \"none\"").unwrap().timeout, None);
    assert_eq!(parse("idle_timeout = \"none\"").unwrap().idle_timeout, None);
}

#[test]
fn everything_wrong_is_named_at_once() {
    let text = include_str!("../../tests/fixtures/config/bad.toml");
    insta::assert_snapshot!(parse(text).unwrap_err(), @r##"
    orch.toml:2: unknown key `agnt`
      hint: did you mean `agent`?
    orch.toml:3: `jobs` must be a number from 1 to 1000, not 0
      hint: for example: jobs = 2
    orch.toml:4: `timeout` must be a duration above zero or "none", not `soon`
      hint: for example: timeout = "90s" (or "1h30m", or 600)
    orch.toml:5: `idle_timeout` must be a duration above zero or "none", not 0
      hint: for example: idle_timeout = "90s" (or "1h30m", or 600)
    orch.toml:6: `grace` must be a duration, not true
      hint: for example: grace = "10s" (or "1m30s", or 10)
    orch.toml:7: `retries` must be a number from 0 to 100, not -1
      hint: for example: retries = 2
    orch.toml:8: `verify` must be a list of texts, not `cargo test`
      hint: for example: verify = ["cargo test"]
    orch.toml:9: `merge` must be one of none, local, pr, not `yes`
      hint: for example: merge = "none"
    orch.toml:10: `into` must be one line of text, not ``
      hint: for example: into = "main"
    orch.toml:11: `log_cap` must be a size of at least 4096 bytes, not `16 elephants`
      hint: for example: log_cap = "16MiB" (or a number of bytes)
    orch.toml:12: `prompts` must be one line of text, not 7
      hint: for example: prompts = "prompts"
    orch.toml:13: unknown key `banana`
      hint: known keys are agent, model, jobs, timeout, idle_timeout, grace, retries, on_limit, on_overlap, max_cost_usd, max_task_cost_usd, verify, merge, merge_strategy, on_conflict, changelog, protected, into, prompts, workflow, decompose, log_cap, keep_runs, setup, worktrees, conflicts, breakers, limits, github, agents
    orch.toml:14: unknown key `commands`
      hint: `commands` belongs in [setup]
    orch.toml:15: `setup` must be a table
      hint: write it as [setup]
    orch.toml:18: unknown key `jobs` in [worktrees]
      hint: `jobs` belongs above the first [table]
    orch.toml:19: unknown key `poool` in [worktrees]
      hint: did you mean `pool`?
    orch.toml:20: `pool_bytes` must be a size, not -5
      hint: for example: pool_bytes = "16MiB" (or a number of bytes)
    orch.toml:23: `ignore` must be a list of texts, not 3
      hint: for example: ignore = ["CHANGELOG.md", "docs/**"]
    orch.toml:23: `a[` in `ignore` is not a glob: unclosed character class; missing ']'
      hint: for example: "docs/**/*.md"
    orch.toml:26: `agents` must be a table for each agent, not `codex`
      hint: for example: [agents.my-agent]
    orch.toml:28: this agent's name cannot be used
      hint: letters, digits, `_`, `-` and `.`, for example: [agents.my-agent]
    orch.toml:32: unknown key `commands` in [agents.own]
      hint: did you mean `command`?
    orch.toml:33: `command` must be a list of texts that begins with a program, not a list
      hint: for example: command = ["my-agent", "--yes", "{prompt}"]
    orch.toml:34: `prompt` must be one of stdin, arg, file, not `pipe`
      hint: for example: prompt = "stdin"
    orch.toml:35: `output` must be one of plain, claude, codex, gemini, qwen, opencode, aider, shell, not `json`
      hint: for example: output = "plain"
    orch.toml:36: `requires_changes` must be true or false, not `no`
      hint: for example: requires_changes = true
    orch.toml:37: `1X` is not the name of a variable
      hint: for example: env = { RUST_LOG = "debug" }
    orch.toml:37: `env` must be a table of texts, not 3
      hint: for example: env = { RUST_LOG = "debug" }
    orch.toml:37: `ORCH_RUN_ID` is set by orch itself
      hint: use another name
    orch.toml:38: unknown key `timeout` in [agents.own]
      hint: `timeout` belongs above the first [table]
    orch.toml:41: unknown placeholder `{promptfile}` in `command`
      hint: did you mean `{prompt_file}`?
    orch.toml:41: `prompt = "file"` needs `{prompt_file}` in `command`
      hint: for example: command = ["my-agent", "--file", "{prompt_file}"]
    "##);
}

#[test]
fn what_is_not_toml_is_named_with_its_line() {
    let text = "agent = claude\njobs = 3\njobs = 4\n[setup\n";
    insta::assert_snapshot!(parse(text).unwrap_err(), @r##"
    orch.toml:1: not valid TOML: string values must be quoted, expected literal string
      hint: see https://toml.io for the syntax
    orch.toml:3: not valid TOML: duplicate key
      hint: see https://toml.io for the syntax
    orch.toml:4: not valid TOML: unclosed table, expected `]`
      hint: see https://toml.io for the syntax
    "##);
}

#[test]
fn files_that_are_no_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE);
    let load = || Config::load(dir.path()).unwrap_err().to_string();
    fs::create_dir(&file).unwrap();
    assert!(load().contains("orch.toml: is not a regular file"), "{}", load());
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"agent = \"\xff\"").unwrap();
    assert!(load().contains("not UTF-8: invalid byte at offset 9"), "{}", load());
    fs::File::create(&file).unwrap().set_len(MAX_BYTES + 1).unwrap();
    assert!(load().contains("larger than 1 MiB"), "{}", load());
}

#[test]
fn sizes_as_people_write_them() {
    for (text, bytes) in [
        ("1000", 1000),
        ("16MiB", 16 << 20),
        ("16 mib", 16 << 20),
        ("512k", 512 << 10),
        ("2G", 2 << 30),
        ("2GB", 2_000_000_000),
        ("1.5 KiB", 1536),
        ("7 B", 7),
        ("1TiB", 1 << 40),
    ] {
        assert_eq!(values::parse_bytes(text), Some(bytes), "{text}");
    }
    for wrong in [
        "",
        "MiB",
        "1 elephant",
        "1XB",
        "-1",
        "1e3",
        "1.2.3",
        "99999999999999999999",
        "99999999TiB",
        "1iB",
        "1é",
    ] {
        assert_eq!(values::parse_bytes(wrong), None, "{wrong}");
    }
}

#[test]
fn words_are_the_models_words() {
    for word in agents::DELIVERIES {
        assert!(agents::from_word::<PromptDelivery>(word).is_some(), "{word}");
    }
    for word in agents::DIALECTS {
        assert!(agents::from_word::<Dialect>(word).is_some(), "{word}");
    }
    for word in load::MERGES {
        assert!(agents::from_word::<MergeMode>(word).is_some(), "{word}");
    }
    assert!(agents::from_word::<Dialect>("json").is_none());
}

proptest! {
    #[test]
    fn any_text_is_understood_or_refused(text in "([a-z_]{2,8} = |[-#\\[\\]{}\"',.= \t\r\n\\\\]|agent|jobs|timeout = |\\[agents.a\\]\n|command = |env = \\{|\\[setup\\]\n|[0-9]{1,3}|\"[a-z]{0,3}\"|é){0,40}") {
        if let Err(ConfigError(problems)) = parse(&text) {
            let lines = u32::try_from(text.matches('\n').count()).unwrap() + 1;
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(problem.line.unwrap_or(1) <= lines, "{problem}");
                prop_assert!(!problem.message.chars().any(char::is_control), "{problem:?}");
            }
        }
    }
}
