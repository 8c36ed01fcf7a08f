//! What a planner agent is asked for, and whether its answer can be carried out.

use crate::analysis::Tree;
use crate::prompt::Prompt;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

/// The answer: one entry for each request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub tasks: Vec<Decision>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    pub task: String,
    pub reason: String,
    /// None, or at least two.
    #[serde(default)]
    pub subtasks: Vec<Subtask>,
}

/// A part of a request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subtask {
    pub name: String,
    pub title: String,
    pub prompt: String,
    /// Files that it changes and that exist.
    #[serde(default)]
    pub files: Vec<String>,
    /// Files that it makes.
    #[serde(default)]
    pub creates: Vec<String>,
    #[serde(default)]
    pub reads: Vec<String>,
    /// Names of other subtasks of the same request.
    #[serde(default)]
    pub depends_on: Vec<String>,
}

/// The JSON schema that the agent is given.
const SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"required":["tasks"],"properties":{"tasks":{"type":"array","items":
 {"type":"object","additionalProperties":false,"required":["task","reason","subtasks"],"properties":{
  "task":{"type":"string","description":"the name of a request"},
  "reason":{"type":"string","description":"one line: why it was split so, or why it stays one"},
  "subtasks":{"type":"array","description":"empty where it stays one, else at least two","items":
   {"type":"object","additionalProperties":false,"required":["name","title","prompt","files","creates","reads","depends_on"],"properties":{
    "name":{"type":"string","pattern":"^[a-z0-9][a-z0-9-]{0,39}$"},
    "title":{"type":"string"},
    "prompt":{"type":"string","description":"everything that an agent needs who sees nothing else"},
    "files":{"type":"array","items":{"type":"string"},"description":"existing files that it changes"},
    "creates":{"type":"array","items":{"type":"string"},"description":"files that it makes"},
    "reads":{"type":"array","items":{"type":"string"},"description":"existing files that it only reads"},
    "depends_on":{"type":"array","items":{"type":"string"},"description":"names of subtasks of the same request that must be done before"}}}}}}}}}"#;

/// The planner's own prompt.
pub(super) fn question(prompts: &[&Prompt]) -> String {
    let mut text = String::from(
        "# Split requests into tasks that can be worked on side by side\n\n\
         Below are requests for changes of the repository in the current directory. Look at the repository as far as \
         needed. Change nothing and run nothing that changes anything.\n\n\
         Split a request only where that pays: where it has parts that touch different files, each worth an agent of \
         its own. No two subtasks write the same file, unless one depends on the other. Most requests stay one.\n\n\
         Answer with one JSON object and nothing else. It must fit this schema:\n\n```json\n",
    );
    text.push_str(SCHEMA);
    text.push_str("\n```\n");
    for prompt in prompts {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## The request `{}`\n\n{}\n", prompt.name, prompt.body.trim_end());
    }
    text
}

/// Longest answer that is looked at, bytes.
const MAX_ANSWER: usize = 4 << 20;

/// The last JSON object with `tasks` in what an agent printed: as it is, in a code block, or inside a
/// text of the agent's own JSON lines.
pub(super) fn find(output: &str) -> Option<Value> {
    let output = &output[..output.floor_char_boundary(MAX_ANSWER)];
    let in_lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let inside = in_lines.filter_map(|value| in_value(&value)).next_back();
    inside.or_else(|| in_text(output))
}

fn in_value(value: &Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.get("tasks").is_some_and(Value::is_array) => {
            Some(value.clone())
        }
        Value::Object(fields) => fields.values().filter_map(in_value).next_back(),
        Value::Array(values) => values.iter().filter_map(in_value).next_back(),
        Value::String(text) => in_text(text),
        _ => None,
    }
}

/// The last place where such an object begins.
fn in_text(text: &str) -> Option<Value> {
    /// Opening braces that are tried: each costs a look at what follows.
    const TRIES: usize = 200;
    let starts = text.match_indices('{').take(TRIES).filter_map(|(at, _)| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        let value = values.next()?.ok()?;
        value.get("tasks").is_some_and(Value::is_array).then_some(value)
    });
    starts.last()
}

/// Everything that is wrong with an answer.
pub(super) fn check(answer: &Answer, prompts: &[&Prompt], tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let known: HashSet<&str> = prompts.iter().map(|prompt| prompt.name.as_str()).collect();
    let mut seen = HashSet::new();
    for decision in &answer.tasks {
        let task = &decision.task;
        if !known.contains(task.as_str()) {
            problems.push(format!("there is no request '{task}'"));
        } else if !seen.insert(task.as_str()) {
            problems.push(format!("'{task}' is answered twice"));
        }
        if decision.subtasks.len() == 1 {
            problems.push(format!("'{task}' has one subtask; none or at least two make sense"));
        }
        check_subtasks(decision, tree, &mut problems);
    }
    problems
}

