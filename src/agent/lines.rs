//! Bytes in any chunks -> whole lines, in bounded memory.

/// Longest line that is read. Agents print whole files into one line of JSON; the largest seen are below 10 MB.
pub(super) const LONGEST: usize = 16 * 1024 * 1024;

/// What is kept allocated between lines.
const KEPT: usize = 8 * 1024;

/// Splits a stream into lines.
#[derive(Debug)]
pub(super) struct Lines {
    partial: Vec<u8>,
    longest: usize,
    skipping: bool,
}

/// What comes out.
pub(super) enum Piece<'a> {
    /// A line without its line break; the last one of a stream may have had none.
    Line {
        /// Its bytes.
        bytes: &'a [u8],
        /// Whether a line break ended it.
        complete: bool,
    },
    /// A line above the cap, gone.
    TooLong,
}

impl Lines {
    pub(super) fn new(longest: usize) -> Self {
        Self { partial: Vec::new(), longest, skipping: false }
    }

    /// Takes the next bytes and gives out every line they complete.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Piece)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.skipping {
                self.skipping = false;
                continue;
            }
            if self.partial.len() + line.len() > self.longest {
                self.forget();
                each(Piece::TooLong);
            } else if self.partial.is_empty() {
                each(Piece::Line { bytes: line, complete: true });
            } else {
                self.partial.extend_from_slice(line);
                each(Piece::Line { bytes: &self.partial, complete: true });
                self.forget();
            }
        }
        if self.skipping {
            return;
        }
        if self.partial.len() + bytes.len() > self.longest {
            self.skipping = true;
            self.forget();
            each(Piece::TooLong);
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    /// The end of the stream: gives out what no line break ended.
    pub(super) fn finish(&mut self, mut each: impl FnMut(Piece)) {
        let partial = std::mem::take(&mut self.partial);
        if !partial.is_empty() {
            each(Piece::Line { bytes: &partial, complete: false });
        }
    }

    fn forget(&mut self) {
        self.partial.clear();
        self.partial.shrink_to(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(longest: usize, chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::new(longest);
        let mut seen = Vec::new();
        let mut note = |piece: Piece| {
            seen.push(match piece {
                Piece::Line { bytes, complete } => {
                    format!(
                        "{}{}",
                        String::from_utf8_lossy(bytes),
                        if complete { "." } else { "?" }
                    )
                }
                Piece::TooLong => "long".to_owned(),
            });
        };
        for chunk in chunks {
            lines.feed(chunk, &mut note);
        }
        lines.finish(&mut note);
        seen
    }

    #[test]
    fn lines_come_out_whole() {
        assert_eq!(split(9, &[b"a\nb", b"c\n\nd"]), ["a.", "bc.", ".", "d?"]);
        assert_eq!(split(9, &[]), Vec::<String>::new());
    }

    #[test]
    fn a_line_above_the_cap_is_dropped_alone() {
        assert_eq!(
            split(3, &[b"abcd\nab", b"c\n", b"abc", b"d", b"efgh\nx\n"]),
            ["long", "abc.", "long", "x."]
        );
    }

    #[test]
    fn memory_is_given_back_after_a_long_line() {
        let mut lines = Lines::new(LONGEST);
        lines.feed(&vec![b'x'; 10_000_000], |_| {});
        let mut length = 0;
        lines.feed(b"\n", |piece| {
            if let Piece::Line { bytes, .. } = piece {
                length = bytes.len();
            }
        });
        assert_eq!(length, 10_000_000);
        assert!(lines.partial.capacity() <= KEPT);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(text in "[abc\n]{0,60}", cuts in proptest::collection::vec(0usize..60, 0..6)) {
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(split(4, &chunks), split(4, &[bytes]));
        }
    }
}
