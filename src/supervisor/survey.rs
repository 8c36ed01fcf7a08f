//! What the analysis is told of the repository: the files of the base commit, and what is in them.
//!
//! A blob is read once; what was found in it is kept in the content cache, for every worktree and every
//! later call, which then reads no blob at all. Blobs are read and parsed on several threads. The sketches
//! of the whole tree are made when the first name is asked for: reading the blobs is what takes the time, and
//! a search for the names of this call alone would have to be repeated for the next one.

use super::SupervisorError;
use crate::analysis::Tree;
use crate::analysis::code::{
    self, Code, Language, Library, Outline, Sketch, Written, outline, sketch,
};
use crate::git::Repo;
use crate::journal::{Cache, EntryKind, Layout};
use crate::model::{Access, Target};
use crate::plan::{Import, PlanInput};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// Told how many files of how many were read so far, from any thread, while the code of a repository is
/// read for the first time.
pub type Indexing<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Files that a task writes whose imports are looked at, the surest first: a glob may stand for thousands.
const MAX_TARGETS: usize = 50;

/// One commit, as the analysis sees it.
pub struct Survey<'w> {
    repo: Repo,
    cache: Cache,
    keeper: Keeper,
    tree: Tree,
    /// By the place of the file in the tree: its language and blob, where it is read at all.
    files: Vec<Option<(Language, String)>>,
    indexing: &'w Indexing<'w>,
}

impl<'w> Survey<'w> {
    /// Lists the files of `commit`; nothing is read yet.
    ///
    /// # Errors
    /// Whatever git refuses.
    pub fn of(
        repo: &Repo,
        commit: &str,
        indexing: &'w Indexing<'w>,
    ) -> Result<Self, SupervisorError> {
        let mut listed = repo.tree_files(commit)?;
        listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        listed.dedup_by(|a, b| a.path == b.path);
        let files = listed
            .iter()
            .map(|file| Some((Language::of(&file.path)?, file.blob.clone()?)))
            .collect();
        let tree = Tree::new(listed.into_iter().map(|file| file.path).collect());
        let layout = Layout::new(repo.state_dir());
        let cache = Cache::open(&layout);
        let keeper = Keeper { layout, thread: OnceCell::new() };
        Ok(Self { repo: repo.clone(), cache, keeper, tree, files, indexing })
    }

