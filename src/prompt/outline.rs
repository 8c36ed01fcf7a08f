//! The Markdown of a body: headings, lines of text, fenced code blocks; all in one pass.

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
    pub line: u32,
    /// The text, trimmed. Inline code is in it with its backticks.
    pub text: String,
    /// 1 to 6 for a heading.
    pub heading: Option<u8>,
}

/// What a body is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    /// Headings and lines of text in order; nothing from code, HTML or quotes.
    pub lines: Vec<Line>,
    pub blocks: Vec<CodeBlock>,
}

/// Reads `body`, which begins on line `body_line` of its file.
pub(super) fn outline(body: &str, body_line: u32) -> Outline {
    let mut builder = Builder {
        body,
        lines: LineNumbers::new(body, body_line),
        found: Outline::default(),
        open: None,
        code: None,
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
    lines: LineNumbers<'a>,
    found: Outline,
    /// The line of text or heading that is being read.
    open: Option<Line>,
    /// The fenced block that is being read.
    code: Option<CodeBlock>,
    quotes: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, range: std::ops::Range<usize>) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                self.end_line();
                if let CodeBlockKind::Fenced(info) = kind {
                    let line = self.lines.at(range.start);
                    let closed = is_closed(self.body.get(range).unwrap_or_default());
                    let info = info.trim().to_owned();
                    self.code = Some(CodeBlock { info, line, text: String::new(), closed });
                }
            }
            Event::End(TagEnd::CodeBlock) => self.found.blocks.extend(self.code.take()),
            Event::Start(Tag::Heading { level, .. }) => {
                self.end_line();
                self.begin(range.start, Some(level as u8));
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
                match &mut self.open {
                    Some(open) if open.heading.is_some() => open.text.push(' '),
                    _ => self.end_line(),
                }
            }
            Event::Text(text) => match &mut self.code {
                Some(code) => code.text.push_str(&text),
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

    fn begin(&mut self, offset: usize, heading: Option<u8>) {
        let line = self.lines.at(offset);
        self.open = Some(Line { line, text: String::new(), heading });
    }

    fn say(&mut self, offset: usize, text: &str) {
        if self.open.is_none() {
            self.begin(offset, None);
        }
        if let Some(open) = &mut self.open {
            open.text.push_str(text);
        }
    }

    fn end_line(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.text = open.text.trim().to_owned();
            if !open.text.is_empty() && self.quotes == 0 {
                self.found.lines.push(open);
            }
        }
    }
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

/// Byte offset -> line. Events come nearly in order, so it goes on from where it was.
struct LineNumbers<'a> {
    body: &'a str,
    offset: usize,
    line: u32,
    first: u32,
}

impl<'a> LineNumbers<'a> {
    fn new(body: &'a str, first: u32) -> Self {
        Self { body, offset: 0, line: first, first }
    }

    fn at(&mut self, offset: usize) -> u32 {
        if offset < self.offset {
            (self.offset, self.line) = (0, self.first);
        }
        let between = self.body.as_bytes().get(self.offset..offset).unwrap_or_default();
        let newlines = between.iter().filter(|b| **b == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.offset = offset;
        self.line
    }
}
