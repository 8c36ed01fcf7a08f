//! Go: imports, and which names of an imported package a file uses.

use super::DefinitionKind;
use super::walk::{Around, Reading, Then, in_field};
use tree_sitter::Node;

/// Names of one package that are noted.
const MAX_NAMES: usize = 100;

pub(super) fn visit(node: Node<'_>, here: Around, reading: &mut Reading<'_>) -> Then {
    match node.kind() {
        "method_declaration" => {
            reading.define_field(node, DefinitionKind::Method);
            Then::Enter(Around { local: true, in_type: false })
        }
        "const_spec" | "var_spec" => {
            if !here.local {
                for name in in_field(node, "name") {
                    reading.define(name, DefinitionKind::Constant);
                }
            }
            Then::Enter(here)
        }
        "import_spec" => {
            let path = node.child_by_field_name("path").and_then(|n| reading.text(n));
            if let Some(path) = path.map(|p| p.trim_matches(['"', '`'])) {
                let alias = node.child_by_field_name("name").and_then(|n| reading.text(n));
                let name = alias.map_or_else(|| usual_name(path), str::to_owned);
                let place = reading.outline.imports.len();
                reading.import(node, path, Vec::new());
                if reading.outline.imports.len() > place {
                    reading.packages.push((name, place));
                }
            }
            Then::Skip
        }
        // `pkg.Name` in an expression or a type.
        _ => {
            let (package, name) = match node.kind() {
                "qualified_type" => ("package", "name"),
                _ => ("operand", "field"),
            };
            let text = |field| {
                node.child_by_field_name(field)
                    .filter(|n| n.child_count() == 0)
                    .and_then(|n| reading.text(n))
            };
            if let (Some(package), Some(name)) = (text(package), text(name))
                && let Some((_, place)) =
                    reading.packages.iter().find(|(known, _)| known == package)
            {
                let names = &mut reading.outline.imports[*place].names;
                if names.len() < MAX_NAMES && !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
            Then::Enter(here)
        }
    }
}

/// What a package is called by its path: the last part, without a version.
fn usual_name(path: &str) -> String {
    let is_version = |part: &&str| {
        part.strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let last = path.rsplit('/').find(|part| !is_version(part)).unwrap_or(path);
    let last = last.split(".v").next().unwrap_or(last);
    last.strip_prefix("go-").unwrap_or(last).replace('-', "_")
}

/// Names in the order of the alphabet.
pub(super) fn finish(reading: &mut Reading<'_>) {
    for (_, place) in &reading.packages {
        reading.outline.imports[*place].names.sort();
    }
}
