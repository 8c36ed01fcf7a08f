//! Every key of `orch.toml`, with what `orch init` writes about it.

/// A key. `value` is TOML: the default, or an example where the default is that nothing is set.
pub(super) struct Key {
    pub name: &'static str,
    pub value: &'static str,
    /// Without `#`; each entry is a line.
    pub doc: &'static [&'static str],
}

/// Names of the keys of a table.
pub(super) fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

/// Where a key belongs, for one that is in the wrong table.
pub(super) fn home(name: &str) -> Option<&'static str> {
    let places = [
        (TOP, "above the first [table]"),
        (SETUP, "in [setup]"),
        (WORKTREES, "in [worktrees]"),
        (CONFLICTS, "in [conflicts]"),
        (BREAKERS, "in [breakers]"),
        (LIMITS, "in [limits]"),
        (GITHUB, "in [github]"),
        (AGENT, "in a table [agents.NAME]"),
    ];
    places.iter().find(|(keys, _)| names(keys).contains(&name)).map(|(_, place)| *place)
}

/// Tables at the top level. `agents` holds a table for each agent.
pub(super) const TABLES: &[&str] =
    &["setup", "worktrees", "conflicts", "breakers", "limits", "github", "agents"];

/// Keys at the top level.
pub(super) const TOP: &[Key] = &[
    Key {
        name: "agent",
        value: "\"claude\"",
        doc: &[
            "The agent of prompts that name none: claude, codex, gemini, opencode, aider, qwen, shell,",
            "or one of your own (see [agents.NAME] below).",
        ],
    },
    Key {
        name: "model",
        value: "\"opus\"",
        doc: &["The model of prompts that name none. Default: the agent's own."],
    },
    Key {
        name: "jobs",
        value: "4",
        doc: &["How many agents may run at the same time. Default: from cores and memory."],
    },
    Key {
        name: "timeout",
        value: "\"2h\"",
        doc: &["An attempt that runs longer is stopped. \"none\": no limit."],
    },
    Key {
        name: "idle_timeout",
        value: "\"none\"",
        doc: &[
            "An attempt that prints nothing for this long is stopped, for example \"30m\".",
            "Agents that print only their last words are silent all the time.",
        ],
    },
    Key {
        name: "grace",
        value: "\"10s\"",
        doc: &["What a process has between SIGTERM and SIGKILL."],
    },
    Key {
        name: "retries",
        value: "0",
        doc: &["How often a failed attempt is tried again, where trying again makes sense."],
    },
    Key {
        name: "on_limit",
        value: "\"wait\"",
        doc: &[
            "At a rate or usage limit with a known end: \"wait\" for it, go on with the agent's",
            "\"fallback\" (see [agents.NAME]), or \"stop\" starting anything with that agent.",
        ],
    },
    Key {
        name: "on_overlap",
        value: "\"warn\"",
        doc: &[
            "When tasks that run side by side turn out to change the same lines: \"warn\"; \"pause\" the agent of",
            "the one that began later until the other has ended; or \"order\": `orch merge` lands first what",
            "conflicts with least. An overlap is shown by `orch status` in any case.",
        ],
    },
    Key {
        name: "max_cost_usd",
        value: "20.0",
        doc: &[
            "No agent starts that might make the run cost more, going by what the dearest one so far",
            "cost. Only agents that report their cost count. Default: no limit.",
        ],
    },
    Key {
        name: "max_task_cost_usd",
        value: "5.0",
        doc: &["The same for each task: it is not tried again when that might cost more."],
    },
    Key {
        name: "verify",
        value: "[]",
        doc: &[
            "Shell commands that must pass in the worktree when the agent is done,",
            "for example [\"cargo test\"].",
        ],
    },
    Key {
        name: "merge",
        value: "\"none\"",
        doc: &[
            "What happens to finished work: \"none\" leaves it on its branches, \"local\" merges it",
            "when the run ends, \"pr\" opens pull requests on GitHub (see [github]).",
        ],
    },
    Key {
        name: "merge_strategy",
        value: "\"merge\"",
        doc: &[
            "How it becomes part of the branch: \"merge\" (a merge commit for each task), \"squash\" (one",
            "commit for each) or \"rebase\" (each commit anew; linear history, as with squash).",
        ],
    },
    Key {
        name: "on_conflict",
        value: "\"manual\"",
        doc: &[
            "When it conflicts with the branch: \"manual\" leaves it on its own branch and says what to do,",
            "\"agent\" asks the task's agent (for the shell agent: the default one) to resolve it.",
        ],
    },
    Key {
        name: "changelog",
        value: "false",
        doc: &[
            "true: each task that lands gets an entry in CHANGELOG.md (keepachangelog.com), by its type and",
            "title, so that tasks need not write any. Or the path of that file.",
        ],
    },
    Key {
        name: "protected",
        value: "[]",
        doc: &[
            "Branches on which `orch merge` lands nothing, as globs, for example [\"main\", \"release/*\"].",
        ],
    },
    Key {
        name: "into",
        value: "\"main\"",
        doc: &["The branch on which work lands. Default: the one checked out when the run began."],
    },
    Key {
        name: "prompts",
        value: "\"prompts\"",
        doc: &["The folder of --all-prompts, from the repository's root."],
    },
    Key {
        name: "workflow",
        value: "\"default\"",
        doc: &[
            "The workflow of prompts that name none: \"default\", or NAME for the repository's own",
            ".orch/workflows/NAME.yaml.",
        ],
    },
    Key {
        name: "decompose",
        value: "\"off\"",
        doc: &[
            "Whether a prompt whose parts touch different files is split into tasks: \"off\", \"auto\" (by its",
            "headings and lists), \"agent\" or \"agent:NAME\" (an agent is asked). The plan shows it.",
        ],
    },
    Key {
        name: "log_cap",
        value: "\"16MiB\"",
        doc: &["What is kept of an attempt's output, at most: its beginning and its end."],
    },
    Key {
        name: "keep_runs",
        value: "100",
        doc: &[
            "Of how many runs `orch clean` keeps logs and results; those of a run with unmerged work",
            "are always kept.",
        ],
    },
];

