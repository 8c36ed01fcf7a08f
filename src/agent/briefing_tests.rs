use super::*;

fn briefing(body: &str) -> Briefing<'_> {
    Briefing {
        title: "Add a parser",
        body,
        worktree: Path::new("/repo/.worktrees/task-1"),
        branch: "orch/parser-ab12",
        base: "main",
        phase: Phase::Implementation,
        role: None,
        constraints: &[],
        verify: &[],
        others: &[],
        further: 0,
        hints: &[],
        previous: None,
    }
}

#[test]
fn the_users_words_come_first_and_stay_as_they_are() {
    let body = "# Add a parser\n\n  indented\n\n```sh\nmake\n```";
    let text = compose(&briefing(body));
    assert!(text.starts_with(&format!("{body}\n\n---\n")), "{text}");
    assert!(compose(&briefing("Just do it.")).starts_with("# Add a parser\n\nJust do it.\n"));
}

#[test]
fn a_full_briefing() {
    let paths: Vec<String> = (0..14).map(|n| format!("src/{n}.rs")).collect();
    let others = [
        Neighbour { name: "lexer", paths: &paths },
        Neighbour { name: "docs", paths: &paths[..1] },
    ];
    let (constraints, verify, hints) = (
        ["no new dependencies".to_owned()],
        ["cargo test".to_owned(), "cargo fmt --check".to_owned()],
        ["run Python with `uv run`".to_owned()],
    );
    let text = compose(&Briefing {
        role: Some("implementer"),
        constraints: &constraints,
        verify: &verify,
        others: &others,
        further: 3,
        hints: &hints,
        previous: Some(Previous {
            error: Some("test failed:\n```\nleft != right\n```"),
            ..Previous::default()
        }),
        ..briefing("Add a parser for the new format.")
    });
    insta::assert_snapshot!(text, @r"
    Add a parser for the new format.

    ---

    ## Working agreement

    - Your role: implementer.
    - Do the whole of what is asked above, and nothing beyond it.
    - Work only inside this git worktree: /repo/.worktrees/task-1. Use paths relative to it.
    - You are on branch orch/parser-ab12, begun at main. Do not switch branches, push, merge or rebase. Commit your work or leave it uncommitted: what is left is committed for you.
    - Other agents are changing these files in worktrees of their own; leave them alone:
      - lexer: src/0.rs, src/1.rs, src/2.rs, src/3.rs, src/4.rs, src/5.rs, src/6.rs, src/7.rs, src/8.rs, src/9.rs, src/10.rs, src/11.rs and 2 more
      - docs: src/0.rs
      - and those of 3 more tasks
    - When you are done these must succeed in the worktree: `cargo test`, `cargo fmt --check`. Run them yourself first.
    - run Python with `uv run`.
    - no new dependencies.
    - Nobody can answer questions. Where something is open, decide, and say in your last message what you decided. End every process you started.

    An earlier attempt at this failed. The worktree is back where that attempt began, without its changes: start afresh, and avoid what went wrong:

    ````
    test failed:
    ```
    left != right
    ```
    ````
    ");
}

#[test]
fn a_phase_has_its_focus() {
    let text = |phase| compose(&Briefing { phase, ..briefing("x") });
    assert!(text(Phase::Review).contains("This step is a review"));
    assert!(text(Phase::Testing).contains("about tests"));
    assert!(text(Phase::Documentation).contains("about documentation"));
    assert!(text(Phase::Implementation).contains("nothing beyond it"));
}

#[test]
fn an_attempt_that_goes_on_is_told_so() {
    let told = |previous| {
        let text = compose(&Briefing { previous: Some(previous), ..briefing("Add a parser") });
        text.split_once("End every process you started.\n").unwrap().1.to_owned()
    };
    let error = Some("verify failed with exit code 1");
    let output = Some("test a ... FAILED\n");
    insta::assert_snapshot!(told(Previous { error, output, kept: true }), @r"

    An earlier attempt at this failed. The worktree is as that attempt left it: look at what is there (git status, git diff), keep what is good, and mend what went wrong:

    ```
    verify failed with exit code 1
    ```

    The end of what it printed:

    ```
    test a ... FAILED
    ```
    ");
    insta::assert_snapshot!(told(Previous { kept: true, ..Previous::default() }), @r"

    An earlier attempt at this was interrupted. The worktree is as that attempt left it: look at what is there (git status, git diff) and go on from it.
    ");
    assert_eq!(told(Previous::default()), "");
}

#[test]
fn a_session_that_goes_on_is_told_only_what_is_new() {
    let error = Some("verify failed with exit code 1");
    insta::assert_snapshot!(
        compose_continuation(&Previous { error, output: Some("FAILED"), kept: true }), @r"
    What you did so far does not do yet:

    ```
    verify failed with exit code 1
    ```

    The end of what it printed:

    ```
    FAILED
    ```

    The worktree is as you left it. What ran in the background has been ended. Go on until everything that was asked is done; the working agreement still holds.
    ");
    insta::assert_snapshot!(compose_continuation(&Previous::default()), @r"
    You were interrupted before you were done.
    The worktree is back where you began, without your changes. Go on until everything that was asked is done; the working agreement still holds.
    ");
}
