//! Everything that is wrong with the configuration.

use crate::model::{Problem, listed};

/// Everything that is wrong with the configuration, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct ConfigError(pub Vec<Problem>);

#[cfg(test)]
mod tests {
    use crate::model::nearest;

    #[test]
    fn only_what_was_probably_meant_is_suggested() {
        let known = &super::super::keys::names(super::super::keys::TOP);
        for (word, meant) in [
            ("agnt", "agent"),
            ("default_agent", "agent"),
            ("idle-timeout", "idle_timeout"),
            ("job", "jobs"),
            ("retry", "retries"),
            ("prompt", "prompts"),
            ("logcap", "log_cap"),
            ("Merge", "merge"),
        ] {
            assert_eq!(nearest(word, known), Some(meant), "{word}");
        }
        for word in ["banana", "turns", "branch", "version", "cost", ""] {
            assert_eq!(nearest(word, known), None, "{word}");
        }
    }
}
