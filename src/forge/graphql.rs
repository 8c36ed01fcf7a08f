//! What only GitHub's GraphQL API can do: drafts made ready, the merge queue, pull requests that merge
//! themselves.

use super::client::{Call, Forge, Verb, read};
use super::error::ForgeError;
use super::pulls::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// Marks a draft as ready.
const READY: &str = "mutation Ready($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) \
                     { pullRequest { number } } }";

/// Puts a pull request into the merge queue.
const ENQUEUE: &str = "mutation Enqueue($id: ID!, $sha: GitObjectID!) { enqueuePullRequest(input: \
                       {pullRequestId: $id, expectedHeadOid: $sha}) { mergeQueueEntry { position } } }";

/// Has a pull request merge itself once it may.
const AUTO_MERGE: &str = "mutation AutoMerge($id: ID!, $sha: GitObjectID!, $method: PullRequestMergeMethod!) \
                          { enablePullRequestAutoMerge(input: {pullRequestId: $id, expectedHeadOid: $sha, \
                          mergeMethod: $method}) { pullRequest { number } } }";

/// Whether a branch has a merge queue.
const QUEUE: &str = "query Queue($owner: String!, $name: String!, $branch: String!) { repository(owner: $owner, \
                     name: $name) { mergeQueue(branch: $branch) { id } } }";

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    message: String,
}

impl Forge {
    /// Makes a draft ready for review.
    ///
    /// # Errors
    /// As every request. Doing it twice is doing it once.
    pub async fn mark_ready(&mut self, node_id: &str) -> Result<(), ForgeError> {
        self.graphql(READY, json!({ "id": node_id }), "marking a draft as ready").await.map(drop)
    }

    /// Puts a pull request whose head is `sha` into the merge queue.
    ///
    /// # Errors
    /// As every request.
    pub async fn enqueue(&mut self, node_id: &str, sha: &str) -> Result<(), ForgeError> {
        let variables = json!({ "id": node_id, "sha": sha });
        self.graphql(ENQUEUE, variables, "the merge queue").await.map(drop)
    }

    /// Has a pull request whose head is `sha` merge itself once it may.
    ///
    /// # Errors
    /// As every request.
    pub async fn merge_when_ready(
        &mut self,
        node_id: &str,
        sha: &str,
        method: Method,
    ) -> Result<(), ForgeError> {
        let method = method.as_str().to_ascii_uppercase();
        let variables = json!({ "id": node_id, "sha": sha, "method": method });
        self.graphql(AUTO_MERGE, variables, "auto-merge").await.map(drop)
    }

    /// Whether a branch has a merge queue. A server that knows none says no.
    ///
    /// # Errors
    /// No answer, a limit, no credentials.
    pub async fn has_merge_queue(&mut self, branch: &str) -> Result<bool, ForgeError> {
        let variables =
            json!({ "owner": self.slug.owner, "name": self.slug.name, "branch": branch });
        match self.query(QUEUE, variables, "the merge queue").await {
            Ok(data) => Ok(!data["repository"]["mergeQueue"].is_null()),
            Err(
                error
                @ (ForgeError::Auth(_) | ForgeError::Limited { .. } | ForgeError::Down { .. }),
            ) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Sends a mutation.
    pub(super) async fn graphql(
        &mut self,
        query: &str,
        variables: Value,
        doing: &str,
    ) -> Result<Value, ForgeError> {
        let verb = Verb::GraphQl(json!({ "query": query, "variables": variables }));
        self.asked(verb, doing).await
    }

    /// Sends a query, which changes nothing.
    pub(super) async fn query(
        &mut self,
        query: &str,
        variables: Value,
        doing: &str,
    ) -> Result<Value, ForgeError> {
        self.asked(Verb::Query(json!({ "query": query, "variables": variables })), doing).await
    }

    async fn asked(&mut self, verb: Verb, doing: &str) -> Result<Value, ForgeError> {
        let reply = self.send(&Call { verb, path: "/graphql".to_owned(), doing }).await?;
        let answer: Answer = read(&reply.text, doing)?;
        match answer.errors.into_iter().next() {
            None => Ok(answer.data),
            Some(fault) => {
                Err(ForgeError::Invalid { doing: doing.to_owned(), message: fault.message })
            }
        }
    }
}
