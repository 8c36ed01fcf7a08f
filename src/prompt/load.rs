//! Files -> prompts, and what is wrong with them all at once.

use super::front::FrontMatter;
use super::outline::{Outline, outline};
use super::problem::PromptErrors;
use super::split::{Split, split};
use super::status::done;
use super::values::check_name;
use super::{Prompt, read};
use crate::model::{Problem, quoted};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Loads prompt files, in the order given; relative paths are below `cwd`.
///
/// # Errors
/// Everything that is wrong with any of them, and names that two of them share.
pub fn load(paths: &[PathBuf], cwd: &Path) -> Result<Vec<Prompt>, PromptErrors> {
    let mut problems = Vec::new();
    let mut prompts = Vec::with_capacity(paths.len());
    for path in paths {
        match read::read(path, &cwd.join(path)) {
            Ok(text) => prompts.push(understand(path, &text, &mut problems)),
            Err(problem) => problems.push(problem),
        }
    }
    let prompts: Vec<Prompt> = prompts.into_iter().flatten().collect();
    compare_names(&prompts, &mut problems);
    if problems.is_empty() { Ok(prompts) } else { Err(PromptErrors(problems)) }
}

/// One file's text -> prompt. `None` when there is not even a name.
pub(super) fn understand(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Option<Prompt> {
    let start = problems.len();
    let mut foreign = false;
    let (front, body_at) = match split(text) {
        Split::None => (FrontMatter::default(), 0),
        Split::At { yaml_end, body } => {
            let yaml = text.get(..yaml_end).unwrap_or_default();
            let front = FrontMatter::read(path, yaml, problems);
            foreign = front.is_none();
            (front.unwrap_or_default(), body)
        }
        Split::Unclosed { line } => {
            problems.push(
                Problem::new(path, "the front matter that `---` opens here is never closed")
                    .at(line)
                    .hint("put a line `---` below its last key"),
            );
            return None;
        }
    };
    let (above, body) = text.split_at_checked(body_at).unwrap_or(("", text));
    let above = above.bytes().filter(|b| *b == b'\n').count();
    let body_line = u32::try_from(above + 1).unwrap_or(u32::MAX);
    let outline = outline(body, body_line);
    let status = front.status.as_deref().map(|s| (s, front.line("status").unwrap_or(1)));
    let done = done(status, &outline);
    if done.is_none() {
        check_body(path, body, body_line, problems);
        if front.agent.as_deref() == Some("shell") {
            check_shell(path, body_line, &outline, problems);
        }
    }
    let name = match &front.id {
        Some(id) => Some(id.clone()),
        // An id that was refused is reported already.
        None if front.line("id").is_some() && problems.len() > start => None,
        None => name_of(path, problems),
    };
    Some(Prompt {
        name: name?,
        path: path.to_owned(),
        title: title(&front, body, &outline),
        front,
        // What another tool wants to know of the task, its agent may too.
        body: if foreign { text } else { body }.to_owned(),
        body_line: if foreign { 1 } else { body_line },
        foreign,
        blocks: outline.blocks,
        done,
    })
}

fn check_body(path: &Path, body: &str, body_line: u32, problems: &mut Vec<Problem>) {
    if body.trim().is_empty() {
        let what = if body_line > 1 {
            "there is nothing below the front matter"
        } else {
            "the prompt is empty"
        };
        problems.push(
            Problem::new(path, what)
                .at(body_line)
                .hint("say what the agent is to do, or leave the file out"),
        );
    }
}

/// What `agent: shell` runs has to be there and has to have an end.
fn check_shell(path: &Path, body_line: u32, outline: &Outline, problems: &mut Vec<Problem>) {
    let mut shell = outline.blocks.iter().filter(|block| block.is_shell()).peekable();
    if shell.peek().is_none() {
        let other = outline.blocks.iter().find(|b| matches!(b.language(), "bash" | "zsh" | ""));
        let hint = "the agent `shell` runs code blocks that begin with ```sh";
        problems.push(match other {
            Some(block) => Problem::new(path, "this code block is not marked as `sh`")
                .at(block.line)
                .hint(format!("{hint}, and there is none")),
            None => Problem::new(path, "there is no `sh` code block").at(body_line).hint(hint),
        });
    }
    for block in shell.filter(|block| !block.closed) {
        problems.push(
            Problem::new(path, "the code block that begins here is never closed")
                .at(block.line)
                .hint("everything below it would be run; put a line ``` where it ends"),
        );
    }
}

fn name_of(path: &Path, problems: &mut Vec<Problem>) -> Option<String> {
    let shown = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let why = match path.file_name().map(|name| name.to_str()) {
        Some(Some(name)) => {
            let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
            let name = if extension.eq_ignore_ascii_case("md") { stem } else { name };
            match check_name(name) {
                Ok(()) => return Some(name.to_owned()),
                Err(why) => why,
            }
        }
        Some(None) => "is not UTF-8",
        None => "is missing",
    };
    let message = format!("the file's name {} {why}", quoted(&shown.unwrap_or_default()));
    problems.push(
        Problem::new(path, message).hint(
            "a task is named like its file: rename it, or give it an `id` in its front matter",
        ),
    );
    None
}

fn title(front: &FrontMatter, body: &str, outline: &Outline) -> String {
    /// What fits on a line of a table beside the other columns, characters.
    const LONGEST: usize = 120;
    let said = outline.lines.iter().find(|line| line.heading.is_some());
    let said = said.or_else(|| outline.lines.first()).map(|line| line.text.as_str());
    let said = front.title.as_deref().or(said);
    let said = said.or_else(|| body.lines().map(str::trim).find(|line| !line.is_empty()));
    let words: Vec<&str> = said.unwrap_or_default().split_whitespace().collect();
    let title: String = words.join(" ").chars().filter(|c| !c.is_control() && *c != '`').collect();
    if title.chars().nth(LONGEST).is_none() {
        return title;
    }
    let short: String = title.chars().take(LONGEST - 3).collect();
    format!("{}...", short.trim_end())
}

fn compare_names(prompts: &[Prompt], problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, &Prompt> = HashMap::new();
    for prompt in prompts {
        let Some(first) = seen.insert(&prompt.name, prompt) else { continue };
        seen.insert(&prompt.name, first);
        let (message, hint) = if first.path == prompt.path {
            ("this prompt is given twice".to_owned(), "name every prompt once".to_owned())
        } else {
            let name = quoted(&prompt.name);
            let other = first.path.display();
            (
                format!("the name {name} is taken by {other}"),
                "rename one of them, or give one an `id` in its front matter".to_owned(),
            )
        };
        let problem = Problem::new(&prompt.path, message).hint(hint);
        problems.push(match prompt.front.line("id") {
            Some(line) => problem.at(line),
            None => problem,
        });
    }
}
