//! What the analysis is told of the repository: the files of the base commit, and what is in them.
//!
//! A blob is read once and what was found in it is kept in the content cache, for every worktree and
//! every later call. Blobs are read and parsed on several threads.

use super::SupervisorError;
use crate::analysis::Tree;
use crate::analysis::code::{self, Code, Language, Library, Outline, Sketch, outline, sketch};
use crate::git::Repo;
use std::sync::Mutex;

/// One commit, as the analysis sees it.
#[derive(Debug)]
pub struct Survey {
    repo: Repo,
    tree: Tree,
    /// By the place of the file in the tree: its language and blob, where it is read at all.
    files: Vec<Option<(Language, String)>>,
}

impl Survey {
    /// Lists the files of `commit`; nothing is read yet.
    ///
    /// # Errors
    /// Whatever git refuses.
    pub fn of(repo: &Repo, commit: &str) -> Result<Self, SupervisorError> {
        let mut listed = repo.tree_files(commit)?;
        listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        listed.dedup_by(|a, b| a.path == b.path);
        let files = listed
            .iter()
            .map(|file| Some((Language::of(&file.path)?, file.blob.clone()?)))
            .collect();
        let tree = Tree::new(listed.into_iter().map(|file| file.path).collect());
        Ok(Self { repo: repo.clone(), tree, files })
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

    /// Reads some files on several threads. What cannot be read is left out: a prediction does without.
    fn read<T: Send>(
        &self,
        files: &[usize],
        read: impl Fn(Language, &[u8]) -> T + Sync,
    ) -> Vec<(usize, T)> {
        let known: Vec<(usize, Language, &str)> = files
            .iter()
            .filter_map(|&file| {
                let (language, blob) = self.files.get(file)?.as_ref()?;
                Some((file, *language, blob.as_str()))
            })
            .collect();
        let blobs: Vec<&str> = known.iter().map(|(_, _, blob)| *blob).collect();
        let found = Mutex::new(Vec::with_capacity(known.len()));
        let each = |place: usize, content: &[u8]| {
            let (file, language, _) = known[place];
            let value = read(language, content);
            if let Ok(mut found) = found.lock() {
                found.push((file, value));
            }
        };
        if let Err(error) = self.repo.read_blobs(&blobs, code::LARGEST, &each) {
            tracing::debug!(%error, "the code was not read");
        }
        found.into_inner().unwrap_or_default()
    }
}

impl Library for Survey {
    fn sketches(&self, each: &mut dyn FnMut(usize, &Sketch)) {
        let is_code = |file: &usize| {
            self.files[*file].as_ref().is_some_and(|(language, _)| !language.is_manifest())
        };
        let files: Vec<usize> = (0..self.files.len()).filter(is_code).collect();
        let mut found = self.read(&files, sketch);
        found.sort_unstable_by_key(|(file, _)| *file);
        for (file, sketch) in &found {
            each(*file, sketch);
        }
    }

    fn outlines(&self, files: &[usize]) -> Vec<Outline> {
        let mut found: std::collections::HashMap<usize, Outline> =
            self.read(files, outline).into_iter().collect();
        files.iter().map(|file| found.remove(file).unwrap_or_default()).collect()
    }
}