    /// The files.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// What is in them; keep it for as many questions as possible.
    #[must_use]
    pub fn code(&self) -> Code<'_> {
        Code::new(&self.tree, self)
    }

    /// What is known of `files` by their content: from the cache, and else read and kept. By their places.
    fn know<T: Send>(
        &self,
        files: &[usize],
        what: What,
        read: impl Fn(Language, &[u8]) -> T + Sync,
        to_bytes: impl Fn(&T) -> Vec<u8>,
        from_bytes: impl Fn(Vec<u8>) -> Option<T>,
    ) -> HashMap<usize, T> {
        let mut by_language: BTreeMap<Language, Vec<(usize, &str)>> = BTreeMap::new();
        for &file in files {
            if let Some((language, blob)) = self.files.get(file).and_then(Option::as_ref) {
                by_language.entry(*language).or_default().push((file, blob));
            }
        }
        let mut known = HashMap::with_capacity(files.len());
        let mut missing = Vec::new();
        for (language, files) in &by_language {
            let blobs: Vec<&str> = files.iter().map(|(_, blob)| *blob).collect();
            let mut kept = self.cache.get(what.kind(*language), &blobs);
            for (place, &(file, blob)) in files.iter().enumerate() {
                match kept.remove(&place).and_then(&from_bytes) {
                    Some(value) => {
                        known.insert(file, value);
                    }
                    None => missing.push((file, *language, blob)),
                }
            }
        }
        let found = self.read(&missing, read);
        let mut entries: BTreeMap<Language, Entries> = BTreeMap::new();
        for (place, value) in found {
            let (file, language, blob) = missing[place];
            entries.entry(language).or_default().push((blob.to_owned(), to_bytes(&value)));
            known.insert(file, value);
        }
        for (language, entries) in entries {
            self.keeper.keep(what.kind(language), entries);
        }
        known
    }

    /// What cannot be read is left out: a prediction does without.
    fn read<T: Send>(
        &self,
        files: &[(usize, Language, &str)],
        read: impl Fn(Language, &[u8]) -> T + Sync,
    ) -> Vec<(usize, T)> {
        let blobs: Vec<&str> = files.iter().map(|(_, _, blob)| *blob).collect();
        let found = Mutex::new(Vec::with_capacity(files.len()));
        let done = AtomicUsize::new(0);
        let each = |place: usize, content: &[u8]| {
            let value = read(files[place].1, content);
            found.lock().unwrap_or_else(PoisonError::into_inner).push((place, value));
            (self.indexing)(done.fetch_add(1, Ordering::Relaxed) + 1, files.len());
        };
        if let Err(error) = self.repo.read_blobs(&blobs, code::LARGEST, &each) {
            tracing::debug!(%error, "the code was not read");
        }
        found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Survey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Survey").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

/// Entries of the cache: the blob, and what was found in it.
type Entries = Vec<(String, Vec<u8>)>;

/// Entries of one kind.
type Kept = (EntryKind, Entries);

/// Writes into the cache while the analysis goes on; done when it is dropped.
struct Keeper {
    layout: Layout,
    thread: OnceCell<(Sender<Kept>, JoinHandle<()>)>,
}

impl Keeper {
    fn keep(&self, kind: EntryKind, entries: Entries) {
        let (sender, _) = self.thread.get_or_init(|| {
            let (sender, receiver) = std::sync::mpsc::channel::<Kept>();
            let layout = self.layout.clone();
            let work = move || {
                let cache = Cache::open(&layout);
                for (kind, entries) in receiver {
                    let entries: Vec<(&str, &[u8])> = entries
                        .iter()
                        .map(|(blob, bytes)| (blob.as_str(), bytes.as_slice()))
                        .collect();
                    cache.put(kind, &entries);
                }
            };
            (sender, std::thread::spawn(work))
        });
        // Where nobody writes, the next plan reads again.
        let _ = sender.send((kind, entries));
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

/// What is kept of a file.
#[derive(Clone, Copy)]
enum What {
    Sketch,
    Outline,
    Imports,
}

impl What {
    /// The cache's number for it: another for each form, language and kind.
    fn kind(self, language: Language) -> EntryKind {
        let language = EntryKind::from(language as u8);
        let number = match self {
            Self::Sketch => 2 * language,
            Self::Outline => 2 * language + 1,
            Self::Imports => 500 + language,
        };
        EntryKind::from(code::FORMAT) * 1_000 + number
    }
}

impl Library for Survey<'_> {
    fn sketches(&self) -> HashMap<usize, Sketch> {
        let is_code = |file: &usize| {
            self.files[*file].as_ref().is_some_and(|(language, _)| !language.is_manifest())
        };
        let files: Vec<usize> = (0..self.files.len()).filter(is_code).collect();
        let to_bytes = |sketch: &Sketch| sketch.as_bytes().to_vec();
        let from_bytes = |bytes| Some(Sketch::from_bytes(bytes));
        self.know(&files, What::Sketch, sketch, to_bytes, from_bytes)
    }

    fn outlines(&self, files: &[usize]) -> Vec<Outline> {
        let to_bytes = |outline: &Outline| serde_json::to_vec(outline).unwrap_or_default();
        let from_bytes = |bytes: Vec<u8>| serde_json::from_slice(&bytes).ok();
        let mut known = self.know(files, What::Outline, outline, to_bytes, from_bytes);
        files.iter().map(|file| known.remove(file).unwrap_or_default()).collect()
    }

    fn imports(&self, files: &[usize]) -> Vec<Vec<Written>> {
        let to_bytes = |imports: &Vec<Written>| serde_json::to_vec(imports).unwrap_or_default();
        let from_bytes = |bytes: Vec<u8>| serde_json::from_slice(&bytes).ok();
        let mut known = self.know(files, What::Imports, code::imports, to_bytes, from_bytes);
        files.iter().map(|file| known.remove(file).unwrap_or_default()).collect()
    }
}

/// Adds to each task what its targets import, and the packages that its changes reach.
pub(super) fn add_code(code: &Code<'_>, inputs: &mut [PlanInput]) {
    let written: Vec<Vec<String>> =
        inputs.iter().map(|input| most_written(&input.targets)).collect();
    // An import matters where one task writes what another's target imports.
    let several = inputs.iter().filter(|input| input.skip_reason.is_none()).count() > 1;
    if several {
        code.read_ahead(written.iter().flatten().map(String::as_str));
    }
    for (input, written) in inputs.iter_mut().zip(&written) {
        input.packages = code.packages().affected(written.iter().map(String::as_str));
        for by in written.iter().filter(|_| several && input.skip_reason.is_none()) {
            input.imports.extend(code.imports(by).iter().map(|import| Import {
                path: import.path.to_owned(),
                by: by.clone(),
                line: import.line,
            }));
        }
    }
}

fn most_written(targets: &[Target]) -> Vec<String> {
    let mut written: Vec<&Target> =
        targets.iter().filter(|target| target.access == Access::Write).collect();
    written.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.path.cmp(&b.path)));
    written.into_iter().take(MAX_TARGETS).map(|target| target.path.clone()).collect()
}
