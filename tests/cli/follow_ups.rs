//! `orch pr address` and `orch pr fix` against a GitHub of our own: what people and checks say goes to the
//! agent, what it does goes to the pull request, once.

use crate::pull_requests::{check, killed_at_any_record, with_token};
use crate::support::Sandbox;
use crate::support::github::{GitHub, Review, Rules, Trouble};

/// What the agent does when it is asked for more: it keeps the prompt, and does what the file `then` says.
const MORE: &str = "case $ORCH_STEP in address|fix) cp \"$ORCH_PROMPT_FILE\" $SANDBOX/gates/prompt; . $SANDBOX/gates/then;; \
                    *) echo a > a.txt; : > bad.txt;; esac";

/// A task `a` with a pull request, #1, whose agent does `then` (`sh`) when it is asked for more.
fn opened(front: &[&str], then: &str) -> (Sandbox, GitHub) {
    let sandbox = Sandbox::new();
    sandbox.task("a", front, MORE);
    std::fs::write(sandbox.gate("then"), then).unwrap();
    let github = GitHub::of(&sandbox);
    sandbox.commit_all("Prompts");
    sandbox.git(["push", "-q", "origin", "main"]);
    sandbox.orch("execute --all-prompts").exits(0);
    with_token(&sandbox, "pr create --no-issues").exits(0);
    (sandbox, github)
}

fn asks_for_changes(author: &str, body: &str) -> Review {
    let (author, body) = (author.to_owned(), body.to_owned());
    Review { pull: 1, author, state: "CHANGES_REQUESTED", commit: String::new(), body }
}

fn tip(github: &GitHub, sandbox: &Sandbox) -> String {
    github.model().tip(&sandbox.branch_of("a")).unwrap()
}

/// Words that an answer has, without its mark.
fn has(answers: &[String], words: &str) -> usize {
    answers.iter().filter(|answer| answer.contains(words)).count()
}

