//! The requests that the model answers.

use super::model::{Issue, Model, Pull};
use super::server::Request;
use super::talk;
use serde_json::{Value, json};

/// A page of a list; small, so that lists have more than one.
const PAGE: usize = 10;

pub struct Reply {
    pub status: u16,
    pub body: Option<Value>,
    pub link: Option<String>,
}

pub fn reply(status: u16, body: Value) -> Reply {
    Reply { status, body: Some(body), link: None }
}

pub fn no(status: u16, message: &str) -> Reply {
    reply(status, json!({ "message": message, "documentation_url": "https://docs.github.com" }))
}

/// A validation error as GitHub words it.
fn invalid(message: &str) -> Reply {
    let error = json!({ "resource": "PullRequest", "code": "custom", "message": message });
    let body =
        json!({ "message": "Validation Failed", "errors": [error], "documentation_url": "" });
    reply(422, body)
}

#[expect(clippy::too_many_lines, reason = "a table: one entry a request")]
pub fn answer(model: &mut Model, request: &Request) -> Reply {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    if request.path == "/graphql" {
        return graphql(model, &body);
    }
    let Some(rest) = request.path.strip_prefix("/repos/o/r") else { return no(404, "Not Found") };
    let parts: Vec<&str> = rest.split('/').skip(1).collect();
    let number = parts.get(1).and_then(|n| n.parse::<u64>().ok());
    match (request.verb.as_str(), &parts[..]) {
        ("GET", []) => repository(model),
        ("GET", ["issues"]) => {
            let all = model.issues.iter().rev().map(issue).collect();
            page(request, all)
        }
        ("POST", ["issues"]) => {
            let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            let new =
                Issue { number: model.next_number(), title: text("title"), body: text("body") };
            model.issues.push(new.clone());
            reply(201, issue(&new))
        }
        ("PATCH", ["issues", _]) => {
            match model.issues.iter_mut().find(|i| Some(i.number) == number) {
                Some(found) => {
                    body["body"].as_str().unwrap_or_default().clone_into(&mut found.body);
                    reply(200, issue(found))
                }
                None => no(404, "Not Found"),
            }
        }
        ("POST", ["issues", _, "comments"]) => {
            talk::comment(model, number.unwrap_or(0), body["body"].as_str().unwrap_or_default())
        }
        ("GET", ["pulls"]) => {
            let head = request
                .parameter("head")
                .map(|head| head.trim_start_matches("o:").replace("%2F", "/"));
            let fits = |pull: &&Pull| head.as_ref().is_none_or(|head| pull.head == *head);
            let all =
                model.pulls.iter().rev().filter(fits).map(|pull| in_list(model, pull)).collect();
            page(request, all)
        }
        ("POST", ["pulls"]) => open(model, &body),
        ("GET", ["pulls", _]) => with_pull(model, number, |model, at| {
            let told = reply(200, pull(model, &model.pulls[at].clone()));
            let left = &mut model.pulls[at].unknown;
            *left = left.saturating_sub(1);
            told
        }),
        ("PATCH", ["pulls", _]) => with_pull(model, number, |model, at| {
            let found = &mut model.pulls[at];
            for (key, place) in [("title", &mut found.title), ("body", &mut found.body)] {
                if let Some(text) = body[key].as_str() {
                    text.clone_into(place);
                }
            }
            if body["state"] == "closed" {
                found.open = false;
            }
            let found = found.clone();
            reply(200, pull(model, &found))
        }),
        ("PUT", ["pulls", _, "merge"]) => {
            with_pull(model, number, |model, at| merge(model, at, &body))
        }
        ("PUT", ["pulls", _, "update-branch"]) => with_pull(model, number, |model, at| {
            let found = model.pulls[at].clone();
            let (Some(head), Some(base)) = (model.tip(&found.head), model.tip(&found.base)) else {
                return no(422, "there is no such branch");
            };
            if body["expected_head_sha"] != head.as_str() {
                return no(422, "expected head sha didn't match current head ref.");
            }
            match model.merge(&found.head, &base, "merge") {
                Some(_) => {
                    reply(202, json!({ "message": "Updating pull request branch.", "url": "" }))
                }
                None => no(422, "merge conflict between base and head"),
            }
        }),
        ("GET", ["pulls", _, "reviews"]) => {
            let of_pull = model.reviews.iter().filter(|review| Some(review.pull) == number);
            let shown = of_pull.map(|review| {
                json!({ "user": user(&review.author), "state": review.state, "body": review.body, "commit_id": review.commit })
            });
            page(request, shown.collect())
        }
        ("POST", ["pulls", _, "comments", to, "replies"]) => {
            let (to, text) = (to.parse().unwrap_or(0), body["body"].as_str().unwrap_or_default());
            talk::answer(model, number.unwrap_or(0), to, text)
        }
        ("GET", ["check-runs", _, "annotations"]) => {
            let check = &model.rules.checks[number.unwrap_or(1) as usize - 1];
            let file = check.fails_with.unwrap_or_default();
            page(
                request,
                vec![json!({ "path": file, "start_line": 1, "end_line": 1,
                "annotation_level": "failure", "message": "this file must not be there" })],
            )
        }
        ("GET", ["actions", "jobs", id, "logs"]) => {
            let link = Some(format!("{}/log/{id}", model.logs_url));
            Reply { status: 302, body: None, link }
        }
        ("GET", ["actions", "workflows"]) => {
            reply(200, json!({ "total_count": model.rules.workflows, "workflows": [] }))
        }
        ("GET", ["commits", sha, "check-runs"]) => {
            let shown = model.rules.checks.iter().enumerate();
            let shown = shown.filter(|(_, check)| model.is_reported(sha, check));
            let runs: Vec<Value> = shown.map(|(at, check)| {
                let conclusion = model.conclusion(sha, check);
                let status = if conclusion.is_some() { "completed" } else { "in_progress" };
                let failed = conclusion == Some("failure");
                json!({ "id": at + 1, "name": check.name, "status": status, "conclusion": conclusion, "head_sha": sha,
                    "html_url": format!("https://checks/{}", check.name), "app": { "slug": "github-actions" },
                    "output": { "title": failed.then_some("1 file is wrong"), "annotations_count": u32::from(failed) } })
            }).collect();
            *model.looked.entry((*sha).to_owned()).or_default() += 1;
            reply(200, json!({ "total_count": runs.len(), "check_runs": runs }))
        }
        ("GET", ["commits", sha, "status"]) => {
            reply(200, json!({ "sha": sha, "state": "success", "statuses": [] }))
        }
        ("GET", ["commits", sha]) => match model.git(&["rev-parse", &format!("{sha}^@")]) {
            Some(parents) => {
                let parents: Vec<Value> =
                    parents.lines().map(|sha| json!({ "sha": sha, "url": "" })).collect();
                reply(200, json!({ "sha": sha, "parents": parents }))
            }
            None => no(404, "Not Found"),
        },
        ("DELETE", ["git", "refs", "heads", branch @ ..]) => {
            let name = format!("refs/heads/{}", branch.join("/"));
            match model.git(&["update-ref", "-d", &name]) {
                Some(_) => Reply { status: 204, body: None, link: None },
                None => no(422, "Reference does not exist"),
            }
        }
        _ => no(404, "Not Found"),
    }
}

