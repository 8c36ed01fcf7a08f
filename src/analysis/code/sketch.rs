//! Which names look as if a file defined them, and which words are in its imports: one pass over its bytes,
//! without a grammar.
//!
//! It may say too much (a name in a comment, a local function), never too little where it matters: what
//! tree-sitter calls a definition, this must have seen. `tests` holds the two against each other.

use super::{LARGEST, Language};

/// Shorter names are in every file and mean none.
pub(super) const SHORTEST: usize = 3;

/// Words kept of a file's imports: more than any that a person writes.
const MAX_IMPORTED: usize = 2_000;

/// Bytes a line has on average, above which nobody wrote the file by hand.
const MINIFIED: usize = 400;

/// Bytes in which git too looks for a NUL to tell what is binary.
const BINARY_WITHIN: usize = 8_000;

/// Hashes of names and of words, four bytes each, as the cache keeps them: how many names there are, the names, the
/// words; both sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch(Vec<u8>);

impl Sketch {
    /// As it was kept.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// To keep it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn of(mut names: Vec<u32>, mut words: Vec<u32>) -> Self {
        if names.is_empty() && words.is_empty() {
            return Self::default();
        }
        for list in [&mut names, &mut words] {
            list.sort_unstable();
            list.dedup();
        }
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let all = std::iter::once(count).chain(names).chain(words);
        Self(all.flat_map(u32::to_le_bytes).collect())
    }

    /// The names and the words.
    fn parts(&self) -> (&[[u8; 4]], &[[u8; 4]]) {
        let (chunks, _) = self.0.as_chunks::<4>();
        let Some((count, rest)) = chunks.split_first() else { return (&[], &[]) };
        let count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
        rest.split_at(count.min(rest.len()))
    }

    /// Whether the file may define `name`, which is at least [`SHORTEST`] long; if not, it does not.
    pub(super) fn may_hold(&self, name: &str) -> bool {
        is_in(self.parts().0, hash(name.as_bytes()))
    }

    /// The names it may define.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u32> {
        self.parts().0.iter().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// Whether a word is in one of its imports.
    pub(super) fn imports(&self, word: u32) -> bool {
        is_in(self.parts().1, word)
    }

    /// The words of its imports.
    pub(super) fn imported(&self) -> impl Iterator<Item = u32> {
        self.parts().1.iter().map(|bytes| u32::from_le_bytes(*bytes))
    }
}

fn is_in(list: &[[u8; 4]], wanted: u32) -> bool {
    list.binary_search_by_key(&wanted, |bytes| u32::from_le_bytes(*bytes)).is_ok()
}

/// The words of a name, as [`Sketch::imports`] takes them.
pub(super) fn words(name: &str) -> impl Iterator<Item = u32> {
    name.as_bytes()
        .split(|byte| !IN_NAME[usize::from(*byte)])
        .filter(|word| !word.is_empty())
        .map(hash)
}

/// FNV-1a: names are short, and the hash must be the same in every build that reads the cache.
pub(super) fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

/// Brackets open at the same time, above which nobody wrote the file by hand; a parser takes long over it.
const DEEPEST: i32 = 200;

/// Whether a person may have written it, and it can be read in reasonable time.
pub(super) fn is_readable(content: &[u8]) -> bool {
    let mut shape = Shape::default();
    for byte in content {
        shape.see(*byte);
    }
    is_text(content) && shape.is_written(content.len())
}

fn is_text(content: &[u8]) -> bool {
    content.len() <= LARGEST && !content[..content.len().min(BINARY_WITHIN)].contains(&0)
}

/// How long its lines and how deep its brackets are.
#[derive(Default)]
struct Shape {
    line_ends: usize,
    open: i32,
    deepest: i32,
}

impl Shape {
    fn see(&mut self, byte: u8) {
        match byte {
            b'\n' => self.line_ends += 1,
            b'(' | b'[' | b'{' => {
                self.open += 1;
                self.deepest = self.deepest.max(self.open);
            }
            b')' | b']' | b'}' => self.open -= 1,
            _ => {}
        }
    }

    fn is_written(&self, length: usize) -> bool {
        let line = length / (self.line_ends + 1);
        self.deepest <= DEEPEST && (length < 10 * MINIFIED || line <= MINIFIED)
    }
}

/// Reads a file.
#[must_use]
pub fn sketch(language: Language, content: &[u8]) -> Sketch {
    if language.is_manifest() || !is_text(content) {
        return Sketch::default();
    }
    let mut scan = Scan {
        language,
        text: content,
        found: Vec::new(),
        imported: Vec::new(),
        import: None,
        shape: Shape::default(),
    };
    scan.run();
    if !scan.shape.is_written(content.len()) {
        return Sketch::default();
    }
    Sketch::of(scan.found, scan.imported)
}

/// What a word means for the word after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// It is followed by the name that it defines.
    Defines,
    /// It stands before a definition, and says nothing.
    Modifier,
    /// Not a name, and what follows it is not defined by it: `return`, `new`.
    Other,
    /// A name.
    Name,
}

