//! What the nodes of each grammar mean here.

use super::super::Language;
use super::DefinitionKind;
use std::sync::OnceLock;

/// What a node means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing by itself; what is inside may.
    Nothing,
    /// A type with a `name`; what is inside belongs to it.
    Type,
    /// What is inside belongs to a type that is named elsewhere.
    Body,
    /// A function with a `name`; what is inside is its own business, except for imports.
    Function,
    /// What is inside is its own business, except for imports.
    Inner,
    /// A `name` of this kind.
    Named(DefinitionKind),
    /// Something that the language looks at itself.
    Special,
    /// Not worth looking inside.
    Leaf,
}

type Roles = &'static [(&'static str, Role)];

const PYTHON: Roles = &[
    ("class_definition", Role::Type),
    ("function_definition", Role::Function),
    ("lambda", Role::Inner),
    ("assignment", Role::Special),
    ("import_statement", Role::Special),
    ("import_from_statement", Role::Special),
    ("string", Role::Leaf),
    ("argument_list", Role::Leaf),
];

const RUST: Roles = &[
    ("struct_item", Role::Named(DefinitionKind::Type)),
    ("enum_item", Role::Named(DefinitionKind::Type)),
    ("union_item", Role::Named(DefinitionKind::Type)),
    ("type_item", Role::Named(DefinitionKind::Type)),
    ("trait_item", Role::Type),
    ("impl_item", Role::Body),
    ("function_item", Role::Function),
    ("function_signature_item", Role::Function),
    ("const_item", Role::Named(DefinitionKind::Constant)),
    ("static_item", Role::Named(DefinitionKind::Constant)),
    ("macro_definition", Role::Named(DefinitionKind::Macro)),
    ("mod_item", Role::Special),
    ("use_declaration", Role::Special),
    ("scoped_identifier", Role::Special),
    ("scoped_type_identifier", Role::Special),
    ("token_tree", Role::Leaf),
    ("string_literal", Role::Leaf),
];

const SCRIPT: Roles = &[
    ("class_declaration", Role::Type),
    ("abstract_class_declaration", Role::Type),
    ("interface_declaration", Role::Type),
    ("enum_declaration", Role::Named(DefinitionKind::Type)),
    ("type_alias_declaration", Role::Named(DefinitionKind::Type)),
    ("function_declaration", Role::Function),
    ("generator_function_declaration", Role::Function),
    ("function_signature", Role::Function),
    ("method_definition", Role::Function),
    ("method_signature", Role::Function),
    ("abstract_method_signature", Role::Function),
    ("arrow_function", Role::Inner),
    ("function_expression", Role::Inner),
    ("generator_function", Role::Inner),
    ("variable_declarator", Role::Special),
    ("public_field_definition", Role::Special),
    ("field_definition", Role::Special),
    ("import_statement", Role::Special),
    ("export_statement", Role::Special),
    ("call_expression", Role::Special),
    ("template_string", Role::Leaf),
];

const GO: Roles = &[
    ("function_declaration", Role::Function),
    ("method_declaration", Role::Special),
    ("func_literal", Role::Inner),
    ("type_spec", Role::Named(DefinitionKind::Type)),
    ("type_alias", Role::Named(DefinitionKind::Type)),
    ("const_spec", Role::Special),
    ("var_spec", Role::Special),
    ("import_spec", Role::Special),
    ("selector_expression", Role::Special),
    ("qualified_type", Role::Special),
];

const JAVA: Roles = &[
    ("class_declaration", Role::Type),
    ("interface_declaration", Role::Type),
    ("enum_declaration", Role::Type),
    ("record_declaration", Role::Type),
    ("annotation_type_declaration", Role::Type),
    ("method_declaration", Role::Function),
    ("constructor_declaration", Role::Inner),
    ("lambda_expression", Role::Inner),
    ("field_declaration", Role::Special),
    ("constant_declaration", Role::Special),
    ("import_declaration", Role::Special),
];

const C: Roles = &[
    ("function_definition", Role::Special),
    ("declaration", Role::Special),
    ("field_declaration", Role::Special),
    ("type_definition", Role::Special),
    ("struct_specifier", Role::Special),
    ("class_specifier", Role::Special),
    ("union_specifier", Role::Special),
    ("enum_specifier", Role::Special),
    ("alias_declaration", Role::Named(DefinitionKind::Type)),
    ("concept_definition", Role::Named(DefinitionKind::Type)),
    ("enumerator", Role::Named(DefinitionKind::Constant)),
    ("preproc_def", Role::Named(DefinitionKind::Macro)),
    ("preproc_function_def", Role::Named(DefinitionKind::Macro)),
    ("preproc_include", Role::Special),
    ("compound_statement", Role::Leaf),
    ("initializer_list", Role::Leaf),
];

/// The role of each kind of node, by the grammar's number for it.
pub(super) fn roles(language: Language) -> &'static [Role] {
    static TABLES: [OnceLock<Vec<Role>>; 10] = [const { OnceLock::new() }; 10];
    let named = match language {
        Language::Python => PYTHON,
        Language::Rust => RUST,
        Language::JavaScript | Language::TypeScript | Language::Tsx => SCRIPT,
        Language::Go => GO,
        Language::Java => JAVA,
        Language::C | Language::Cpp => C,
        _ => &[],
    };
    let Some(table) = TABLES.get(language as usize) else { return &[] };
    table.get_or_init(|| {
        let Some(grammar) = language.grammar() else { return Vec::new() };
        let mut roles = vec![Role::Nothing; grammar.node_kind_count()];
        for id in 0..u16::try_from(roles.len()).unwrap_or(u16::MAX) {
            let role = named
                .iter()
                .find(|(name, _)| {
                    grammar.node_kind_is_named(id) && grammar.node_kind_for_id(id) == Some(name)
                })
                .map(|(_, role)| *role);
            roles[usize::from(id)] = role.unwrap_or(Role::Nothing);
        }
        roles
    })
}
