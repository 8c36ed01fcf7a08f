//! Worktree creation against `git worktree add`, in one run, as a table of ratios.
//!
//! `cargo bench --bench worktrees` measures 500 and 10,000 files, `-- 80000` what is named; `-- at-once 100`
//! makes twenty worktrees of 10,000 files at once, a hundred times, and counts what fails. The
//! repositories are made under `TMPDIR`. Not a criterion bench: every measurement needs a new
//! worktree, and git and `orch` must take turns so that a busy machine is unfair to both alike.
//! Nothing is deleted before the end: on ext4 the kernel searches past every inode that was deleted
//! in the last minutes, and both would only measure that.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use orch::git::{PoolLimits, Repo, WorktreeSpec, Worktrees};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == "at-once") {
        let rounds = words.get(at + 1).and_then(|word| word.parse().ok()).unwrap_or(100);
        return at_once(rounds);
    }
    // Cargo adds arguments of its own.
    let mut sizes: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![500, 10_000];
    }
    println!(
        "| files | what | git ms | orch ms | ratio | git CPU ms | orch CPU ms | status after git ms | after orch ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let dir = tempfile::tempdir()?;
    for files in sizes {
        // As often as fits: all worktrees together hold about half a million files.
        let rounds = (100_000 / files).clamp(3, 15);
        measure(&dir.path().join(files.to_string()), files, rounds)?;
    }
    Ok(())
}

/// Worktrees at once, and files in each.
const AT_ONCE: (usize, usize) = (20, 10_000);

/// Half of the worktrees are made as another process would. Every one must be whole and clean.
fn at_once(rounds: usize) -> Outcome<()> {
    let (count, files) = AT_ONCE;
    let dir = tempfile::tempdir()?;
    let root = dir.path().join("repo");
    let [_, base] = make_repository(&root, files)?;
    let mut failed = 0;
    let began = Instant::now();
    for round in 0..rounds {
        let new = || Worktrees::new(Repo::discover(&root)?, PoolLimits { count: 0, bytes: 0 });
        let (one, two) = (new()?, new()?);
        let specs: Vec<_> =
            (0..count).map(|n| spec(&one, &format!("r{round}-{n}"), &base)).collect();
        let errors: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = specs
                .iter()
                .enumerate()
                .map(|(n, spec)| {
                    let worktrees = if n % 2 == 0 { &one } else { &two };
                    scope.spawn(move || worktrees.create(spec).map_err(|error| error.to_string()))
                })
                .collect();
            threads
                .into_iter()
                .filter_map(|t| t.join().unwrap_or(Err("panic".into())).err())
                .collect()
        });
        failed += errors.len();
        for error in errors {
            println!("round {round}: {error}");
        }
        for spec in &specs {
            let changed = git(&spec.path, &["status", "--porcelain"])?;
            if !changed.is_empty() {
                failed += 1;
                println!("round {round}: {} is not clean: {changed}", spec.id);
            }
            git(&root, &["worktree", "remove", "--force", &spec.path.to_string_lossy()])?;
            git(&root, &["branch", "-qD", &spec.branch])?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{rounds} rounds of {count} worktrees of {files} files: {failed} failed, {seconds:.0} s"
    );
    if failed == 0 { Ok(()) } else { Err("some failed".into()) }
}

/// What git and `orch` took, and `git status` right after each.
#[derive(Default)]
struct Times {
    git: Vec<Duration>,
    orch: Vec<Duration>,
    cpu_git: Vec<Duration>,
    cpu_orch: Vec<Duration>,
    status_git: Vec<Duration>,
    status_orch: Vec<Duration>,
}

