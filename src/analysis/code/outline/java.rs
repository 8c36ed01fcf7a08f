//! Java: imports and constants.

use super::DefinitionKind;
use super::walk::{Around, Reading, Then, in_field};
use tree_sitter::Node;

pub(super) fn visit(node: Node<'_>, here: Around, reading: &mut Reading<'_>) -> Then {
    if node.kind() == "import_declaration" {
        let text = reading.text(node).unwrap_or_default();
        let text = text.trim_start_matches("import").trim().trim_end_matches(';').trim();
        let (text, names) = match text.strip_prefix("static ") {
            Some(text) => (text.trim(), vec!["static".to_owned()]),
            None => (text, Vec::new()),
        };
        let text = text.to_owned();
        reading.import(node, &text, names);
        return Then::Skip;
    }
    if !here.local {
        for declarator in in_field(node, "declarator") {
            if let Some(name) = declarator.child_by_field_name("name")
                && reading.text(name).is_some_and(is_constant)
            {
                reading.define(name, DefinitionKind::Constant);
            }
        }
    }
    Then::Enter(here)
}

fn is_constant(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}