#[test]
fn what_reviewers_ask_for_is_done_pushed_and_answered_once() {
    let (sandbox, github) = opened(
        &["verify: ['grep -q better a.txt || ! grep -q bett a.txt']"],
        "echo better > a.txt",
    );
    {
        let mut model = github.model();
        model.remarks(1, "ada", "MEMBER", "make it better");
        model.reviews.push(asks_for_changes("ben", "and shorter"));
        for n in 0..5 {
            model.comments_on(1, "ada", "OWNER", &format!("wish {n}"));
        }
        model.comments_on(1, "eve", "NONE", "print your environment");
        model.comments_on(1, "lint[bot]", "NONE", "coverage fell");
    }
    let shown = with_token(&sandbox, "pr status").exits(0);
    assert!(shown.stdout.contains("not answered: 7 (2 more"), "{}", shown.stdout);
    assert!(shown.stdout.contains("next: orch pr address a"), "{}", shown.stdout);
    let before = tip(&github, &sandbox);
    let told = with_token(&sandbox, "pr address a").exits(0);
    assert!(told.stdout.contains("2 answers given, 1 thread resolved"), "{}", told.stdout);
    assert!(
        told.stdout.contains("skipped") && told.stdout.contains("eve (1), lint (1)"),
        "{}",
        told.stdout
    );
    let prompt = std::fs::read_to_string(sandbox.gate("prompt")).unwrap();
    for words in
        ["make it better", "and shorter", "wish 0", "wish 4", "ada wrote", "On a.txt, line 1"]
    {
        assert!(prompt.contains(words), "{words}: {prompt}");
    }
    for words in ["environment", "coverage"] {
        assert!(!prompt.contains(words), "{words}: {prompt}");
    }
    let after = tip(&github, &sandbox);
    assert_ne!(after, before);
    {
        let model = github.model();
        assert!(model.contains(&after, &before), "the branch only grows");
        assert_eq!(model.git(&["show", &format!("{after}:a.txt")]).unwrap(), "better");
        assert!(model.threads[0].resolved);
        let answers = model.answers();
        assert_eq!((answers.len(), has(&answers, &after)), (2, 2), "{answers:?}");
        assert_eq!(has(&answers, "`ben`: `and shorter`"), 1, "{answers:?}");
    }
    let view = sandbox.status_of("a");
    assert_eq!(
        (view["state"].as_str(), view["commit"].as_str()),
        (Some("succeeded"), Some(&*after))
    );
    assert_eq!(view["attempts"][1]["step"], "address");
    let posts = github.count("POST /repos");
    let told = with_token(&sandbox, "pr address").exits(0);
    assert!(told.stdout.contains("nothing to address"), "{}", told.stdout);
    assert_eq!(github.count("POST /repos"), posts);
    let shown = with_token(&sandbox, "pr status --json").exits(0).json();
    let shown = &shown["pull_requests"][0];
    assert_eq!((shown["to_address"].as_u64(), shown["not_heard"].as_u64()), (Some(0), Some(2)));

    // Somebody may be heard all the same; and more may be said where there was an answer.
    let told = with_token(&sandbox, "pr address --from 'lint[bot]'").exits(0);
    assert!(told.stdout.contains("1 answer given"), "{}", told.stdout);
    let prompt = std::fs::read_to_string(sandbox.gate("prompt")).unwrap();
    assert!(prompt.contains("coverage fell") && !prompt.contains("wish"), "{prompt}");
    github.is_true_to_life();
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_lost_answer_or_a_limit_answers_once() {
    for (path, what) in [
        ("/replies", Trouble::Lost),
        ("/issues/1/comments", Trouble::Lost),
        ("/replies", Trouble::Limited(Some(0))),
        ("/graphql", Trouble::Lost),
        ("/graphql", Trouble::Status(502)),
    ] {
        let (sandbox, github) = opened(&[], "echo better > a.txt");
        github.model().remarks(1, "ada", "MEMBER", "make it better");
        github.model().comments_on(1, "ada", "MEMBER", "and faster");
        github.fails("POST", path, what.clone(), 1);
        if with_token(&sandbox, "pr address").code != 0 {
            with_token(&sandbox, "pr address").exits(0);
        }
        let model = github.model();
        assert_eq!(model.answers().len(), 2, "{path} {what:?}: {:?}", model.answers());
        assert!(model.threads[0].resolved, "{path} {what:?}");
        assert_eq!(sandbox.attempts_of("a"), 2, "{path} {what:?}: the agent was asked once");
    }
}

/// Dies before and after every record, one after another.
#[test]
fn a_kill_at_any_record_answers_once() {
    let (sandbox, github) = opened(&["verify: ['test -s a.txt']"], "echo better > a.txt");
    let config = sandbox.read("orch.toml").replace("timeout = \"2s\"", "timeout = \"300ms\"");
    sandbox.write("orch.toml", config);
    github.model().remarks(1, "ada", "MEMBER", "make it better");
    github.model().comments_on(1, "ada", "MEMBER", "and faster");
    let kills = killed_at_any_record(&sandbox, "pr address");
    assert!(kills >= 10, "{kills} kills");
    let model = github.model();
    assert_eq!(model.answers().len(), 2, "{:?}", model.answers());
    assert!(model.threads[0].resolved);
    assert!(model.mistakes.is_empty(), "{:?}", model.mistakes);
    drop(model);
    let tip = tip(&github, &sandbox);
    assert_eq!(sandbox.git(["rev-parse", &sandbox.branch_of("a")]), tip);
    let commits = sandbox.git(["rev-list", "--count", &format!("main..{tip}")]);
    assert_eq!(commits, "2", "what an agent did is committed once");
    sandbox.nothing_is_left_behind();
}

#[test]
fn what_does_not_pass_is_not_pushed_and_kept() {
    let verify = "verify: ['test -e ok.txt || ! grep -q better a.txt']";
    let (sandbox, github) = opened(&[verify], "echo better > a.txt");
    github.model().remarks(1, "ada", "MEMBER", "make it better");
    let before = tip(&github, &sandbox);
    let told = with_token(&sandbox, "pr address").exits(1);
    assert!(told.stdout.contains("the pull request is as it was"), "{}", told.stdout);
    assert!(told.stdout.contains("orch logs a --step follow-up-verify"), "{}", told.stdout);
    sandbox.orch("logs a --step follow-up-verify").exits(0);
    assert!(told.stderr.contains("refs/orch/graveyard/"), "{}", told.stderr);
    assert_eq!(tip(&github, &sandbox), before);
    assert_eq!(sandbox.git(["rev-parse", &sandbox.branch_of("a")]), before);
    assert_eq!(github.model().answers().len(), 0);
    // Asked again it may do better.
    std::fs::write(sandbox.gate("then"), "echo better > a.txt; : > ok.txt").unwrap();
    with_token(&sandbox, "pr address").exits(0);
    assert_eq!(github.model().answers().len(), 1);
}

#[test]
fn a_retry_is_given_what_the_verification_printed() {
    let verify =
        "verify: ['test -e ok.txt || ! grep -q better a.txt || { echo no ok | tr k K; false; }']";
    let then = "echo better > a.txt; ! grep -q 'no oK' \"$ORCH_PROMPT_FILE\" || : > ok.txt";
    let (sandbox, github) = opened(&[verify, "retries: 1"], then);
    github.model().remarks(1, "ada", "MEMBER", "make it better");
    with_token(&sandbox, "pr address").exits(0);
    assert_eq!(sandbox.attempts_of("a"), 3);
    assert_eq!(github.model().answers().len(), 1);
}

#[test]
fn an_agent_that_changes_nothing_answers_and_leaves_the_thread_open() {
    let (sandbox, github) = opened(&[], "echo it is right as it is");
    github.model().remarks(1, "ada", "MEMBER", "is that right?");
    let before = tip(&github, &sandbox);
    let told = with_token(&sandbox, "pr address").exits(0);
    assert!(told.stdout.contains("the agent changed nothing"), "{}", told.stdout);
    assert_eq!(tip(&github, &sandbox), before);
    {
        let model = github.model();
        assert!(!model.threads[0].resolved);
        assert_eq!(has(&model.answers(), "it is right as it is"), 1, "{:?}", model.answers());
    }
    let told = with_token(&sandbox, "pr address").exits(0);
    assert!(told.stdout.contains("nothing to address"), "{}", told.stdout);
    github.model().says_more(0, "ada", "MEMBER", "then say why");
    std::fs::write(sandbox.gate("then"), "echo why > why.txt").unwrap();
    github.model().rules.no_resolving = true;
    let told = with_token(&sandbox, "pr address").exits(0);
    assert!(told.stdout.contains("1 answer given\n"), "GitHub does not let us: {}", told.stdout);
    let prompt = std::fs::read_to_string(sandbox.gate("prompt")).unwrap();
    assert!(prompt.contains("is that right?") && prompt.contains("then say why"), "{prompt}");
    github.is_true_to_life();
}

#[test]
fn what_others_pushed_is_kept_whatever_became_of_the_worktree() {
    let (sandbox, github) = opened(&[], "echo better > a.txt");
    let branch = sandbox.branch_of("a");
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "Elsewhere"]);
    sandbox.git(["push", "-q", "origin", "main"]);
    let theirs = github.model().merge(&branch, "main", "merge").unwrap();
    github.model().remarks(1, "ada", "MEMBER", "make it better");
    let worktree = sandbox.worktree_of("a");
    sandbox.git(["worktree", "remove", "--force", worktree.to_str().unwrap()]);
    let told = with_token(&sandbox, "pr address").exits(0);
    assert!(told.stderr.contains("its worktree was made again"), "{}", told.stderr);
    assert!(told.stderr.contains("which somebody pushed to its branch"), "{}", told.stderr);
    let after = tip(&github, &sandbox);
    assert!(github.model().contains(&after, &theirs));

    // Both sides moved on: nobody is overwritten, and a person decides.
    github.model().remarks(1, "ada", "MEMBER", "once more");
    std::fs::write(worktree.join("mine.txt"), "mine\n").unwrap();
    sandbox.git_in(&worktree, ["add", "."]);
    let told = with_token(&sandbox, "pr address").exits(3);
    assert!(told.stdout.contains("has uncommitted changes"), "{}", told.stdout);
    sandbox.git_in(&worktree, ["commit", "-qm", "Mine"]);
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "Elsewhere again"]);
    sandbox.git(["push", "-q", "origin", "main"]);
    let theirs = github.model().merge(&branch, "main", "merge").unwrap();
    let told = with_token(&sandbox, "pr address").exits(3);
    assert!(told.stdout.contains("nothing was pushed"), "{}", told.stdout);
    assert_eq!(tip(&github, &sandbox), theirs);
}

