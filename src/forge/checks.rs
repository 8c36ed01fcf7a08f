//! The checks of a commit: check runs and statuses, GitHub's newer and older form of the same.

use super::client::{Call, Forge, read};
use super::error::ForgeError;
use serde::Deserialize;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckState {
    /// It passed, was skipped, or does not matter.
    Passed,
    /// It has not ended.
    Pending,
    /// It did not pass.
    Failed,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What it came to.
    pub state: CheckState,
    /// Where its log is.
    pub url: Option<String>,
    /// What it says of itself, in a few words.
    pub summary: Option<String>,
    /// Where more can be had; a status has no more.
    pub run: Option<CheckRun>,
}

/// What can be asked about a check run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckRun {
    /// Its id; one of GitHub Actions has that of its job.
    pub id: u64,
    /// Remarks on lines that it made.
    pub annotations: u64,
    /// It is of GitHub Actions, which keeps a log.
    pub is_action: bool,
}

/// What a check has to say about a line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Annotation {
    /// The file.
    pub path: String,
    /// The line.
    pub start_line: u64,
    /// `notice`, `warning` or `failure`.
    #[serde(default)]
    pub annotation_level: Option<String>,
    /// What it says.
    #[serde(default)]
    pub message: Option<String>,
}

/// The checks of a commit, worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks(pub Vec<Check>);

impl Checks {
    /// The worst of them; `Passed` where there are none.
    #[must_use]
    pub fn state(&self) -> CheckState {
        self.0.iter().map(|check| check.state).max().unwrap_or(CheckState::Passed)
    }

    /// Names of those in a state.
    #[must_use]
    pub fn named(&self, state: CheckState) -> Vec<&str> {
        self.0.iter().filter(|check| check.state == state).map(|c| c.name.as_str()).collect()
    }
}

#[derive(Deserialize)]
struct Runs {
    total_count: u64,
    check_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    name: String,
    status: String,
    conclusion: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    output: Output,
    #[serde(default)]
    app: Option<App>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Output {
    title: Option<String>,
    summary: Option<String>,
    text: Option<String>,
    annotations_count: u64,
}

#[derive(Deserialize)]
struct App {
    #[serde(default)]
    slug: Option<String>,
}

#[derive(Deserialize)]
struct Combined {
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
struct Status {
    context: String,
    state: String,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

impl From<Run> for Check {
    fn from(run: Run) -> Self {
        let state = match (run.status.as_str(), run.conclusion.as_deref()) {
            ("completed", Some("success" | "neutral" | "skipped")) => CheckState::Passed,
            // `stale` and `action_required` wait for somebody, and do not pass by themselves.
            ("completed", _) => CheckState::Failed,
            _ => CheckState::Pending,
        };
        let said = [run.output.title, run.output.summary, run.output.text];
        let said: Vec<String> =
            said.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        let is_action = run.app.and_then(|app| app.slug).as_deref() == Some("github-actions");
        let annotations = run.output.annotations_count;
        Self {
            name: run.name,
            state,
            url: run.html_url,
            summary: (!said.is_empty()).then(|| said.join("\n")),
            run: Some(CheckRun { id: run.id, annotations, is_action }),
        }
    }
}

impl From<Status> for Check {
    fn from(status: Status) -> Self {
        let state = match status.state.as_str() {
            "success" => CheckState::Passed,
            "pending" => CheckState::Pending,
            _ => CheckState::Failed,
        };
        Self {
            name: status.context,
            state,
            url: status.target_url,
            summary: status.description,
            run: None,
        }
    }
}

impl Forge {
    /// The checks of a commit: two requests.
    ///
    /// # Errors
    /// As every request.
    pub async fn checks(&mut self, sha: &str) -> Result<Checks, ForgeError> {
        let doing = format!("the checks of {sha}");
        let mut all: Vec<Check> = Vec::new();
        for page in 1.. {
            let path =
                format!("/repos/{}/commits/{sha}/check-runs?per_page=100&page={page}", self.slug);
            let runs: Runs = self.json(Call::get(path, &doing)).await?;
            let last = runs.check_runs.is_empty() || page * 100 >= runs.total_count;
            all.extend(runs.check_runs.into_iter().map(Check::from));
            if last {
                break;
            }
        }
        let path = format!("/repos/{}/commits/{sha}/status?per_page=100", self.slug);
        let reply = self.send(&Call::get(path, &doing)).await?;
        let combined: Combined = read(&reply.text, &doing)?;
        all.extend(combined.statuses.into_iter().map(Check::from));
        all.sort_by(|a, b| (b.state, &a.name).cmp(&(a.state, &b.name)));
        Ok(Checks(all))
    }

    /// Whether the repository has workflows of GitHub Actions. Where we may not know, it has none.
    ///
    /// # Errors
    /// No answer, a limit, no credentials.
    pub async fn has_workflows(&mut self) -> Result<bool, ForgeError> {
        #[derive(Deserialize)]
        struct Workflows {
            total_count: u64,
        }
        let path = format!("/repos/{}/actions/workflows?per_page=1", self.slug);
        match self.json::<Workflows>(Call::get(path, "the workflows")).await {
            Ok(workflows) => Ok(workflows.total_count > 0),
            Err(ForgeError::NotFound(_) | ForgeError::Forbidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What a check run says about lines: the first fifty.
    ///
    /// # Errors
    /// As every request.
    pub async fn annotations(&mut self, run: CheckRun) -> Result<Vec<Annotation>, ForgeError> {
        let path = format!("/repos/{}/check-runs/{}/annotations?per_page=50", self.slug, run.id);
        self.json(Call::get(path, "what a check says about lines")).await
    }

    /// The log of a check of GitHub Actions; `None` where it is gone, or we may not read it.
    ///
    /// # Errors
    /// No answer, a limit, no credentials.
    pub async fn job_log(&mut self, run: CheckRun) -> Result<Option<String>, ForgeError> {
        let path = format!("/repos/{}/actions/jobs/{}/logs", self.slug, run.id);
        match self.send(&Call::get(path, "the log of a check")).await {
            Ok(reply) => Ok(Some(reply.text)),
            Err(
                ForgeError::NotFound(_)
                | ForgeError::Forbidden { .. }
                | ForgeError::Invalid { .. }
                | ForgeError::NotNow { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_passes_only_when_it_says_so() {
        let state = |status: &str, conclusion: Option<&str>| {
            let run = serde_json::json!({ "id": 1, "name": "n", "status": status, "conclusion": conclusion });
            Check::from(serde_json::from_value::<Run>(run).unwrap()).state
        };
        assert_eq!(state("completed", Some("success")), CheckState::Passed);
        assert_eq!(state("completed", Some("skipped")), CheckState::Passed);
        assert_eq!(state("completed", Some("timed_out")), CheckState::Failed);
        assert_eq!(state("completed", None), CheckState::Failed);
        assert_eq!(state("waiting", None), CheckState::Pending);
        assert_eq!(Checks::default().state(), CheckState::Passed);
    }
}
