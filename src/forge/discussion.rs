//! What is said on a pull request: threads on lines, reviews, and the conversation below it. One request,
//! where none of them is longer than a page.

use super::client::{Call, Forge};
use super::error::ForgeError;
use serde::Deserialize;
use serde_json::json;

/// Pages that are read at most: 5,000 of each.
const PAGES: u32 = 50;

/// Everything that is said. A thread has 100 remarks at most: what it is about stands at its beginning.
const DISCUSSION: &str = "query Discussion($owner: String!, $name: String!, $number: Int!, $threads: String, \
    $reviews: String, $comments: String) { repository(owner: $owner, name: $name) { pullRequest(number: $number) { \
    reviewThreads(first: 100, after: $threads) { pageInfo { hasNextPage endCursor } nodes { id isResolved \
    viewerCanResolve path line diffSide comments(first: 100) { nodes { fullDatabaseId author { __typename login } \
    authorAssociation viewerDidAuthor body diffHunk } } } } \
    reviews(first: 100, after: $reviews) { pageInfo { hasNextPage endCursor } nodes { fullDatabaseId state \
    author { __typename login } authorAssociation viewerDidAuthor body } } \
    comments(first: 100, after: $comments) { pageInfo { hasNextPage endCursor } nodes { fullDatabaseId \
    author { __typename login } authorAssociation viewerDidAuthor body } } } } }";

/// Closes a thread.
const RESOLVE: &str = "mutation Resolve($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { \
    isResolved } } }";

/// Who said something, as GitHub tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The account; `ghost` where it is gone.
    pub login: String,
    /// `OWNER`, `MEMBER`, `COLLABORATOR`, `CONTRIBUTOR`, `NONE` and the like: what they are to the repository.
    pub association: String,
    /// It is an app and no person.
    pub is_bot: bool,
    /// It is the account that we ask with.
    pub is_us: bool,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Its number, of its kind.
    pub id: u64,
    /// Who.
    pub by: Speaker,
    /// What.
    pub body: String,
}

/// Remarks about a place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its id in the GraphQL API.
    pub id: String,
    /// Somebody closed it.
    pub resolved: bool,
    /// We may close it.
    pub resolvable: bool,
    /// The file.
    pub path: String,
    /// The line, where it still exists.
    pub line: Option<u64>,
    /// The line is of the file as it was before.
    pub is_old_side: bool,
    /// The change around it.
    pub hunk: String,
    /// Oldest first.
    pub remarks: Vec<Remark>,
}

/// A review: its text, without its remarks on lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `approved`, `changes_requested`, `commented` or `dismissed`.
    pub state: String,
    /// Who, and what. The text may be empty.
    pub said: Remark,
}

