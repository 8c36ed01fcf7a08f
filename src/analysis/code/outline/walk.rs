//! One walk over a syntax tree, without recursion: a file may be nested as deep as it is long.

use super::role::{Role, roles};
use super::{Defined, DefinitionKind, Outline, Written};
use super::{c, go, java, python, rust, script};
use crate::analysis::code::Language;
use std::collections::HashSet;
use std::ops::ControlFlow;
use tree_sitter::{Node, ParseOptions, Parser, Point};

/// The parser asks every hundred steps whether to go on. In 2,500 files that people wrote it asked at most
/// once in eighty bytes; a file for which it asks three times as often was made to take long.
const BYTES_A_QUESTION: usize = 30;

/// What even a short file may take.
const QUESTIONS_AT_LEAST: usize = 500;

/// Definitions or imports kept of one file: more are generated.
const MAX_KEPT: usize = 10_000;

/// What is around a node.
#[derive(Clone, Copy, Default)]
pub(super) struct Around {
    /// Inside a type: a function is a method.
    pub in_type: bool,
    /// Inside a function: definitions are its own business.
    pub local: bool,
}

/// Whether the walk goes into a node.
#[derive(Clone, Copy)]
pub(super) enum Then {
    /// What is inside is looked at, as what.
    Enter(Around),
    /// It is not.
    Skip,
}

/// What was found so far.
pub(super) struct Reading<'s> {
    pub source: &'s [u8],
    pub outline: Outline,
    seen: HashSet<(String, String)>,
    /// Rust: the inline modules around, with the depth at which each ends.
    pub modules: Vec<(usize, String)>,
    /// Go: what an identifier before a dot stands for, as the place of the import.
    pub packages: Vec<(String, usize)>,
}

impl<'s> Reading<'s> {
    pub(super) fn text(&self, node: Node<'_>) -> Option<&'s str> {
        std::str::from_utf8(self.source.get(node.byte_range())?).ok()
    }

    pub(super) fn define(&mut self, name: Node<'_>, kind: DefinitionKind) {
        let line = line(name);
        if let Some(name) = self.text(name)
            && self.outline.definitions.len() < MAX_KEPT
            // Nobody outside calls `#private`.
            && !name.is_empty()
            && !name.starts_with('#')
            && name.len() <= 200
        {
            self.outline.definitions.push(Defined { name: name.to_owned(), line, kind });
        }
    }

    pub(super) fn define_field(&mut self, node: Node<'_>, kind: DefinitionKind) {
        if let Some(name) = node.child_by_field_name("name") {
            self.define(name, kind);
        }
    }

    /// An import; the same one again says nothing new.
    pub(super) fn import(&mut self, node: Node<'_>, text: &str, names: Vec<String>) {
        if text.is_empty() || text.len() > 1_000 || self.outline.imports.len() >= MAX_KEPT {
            return;
        }
        if self.seen.insert((text.to_owned(), names.join(","))) {
            let line = line(node);
            self.outline.imports.push(Written { text: text.to_owned(), names, line });
        }
    }
}

/// Where a node begins, from 1.
pub(super) fn line(node: Node<'_>) -> u32 {
    u32::try_from(node.start_position().row).unwrap_or(u32::MAX).saturating_add(1)
}

/// The children of a node in one of its fields.
pub(super) fn in_field<'t>(node: Node<'t>, field: &str) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.children_by_field_name(field, &mut cursor).collect()
}

/// The named children of a node.
pub(super) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).collect()
}

/// `None` where the parser gives up.
pub(super) fn read(language: Language, source: &[u8]) -> Option<Outline> {
    let mut parser = Parser::new();
    parser.set_language(&language.grammar()?).ok()?;
    let mut left = QUESTIONS_AT_LEAST + source.len() / BYTES_A_QUESTION;
    let mut ask = |_: &tree_sitter::ParseState| {
        left = left.saturating_sub(1);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut ask);
    let mut text = |at: usize, _: Point| source.get(at..).unwrap_or_default();
    let tree = parser.parse_with_options(&mut text, None, Some(options))?;
    let roles = roles(language);
    let mut reading = Reading {
        source,
        outline: Outline::default(),
        seen: HashSet::new(),
        modules: Vec::new(),
        packages: Vec::new(),
    };
    let mut cursor = tree.walk();
    let mut around = vec![Around::default()];
    loop {
        let node = cursor.node();
        let here = around.last().copied().unwrap_or_default();
        let depth = around.len();
        reading.modules.retain(|(at, _)| *at < depth);
        let role = roles.get(usize::from(node.kind_id())).copied().unwrap_or(Role::Nothing);
        let then = visit(language, role, node, here, depth, &mut reading);
        if let Then::Enter(inside) = then
            && cursor.goto_first_child()
        {
            around.push(inside);
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                go::finish(&mut reading);
                return Some(reading.outline);
            }
            around.pop();
        }
    }
}

fn visit(
    language: Language,
    role: Role,
    node: Node<'_>,
    here: Around,
    depth: usize,
    reading: &mut Reading<'_>,
) -> Then {
    match role {
        Role::Nothing => Then::Enter(here),
        Role::Leaf => Then::Skip,
        Role::Inner => Then::Enter(Around { local: true, ..here }),
        Role::Body => Then::Enter(Around { in_type: true, ..here }),
        Role::Type => {
            if !here.local {
                reading.define_field(node, DefinitionKind::Type);
            }
            Then::Enter(Around { in_type: true, ..here })
        }
        Role::Function => {
            if !here.local {
                let kind = if here.in_type || node.kind().starts_with("method") {
                    DefinitionKind::Method
                } else {
                    DefinitionKind::Function
                };
                reading.define_field(node, kind);
            }
            Then::Enter(Around { local: true, in_type: false })
        }
        Role::Named(kind) => {
            if !here.local {
                reading.define_field(node, kind);
            }
            Then::Enter(here)
        }
        Role::Special => match language {
            Language::Python => python::visit(node, here, reading),
            Language::Rust => rust::visit(node, here, depth, reading),
            Language::JavaScript | Language::TypeScript | Language::Tsx => {
                script::visit(node, here, reading)
            }
            Language::Go => go::visit(node, here, reading),
            Language::Java => java::visit(node, here, reading),
            Language::C | Language::Cpp => c::visit(node, here, reading),
            _ => Then::Skip,
        },
    }
}
