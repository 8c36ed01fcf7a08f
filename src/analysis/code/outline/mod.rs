//! What is known of one file by its content alone, and therefore kept by its blob.

mod c;
mod go;
mod java;
mod python;
mod role;
mod rust;
mod script;
#[cfg(test)]
mod tests;
mod walk;

use super::Language;
use super::manifest::{self, Manifest};
use serde::{Deserialize, Serialize};

/// What a name is defined as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionKind {
    /// A free function.
    Function,
    /// A function of a type.
    Method,
    /// A class, struct, enum, trait, interface, alias.
    Type,
    /// A constant, or a variable of the file.
    Constant,
    /// A macro.
    Macro,
}

/// A name defined in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defined {
    /// As written.
    pub name: String,
    /// From 1.
    pub line: u32,
    /// As what.
    pub kind: DefinitionKind,
}

/// An import as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The module, path or header; its form depends on the language.
    pub text: String,
    /// What of it is used, where that is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// From 1.
    pub line: u32,
}

/// What a file defines and imports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// In the order of the file.
    pub definitions: Vec<Defined>,
    /// In the order of the file.
    pub imports: Vec<Written>,
    /// Of a manifest, what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
}

/// What a file imports, as its [`outline`] says it, but cheaper where that can be read from its beginning.
#[must_use]
pub fn imports(language: Language, content: &[u8]) -> Vec<Written> {
    if language.is_manifest() || !super::sketch::is_readable(content) {
        return Vec::new();
    }
    let head = super::head::head(language, content);
    walk::read(language, head).map(|outline| outline.imports).unwrap_or_default()
}

/// Reads a file. What cannot be parsed, or is too much, gives less and never fails.
#[must_use]
pub fn outline(language: Language, content: &[u8]) -> Outline {
    if language.is_manifest() {
        return Outline { manifest: manifest::read(language, content), ..Outline::default() };
    }
    if !super::sketch::is_readable(content) {
        return Outline::default();
    }
    walk::read(language, content).unwrap_or_default()
}
