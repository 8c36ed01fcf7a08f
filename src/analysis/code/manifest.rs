//! What a package says of itself: `Cargo.toml`, `package.json`, `go.mod`, `tsconfig.json`.

use super::Language;
use serde::{Deserialize, Serialize};

/// The parts of a manifest that say which file an import means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The package's name, or the module's path; empty where it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Names of packages it needs, with the directory where it says one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<(String, Option<String>)>,
    /// Files that stand for the package as a whole, relative to the manifest, the likeliest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<String>,
    /// Patterns of imports and what they stand for, relative to `base`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<(String, Vec<String>)>,
    /// The directory of plain imports, relative to the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Manifests it continues.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extends: Vec<String>,
}

/// Reads one; `None` for what is not one.
pub(super) fn read(_language: Language, _content: &[u8]) -> Option<Manifest> {
    None
}
