//! A GitHub of our own: a model over a real bare repository, served over real HTTP, with faults at will.
//! Every request and every answer is held against GitHub's own description of its API.

mod model;
mod routes;
mod schema;
mod server;
mod talk;

pub use model::{CheckRule, Fault, Model, Review, Rules, Trouble};
pub use talk::{Said, Thread};

use super::Sandbox;
use serde_json::Value;
use server::{Answer, Request};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// See the [module documentation](self).
pub struct GitHub {
    model: Arc<Mutex<Model>>,
}

impl GitHub {
    /// A GitHub that has the sandbox's repository, which has it as its remote. Waits are short.
    pub fn of(sandbox: &Sandbox) -> Self {
        let bare = sandbox.root.join("far.git");
        sandbox.git(["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        sandbox.git(["remote", "add", "origin", bare.to_str().unwrap()]);
        let model = Arc::new(Mutex::new(Model { bare, ..Model::default() }));
        let shared = Arc::clone(&model);
        // Logs are kept by somebody else, whom the token is none of the business of.
        model.lock().unwrap().logs_url = server::serve(Arc::new(move |request| {
            let mut model = shared.lock().unwrap();
            if request.header("authorization").is_some() {
                model.mistakes.push(format!("the token went to {}", request.path));
            }
            say(200, "step one\nerror: this file must not be there\n".to_owned(), &[])
        }));
        let shared = Arc::clone(&model);
        let url = server::serve(Arc::new(move |request| handle(&shared, &request)));
        sandbox.config(&format!(
            "[github]\nrepository = \"o/r\"\napi_url = \"{url}\"\npace = \"5ms\"\ntimeout = \"2s\"\n"
        ));
        Self { model }
    }

    /// The model, to be looked at or changed.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }

    /// How many requests there were whose verb and path contain `what`.
    pub fn count(&self, what: &str) -> usize {
        self.model().requests.iter().filter(|request| request.contains(what)).count()
    }

    /// Adds a fault.
    pub fn fails(&self, verb: &'static str, path: &'static str, what: Trouble, times: u32) {
        self.model().faults.push(Fault { verb, path, what, times });
    }

    /// Nothing was sent or answered that GitHub's description does not have.
    #[track_caller]
    pub fn is_true_to_life(&self) {
        let mistakes = self.model().mistakes.clone();
        assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    }
}

fn handle(model: &Mutex<Model>, request: &Request) -> Answer {
    let mut model = model.lock().unwrap();
    model.requests.push(format!("{} {}", request.verb, request.path));
    if request.header("authorization") != Some("Bearer test-token") {
        return say(401, "{\"message\":\"Bad credentials\"}".to_owned(), &[]);
    }
    let fault = model.faults.iter_mut().find(|fault| {
        fault.times > 0
            && (fault.verb.is_empty() || fault.verb == request.verb)
            && request.path.contains(fault.path)
    });
    let trouble = fault.map(|fault| {
        fault.times -= 1;
        fault.what.clone()
    });
    match trouble {
        Some(Trouble::Status(status)) => {
            return say(status, "<html>the unicorn</html>".to_owned(), &[]);
        }
        Some(Trouble::Reset) => return Answer::Hang,
        Some(Trouble::Limited(after)) => {
            let text = "{\"message\":\"You have exceeded a secondary rate limit.\"}".to_owned();
            let after = after.map(|seconds| seconds.to_string());
            let headers: Vec<_> = after.iter().map(|s| ("retry-after", s.as_str())).collect();
            return say(403, text, &headers);
        }
        _ => {}
    }
    let operation = schema::operation(&request.verb, &request.path);
    let graphql = request.path == "/graphql";
    if operation.is_none() && !graphql {
        model.mistakes.push(format!("{} {} is not described", request.verb, request.path));
    }
    if let Some(operation) = operation.filter(|_| !request.body.is_empty()) {
        let body = serde_json::from_str(&request.body).unwrap_or_default();
        let name = format!("{} {}", request.verb, request.path);
        let found = schema::takes(operation).map(|s| schema::mistakes(s, &body, &name, true));
        model.mistakes.extend(found.unwrap_or_default());
    }
    let described = graphql.then(|| schema::graphql(&request.body)).flatten();
    if graphql {
        let found = schema::graphql_mistakes(&request.body);
        model.mistakes.extend(found);
    }
    model.settle();
    let mut reply = routes::answer(&mut model, request);
    if let (Some(described), Some(body)) = (described, &mut reply.body)
        && body["errors"].is_null()
    {
        let data = filled(Some(&described["data"]), &body["data"]);
        let found = schema::mistakes(&described["data"], &data, "answer of graphql", true);
        model.mistakes.extend(found);
        body["data"] = data;
    }
    model.settle();
    let mut text = String::new();
    if let Some(body) = &reply.body {
        let described = operation.and_then(|op| schema::answers(op, reply.status));
        let body = filled(described, body);
        if let Some(schema) = described {
            let name = format!("answer {} to {} {}", reply.status, request.verb, request.path);
            let found = schema::mistakes(schema, &body, &name, false);
            model.mistakes.extend(found);
        }
        text = body.to_string();
    }
    if let Some(operation) = operation
        && !schema::may_answer(operation, reply.status)
        && reply.status != 404
    {
        model
            .mistakes
            .push(format!("{} {} does not answer {}", request.verb, request.path, reply.status));
    }
    let tag =
        format!("\"{:x}\"", text.bytes().fold(7_u64, |h, b| h.wrapping_mul(31) + u64::from(b)));
    if request.verb == "GET" && request.header("if-none-match") == Some(&tag) {
        model.unchanged += 1;
        return say(304, String::new(), &[("etag", &tag)]);
    }
    match trouble {
        Some(Trouble::Lost) => Answer::Hang,
        Some(Trouble::Slow(ms)) => match say(reply.status, text, &[("etag", &tag)]) {
            Answer::Say { status, headers, body, .. } => {
                Answer::Say { status, headers, body, after: Duration::from_millis(ms) }
            }
            Answer::Hang => Answer::Hang,
        },
        _ => {
            let mut headers = vec![("etag", tag.as_str())];
            if let Some(link) = &reply.link {
                headers.push((if reply.status == 302 { "location" } else { "link" }, link));
            }
            say(reply.status, text, &headers)
        }
    }
}

fn say(status: u16, body: String, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Answer::Say { status, headers: all, body, after: Duration::ZERO }
}

/// The answer with what the description requires beside what the model has to say.
fn filled(schema: Option<&'static Value>, body: &Value) -> Value {
    let Some(schema) = schema else { return body.clone() };
    if let Value::Array(items) = body {
        let item = schema.get("items");
        let fill = |value: &Value| {
            let mut whole = item.map_or(Value::Null, schema::example);
            lay_over(&mut whole, value);
            whole
        };
        return Value::Array(items.iter().map(fill).collect());
    }
    let mut whole = schema::example(schema);
    lay_over(&mut whole, body);
    // Lists within are filled likewise.
    if let (Some(fields), Some(all)) = (schema.get("properties"), whole.as_object_mut()) {
        for (name, value) in all.iter_mut().filter(|(_, value)| value.is_array()) {
            if let Some(field) = fields.get(name) {
                *value = filled(Some(schema::resolved(field)), &value.clone());
            }
        }
    }
    whole
}

fn lay_over(under: &mut Value, on_top: &Value) {
    match (under, on_top) {
        (Value::Object(under), Value::Object(on_top)) => {
            for (name, value) in on_top {
                lay_over(under.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (under, on_top) => *under = on_top.clone(),
    }
}
