//! The shell agent: the prompt's fenced `sh` blocks, each a process of its own, in order, stopping at the
//! first failure. What it prints is text; the exit code is the proof. Its standard output is the blocks' alone: which
//! block runs is announced on standard error.

use super::AgentError;
use super::account::Account;
use super::phrase;
use crate::model::AgentProfile;
use std::path::Path;

/// A fenced block of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellBlock {
    /// The line of the prompt file its text begins on, from 1.
    pub line: u32,
    /// The commands.
    pub text: String,
}

/// A block on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BlockFile {
    pub(super) line: u32,
    pub(super) path: String,
}

/// The words with which a block is announced on standard error.
const ANNOUNCED: &str = "+ block ";

/// Writes the blocks as `block-1.sh`, `block-2.sh`, ... into the attempt's directory.
pub(super) fn write_blocks(
    profile: &AgentProfile,
    folder: &Path,
    blocks: &[ShellBlock],
) -> Result<Vec<BlockFile>, AgentError> {
    if blocks.is_empty() {
        return Err(AgentError::NoBlocks { agent: profile.name.clone() });
    }
    let write = |(index, block): (usize, &ShellBlock)| {
        let path = folder.join(format!("block-{}.sh", index + 1));
        let Some(word) = path.to_str().map(str::to_owned) else {
            return Err(AgentError::PathNotUnicode { agent: profile.name.clone(), path });
        };
        let mut text = block.text.clone();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        std::fs::write(&path, text)
            .map_err(|source| AgentError::WriteBlock { path: path.clone(), source })?;
        Ok(BlockFile { line: block.line, path: word })
    };
    blocks.iter().enumerate().map(write).collect()
}

/// One `sh` that runs each file with `interpreter` and exits with the first code that is not zero. A block
/// that says `exit 0` ends only itself.
pub(super) fn argv(interpreter: &[String], files: &[BlockFile]) -> Vec<String> {
    let words: Vec<String> = interpreter.iter().map(|word| quoted(word)).collect();
    let script = format!(
        "n=0\n\
         while [ $# -gt 1 ]; do\n\
         \x20 n=$((n + 1))\n\
         \x20 printf '{ANNOUNCED}%s (line %s)\\n' \"$n\" \"$1\" >&2\n\
         \x20 {} \"$2\" </dev/null || exit $?\n\
         \x20 shift 2\n\
         done\n",
        words.join(" ")
    );
    let mut argv = vec!["sh".to_owned(), "-c".to_owned(), script, "orch".to_owned()];
    for file in files {
        argv.push(file.line.to_string());
        argv.push(file.path.clone());
    }
    argv
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Reads a line of standard error; whether it announced a block and is not the block's own.
pub(super) fn announced(account: &mut Account, line: &str) -> bool {
    let Some(which) = line.strip_prefix(ANNOUNCED) else { return false };
    account.place = Some(format!("block {}", phrase::one_line(which)));
    account.last.clone_from(&account.place);
    true
}

#[cfg(test)]
#[path = "shell_tests.rs"]
mod tests;
