use super::*;
use crate::agent::find_builtin;
use std::sync::LazyLock;

static NOTHING: LazyLock<BTreeMap<String, String>> = LazyLock::new(BTreeMap::new);

fn context(prompt: &str) -> LaunchContext<'_> {
    LaunchContext {
        prompt_text: prompt,
        prompt_file: Path::new("/a/prompt.md"),
        worktree: Path::new("/w"),
        model: None,
        session: None,
        attempt_dir: Path::new("/a"),
        shell_blocks: &[],
        env: &NOTHING,
    }
}

fn custom(command: &[&str], prompt: PromptDelivery) -> AgentProfile {
    AgentProfile {
        name: "mine".to_owned(),
        command: command.iter().map(ToString::to_string).collect(),
        resume_command: None,
        prompt,
        output: Dialect::Plain,
        requires_changes: None,
        env: BTreeMap::new(),
        model: None,
        fallback: None,
        waiting: Vec::new(),
    }
}

fn argv(command: &[&str], prompt: PromptDelivery, context: &LaunchContext) -> Vec<String> {
    launch(&custom(command, prompt), context).unwrap().argv
}

#[test]
fn the_built_in_commands_are_what_the_clis_take() {
    let fresh = context("do it");
    let named = LaunchContext { model: Some("opus"), session: Some("s-1"), ..fresh };
    let line = |name: &str, context: &LaunchContext| {
        let launch = launch(find_builtin(name).unwrap(), context).unwrap();
        let stdin = launch.stdin.map_or(String::new(), |file| format!(" < {}", file.display()));
        format!("{}{stdin}", launch.argv.join(" "))
    };
    assert!(line("claude", &fresh).ends_with("TodoWrite < /a/prompt.md"));
    assert!(line("claude", &named).ends_with("--model opus --resume s-1 < /a/prompt.md"));
    assert_eq!(
        line("codex", &fresh),
        "codex exec --json --sandbox workspace-write - < /a/prompt.md"
    );
    assert_eq!(
        line("codex", &named),
        "codex exec --json --sandbox workspace-write --model opus resume s-1 - < /a/prompt.md"
    );
    assert_eq!(
        line("gemini", &fresh),
        "gemini --output-format stream-json --approval-mode yolo < /a/prompt.md"
    );
    assert_eq!(line("opencode", &fresh), "opencode run --format json < /a/prompt.md");
    assert!(line("opencode", &named).contains("--session s-1"));
    assert!(line("aider", &fresh).starts_with("aider --message-file /a/prompt.md --yes-always"));
    assert!(!line("aider", &fresh).contains('<'));
}

#[test]
fn an_argument_without_a_value_goes_with_its_flag() {
    let none = context("p");
    let stdin = PromptDelivery::Stdin;
    assert_eq!(argv(&["a", "-m", "{model}", "x"], stdin, &none), ["a", "x"]);
    assert_eq!(argv(&["a", "-v", "--model={model}", "x"], stdin, &none), ["a", "-v", "x"]);
    assert_eq!(argv(&["a", "run", "{session}", "x"], stdin, &none), ["a", "run", "x"]);
    assert_eq!(argv(&["-odd", "{session}"], stdin, &none), ["-odd"]);
    let mut own = custom(&["a", "-m", "{model}"], stdin);
    own.model = Some("small".to_owned());
    assert_eq!(launch(&own, &none).unwrap().argv, ["a", "-m", "small"]);
    let named = LaunchContext { model: Some("big"), ..none };
    assert_eq!(launch(&own, &named).unwrap().argv, ["a", "-m", "big"]);
}

