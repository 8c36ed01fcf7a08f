//! The repository: its features, its disk, and what earlier runs left.

use super::super::context::Place;
use super::super::ps;
use crate::config::Config;
use crate::git::{Features, PoolLimits, Repo};
use crate::journal::Journal;
use crate::model::shell_word;
use crate::process::{self, SupervisorLock};
use crate::report::{Findings, bytes};
use crate::supervisor::{World, has_run};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A lock of git that is older than this belongs to nobody: git holds one for the time of a command.
const STALE: Duration = Duration::from_mins(10);

/// Unfinished runs that are looked at.
const RUNS: u32 = 20;

pub(super) fn check(found: &mut Findings, place: &Place, repo: Repo, config: &Config, fix: bool) {
    let pool = PoolLimits { count: config.pool as usize, bytes: config.pool_bytes };
    let world = match World::new(repo, pool, None) {
        Ok(world) => world,
        Err(error) => {
            found.problem("repository", error.to_string());
            return;
        }
    };
    found.ok("repository", world.repo.common_dir.display().to_string());
    match world.repo.identity() {
        Ok(identity) => found.ok("identity", format!("{} <{}>", identity.name, identity.email)),
        Err(error) => {
            found
                .problem("identity", error.to_string())
                .fix("git config user.name NAME; git config user.email ADDRESS");
        }
    }
    features(found, &world.repo);
    disk(found, &world, config);
    let entries = world.worktrees.pool_entries();
    let size: u64 = entries.iter().map(|entry| entry.bytes).sum();
    found.ok("pool", format!("{} worktrees ready ({})", entries.len(), bytes(size)));
    match SupervisorLock::holder(&world.layout.supervisor_lock()) {
        Some(holder) => {
            found.note("supervisor", format!("process {} is at work", holder.pid));
        }
        None => found.ok("supervisor", "none at work"),
    }
    locks(found, &world.repo);
    let journal = match place.sound_history() {
        Ok((_, _, journal)) => journal,
        // No run yet: nothing can have been left.
        Err(_) if !world.layout.journal().exists() && !has_run(&world.layout) => return,
        // Whose the worktrees and branches are cannot be told.
        Err(error) => {
            let rebuilds = error.is_damage() || has_run(&world.layout);
            let problem = found.problem("journal", error.to_string());
            if rebuilds {
                problem.fix("orch resume");
            }
            return;
        }
    };
    found.ok("journal", world.layout.journal().display().to_string());
    left_behind(found, &world, &journal);
    worktrees(found, &world, &journal, fix);
}

fn features(found: &mut Findings, repo: &Repo) {
    match repo.head() {
        Ok(head) => match Features::detect(repo, &head.oid) {
            Ok(features) if features.through_git() => {
                for feature in features.found {
                    found.note("worktrees", format!("through git: {}", feature.reason));
                }
            }
            Ok(_) => found.ok("worktrees", "made in parallel"),
            Err(error) => {
                found.problem("worktrees", error.to_string());
            }
        },
        Err(error) => {
            found.problem("HEAD", error.to_string()).fix("git commit --allow-empty -m 'start'");
        }
    }
}

fn disk(found: &mut Findings, world: &World, config: &Config) {
    for (what, place) in
        [("worktrees", world.root.join(".worktrees")), ("git", world.layout.dir().into())]
    {
        if !process::can_write(&place) {
            let place = place.display();
            found
                .problem("disk", format!("nothing can be written in {place}, so nothing can run"))
                .fix("see who owns it and how its file system is mounted: ls -ld, mount");
        }
        let Some(space) = process::disk_space(&place) else { continue };
        let floor = crate::supervisor::least_disk(config.free_disk, space.total);
        let text = format!("{} of {} free for {what}", bytes(space.free), bytes(space.total));
        if space.free < floor {
            found
                .problem("disk", format!("{text}, {} are to be kept free", bytes(floor)))
                .fix("orch clean --pool; or lower free_disk in [limits] of orch.toml");
        } else {
            found.ok("disk", text);
        }
    }
}

