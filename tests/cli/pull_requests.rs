//! `orch pr` against a GitHub of our own: what is opened, once, and what becomes of it when GitHub fails.

use crate::support::Sandbox;
use crate::support::github::{CheckRule, GitHub, Review, Rules, Trouble};
use orch::journal::Journal;

/// The tasks `a`, `b`, ..., each of which writes a file of its own, run to their ends.
pub fn finished(names: &[&str]) -> (Sandbox, GitHub) {
    let sandbox = Sandbox::new();
    for name in names {
        sandbox.task(name, &[], &format!("echo {name} > {name}.txt"));
    }
    let github = GitHub::of(&sandbox);
    sandbox.commit_all("Prompts");
    sandbox.git(["push", "-q", "origin", "main"]);
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    (sandbox, github)
}

/// `orch` with a token.
pub fn with_token(sandbox: &Sandbox, arguments: &str) -> crate::support::Finished {
    let mut command = sandbox.command(arguments);
    command.env("GITHUB_TOKEN", "test-token");
    Sandbox::finish(command)
}

#[test]
fn a_task_has_an_issue_and_a_pull_request_once() {
    let (sandbox, github) = finished(&["a", "b"]);
    let told = with_token(&sandbox, "pr create").exits(0);
    assert!(told.stdout.contains("✓ a: opened #"), "{}", told.stdout);
    for name in ["a", "b"] {
        let status = sandbox.status_of(name);
        let url = status["pull_request"].as_str().unwrap();
        assert!(url.starts_with("https://github.com/o/r/pull/"), "{url}");
        assert!(status["issue"].as_str().unwrap().contains("/issues/"));
    }
    {
        let model = github.model();
        assert_eq!((model.issues.len(), model.pulls.len()), (3, 2));
        let pull = &model.pulls[0];
        assert_eq!((pull.base.as_str(), pull.draft), ("main", false));
        assert!(pull.body.contains("Closes #2."), "{}", pull.body);
        assert!(model.issues[0].body.contains("#2") && model.issues[0].body.contains("#3"));
        assert_eq!(model.tip(&pull.head), Some(sandbox.git(["rev-parse", &pull.head])));
    }
    let writes = github.count("POST") + github.count("PATCH");
    let told = with_token(&sandbox, "pr create").exits(0);
    assert!(told.stdout.contains("- a: is open already"), "{}", told.stdout);
    assert_eq!(github.count("POST") + github.count("PATCH"), writes, "nothing was sent again");
    github.is_true_to_life();
    sandbox.nothing_is_left_behind();
}

#[test]
fn a_lost_answer_opens_nothing_twice() {
    for path in ["/issues", "/pulls"] {
        let (sandbox, github) = finished(&["a", "b"]);
        github.fails("POST", path, Trouble::Lost, 1);
        with_token(&sandbox, "pr create").exits(0);
        let model = github.model();
        assert_eq!((model.issues.len(), model.pulls.len()), (3, 2), "{path}");
    }
}

#[test]
fn github_down_queues_the_work_and_fails_no_task() {
    let (sandbox, github) = finished(&["a"]);
    github.fails("", "/repos", Trouble::Status(502), 1000);
    let told = with_token(&sandbox, "pr create").exits(1);
    assert!(told.stdout.contains("… a: queued"), "{}", told.stdout);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
    let breakers = sandbox.status()["breakers"].clone();
    let github_breaker =
        breakers.as_array().unwrap().iter().find(|b| b["name"] == "github").unwrap();
    assert_eq!(github_breaker["state"], "open");
    let asked = github.model().requests.len();
    with_token(&sandbox, "pr create").exits(1);
    assert_eq!(github.model().requests.len(), asked, "an open breaker lets nothing through");
    github.model().faults.clear();
    with_token(&sandbox, "pr create --now").exits(0);
    assert_eq!(github.model().pulls.len(), 1);
    assert_eq!(sandbox.status_of("a")["state"], "succeeded");
}

#[test]
fn a_secondary_limit_is_waited_for() {
    let (sandbox, github) = finished(&["a"]);
    github.fails("POST", "/pulls", Trouble::Limited(Some(1)), 2);
    with_token(&sandbox, "pr create").exits(0);
    assert_eq!(github.count("POST /repos/o/r/pulls"), 3);
    assert_eq!(github.model().pulls.len(), 1);
}

