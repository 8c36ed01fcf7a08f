//! The Markdown of a body: headings, fenced code blocks and the few lines of text that matter here, in
//! one pass. A line of text that does not matter costs no allocation: prompts may be megabytes long.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A fenced code block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeBlock {
    /// The words behind the opening fence, such as `sh` or `rust,ignore`; often empty.
    pub info: String,
    /// The line of the file with the opening fence, from 1; the text begins one line below.
    pub line: u32,
    /// What is between the fences, without the indentation of the list or quote around it.
    pub text: String,
    /// Whether there is a closing fence. Without one the block runs to the end of what it is in,
    /// which Markdown allows and nobody who runs it wants.
    pub closed: bool,
}

impl CodeBlock {
    /// Whether its language is `sh` or `shell`.
    #[must_use]
    pub fn is_shell(&self) -> bool {
        matches!(self.language().to_ascii_lowercase().as_str(), "sh" | "shell")
    }

    /// The first word of `info`, without what some renderers put around or behind it.
    pub(super) fn language(&self) -> &str {
        let end = |c: char| c.is_whitespace() || matches!(c, ',' | '{' | '}' | ':');
        self.info.trim_start_matches(['{', '.']).split(end).next().unwrap_or_default()
    }
}

/// A heading or a line of text, without its markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The line of the file, from 1.
    pub number: u32,
    /// The text, trimmed. Inline code is in it with its backticks.
    pub text: String,
    /// 1 to 6 for a heading.
    pub heading: Option<u8>,
}

/// What a body is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    /// In order: every heading, the first line of text, and each that begins with `Status`; nothing
    /// from code, HTML or quotes.
    pub lines: Vec<Line>,
    pub blocks: Vec<CodeBlock>,
}

/// Reads `body`, which begins on line `body_line` of its file.
pub(super) fn outline(body: &str, body_line: u32) -> Outline {
    let mut builder = Builder {
        body,
        numbers: LineNumbers { body, offset: 0, number: body_line },
        found: Outline::default(),
        open: None,
        text: String::new(),
        any_text: false,
        code: None,
        in_code: false,
        quotes: 0,
    };
    let options = Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH;
    for (event, range) in Parser::new_ext(body, options).into_offset_iter() {
        builder.take(event, range);
    }
    builder.end_line();
    builder.found
}

struct Builder<'a> {
    body: &'a str,
    numbers: LineNumbers<'a>,
    found: Outline,
    /// The heading or line of text that is being read: its offset and, for a heading, its level.
    open: Option<(usize, Option<u8>)>,
    /// What was read of it.
    text: String,
    /// Whether a line of text was found.
    any_text: bool,
    /// The fenced block that is being read.
    code: Option<CodeBlock>,
    /// Whether what is being read is code, fenced or indented.
    in_code: bool,
    quotes: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, range: std::ops::Range<usize>) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                self.end_line();
                self.in_code = true;
                if let CodeBlockKind::Fenced(info) = kind {
                    let line = self.numbers.at(range.start);
                    let closed = is_closed(self.body.get(range).unwrap_or_default());
                    let info = info.trim().to_owned();
                    self.code = Some(CodeBlock { info, line, text: String::new(), closed });
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                self.in_code = false;
                self.found.blocks.extend(self.code.take());
            }
            Event::Start(Tag::Heading { level, .. }) => {
                self.end_line();
                self.open = Some((range.start, Some(level as u8)));
            }
            Event::Start(Tag::BlockQuote(_)) => {
                self.end_line();
                self.quotes += 1;
            }
            Event::End(TagEnd::BlockQuote(_)) => {
                self.end_line();
                self.quotes -= 1;
            }
            Event::Start(Tag::Paragraph | Tag::Item | Tag::List(_) | Tag::HtmlBlock)
            | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::List(_) | TagEnd::Heading(_))
            | Event::Rule => self.end_line(),
            Event::SoftBreak | Event::HardBreak => {
                // A heading's line goes on; a line of text ends.
                match self.open {
                    Some((_, Some(_))) => self.text.push(' '),
                    _ => self.end_line(),
                }
            }
            Event::Text(text) => match &mut self.code {
                Some(code) => code.text.push_str(&text),
                None if self.in_code => {}
                None => self.say(range.start, &text),
            },
            Event::Code(text) => {
                self.say(range.start, "`");
                self.say(range.start, &text);
                self.say(range.start, "`");
            }
            Event::TaskListMarker(done) => {
                self.say(range.start, if done { "[x] " } else { "[ ] " });
            }
            _ => {}
        }
    }

    fn say(&mut self, offset: usize, text: &str) {
        self.open.get_or_insert((offset, None));
        self.text.push_str(text);
    }

    fn end_line(&mut self) {
        if let Some((offset, heading)) = self.open.take() {
            let text = self.text.trim();
            let matters = heading.is_some() || !self.any_text || begins_with_status(text);
            if matters && !text.is_empty() && self.quotes == 0 {
                let number = self.numbers.at(offset);
                self.any_text |= heading.is_none();
                self.found.lines.push(Line { number, text: text.to_owned(), heading });
            }
        }
        self.text.clear();
    }
}

/// A first look that needs no copy; what the line says is for the room's `status` to judge.
fn begins_with_status(text: &str) -> bool {
    const WORD: &str = "status";
    let text = text.strip_prefix("[x]").unwrap_or(text).trim_start();
    text.get(..WORD.len()).is_some_and(|start| start.eq_ignore_ascii_case(WORD))
}

/// Whether a fenced block, from its first to its last byte, ends with a fence.
fn is_closed(block: &str) -> bool {
    let opening = block.trim_start();
    let fence = if opening.starts_with('~') { '~' } else { '`' };
    let width = opening.chars().take_while(|c| *c == fence).count();
    let Some((_, last)) = block.trim_end().rsplit_once('\n') else { return false };
    let last = last.trim_start_matches([' ', '\t', '>']);
    last.len() >= width && last.chars().all(|c| c == fence)
}

/// Byte offset -> line. Offsets come nearly in order, so it goes on from where it was.
struct LineNumbers<'a> {
    body: &'a str,
    offset: usize,
    number: u32,
}

impl LineNumbers<'_> {
    fn at(&mut self, offset: usize) -> u32 {
        let newlines = |from: usize, to: usize| {
            let between = self.body.as_bytes().get(from..to).unwrap_or_default();
            u32::try_from(between.split(|b| *b == b'\n').count() - 1).unwrap_or(u32::MAX)
        };
        self.number = if offset >= self.offset {
            self.number.saturating_add(newlines(self.offset, offset))
        } else {
            self.number.saturating_sub(newlines(offset, self.offset))
        };
        self.offset = offset;
        self.number
    }
}
