//! Reading a workflow file.

use crate::model::{BuiltIn, Phase};
use serde::Deserialize;
use std::path::{Path, PathBuf};

const SHIPPED: &[(&str, &str)] = &[("default", include_str!("../../workflows/default.yaml"))];

/// Where a repository keeps workflows of its own.
const OWN: &str = ".orch/workflows";

/// A workflow as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// The name tasks use.
    pub name: String,
    /// One line.
    #[serde(default)]
    pub description: String,
    /// In order.
    pub(super) steps: Vec<StepTemplate>,
}

/// A step as written: exactly one of `agent`, `commands`, `commands_from` and `builtin`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepTemplate {
    pub(super) id: String,
    pub(super) phase: Phase,
    /// Default: the step before it.
    pub(super) needs: Option<Vec<String>>,
    pub(super) agent: Option<AgentChoice>,
    pub(super) commands: Option<Vec<String>>,
    pub(super) commands_from: Option<CommandSource>,
    pub(super) builtin: Option<BuiltIn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AgentChoice {
    /// The agent of the task.
    Task,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CommandSource {
    /// `[setup] commands` of orch.toml.
    Setup,
    /// `verify` of the prompt, orch.toml and `--verify`.
    Verify,
}

/// Why a workflow cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// No such workflow.
    #[error("no workflow named '{name}'; known: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a workflow.
    #[error("{file}: {message}")]
    Invalid {
        /// The file, or the name of a shipped workflow.
        file: String,
        /// What is wrong, with the line where one is known.
        message: String,
    },
    /// Refused by governance.
    #[error("workflow '{name}' has no step for: {missing}; every phase must be accounted for")]
    Bypass {
        /// The workflow.
        name: String,
        /// Phases without a step.
        missing: String,
    },
}

impl Workflow {
    /// Loads a workflow by name: the repository's own, else a shipped one.
    ///
    /// # Errors
    /// Unknown name, unreadable or invalid file, or a phase left out.
    pub fn load(name: &str, root: &Path) -> Result<Self, WorkflowError> {
        let own = root.join(OWN).join(format!("{name}.yaml"));
        let is_name = !name.contains(['/', '\\']) && !name.starts_with('.');
        if is_name && own.is_file() {
            let text = std::fs::read_to_string(&own)
                .map_err(|source| WorkflowError::Unreadable { path: own.clone(), source })?;
            return Self::parse(&text, &format!("{OWN}/{name}.yaml"));
        }
        match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            Some((_, text)) => Self::parse(text, name),
            None => Err(WorkflowError::Unknown { name: name.to_owned(), known: known(root) }),
        }
    }

    fn parse(text: &str, file: &str) -> Result<Self, WorkflowError> {
        let invalid = |message: String| WorkflowError::Invalid { file: file.to_owned(), message };
        let workflow: Self =
            serde_saphyr::from_str(text).map_err(|error| invalid(error.to_string()))?;
        for (index, step) in workflow.steps.iter().enumerate() {
            let kinds = [
                step.agent.is_some(),
                step.commands.is_some(),
                step.commands_from.is_some(),
                step.builtin.is_some(),
            ];
            if kinds.into_iter().filter(|is| *is).count() != 1 {
                return Err(invalid(format!(
                    "step '{}' needs exactly one of agent, commands, commands_from and builtin",
                    step.id
                )));
            }
            let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if step.id.is_empty() || !step.id.chars().all(valid) {
                return Err(invalid(format!(
                    "step id '{}' may only have letters, digits, '_' and '-'",
                    step.id
                )));
            }
            let before = &workflow.steps[..index];
            if before.iter().any(|other| other.id == step.id) {
                return Err(invalid(format!("two steps are called '{}'", step.id)));
            }
            for need in step.needs.iter().flatten() {
                if !before.iter().any(|other| other.id == *need) {
                    return Err(invalid(format!(
                        "step '{}' needs '{need}', which no step before it is called",
                        step.id
                    )));
                }
            }
        }
        workflow.account_for_phases()?;
        Ok(workflow)
    }

    fn account_for_phases(&self) -> Result<(), WorkflowError> {
        const ALL: [Phase; 8] = [
            Phase::Setup,
            Phase::IssueCreation,
            Phase::BranchCreation,
            Phase::Implementation,
            Phase::Testing,
            Phase::Documentation,
            Phase::PrCreation,
            Phase::Review,
        ];
        let missing: Vec<String> = ALL
            .iter()
            .filter(|phase| !self.steps.iter().any(|step| step.phase == **phase))
            .map(ToString::to_string)
            .collect();
        let builtin = |wanted| self.steps.iter().position(|s| s.builtin == Some(wanted));
        let work = self.steps.iter().position(|s| s.builtin.is_none());
        let isolated = match (builtin(BuiltIn::Branch), work) {
            (Some(branch), Some(work)) => branch < work,
            (branch, _) => branch.is_some(),
        };
        // What a process leaves behind after the last commit would be lost; a test leaves nothing.
        let last = |wanted: fn(&StepTemplate) -> bool| self.steps.iter().rposition(wanted);
        let committed = last(|s| s.builtin == Some(BuiltIn::Commit))
            > last(|s| s.builtin.is_none() && s.phase != Phase::Testing);
        if missing.is_empty() && isolated && committed {
            return Ok(());
        }
        let missing = if missing.is_empty() {
            "a 'branch' before the first process and a 'commit' after the last one that is no test"
                .to_owned()
        } else {
            missing.join(", ")
        };
        Err(WorkflowError::Bypass { name: self.name.clone(), missing })
    }
}

fn known(root: &Path) -> String {
    let mut names: Vec<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    for entry in std::fs::read_dir(root.join(OWN)).into_iter().flatten().flatten() {
        let file = entry.file_name();
        if let Some(name) = file.to_str().and_then(|f| f.strip_suffix(".yaml")) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_workflow_loads_and_accounts_for_every_phase() {
        for (name, _) in SHIPPED {
            let workflow = Workflow::load(name, Path::new("/nowhere")).unwrap();
            assert_eq!(workflow.name, *name);
        }
    }

    #[test]
    fn a_workflow_without_tests_is_refused() {
        let text =
            include_str!("../../workflows/default.yaml").replace("phase: testing", "phase: setup");
        let error = Workflow::parse(&text, "mine").unwrap_err();
        assert!(
            matches!(error, WorkflowError::Bypass { ref missing, .. } if missing == "testing"),
            "{error}"
        );
    }

    #[test]
    fn mistakes_are_named() {
        let step = "name: x\nsteps:\n  - {id: a, phase: setup, agent: task, builtin: branch}\n";
        assert!(Workflow::parse(step, "f").unwrap_err().to_string().contains("exactly one of"));
        let unknown = "name: x\nsteps:\n  - {id: a, phase: setup, agnt: task}\n";
        assert!(Workflow::parse(unknown, "f").unwrap_err().to_string().contains("agnt"));
        let error = Workflow::load("nope", Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.to_string(), "no workflow named 'nope'; known: default");
    }
}
