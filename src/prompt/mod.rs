//! A Markdown file -> [`Prompt`].
//!
//! Duty: reads prompt files, their optional YAML front matter, title, fenced code and whether they
//! are marked as done.
//! Promise: every problem of every file is found in one pass and named with its file, its line and
//! what to do; nothing that a file contains makes the reader hang, panic or use more than linear time
//! and memory. A problem is an error: a key that is not understood is never silently ignored; only the
//! front matter of another tool, which has nothing but such keys, is, and the prompt says so.
//! Never: knows the repository, the other tasks or the configuration. Whether an agent, a workflow or
//! a dependency of that name exists is for the caller to say.
//!
//! A file's way: `read` makes it text, `split` cuts off the front matter, `yaml`, `front` and `values`
//! understand it, `outline` reads the Markdown, `status` says whether it is done, `load` joins them and
//! compares the names.

mod front;
mod load;
mod outline;
mod problem;
mod read;
mod scan;
mod split;
mod status;
mod values;
mod yaml;

pub use front::{FrontMatter, KEYS};
pub use load::load;
pub use outline::CodeBlock;
pub use problem::PromptErrors;
pub use read::MAX_BYTES;
pub use scan::scan;

use std::path::PathBuf;

/// A prompt file, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The `id` of the front matter, or else the file's name without `.md`. Unique among the prompts
    /// loaded together and usable as one word of a command line: not empty, no `/`, no control
    /// character, no `-` in front, no space around it.
    pub name: String,
    /// As it was given, so that messages say what the person typed.
    pub path: PathBuf,
    /// One line, at most 120 characters: the front matter's title, else the first heading without its
    /// markup, else the beginning of the first line that says something.
    pub title: String,
    /// What the front matter says.
    pub front: FrontMatter,
    /// Everything below the front matter, with `\n` line ends and without a byte order mark, so that
    /// a checkout with other line ends is the same prompt. Apart from that it is what the file says.
    pub body: String,
    /// The line of the file on which `body` begins, from 1: line `n` of `body` (from 0) is line
    /// `body_line + n` of the file.
    pub body_line: u32,
    /// Its front matter was written for another tool: it is part of the body, and means nothing here.
    pub foreign: bool,
    /// The fenced code blocks of the body, in order.
    pub blocks: Vec<CodeBlock>,
    /// Why there is nothing to do, with the line that says so; `None` for a prompt to be worked on.
    pub done: Option<String>,
}

impl Prompt {
    /// A part of it with a name, a title and a body of its own; what the front matter says stays, but
    /// for `id`, `title`, `files`, `reads` and `depends_on`.
    #[must_use]
    pub fn part(&self, name: String, title: String, body: String) -> Self {
        let mut front = self.front.clone();
        (front.id, front.title) = (None, None);
        for list in [&mut front.files, &mut front.reads, &mut front.depends_on] {
            list.clear();
        }
        let blocks = outline::outline(&body, self.body_line).blocks;
        Self { name, title, front, body, blocks, ..self.clone() }
    }

    /// The fenced blocks whose language is `sh` or `shell`: what `agent: shell` runs.
    pub fn sh_blocks(&self) -> impl Iterator<Item = &CodeBlock> {
        self.blocks.iter().filter(|block| block.is_shell())
    }
}

#[cfg(test)]
mod tests;
