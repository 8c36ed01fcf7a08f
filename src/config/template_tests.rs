//! The `orch.toml` that `orch init` writes.

use super::keys::{AGENT, BREAKERS, CONFLICTS, LIMITS, SETUP, TABLES, TOP, WORKTREES, names};
use super::tests::{parse, settings};
use super::*;
use crate::model::{Dialect, Policy, PromptDelivery};

/// Takes the `#` from every line that is a setting.
fn uncommented(text: &str) -> String {
    let setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line != "#";
    text.lines()
        .map(|line| if setting(line) { &line[1..] } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_template_has_every_key_with_its_default() {
    let text = template(&[], &[]);
    assert_eq!(settings(parse(&text).unwrap()), Config::default(), "{text}");
    let all = parse(&uncommented(&text)).unwrap();
    // Where the default is that nothing is set, the template has an example.
    let expected = Config {
        model: Some("opus".into()),
        jobs: Some(4),
        into: Some("main".into()),
        workflow: Some("default".into()),
        setup: Some(Vec::new()),
        policy: Policy {
            max_cost_usd: Some(20.0),
            max_task_cost_usd: Some(5.0),
            ..Policy::default()
        },
        free_memory: Some(1 << 30),
        least_memory: Some(256 << 20),
        free_disk: Some(2 << 30),
        github: GitHub {
            remote: Some("origin".into()),
            repository: Some("owner/name".into()),
            api_url: Some("https://github.example.com/api/v3".into()),
            reviewers: vec!["some-login".into(), "some-bot".into()],
            ..GitHub::default()
        },
        agents: all.agents.clone(),
        ..Config::default()
    };
    assert_eq!(settings(all.clone()), expected);
    let own = &all.agents["my-agent"];
    assert!(own.command.is_some() && own.prompt == Some(PromptDelivery::Arg));
    assert!(own.output == Some(Dialect::Plain) && own.requires_changes == Some(false));
    let lines: Vec<&str> = text.lines().collect();
    let has =
        |start: String| lines.iter().any(|line| line.trim_start_matches('#').starts_with(&start));
    for key in [TOP, SETUP, WORKTREES, CONFLICTS, BREAKERS, LIMITS, AGENT]
        .iter()
        .flat_map(|keys| names(keys))
    {
        assert!(has(format!("{key} = ")), "{key}");
    }
    for table in TABLES {
        assert!(has(format!("[{table}")), "{table}");
    }
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn the_template_says_what_was_found() {
    let agent =
        |name: &str| FoundAgent { name: name.into(), program: format!("/bin/{name}").into() };
    let commands = ["uv sync --frozen".to_owned(), "echo \"a\" 'b' \\".to_owned()];
    let text = template(&[agent("codex"), agent("aider")], &commands);
    let config = parse(&text).unwrap();
    assert_eq!(config.agent, "codex");
    assert_eq!(config.setup.as_deref(), Some(&commands[..]));
    assert!(text.contains("# Found here: aider (/bin/aider)"), "{text}");
    let text = template(&[agent("codex"), agent("claude")], &[]);
    assert_eq!(settings(parse(&text).unwrap()), Config::default());
}

#[test]
fn the_template_reads_well() {
    insta::assert_snapshot!(template(&[], &["npm ci".to_owned()]), @r##"
    # How orch works in this repository. Every key is optional.
    # A line that begins with `#` and a letter is a setting with its default (or an example):
    # take the `#` away and change it. The command line and a prompt's own front matter win.

    # The agent of prompts that name none: claude, codex, gemini, opencode, aider, qwen, shell,
    # or one of your own (see [agents.NAME] below).
    #agent = "claude"

    # The model of prompts that name none. Default: the agent's own.
    #model = "opus"

    # How many agents may run at the same time. Default: from cores and memory.
    #jobs = 4

    # An attempt that runs longer is stopped. "none": no limit.
    #timeout = "2h"

    # An attempt that prints nothing for this long is stopped, for example "30m".
    # Agents that print only their last words are silent all the time.
    #idle_timeout = "none"

    # What a process has between SIGTERM and SIGKILL.
    #grace = "10s"

    # How often a failed attempt is tried again, where trying again makes sense.
    #retries = 0

    # At a rate or usage limit with a known end: "wait" for it, go on with the agent's
    # "fallback" (see [agents.NAME]), or "stop" starting anything with that agent.
    #on_limit = "wait"

    # When tasks that run side by side turn out to change the same lines: "warn"; "pause" the agent of
    # the one that began later until the other has ended; or "order": `orch merge` lands first what
    # conflicts with least. An overlap is shown by `orch status` in any case.
    #on_overlap = "warn"

    # No agent starts that might make the run cost more, going by what the dearest one so far
    # cost. Only agents that report their cost count. Default: no limit.
    #max_cost_usd = 20.0

    # The same for each task: it is not tried again when that might cost more.
    #max_task_cost_usd = 5.0

    # Shell commands that must pass in the worktree when the agent is done,
    # for example ["cargo test"].
    #verify = []

    # What happens to finished work: "none" leaves it on its branches, "local" merges it
    # when the run ends, "pr" opens pull requests on GitHub (see [github]).
    #merge = "none"

    # How it becomes part of the branch: "merge" (a merge commit for each task), "squash" (one
    # commit for each) or "rebase" (each commit anew; linear history, as with squash).
    #merge_strategy = "merge"

    # When it conflicts with the branch: "manual" leaves it on its own branch and says what to do,
    # "agent" asks the task's agent (for the shell agent: the default one) to resolve it.
    #on_conflict = "manual"

    # true: each task that lands gets an entry in CHANGELOG.md (keepachangelog.com), by its type and
    # title, so that tasks need not write any. Or the path of that file.
    #changelog = false

    # Branches on which `orch merge` lands nothing, as globs, for example ["main", "release/*"].
    #protected = []

    # The branch on which work lands. Default: the one checked out when the run began.
    #into = "main"

    # The folder of --all-prompts, from the repository's root.
    #prompts = "prompts"

    # The workflow of prompts that name none: "default", or NAME for the repository's own
    # .orch/workflows/NAME.yaml.
    #workflow = "default"

    # Whether a prompt whose parts touch different files is split into tasks: "off", "auto" (by its
    # headings and lists), "agent" or "agent:NAME" (an agent is asked). The plan shows it.
    #decompose = "off"

    # What is kept of an attempt's output, at most: its beginning and its end.
    #log_cap = "16MiB"

    # Of how many runs `orch clean` keeps logs and results; those of a run with unmerged work
    # are always kept.
    #keep_runs = 100

    [setup]

    # Shell commands that prepare a fresh worktree, run in it one after another.
    # `orch init` writes what the files in the tree suggest, such as `npm ci`. Default: nothing.
    commands = ["npm ci"]

    [worktrees]

    # How many prepared worktrees are kept, so that later runs start sooner. 0: none.
    #pool = 8

    # What they may occupy together.
    #pool_bytes = "2GiB"

    # While an agent is at work, what changed in its worktree is kept this often, at most, under
    # refs/orch/snapshots/. "none": never.
    #snapshots = "30s"

    [conflicts]

    # Paths that tasks may change side by side without being ordered, as globs from the
    # repository's root, for example ["CHANGELOG.md", "docs/**"].
    #ignore = []

    # From which confidence (0 to 1) two tasks that write the same file run one after the other.
    #order_from = 0.45

    # From which confidence that is listed as a conflict.
    #report_from = 0.2

    # The same where one reads what the other writes; the writer goes first.
    #order_reads_from = 0.999

    # From which confidence that is listed; below it, it is a note.
    #report_reads_from = 0.9

    # The same where the other's files import what one writes.
    #order_imports_from = 0.999

    # From which confidence that is listed; below it, it is a note.
    #report_imports_from = 0.96

    [breakers]

    # So many failures in a row that are the agent's own (overloaded, crashed, no result)
    # stop its tasks from starting for the cool-down; then one attempt shows whether it works.
    #agent_failures = 3

    # For how long.
    #agent_cool_down = "5m"

    # The same for set-up, git and orch's own steps: nothing starts any more.
    #execution_failures = 5

    # For how long.
    #execution_cool_down = "10m"

    # The same for GitHub: no request is made.
    #github_failures = 3

    # For how long.
    #github_cool_down = "5m"

    [limits]

    # With less memory free than this, one agent fewer at a time, again and again; with half as
    # much again free, one more. Default: 1GiB, or a tenth of the memory where that is less.
    #free_memory = "1GiB"

    # With less than this nothing new starts, and the newest agent is stopped to start again later.
    # Default: a quarter of free_memory.
    #least_memory = "256MiB"

    # With a load above this for each core, one agent fewer at a time; below three quarters of it,
    # one more. 0: the load does not matter.
    #load = 4.0

    # What must stay free where the worktrees and the git directory are, beside what a worktree is
    # expected to grow to. Short of it, build folders that git ignores are removed from finished
    # worktrees, and nothing new starts. Default: 2GiB, or a twentieth of the disk where that is less.
    #free_disk = "2GiB"

    [github]

    # The remote that branches are pushed to. Default: the one git pushes to.
    #remote = "origin"

    # The repository of pull requests. Default: the one that the remote's address names.
    #repository = "owner/name"

    # Where GitHub's REST API is. Default: by the host of the remote's address.
    #api_url = "https://github.example.com/api/v3"

    # Whether a task has an issue, under an issue of the run, beside its pull request.
    #issues = true

    # The least time between two requests that change something: GitHub blocks bursts.
    #pace = "1s"

    # How long an answer may take. GitHub itself gives up after ten seconds.
    #timeout = "15s"

    # Whose remarks `orch pr address` gives to agents, beside those of people who are an owner, member
    # or collaborator: with what they write they steer an agent on your machine.
    #reviewers = ["some-login", "some-bot"]

    # How often `orch pr fix` asks an agent about the checks of one pull request.
    #fixes = 3

    # How long after a push checks may take to show up, where others show that there are some: before,
    # no pull request is merged without them.
    #checks_grace = "1m"

    # Whether agents and commands find GITHUB_TOKEN, GH_TOKEN and the like in their environment
    # where you have them in yours.
    #token_for_agents = false

    # An agent of your own, or changes to one that is built in (then every key is optional).
    #[agents.my-agent]

    # Program and arguments, with {prompt}, {prompt_file}, {worktree}, {model} and {session}.
    # An argument whose placeholder has no value is dropped together with the flag before it.
    #command = ["my-agent", "--model", "{model}", "{prompt}"]

    # The same to go on with an earlier session, where that takes other arguments than
    # `command`. Not needed where `command` has {session} in the right place.
    #resume_command = ["my-agent", "resume", "{session}", "{prompt}"]

    # How the prompt arrives: "stdin", "arg" ({prompt}, or else the last argument) or
    # "file" ({prompt_file}).
    #prompt = "arg"

    # What its output means: plain, claude, codex, gemini, qwen, opencode, aider or shell.
    #output = "plain"

    # Whether success needs a change in the worktree.
    # Default: false for plain and shell, true for the others.
    #requires_changes = false

    # Added to its environment, for example { RUST_LOG = "debug" }.
    #env = {}

    # Its model, for prompts that name none.
    #model = "large"

    # The agent that takes over its tasks when this one hangs, or cannot log in or start,
    # and, with on_limit = "fallback", while it is limited.
    #fallback = "codex"

    # What its last line contains when it waits for an answer that nobody will give. Such an agent
    # is reported when it has been quiet for a while.
    #waiting = ["[y/n]"]
    "##);
}