fn measure(root: &Path, files: usize, rounds: usize) -> Outcome<()> {
    let bases = make_repository(root, files)?;
    for what in ["cold", "recycled", "prepared"] {
        let mut times = Times::default();
        for round in 0..rounds {
            // A new handle each time: nothing is remembered from the round before.
            let worktrees = Worktrees::new(Repo::discover(root)?, PoolLimits::default())?;
            let base = bases[1].clone();
            match what {
                "recycled" => {
                    let old = spec(&worktrees, &format!("old-{round}"), &bases[0]);
                    worktrees.create(&old)?;
                    if !worktrees.recycle(&old.id, &old.path)? {
                        return Err("the worktree was not recycled".into());
                    }
                }
                "prepared" => {
                    worktrees.prepare(&base, 1)?;
                }
                _ => {}
            }
            drop(worktrees);
            let turns = if round % 2 == 0 { [true, false] } else { [false, true] };
            for ours in turns {
                let name = format!("{what}-{round}-{ours}");
                let path = root.join(".worktrees").join(&name);
                let cpu = cpu_time(ours)?;
                let start = Instant::now();
                if ours {
                    let repo = Repo::discover(root)?;
                    let worktrees = Worktrees::new(repo, PoolLimits::default())?;
                    worktrees.create(&spec(&worktrees, &name, &base))?;
                    times.orch.push(start.elapsed());
                    times.cpu_orch.push(cpu_time(ours)?.saturating_sub(cpu));
                    times.status_orch.push(status(&path)?);
                } else {
                    let place = path.to_string_lossy();
                    let branch = format!("orch/{name}");
                    git(root, &["worktree", "add", "-q", "-b", &branch, &place, &base])?;
                    times.git.push(start.elapsed());
                    times.cpu_git.push(cpu_time(ours)?.saturating_sub(cpu));
                    times.status_git.push(status(&path)?);
                }
            }
        }
        print_row(files, what, times);
    }
    Ok(())
}

fn print_row(files: usize, what: &str, times: Times) {
    let [git, orch] = [times.git, times.orch].map(median_ms);
    let [cpu_git, cpu_orch] = [times.cpu_git, times.cpu_orch].map(median_ms);
    let [after_git, after_orch] = [times.status_git, times.status_orch].map(median_ms);
    let ratio = git / orch;
    println!(
        "| {files} | {what} | {git:.1} | {orch:.1} | {ratio:.2} | {cpu_git:.1} | {cpu_orch:.1} | {after_git:.1} | {after_orch:.1} |"
    );
}

/// Processor time so far: of this process, or of the children that ended. On a machine with other
/// work it says more than the clock.
fn cpu_time(ours: bool) -> Outcome<Duration> {
    let who = if ours { UsageWho::RUSAGE_SELF } else { UsageWho::RUSAGE_CHILDREN };
    let usage = getrusage(who)?;
    let micros = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or(0);
    Ok(Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn status(path: &Path) -> Outcome<Duration> {
    let start = Instant::now();
    git(path, &["status", "--porcelain"])?;
    Ok(start.elapsed())
}

fn spec(worktrees: &Worktrees, id: &str, base: &str) -> WorktreeSpec {
    WorktreeSpec {
        id: id.to_owned(),
        path: worktrees.repo().worktrees_dir().join(id),
        branch: format!("orch/{id}"),
        base: base.to_owned(),
    }
}

/// A packed repository of source-like files, and two commits of which the second changes fifty.
fn make_repository(root: &Path, files: usize) -> Outcome<[String; 2]> {
    fs::create_dir_all(root)?;
    git(root, &["init", "-q", "-b", "main"])?;
    for (key, value) in [("user.name", "Bench"), ("user.email", "b@example.com"), ("gc.auto", "0")]
    {
        git(root, &["config", key, value])?;
    }
    for n in 0..files {
        let path = file(root, n);
        if n % 10 == 0 {
            fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        }
        let line = format!("pub fn number_{n}(value: u64) -> u64 {{ value * {n} }}\n");
        fs::write(path, line.repeat(10 + n % 90))?;
    }
    git(root, &["add", "-A"])?;
    git(root, &["commit", "-q", "-m", "first"])?;
    let first = git(root, &["rev-parse", "HEAD"])?;
    for n in (0..files).step_by((files / 50).max(1)) {
        fs::write(file(root, n), "pub fn changed() {}\n")?;
    }
    git(root, &["commit", "-q", "-am", "second"])?;
    let second = git(root, &["rev-parse", "HEAD"])?;
    git(root, &["repack", "-adq"])?;
    Ok([first, second])
}

/// Ten files to a folder, three folders deep.
fn file(root: &Path, n: usize) -> PathBuf {
    root.join(format!("crates/c{}/m{}/file_{n}.rs", n / 500, n / 10))
}

fn git(dir: &Path, args: &[&str]) -> Outcome<String> {
    let output = Command::new("git")
        .current_dir(dir)
        .args(args)
        .stdin(Stdio::null())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