fn with_pull(
    model: &mut Model,
    number: Option<u64>,
    then: impl Fn(&mut Model, usize) -> Reply,
) -> Reply {
    match model.pulls.iter().position(|pull| Some(pull.number) == number) {
        Some(at) => then(model, at),
        None => no(404, "Not Found"),
    }
}

fn page(request: &Request, all: Vec<Value>) -> Reply {
    let at: usize = request.parameter("page").and_then(|n| n.parse().ok()).unwrap_or(1);
    let more = all.len() > at * PAGE;
    let shown = all.into_iter().skip((at - 1) * PAGE).take(PAGE).collect();
    let rest: Vec<&str> =
        request.query.split('&').filter(|p| !p.starts_with("page=") && !p.is_empty()).collect();
    let host = request.header("host").unwrap_or_default();
    let next =
        format!("<http://{host}{}?{}&page={}>; rel=\"next\"", request.path, rest.join("&"), at + 1);
    Reply { status: 200, body: Some(Value::Array(shown)), link: more.then_some(next) }
}

fn repository(model: &Model) -> Reply {
    reply(
        200,
        json!({
            "name": "r", "full_name": "o/r", "html_url": "https://github.com/o/r", "default_branch": "main",
            "has_issues": true, "archived": false, "allow_merge_commit": !model.rules.no_merge_commits,
            "allow_squash_merge": true, "allow_rebase_merge": true, "allow_auto_merge": model.rules.auto_merge,
            "owner": user("o"),
        }),
    )
}

fn user(login: &str) -> Value {
    json!({
        "login": login, "id": 1, "node_id": "U", "avatar_url": "", "gravatar_id": null, "url": "", "html_url": "",
        "followers_url": "", "following_url": "", "gists_url": "", "starred_url": "", "subscriptions_url": "",
        "organizations_url": "", "repos_url": "", "events_url": "", "received_events_url": "", "type": "User",
        "site_admin": false,
    })
}

fn issue(issue: &Issue) -> Value {
    json!({
        "number": issue.number, "html_url": format!("https://github.com/o/r/issues/{}", issue.number),
        "title": issue.title, "body": issue.body, "state": "open",
    })
}

fn in_list(model: &Model, found: &Pull) -> Value {
    let mut told = pull(model, found);
    // GitHub does not tell it in lists.
    for name in ["mergeable", "mergeable_state", "merged"] {
        told.as_object_mut().unwrap().remove(name);
    }
    told
}

