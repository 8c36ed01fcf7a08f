//! A path -> text with `\n` line ends. Nothing but regular files is opened, so nothing can hang.

use crate::model::{Problem, nearest};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The largest prompt file that is read, bytes. Far above any prompt (a model's context is a few
/// megabytes at most) and far below what would strain the machine.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Reads the file at `file` (as given: `shown`).
pub(super) fn read(shown: &Path, file: &Path) -> Result<String, Problem> {
    let problem = |message: &str| Problem::new(shown, message);
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            problem("there is no such file").hint(match similar(shown, file) {
                Some(path) => format!("did you mean {}?", path.display()),
                None => "paths are relative to where orch was started".to_owned(),
            })
        }
        io::ErrorKind::PermissionDenied => problem("the file cannot be read: permission denied")
            .hint("check its permissions: ls -l"),
        _ => problem(&format!("the file cannot be read: {error}")),
    };
    let meta = std::fs::metadata(file).map_err(refused)?;
    if meta.is_dir() {
        return Err(problem("this is a folder, not a prompt file")
            .hint("name the files in it, or use --all-prompts for the whole prompt folder"));
    }
    if !meta.is_file() {
        return Err(problem("this is not a regular file")
            .hint("a pipe or device cannot be read twice; save the prompt to a .md file"));
    }
    let too_large = || {
        problem("the file is larger than 64 MiB, and no agent takes such a prompt")
            .hint("name the data's path in the prompt instead of including it")
    };
    if meta.len() > MAX_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    // Checked again on what is read: a file may grow, and /proc says 0.
    File::open(file)
        .and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(refused)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    text(shown, bytes)
}

/// A prompt beside the missing one with nearly its name, as it would have been given.
fn similar(shown: &Path, missing: &Path) -> Option<PathBuf> {
    let there: Vec<String> = std::fs::read_dir(missing.parent()?)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            name.rsplit_once('.').is_some_and(|(_, end)| end == "md") && !name.starts_with('.')
        })
        .collect();
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    let name = missing.file_name()?.to_str()?;
    nearest(name, &there).map(|name| shown.with_file_name(name))
}

/// Bytes -> text without byte order mark, with `\n` line ends and without NUL.
pub(super) fn text(shown: &Path, bytes: Vec<u8>) -> Result<String, Problem> {
    if let Some(encoding) = foreign_encoding(&bytes) {
        return Err(Problem::new(shown, format!("the file is {encoding}, not UTF-8"))
            .at(1)
            .hint(format!("convert it: iconv -f {encoding} -t UTF-8")));
    }
    let line_of = |bytes: &[u8], offset: usize| {
        let newlines = bytes.iter().take(offset).filter(|b| **b == b'\n').count();
        u32::try_from(newlines + 1).unwrap_or(u32::MAX)
    };
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(offset).copied().unwrap_or(0);
        Problem::new(
            shown,
            format!("the file is not UTF-8: invalid byte 0x{byte:02x} at offset {offset}"),
        )
        .at(line_of(error.as_bytes(), offset))
        .hint("save it as UTF-8, or convert it with iconv")
    })?;
    if let Some(offset) = text.find('\0') {
        return Err(Problem::new(
            shown,
            format!("the file contains a NUL byte at offset {offset}"),
        )
        .at(line_of(text.as_bytes(), offset))
        .hint("a prompt is text; is this the right file?"));
    }
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    if text.contains("\r\n") {
        text = text.replace("\r\n", "\n");
    }
    Ok(text)
}

/// The encoding of a file that is not meant to be UTF-8: by its byte order mark, or by every second
/// byte of its beginning being NUL, as in Latin text without one.
fn foreign_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some("UTF-16"),
        _ => {}
    }
    let start = bytes.get(..8)?;
    let nul = |odd: usize| start.iter().skip(odd).step_by(2).all(|b| *b == 0);
    match (nul(0), nul(1)) {
        (true, false) => Some("UTF-16BE"),
        (false, true) => Some("UTF-16LE"),
        _ => None,
    }
}
