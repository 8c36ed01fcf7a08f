use super::*;
use crate::agent::{Ended, LaunchContext, Reader, find_builtin, launch};
use crate::model::{Ending, Exit, FailureClass, Timestamp};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// Runs blocks as `orch` would, and gives back what was printed, the exit and the reader's view of it.
fn run(interpreter: Option<&[&str]>, blocks: &[&str]) -> (String, Exit, crate::agent::Verdict) {
    let root = tempfile::tempdir().unwrap();
    let mut profile = find_builtin("shell").unwrap().clone();
    if let Some(words) = interpreter {
        profile.command = words.iter().map(ToString::to_string).collect();
    }
    let blocks: Vec<ShellBlock> = blocks
        .iter()
        .zip([3, 10, 20, 30])
        .map(|(text, line)| ShellBlock { line, text: (*text).to_owned() })
        .collect();
    let launch = launch(
        &profile,
        &LaunchContext {
            prompt_text: "",
            prompt_file: &root.path().join("prompt.md"),
            worktree: root.path(),
            model: None,
            session: None,
            attempt_dir: root.path(),
            shell_blocks: &blocks,
            env: &BTreeMap::new(),
        },
    )
    .unwrap();
    assert_eq!(launch.stdin, None);
    let output = Command::new(&launch.argv[0])
        .args(&launch.argv[1..])
        .current_dir(root.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let exit = Exit { code: output.status.code(), signal: None };
    let mut reader = Reader::new(&profile);
    reader.feed(&output.stdout);
    reader.feed_stderr(&output.stderr);
    let ended =
        Ended { exit, stopped: None, changed: Some(false), spawn_error: None, now: Timestamp(0) };
    (String::from_utf8(output.stdout).unwrap(), exit, reader.finish(ended))
}

#[test]
fn blocks_run_in_order_each_on_its_own() {
    let (printed, exit, verdict) = run(
        None,
        &["echo one; x=1; exit 0; echo no", "cat; echo \"two${x-}\"", "cd /; echo three"],
    );
    assert_eq!(exit.code, Some(0));
    // Standard output is the blocks' own, byte for byte.
    assert_eq!(printed, "one\ntwo\nthree\n");
    assert_eq!(verdict.ending, Ending::Succeeded);
    assert_eq!(verdict.note.as_deref(), Some("three"));
}

#[test]
fn the_first_failure_ends_it_and_is_named() {
    let (printed, exit, verdict) =
        run(None, &["echo one", "echo 'disk is full' >&2\nfalse\necho unreached", "echo never"]);
    assert_eq!(exit.code, Some(1));
    assert!(!printed.contains("unreached") && !printed.contains("never"), "{printed}");
    let failure = verdict.ending.failure().unwrap();
    assert_eq!(failure.class, FailureClass::Crashed);
    assert_eq!(failure.message, "block 2 (line 10) exited with 1: disk is full");
}

#[test]
fn a_missing_command_is_a_bad_command_and_a_killed_one_is_killed() {
    let (_, exit, verdict) = run(None, &["no-such-command-at-all --x"]);
    assert_eq!(exit.code, Some(127));
    assert_eq!(verdict.ending.failure().unwrap().class, FailureClass::BadCommand);
    let (_, exit, verdict) = run(None, &["kill -9 $$"]);
    assert_eq!(exit.code, Some(137));
    let failure = verdict.ending.failure().unwrap();
    assert_eq!(failure.class, FailureClass::Killed);
    assert!(
        failure.message.starts_with("block 1 (line 3): ended by signal 9"),
        "{}",
        failure.message
    );
}

#[test]
fn a_failing_block_is_named_by_what_it_printed_and_not_by_its_announcement() {
    let (_, _, verdict) = run(None, &["echo fine", "echo 'no such row'; exit 3"]);
    assert_eq!(
        verdict.ending.failure().unwrap().message,
        "block 2 (line 10) exited with 3: no such row"
    );
    let (_, _, verdict) = run(None, &["exit 3"]);
    assert_eq!(verdict.ending.failure().unwrap().message, "block 1 (line 3) exited with 3");
    // A block cannot pass for another one on standard output.
    let (printed, _, verdict) = run(None, &["echo '+ block 7 (line 9)'; exit 3"]);
    assert_eq!(printed, "+ block 7 (line 9)\n");
    let message = &verdict.ending.failure().unwrap().message;
    assert!(message.starts_with("block 1 (line 3) exited with 3"), "{message}");
}

#[test]
fn words_of_a_service_mean_nothing_in_a_block() {
    let (_, _, verdict) = run(None, &["echo 'error: 401 unauthorized' >&2; exit 4"]);
    assert_eq!(verdict.ending.failure().unwrap().class, FailureClass::Crashed);
}

#[test]
fn the_interpreter_is_the_profiles_command() {
    let (printed, ..) = run(Some(&["sh", "-eu", "-x"]), &["echo 'it''s'"]);
    assert!(printed.contains("its"), "{printed}");
    let (_, exit, _) = run(Some(&["sh", "-eu"]), &["echo $unset_variable"]);
    assert_ne!(exit.code, Some(0));
    assert_eq!(quoted("it's $x"), r"'it'\''s $x'");
}

#[test]
fn no_block_is_an_error() {
    let error =
        write_blocks(find_builtin("shell").unwrap(), Path::new("/nowhere"), &[]).unwrap_err();
    assert!(error.to_string().contains("no fenced sh block"), "{error}");
}