#[test]
fn new_work_moves_the_pull_request_and_opens_no_other() {
    let (sandbox, github) = finished(&["a"]);
    with_token(&sandbox, "pr create").exits(0);
    let branch = sandbox.branch_of("a");
    let worktree = sandbox.worktree_of("a");
    std::fs::write(worktree.join("more.txt"), "more\n").unwrap();
    sandbox.git_in(&worktree, ["add", "."]);
    sandbox.git_in(&worktree, ["commit", "-qm", "More"]);
    let told = with_token(&sandbox, "pr create").exits(0);
    assert!(told.stdout.contains("✓ a: updated"), "{}", told.stdout);
    assert_eq!(github.model().tip(&branch), Some(sandbox.git(["rev-parse", &branch])));
    assert_eq!(github.model().pulls.len(), 1);

    // Somebody else's commit is not pushed over.
    let foreign = github.model().merge(&branch, "main", "squash");
    let tip = github.model().tip(&branch);
    assert_eq!(foreign, tip);
    std::fs::write(worktree.join("more.txt"), "even more\n").unwrap();
    sandbox.git_in(&worktree, ["commit", "-qam", "Even more"]);
    let told = with_token(&sandbox, "pr create").exits(3);
    assert!(told.stdout.contains("commits that are not from here"), "{}", told.stdout);
    assert_eq!(github.model().tip(&branch), tip);
}

#[test]
fn one_pull_request_for_all() {
    let (sandbox, github) = finished(&["a", "b"]);
    with_token(&sandbox, "pr create --unified --draft --no-issues").exits(0);
    {
        let model = github.model();
        assert_eq!((model.issues.len(), model.pulls.len()), (0, 1));
        let pull = &model.pulls[0];
        assert!(pull.draft && pull.body.contains("## The task a"), "{}", pull.body);
        for file in ["a.txt", "b.txt"] {
            assert!(model.git(&["cat-file", "-e", &format!("{}:{file}", pull.head)]).is_some());
        }
    }
    assert_eq!(sandbox.status_of("a")["pull_request"], sandbox.status_of("b")["pull_request"]);
    with_token(&sandbox, "pr create --unified --no-issues").exits(0);
    let model = github.model();
    assert_eq!((model.pulls.len(), model.pulls[0].draft), (1, false), "a draft is made ready");
}

#[test]
fn execute_opens_pull_requests_and_a_token_stays_with_orch() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo \"${GITHUB_TOKEN-none}\" > a.txt");
    let github = GitHub::of(&sandbox);
    sandbox.commit_all("Prompts");
    sandbox.git(["push", "-q", "origin", "main"]);
    with_token(&sandbox, "execute --merge pr --all-prompts").exits(0);
    assert_eq!(github.model().pulls.len(), 1);
    assert_eq!(sandbox.show(&sandbox.branch_of("a"), "a.txt"), "none");
    let kept = std::process::Command::new("grep")
        .args(["-rl", "test-token", ".git", ".worktrees"])
        .current_dir(&sandbox.repo)
        .output()
        .unwrap();
    let kept = String::from_utf8_lossy(&kept.stdout).into_owned();
    assert_eq!(kept, "", "the token is nowhere");
}

#[test]
fn without_a_token_it_says_where_to_get_one() {
    let (sandbox, github) = finished(&["a"]);
    let told = sandbox.orch("pr create").exits(2);
    assert!(
        told.stderr.contains("GITHUB_TOKEN") && told.stderr.contains("gh auth login"),
        "{}",
        told.stderr
    );
    assert_eq!(github.model().requests.len(), 0);
    let mut wrong = sandbox.command("pr create");
    wrong.env("GITHUB_TOKEN", "wrong");
    let told = Sandbox::finish(wrong).exits(2);
    assert!(told.stderr.contains("does not accept the token"), "{}", told.stderr);
}

/// Finished tasks with open pull requests, and rules for their merging.
pub fn opened(names: &[&str], rules: Rules) -> (Sandbox, GitHub) {
    let (sandbox, github) = finished(names);
    github.model().rules = rules;
    with_token(&sandbox, "pr create --no-issues").exits(0);
    (sandbox, github)
}

pub fn check(
    name: &'static str,
    required: bool,
    looks: u32,
    fails_with: Option<&'static str>,
) -> CheckRule {
    CheckRule { name, required, looks, fails_with, ..CheckRule::default() }
}