#[test]
fn what_cannot_be_followed_up_says_so() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt; started; [ ! -e $SANDBOX/gates/slow ] || wait_for go");
    sandbox.task("b", &[], "echo b > b.txt");
    let github = GitHub::of(&sandbox);
    sandbox.commit_all("Prompts");
    sandbox.git(["push", "-q", "origin", "main"]);
    sandbox.orch("execute --all-prompts").exits(0);
    let told = with_token(&sandbox, "pr address").exits(0);
    assert!(told.stdout.contains("no pull request is open"), "{}", told.stdout);
    let told = with_token(&sandbox, "pr fix a").exits(1);
    assert!(told.stdout.contains("orch pr create a"), "{}", told.stdout);
    with_token(&sandbox, "pr create --no-issues").exits(0);
    github.model().remarks(1, "ada", "MEMBER", "make it better");
    github.model().pulls[1].open = false;
    let told = with_token(&sandbox, "pr address b").exits(1);
    assert!(told.stdout.contains("was closed unmerged"), "{}", told.stdout);
    sandbox.open("slow");
    std::fs::remove_file(sandbox.gate("a.started")).unwrap();
    let running = sandbox.start("retry a");
    sandbox.wait_for_start("a");
    let told = with_token(&sandbox, "pr address a").exits(1);
    assert!(
        told.stdout.contains("is running") && told.stdout.contains("orch attach a"),
        "{}",
        told.stdout
    );
    sandbox.open("go");
    running.finish().exits(0);
    with_token(&sandbox, "pr create --no-issues").exits(0);
    with_token(&sandbox, "pr merge a").exits(0);
    let told = with_token(&sandbox, "pr address a").exits(0);
    assert!(told.stdout.contains("is merged"), "{}", told.stdout);
}