fn pull(model: &Model, found: &Pull) -> Value {
    let (mergeable, state) = model.mergeability(found);
    let side = |branch: &str| {
        let sha = model.tip(branch).unwrap_or_default();
        json!({ "ref": branch, "sha": sha, "label": format!("o:{branch}") })
    };
    json!({
        "number": found.number, "html_url": format!("https://github.com/o/r/pull/{}", found.number),
        "node_id": format!("PR_{}", found.number), "title": found.title, "body": found.body,
        "state": if found.open { "open" } else { "closed" }, "draft": found.draft,
        "head": side(&found.head), "base": side(&found.base), "merged": found.merged.is_some(),
        "merged_at": found.merged.as_ref().map(|_| "2026-01-02T00:00:00Z"), "merge_commit_sha": found.merged,
        "mergeable": mergeable, "mergeable_state": state, "created_at": "2030-01-01T00:00:00Z",
    })
}

fn open(model: &mut Model, body: &Value) -> Reply {
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let (head, base) = (text("head"), text("base"));
    let (Some(tip), Some(target)) = (model.tip(&head), model.tip(&base)) else {
        return invalid("head or base is invalid");
    };
    if model.contains(&target, &tip) {
        return invalid(&format!("No commits between {base} and {head}"));
    }
    if model.pulls.iter().any(|pull| pull.open && pull.head == head && pull.base == base) {
        return invalid(&format!("A pull request already exists for o:{head}."));
    }
    let new = Pull {
        number: model.next_number(),
        title: text("title"),
        body: text("body"),
        head,
        base,
        draft: body["draft"] == true,
        open: true,
        merged: None,
        seen: String::new(),
        unknown: 0,
        queued: false,
        auto_merge: false,
    };
    model.pulls.push(new.clone());
    model.settle();
    reply(201, pull(model, &new))
}

fn merge(model: &mut Model, at: usize, body: &Value) -> Reply {
    let found = model.pulls[at].clone();
    let head = model.tip(&found.head).unwrap_or_default();
    if !found.open {
        return no(405, "Pull Request is not mergeable");
    }
    if body["sha"].as_str().is_some_and(|sha| sha != head) {
        return no(409, "Head branch was modified. Review and try the merge again.");
    }
    let method = body["merge_method"].as_str().unwrap_or("merge");
    if model.rules.no_merge_commits && method == "merge" {
        return no(405, "Merge commits are not allowed on this repository.");
    }
    if model.rules.merge_queue {
        return no(405, "Changes must be made through the merge queue");
    }
    // What a stale answer hid is found out now.
    let real = Pull { unknown: 0, ..found.clone() };
    match model.mergeability(&real) {
        (_, "clean" | "unstable") => {}
        (_, state) => return no(405, &format!("Pull Request is not mergeable: {state}")),
    }
    match model.merge(&found.base, &head, method) {
        Some(sha) => {
            model.pulls[at].open = false;
            model.pulls[at].merged = Some(sha.clone());
            reply(
                200,
                json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" }),
            )
        }
        None => no(405, "Pull Request is not mergeable"),
    }
}

fn graphql(model: &mut Model, body: &Value) -> Reply {
    let (query, variables) = (body["query"].as_str().unwrap_or_default(), &body["variables"]);
    let number =
        variables["id"].as_str().and_then(|id| id.strip_prefix("PR_")?.parse::<u64>().ok());
    let at = model.pulls.iter().position(|pull| Some(pull.number) == number);
    let fault =
        |message: &str| reply(200, json!({ "data": null, "errors": [{ "message": message }] }));
    let head_is_meant = |model: &Model, at: usize| {
        let head = model.tip(&model.pulls[at].head);
        variables["sha"].as_str().map(str::to_owned) == head
    };
    match (query.split(['(', ' ']).nth(1).unwrap_or_default(), at) {
        ("Queue", _) => {
            let queue = model.rules.merge_queue.then(|| json!({ "id": "MQ" }));
            reply(200, json!({ "data": { "repository": { "mergeQueue": queue } } }))
        }
        ("Discussion", _) => reply(200, json!({ "data": talk::discussion(model, variables) })),
        ("Resolve", _) => {
            match talk::resolve(model, variables["id"].as_str().unwrap_or_default()) {
                Some(data) => reply(200, json!({ "data": data })),
                None => fault("Resource not accessible by integration"),
            }
        }
        ("Ready", Some(at)) => {
            model.pulls[at].draft = false;
            reply(200, json!({ "data": {} }))
        }
        ("Enqueue", Some(at)) if head_is_meant(model, at) && model.rules.merge_queue => {
            model.pulls[at].queued = true;
            reply(200, json!({ "data": {} }))
        }
        ("AutoMerge", Some(at)) if head_is_meant(model, at) && model.rules.auto_merge => {
            model.pulls[at].auto_merge = true;
            reply(200, json!({ "data": {} }))
        }
        _ => fault("cannot do that"),
    }
}