/// Keys of `[setup]`.
pub(super) const SETUP: &[Key] = &[Key {
    name: "commands",
    value: "[]",
    doc: &[
        "Shell commands that prepare a fresh worktree, run in it one after another.",
        "`orch init` writes what the files in the tree suggest, such as `npm ci`. Default: nothing.",
    ],
}];

/// Keys of `[worktrees]`.
pub(super) const WORKTREES: &[Key] = &[
    Key {
        name: "pool",
        value: "8",
        doc: &["How many prepared worktrees are kept, so that later runs start sooner. 0: none."],
    },
    Key { name: "pool_bytes", value: "\"2GiB\"", doc: &["What they may occupy together."] },
    Key {
        name: "snapshots",
        value: "\"30s\"",
        doc: &[
            "While an agent is at work, what changed in its worktree is kept this often, at most, under",
            "refs/orch/snapshots/. \"none\": never.",
        ],
    },
];

/// Keys of `[conflicts]`.
pub(super) const CONFLICTS: &[Key] = &[
    Key {
        name: "ignore",
        value: "[]",
        doc: &[
            "Paths that tasks may change side by side without being ordered, as globs from the",
            "repository's root, for example [\"CHANGELOG.md\", \"docs/**\"].",
        ],
    },
    Key {
        name: "order_from",
        value: "0.45",
        doc: &[
            "From which confidence (0 to 1) two tasks that write the same file run one after the other.",
        ],
    },
    Key {
        name: "report_from",
        value: "0.2",
        doc: &["From which confidence that is listed as a conflict."],
    },
    Key {
        name: "order_reads_from",
        value: "0.999",
        doc: &["The same where one reads what the other writes; the writer goes first."],
    },
    Key {
        name: "report_reads_from",
        value: "0.9",
        doc: &["From which confidence that is listed; below it, it is a note."],
    },
    Key {
        name: "order_imports_from",
        value: "0.999",
        doc: &["The same where the other's files import what one writes."],
    },
    Key {
        name: "report_imports_from",
        value: "0.96",
        doc: &["From which confidence that is listed; below it, it is a note."],
    },
];

/// Keys of `[breakers]`.
pub(super) const BREAKERS: &[Key] = &[
    Key {
        name: "agent_failures",
        value: "3",
        doc: &[
            "So many failures in a row that are the agent's own (overloaded, crashed, no result)",
            "stop its tasks from starting for the cool-down; then one attempt shows whether it works.",
        ],
    },
    Key { name: "agent_cool_down", value: "\"5m\"", doc: &["For how long."] },
    Key {
        name: "execution_failures",
        value: "5",
        doc: &["The same for set-up, git and orch's own steps: nothing starts any more."],
    },
    Key { name: "execution_cool_down", value: "\"10m\"", doc: &["For how long."] },
    Key { name: "github_failures", value: "3", doc: &["The same for GitHub: no request is made."] },
    Key { name: "github_cool_down", value: "\"5m\"", doc: &["For how long."] },
];

