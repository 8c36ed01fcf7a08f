//! A prompt as lines, each with where it stands: prose, a list, fenced code, under which heading.

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Text, lists, tables, quotes.
    Prose,
    /// A fenced block.
    Code,
    /// A fenced block of shell commands.
    Shell,
}

/// A line of a prompt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// In the prompt file, from 1.
    pub number: u32,
    /// Without the line end.
    pub text: &'a str,
    /// Where it stands.
    pub place: Place,
    /// The heading it stands under.
    pub heading: &'a str,
    /// The line that introduces the list it belongs to (`Change these:`), or nothing.
    pub intro: &'a str,
    /// Whether it is a heading itself.
    pub is_heading: bool,
}

/// The lines of `text`, the first of which is line `first` of its file; fence lines are left out.
pub(super) fn lines(text: &str, first: u32) -> impl Iterator<Item = Line<'_>> {
    let mut state = State::default();
    text.split('\n').enumerate().filter_map(move |(i, raw)| {
        let number = first.saturating_add(u32::try_from(i).unwrap_or(u32::MAX));
        state.next(raw.strip_suffix('\r').unwrap_or(raw), number)
    })
}

#[derive(Default)]
struct State<'a> {
    /// The character and length of the fence that is open, and what it holds.
    fence: Option<(char, usize, Place)>,
    heading: &'a str,
    intro: &'a str,
}

impl<'a> State<'a> {
    fn next(&mut self, text: &'a str, number: u32) -> Option<Line<'a>> {
        let trimmed = text.trim();
        let mut line = Line {
            number,
            text,
            place: Place::Prose,
            heading: self.heading,
            intro: self.intro,
            is_heading: false,
        };
        if let Some((mark, length, place)) = self.fence {
            if trimmed.len() >= length && trimmed.chars().all(|c| c == mark) {
                self.fence = None;
                return None;
            }
            line.place = place;
            return Some(line);
        }
        if let Some(fence) = opening_fence(trimmed) {
            self.fence = Some(fence);
            return None;
        }
        if let Some(heading) = heading(trimmed) {
            self.heading = heading;
            self.intro = "";
            line.is_heading = true;
            line.heading = "";
            line.intro = "";
        } else if !trimmed.is_empty() && !is_item(trimmed) && !text.starts_with([' ', '\t']) {
            line.intro = "";
            self.intro = if trimmed.ends_with([':', '：']) { trimmed } else { "" };
        }
        Some(line)
    }
}

fn opening_fence(trimmed: &str) -> Option<(char, usize, Place)> {
    let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = trimmed.chars().take_while(|&c| c == mark).count();
    let info = trimmed[length..].trim();
    if length < 3 || (mark == '`' && info.contains('`')) {
        return None;
    }
    let language = info.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
    let shell = ["sh", "bash", "shell", "zsh", "fish", "console"]
        .iter()
        .any(|name| language.eq_ignore_ascii_case(name));
    Some((mark, length, if shell { Place::Shell } else { Place::Code }))
}

fn heading(trimmed: &str) -> Option<&str> {
    let text = trimmed.trim_start_matches('#');
    let level = trimmed.len() - text.len();
    ((1..=6).contains(&level) && (text.is_empty() || text.starts_with([' ', '\t'])))
        .then(|| text.trim())
}

fn is_item(trimmed: &str) -> bool {
    let rest = trimmed.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < trimmed.len() && rest.starts_with(['.', ')']);
    numbered || trimmed.starts_with(['-', '*', '+', '|', '•', '・', '>'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_where_they_stand() {
        let text = "# Do\r\nChange these:\n\n- a\n  b\n\n~~~sh\nrm x\n```\n~~~\n## See\nc\n````\nd";
        let got: Vec<_> = lines(text, 5)
            .filter(|l| !l.text.is_empty())
            .map(|l| (l.number, l.text, l.place, l.heading, l.intro))
            .collect();
        assert_eq!(
            got,
            [
                (5, "# Do", Place::Prose, "", ""),
                (6, "Change these:", Place::Prose, "Do", ""),
                (8, "- a", Place::Prose, "Do", "Change these:"),
                (9, "  b", Place::Prose, "Do", "Change these:"),
                (12, "rm x", Place::Shell, "Do", "Change these:"),
                (13, "```", Place::Shell, "Do", "Change these:"),
                (15, "## See", Place::Prose, "", ""),
                (16, "c", Place::Prose, "See", ""),
                (18, "d", Place::Code, "See", ""),
            ]
        );
    }

    #[test]
    fn inline_code_in_triple_backticks_opens_no_fence() {
        assert_eq!(lines("```a``` b\nc", 1).filter(|l| l.place == Place::Prose).count(), 2);
    }
}
