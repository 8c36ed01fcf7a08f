//! The prompt folder -> the prompt files in it.

use super::problem::PromptErrors;
use crate::model::Problem;
use std::path::{Path, PathBuf};

/// Folders below the prompt folder that are looked into, so that a mount that contains itself ends.
const MAX_DEPTH: usize = 16;

/// The prompt files of a folder and its sub-folders, sorted, each path beginning with `dir`: every regular file (or symbolic
/// link to one) whose name ends in `.md`. Left out are `README.md`, which explains the folder to
/// people, and every file and folder whose name begins with `.`; symbolic links to folders are not
/// followed.
///
/// # Errors
/// The folder, or one below it, cannot be listed.
pub fn scan(dir: &Path) -> Result<Vec<PathBuf>, PromptErrors> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    walk(dir, 0, &mut found, &mut problems);
    if !problems.is_empty() {
        return Err(PromptErrors(problems));
    }
    found.sort();
    Ok(found)
}

fn walk(dir: &Path, depth: usize, found: &mut Vec<PathBuf>, problems: &mut Vec<Problem>) {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            let problem = Problem::new(dir, format!("cannot list the prompt folder: {error}"));
            problems.push(if depth == 0 {
                problem.hint("create it, or name another one: `prompts` in orch.toml")
            } else {
                problem.hint("check its permissions: ls -ld")
            });
            return;
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems.push(Problem::new(dir, format!("cannot list the folder: {error}")));
                return;
            }
        };
        let file_name = entry.file_name();
        let name = file_name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth < MAX_DEPTH {
                walk(&path, depth + 1, found, problems);
            }
        } else if is_prompt(&name) && !path.is_dir() {
            // A dangling link or a pipe stays in the list: loading it says what is wrong.
            found.push(path);
        }
    }
}

fn is_prompt(name: &str) -> bool {
    let stem = name.rsplit_once('.').filter(|(_, end)| end.eq_ignore_ascii_case("md"));
    stem.is_some_and(|(stem, _)| !stem.eq_ignore_ascii_case("readme"))
}