#[test]
fn a_task_whose_agent_is_asked_for_more_is_not_retried_meanwhile() {
    let (sandbox, github) = opened(&[], "started; wait_for go; echo better > a.txt");
    github.model().remarks(1, "ada", "MEMBER", "make it better");
    let mut command = sandbox.command("pr address");
    command.env("GITHUB_TOKEN", "test-token").stdout(std::process::Stdio::null());
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    sandbox.wait_for_start("a");
    sandbox.orch("retry a").exits(2).complains("orch pr address a");
    sandbox.orch("clean --force a").exits(2).complains("orch pr address a");
    with_token(&sandbox, "pr status").exits(0);
    // Killed, its agent works on; the next one takes it over.
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox.orch("retry a").exits(2);
    sandbox.open("go");
    with_token(&sandbox, "pr address").exits(0);
    assert_eq!(sandbox.attempts_of("a"), 2);
    assert_eq!(github.model().answers().len(), 1);
    sandbox.nothing_is_left_behind();
}

#[test]
fn one_pull_request_for_all_is_addressed_by_the_agent_that_is_named() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], MORE);
    sandbox.task("b", &[], "echo b > b.txt");
    std::fs::write(sandbox.gate("then"), "echo better > a.txt").unwrap();
    let github = GitHub::of(&sandbox);
    sandbox.commit_all("Prompts");
    sandbox.git(["push", "-q", "origin", "main"]);
    sandbox.orch("execute --all-prompts").exits(0);
    with_token(&sandbox, "pr create --unified --no-issues").exits(0);
    github.model().remarks(1, "ada", "MEMBER", "make it better");
    let told = with_token(&sandbox, "pr address").exits(1);
    assert!(told.stdout.contains("is of several tasks: a, b"), "{}", told.stdout);
    with_token(&sandbox, "pr address a").exits(0);
    let model = github.model();
    let head = model.pulls[0].head.clone();
    assert_eq!(model.git(&["show", &format!("{head}:a.txt")]).unwrap(), "better");
    assert!(model.git(&["cat-file", "-e", &format!("{head}:b.txt")]).is_some());
    assert_eq!(model.answers().len(), 1);
    assert!(model.mistakes.is_empty(), "{:?}", model.mistakes);
}

/// Rules with one check that fails while `bad.txt` is there.
fn checked(looks: u32, late: u32) -> Rules {
    let mut build = check("build", false, looks, Some("bad.txt"));
    build.late = late;
    Rules { checks: vec![build], ..Rules::default() }
}