#[test]
fn pull_requests_are_merged_in_order_and_known_as_merged() {
    let (sandbox, github) =
        opened(&["a", "b", "c"], Rules { slow_mergeability: 3, ..Rules::default() });
    let told = with_token(&sandbox, "pr merge --batch").exits(0);
    assert!(told.stdout.contains("3 of 3 merged"), "{}", told.stdout);
    for name in ["a", "b", "c"] {
        assert_eq!(sandbox.status_of(name)["state"], "merged");
        let there = github.model().git(&["cat-file", "-e", &format!("main:{name}.txt")]);
        assert!(there.is_some(), "{name}");
    }
    assert!(github.model().unchanged > 0, "what did not change is not sent again");
    assert_eq!(github.count("PUT"), 3);
    let told = with_token(&sandbox, "pr merge").exits(0);
    assert!(told.stdout.contains("0 of 0 merged"), "{}", told.stdout);
    github.is_true_to_life();
}

#[test]
fn required_checks_and_reviews_are_waited_for_and_what_fails_is_given_back() {
    let rules = Rules {
        checks: vec![check("build", true, 2, Some("b.txt"))],
        approvals: 1,
        ..Rules::default()
    };
    let (sandbox, github) = opened(&["a", "b"], rules);
    let told = with_token(&sandbox, "pr merge").exits(1);
    assert!(told.stdout.contains("a: #1 is not merged yet: checks: build"), "{}", told.stdout);
    // Checks first, then a person.
    with_token(&sandbox, "pr merge").exits(1);
    let told = with_token(&sandbox, "pr merge").exits(3);
    assert!(told.stdout.contains("a review"), "{}", told.stdout);
    assert!(
        told.stdout.contains("b: #2 is not merged, these checks failed: build"),
        "{}",
        told.stdout
    );
    let shown = with_token(&sandbox, "pr status").exits(0);
    assert!(shown.stdout.contains("failed: build"), "{}", shown.stdout);
    let head = github.model().tip(&sandbox.branch_of("a")).unwrap();
    github.model().reviews.push(Review {
        pull: 1,
        author: "ada".into(),
        state: "APPROVED",
        commit: head,
        body: String::new(),
    });
    let told = with_token(&sandbox, "pr merge --wait").exits(3);
    assert!(told.stdout.contains("✓ a: #1 is merged"), "{}", told.stdout);
    assert_eq!(sandbox.status_of("b")["state"], "succeeded");
    let shown = with_token(&sandbox, "pr status --json").exits(0).json();
    assert_eq!(shown["pull_requests"][0]["state"], "merged");
    assert_eq!(shown["pull_requests"][1]["checks"][0]["state"], "failed");
    github.is_true_to_life();
}

#[test]
fn a_conflict_is_given_back_and_the_rest_is_merged() {
    let sandbox = Sandbox::new();
    sandbox.task("left", &[], "echo left > src/count.txt");
    sandbox.task("right", &[], "echo right > src/count.txt");
    sandbox.task("other", &[], "echo other > other.txt");
    let github = GitHub::of(&sandbox);
    sandbox.commit_all("Prompts");
    sandbox.git(["push", "-q", "origin", "main"]);
    sandbox.orch("execute --parallel --merge pr --all-prompts").exits(0);
    with_token(&sandbox, "pr create --no-issues").exits(0);
    let told = with_token(&sandbox, "pr merge").exits(3);
    assert!(
        told.stdout.contains("right: #3 is not merged, it conflicts with main"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("2 of 3 merged"), "{}", told.stdout);
    assert_eq!(github.model().git(&["show", "main:src/count.txt"]).unwrap(), "left");
}

#[test]
fn a_branch_that_must_be_up_to_date_is_brought_there() {
    let rules =
        Rules { checks: vec![check("build", true, 1, None)], strict: true, ..Rules::default() };
    let (sandbox, github) = opened(&["a", "b"], rules);
    with_token(&sandbox, "pr merge --wait --method squash").exits(0);
    assert_eq!(github.count("update-branch"), 1, "only the second was behind");
    assert_eq!(github.count("PUT"), 3);
    github.is_true_to_life();
}

#[test]
fn what_somebody_pushed_is_not_merged() {
    let (sandbox, github) = opened(&["a"], Rules::default());
    let branch = sandbox.branch_of("a");
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "Elsewhere"]);
    sandbox.git(["push", "-q", "origin", "main"]);
    github.model().merge(&branch, "main", "merge").unwrap();
    let told = with_token(&sandbox, "pr merge").exits(3);
    assert!(told.stdout.contains("commits that are not from here"), "{}", told.stdout);
    assert_eq!(github.count("PUT"), 0);
}

