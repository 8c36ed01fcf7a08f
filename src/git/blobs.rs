//! The files of a commit with their ids, and many blobs at once, on several threads.

use super::executable::command;
use super::tree::{EXECUTABLE, Listing, REGULAR};
use super::{GitError, Repo};
use git2::{ObjectType, Oid};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFile {
    /// From the root, with `/`; what is not UTF-8 in it is replaced.
    pub path: String,
    /// The id of its content; `None` for a symbolic link and for a submodule.
    pub blob: Option<String>,
}

/// Threads that read: git's own `grep.threads` default.
const MAX_THREADS: usize = 8;

/// Blobs a thread takes at a time: the odd slow one is no reason to wait at the end.
const PORTION: usize = 16;

impl Repo {
    /// All files, symbolic links and submodules of a commit, in git's order: two tasks can collide in each.
    ///
    /// # Errors
    /// Whatever git refuses.
    pub fn tree_files(&self, commit: &str) -> Result<Vec<TreeFile>, GitError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if self.refused_by_libgit2().is_some() {
            let format = "--format=%(objectmode) %(objectname) %(path)";
            let output =
                super::executable::git(&self.common_dir, &["ls-tree", "-r", "-z", format, commit])?;
            let file = |line: &[u8]| {
                let mut parts = line.splitn(3, |b| *b == b' ');
                let (mode, id, path) = (parts.next()?, parts.next()?, parts.next()?);
                let regular = mode.starts_with(b"100");
                (regular || mode == b"120000" || mode == b"160000")
                    .then(|| TreeFile { path: text(path), blob: regular.then(|| text(id)) })
            };
            return Ok(output.stdout.split(|b| *b == 0).filter_map(file).collect());
        }
        let listing = Listing::read(&self.open()?, commit)?;
        let regular = |mode| mode == REGULAR || mode == EXECUTABLE;
        Ok(listing
            .files
            .iter()
            .map(|f| TreeFile {
                path: text(listing.path(f)),
                blob: regular(f.mode).then(|| f.oid.to_string()),
            })
            .collect())
    }

    /// Hands each blob that is there and at most `largest` bytes long to `each`, with its place in
    /// `blobs`, in no particular order and from several threads.
    ///
    /// What cannot be read is left out: a blob that a partial clone has not fetched stays where it is.
    ///
    /// # Errors
    /// Whatever git refuses as a whole.
    pub fn read_blobs(
        &self,
        blobs: &[&str],
        largest: usize,
        each: &(dyn Fn(usize, &[u8]) + Sync),
    ) -> Result<(), GitError> {
        if self.refused_by_libgit2().is_some() {
            return self.read_blobs_by_git(blobs, largest, each);
        }
        let next = AtomicUsize::new(0);
        let work = || -> Result<(), GitError> {
            let repo = self.open()?;
            let odb = repo.odb().map_err(GitError::lib("open the object database"))?;
            loop {
                let start = next.fetch_add(PORTION, Ordering::Relaxed);
                let Some(portion) = blobs.get(start..blobs.len().min(start + PORTION)) else {
                    return Ok(());
                };
                if portion.is_empty() {
                    return Ok(());
                }
                for (place, blob) in (start..).zip(portion) {
                    // Its size first: what is too large must not come into memory.
                    let object = Oid::from_str(blob).and_then(|id| match odb.read_header(id)? {
                        (size, ObjectType::Blob) if size <= largest => odb.read(id).map(Some),
                        _ => Ok(None),
                    });
                    if let Ok(Some(object)) = object {
                        each(place, object.data());
                    }
                }
            }
        };
        let useful = blobs.len().div_ceil(PORTION);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = useful.min(cores).min(MAX_THREADS);
        if threads <= 1 {
            return work();
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    }

    fn read_blobs_by_git(
        &self,
        blobs: &[&str],
        largest: usize,
        each: &(dyn Fn(usize, &[u8]) + Sync),
    ) -> Result<(), GitError> {
        let failed = |doing: &str| GitError::io(format!("{doing} git cat-file --batch"));
        let mut child = command(&self.common_dir, &["cat-file", "--batch"])
            // Prediction is no reason to download a repository.
            .env("GIT_NO_LAZY_FETCH", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed("start"))?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Ok(());
        };
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // An end that comes early is seen by the reader.
                blobs.iter().try_for_each(|blob| writeln!(input, "{blob}"))
            });
            let mut output = BufReader::new(output);
            let (mut header, mut body) = (String::new(), Vec::new());
            for place in 0..blobs.len() {
                header.clear();
                if output.read_line(&mut header).map_err(failed("read"))? == 0 {
                    break;
                }
                let mut words = header.split_ascii_whitespace().skip(1);
                let (kind, size) = (words.next(), words.next().and_then(|s| s.parse::<u64>().ok()));
                let Some(size) = size else { continue };
                let fits = usize::try_from(size).is_ok_and(|size| size <= largest);
                let mut object = (&mut output).take(size + 1);
                if fits && kind == Some("blob") {
                    body.clear();
                    object.read_to_end(&mut body).map_err(failed("read"))?;
                    body.pop();
                    each(place, &body);
                } else {
                    std::io::copy(&mut object, &mut std::io::sink()).map_err(failed("read"))?;
                }
            }
            Ok(())
        })?;
        child.wait().map_err(failed("wait for"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::worktree::fixture::Fixture;
    use super::*;
    use std::sync::Mutex;

    fn read(repo: &Repo, blobs: &[&str], largest: usize) -> Vec<(usize, Vec<u8>)> {
        let found = Mutex::new(Vec::new());
        repo.read_blobs(blobs, largest, &|place, bytes| {
            found.lock().unwrap().push((place, bytes.to_vec()));
        })
        .unwrap();
        let mut found = found.into_inner().unwrap();
        found.sort();
        found
    }

    #[test]
    fn blobs_are_read_by_both_ways_alike() {
        let fixture = Fixture::varied();
        let repo = fixture.repo();
        let head = repo.head().unwrap().oid;
        let files = repo.tree_files(&head).unwrap();
        let paths: Vec<&str> = files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, repo.tree_paths(&head).unwrap());
        let mut blobs: Vec<&str> = files.iter().filter_map(|f| f.blob.as_deref()).collect();
        assert!(blobs.len() < files.len(), "a symbolic link has nothing to read");
        let missing = "1".repeat(40);
        blobs.insert(1, &missing);
        blobs.push(&head);
        let found = read(&repo, &blobs, 1 << 20);
        assert!(!found.iter().any(|(place, _)| *place == 1 || *place == blobs.len() - 1));
        assert_eq!(found.len(), blobs.len() - 2);
        let deep = files.iter().find(|f| f.path == "a/b/c/d/deep.txt").unwrap();
        let place = blobs.iter().position(|b| Some(*b) == deep.blob.as_deref()).unwrap();
        assert!(found.contains(&(place, b"deep\n".to_vec())));
        let by_git = Mutex::new(Vec::new());
        repo.read_blobs_by_git(&blobs, 1 << 20, &|place, bytes| {
            by_git.lock().unwrap().push((place, bytes.to_vec()));
        })
        .unwrap();
        assert_eq!(by_git.into_inner().unwrap(), found);
        assert!(read(&repo, &blobs, 4).iter().all(|(_, bytes)| bytes.len() <= 4));
        assert!(read(&repo, &[], 4).is_empty());
    }
}
