//! Pull requests.

use super::client::{Call, Forge, Verb};
use super::error::ForgeError;
use serde::Deserialize;
use serde_json::json;

/// Whether it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullState {
    /// It is.
    Open,
    /// Somebody closed it unmerged.
    Closed,
    /// It is merged.
    Merged,
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Its id in the GraphQL API.
    pub node_id: String,
    /// Whether it is open.
    pub state: PullState,
    /// Not to be merged yet.
    pub draft: bool,
    /// The branch with the work.
    pub head: String,
    /// Its commit.
    pub head_sha: String,
    /// The branch it goes to.
    pub base: String,
    /// Where that was when GitHub last looked.
    pub base_sha: String,
    /// Its text.
    pub body: String,
    /// Whether it merges without conflicts; `None` while GitHub finds out.
    pub mergeable: Option<bool>,
    /// `clean`, `blocked`, `behind`, `dirty`, `draft`, `unstable`, `has_hooks` or `unknown`. Only known of
    /// one that was asked for by its number.
    pub mergeable_state: String,
    /// The commit that merged it.
    pub merge_commit: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    number: u64,
    html_url: String,
    #[serde(default)]
    node_id: String,
    state: String,
    #[serde(default)]
    draft: Option<bool>,
    #[serde(default)]
    merged_at: Option<String>,
    head: Side,
    base: Side,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    mergeable: Option<bool>,
    #[serde(default)]
    mergeable_state: Option<String>,
    #[serde(default)]
    merge_commit_sha: Option<String>,
    #[serde(default)]
    created_at: String,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
}

impl From<Raw> for Pull {
    fn from(raw: Raw) -> Self {
        let state = match (raw.merged_at.is_some(), raw.state.as_str()) {
            (true, _) => PullState::Merged,
            (false, "open") => PullState::Open,
            (false, _) => PullState::Closed,
        };
        Self {
            number: raw.number,
            url: raw.html_url,
            node_id: raw.node_id,
            state,
            draft: raw.draft.unwrap_or(false),
            head: raw.head.branch,
            head_sha: raw.head.sha,
            base: raw.base.branch,
            base_sha: raw.base.sha,
            body: raw.body.unwrap_or_default(),
            mergeable: raw.mergeable,
            mergeable_state: raw.mergeable_state.unwrap_or_else(|| "unknown".to_owned()),
            // Before it is merged this is a commit that GitHub made to find out whether it can be.
            merge_commit: raw.merge_commit_sha.filter(|_| state == PullState::Merged),
        }
    }
}

/// A pull request to be opened.
#[derive(Clone, Copy, Debug)]
pub struct NewPull<'a> {
    /// The branch with the work, in this repository.
    pub head: &'a str,
    /// The branch it goes to.
    pub base: &'a str,
    /// One line.
    pub title: &'a str,
    /// Markdown.
    pub body: &'a str,
    /// Not to be merged yet.
    pub draft: bool,
}

/// How a pull request is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a merge commit.
    Merge,
    /// As one commit.
    Squash,
    /// Each commit on top of the base.
    Rebase,
}

impl Method {
    /// As the REST API spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
        }
    }
}

/// What became of a merge that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merging {
    /// Done, with this commit.
    Merged(String),
    /// It cannot be merged as it stands (405): what is in the way may pass.
    NotNow(String),
    /// Its head is not the commit that was to be merged (409).
    HeadMoved(String),
    /// It will not be (403, 404, 422).
    Refused(String),
}

impl Forge {
    /// Opens a pull request.
    ///
    /// # Errors
    /// As every request; [`ForgeError::Invalid`] also where one for this branch exists, and after
    /// [`ForgeError::Down`] it may.
    pub async fn open_pull(&mut self, new: NewPull<'_>) -> Result<Pull, ForgeError> {
        let doing = format!("a pull request for {}", new.head);
        let path = format!("/repos/{}/pulls", self.slug);
        let body = json!({
            "title": new.title, "head": new.head, "base": new.base, "body": new.body, "draft": new.draft,
        });
        self.json::<Raw>(Call::post(path, body, &doing)).await.map(Pull::from)
    }

    /// Replaces title and text.
    ///
    /// # Errors
    /// As every request. Doing it twice is doing it once.
    pub async fn edit_pull(
        &mut self,
        number: u64,
        title: &str,
        body: &str,
    ) -> Result<Pull, ForgeError> {
        let (path, doing) = self.pull_path(number, "");
        let verb = Verb::Patch(json!({ "title": title, "body": body }));
        self.json::<Raw>(Call { verb, path, doing: &doing }).await.map(Pull::from)
    }

    /// A pull request, with everything GitHub knows about whether it can be merged.
    ///
    /// # Errors
    /// As every request.
    pub async fn pull(&mut self, number: u64) -> Result<Pull, ForgeError> {
        let (path, doing) = self.pull_path(number, "");
        self.json::<Raw>(Call::get(path, &doing)).await.map(Pull::from)
    }

    /// Pull requests, open and closed, that were made since then (RFC 3339, to the second).
    ///
    /// # Errors
    /// As every request.
    pub async fn pulls_since(&mut self, since: &str) -> Result<Vec<Pull>, ForgeError> {
        let path = format!(
            "/repos/{}/pulls?state=all&sort=created&direction=desc&per_page=100",
            self.slug
        );
        let older = |page: &[Raw]| page.iter().any(|pull| pull.created_at.as_str() < since);
        let pulls: Vec<Raw> = self.list(path, "pull requests", older).await?;
        Ok(pulls.into_iter().map(Pull::from).collect())
    }

