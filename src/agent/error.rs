//! What can be wrong with a profile or with one launch.

use std::path::PathBuf;

/// Errors of this room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The command has no program.
    #[error(
        "agent '{agent}': the command is empty; write for example command = [\"prog\", \"{{prompt}}\"]"
    )]
    EmptyCommand {
        /// The agent.
        agent: String,
    },
    /// The program contains a placeholder.
    #[error("agent '{agent}': the program itself cannot be a placeholder: {program}")]
    PlaceholderProgram {
        /// The agent.
        agent: String,
        /// The first word of the command.
        program: String,
    },
    /// A placeholder nobody knows.
    #[error(
        "agent '{agent}': unknown placeholder {{{name}}} in '{argument}'; {hint} (write {{{{{name}}}}} to mean the text itself)"
    )]
    UnknownPlaceholder {
        /// The agent.
        agent: String,
        /// The name between the braces.
        name: String,
        /// The argument it stands in.
        argument: String,
        /// The nearest known one, or the list of them.
        hint: String,
    },
    /// `{prompt}` in a command whose prompt arrives another way.
    #[error(
        "agent '{agent}': the command has {{prompt}} but prompt = \"{delivery}\"; remove it, or set prompt = \"arg\""
    )]
    PromptTwice {
        /// The agent.
        agent: String,
        /// How the prompt arrives.
        delivery: &'static str,
    },
    /// A command to go on with a session that does not name it.
    #[error(
        "agent '{agent}': resume_command needs {{session}} where the agent expects the session's id"
    )]
    NoSession {
        /// The agent.
        agent: String,
    },
    /// A variable name the system does not accept.
    #[error("agent '{agent}': '{name}' is not a name for an environment variable")]
    VariableName {
        /// The agent.
        agent: String,
        /// The name.
        name: String,
    },
    /// The kernel does not take an argument of this size.
    #[error(
        "agent '{agent}': the prompt has {bytes} bytes and an argument can have {limit}; set prompt = \"stdin\", or prompt = \"file\" with {{prompt_file}} in the command"
    )]
    PromptTooLong {
        /// The agent.
        agent: String,
        /// Size of the argument it would need.
        bytes: usize,
        /// Largest possible argument.
        limit: usize,
    },
    /// A NUL byte cannot be passed in an argument.
    #[error("agent '{agent}': {what} contains a NUL byte, which no argument can carry")]
    Nul {
        /// The agent.
        agent: String,
        /// What contains it.
        what: String,
    },
    /// `agent: shell` and nothing to run.
    #[error(
        "agent '{agent}': the prompt has no fenced sh block to run; add one, or name another agent"
    )]
    NoBlocks {
        /// The agent.
        agent: String,
    },
    /// A path that is not UTF-8 cannot be substituted.
    #[error("agent '{agent}': the path is not valid UTF-8: {}", .path.display())]
    PathNotUnicode {
        /// The agent.
        agent: String,
        /// The path.
        path: PathBuf,
    },
    /// A block file could not be written.
    #[error("cannot write {}: {source}", .path.display())]
    WriteBlock {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
}
