//! `orch report --issue`: an issue about what went wrong in a run, once.

use super::{Desk, text};
use crate::forge::ForgeError;
use crate::model::{Event, ForgeWork, Link, TaskState};
use crate::supervisor::SupervisorError;
use crate::supervisor::attempt::tail;
use std::fmt::Write;

/// What is quoted of a failed attempt's log, bytes: its end.
const LOG: usize = 4 << 10;

/// Tasks that are told of; GitHub takes 65,536 characters in all.
const TASKS: usize = 10;

impl Desk<'_> {
    /// Files an issue about the tasks of the run that failed; the one that was filed before is given again.
    ///
    /// # Errors
    /// Nothing failed; GitHub or the journal.
    pub async fn report_failure(&mut self) -> Result<Link, SupervisorError> {
        let Some((title, body)) = self.failure() else {
            return Err(SupervisorError::Refused(format!(
                "nothing failed in {}",
                self.state().spec.id
            )));
        };
        self.settle().await;
        if !self.facts().await?.has_issues {
            return Err(ForgeError::Forbidden {
                doing: "issues".to_owned(),
                message: format!("{} has none", self.forge.slug()),
            }
            .into());
        }
        let marker = self.failure_marker();
        let since = self.since();
        let known = self.forge.issues_since(since).await.map_err(|error| self.failed(error))?;
        let known = known
            .iter()
            .filter(|issue| issue.body.as_deref().is_some_and(|b| b.starts_with(&marker)));
        if let Some(issue) = known.min_by_key(|issue| issue.number) {
            self.record(vec![Event::ForgeDone])?;
            return Ok(Link { number: issue.number, url: issue.url.clone() });
        }
        self.begin(ForgeWork::ReportIssue)?;
        match self.forge.open_issue(&title, &body).await {
            Ok(issue) => {
                self.record(vec![Event::ForgeDone])?;
                Ok(Link { number: issue.number, url: issue.url })
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failure_marker(&self) -> String {
        format!("<!-- orch:failure:{} -->", self.state().spec.id)
    }

    /// Title and text; `None` where nothing failed.
    fn failure(&self) -> Option<(String, String)> {
        let state = self.state();
        let standings = state.standings();
        let views = (0..state.tasks.len()).map(|at| state.task_view(at, &standings));
        let (failed, rest): (Vec<_>, Vec<_>) = views.partition(|view| {
            matches!(
                view.state,
                TaskState::Failed
                    | TaskState::TimedOut
                    | TaskState::Conflicted
                    | TaskState::GovernanceViolation
            )
        });
        if failed.is_empty() {
            return None;
        }
        let mut body = format!(
            "{}\n{} of {} tasks of `{}` failed. orch {} on {}, base `{}`.\n\n",
            self.failure_marker(),
            failed.len(),
            failed.len() + rest.len(),
            state.spec.id,
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            state.spec.base
        );
        for view in failed.iter().take(TASKS) {
            let _ = writeln!(body, "### {}: {}\n", text::code(&view.name), view.state);
            if let Some(error) = &view.error {
                let _ = writeln!(
                    body,
                    "{}",
                    text::fenced(&format!("{}: {}", error.class, error.message))
                );
                if let Some(suggestion) = &error.suggestion {
                    let _ = writeln!(body, "Suggested: {}.\n", text::plain(suggestion));
                }
            }
            let _ = writeln!(
                body,
                "Agent {}, {} attempts.\n",
                text::code(&view.agent),
                view.attempts.len()
            );
            if let Some(log) = view.logs.last() {
                let attempt = crate::model::AttemptId {
                    task: view.id.clone(),
                    step: log.step.as_str().into(),
                    number: log.attempt,
                };
                let end = tail(&self.world.layout.attempt(&state.spec.id, &attempt), LOG);
                let _ = writeln!(
                    body,
                    "The end of the log of {}:\n\n{}",
                    text::code(&attempt.to_string()),
                    text::fenced(&end)
                );
            }
        }
        if failed.len() > TASKS {
            let _ = writeln!(body, "And {} more.", failed.len() - TASKS);
        }
        let one =
            failed.iter().map(|view| view.name.as_str()).take(3).collect::<Vec<_>>().join(", ");
        let more = if failed.len() > 3 { " and others" } else { "" };
        Some((text::plain(&format!("orch: {one}{more} failed ({})", state.spec.id)), body))
    }
}