/// Keys of `[limits]`.
pub(super) const LIMITS: &[Key] = &[
    Key {
        name: "free_memory",
        value: "\"1GiB\"",
        doc: &[
            "With less memory free than this, one agent fewer at a time, again and again; with half as",
            "much again free, one more. Default: 1GiB, or a tenth of the memory where that is less.",
        ],
    },
    Key {
        name: "least_memory",
        value: "\"256MiB\"",
        doc: &[
            "With less than this nothing new starts, and the newest agent is stopped to start again later.",
            "Default: a quarter of free_memory.",
        ],
    },
    Key {
        name: "load",
        value: "4.0",
        doc: &[
            "With a load above this for each core, one agent fewer at a time; below three quarters of it,",
            "one more. 0: the load does not matter.",
        ],
    },
    Key {
        name: "free_disk",
        value: "\"2GiB\"",
        doc: &[
            "What must stay free where the worktrees and the git directory are, beside what a worktree is",
            "expected to grow to. Short of it, build folders that git ignores are removed from finished",
            "worktrees, and nothing new starts. Default: 2GiB, or a twentieth of the disk where that is less.",
        ],
    },
];

/// Keys of `[github]`.
pub(super) const GITHUB: &[Key] = &[
    Key {
        name: "remote",
        value: "\"origin\"",
        doc: &["The remote that branches are pushed to. Default: the one git pushes to."],
    },
    Key {
        name: "repository",
        value: "\"owner/name\"",
        doc: &[
            "The repository of pull requests. Default: the one that the remote's address names.",
        ],
    },
    Key {
        name: "api_url",
        value: "\"https://github.example.com/api/v3\"",
        doc: &["Where GitHub's REST API is. Default: by the host of the remote's address."],
    },
    Key {
        name: "issues",
        value: "true",
        doc: &["Whether a task has an issue, under an issue of the run, beside its pull request."],
    },
    Key {
        name: "pace",
        value: "\"1s\"",
        doc: &["The least time between two requests that change something: GitHub blocks bursts."],
    },
    Key {
        name: "timeout",
        value: "\"15s\"",
        doc: &["How long an answer may take. GitHub itself gives up after ten seconds."],
    },
    Key {
        name: "reviewers",
        value: "[\"some-login\", \"some-bot\"]",
        doc: &[
            "Whose remarks `orch pr address` gives to agents, beside those of people who are an owner, member",
            "or collaborator: with what they write they steer an agent on your machine.",
        ],
    },
    Key {
        name: "fixes",
        value: "3",
        doc: &["How often `orch pr fix` asks an agent about the checks of one pull request."],
    },
    Key {
        name: "checks_grace",
        value: "\"1m\"",
        doc: &[
            "How long after a push checks may take to show up, where others show that there are some: before,",
            "no pull request is merged without them.",
        ],
    },
    Key {
        name: "token_for_agents",
        value: "false",
        doc: &[
            "Whether agents and commands find GITHUB_TOKEN, GH_TOKEN and the like in their environment",
            "where you have them in yours.",
        ],
    },
];

/// Keys of `[agents.NAME]`.
pub(super) const AGENT: &[Key] = &[
    Key {
        name: "command",
        value: "[\"my-agent\", \"--model\", \"{model}\", \"{prompt}\"]",
        doc: &[
            "Program and arguments, with {prompt}, {prompt_file}, {worktree}, {model} and {session}.",
            "An argument whose placeholder has no value is dropped together with the flag before it.",
        ],
    },
    Key {
        name: "resume_command",
        value: "[\"my-agent\", \"resume\", \"{session}\", \"{prompt}\"]",
        doc: &[
            "The same to go on with an earlier session, where that takes other arguments than",
            "`command`. Not needed where `command` has {session} in the right place.",
        ],
    },
    Key {
        name: "prompt",
        value: "\"arg\"",
        doc: &[
            "How the prompt arrives: \"stdin\", \"arg\" ({prompt}, or else the last argument) or",
            "\"file\" ({prompt_file}).",
        ],
    },
    Key {
        name: "output",
        value: "\"plain\"",
        doc: &[
            "What its output means: plain, claude, codex, gemini, qwen, opencode, aider or shell.",
        ],
    },
    Key {
        name: "requires_changes",
        value: "false",
        doc: &[
            "Whether success needs a change in the worktree.",
            "Default: false for plain and shell, true for the others.",
        ],
    },
    Key {
        name: "env",
        value: "{}",
        doc: &["Added to its environment, for example { RUST_LOG = \"debug\" }."],
    },
    Key { name: "model", value: "\"large\"", doc: &["Its model, for prompts that name none."] },
    Key {
        name: "fallback",
        value: "\"codex\"",
        doc: &[
            "The agent that takes over its tasks when this one hangs, or cannot log in or start,",
            "and, with on_limit = \"fallback\", while it is limited.",
        ],
    },
    Key {
        name: "waiting",
        value: "[\"[y/n]\"]",
        doc: &[
            "What its last line contains when it waits for an answer that nobody will give. Such an agent",
            "is reported when it has been quiet for a while.",
        ],
    },
];