    /// The newest pull request from a branch of this repository, open ones first.
    ///
    /// # Errors
    /// As every request.
    pub async fn pull_of(&mut self, branch: &str) -> Result<Option<Pull>, ForgeError> {
        let path = format!(
            "/repos/{}/pulls?state=all&sort=created&direction=desc&head={}:{branch}",
            self.slug, self.slug.owner
        );
        let pulls: Vec<Raw> = self.list(path, "pull requests", |_| true).await?;
        let mut pulls: Vec<Pull> = pulls.into_iter().map(Pull::from).collect();
        // A server that does not know the filter answers with all of them.
        pulls.retain(|pull| pull.head == branch);
        let open = pulls.iter().position(|pull| pull.state == PullState::Open).unwrap_or(0);
        Ok(pulls.into_iter().nth(open))
    }

    /// Merges a pull request whose head is `sha`.
    ///
    /// # Errors
    /// No answer, a limit, no credentials. After [`ForgeError::Down`] it may be merged.
    pub async fn merge_pull(
        &mut self,
        number: u64,
        sha: &str,
        method: Method,
    ) -> Result<Merging, ForgeError> {
        #[derive(Deserialize)]
        struct Done {
            sha: String,
        }
        let (path, doing) = self.pull_path(number, "/merge");
        let verb = Verb::Put(json!({ "sha": sha, "merge_method": method.as_str() }));
        match self.json::<Done>(Call { verb, path, doing: &doing }).await {
            Ok(done) => Ok(Merging::Merged(done.sha)),
            Err(ForgeError::NotNow { status: 409, message, .. }) => Ok(Merging::HeadMoved(message)),
            Err(ForgeError::NotNow { message, .. }) => Ok(Merging::NotNow(message)),
            Err(ForgeError::Forbidden { message, .. } | ForgeError::Invalid { message, .. }) => {
                Ok(Merging::Refused(message))
            }
            Err(error) => Err(error),
        }
    }

    /// Merges the base into the branch of a pull request whose head is `sha`. GitHub does it in its own time.
    ///
    /// # Errors
    /// As every request; [`ForgeError::Invalid`] where the head is another, or it conflicts.
    pub async fn update_branch(&mut self, number: u64, sha: &str) -> Result<(), ForgeError> {
        let (path, doing) = self.pull_path(number, "/update-branch");
        let verb = Verb::Put(json!({ "expected_head_sha": sha }));
        self.send(&Call { verb, path, doing: &doing }).await.map(drop)
    }

    /// Closes a pull request unmerged.
    ///
    /// # Errors
    /// As every request. Doing it twice is doing it once.
    pub async fn close_pull(&mut self, number: u64) -> Result<(), ForgeError> {
        let (path, doing) = self.pull_path(number, "");
        let verb = Verb::Patch(json!({ "state": "closed" }));
        self.send(&Call { verb, path, doing: &doing }).await.map(drop)
    }

    /// Removes a branch. One that is gone is no error.
    ///
    /// # Errors
    /// As every request.
    pub async fn delete_branch(&mut self, branch: &str) -> Result<(), ForgeError> {
        let path = format!("/repos/{}/git/refs/heads/{branch}", self.slug);
        let doing = format!("removing {branch}");
        match self.send(&Call { verb: Verb::Delete, path, doing: &doing }).await {
            Ok(_) | Err(ForgeError::Invalid { .. } | ForgeError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The commits that a commit comes from.
    ///
    /// # Errors
    /// As every request.
    pub async fn parents(&mut self, sha: &str) -> Result<Vec<String>, ForgeError> {
        #[derive(Deserialize)]
        struct Commit {
            parents: Vec<Parent>,
        }
        #[derive(Deserialize)]
        struct Parent {
            sha: String,
        }
        let (path, doing) =
            (format!("/repos/{}/commits/{sha}", self.slug), format!("commit {sha}"));
        let commit: Commit = self.json(Call::get(path, &doing)).await?;
        Ok(commit.parents.into_iter().map(|parent| parent.sha).collect())
    }

    pub(super) fn pull_path(&self, number: u64, rest: &str) -> (String, String) {
        let doing = match rest {
            "/merge" => format!("merging pull request {number}"),
            "/update-branch" => format!("updating pull request {number}"),
            _ => format!("pull request {number}"),
        };
        (format!("/repos/{}/pulls/{number}{rest}", self.slug), doing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_github_leaves_out_is_not_known() {
        let text = r#"{"number":7,"html_url":"u","state":"open","head":{"ref":"b","sha":"1"},
            "base":{"ref":"main","sha":"2"},"merge_commit_sha":"3","mergeable":null}"#;
        let pull = Pull::from(serde_json::from_str::<Raw>(text).unwrap());
        assert_eq!((pull.state, pull.mergeable, pull.merge_commit), (PullState::Open, None, None));
        assert_eq!(pull.mergeable_state, "unknown");
        let merged = text.replace("\"open\"", "\"closed\",\"merged_at\":\"2026-01-01T00:00:00Z\"");
        let pull = Pull::from(serde_json::from_str::<Raw>(&merged).unwrap());
        assert_eq!((pull.state, pull.merge_commit.as_deref()), (PullState::Merged, Some("3")));
    }
}
