//! GitHub's own description of its API, as far as it is used: what is sent and what is answered must fit it.

use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// The description; `scripts/github-schema` makes it.
fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        serde_json::from_str(include_str!("../../fixtures/github/openapi.json")).unwrap()
    })
}

/// The description of a request: its path in the description, and the operation.
pub fn operation(verb: &str, path: &str) -> Option<&'static Value> {
    let paths = document()["paths"].as_object()?;
    let fits = |pattern: &str| {
        let (mut left, mut right) = (pattern.split('/'), path.split('/'));
        loop {
            match (left.next(), right.next()) {
                (None, None) => return true,
                // A branch has slashes of its own.
                (Some("{ref}"), Some(_)) if left.clone().next().is_none() => return true,
                (Some(l), Some(r)) if l == r || (l.starts_with('{') && !r.is_empty()) => {}
                _ => return false,
            }
        }
    };
    let mut operation = paths.iter().filter(|(pattern, _)| fits(pattern));
    operation.find_map(|(_, verbs)| verbs.get(verb.to_ascii_lowercase()))
}

/// The operations that GraphQL is asked for, by their names; `scripts/github-schema` makes them.
fn operations() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        serde_json::from_str(include_str!("../../fixtures/github/graphql.json")).unwrap()
    })
}

/// The description of the operation that a request asks GraphQL for.
pub fn graphql(request: &str) -> Option<&'static Value> {
    let request: Value = serde_json::from_str(request).ok()?;
    let name = request["query"].as_str()?.split(['(', ' ']).nth(1)?;
    operations().get(name)
}

/// What is wrong with what GraphQL is asked: a text that was not held against GitHub's schema, or variables
/// that do not fit it.
pub fn graphql_mistakes(request: &str) -> Vec<String> {
    let Some(described) = graphql(request) else {
        return vec![format!("not described: {request}")];
    };
    let request: Value = serde_json::from_str(request).unwrap();
    let squeezed =
        |text: &Value| text.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = mistakes(&described["variables"], &request["variables"], "graphql", true);
    if squeezed(&request["query"]) != squeezed(&described["query"]) {
        found.push(format!("changed since scripts/github-schema: {}", request["query"]));
    }
    found
}

/// Where a schema only refers to another, that one.
pub fn resolved(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str() {
        Some(path) => resolved(document().pointer(&path[1..]).unwrap()),
        None => schema,
    }
}

/// The schema of the body that an operation takes.
pub fn takes(operation: &'static Value) -> Option<&'static Value> {
    operation.pointer("/requestBody/content/application~1json/schema").map(resolved)
}

/// The schema of the body that an operation answers with, by its status.
pub fn answers(operation: &'static Value, status: u16) -> Option<&'static Value> {
    let response = resolved(operation["responses"].get(status.to_string())?);
    let content = response["content"].as_object()?;
    Some(resolved(&content.iter().find(|(kind, _)| kind.contains("json"))?.1["schema"]))
}

/// Whether an operation may answer with this status.
pub fn may_answer(operation: &'static Value, status: u16) -> bool {
    operation["responses"].get(status.to_string()).is_some()
}

/// The least value that fits a schema.
pub fn example(schema: &'static Value) -> Value {
    let schema = resolved(schema);
    if schema["nullable"] == true {
        return Value::Null;
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    for any in ["oneOf", "anyOf"] {
        if let Some(first) = schema[any].get(0) {
            return example(first);
        }
    }
    let mut all = Map::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        if let Value::Object(fields) = example(part) {
            all.extend(fields);
        }
    }
    match schema["type"].as_str() {
        Some("string") => {
            json!(if schema["format"] == "date-time" { "2026-01-01T00:00:00Z" } else { "" })
        }
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        _ => {
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                let field = schema["properties"].get(name).map_or(Value::Null, example);
                all.insert(name.to_owned(), field);
            }
            Value::Object(all)
        }
    }
}

/// What does not fit, as paths with words. `strict`: fields that are not described do not fit either.
pub fn mistakes(schema: &'static Value, value: &Value, at: &str, strict: bool) -> Vec<String> {
    let schema = resolved(schema);
    if value.is_null() && schema["nullable"] == true {
        return Vec::new();
    }
    for any in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[any].as_array() {
            let tries: Vec<_> = choices.iter().map(|c| mistakes(c, value, at, false)).collect();
            return match tries.iter().any(Vec::is_empty) {
                // What only groups of required fields are told apart by has its type beside them.
                true if schema["type"].is_null() => Vec::new(),
                true => typed(schema, value, at, strict),
                false => tries.into_iter().min_by_key(Vec::len).unwrap_or_default(),
            };
        }
    }
    let mut found: Vec<String> = Vec::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        found.extend(mistakes(part, value, at, false));
    }
    found.extend(typed(schema, value, at, strict));
    found
}

fn typed(schema: &'static Value, value: &Value, at: &str, strict: bool) -> Vec<String> {
    let fits = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !fits {
        return vec![format!("{at}: {value} is no {}", schema["type"])];
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return vec![format!("{at}: {value} is none of {words:?}")];
    }
    let mut found = Vec::new();
    if let (Some(items), Some(item)) = (value.as_array(), schema.get("items")) {
        for (n, value) in items.iter().enumerate() {
            found.extend(mistakes(item, value, &format!("{at}/{n}"), strict));
        }
    }
    let Some(fields) = value.as_object() else { return found };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            found.push(format!("{at}: '{name}' is missing"));
        }
    }
    for (name, value) in fields {
        match schema["properties"].get(name) {
            Some(field) => found.extend(mistakes(field, value, &format!("{at}/{name}"), strict)),
            None if strict && schema.get("properties").is_some() => {
                found.push(format!("{at}: '{name}' is not described"));
            }
            None => {}
        }
    }
    found
}
