//! YAML -> steps.