fn check_subtasks(decision: &Decision, tree: &Tree, problems: &mut Vec<String>) {
    let task = &decision.task;
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (i, subtask) in decision.subtasks.iter().enumerate() {
        let name = &subtask.name;
        let mut say = |what: String| problems.push(format!("'{task}', subtask '{name}': {what}"));
        let usable = name.len() <= 40
            && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !usable {
            say("a name has lower-case letters, digits and hyphens, at most 40".to_owned());
        }
        if places.insert(name, i).is_some() {
            say("the name is there twice".to_owned());
        }
        if subtask.prompt.trim().is_empty() {
            say("its prompt is empty".to_owned());
        }
        if subtask.files.is_empty() && subtask.creates.is_empty() {
            say("it names no file that it changes or makes".to_owned());
        }
        for path in subtask.files.iter().chain(&subtask.reads) {
            if !tree.contains(path) && !tree.has_directory(path.trim_end_matches(['/', '*'])) {
                say(format!("there is no file '{path}'"));
            }
        }
        for path in &subtask.creates {
            let outside = path.starts_with('/')
                || path.split('/').any(|part| part == ".." || part.is_empty());
            if outside {
                say(format!("'{path}' is no path from the repository's root"));
            } else if tree.contains(path) {
                say(format!("'{path}' exists already; it belongs under files"));
            }
        }
    }
    for subtask in &decision.subtasks {
        for first in &subtask.depends_on {
            if !places.contains_key(first.as_str()) || *first == subtask.name {
                problems.push(format!(
                    "'{task}', subtask '{}': it depends on '{first}', which is no other subtask",
                    subtask.name
                ));
            }
        }
    }
    if let Some(names) = circle(decision) {
        problems.push(format!("'{task}': these wait for each other: {}", names.join(", ")));
    }
}

/// The subtasks that can never start.
fn circle(decision: &Decision) -> Option<Vec<String>> {
    let mut left: BTreeMap<&str, &Subtask> =
        decision.subtasks.iter().map(|subtask| (subtask.name.as_str(), subtask)).collect();
    loop {
        let waits =
            |s: &Subtask| s.depends_on.iter().any(|first| left.contains_key(first.as_str()));
        let ready: Vec<&str> =
            left.values().filter(|s| !waits(s)).map(|s| s.name.as_str()).collect();
        if ready.is_empty() {
            break;
        }
        left.retain(|name, _| !ready.contains(name));
    }
    (!left.is_empty()).then(|| left.into_keys().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn subtask(name: &str, file: &str, after: &[&str]) -> Value {
        json!({"name": name, "title": name, "prompt": "Do it.", "files": [file], "creates": [], "reads": [], "depends_on": after})
    }

    fn problems(subtasks: &[Value]) -> Vec<String> {
        let value = json!({"tasks": [{"task": "big", "reason": "r", "subtasks": subtasks}]});
        let answer: Answer = serde_json::from_value(value).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("big.md"), "# Big\n").unwrap();
        let prompts = crate::prompt::load(&["big.md".into()], dir.path()).unwrap();
        let tree = Tree::new(vec!["a.rs".into(), "src/b.rs".into()]);
        check(&answer, &prompts.iter().collect::<Vec<_>>(), &tree)
    }

    #[test]
    fn what_cannot_be_carried_out_is_named() {
        assert!(problems(&[subtask("x", "a.rs", &[]), subtask("y", "src", &["x"])]).is_empty());
        let wrong = problems(&[
            subtask("X y", "a.rs", &[]),
            subtask("y", "none.rs", &["z", "w"]),
            subtask("z", "a.rs", &["y"]),
        ]);
        assert_eq!(
            wrong,
            [
                "'big', subtask 'X y': a name has lower-case letters, digits and hyphens, at most 40",
                "'big', subtask 'y': there is no file 'none.rs'",
                "'big', subtask 'y': it depends on 'w', which is no other subtask",
                "'big': these wait for each other: y, z",
            ]
        );
        assert_eq!(problems(&[subtask("x", "a.rs", &[])]).len(), 1);
    }

    #[test]
    fn an_answer_is_found_wherever_an_agent_prints_it() {
        let answer = json!({"tasks": []});
        let fenced = format!("Here it is {{x}}:\n```json\n{answer}\n```\nDone.");
        let lines =
            format!("{{\"type\":\"start\"}}\n{}\n", json!({"type": "result", "result": fenced}));
        for output in [answer.to_string(), fenced, lines] {
            assert_eq!(find(&output), Some(answer.clone()), "{output}");
        }
        assert_eq!(find("nothing {} here {\"tasks\": 3}"), None);
    }
}
