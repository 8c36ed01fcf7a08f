//! One line for what a tool does: its name and the one argument a person wants to see.

use super::phrase;
use serde_json::Value;

/// Arguments that say most, in the order of preference.
const TELLING: [&str; 12] = [
    "file_path",
    "filePath",
    "notebook_path",
    "absolute_path",
    "path",
    "command",
    "pattern",
    "url",
    "query",
    "dir_path",
    "description",
    "prompt",
];

/// `Write src/x.rs`, `Bash cargo test`. Paths inside `folder` are shown from there.
pub(super) fn tool(name: &str, input: &Value, folder: Option<&str>) -> String {
    let told = TELLING
        .iter()
        .find_map(|key| input.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()));
    match told {
        Some(text) => phrase::one_line(&format!(
            "{name} {}",
            inside(phrase::shorten(text, phrase::READ), folder)
        )),
        None => phrase::one_line(name),
    }
}

/// The path as seen from `folder`.
pub(super) fn inside<'a>(path: &'a str, folder: Option<&str>) -> &'a str {
    folder
        .and_then(|folder| path.strip_prefix(folder))
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tool_is_shown_with_its_most_telling_argument() {
        let folder = Some("/r/w");
        assert_eq!(
            tool("Write", &json!({"file_path": "/r/w/a.rs", "content": "x"}), folder),
            "Write a.rs"
        );
        assert_eq!(
            tool("Write", &json!({"file_path": "/r/web/a.rs"}), folder),
            "Write /r/web/a.rs"
        );
        assert_eq!(tool("Bash", &json!({"command": "cargo\n test"}), None), "Bash cargo test");
        assert_eq!(tool("TodoWrite", &json!({"todos": []}), None), "TodoWrite");
        assert_eq!(tool("X", &Value::Null, None), "X");
    }
}