#[test]
fn a_lost_answer_to_a_merge_merges_once() {
    let (sandbox, github) = opened(&["a", "b"], Rules::default());
    let before: u32 = github
        .model()
        .git(&["rev-list", "--count", "--first-parent", "main"])
        .unwrap()
        .parse()
        .unwrap();
    github.fails("PUT", "/merge", Trouble::Lost, 1);
    with_token(&sandbox, "pr merge").exits(0);
    let after: u32 = github
        .model()
        .git(&["rev-list", "--count", "--first-parent", "main"])
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(after - before, 2);
    assert_eq!(sandbox.status_of("a")["state"], "merged");
}

#[test]
fn a_merge_queue_and_auto_merge_are_used_where_they_are() {
    let (sandbox, github) = opened(&["a"], Rules { merge_queue: true, ..Rules::default() });
    let told = with_token(&sandbox, "pr merge").exits(0);
    assert!(told.stdout.contains("merge queue"), "{}", told.stdout);
    assert_eq!(github.count("PUT"), 0);
    with_token(&sandbox, "pr merge --wait").exits(0);
    assert_eq!(sandbox.status_of("a")["state"], "merged");

    let rules =
        Rules { checks: vec![check("build", true, 3, None)], auto_merge: true, ..Rules::default() };
    let (sandbox, github) = opened(&["a"], rules);
    let told = with_token(&sandbox, "pr merge").exits(0);
    assert!(told.stdout.contains("merges itself"), "{}", told.stdout);
    assert!(github.model().pulls[0].auto_merge);
}

#[test]
fn what_builds_on_another_goes_after_it() {
    let sandbox = Sandbox::new();
    sandbox.task("z", &[], "echo z > z.txt");
    sandbox.task("a", &["depends_on: [z]"], "echo a > a.txt");
    let github = GitHub::of(&sandbox);
    sandbox.commit_all("Prompts");
    sandbox.git(["push", "-q", "origin", "main"]);
    sandbox.orch("execute --parallel --all-prompts").exits(0);
    github.model().rules.checks = vec![check("build", true, 1, Some("a.txt"))];
    with_token(&sandbox, "pr create --no-issues").exits(0);
    let body = github.model().pulls[1].body.clone();
    assert!(body.contains("after `z` (#1): declared"), "{body}");
    let told = with_token(&sandbox, "pr merge a").exits(3);
    assert!(told.stdout.contains("as z is not, which it builds on"), "{}", told.stdout);
    with_token(&sandbox, "pr merge --wait").exits(3);
    assert_eq!(sandbox.status_of("z")["state"], "merged");
}

/// A generator of small numbers from a seed (xorshift), so that a case can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(below)).unwrap()
    }
}

/// Runs `orch`, and kills it when GitHub gets its `after`th request from now, if that comes.
pub fn killed_at(sandbox: &Sandbox, github: &GitHub, arguments: &str, after: usize) -> Option<i32> {
    let from = github.model().requests.len();
    let mut command = sandbox.command(arguments);
    command.env("GITHUB_TOKEN", "test-token").stdout(std::process::Stdio::null());
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut code = None;
    crate::support::wait_until("orch ends or asks", || {
        code = child.try_wait().unwrap();
        code.is_some() || github.model().requests.len() >= from + after
    });
    if code.is_none() {
        child.kill().unwrap();
    }
    child.wait().unwrap().code()
}

/// Faults and kills in any mixture. `ORCH_TEST_CASES=200` tries so many, `ORCH_TEST_SEED` begins elsewhere.
#[test]
fn any_mixture_of_faults_and_kills_opens_once_and_merges_once() {
    let number = |name: &str, default| {
        std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
    };
    let (cases, seed) = (number("ORCH_TEST_CASES", 3), number("ORCH_TEST_SEED", 1));
    for case in seed..seed + cases {
        one_case(case);
    }
}

