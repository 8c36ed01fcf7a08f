//! JavaScript and TypeScript: imports in all their forms, and functions that are values.

use super::DefinitionKind;
use super::walk::{Around, Reading, Then, children};
use tree_sitter::Node;

pub(super) fn visit(node: Node<'_>, here: Around, reading: &mut Reading<'_>) -> Then {
    match node.kind() {
        "variable_declarator" | "public_field_definition" | "field_definition" => {
            let name = node
                .child_by_field_name("name")
                .or_else(|| node.child_by_field_name("property"))
                .filter(|n| matches!(n.kind(), "identifier" | "property_identifier"));
            let value = node.child_by_field_name("value");
            let is_function = value.is_some_and(|value| {
                matches!(
                    value.kind(),
                    "arrow_function" | "function_expression" | "generator_function"
                )
            });
            let kind = match (node.kind(), is_function) {
                ("variable_declarator", true) => Some(DefinitionKind::Function),
                ("variable_declarator", false) => Some(DefinitionKind::Constant),
                (_, true) => Some(DefinitionKind::Method),
                (_, false) => None,
            };
            if let (Some(name), Some(kind), false) = (name, kind, here.local) {
                reading.define(name, kind);
            }
            Then::Enter(here)
        }
        "call_expression" => {
            let function = node.child_by_field_name("function");
            let called = function.filter(|f| matches!(f.kind(), "identifier" | "import"));
            if called.and_then(|f| reading.text(f)).is_some_and(|f| f == "require" || f == "import")
                && let Some(arguments) = node.child_by_field_name("arguments")
                && let Some(first) = children(arguments).first().filter(|n| n.kind() == "string")
            {
                import(node, *first, Vec::new(), reading);
            }
            Then::Enter(here)
        }
        // `import x from "y"`, `import x = require("y")`.
        "import_statement" => {
            let clause = children(node).into_iter().find(|n| n.kind() == "import_require_clause");
            let source = node
                .child_by_field_name("source")
                .or_else(|| clause.and_then(|clause| clause.child_by_field_name("source")));
            if let Some(source) = source {
                let names = names(node, reading);
                import(node, source, names, reading);
            }
            Then::Skip
        }
        _ => match node.child_by_field_name("source") {
            Some(source) => {
                let mut names = names(node, reading);
                if names.is_empty() {
                    names.push("*".to_owned());
                }
                names.push("export".to_owned());
                import(node, source, names, reading);
                Then::Skip
            }
            None => Then::Enter(here),
        },
    }
}

fn import(node: Node<'_>, source: Node<'_>, names: Vec<String>, reading: &mut Reading<'_>) {
    if let Some(text) = reading.text(source) {
        let text = text.trim_matches(|c| matches!(c, '"' | '\'' | '`'));
        reading.import(node, text, names);
    }
}

/// The names between braces, as the other file calls them.
fn names(node: Node<'_>, reading: &Reading<'_>) -> Vec<String> {
    let mut names = Vec::new();
    let mut left = children(node);
    while let Some(node) = left.pop() {
        match node.kind() {
            "import_specifier" | "export_specifier" => {
                let name = node.child_by_field_name("name").and_then(|n| reading.text(n));
                names.extend(name.map(str::to_owned));
            }
            "import_clause" | "named_imports" | "export_clause" => left.extend(children(node)),
            _ => {}
        }
    }
    names.sort();
    names
}