/// Locks of git that nobody holds any more, by their age.
fn locks(found: &mut Findings, repo: &Repo) {
    let mut places = vec![repo.common_dir.clone()];
    places.extend(folders(&repo.common_dir.join("worktrees")));
    let names = ["index.lock", "HEAD.lock", "config.lock", "packed-refs.lock"];
    let mut locks: Vec<PathBuf> =
        places.iter().flat_map(|place| names.map(|name| place.join(name))).collect();
    locks_below(&repo.common_dir.join("refs"), &mut locks);
    for lock in locks.iter().filter(|lock| age(lock).is_some_and(|age| age > STALE)) {
        found.problem("lock", format!("{} is left of a git that has ended", lock.display())).fix(
            format!("if no git is at work here: rm {}", shell_word(&lock.display().to_string())),
        );
    }
}

/// The locks of single references. No reference may itself be called so.
fn locks_below(dir: &Path, locks: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            locks_below(&entry.path(), locks);
        } else if entry.path().extension().is_some_and(|extension| extension == "lock") {
            locks.push(entry.path());
        }
    }
}

fn age(file: &Path) -> Option<Duration> {
    SystemTime::now().duration_since(file.symlink_metadata().ok()?.modified().ok()?).ok()
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

/// Runs that nobody finishes, and processes whose shim is dead.
fn left_behind(found: &mut Findings, world: &World, journal: &Journal) {
    let at_work = SupervisorLock::holder(&world.layout.supervisor_lock());
    for run in journal.unfinished(RUNS).unwrap_or_default() {
        if at_work.is_some_and(|holder| Some(holder.pid) == run.supervisor.pid) {
            continue;
        }
        let (mut alive, mut left) = (0, Vec::new());
        for task in ps::at_work(&world.layout, journal, &run).unwrap_or_default() {
            for (dir, ..) in ps::directories(&world.layout, &run, &task) {
                match process::live(&dir) {
                    Ok(Some(_)) => alive += 1,
                    _ => left.extend(process::left_over(&dir).unwrap_or_default()),
                }
            }
        }
        let s = if alive == 1 { "" } else { "s" };
        found
            .note("run", format!("{} is not finished; {alive} attempt{s} of it run on", run.id))
            .fix(format!("orch resume {}", run.id));
        if !left.is_empty() {
            let pids: Vec<String> = left.iter().map(|id| id.pid.to_string()).collect();
            found
                .problem(
                    "processes",
                    format!("left by dead attempts of {}: {}", run.id, pids.join(", ")),
                )
                .fix(format!("orch resume {} (or: orch cancel --all)", run.id));
        }
    }
}

/// Folders without a task, and entries of git without a folder.
fn worktrees(found: &mut Findings, world: &World, journal: &Journal, fix: bool) {
    let known: HashSet<String> = journal
        .uncleaned()
        .unwrap_or_default()
        .into_iter()
        .map(|task| task.id.to_string())
        .collect();
    let unfinished = !journal.unfinished(1).unwrap_or_default().is_empty();
    for folder in folders(&world.root.join(".worktrees")) {
        let name =
            folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Of an unfinished run some are made before their task says so.
        if known.contains(&name) || (unfinished && name.starts_with("task-")) {
            continue;
        }
        let path = folder.display();
        let finding = found.note("worktrees", format!("{path} belongs to no task"));
        // Only an empty folder goes: that is no loss, whatever it was.
        if fix && std::fs::remove_dir(&folder).is_ok() {
            finding.fixed = true;
            finding.fix(format!("removed the empty folder {path}"));
        } else {
            let remove = if folder.join(".git").exists() { "git worktree remove" } else { "rm -r" };
            finding.fix(format!(
                "if nothing in it is of use: {remove} {}",
                shell_word(&path.to_string())
            ));
        }
    }
    match world.repo.gone_worktrees() {
        Ok(gone) if !gone.is_empty() => {
            let text =
                format!("git knows {} whose folders are gone: {}", gone.len(), gone.join(", "));
            let finding = found.note("worktrees", text).fix("git worktree prune");
            finding.fixed = fix && world.repo.forget_worktrees(&gone).is_ok();
        }
        Ok(_) => {}
        Err(error) => {
            found.problem("worktrees", error.to_string());
        }
    }
    match world.repo.sweep_scratch() {
        Ok(swept) if !swept.is_empty() => {
            let finding =
                found.note("scratch", format!("{} left by a merge that died", swept.len()));
            finding.fixed = true;
            finding.fix("removed");
        }
        Ok(_) => {}
        Err(error) => {
            found.problem("scratch", error.to_string());
        }
    }
}
