//! Rust: modules, `use`, and paths in code.

use super::walk::{Around, Reading, Then, children};
use tree_sitter::Node;

/// A `use` nested deeper than this was not written by hand.
const MAX_NESTING: usize = 32;

pub(super) fn visit(node: Node<'_>, here: Around, depth: usize, reading: &mut Reading<'_>) -> Then {
    match node.kind() {
        "mod_item" => {
            let Some(name) = node.child_by_field_name("name").and_then(|n| reading.text(n)) else {
                return Then::Skip;
            };
            if node.child_by_field_name("body").is_some() {
                reading.modules.push((depth, name.to_owned()));
                return Then::Enter(here);
            }
            let mut way: Vec<&str> = reading.modules.iter().map(|(_, m)| m.as_str()).collect();
            way.push(name);
            let way = way.join("::");
            match path_attribute(node, reading) {
                Some(path) => reading.import(node, &format!("mod {way}"), vec![path]),
                None => reading.import(node, &format!("mod {way}"), Vec::new()),
            }
        }
        "use_declaration" => {
            let mut found = Vec::new();
            if let Some(argument) = node.child_by_field_name("argument") {
                flatten(argument, "", 0, reading, &mut found);
            }
            let public = children(node).first().is_some_and(|n| n.kind() == "visibility_modifier");
            for path in found {
                let path = inside_modules(&path, reading);
                let names = if public { vec!["pub".to_owned()] } else { Vec::new() };
                reading.import(node, &path, names);
            }
        }
        _ => {
            if let Some(path) = reading.text(node)
                && path.len() <= 200
                && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b))
                && path.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                && !["std::", "core::", "alloc::"].iter().any(|own| path.starts_with(own))
            {
                let path = inside_modules(path, reading);
                reading.import(node, &path, Vec::new());
                return Then::Skip;
            }
            return Then::Enter(here);
        }
    }
    Then::Skip
}

/// `super` and `self` in `mod tests { .. }` are meant from there: `super::x` is the file's own `self::x`.
fn inside_modules(path: &str, reading: &Reading<'_>) -> String {
    let mut path = path.to_owned();
    for (_, module) in reading.modules.iter().rev() {
        path = match path.strip_prefix("super::") {
            Some(rest) => format!("self::{rest}"),
            None => match path.strip_prefix("self::") {
                Some(rest) => format!("self::{module}::{rest}"),
                None => path,
            },
        };
    }
    path
}

/// `a::{b::C, d as e, f::*}` to `a::b::C`, `a::d`, `a::f::*`.
fn flatten(
    node: Node<'_>,
    before: &str,
    level: usize,
    reading: &Reading<'_>,
    out: &mut Vec<String>,
) {
    let join = |text: &str| {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if before.is_empty() { text } else { format!("{before}::{text}") }
    };
    if level > MAX_NESTING || out.len() > 1_000 {
        return;
    }
    match node.kind() {
        "use_list" => {
            for child in children(node) {
                flatten(child, before, level + 1, reading, out);
            }
        }
        "scoped_use_list" => {
            let path = node.child_by_field_name("path").and_then(|n| reading.text(n));
            let before = path.map_or_else(|| before.to_owned(), join);
            if let Some(list) = node.child_by_field_name("list") {
                flatten(list, &before, level + 1, reading, out);
            }
        }
        "use_as_clause" => {
            if let Some(path) = node.child_by_field_name("path") {
                flatten(path, before, level + 1, reading, out);
            }
        }
        "self" if !before.is_empty() => out.push(before.to_owned()),
        "line_comment" | "block_comment" => {}
        _ => out.extend(reading.text(node).map(join)),
    }
}

/// `#[path = "x.rs"]` before a `mod`.
fn path_attribute(node: Node<'_>, reading: &Reading<'_>) -> Option<String> {
    let mut before = node.prev_named_sibling();
    while let Some(attribute) = before.filter(|n| n.kind() == "attribute_item") {
        let text = reading.text(attribute)?;
        let inner = text.trim_start_matches("#[").trim_end_matches(']').trim();
        if let Some(value) = inner.strip_prefix("path") {
            let value = value.trim().strip_prefix('=')?.trim();
            return Some(value.trim_matches('"').to_owned());
        }
        before = attribute.prev_named_sibling();
    }
    None
}
