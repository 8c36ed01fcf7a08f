//! Help and completions.

use crate::support::Sandbox;

const COMMANDS: [&str; 15] = [
    "init",
    "plan",
    "execute",
    "status",
    "logs",
    "diff",
    "resume",
    "cancel",
    "retry",
    "merge",
    "clean",
    "doctor",
    "ps",
    "report",
    "completions",
];

#[test]
fn every_command_shows_an_example() {
    let sandbox = Sandbox::without_repository();
    for command in COMMANDS {
        let help = sandbox.orch(&format!("{command} --help")).exits(0).stdout;
        assert!(help.contains(&format!("orch {command}")), "{command}:\n{help}");
        assert!(help.to_lowercase().contains("example"), "{command}:\n{help}");
    }
}

#[test]
fn the_overview_names_every_command() {
    let help = Sandbox::without_repository().orch("--help").exits(0).stdout;
    for command in COMMANDS {
        assert!(help.contains(command), "{command} is missing:\n{help}");
    }
}

#[test]
fn shells_are_completed() {
    let sandbox = Sandbox::without_repository();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.orch(&format!("completions {shell}")).exits(0).stdout;
        assert!(script.contains("execute"), "{shell}:\n{script}");
    }
}

#[test]
fn a_mistyped_command_is_wrong_usage() {
    Sandbox::without_repository().orch("exceute").exits(2).complains("execute");
}
