//! Hearing of touched files from the kernel, for as many worktrees as it will watch.
//!
//! Only folders that git does not ignore are watched: a build folder may have more of them than the rest of
//! the tree. Where watches run out, or there are none, a worktree is looked at now and then instead.

use notify::event::EventKind;
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher, WatcherKind};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// With more touched paths than this, one look at everything is cheaper.
const WORTH_A_LIST: usize = 1_000;

/// What was touched in a worktree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// From the worktree's root.
    pub(super) paths: BTreeSet<PathBuf>,
    /// Nobody knows what: any may have been.
    pub(super) all: bool,
}

/// What was touched since it was asked for last, by the names of the worktrees' folders.
#[derive(Debug, Default)]
struct Heap {
    worktrees: HashMap<OsString, Touched>,
    /// Events were lost: of which worktree is not known.
    all: bool,
}

/// The kernel's ear.
pub(super) struct Touches {
    heap: Arc<Mutex<Heap>>,
    watcher: Option<RecommendedWatcher>,
}

impl Touches {
    /// For the worktrees in the folder `place`; `wake` is called when the first touch is heard since
    /// [`Touches::take`].
    pub(super) fn new(place: PathBuf, wake: impl Fn() + Send + 'static) -> Self {
        let heap: Arc<Mutex<Heap>> = Arc::default();
        let heard = Arc::clone(&heap);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let was_empty = {
                // Nothing is half done when a holder panics.
                let mut heap = heard.lock().unwrap_or_else(PoisonError::into_inner);
                let was_empty = heap.is_empty();
                heap.take_in(&place, event);
                was_empty && !heap.is_empty()
            };
            if was_empty {
                wake();
            }
        });
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "no watches")).ok();
        Self { heap, watcher }
    }

    /// Watches folders of a worktree (from its root). `false` where the kernel will not: then none of it is
    /// to be relied on.
    pub(super) fn watch(&mut self, worktree: &Path, folders: &[PathBuf]) -> bool {
        let Some(ear) = &mut self.watcher else { return false };
        if RecommendedWatcher::kind() != WatcherKind::Inotify {
            // One watch is enough for a whole tree.
            return !folders.iter().any(|folder| folder.as_os_str().is_empty())
                || ear.watch(worktree, RecursiveMode::Recursive).is_ok();
        }
        for folder in folders {
            let watched = ear.watch(&join(worktree, folder), RecursiveMode::NonRecursive);
            // What is gone already needs no watching.
            if watched.is_err_and(|error| matches!(error.kind, ErrorKind::MaxFilesWatch)) {
                return false;
            }
        }
        true
    }

    /// No longer watches them.
    pub(super) fn forget<'f>(
        &mut self,
        worktree: &Path,
        folders: impl Iterator<Item = &'f PathBuf>,
    ) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in folders {
            // One that is not watched, or gone, is as well.
            let _ = watcher.unwatch(&join(worktree, folder));
        }
    }

    /// What was touched, by the names of the worktrees' folders, and whether something was lost.
    pub(super) fn take(&self) -> (HashMap<OsString, Touched>, bool) {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        let heap = std::mem::take(&mut *heap);
        (heap.worktrees, heap.all)
    }
}

/// Without a slash at the end, by which the kernel's names would differ.
fn join(worktree: &Path, folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { worktree.to_owned() } else { worktree.join(folder) }
}

impl Heap {
    fn is_empty(&self) -> bool {
        self.worktrees.is_empty() && !self.all
    }

    fn take_in(&mut self, place: &Path, event: notify::Result<notify::Event>) {
        let event = match event {
            Ok(event) if event.need_rescan() => return self.all = true,
            // Opened and read, or closed: a write has its own.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
            Ok(event) => event,
            Err(error) => {
                tracing::debug!(%error, "watch");
                return self.all = true;
            }
        };
        for path in event.paths {
            let Ok(inside) = path.strip_prefix(place) else { continue };
            let mut parts = inside.components();
            let Some(worktree) = parts.next() else { continue };
            let path = parts.as_path();
            // The file that leads to the git directory.
            if path == Path::new(".git") {
                continue;
            }
            let name = worktree.as_os_str();
            let touched = match self.worktrees.get_mut(name) {
                Some(touched) => touched,
                None => self.worktrees.entry(name.to_owned()).or_default(),
            };
            if touched.all || touched.paths.contains(path) {
                continue;
            }
            touched.paths.insert(path.to_owned());
            if path.as_os_str().is_empty() || touched.paths.len() > WORTH_A_LIST {
                *touched = Touched { paths: BTreeSet::new(), all: true };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, CreateKind, Flag};

    fn heard(events: Vec<notify::Event>) -> Heap {
        let mut heap = Heap::default();
        for event in events {
            heap.take_in(Path::new("/r/.worktrees"), Ok(event));
        }
        heap
    }

    fn created(path: &str) -> notify::Event {
        notify::Event::new(EventKind::Create(CreateKind::File)).add_path(path.into())
    }

    #[test]
    fn touches_are_kept_by_worktree() {
        let read = notify::Event::new(EventKind::Access(AccessKind::Read));
        let heap = heard(vec![
            created("/r/.worktrees/a/src/x"),
            created("/r/.worktrees/a/src/x"),
            created("/r/.worktrees/a/.git"),
            created("/r/.worktrees/b/y"),
            created("/elsewhere/z"),
            read.add_path("/r/.worktrees/c/x".into()),
        ]);
        let paths = |name: &str| heap.worktrees.get(std::ffi::OsStr::new(name)).map(|t| &t.paths);
        assert_eq!(paths("a"), Some(&BTreeSet::from(["src/x".into()])));
        assert_eq!(paths("b"), Some(&BTreeSet::from(["y".into()])));
        assert_eq!((paths("c"), heap.all), (None, false));
    }

    #[test]
    fn too_many_touches_and_lost_ones_are_a_look_at_everything() {
        let many = (0..=WORTH_A_LIST).map(|n| created(&format!("/r/.worktrees/a/{n}"))).collect();
        let heap = heard(many);
        let all = Touched { paths: BTreeSet::new(), all: true };
        assert_eq!(heap.worktrees.get(std::ffi::OsStr::new("a")), Some(&all));
        let lost = notify::Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(heard(vec![lost]).all);
        assert!(!heard(Vec::new()).all);
    }
}