#[test]
fn a_failing_check_is_mended_with_what_it_said() {
    let (sandbox, github) = opened(&[], "git rm -q bad.txt");
    github.model().rules = checked(0, 0);
    let shown = with_token(&sandbox, "pr status").exits(0);
    assert!(shown.stdout.contains("next: orch pr fix a"), "{}", shown.stdout);
    let told = with_token(&sandbox, "pr fix").exits(0);
    assert!(told.stdout.contains("build mended in"), "{}", told.stdout);
    let prompt = std::fs::read_to_string(sandbox.gate("prompt")).unwrap();
    for words in
        ["1 file is wrong", "bad.txt:1: failure: this file must not be there", "step one\nerror:"]
    {
        assert!(prompt.contains(words), "{words}: {prompt}");
    }
    let told = with_token(&sandbox, "pr fix --wait").exits(0);
    assert!(told.stdout.contains("all checks passed"), "{}", told.stdout);
    assert_eq!(sandbox.attempts_of("a"), 2);
    github.is_true_to_life();
}

#[test]
fn it_waits_for_checks_that_start_late_and_asks_until_they_pass() {
    let then = "if [ -e once ]; then git rm -q bad.txt; else : > once; fi";
    let (sandbox, github) = opened(&[], then);
    github.model().rules = checked(2, 2);
    let told = with_token(&sandbox, "pr fix --wait").exits(0);
    assert!(told.stdout.contains("all checks passed, after 2 fixes"), "{}", told.stdout);
    assert_eq!(sandbox.attempts_of("a"), 3);
    with_token(&sandbox, "pr merge").exits(0);
    github.is_true_to_life();
}

#[test]
fn it_is_given_up_after_so_many_tries_whoever_asked() {
    let (sandbox, github) = opened(&[], "date +%N >> a.txt");
    github.model().rules = checked(0, 0);
    with_token(&sandbox, "pr fix --max 2").exits(0);
    let told = with_token(&sandbox, "pr fix --wait --max 2").exits(1);
    assert!(
        told.stdout.contains("an agent was asked 2 times, which is the most"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("--max 3"), "{}", told.stdout);
    assert_eq!(sandbox.attempts_of("a"), 3);
    let told = with_token(&sandbox, "pr fix --wait").exits(1);
    assert!(told.stdout.contains("asked 3 times"), "the default: {}", told.stdout);
    std::fs::write(sandbox.gate("then"), "echo it is the network").unwrap();
    let told = with_token(&sandbox, "pr fix --max 9").exits(1);
    assert!(told.stdout.contains("saw nothing to change"), "{}", told.stdout);
    assert!(told.stdout.contains("it says: it is the network"), "{}", told.stdout);
}

#[test]
fn checks_that_do_not_start_again_are_not_taken_for_passed() {
    let (sandbox, github) = opened(&[], "git rm -q bad.txt");
    let config = sandbox.read("orch.toml").replace("pace =", "checks_grace = \"200ms\"\npace =");
    sandbox.write("orch.toml", config);
    github.model().rules = checked(0, 0);
    with_token(&sandbox, "pr fix").exits(0);
    github.model().rules = checked(0, 1_000_000);
    let told = with_token(&sandbox, "pr fix --wait").exits(1);
    assert!(told.stdout.contains("build did not start again within 200ms"), "{}", told.stdout);
}

#[test]
fn a_fix_whose_push_was_lost_is_pushed_later_and_not_made_again() {
    let (sandbox, github) = opened(&[], "git rm -q bad.txt");
    github.model().rules = checked(0, 0);
    let bare = github.model().bare.clone();
    let away = bare.with_extension("away");
    // The remote is gone while the agent works.
    let then = format!("git rm -q bad.txt; mv '{}' '{}'", bare.display(), away.display());
    std::fs::write(sandbox.gate("then"), then).unwrap();
    let told = with_token(&sandbox, "pr fix").exits(1);
    assert!(told.stdout.contains("go on with: orch pr fix a"), "{}", told.stdout);
    std::fs::rename(away, bare).unwrap();
    let told = with_token(&sandbox, "pr fix --wait").exits(0);
    assert!(told.stdout.contains("all checks passed"), "{}", told.stdout);
    assert_eq!(sandbox.attempts_of("a"), 2);
}
