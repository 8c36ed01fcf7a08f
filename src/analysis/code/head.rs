//! The part of a file that holds its imports: where only those are asked for, the rest is not parsed.
//!
//! After the last word that could begin an import there is none, whatever the rest says. The cut is made where a
//! line ends and no bracket is open, so that what stands before it is whole.

use super::Language;

/// Lines after the last such word that may belong to its statement.
const LINES: usize = 3;

/// Whether the imports of a language can be read without the whole file. In Rust every path is one, and in Go
/// the uses of a package tell which of its files are meant.
pub(super) fn has_head(language: Language) -> bool {
    !words(language).is_empty()
}

/// All of a file up to its last import, and perhaps more.
pub(super) fn head(language: Language, content: &[u8]) -> &[u8] {
    let last = words(language).iter().filter_map(|word| last(content, word)).max();
    let Some(last) = last else {
        return if has_head(language) { &[] } else { content };
    };
    let (mut open, mut lines) = (0_i32, 0);
    for (at, byte) in content.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open -= 1,
            b'\n' if at > last => {
                lines += 1;
                if lines >= LINES && open == 0 && at > 0 && content[at - 1] != b'\\' {
                    return &content[..=at];
                }
            }
            _ => {}
        }
    }
    content
}

fn words(language: Language) -> &'static [&'static [u8]] {
    match language {
        Language::Python | Language::Java => &[b"import"],
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            &[b"import", b"require", b"from"]
        }
        Language::C | Language::Cpp => &[b"include"],
        _ => &[],
    }
}

fn last(content: &[u8], word: &[u8]) -> Option<usize> {
    content.windows(word.len()).rposition(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::super::outline::{imports, outline};
    use super::*;

    #[test]
    fn what_is_cut_off_holds_no_import() {
        let rest = "\n\n\n\n".to_owned();
        for (language, begin, end) in [
            (Language::Python, "import a\nfrom b import (\n  c,\n  d,\n)", "def f():\n  pass\n"),
            (Language::Python, "def f():\n    from a import b\n    return b", "def g():\n  pass\n"),
            (Language::Java, "package p;\nimport a.B;", "class C { void f() {} }\n"),
            (Language::C, "#include \"a.h\"\n#if X\n#include <b.h>\n#endif", "int f() {}\n"),
            (Language::TypeScript, "import {\n a\n} from\n'./a'", "class B { c() {} }\n"),
            (Language::JavaScript, "export * from './a'\nconst b = require('b')", "f()\n"),
        ] {
            let text = format!("{begin}{rest}{end}");
            let all = outline(language, text.as_bytes()).imports;
            assert!(!all.is_empty());
            assert!(!head(language, text.as_bytes()).ends_with(end.as_bytes()), "{text}");
            assert_eq!(imports(language, text.as_bytes()), all, "{text}");
        }
    }

    #[test]
    fn what_is_deep_inside_is_found_too() {
        let text = "class A {\n f() {\n  return import('./b')\n }\n g() {\n\n\n\n }\n}\nend()\n";
        let all = outline(Language::TypeScript, text.as_bytes()).imports;
        assert_eq!(all.len(), 1);
        assert_eq!(imports(Language::TypeScript, text.as_bytes()), all);
        let text = "fn f() { a::b::c() }\n";
        assert_eq!(head(Language::Rust, text.as_bytes()), text.as_bytes());
        assert!(head(Language::C, b"int a;\n").is_empty());
    }
}
