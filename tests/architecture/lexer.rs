//! Just enough of Rust's lexical grammar to see code where there is code: comments vanish, and a
//! string or a character literal is one token, whatever it contains.

/// A token and the line it starts on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub line: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identifier, a keyword or a number.
    Word(String),
    /// `::`
    PathSep,
    /// Any other single character.
    Punct(char),
    /// The inside of a string literal, escapes untouched.
    Text(String),
    /// A character literal or a lifetime.
    Tick,
}

impl Token {
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(w) if w == word)
    }

    pub fn is(&self, punct: char) -> bool {
        self.kind == Kind::Punct(punct)
    }
}

/// The tokens of `source`.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: source.chars().collect(), at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some((line, kind)) = lexer.next_token() {
        tokens.push(Token { line, kind });
    }
    tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn next_token(&mut self) -> Option<(usize, Kind)> {
        loop {
            let c = self.peek(0)?;
            if c.is_whitespace() {
                self.bump();
            } else if c == '/' && self.peek(1) == Some('/') {
                while self.peek(0).is_some_and(|c| c != '\n') {
                    self.bump();
                }
            } else if c == '/' && self.peek(1) == Some('*') {
                self.block_comment();
            } else {
                let line = self.line;
                return Some((line, self.token(c)));
            }
        }
    }

    fn token(&mut self, first: char) -> Kind {
        match first {
            '"' => self.text(),
            '\'' => self.tick(),
            ':' if self.peek(1) == Some(':') => {
                self.at += 2;
                Kind::PathSep
            }
            c if c == '_' || c.is_alphanumeric() => self.word(),
            c => {
                self.bump();
                Kind::Punct(c)
            }
        }
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                (None, _) => return,
                _ => {
                    self.bump();
                }
            }
        }
    }

    fn word(&mut self) -> Kind {
        let mut word = String::new();
        while let Some(c) = self.peek(0).filter(|c| *c == '_' || c.is_alphanumeric()) {
            word.push(c);
            self.bump();
        }
        let hashes = self.chars[self.at..].iter().take_while(|c| **c == '#').count();
        match word.as_str() {
            "r" | "br" | "cr" if self.peek(hashes) == Some('"') => self.raw_text(hashes),
            "b" | "c" if self.peek(0) == Some('"') => self.text(),
            "b" if self.peek(0) == Some('\'') => self.tick(),
            // `r#type`: the name is what follows.
            "r" if hashes == 1 && self.peek(1).is_some_and(|c| c == '_' || c.is_alphabetic()) => {
                self.bump();
                self.word()
            }
            _ => Kind::Word(word),
        }
    }

    fn text(&mut self) -> Kind {
        self.bump();
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                '"' => break,
                '\\' => {
                    text.push(c);
                    text.extend(self.bump());
                }
                c => text.push(c),
            }
        }
        Kind::Text(text)
    }

    fn raw_text(&mut self, hashes: usize) -> Kind {
        for _ in 0..=hashes {
            self.bump();
        }
        let mut text = String::new();
        while let Some(c) = self.bump() {
            if c == '"' && (0..hashes).all(|n| self.peek(n) == Some('#')) {
                self.at += hashes;
                break;
            }
            text.push(c);
        }
        Kind::Text(text)
    }

    /// `'a'` and `'\n'` are literals, `'a` is a lifetime: the closing quote tells.
    fn tick(&mut self) -> Kind {
        self.bump();
        if self.peek(0) == Some('\\') {
            self.bump();
            self.bump();
            while self.bump().is_some_and(|c| c != '\'') {}
        } else if self.peek(1) == Some('\'') {
            self.bump();
            self.bump();
        }
        Kind::Tick
    }
}

#[test]
fn comments_and_literals_are_not_code() {
    let words = |source| {
        let kinds = tokens(source).into_iter().map(|t| t.kind);
        kinds.filter_map(|k| if let Kind::Word(w) = k { Some(w) } else { None }).collect::<Vec<_>>()
    };
    assert_eq!(words("a // b\n/* c /* d */ e */ f"), ["a", "f"]);
    assert_eq!(words(r#"a "b \" c" d"#), ["a", "d"]);
    assert_eq!(words("a r##\"b \"# c\"## d b\"e\" br#\"f\"# g"), ["a", "d", "g"]);
    assert_eq!(
        words(r"a '\'' b '/' c '\u{7f}' d 'x e b'q' f"),
        ["a", "b", "c", "d", "x", "e", "f"]
    );
    assert_eq!(words("r#type r#\"x\"# y"), ["type", "y"]);
}

#[test]
fn lines_are_counted_through_comments_and_strings() {
    let found = tokens("/*\n\n*/ a \"\n\n\" b r\"\n\" c");
    let lines: Vec<_> =
        found.iter().filter(|t| matches!(t.kind, Kind::Word(_))).map(|t| t.line).collect();
    assert_eq!(lines, [3, 5, 6]);
}
