//! Which of fifty branches conflict with which, against `git merge-tree` for each of the 1,225 pairs, in one
//! run: 10,000 files, and branches of which some change the same files.
//!
//! `cargo bench --bench merging`. The repository is made under `TMPDIR`.

use orch::git::Repo;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const FILES: usize = 10_000;
const BRANCHES: usize = 50;

fn main() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let root = dir.path().join("repo");
    let commits = make_repository(&root)?;
    let repo = Repo::discover(&root)?;
    let mut ours = Vec::new();
    let mut found = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        found = repo.clashes(&commits)?;
        ours.push(began.elapsed());
    }
    ours.sort();
    let began = Instant::now();
    let mut expected = BTreeSet::new();
    for (one, a) in commits.iter().enumerate() {
        for (other, b) in commits.iter().enumerate().skip(one + 1) {
            let args = ["merge-tree", "--write-tree", "--no-messages", a, b];
            let code = command(&root, &args).stdout(Stdio::null()).status()?.code();
            if code == Some(1) {
                expected.insert((one, other));
            }
        }
    }
    let theirs = began.elapsed();
    let found: BTreeSet<_> = found.iter().map(|pair| (pair.one, pair.other)).collect();
    assert_eq!(found, expected, "not the same pairs");
    let pairs = BRANCHES * (BRANCHES - 1) / 2;
    println!("| pairs | in conflict | git merge-tree s | orch s (median of 5) | ratio |");
    println!("|---|---|---|---|---|");
    println!(
        "| {pairs} | {} | {:.2} | {:.3} | {:.0} |",
        found.len(),
        theirs.as_secs_f64(),
        ours[2].as_secs_f64(),
        theirs.as_secs_f64() / ours[2].as_secs_f64()
    );
    Ok(())
}

/// Every branch changes twelve files of its own; each fifth one a line of a file that all of those share, and
/// two of three of these the same line.
fn make_repository(root: &Path) -> Outcome<Vec<String>> {
    fs::create_dir_all(root)?;
    git(root, &["init", "-q", "-b", "main"], "")?;
    for (key, value) in [("user.name", "Bench"), ("user.email", "b@example.com"), ("gc.auto", "0")]
    {
        git(root, &["config", key, value], "")?;
    }
    let text = |n: usize| {
        (0..40).fold(String::new(), |mut text, line| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "pub fn f{n}_{line}() {{}}");
            text
        })
    };
    let path = |n: usize| format!("crates/c{}/m{}/file_{n}.rs", n / 500, n / 10);
    let mut stream = String::from(
        "commit refs/heads/main\nmark :1\ncommitter B <b@e.c> 0 +0000\ndata 5\nfirst\n",
    );
    let file = |n: usize, text: &str| {
        format!("M 100644 inline {}\ndata {}\n{text}\n", path(n), text.len())
    };
    for n in 0..FILES {
        stream.push_str(&file(n, &text(n)));
    }
    for branch in 0..BRANCHES {
        let _ = write!(
            stream,
            "commit refs/heads/b{branch}\ncommitter B <b@e.c> 1 +0000\ndata 4\nwork\nfrom :1\n"
        );
        for n in 0..12 {
            let n = (branch * 199 + n * 17 + 20) % (FILES - 20) + 20;
            stream.push_str(&file(n, &text(n).replace("_7()", &format!("_7_{branch}()"))));
        }
        if branch % 5 == 0 {
            let line = if branch % 3 == 0 { branch / 2 } else { 30 };
            let changed = text(3).replace(&format!("_{line}()"), &format!("_of_{branch}()"));
            stream.push_str(&file(3, &changed));
        }
    }
    git(root, &["fast-import", "--quiet"], &stream)?;
    git(root, &["repack", "-adq"], "")?;
    (0..BRANCHES).map(|n| git(root, &["rev-parse", &format!("b{n}")], "")).collect()
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

fn git(dir: &Path, args: &[&str], input: &str) -> Outcome<String> {
    let mut child = command(dir, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().ok_or("no input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
