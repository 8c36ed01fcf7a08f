//! Whether prompts are split into subtasks, and by whom.

/// How a prompt with separable parts is split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Decompose {
    /// Not at all.
    #[default]
    Off,
    /// By its headings and lists, where their parts touch different files.
    Auto,
    /// By an agent; `None`: the one that prompts without an agent get.
    Agent(Option<String>),
}

impl std::str::FromStr for Decompose {
    type Err = String;

    /// `off`, `auto`, `agent` or `agent:NAME`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "off" => Ok(Self::Off),
            None if text == "auto" => Ok(Self::Auto),
            None if text == "agent" => Ok(Self::Agent(None)),
            Some(("agent", name)) if !name.trim().is_empty() => {
                Ok(Self::Agent(Some(name.trim().to_owned())))
            }
            _ => Err(format!("'{text}' is not one of off, auto, agent, agent:NAME")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_it() {
        let read = |text: &str| text.parse::<Decompose>();
        assert_eq!(read("off"), Ok(Decompose::Off));
        assert_eq!(read("auto"), Ok(Decompose::Auto));
        assert_eq!(read("agent"), Ok(Decompose::Agent(None)));
        assert_eq!(read("agent:codex"), Ok(Decompose::Agent(Some("codex".into()))));
        for wrong in ["", "on", "agent:", "auto:codex", "Agent"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
