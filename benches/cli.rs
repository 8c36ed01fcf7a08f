//! What a person waits for at the prompt: start-up, `status` and `plan` as whole processes. The
//! figures against other tools are in `scripts/bench`; these are for finding out what made them worse.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must end")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Prompts that are planned, and files each of them may name.
const PROMPTS: usize = 50;
const FILES: usize = 1000;

fn furnished(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .env("HOME", dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", dir.join(".git/none"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn run(program: &str, dir: &Path, arguments: &[&str]) {
    let status = furnished(program, dir).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

/// A repository with prompts, of which one has been executed.
fn repository() -> TempDir {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("prompts")).unwrap();
    for n in 0..FILES {
        let folder = root.join(format!("src/{}", n / 100));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("file{n}.txt")), "text\n").unwrap();
    }
    for n in 0..PROMPTS {
        let text = format!(
            "---\nagent: shell\n---\n# Task {n}\n\nChange `src/{}/file{}.txt`.\n\n```sh\ntrue\n```\n",
            n * 7 / 100,
            n * 7
        );
        fs::write(root.join(format!("prompts/p{n}.md")), text).unwrap();
    }
    run("git", root, &["init", "-q", "-b", "main"]);
    run("git", root, &["config", "user.name", "Bench"]);
    run("git", root, &["config", "user.email", "bench@example.com"]);
    run("git", root, &["add", "."]);
    run("git", root, &["commit", "-qm", "Start"]);
    run(ORCH, root, &["execute", "--tasks", "prompts/p0.md"]);
    dir
}

const ORCH: &str = env!("CARGO_BIN_EXE_orch");

fn commands(criterion: &mut Criterion) {
    let dir = repository();
    for (name, arguments) in [
        ("start-up", &["--version"][..]),
        ("status", &["status"]),
        ("plan 50 prompts, 1,000 files", &["plan", "--all-prompts"]),
    ] {
        criterion.bench_function(name, |b| b.iter(|| run(ORCH, dir.path(), arguments)));
    }
}

criterion_group!(benches, commands);
criterion_main!(benches);
