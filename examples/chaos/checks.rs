//! What must hold after a round, however it was disturbed.

use crate::Tally;
use crate::place::Place;
use crate::targets::{self, Target};
use crate::tasks::{self, Kind, Task};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// A killed process is gone within this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn after_run(place: &Place, chosen: &[Task], code: Option<i32>, base: &str, tally: &mut Tally) {
    if code != Some(0) {
        tally.lost.push(format!("the run ended with {code:?}"));
    }
    let status = place.status();
    let found = status["tasks"].as_array().cloned().unwrap_or_default();
    for task in chosen {
        match found.iter().find(|f| f["name"] == task.name.as_str()) {
            Some(view) if view["state"] == "succeeded" => {
                if let Err(fault) = compare(place, task, view) {
                    tally.lost.push(format!("{}: {fault}", task.name));
                }
            }
            Some(view) => {
                tally.lost.push(format!("{}: {} {}", task.name, view["state"], view["error"]));
            }
            None => tally.lost.push(format!("{}: not in the run", task.name)),
        }
    }
    if found.len() != chosen.len() {
        tally.lost.push(format!("{} tasks in the run, not {}", found.len(), chosen.len()));
    }
    if place.git(&["rev-parse", "main"]) != base
        || !place.git(&["status", "--porcelain"]).is_empty()
    {
        tally.lost.push("the checkout was touched".to_owned());
    }
    ledger(place, chosen, tally);
    processes(place, tally);
}

/// The task's commit is what an undisturbed run makes: one commit on its start, with these files.
fn compare(place: &Place, task: &Task, view: &Value) -> Result<(), String> {
    let text = |key: &str| view[key].as_str().unwrap_or_default().to_owned();
    let (start, commit, branch) = (text("start"), text("commit"), text("branch"));
    if place.git(&["rev-parse", &branch]) != commit {
        return Err(format!("{branch} is not at {commit}"));
    }
    let commits = place.git(&["rev-list", "--count", &format!("{start}..{commit}")]);
    if commits != "1" {
        return Err(format!("{commits} commits instead of 1"));
    }
    let changed = place.git(&["diff", "--name-status", "--no-renames", &start, &commit]);
    let changed: BTreeSet<String> = changed.lines().map(str::to_owned).collect();
    let expected = tasks::files(&task.name);
    let names: BTreeSet<String> = expected.keys().map(|path| format!("A\t{path}")).collect();
    if changed != names {
        return Err(format!("changed {changed:?}"));
    }
    for (path, content) in &expected {
        if place.git(&["show", &format!("{commit}:{path}")]) != content.trim_end() {
            return Err(format!("{path} has another content"));
        }
    }
    if let Some(before) = &task.after
        && place
            .git(&["ls-tree", "-r", "--name-only", &start, "--", &format!("work/{before}")])
            .is_empty()
    {
        return Err(format!("it did not start from {before}"));
    }
    if task.kind == Kind::Loud { log(place, task) } else { Ok(()) }
}

/// Nothing of the output of the attempt that succeeded is missing.
fn log(place: &Place, task: &Task) -> Result<(), String> {
    let out = place.orch(&["logs", &task.name, "--raw"]);
    let text = String::from_utf8_lossy(&out.stdout);
    let mut lines = text.lines();
    for n in 0..tasks::LOUD_LINES {
        let expected = format!("{n:07} of {} says a lot about nothing at all", task.name);
        let line = lines.next().unwrap_or_default();
        if line != expected {
            return Err(format!("line {n} of its log is {line:?}"));
        }
    }
    Ok(())
}

/// What the agents themselves saw.
fn ledger(place: &Place, chosen: &[Task], tally: &mut Tally) {
    let lines = place.ledger();
    let ours = |line: &&String| {
        chosen.iter().any(|task| line.split(' ').nth(1) == Some(task.name.as_str()))
    };
    let mut ended: BTreeMap<&str, u32> = BTreeMap::new();
    for line in lines.iter().filter(ours) {
        let mut words = line.split(' ');
        match words.next() {
            Some("end") => *ended.entry(words.next().unwrap_or_default()).or_default() += 1,
            Some("start") => {}
            _ => tally.duplicated.push(line.clone()),
        }
    }
    for task in chosen {
        if !ended.contains_key(task.name.as_str()) {
            tally.lost.push(format!("{} never came to its end", task.name));
        }
    }
}

