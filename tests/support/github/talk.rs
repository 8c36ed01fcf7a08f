//! What is said on pull requests, and who may say what.

use super::model::Model;
use super::routes::{Reply, no, reply};
use serde_json::{Value, json};

/// Something that somebody said.
#[derive(Clone, Debug)]
pub struct Said {
    pub id: u64,
    pub author: String,
    /// `OWNER`, `MEMBER`, `NONE`, ...
    pub association: &'static str,
    pub bot: bool,
    pub body: String,
}

/// A thread on a line of a pull request.
#[derive(Clone, Debug)]
pub struct Thread {
    pub pull: u64,
    pub path: String,
    pub line: Option<u64>,
    pub resolved: bool,
    pub said: Vec<Said>,
}

/// The account that asks.
const VIEWER: &str = "me";

/// Entries of a page; few, so that there are more pages than one.
const PAGE: usize = 3;

impl Model {
    fn said(&mut self, author: &str, association: &'static str, body: &str) -> Said {
        self.words += 1;
        let bot = author.ends_with("[bot]");
        let author = author.trim_end_matches("[bot]").to_owned();
        Said { id: 5_000_000_000 + self.words, author, association, bot, body: body.to_owned() }
    }

    /// Somebody remarks on a line.
    pub fn remarks(&mut self, pull: u64, author: &str, association: &'static str, body: &str) {
        let said = vec![self.said(author, association, body)];
        let path = "a.txt".to_owned();
        self.threads.push(Thread { pull, path, line: Some(1), resolved: false, said });
    }

    /// Somebody says more in a thread.
    pub fn says_more(
        &mut self,
        thread: usize,
        author: &str,
        association: &'static str,
        body: &str,
    ) {
        let said = self.said(author, association, body);
        self.threads[thread].said.push(said);
    }

    /// Somebody comments below it.
    pub fn comments_on(&mut self, pull: u64, author: &str, association: &'static str, body: &str) {
        let said = self.said(author, association, body);
        self.talk.push((pull, said));
    }

    /// What we said: in threads and below.
    pub fn answers(&self) -> Vec<String> {
        let in_threads = self.threads.iter().flat_map(|thread| &thread.said);
        let all = in_threads.chain(self.talk.iter().map(|(_, said)| said));
        all.filter(|said| said.author == VIEWER).map(|said| said.body.clone()).collect()
    }
}

/// A comment on an issue or a pull request.
pub fn comment(model: &mut Model, number: u64, text: &str) -> Reply {
    let said = model.said(VIEWER, "OWNER", text);
    let id = said.id;
    model.talk.push((number, said));
    reply(201, json!({ "id": id, "body": text }))
}

/// An answer in a thread, which its first remark stands for.
pub fn answer(model: &mut Model, pull: u64, to: u64, text: &str) -> Reply {
    let first = |thread: &Thread| thread.said.first().is_some_and(|said| said.id == to);
    let Some(at) = model.threads.iter().position(|t| t.pull == pull && first(t)) else {
        return no(404, "Not Found");
    };
    let said = model.said(VIEWER, "OWNER", text);
    let id = said.id;
    model.threads[at].said.push(said);
    reply(201, json!({ "id": id, "body": text }))
}

/// Closes a thread, if we may.
pub fn resolve(model: &mut Model, id: &str) -> Option<Value> {
    let at: usize = id.strip_prefix("PRRT_")?.parse().ok()?;
    if !model.rules.may_resolve() {
        return None;
    }
    model.threads.get_mut(at)?.resolved = true;
    Some(json!({ "resolveReviewThread": { "thread": { "isResolved": true } } }))
}

/// Everything on a pull request, a page of each at a time.
pub fn discussion(model: &Model, variables: &Value) -> Value {
    let number = variables["number"].as_u64().unwrap_or(0);
    if !model.pulls.iter().any(|pull| pull.number == number) {
        return json!({ "repository": { "pullRequest": null } });
    }
    let threads = model.threads.iter().enumerate().filter(|(_, thread)| thread.pull == number);
    let threads = threads.map(|(at, thread)| {
        let said: Vec<Value> = thread.said.iter().map(|said| word(said, true)).collect();
        json!({
            "id": format!("PRRT_{at}"), "isResolved": thread.resolved,
            "viewerCanResolve": model.rules.may_resolve(), "path": thread.path, "line": thread.line,
            "diffSide": "RIGHT", "comments": { "nodes": said },
        })
    });
    let reviews = model.reviews.iter().enumerate().filter(|(_, review)| review.pull == number);
    let reviews = reviews.map(|(at, review)| {
        json!({
            "fullDatabaseId": (9000 + at).to_string(), "state": review.state,
            "author": { "__typename": "User", "login": review.author }, "authorAssociation": "MEMBER",
            "viewerDidAuthor": false, "body": review.body,
        })
    });
    let comments = model.talk.iter().filter(|(pull, _)| *pull == number);
    let comments = comments.map(|(_, said)| word(said, false));
    json!({ "repository": { "pullRequest": {
        "reviewThreads": page(threads.collect(), &variables["threads"]),
        "reviews": page(reviews.collect(), &variables["reviews"]),
        "comments": page(comments.collect(), &variables["comments"]),
    } } })
}

fn word(said: &Said, on_line: bool) -> Value {
    let kind = if said.bot { "Bot" } else { "User" };
    let mut word = json!({
        "fullDatabaseId": said.id.to_string(), "author": { "__typename": kind, "login": said.author },
        "authorAssociation": said.association, "viewerDidAuthor": said.author == VIEWER, "body": said.body,
    });
    if on_line {
        word["diffHunk"] = json!("@@ -0,0 +1 @@\n+a");
    }
    word
}

fn page(all: Vec<Value>, after: &Value) -> Value {
    let from: usize = after.as_str().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let to = all.len().min(from + PAGE);
    let cursor = (to > from).then(|| to.to_string());
    let shown: Vec<Value> = all[from.min(to)..to].to_vec();
    json!({ "pageInfo": { "hasNextPage": to < all.len(), "endCursor": cursor }, "nodes": shown })
}
