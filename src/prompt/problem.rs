//! Everything that is wrong with the prompts.

use crate::model::{Problem, listed};

/// Everything that is wrong with the prompts that were asked for, file by file, and then the names
/// that two of them share. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct PromptErrors(pub Vec<Problem>);

#[cfg(test)]
mod tests {
    use crate::model::nearest;

    #[test]
    fn only_what_was_probably_meant_is_suggested() {
        let known = crate::prompt::KEYS;
        for (word, meant) in [
            ("depends-on", "depends_on"),
            ("dependsOn", "depends_on"),
            ("dependencies", "depends_on"),
            ("Agent", "agent"),
            ("agnet", "agent"),
            ("retry", "retries"),
            ("prio", "priority"),
            ("time_out", "timeout"),
            ("verification", "verify"),
            ("environment", "env"),
            ("file", "files"),
            ("read", "reads"),
            ("titel", "title"),
            ("stat", "status"),
        ] {
            assert_eq!(nearest(word, known), Some(meant), "{word}");
        }
        for word in [
            "change_type",
            "name",
            "description",
            "tools",
            "imports",
            "references",
            "banana",
            "tags",
            "author",
            "date",
            "labels",
            "",
        ] {
            assert_eq!(nearest(word, known), None, "{word}");
        }
    }
}