#[test]
fn a_prompt_by_argument_is_substituted_or_appended() {
    let arg = PromptDelivery::Arg;
    assert_eq!(argv(&["a", "-p", "{prompt}", "-x"], arg, &context("do")), ["a", "-p", "do", "-x"]);
    assert_eq!(argv(&["a", "-x"], arg, &context("do")), ["a", "-x", "do"]);
    assert_eq!(argv(&["a", "{prompt_file}"], arg, &context("do")), ["a", "/a/prompt.md"]);
    assert_eq!(argv(&["a", "{worktree}:{prompt}"], arg, &context("do")), ["a", "/w:do"]);
    // What the prompt says is never substituted again.
    assert_eq!(argv(&["a"], arg, &context("{model} $HOME")), ["a", "{model} $HOME"]);
    // It is not taken for a flag, and an empty one stays an argument.
    assert_eq!(argv(&["a"], arg, &context("--help")), ["a", "\n--help"]);
    assert_eq!(argv(&["a", "-p", "{prompt}"], arg, &context("")), ["a", "-p", ""]);
    assert_eq!(launch(&custom(&["a"], arg), &context("do")).unwrap().stdin, None);
}

#[test]
fn a_prompt_above_the_kernels_limit_is_refused_only_by_argument() {
    let fits = "x".repeat(131_071);
    let large = "x".repeat(131_072);
    assert!(launch(&custom(&["a"], PromptDelivery::Arg), &context(&fits)).is_ok());
    let error = launch(&custom(&["a"], PromptDelivery::Arg), &context(&large)).unwrap_err();
    assert!(error.to_string().contains("prompt = \"stdin\""), "{error}");
    for delivery in [PromptDelivery::Stdin, PromptDelivery::File] {
        assert!(launch(&custom(&["a"], delivery), &context(&large)).is_ok());
    }
    let nul = launch(&custom(&["a"], PromptDelivery::Arg), &context("a\0b")).unwrap_err();
    assert!(nul.to_string().contains("NUL"), "{nul}");
}

/// The limit is the kernel's, so the kernel is asked.
#[test]
fn the_limit_is_the_kernels() {
    if std::env::consts::OS != "linux" {
        return;
    }
    let starts =
        |size: usize| std::process::Command::new("true").arg("x".repeat(size)).status().is_ok();
    assert!(starts(LONGEST_ARGUMENT));
    assert!(!starts(LONGEST_ARGUMENT + 1));
}

#[test]
fn the_environment_is_layered_and_clean() {
    let mut profile = custom(&["a"], PromptDelivery::Arg);
    profile.env = BTreeMap::from([
        ("A".to_owned(), "profile".to_owned()),
        ("B".to_owned(), "profile".to_owned()),
        ("CLAUDECODE".to_owned(), "wanted".to_owned()),
        ("GIT_EDITOR".to_owned(), "mine".to_owned()),
    ]);
    let of_the_prompt = BTreeMap::from([("B".to_owned(), "prompt".to_owned())]);
    let launch = launch(&profile, &LaunchContext { env: &of_the_prompt, ..context("p") }).unwrap();
    assert_eq!(launch.env["A"], "profile");
    assert_eq!(launch.env["B"], "prompt");
    assert_eq!(launch.env["GIT_EDITOR"], "mine");
    assert_eq!(launch.env["GIT_TERMINAL_PROMPT"], "0");
    let removed = |name: &str| launch.env_remove.iter().any(|removed| removed == name);
    assert!(removed("GIT_DIR") && removed("GIT_INDEX_FILE") && removed("CLAUDE_CODE_ENTRYPOINT"));
    assert!(!removed("CLAUDECODE"), "what a profile sets is not taken away");
}

#[test]
fn unknown_placeholders_are_refused_and_escaped_ones_are_text() {
    let error =
        launch(&custom(&["a", "{promt}"], PromptDelivery::Stdin), &context("p")).unwrap_err();
    assert!(error.to_string().contains("did you mean {prompt}?"), "{error}");
    let stdin = PromptDelivery::Stdin;
    assert_eq!(
        argv(&["awk", "{{print}}", "${x}", "{\"a\":1}"], stdin, &context("p")),
        ["awk", "{print}", "${x}", "{\"a\":1}"]
    );
}
