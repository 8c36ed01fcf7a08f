//! Agents as data.
