//! From a workflow to the steps of one task.

use super::Workflow;
use super::file::{CommandSource, StepTemplate};
use crate::model::{BuiltIn, StepId, StepKind, StepSpec};

/// What a task brings to its workflow.
#[derive(Clone, Debug, Default)]
pub struct StepInputs {
    /// Set-up commands of the repository.
    pub setup: Vec<String>,
    /// Verification commands of the task.
    pub verify: Vec<String>,
    /// Why there is no issue and no pull request.
    pub no_forge: String,
    /// Limit of one attempt of a process, milliseconds.
    pub timeout_ms: Option<u64>,
    /// Limit of a process's silence, milliseconds.
    pub idle_timeout_ms: Option<u64>,
    /// How many times the agent is tried again.
    pub retries: u32,
}

impl Workflow {
    /// The steps of a task with these inputs.
    #[must_use]
    pub fn steps(&self, inputs: &StepInputs) -> Vec<StepSpec> {
        let mut before: Option<StepId> = None;
        self.steps
            .iter()
            .map(|template| {
                let id = StepId(template.id.clone());
                let needs = match &template.needs {
                    Some(needs) => needs.iter().map(|n| StepId(n.clone())).collect(),
                    None => before.iter().cloned().collect(),
                };
                before = Some(id.clone());
                let (kind, skip) = kind_of(template, inputs);
                let process = kind.is_process();
                StepSpec {
                    id,
                    phase: template.phase,
                    retries: if matches!(kind, StepKind::Agent) { inputs.retries } else { 0 },
                    timeout_ms: inputs.timeout_ms.filter(|_| process),
                    idle_timeout_ms: inputs.idle_timeout_ms.filter(|_| process),
                    kind,
                    needs,
                    skip,
                }
            })
            .collect()
    }
}

fn kind_of(template: &StepTemplate, inputs: &StepInputs) -> (StepKind, Option<String>) {
    if template.agent.is_some() {
        return (StepKind::Agent, None);
    }
    if let Some(action) = template.builtin {
        let skip = match action {
            BuiltIn::Branch | BuiltIn::Commit => None,
            BuiltIn::Issue | BuiltIn::PullRequest => Some(inputs.no_forge.clone()),
            BuiltIn::Changelog => Some("no documentation step is configured".to_owned()),
            BuiltIn::Review => Some("no reviewer is configured".to_owned()),
        };
        return (StepKind::BuiltIn { action }, skip);
    }
    let (run, why) = match (template.commands_from, &template.commands) {
        (Some(CommandSource::Setup), _) => {
            (inputs.setup.clone(), "no set-up commands in orch.toml")
        }
        (Some(CommandSource::Verify), _) => (inputs.verify.clone(), "no verification commands"),
        (None, commands) => (commands.clone().unwrap_or_default(), "no commands"),
    };
    let skip = run.is_empty().then(|| why.to_owned());
    (StepKind::Commands { run }, skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_apply_is_skipped_with_its_reason() {
        let workflow = Workflow::load("default", std::path::Path::new("/nowhere")).unwrap();
        let inputs = StepInputs {
            verify: vec!["make test".into()],
            no_forge: "no forge".into(),
            ..StepInputs::default()
        };
        let steps = workflow.steps(&inputs);
        let skipped: Vec<&str> =
            steps.iter().filter(|s| s.skip.is_some()).map(|s| s.id.as_str()).collect();
        assert_eq!(skipped, ["issue", "setup", "document", "pull_request", "review"]);
        assert_eq!(steps[3].needs, [StepId::from("setup")]);
    }
}
