//! Issues: one for each task, under one of the run.

use super::{Desk, text};
use crate::forge::Issue;
use crate::model::{Event, ForgeWork, Link, TaskId};
use crate::supervisor::SupervisorError;

impl Desk<'_> {
    /// Opens the issues that are missing.
    ///
    /// # Errors
    /// GitHub or the journal.
    pub(super) async fn open_issues(&mut self, tasks: &[TaskId]) -> Result<(), SupervisorError> {
        let missing = |desk: &Self| {
            let known = &desk.state().forge.issues;
            tasks.iter().filter(|task| !known.contains_key(task)).cloned().collect::<Vec<_>>()
        };
        if missing(self).is_empty() {
            return Ok(());
        }
        self.adopt_issues(tasks).await?;
        if self.state().forge.parent.is_none() && tasks.len() > 1 {
            let (title, body) = text::of_run(self.state(), tasks);
            let issue = self.open_issue(None, &title, &body).await?;
            self.record(vec![Event::IssueOpened { task: None, issue }])?;
        }
        for id in missing(self) {
            let Some(at) = self.state().position(&id) else { continue };
            let state = self.state();
            let spec = &state.spec.tasks[at];
            let prompt = self.world.layout.prompt(&state.spec.id, &id);
            let prompt = std::fs::read_to_string(prompt).unwrap_or_default();
            let (title, body) = text::of_issue(state, spec, &prompt);
            let issue = self.open_issue(Some(id.clone()), &title, &body).await?;
            let line = format!("issue #{}: {title}", issue.number);
            self.record(vec![Event::IssueOpened { task: Some(id), issue }])?;
            self.say(&line);
        }
        Ok(())
    }

    /// The issue of the run names those of its tasks.
    ///
    /// # Errors
    /// GitHub or the journal.
    pub(super) async fn list_issues(&mut self, tasks: &[TaskId]) -> Result<(), SupervisorError> {
        let Some(parent) = self.state().forge.parent.clone() else { return Ok(()) };
        let (_, body) = text::of_run(self.state(), tasks);
        let digest = text::digest(&body);
        if self.state().forge.listed.as_ref() == Some(&digest) {
            return Ok(());
        }
        self.begin(ForgeWork::EditIssue { number: parent.number })?;
        match self.forge.edit_issue(parent.number, &body).await {
            Ok(()) => self.record(vec![Event::IssuesListed { text: digest }]),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn open_issue(
        &mut self,
        task: Option<TaskId>,
        title: &str,
        body: &str,
    ) -> Result<Link, SupervisorError> {
        self.begin(ForgeWork::OpenIssue { task })?;
        match self.forge.open_issue(title, body).await {
            Ok(issue) => Ok(link(&issue)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Issues of this run that exist though the journal does not know it: an answer was lost, or a journal.
    async fn adopt_issues(&mut self, tasks: &[TaskId]) -> Result<(), SupervisorError> {
        let since = self.since();
        let found = match self.forge.issues_since(since).await {
            Ok(found) => found,
            Err(error) => return Err(self.failed(error)),
        };
        let run = self.state().spec.id.clone();
        // The oldest, should somebody have copied one.
        let with = |marker: &str| {
            let of_us =
                |issue: &&Issue| issue.body.as_deref().is_some_and(|body| body.starts_with(marker));
            found.iter().filter(of_us).min_by_key(|issue| issue.number)
        };
        let mut events = Vec::new();
        if self.state().forge.parent.is_none()
            && let Some(issue) = with(&text::marker(&run, None))
        {
            events.push(Event::IssueOpened { task: None, issue: link(issue) });
        }
        for id in tasks.iter().filter(|id| !self.state().forge.issues.contains_key(id)) {
            if let Some(issue) = with(&text::marker(&run, Some(id))) {
                events.push(Event::IssueOpened { task: Some(id.clone()), issue: link(issue) });
            }
        }
        self.record(events)
    }
}

fn link(issue: &Issue) -> Link {
    Link { number: issue.number, url: issue.url.clone() }
}
