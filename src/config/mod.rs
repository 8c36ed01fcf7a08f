//! orch.toml: defaults, validation with file, line and a hint.