/// Everything that is said on a pull request, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discussion {
    /// On lines.
    pub threads: Vec<Thread>,
    /// Reviews that were submitted.
    pub reviews: Vec<Verdict>,
    /// Below it.
    pub comments: Vec<Remark>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    page_info: PageInfo,
    nodes: Option<Vec<Option<T>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPull {
    review_threads: Page<RawThread>,
    reviews: Option<Page<RawReview>>,
    comments: Page<RawRemark>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawThread {
    id: String,
    is_resolved: bool,
    viewer_can_resolve: bool,
    path: String,
    line: Option<u64>,
    diff_side: String,
    comments: Nodes,
}

#[derive(Deserialize)]
struct Nodes {
    nodes: Option<Vec<Option<RawRemark>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReview {
    state: String,
    #[serde(flatten)]
    said: RawRemark,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRemark {
    /// A number as text: it outgrew 32 bits.
    full_database_id: Option<String>,
    author: Option<Author>,
    author_association: String,
    viewer_did_author: bool,
    body: String,
    #[serde(default)]
    diff_hunk: String,
}

#[derive(Deserialize)]
struct Author {
    #[serde(rename = "__typename")]
    kind: String,
    login: String,
}

impl From<RawRemark> for Remark {
    fn from(raw: RawRemark) -> Self {
        let (login, is_bot) = raw
            .author
            .map_or(("ghost".to_owned(), false), |author| (author.login, author.kind == "Bot"));
        Self {
            id: raw.full_database_id.and_then(|id| id.parse().ok()).unwrap_or(0),
            by: Speaker {
                login,
                association: raw.author_association,
                is_bot,
                is_us: raw.viewer_did_author,
            },
            body: raw.body,
        }
    }
}

impl From<RawThread> for Thread {
    fn from(raw: RawThread) -> Self {
        let remarks: Vec<RawRemark> = raw.comments.nodes.into_iter().flatten().flatten().collect();
        Self {
            id: raw.id,
            resolved: raw.is_resolved,
            resolvable: raw.viewer_can_resolve,
            path: raw.path,
            line: raw.line,
            is_old_side: raw.diff_side == "LEFT",
            hunk: remarks.first().map(|first| first.diff_hunk.clone()).unwrap_or_default(),
            remarks: remarks.into_iter().map(Remark::from).collect(),
        }
    }
}

impl From<RawReview> for Verdict {
    fn from(raw: RawReview) -> Self {
        Self { state: raw.state.to_ascii_lowercase(), said: raw.said.into() }
    }
}

impl Forge {
    /// Everything that is said on a pull request.
    ///
    /// # Errors
    /// As every request.
    pub async fn discussion(&mut self, number: u64) -> Result<Discussion, ForgeError> {
        let doing = format!("the discussion of pull request {number}");
        let mut all = Discussion::default();
        let (mut threads, mut reviews, mut comments) = (None, None, None);
        for _ in 0..PAGES {
            let variables = json!({
                "owner": self.slug.owner, "name": self.slug.name, "number": number,
                "threads": threads, "reviews": reviews, "comments": comments,
            });
            let mut data = self.query(DISCUSSION, variables, &doing).await?;
            let pull = data["repository"]["pullRequest"].take();
            if pull.is_null() {
                return Err(ForgeError::NotFound(format!("pull request {number}")));
            }
            let pull: RawPull = serde_json::from_value(pull).map_err(|error| ForgeError::Odd {
                doing: doing.clone(),
                message: error.to_string(),
            })?;
            let mut more = take(pull.review_threads, &mut all.threads, &mut threads);
            if let Some(page) = pull.reviews {
                more |= take(page, &mut all.reviews, &mut reviews);
            }
            more |= take(pull.comments, &mut all.comments, &mut comments);
            if !more {
                break;
            }
        }
        all.reviews.retain(|review| review.state != "pending");
        Ok(all)
    }

    /// Answers a remark on a line, in its thread.
    ///
    /// # Errors
    /// As every request; after [`ForgeError::Down`] it may have been said all the same.
    pub async fn reply(&mut self, number: u64, to: u64, body: &str) -> Result<(), ForgeError> {
        let (path, _) = self.pull_path(number, &format!("/comments/{to}/replies"));
        let doing = format!("an answer on pull request {number}");
        self.send(&Call::post(path, json!({ "body": body }), &doing)).await.map(drop)
    }

    /// Closes a thread.
    ///
    /// # Errors
    /// As every request. Doing it twice is doing it once.
    pub async fn resolve_thread(&mut self, id: &str) -> Result<(), ForgeError> {
        self.graphql(RESOLVE, json!({ "id": id }), "resolving a thread").await.map(drop)
    }
}

/// Adds a page to what is known. Whether there is another.
fn take<R, T: From<R>>(page: Page<R>, all: &mut Vec<T>, at: &mut Option<String>) -> bool {
    all.extend(page.nodes.into_iter().flatten().flatten().map(T::from));
    // One that is read to its end is asked for what comes after it, which is nothing.
    if page.page_info.end_cursor.is_some() {
        *at = page.page_info.end_cursor;
    }
    page.page_info.has_next_page
}

impl Discussion {
    /// The last word of each reviewer, by name: a comment takes no approval and no request for changes back.
    #[must_use]
    pub fn last_words(&self) -> Vec<(String, String)> {
        let mut last: std::collections::BTreeMap<&str, &str> = std::collections::BTreeMap::new();
        for review in &self.reviews {
            let by = review.said.by.login.as_str();
            if review.state != "commented" || !last.contains_key(by) {
                last.insert(by, &review.state);
            }
        }
        last.into_iter().map(|(by, state)| (by.to_owned(), state.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_github_leaves_out_is_nobody_and_no_line() {
        let raw = json!({
            "id": "T", "isResolved": false, "viewerCanResolve": true, "path": "a", "line": null,
            "diffSide": "LEFT", "comments": { "nodes": [null, { "fullDatabaseId": "5000000000",
            "author": null, "authorAssociation": "NONE", "viewerDidAuthor": false, "body": "x", "diffHunk": "@@" }] },
        });
        let thread = Thread::from(serde_json::from_value::<RawThread>(raw).unwrap());
        let by = Speaker {
            login: "ghost".to_owned(),
            association: "NONE".to_owned(),
            is_bot: false,
            is_us: false,
        };
        assert_eq!(thread.remarks, [Remark { id: 5_000_000_000, by, body: "x".to_owned() }]);
        assert_eq!((thread.line, thread.is_old_side, thread.hunk.as_str()), (None, true, "@@"));
    }
}
