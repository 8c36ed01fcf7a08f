//! Which files are read, and as what.

use super::super::tree::{extension, file_name};
use tree_sitter::Language as Grammar;

/// What a file is written in. The numbers are part of the cache's keys: they are never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Language {
    /// Python, with stubs.
    Python = 1,
    /// Rust.
    Rust = 2,
    /// JavaScript, with JSX.
    JavaScript = 3,
    /// TypeScript.
    TypeScript = 4,
    /// TypeScript with JSX.
    Tsx = 5,
    /// Go.
    Go = 6,
    /// Java.
    Java = 7,
    /// C.
    C = 8,
    /// C++; headers too, because it holds nearly all of C.
    Cpp = 9,
    /// `Cargo.toml`.
    Cargo = 20,
    /// `package.json`.
    Npm = 21,
    /// `go.mod`.
    GoMod = 22,
    /// `tsconfig.json`, `jsconfig.json` and those they extend.
    TsConfig = 23,
}

impl Language {
    /// By the file's name; `None` for what is not read.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        Some(match file_name(path) {
            "Cargo.toml" => Self::Cargo,
            "package.json" => Self::Npm,
            "go.mod" => Self::GoMod,
            name => match extension(path)? {
                "py" | "pyi" => Self::Python,
                "rs" => Self::Rust,
                "js" | "jsx" | "mjs" | "cjs" => Self::JavaScript,
                "ts" | "mts" | "cts" => Self::TypeScript,
                "tsx" => Self::Tsx,
                "go" => Self::Go,
                "java" => Self::Java,
                "c" => Self::C,
                "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" | "ipp" | "inl" => Self::Cpp,
                "json" if name.starts_with("tsconfig") || name == "jsconfig.json" => Self::TsConfig,
                _ => return None,
            },
        })
    }

    /// Whether it describes a package and holds no code.
    #[must_use]
    pub fn is_manifest(self) -> bool {
        self.grammar().is_none()
    }

    /// JavaScript and its dialects.
    pub(super) fn is_script(self) -> bool {
        matches!(self, Self::JavaScript | Self::TypeScript | Self::Tsx)
    }

    /// C and C++.
    pub(super) fn is_c(self) -> bool {
        matches!(self, Self::C | Self::Cpp)
    }

    pub(super) fn grammar(self) -> Option<Grammar> {
        Some(match self {
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
            Self::Java => tree_sitter_java::LANGUAGE.into(),
            Self::C => tree_sitter_c::LANGUAGE.into(),
            Self::Cpp => tree_sitter_cpp::LANGUAGE.into(),
            Self::Cargo | Self::Npm | Self::GoMod | Self::TsConfig => return None,
        })
    }
}
