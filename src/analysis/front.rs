//! What the front matter says outright: `files` and `reads`.

use super::evidence::{Evidences, Said};
use super::expand::{Expansion, expand, is_glob, parse};
use super::{AnalysisError, Request, Tree};
use crate::model::Evidence;

/// Where the front matter begins, for a caller that does not know the line of a key.
const FIRST_LINE: u32 = 1;

pub(super) fn read(
    tree: &Tree,
    request: &Request<'_>,
    evidence: &mut Evidences,
) -> Result<(), AnalysisError> {
    for (name, line, said, globs) in [
        ("files", request.files_line, Said::DeclaredWrite, request.files),
        ("reads", request.reads_line, Said::DeclaredRead, request.reads),
    ] {
        let key = Key { name, line: line.unwrap_or(FIRST_LINE), said };
        for written in globs {
            read_one(tree, request.name, key, written, evidence)?;
        }
    }
    Ok(())
}

/// A key of the front matter that holds globs.
#[derive(Clone, Copy)]
struct Key {
    name: &'static str,
    line: u32,
    said: Said,
}

fn read_one(
    tree: &Tree,
    prompt: &str,
    Key { name: key, line, said }: Key,
    written: &str,
    evidence: &mut Evidences,
) -> Result<(), AnalysisError> {
    let mut path = written.trim().replace("\\\\", "/");
    if !path.contains('/') && path.contains('\\') && !is_glob(&path) {
        path = path.replace('\\', "/");
    }
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.to_owned();
    }
    let outside = || AnalysisError::Outside { prompt: prompt.into(), key, glob: written.into() };
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(outside());
    }
    let bad = |why: String| AnalysisError::BadGlob {
        prompt: prompt.into(),
        key,
        glob: written.into(),
        why,
    };
    if path.is_empty() {
        return Err(bad("it is empty".into()));
    }
    let line = || Evidence {
        line,
        text: super::evidence::excerpt(&format!("{key}: {written}"), 0),
        factor: None,
    };
    if tree.contains(&path) {
        evidence.path(&path, said, 1.0, line);
        return Ok(());
    }
    let directory = path.trim_end_matches('/');
    if tree.has_directory(directory) || path.ends_with('/') || path == "." {
        // The name of a directory may hold characters that mean something in a glob.
        path = if path == "." { "**".into() } else { format!("{}/**", globset::escape(directory)) };
    } else if !is_glob(&path) {
        evidence.path(&path, said, 1.0, line);
        return Ok(());
    }
    let glob = parse(&path).map_err(bad)?;
    evidence.scope(&path, said, 1.0, line);
    match expand(tree, &glob) {
        Expansion::Files(files) if files.is_empty() => evidence.path(&path, said, 1.0, line),
        Expansion::Files(files) => {
            for file in &files {
                evidence.path(file, said, 1.0, line);
            }
        }
        Expansion::TooMany(count) => {
            evidence.path(&path, said, 1.0, line);
            evidence.reaches(said, count);
        }
    }
    Ok(())
}