fn one_case(case: u64) {
    let mut dice = Dice(case.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (sandbox, github) = finished(&["a", "b", "c"]);
    // Shorter than anybody's patience; what is done late is late by more than an answer may take.
    let config = sandbox.read("orch.toml").replace("timeout = \"2s\"", "timeout = \"1s\"");
    sandbox.write("orch.toml", config);
    github.model().rules.slow_mergeability = dice.roll(3);
    for command in ["pr create --now", "pr merge --now"] {
        for _ in 0..dice.roll(5) {
            let what = match dice.roll(5) {
                0 => Trouble::Status(502),
                1 => Trouble::Reset,
                2 => Trouble::Lost,
                3 => Trouble::Slow(1_500),
                _ => Trouble::Limited(Some(0)),
            };
            let verb = ["POST", "GET", "PUT", "PATCH", ""][dice.roll(5) as usize];
            github.fails(verb, "/", what, 1 + dice.roll(2));
        }
        for _ in 0..dice.roll(4) {
            killed_at(&sandbox, &github, command, 1 + dice.roll(12) as usize);
        }
        let mut tries = 0;
        crate::support::wait_until(&format!("case {case}: {command} succeeds"), || {
            tries += 1;
            if tries > 2 {
                github.model().faults.clear();
            }
            with_token(&sandbox, command).code == 0
        });
        github.model().faults.clear();
    }
    let model = github.model();
    let mut titles: Vec<_> = model.issues.iter().map(|issue| issue.title.as_str()).collect();
    let issues = titles.len();
    titles.sort_unstable();
    titles.dedup();
    assert_eq!(
        (titles.len(), issues),
        (4, 4),
        "case {case}: {titles:?}\n{}",
        model.requests.join("\n")
    );
    let mut heads: Vec<_> = model.pulls.iter().map(|pull| pull.head.as_str()).collect();
    heads.sort_unstable();
    heads.dedup();
    assert_eq!(
        (heads.len(), model.pulls.len()),
        (3, 3),
        "case {case}\n{}",
        model.requests.join("\n")
    );
    assert!(model.pulls.iter().all(|pull| pull.merged.is_some()), "case {case}");
    let merges = model.git(&["rev-list", "--count", "--merges", "main"]).unwrap();
    assert_eq!(merges, "3", "case {case}");
    assert!(model.mistakes.is_empty(), "case {case}: {:?}", model.mistakes);
    drop(model);
    for name in ["a", "b", "c"] {
        assert_eq!(sandbox.status_of(name)["state"], "merged", "case {case}");
    }
}

#[test]
fn a_rollup_is_tested_once_and_halved_until_what_breaks_is_found() {
    let rules = Rules { checks: vec![check("build", true, 1, Some("c.txt"))], ..Rules::default() };
    let (sandbox, github) = opened(&["a", "b", "c", "d"], rules);
    let told = with_token(&sandbox, "pr merge --rollup --wait").exits(3);
    assert!(told.stdout.contains("3 of 4 merged"), "{}", told.stdout);
    assert!(
        told.stdout.contains("c: #3 is not merged, these checks failed: build"),
        "{}",
        told.stdout
    );
    for name in ["a", "b", "d"] {
        assert_eq!(sandbox.status_of(name)["state"], "merged", "{name}");
        assert!(github.model().git(&["cat-file", "-e", &format!("main:{name}.txt")]).is_some());
    }
    assert!(github.model().git(&["cat-file", "-e", "main:c.txt"]).is_none());
    let left = github.model().git(&["for-each-ref", "refs/heads/orch/rollup*"]).unwrap();
    assert_eq!(left, "", "their branches are removed");
    github.is_true_to_life();
}

/// Runs the command until it is done, killed before and after every record that it writes, one after another;
/// how often it was.
pub fn killed_at_any_record(sandbox: &Sandbox, command: &str) -> u32 {
    let path = sandbox.repo.join(".git/orch/journal.db");
    let last = || {
        let journal = Journal::open_existing(&path).unwrap().unwrap();
        let run = journal.find_run("latest").unwrap().unwrap();
        journal.events_after(&run, 0).unwrap().last().unwrap().seq
    };
    let mut kills = 0;
    // An intent that nobody answered is written anew: it takes the second record to get on.
    for (place, further) in
        [("before", 1), ("after", 1), ("before", 2), ("after", 2)].iter().cycle()
    {
        let mut process = sandbox.command(command);
        let at = last() + further;
        process.env("GITHUB_TOKEN", "test-token").env("ORCH_CRASH", format!("{place}:{at}"));
        let told = Sandbox::finish(process);
        if told.code == 0 {
            break;
        }
        assert_eq!(told.code, 137, "{place}:{at}: {told:?}");
        kills += 1;
    }
    kills
}

/// Dies before and after every record that opening and merging write, one after another: before an outcome
/// is written, its request has been answered.
#[test]
fn a_kill_at_any_record_opens_once_and_merges_once() {
    let (sandbox, github) = finished(&["a", "b"]);
    let config = sandbox.read("orch.toml").replace("timeout = \"2s\"", "timeout = \"700ms\"");
    sandbox.write("orch.toml", config);
    let commands = ["pr create", "pr merge"];
    let kills: u32 = commands.iter().map(|command| killed_at_any_record(&sandbox, command)).sum();
    assert!(kills >= 30, "{kills} kills");
    let model = github.model();
    assert_eq!((model.issues.len(), model.pulls.len()), (3, 2), "{}", model.requests.join("\n"));
    assert_eq!(model.git(&["rev-list", "--count", "--merges", "main"]).unwrap(), "2");
    assert!(model.pulls.iter().all(|pull| pull.merged.is_some()));
    drop(model);
    for name in ["a", "b"] {
        assert_eq!(sandbox.status_of(name)["state"], "merged");
    }
}

#[test]
fn a_failed_run_is_reported_once_and_tells_no_secrets() {
    let sandbox = Sandbox::new();
    sandbox.task("a", &[], "echo a > a.txt");
    let secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    sandbox.task("bad", &[], &format!("echo it broke with {secret}; exit 3"));
    let github = GitHub::of(&sandbox);
    sandbox.commit_all("Prompts");
    sandbox.orch("execute --all-prompts").exits(1);
    github.fails("POST", "/issues", Trouble::Lost, 1);
    with_token(&sandbox, "report --issue").exits(1);
    let told = with_token(&sandbox, "report --issue").exits(0);
    assert!(told.stdout.contains("https://github.com/o/r/issues/1"), "{}", told.stdout);
    let model = github.model();
    assert_eq!(model.issues.len(), 1);
    let issue = &model.issues[0];
    assert!(issue.title.contains("bad failed"), "{}", issue.title);
    assert!(issue.body.contains("it broke with"), "{}", issue.body);
    assert!(!issue.body.contains("456789abcdef"), "{}", issue.body);
    drop(model);
    github.is_true_to_life();
}

#[test]
fn what_is_not_verified_is_a_draft_until_it_is() {
    let sandbox = Sandbox::new();
    let verify = "verify: ['test -e ok.txt']";
    let behaviour = "echo a >> a.txt; [ ! -e $SANDBOX/gates/mended ] || : > ok.txt";
    sandbox.task("a", &[verify], behaviour);
    let github = GitHub::of(&sandbox);
    sandbox.commit_all("Prompts");
    sandbox.git(["push", "-q", "origin", "main"]);
    sandbox.orch("execute --all-prompts").exits(1);
    let told = with_token(&sandbox, "pr create").exits(0);
    assert!(told.stdout.contains("no pull request, it is failed"), "{}", told.stdout);
    with_token(&sandbox, "pr create a").exits(0);
    {
        let model = github.model();
        assert!(model.pulls[0].draft, "its verification failed");
        assert!(
            model.pulls[0].body.contains("failed: `test -e ok.txt`"),
            "{}",
            model.pulls[0].body
        );
    }
    let told = with_token(&sandbox, "pr merge").exits(3);
    assert!(told.stdout.contains("it is a draft"), "{}", told.stdout);
    sandbox.open("mended");
    sandbox.orch("retry a").exits(0);
    let told = with_token(&sandbox, "pr create").exits(0);
    assert!(told.stdout.contains("✓ a: updated"), "{}", told.stdout);
    {
        let model = github.model();
        assert_eq!((model.pulls.len(), model.pulls[0].draft), (1, false));
        assert!(
            model.pulls[0].body.contains("passed: `test -e ok.txt`"),
            "{}",
            model.pulls[0].body
        );
    }
    with_token(&sandbox, "pr merge").exits(0);
    github.is_true_to_life();
}
