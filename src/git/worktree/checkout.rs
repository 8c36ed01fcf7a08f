//! Files from the object database into a folder, over two threads.
//!
//! Each thread has a repository handle of its own and begins in a part of the paths of its own, far
//! from the other, because two that write in one folder wait for each other. libgit2's own checkout does the same work at
//! half the speed: it looks at every path several times.

use super::super::tree::{EXECUTABLE, File, GITLINK, Listing, SYMLINK};
use super::super::{GitError, Repo};
use super::index_file::Stat;
use git2::{Odb, Repository};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Files a thread takes at a time: enough to stay in a folder, few enough that both end together.
const RUN: usize = 64;
/// Below this a second thread, with a handle to open, costs more than it brings.
const WORTH_A_THREAD: usize = 256;

/// What is to be written, and where.
pub(in crate::git) struct Checkout<'a> {
    pub repo: &'a Repo,
    pub listing: &'a Listing,
    /// The folder of the worktree; it exists.
    pub target: &'a Path,
    /// Positions in [`Listing::files`]. Nothing may exist at their paths.
    pub wanted: &'a [u32],
    /// Whether folders of the tree may exist already. In a fresh folder they must not: one that does
    /// would be a symbolic link that a forged tree put there.
    pub folders_exist: bool,
    pub threads: usize,
}

impl Checkout<'_> {
    /// Writes the files; the answer has the stat data of each, in the order of `wanted`. This thread reads
    /// through `handle`: for a few files, opening another takes longer than writing them.
    pub fn run(&self, handle: &Repository) -> Result<Vec<Stat>, GitError> {
        let threads = if self.wanted.len() < WORTH_A_THREAD { 1 } else { self.threads.max(1) };
        let shared = Shared {
            folders: vec![OnceLock::new(); self.listing.dirs.len()],
            parts: parts(self.wanted.len(), threads),
            failed: AtomicBool::new(false),
            written: before_now(),
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let shared = &shared;
            let others: Vec<_> = (1..threads)
                .map(|own| scope.spawn(move || self.work(shared, own, &self.repo.open()?)))
                .collect();
            let mine = self.work(shared, 0, handle);
            let joined = others.into_iter().map(|t| {
                t.join().unwrap_or_else(|_| {
                    Err(GitError::Refused("a checkout thread panicked; this is a bug".to_owned()))
                })
            });
            std::iter::once(mine).chain(joined).collect()
        });
        let mut stats = vec![Stat::default(); self.wanted.len()];
        for result in results {
            for (start, run) in result? {
                stats[start..start + run.len()].copy_from_slice(&run);
            }
        }
        Ok(stats)
    }

    fn work(
        &self,
        shared: &Shared,
        own: usize,
        handle: &Repository,
    ) -> Result<Vec<(usize, Vec<Stat>)>, GitError> {
        let result = self.take_runs(shared, own, handle);
        if result.is_err() {
            shared.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    fn take_runs(
        &self,
        shared: &Shared,
        own: usize,
        handle: &Repository,
    ) -> Result<Vec<(usize, Vec<Stat>)>, GitError> {
        let odb = handle.odb().map_err(GitError::lib("open the object database"))?;
        let mut done = Vec::new();
        let mut path = Vec::new();
        while let Some(range) = shared.next_run(own) {
            let start = range.start;
            let run = &self.wanted[range];
            let mut stats = Vec::with_capacity(run.len());
            for position in run {
                let file = &self.listing.files[*position as usize];
                self.folder(shared, file.dir)
                    .map_err(|(e, dir)| GitError::io(format!("create {}", dir.display()))(e))?;
                path.clear();
                path.extend_from_slice(self.target.as_os_str().as_bytes());
                path.push(b'/');
                path.extend_from_slice(self.listing.path(file));
                let place = Path::new(OsStr::from_bytes(&path));
                stats.push(write_one(&odb, file, place, shared.written)?);
            }
            done.push((start, stats));
        }
        Ok(done)
    }

    /// Makes the folder, and those above it, once.
    fn folder(&self, shared: &Shared, dir: u32) -> Result<(), (io::Error, PathBuf)> {
        if dir == 0 {
            return Ok(());
        }
        let place = || self.target.join(OsStr::from_bytes(self.listing.dir_path(self.dir(dir))));
        let made = shared.folders[dir as usize].get_or_init(|| {
            // The one above reports its own failure, with its own name.
            self.folder(shared, self.dir(dir).parent).map_err(|(e, _)| e.kind())?;
            let place = place();
            match fs::create_dir(&place) {
                Err(e) if self.folders_exist && e.kind() == ErrorKind::AlreadyExists => {
                    let real = fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_dir());
                    if real { Ok(()) } else { Err(ErrorKind::NotADirectory) }
                }
                other => other.map_err(|e| e.kind()),
            }
        });
        made.map_err(|kind| (io::Error::from(kind), place()))
    }

    fn dir(&self, dir: u32) -> &super::super::tree::Dir {
        &self.listing.dirs[dir as usize]
    }
}

