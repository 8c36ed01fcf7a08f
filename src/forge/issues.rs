//! Issues.

use super::client::{Call, Forge, Verb};
use super::error::ForgeError;
use crate::model::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// An issue, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Issue {
    /// Its number.
    pub number: u64,
    /// Its page.
    #[serde(rename = "html_url")]
    pub url: String,
    /// Its text.
    #[serde(default)]
    pub body: Option<String>,
    /// Set for a pull request, which GitHub lists among them.
    #[serde(default)]
    pub pull_request: Option<Value>,
}

impl Forge {
    /// Opens an issue.
    ///
    /// # Errors
    /// As every request; after [`ForgeError::Down`] it may exist all the same.
    pub async fn open_issue(&mut self, title: &str, body: &str) -> Result<Issue, ForgeError> {
        let doing = format!("the issue \"{title}\"");
        let path = format!("/repos/{}/issues", self.slug);
        self.json(Call::post(path, json!({ "title": title, "body": body }), &doing)).await
    }

    /// Replaces an issue's text.
    ///
    /// # Errors
    /// As every request. Doing it twice is doing it once.
    pub async fn edit_issue(&mut self, number: u64, body: &str) -> Result<(), ForgeError> {
        let (path, doing) =
            (format!("/repos/{}/issues/{number}", self.slug), format!("issue {number}"));
        let verb = Verb::Patch(json!({ "body": body }));
        self.send(&Call { verb, path, doing: &doing }).await.map(drop)
    }

    /// Issues, open and closed, that changed since then; pull requests left out.
    ///
    /// # Errors
    /// As every request.
    pub async fn issues_since(&mut self, since: Timestamp) -> Result<Vec<Issue>, ForgeError> {
        // To the second, as GitHub has it.
        let second = Timestamp(since.0.div_euclid(1000) * 1000).to_string().replace(".000Z", "Z");
        let path = format!(
            "/repos/{}/issues?state=all&sort=created&direction=desc&per_page=100&since={second}",
            self.slug
        );
        let mut issues: Vec<Issue> = self.list(path, "issues", |_| false).await?;
        issues.retain(|issue| issue.pull_request.is_none());
        Ok(issues)
    }

    /// Says something on an issue or a pull request.
    ///
    /// # Errors
    /// As every request; after [`ForgeError::Down`] it may have been said all the same.
    pub async fn comment(&mut self, number: u64, body: &str) -> Result<(), ForgeError> {
        let path = format!("/repos/{}/issues/{number}/comments", self.slug);
        let doing = format!("a comment on {number}");
        self.send(&Call::post(path, json!({ "body": body }), &doing)).await.map(drop)
    }
}
