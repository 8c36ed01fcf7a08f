//! What an agent finds in its environment, and what it must not find there.

use std::collections::BTreeMap;
use std::path::Path;

/// What the `ORCH_*` variables say about the attempt.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    /// The run's id.
    pub run_id: &'a str,
    /// The task's id.
    pub task_id: &'a str,
    /// The task's name.
    pub task_name: &'a str,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// The step's id.
    pub step: &'a str,
    /// The role, when there is one.
    pub role: Option<&'a str>,
    /// The task's worktree, absolute.
    pub worktree: &'a Path,
    /// The task's branch.
    pub branch: &'a str,
    /// The commit the branch began at.
    pub base: &'a str,
    /// The generated prompt, absolute.
    pub prompt_file: &'a Path,
}

impl Variables<'_> {
    /// The variables of the command-line contract. `ORCH_ROLE` is always there, so that a script under
    /// `set -u` can ask for it.
    #[must_use]
    pub fn to_env(&self) -> BTreeMap<String, String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        [
            ("ORCH_RUN_ID", self.run_id.to_owned()),
            ("ORCH_TASK_ID", self.task_id.to_owned()),
            ("ORCH_TASK_NAME", self.task_name.to_owned()),
            ("ORCH_ATTEMPT", self.attempt.to_string()),
            ("ORCH_STEP", self.step.to_owned()),
            ("ORCH_ROLE", self.role.unwrap_or_default().to_owned()),
            ("ORCH_WORKTREE", path(self.worktree)),
            ("ORCH_BRANCH", self.branch.to_owned()),
            ("ORCH_BASE", self.base.to_owned()),
            ("ORCH_PROMPT_FILE", path(self.prompt_file)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

/// Set by agent CLIs for what they start: found by another agent, they change what it does (it takes itself
/// for a nested one, or for sandboxed).
const OF_AN_ENCLOSING_AGENT: &[&str] = &[
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_ENV_FILE",
    "CODEX_SANDBOX",
    "CODEX_SANDBOX_NETWORK_DISABLED",
    "CODEX_THREAD_ID",
    "GEMINI_CLI",
    "QWEN_CODE",
    "OPENCODE",
    "OPENCODE_PID",
    "OPENCODE_RUN_ID",
];

/// What `git rev-parse --local-env-vars` lists, without the configuration variables: inside a hook they
/// point at the repository the hook runs for, and every git command of an agent would follow them there.
const OF_AN_ENCLOSING_GIT: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Names that must not be inherited by anything run in a worktree, commands included.
pub fn inherited_to_remove() -> impl Iterator<Item = &'static str> {
    OF_AN_ENCLOSING_AGENT.iter().chain(OF_AN_ENCLOSING_GIT).copied()
}

/// Nobody is there to answer: git must not ask for a password or open an editor.
pub(super) const UNATTENDED: &[(&str, &str)] =
    &[("GIT_TERMINAL_PROMPT", "0"), ("GIT_EDITOR", "true")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_the_contract_is_set() {
        let env = Variables {
            run_id: "run-1",
            task_id: "task-1",
            task_name: "a",
            attempt: 2,
            step: "implement",
            role: None,
            worktree: Path::new("/r/.worktrees/task-1"),
            branch: "orch/a-1",
            base: "abc",
            prompt_file: Path::new("/r/.git/orch/prompt.md"),
        }
        .to_env();
        let names: Vec<_> = env.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "ORCH_ATTEMPT",
                "ORCH_BASE",
                "ORCH_BRANCH",
                "ORCH_PROMPT_FILE",
                "ORCH_ROLE",
                "ORCH_RUN_ID",
                "ORCH_STEP",
                "ORCH_TASK_ID",
                "ORCH_TASK_NAME",
                "ORCH_WORKTREE"
            ]
        );
        assert_eq!(env["ORCH_ATTEMPT"], "2");
        assert_eq!(env["ORCH_ROLE"], "");
    }
}
