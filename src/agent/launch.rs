//! From a profile and an attempt to the process to start.

use super::environment::{UNATTENDED, inherited_to_remove};
use super::placeholder::{self, Part};
use super::shell::{self, ShellBlock};
use super::{AgentError, validate};
use crate::model::{AgentProfile, Dialect, PromptDelivery};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Linux takes arguments of at most 32 pages, the closing NUL included (`MAX_ARG_STRLEN`, execve(2)); with
/// pages of 4 KiB that is 128 KiB. Other systems limit only the sum, and higher.
const LONGEST_ARGUMENT: usize = 128 * 1024 - 1;

/// What the profile's placeholders stand for in this attempt.
#[derive(Clone, Copy, Debug)]
pub struct LaunchContext<'a> {
    /// The prompt as the agent shall read it.
    pub prompt_text: &'a str,
    /// A file with the same text, absolute.
    pub prompt_file: &'a Path,
    /// The task's worktree, absolute; also the working directory.
    pub worktree: &'a Path,
    /// The model the prompt names; otherwise the profile's own is taken.
    pub model: Option<&'a str>,
    /// The session to continue.
    pub session: Option<&'a str>,
    /// The attempt's directory: the shell agent's block files are written there.
    pub attempt_dir: &'a Path,
    /// The prompt's fenced `sh` blocks, for the shell agent.
    pub shell_blocks: &'a [ShellBlock],
    /// Variables beyond the profile's: the prompt's `env` and those of [`super::Variables`].
    pub env: &'a BTreeMap<String, String>,
}

/// A process to start in the worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The file to give it as standard input; `/dev/null` without one. Never an open pipe: some CLIs wait
    /// on it for ever.
    pub stdin: Option<PathBuf>,
    /// Variables to set.
    pub env: BTreeMap<String, String>,
    /// Variables it must not inherit.
    pub env_remove: Vec<String>,
}

/// Prepares one attempt of an agent. For the shell dialect the block files are written into `attempt_dir`.
///
/// A prompt that goes by argument and starts with `-` gets a line break in front of it, since no flag of
/// any agent starts with one. With delivery by argument, the prompt is appended when the command names neither
/// `{prompt}` nor `{prompt_file}`.
///
/// # Errors
/// A wrong profile, a prompt the kernel would not take as an argument, or a block file that cannot be written.
pub fn launch(profile: &AgentProfile, context: &LaunchContext) -> Result<Launch, AgentError> {
    validate(profile)?;
    let resuming = context.session.and(profile.resume_command.as_deref());
    let resuming = resuming.map(|resume| super::profiles::resuming(profile, resume));
    let profile = resuming.as_ref().unwrap_or(profile);
    let argv = if profile.output == Dialect::Shell {
        let files = shell::write_blocks(profile, context.attempt_dir, context.shell_blocks)?;
        let interpreter = expand(profile, context)?;
        shell::argv(&interpreter, &files)
    } else {
        let mut argv = expand(profile, context)?;
        let named = ["prompt", "prompt_file"]
            .iter()
            .any(|name| placeholder::mentions(&profile.command, name));
        if profile.prompt == PromptDelivery::Arg && !named {
            argv.push(as_argument(context.prompt_text));
        }
        argv
    };
    check_sizes(profile, &argv)?;

    let stdin = (profile.prompt == PromptDelivery::Stdin && profile.output != Dialect::Shell)
        .then(|| context.prompt_file.to_owned());
    let mut env: BTreeMap<String, String> =
        UNATTENDED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    env.extend(profile.env.clone());
    env.extend(context.env.clone());
    let env_remove =
        inherited_to_remove().filter(|name| !env.contains_key(*name)).map(str::to_owned).collect();
    Ok(Launch { argv, stdin, env, env_remove })
}

/// The command with its placeholders filled in, and without the arguments that have nothing to say.
fn expand(profile: &AgentProfile, context: &LaunchContext) -> Result<Vec<String>, AgentError> {
    let mut argv: Vec<String> = Vec::with_capacity(profile.command.len() + 1);
    for argument in &profile.command {
        if let Some(filled) = fill(profile, context, argument)? {
            argv.push(filled);
            continue;
        }
        // The flag that would have introduced it goes too; `--flag={x}` is its own flag.
        let introduced = !argument.starts_with('-')
            && argv.len() > 1
            && argv.last().is_some_and(|flag| flag.starts_with('-'));
        if introduced {
            argv.pop();
        }
    }
    Ok(argv)
}

/// One argument; `None` when a placeholder in it has no value.
fn fill(
    profile: &AgentProfile,
    context: &LaunchContext,
    argument: &str,
) -> Result<Option<String>, AgentError> {
    let mut filled = String::new();
    for part in placeholder::parts(argument) {
        let name = match part {
            Part::Text(text) => {
                filled.push_str(text);
                continue;
            }
            Part::Placeholder(name) => name,
        };
        let value = match name {
            "prompt" if filled.is_empty() => Some(as_argument(context.prompt_text)),
            "prompt" => Some(context.prompt_text.to_owned()),
            "prompt_file" => Some(path(profile, context.prompt_file)?),
            "worktree" => Some(path(profile, context.worktree)?),
            "model" => context.model.or(profile.model.as_deref()).map(str::to_owned),
            "session" => context.session.map(str::to_owned),
            // `validate` let only the five names through.
            _ => None,
        };
        match value.filter(|value| !value.is_empty() || name == "prompt") {
            Some(value) => filled.push_str(&value),
            None => return Ok(None),
        }
    }
    Ok(Some(filled))
}

fn as_argument(prompt: &str) -> String {
    if prompt.starts_with('-') { format!("\n{prompt}") } else { prompt.to_owned() }
}

fn path(profile: &AgentProfile, path: &Path) -> Result<String, AgentError> {
    path.to_str().map(str::to_owned).ok_or_else(|| AgentError::PathNotUnicode {
        agent: profile.name.clone(),
        path: path.to_owned(),
    })
}

fn check_sizes(profile: &AgentProfile, argv: &[String]) -> Result<(), AgentError> {
    let agent = || profile.name.clone();
    for argument in argv {
        if argument.len() > LONGEST_ARGUMENT {
            return Err(AgentError::PromptTooLong {
                agent: agent(),
                bytes: argument.len(),
                limit: LONGEST_ARGUMENT,
            });
        }
        if argument.contains('\0') {
            return Err(AgentError::Nul { agent: agent(), what: "the prompt".to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "launch_tests.rs"]
mod tests;