struct Shared {
    folders: Vec<OnceLock<Result<(), ErrorKind>>>,
    /// For each thread where its part goes on, and where it ends.
    parts: Vec<(AtomicUsize, usize)>,
    failed: AtomicBool,
    written: SystemTime,
}

impl Shared {
    /// The next run of a thread's own part, then of the others'; `None` at the end or after a failure.
    fn next_run(&self, own: usize) -> Option<Range<usize>> {
        if self.failed.load(Ordering::Relaxed) {
            return None;
        }
        let (mine, others) = (&self.parts[own..], &self.parts[..own]);
        mine.iter().chain(others).find_map(|(next, end)| {
            let start = next.fetch_add(RUN, Ordering::Relaxed);
            (start < *end).then(|| start..(start + RUN).min(*end))
        })
    }
}

/// `count` items in as many parts as there are threads.
fn parts(count: usize, threads: usize) -> Vec<(AtomicUsize, usize)> {
    let bound = |part: usize| count * part / threads;
    (0..threads).map(|part| (AtomicUsize::new(bound(part)), bound(part + 1))).collect()
}

/// A time of modification that is surely before the index is written. Git must hash again every
/// file that is not older than its index, in whole seconds; on a fast disk that is all of them.
fn before_now() -> SystemTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UNIX_EPOCH + Duration::from_secs(now.saturating_sub(1))
}

fn write_one(odb: &Odb<'_>, file: &File, path: &Path, time: SystemTime) -> Result<Stat, GitError> {
    if file.mode == GITLINK {
        // What git does: an empty folder, which git submodule update fills.
        return fs::create_dir(path)
            .and_then(|()| fs::symlink_metadata(path))
            .map(|meta| Stat::of(&meta))
            .map_err(GitError::io(format!("create {}", path.display())));
    }
    let blob = odb
        .read(file.oid)
        .map_err(|e| GitError::lib(format!("read the content of {}", path.display()))(e))?;
    let written = if file.mode == SYMLINK {
        write_link(path, blob.data())
    } else {
        write_file(path, blob.data(), file.mode == EXECUTABLE, time)
    };
    written.map_err(|e| GitError::io(format!("write {}", path.display()))(e))
}

fn write_file(path: &Path, data: &[u8], executable: bool, time: SystemTime) -> io::Result<Stat> {
    // The umask takes its share, as with git.
    let mode = if executable { 0o777 } else { 0o666 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(data)?;
    // A file system that cannot do it only costs the next git status some time.
    let _ = file.set_modified(time);
    Ok(Stat::of(&file.metadata()?))
}

fn write_link(path: &Path, target: &[u8]) -> io::Result<Stat> {
    symlink(OsStr::from_bytes(target), path)?;
    // Its time is that of its making: git compares a link by its target, which costs next to nothing.
    Ok(Stat::of(&fs::symlink_metadata(path)?))
}
