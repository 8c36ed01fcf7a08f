//! An agent that was lost goes on with its own session, in the worktree as it left it.

use crate::pull_requests::with_token;
use crate::support::github::GitHub;
use crate::support::{Sandbox, wait_until};
use nix::sys::signal::{Signal, kill};
use std::fs;

/// Speaks claude's dialect; writes down what it was started with. Fresh, it waits; resumed, it is done.
const TALKER: &str = r#"
SANDBOX=$1; shift
n=$(ls "$SANDBOX/gates" | grep -c '^told\.')
echo "$@" > "$SANDBOX/gates/args.$n"
cat > "$SANDBOX/gates/told.$n"
printf '{"type":"system","subtype":"init","session_id":"89848c1a-60ef-4538-ada3-4f9d2b625bea"}\n'
if [ -n "$2" ] && [ -e "$SANDBOX/gates/forgotten" ]; then
    printf '{"type":"result","subtype":"error_during_execution","is_error":true,"num_turns":0,"session_id":"%s","errors":["No conversation found with session ID: %s"]}\n' "$2" "$2"
    exit 1
fi
if [ -z "$2" ]; then
    echo half > half.txt
    : > "$SANDBOX/gates/started"
    while [ ! -e "$SANDBOX/gates/go" ]; do sleep 0.02; done
fi
echo whole >> whole.txt
printf '{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"done","session_id":"89848c1a-60ef-4538-ada3-4f9d2b625bea","total_cost_usd":0.1}\n'
"#;

fn talker(resume_command: bool) -> Sandbox {
    let sandbox = Sandbox::new();
    let script = sandbox.root.join("agents/talker");
    fs::write(&script, TALKER).unwrap();
    let start = format!("\"/bin/sh\", \"{}\", \"{}\"", script.display(), sandbox.root.display());
    let command = if resume_command {
        format!(
            "command = [{start}, \"fresh\"]\nresume_command = [{start}, \"again\", \"{{session}}\"]"
        )
    } else {
        format!("command = [{start}, \"--resume\", \"{{session}}\"]")
    };
    sandbox.config(&format!(
        "grace = \"1s\"\n[agents.talker]\n{command}\nprompt = \"stdin\"\noutput = \"claude\""
    ));
    sandbox.prompt("a", &["agent: talker"], "# Write it\n\nWrite both halves.\n");
    sandbox
}

fn gate(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.gate(name)).unwrap()
}

fn went_on(sandbox: &Sandbox, args: &str) {
    assert_eq!(gate(sandbox, "args.1").trim(), args);
    let (first, second) = (gate(sandbox, "told.0"), gate(sandbox, "told.1"));
    assert!(first.contains("Write both halves"), "{first}");
    assert!(second.contains("interrupted") && !second.contains("Write both halves"), "{second}");
    let branch = sandbox.branch_of("a");
    assert_eq!(sandbox.show(&branch, "half.txt"), "half");
    assert_eq!(sandbox.show(&branch, "whole.txt"), "whole");
    let attempts = sandbox.status_of("a")["attempts"].clone();
    assert_eq!(attempts[0]["session"], "89848c1a-60ef-4538-ada3-4f9d2b625bea", "{attempts}");
    sandbox.nothing_is_left_behind();
}

#[test]
fn an_agent_whose_shim_died_goes_on_with_its_session() {
    let sandbox = talker(false);
    let run = sandbox.start("execute --all-prompts");
    wait_until("it started", || sandbox.gate("started").exists());
    kill(sandbox.shim_of("a"), Signal::SIGKILL).unwrap();
    run.finish().exits(0);
    went_on(&sandbox, "--resume 89848c1a-60ef-4538-ada3-4f9d2b625bea");
}

#[test]
fn an_agent_that_died_with_its_supervisor_goes_on_with_its_session() {
    let sandbox = talker(true);
    let run = sandbox.start("execute --all-prompts");
    wait_until("it started", || sandbox.gate("started").exists());
    let shim = sandbox.shim_of("a");
    run.signal(Signal::SIGKILL);
    run.finish();
    kill(shim, Signal::SIGKILL).unwrap();
    sandbox.no_process_is_left();
    sandbox.orch("resume").exits(0);
    went_on(&sandbox, "again 89848c1a-60ef-4538-ada3-4f9d2b625bea");
}

#[test]
fn an_agent_that_has_forgotten_its_session_begins_another_in_the_same_worktree() {
    let sandbox = talker(false);
    let run = sandbox.start("execute --all-prompts");
    wait_until("it started", || sandbox.gate("started").exists());
    sandbox.open("forgotten");
    kill(sandbox.shim_of("a"), Signal::SIGKILL).unwrap();
    // Only now: the first must not come to its end.
    sandbox.open("go");
    run.finish().exits(0);
    let args = [0, 1, 2].map(|n| gate(&sandbox, &format!("args.{n}")).trim().to_owned());
    assert_eq!(args, ["", "--resume 89848c1a-60ef-4538-ada3-4f9d2b625bea", ""]);
    let third = gate(&sandbox, "told.2");
    assert!(
        third.contains("Write both halves") && third.contains("as that attempt left it"),
        "{third}"
    );
    assert_eq!(sandbox.status_of("a")["attempts"][1]["outcome"], "session_gone");
    assert_eq!(sandbox.show(&sandbox.branch_of("a"), "whole.txt"), "whole");
}

/// What is asked for in a review goes on with the session that did the work, or begins another where that is
/// not known any more.
#[test]
fn a_review_is_addressed_in_the_session_that_did_the_work() {
    for forgotten in [false, true] {
        let sandbox = talker(false);
        let github = GitHub::of(&sandbox);
        sandbox.commit_all("Prompts");
        sandbox.git(["push", "-q", "origin", "main"]);
        sandbox.open("go");
        sandbox.orch("execute --all-prompts").exits(0);
        with_token(&sandbox, "pr create --no-issues").exits(0);
        github.model().remarks(1, "ada", "MEMBER", "and a third half");
        if forgotten {
            sandbox.open("forgotten");
        }
        with_token(&sandbox, "pr address").exits(0);
        let id = "--resume 89848c1a-60ef-4538-ada3-4f9d2b625bea";
        assert_eq!(gate(&sandbox, "args.1").trim(), id);
        let told = gate(&sandbox, "told.1");
        assert!(told.contains("third half") && !told.contains("Write both halves"), "{told}");
        if forgotten {
            assert_eq!(gate(&sandbox, "args.2").trim(), "");
            let told = gate(&sandbox, "told.2");
            assert!(told.contains("third half") && told.contains("Write both halves"), "{told}");
        }
        let status = sandbox.status_of("a");
        let last = status["attempts"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (last["step"].as_str(), last["cost_usd"].as_f64()),
            (Some("address"), Some(0.1))
        );
        assert_eq!(github.model().answers().len(), 1);
    }
}