fn processes(place: &Place, tally: &mut Tally) {
    let deadline = Instant::now() + PATIENCE;
    let mut left = targets::look(place);
    while !left.is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        left = targets::look(place);
    }
    for Target { pid, words, .. } in left {
        tally.orphans.push(format!("process {pid}: {words}"));
        targets::end(pid);
    }
}

pub fn after_clean(place: &Place, chosen: &[Task], tally: &mut Tally) {
    if !place.git(&["status", "--porcelain"]).is_empty() {
        tally.lost.push("the checkout is not clean after the merge".to_owned());
    }
    for (path, content) in chosen.iter().flat_map(|task| tasks::files(&task.name)) {
        let file = fs::read_to_string(place.repo.join(&path)).unwrap_or_default();
        let landed = place.git(&["show", &format!("main:{path}")]);
        if file != content || landed != content.trim_end() {
            tally.lost.push(format!("{path} did not land as it was written"));
        }
    }
    let branches = place.git(&["for-each-ref", "--format=%(refname)", "refs/heads/orch"]);
    tally.leaks.extend(branches.lines().map(str::to_owned));
    let worktrees = names(&place.repo.join(".worktrees"));
    tally.leaks.extend(worktrees.into_iter().map(|name| format!(".worktrees/{name}")));
    let pool = names(&place.repo.join(".git/orch/pool"));
    let admins = names(&place.repo.join(".git/worktrees"));
    let ready =
        pool.iter().filter(|name| place.repo.join(".git/orch/pool").join(name).is_dir()).count();
    if admins.len() > ready {
        tally.leaks.push(format!(".git/worktrees has {admins:?}, the pool {pool:?}"));
    }
    files(place, tally);
    processes(place, tally);
}

/// No lock, no temporary file, nothing staged.
fn files(place: &Place, tally: &mut Tally) {
    let git = place.repo.join(".git");
    let own = git.join("orch");
    visit(&git, &mut |path| {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let ends = |with: &str| name.ends_with(with);
        let temporary = ends(".tmp")
            || ends(".part")
            || name.starts_with(".tmp")
            || name.starts_with("tmp_obj_");
        let locked = name == "locked" || (ends(".lock") && !path.starts_with(&own));
        if temporary || locked {
            tally.leaks.push(path.display().to_string());
        }
    });
    // There, what counts is whether a lock is held, and by then nothing lives that could.
    let known = [
        "journal.db",
        "supervisor.lock",
        "pool.lock",
        "snapshots.lock",
        "merge.lock",
        "forge.lock",
        "cache.db",
        "runs",
        "pool",
    ];
    for name in names(&own) {
        let path = own.join(&name);
        // The note of a landing stays, empty, for the next one's lock.
        let empty = names(&path).is_empty() && (path.is_dir() || is_empty(&path));
        if !known.contains(&name.as_str()) && !empty {
            tally.leaks.push(format!("{} {:?}", path.display(), names(&path)));
        }
    }
    for name in names(&place.root.join("tmp")) {
        tally.leaks.push(format!("temporary {name}"));
    }
}

/// At the very end: not even a worktree that is kept ready.
pub fn nothing_at_all_is_left(place: &Place, tally: &mut Tally) {
    // What is old enough to have been left is cleared away as well.
    let objects = place.repo.join(".git/objects");
    let half_written = |name: &String| name.starts_with("tmp_object_git2_");
    for name in names(&objects).iter().filter(|name| half_written(name)) {
        let file = fs::File::options().write(true).open(objects.join(name));
        let _ = file.and_then(|file| file.set_modified(std::time::UNIX_EPOCH));
    }
    let out = place.orch(&["clean", "--pool"]);
    if !out.status.success() {
        tally.leaks.push(String::from_utf8_lossy(&out.stderr).into_owned());
    }
    for name in names(&place.repo.join(".git/worktrees")) {
        tally.leaks.push(format!(".git/worktrees/{name}"));
    }
    for name in names(&place.repo.join(".git/orch/pool")) {
        tally.leaks.push(format!(".git/orch/pool/{name}"));
    }
    tally.leaks.extend(names(&objects).into_iter().filter(half_written));
    let worktrees = place.git(&["worktree", "list", "--porcelain"]);
    if worktrees.matches("worktree ").count() != 1 {
        tally.leaks.push(worktrees);
    }
    let fsck = place.git(&["fsck", "--no-dangling", "--no-progress"]);
    if !fsck.is_empty() {
        tally.lost.push(fsck);
    }
}

fn is_empty(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.len() == 0)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn visit(dir: &Path, seen: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        seen(&entry.path());
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            visit(&entry.path(), seen);
        }
    }
}
