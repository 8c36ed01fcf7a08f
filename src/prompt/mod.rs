//! A Markdown file -> Prompt.