/// Letters, digits, `_`, `$`, and whatever is not ASCII.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80;
        byte += 1;
    }
    table
};

struct Scan<'a> {
    language: Language,
    text: &'a [u8],
    found: Vec<u32>,
    imported: Vec<u32>,
    /// Inside of an import: the brackets that were open when it began.
    import: Option<i32>,
    shape: Shape,
}

impl Scan<'_> {
    fn run(&mut self) {
        let text = self.text;
        let (mut at, mut line) = (0, 0);
        // The word before, where it ended, and whether only modifiers stood before it on its line.
        let (mut before, mut before_end, mut first) = (Word::Other, 0, true);
        let mut before_announced = false;
        while at < text.len() {
            let byte = text[at];
            if !IN_NAME[usize::from(byte)] {
                self.shape.see(byte);
                if self.import.is_some() && self.ends_import(at) {
                    self.import = None;
                }
                if byte == b'\n' {
                    line = at + 1;
                    first = true;
                }
                at += 1;
                continue;
            }
            let start = at;
            while at < text.len() && IN_NAME[usize::from(text[at])] {
                at += 1;
            }
            let word = &text[start..at];
            if self.import.is_some() {
                if self.imported.len() < MAX_IMPORTED {
                    self.imported.push(hash(word));
                }
            } else if self.begins_import(word, line, at, first) {
                self.import = Some(self.shape.open);
            }
            if byte.is_ascii_digit() {
                before = Word::Other;
                continue;
            }
            let kind = self.word(word);
            if kind == Word::Name {
                let gap = &text[before_end..start];
                let close = gap.len() <= 8 && gap.iter().all(|b| b" \t\r\n*&!".contains(b));
                let place = Place { line, start, end: at, first, before, gap, close };
                let announced = before == Word::Defines && close;
                // `var a, b`
                let listed = before_announced && gap.trim_ascii() == b",";
                if announced || listed || self.looks_defined(&place) {
                    self.note(word);
                }
                before_announced = announced || listed;
                first = false;
            } else if kind != Word::Modifier {
                first = false;
            }
            // `func (r *Receiver) Name(`
            if self.language == Language::Go && word == b"func" && text.get(at + 1) == Some(&b'(') {
                let ahead = &text[at..text.len().min(at + 200)];
                if let Some(close) = ahead.iter().position(|b| *b == b')') {
                    at += close + 1;
                }
            }
            // `const async fn`: the word that defines stays the word before.
            if kind != Word::Modifier || before != Word::Defines {
                before = kind;
            }
            before_end = at;
        }
    }

    /// Whether an import begins with a word that ends at `at`. In a comment none does.
    fn begins_import(&self, word: &[u8], line: usize, at: usize, first: bool) -> bool {
        use Language as L;
        let next = || self.text[at..].iter().find(|byte| **byte != b' ').copied();
        let before = || &self.text[line..at - word.len()];
        let in_code = |comment: &[u8]| !before().iter().any(|byte| comment.contains(byte));
        match (word, self.language) {
            (b"import" | b"from", L::Python) => first && in_code(b"#"),
            (b"use" | b"mod", L::Rust) => {
                (first || before().trim_ascii_start().starts_with(b"pub(")) && in_code(b"/*")
            }
            (b"import", L::Java | L::Go) => first && in_code(b"/*"),
            (b"include", L::C | L::Cpp) => before().trim_ascii().starts_with(b"#"),
            (b"import", language) if language.is_script() => {
                in_code(b"*") && (first || next() == Some(b'(')) && !before().starts_with(b"//")
            }
            (b"require", language) if language.is_script() => next() == Some(b'('),
            (b"from", language) if language.is_script() => {
                matches!(next(), Some(b'\'' | b'"'))
            }
            _ => false,
        }
    }

    /// Whether the byte at `at` ends the import: a statement's end, or that of a line on which it may end.
    fn ends_import(&self, at: usize) -> bool {
        let whole = self.import.is_some_and(|open| self.shape.open <= open);
        match self.text[at] {
            b';' => true,
            b'\n' => whole && (at == 0 || self.text[at - 1] != b'\\'),
            _ => false,
        }
    }

    fn note(&mut self, name: &[u8]) {
        if name.len() >= SHORTEST {
            self.found.push(hash(name));
        }
    }

    fn word(&self, word: &[u8]) -> Word {
        use Language as L;
        let l = self.language;
        let is = |yes: bool, kind| if yes { kind } else { Word::Name };
        match word {
            b"class" => is(!matches!(l, L::Rust | L::Go | L::C), Word::Defines),
            b"struct" | b"union" => is(matches!(l, L::Rust | L::C | L::Cpp), Word::Defines),
            b"enum" => is(!matches!(l, L::Python | L::Go), Word::Defines),
            b"interface" => is(l.is_script() || l == L::Java, Word::Defines),
            b"def" => is(l == L::Python, Word::Defines),
            b"fn" | b"trait" | b"macro_rules" => is(l == L::Rust, Word::Defines),
            b"type" => is(matches!(l, L::Rust | L::Go) || l.is_script(), Word::Defines),
            b"func" => is(l == L::Go, Word::Defines),
            b"var" => is(l == L::Go || l.is_script(), Word::Defines),
            b"function" | b"let" => is(l.is_script(), Word::Defines),
            b"const" => match l {
                L::Rust | L::Go => Word::Defines,
                _ if l.is_script() => Word::Defines,
                _ => is(l.is_c(), Word::Modifier),
            },
            b"static" => is(
                l != L::Python && l != L::Go,
                match l {
                    L::Rust => Word::Defines,
                    _ => Word::Modifier,
                },
            ),
            b"record" => is(l == L::Java, Word::Defines),
            b"namespace" => is(l == L::Cpp || l.is_script(), Word::Defines),
            b"define" | b"using" | b"concept" => is(l.is_c(), Word::Defines),
            b"async" => is(l.is_script() || l == L::Rust || l == L::Python, Word::Modifier),
            b"mut" | b"unsafe" | b"pub" => is(l == L::Rust, Word::Modifier),
            b"public" | b"private" | b"protected" | b"abstract" | b"final" | b"override"
            | b"readonly" | b"export" | b"default" | b"declare" | b"get" | b"set" | b"inline"
            | b"virtual" | b"extern" | b"constexpr" | b"synchronized" | b"native" => {
                is(l.is_script() || l == L::Java || l.is_c(), Word::Modifier)
            }
            b"return" | b"new" | b"throw" | b"else" | b"await" | b"yield" | b"delete"
            | b"typeof" | b"in" | b"of" | b"case" | b"goto" | b"import" | b"if" | b"for"
            | b"while" | b"switch" | b"catch" | b"sizeof" | b"instanceof" | b"and" | b"or"
            | b"not" | b"is" | b"do" => Word::Other,
            _ => Word::Name,
        }
    }

    /// Definitions that no word announces.
    fn looks_defined(&self, place: &Place<'_>) -> bool {
        use Language as L;
        let rest = &self.text[place.end..];
        let next = rest.iter().position(|b| *b != b' ').unwrap_or(rest.len());
        let rest = &rest[next..];
        let called = rest.first() == Some(&b'(');
        let is_column = |column| place.start - place.line == column;
        let assigned = || rest.first() == Some(&b'=') && rest.get(1) != Some(&b'=');
        match self.language {
            // Constants of a module or class.
            L::Python => {
                place.first
                    && (is_column(0) || is_column(4))
                    && (assigned() || rest.first() == Some(&b':'))
            }
            // A method; a function that is a property; a field that holds one.
            L::JavaScript | L::TypeScript | L::Tsx => {
                place.first && (called || matches!(rest.first(), Some(b'<' | b'=' | b':' | b'?')))
            }
            // In a group: `const (`, `type (`; a method of an interface is not one of its file.
            L::Go => {
                place.first
                    && is_column(1)
                    && (assigned()
                        || matches!(rest.first(), Some(b'\n' | b'\r'))
                        || rest
                            .first()
                            .is_some_and(|b| IN_NAME[usize::from(*b)] || b"*[".contains(b)))
            }
            L::Java => {
                (called && place.follows_type()) || (assigned() && place.is_upper(self.text))
            }
            L::C | L::Cpp => {
                let named = place.follows_type()
                    || is_column(0)
                    || [&b"::"[..], b"~"].iter().any(|end| place.gap.ends_with(end));
                (called && named)
                    || (place.gap.contains(&b'}') && matches!(rest.first(), Some(b';' | b',')))
                    || (matches!(rest.first(), Some(b';' | b'[' | b'='))
                        && place.follows_type()
                        && !self.text[place.line..place.start].starts_with(b" ")
                        && !self.text[place.line..place.start].starts_with(b"\t"))
                    || (rest.first() == Some(&b')') && place.gap.ends_with(b"(*"))
                    || ((place.first || place.gap.contains(&b'{') || place.gap.contains(&b','))
                        && place.is_upper(self.text)
                        && matches!(rest.first(), Some(b',' | b'=' | b'\n' | b'\r' | b'}')))
            }
            _ => false,
        }
    }
}

/// Where a name stands.
struct Place<'a> {
    /// Where its line begins.
    line: usize,
    start: usize,
    end: usize,
    /// Whether it is the first of its line, modifiers aside.
    first: bool,
    before: Word,
    gap: &'a [u8],
    /// Whether nothing but space stands between it and the word before.
    close: bool,
}

impl Place<'_> {
    /// `int name`, `List<T> name`, `char *name`, `byte[] name`.
    fn follows_type(&self) -> bool {
        let spaced = self.gap.iter().any(u8::is_ascii_whitespace)
            || matches!(self.gap.last(), Some(b'*' | b'&' | b'>'));
        let type_end = self.gap.iter().all(|b| b" \t\r\n*&>[]?,".contains(b));
        spaced
            && type_end
            && self.before != Word::Other
            && !self.gap.is_empty()
            && (self.close || self.gap.iter().any(|b| b">]*&".contains(b)))
    }

    fn is_upper(&self, text: &[u8]) -> bool {
        text[self.start..self.end]
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
    }
}
