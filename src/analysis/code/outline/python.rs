//! Python: what a walk looks at more closely.

use super::DefinitionKind;
use super::walk::{Around, Reading, Then, children, in_field};
use tree_sitter::Node;

pub(super) fn visit(node: Node<'_>, here: Around, reading: &mut Reading<'_>) -> Then {
    match node.kind() {
        "assignment" => {
            if let Some(left) = node.child_by_field_name("left")
                && left.kind() == "identifier"
                && !here.local
            {
                reading.define(left, DefinitionKind::Constant);
            }
            return Then::Enter(here);
        }
        "import_statement" => {
            for name in in_field(node, "name") {
                if let Some(module) = module(name).and_then(|n| reading.text(n)) {
                    reading.import(node, module, Vec::new());
                }
            }
        }
        _ => {
            let from = node.child_by_field_name("module_name").and_then(|n| reading.text(n));
            let Some(from) = from else { return Then::Skip };
            let from: String = from.chars().filter(|c| !c.is_whitespace()).collect();
            let names: Vec<String> = in_field(node, "name")
                .into_iter()
                .filter_map(module)
                .filter_map(|name| reading.text(name).map(str::to_owned))
                .collect();
            reading.import(node, &from, names);
        }
    }
    Then::Skip
}

/// The name itself in `name` and `name as other`.
fn module(node: Node<'_>) -> Option<Node<'_>> {
    if node.kind() == "aliased_import" {
        return node.child_by_field_name("name").or_else(|| children(node).first().copied());
    }
    Some(node)
}
