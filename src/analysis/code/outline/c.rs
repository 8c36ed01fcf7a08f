//! C and C++: names are at the bottom of declarators.

use super::DefinitionKind;
use super::walk::{Around, Reading, Then, in_field};
use tree_sitter::Node;

/// Declarators nested deeper than this are not followed.
const MAX_DEPTH: usize = 16;

pub(super) fn visit(node: Node<'_>, here: Around, reading: &mut Reading<'_>) -> Then {
    match node.kind() {
        "preproc_include" => {
            let path = node.child_by_field_name("path");
            let path = path.filter(|n| matches!(n.kind(), "string_literal" | "system_lib_string"));
            if let Some(path) = path.and_then(|n| reading.text(n)) {
                reading.import(node, path, Vec::new());
            }
            Then::Skip
        }
        "struct_specifier" | "class_specifier" | "union_specifier" | "enum_specifier" => {
            if node.child_by_field_name("body").is_some() {
                reading.define_field(node, DefinitionKind::Type);
            }
            Then::Enter(Around { in_type: node.kind() != "enum_specifier", ..here })
        }
        "type_definition" => {
            for declarator in in_field(node, "declarator") {
                if let Some((name, _)) = name(declarator) {
                    reading.define(name, DefinitionKind::Type);
                }
            }
            Then::Enter(here)
        }
        // A function, a prototype, a variable of the file, a member function.
        kind => {
            for declarator in in_field(node, "declarator") {
                let Some((name, is_function)) = name(declarator) else { continue };
                if is_function && (here.in_type || is_qualified(declarator)) {
                    reading.define(name, DefinitionKind::Method);
                } else if is_function {
                    reading.define(name, DefinitionKind::Function);
                } else if kind == "declaration" {
                    reading.define(name, DefinitionKind::Constant);
                }
            }
            Then::Enter(here)
        }
    }
}

/// The name a declarator declares, and whether as a function.
fn name(mut node: Node<'_>) -> Option<(Node<'_>, bool)> {
    let mut is_function = false;
    for _ in 0..MAX_DEPTH {
        match node.kind() {
            "identifier" | "field_identifier" | "type_identifier" | "operator_name" => {
                return Some((node, is_function));
            }
            "destructor_name" => return Some((node.named_child(0)?, is_function)),
            "qualified_identifier" | "template_function" => {
                node = node.child_by_field_name("name")?;
            }
            "function_declarator" => {
                is_function = true;
                node = node.child_by_field_name("declarator")?;
            }
            "parenthesized_declarator" | "reference_declarator" | "attributed_declarator" => {
                node = node.named_child(0)?;
            }
            _ => node = node.child_by_field_name("declarator")?,
        }
    }
    None
}

fn is_qualified(mut node: Node<'_>) -> bool {
    for _ in 0..MAX_DEPTH {
        if node.kind() == "qualified_identifier" {
            return true;
        }
        match node.child_by_field_name("declarator") {
            Some(inner) => node = inner,
            None => return false,
        }
    }
    false
}
