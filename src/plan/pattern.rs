//! Globs as sets of paths: what one matches, and whether two can match the same path.

use globset::{GlobBuilder, GlobMatcher};

/// A glob, compiled once.
pub(super) struct Pattern {
    text: String,
    matcher: Option<GlobMatcher>,
}

/// Longest glob that is compiled, bytes: the compiler panics on very long ones.
const MAX_GLOB: usize = 1_000;

impl Pattern {
    /// `None` inside for a text that is no glob: it matches itself only.
    pub(super) fn new(text: &str) -> Self {
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
        let glob = glob.ok().filter(|_| text.len() <= MAX_GLOB);
        Self { text: text.to_owned(), matcher: glob.map(|glob| glob.compile_matcher()) }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a path, or everything under a directory written with a slash at its end, is inside.
    pub(super) fn matches(&self, path: &str) -> bool {
        match &self.matcher {
            Some(matcher) => matcher.is_match(path.trim_end_matches('/')) || matcher.is_match(path),
            None => self.text == path,
        }
    }

    /// What every match begins with.
    pub(super) fn literal(&self) -> &str {
        &self.text[..self.text.find(['*', '?', '[', '{', '\\']).unwrap_or(self.text.len())]
    }

    /// Whether some path could match both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.literal(), other.literal());
        if !a.starts_with(b) && !b.starts_with(a) {
            return false;
        }
        let segments = |text: &str| {
            text.trim_end_matches('/').split('/').map(str::to_owned).collect::<Vec<_>>()
        };
        let mut steps = MAX_STEPS;
        paths_overlap(&segments(&self.text), &segments(&other.text), &mut steps)
    }
}

/// How many comparisons two patterns may cost; beyond that they are said to overlap, which is safe.
const MAX_STEPS: u32 = 10_000;

fn paths_overlap(a: &[String], b: &[String], steps: &mut u32) -> bool {
    if *steps == 0 {
        return true;
    }
    *steps -= 1;
    match (a.split_first(), b.split_first()) {
        (None, None) => true,
        (None, Some((rest, more))) | (Some((rest, more)), None) => rest == "**" && more.is_empty(),
        (Some((x, more_a)), Some((y, more_b))) => {
            if x == "**" {
                return paths_overlap(more_a, b, steps) || paths_overlap(a, more_b, steps);
            }
            if y == "**" {
                return paths_overlap(a, more_b, steps) || paths_overlap(more_a, b, steps);
            }
            segments_overlap(x, y, steps) && paths_overlap(more_a, more_b, steps)
        }
    }
}

fn segments_overlap(a: &str, b: &str, steps: &mut u32) -> bool {
    // Classes and choices are rare: one side that has them is taken to match.
    let plain = |text: &str| !text.contains(['[', '{', '\\']);
    if !plain(a) || !plain(b) {
        return a == b || !plain(a) && !ends_differ(a, b) || !plain(b) && !ends_differ(b, a);
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    chars_overlap(&a, &b, steps)
}

/// Whether what stands before the first and behind the last special character already differs.
fn ends_differ(a: &str, b: &str) -> bool {
    let head = |text: &str| text.find(['*', '?', '[', '{', '\\']).unwrap_or(text.len());
    let tail = |text: &str| text.rfind(['*', '?', ']', '}', '\\']).map_or(0, |i| i + 1);
    let (a1, b1) = (&a[..head(a)], &b[..head(b)]);
    let (a2, b2) = (&a[tail(a)..], &b[tail(b)..]);
    (!a1.starts_with(b1) && !b1.starts_with(a1)) || (!a2.ends_with(b2) && !b2.ends_with(a2))
}

fn chars_overlap(a: &[char], b: &[char], steps: &mut u32) -> bool {
    if *steps == 0 {
        return true;
    }
    *steps -= 1;
    match (a.split_first(), b.split_first()) {
        (None, None) => true,
        (None, Some((c, more))) | (Some((c, more)), None) => {
            *c == '*' && more.iter().all(|c| *c == '*')
        }
        (Some((x, more_a)), Some((y, more_b))) => {
            if *x == '*' {
                return chars_overlap(more_a, b, steps) || chars_overlap(a, more_b, steps);
            }
            if *y == '*' {
                return chars_overlap(a, more_b, steps) || chars_overlap(more_a, b, steps);
            }
            (x == y || *x == '?' || *y == '?') && chars_overlap(more_a, more_b, steps)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_of_globs() {
        for (a, b, overlap) in [
            ("src/**", "src/a/*.rs", true),
            ("src/**/*.rs", "src/a/b.rs", true),
            ("src/*.rs", "src/*.py", false),
            ("src/*.rs", "src/a/*.rs", false),
            ("**/*.rs", "src/**", true),
            ("src/**", "srcs/**", false),
            ("a/**/z", "a/b/**", true),
            ("a/*b", "a/c*", true),
            ("a/x*b", "a/c*", false),
            ("{a,b}/**", "c/x", true),
            ("src/{a,b}.rs", "src/*.py", false),
            ("a?c/*", "abc/d", true),
            ("src/[ab].rs", "src/a.rs", true),
        ] {
            assert_eq!(Pattern::new(a).overlaps(&Pattern::new(b)), overlap, "{a} {b}");
            assert_eq!(Pattern::new(b).overlaps(&Pattern::new(a)), overlap, "{b} {a}");
        }
    }

    #[test]
    fn a_directory_is_inside_its_glob() {
        assert!(Pattern::new("src/**").matches("src/tui/"));
        assert!(!Pattern::new("src/**").matches("lib/tui/"));
        assert!(Pattern::new("a[").matches("a[") && !Pattern::new("a[").matches("a"));
    }

    #[test]
    fn a_pattern_too_long_to_compile_matches_itself() {
        let long = "*a/".repeat(100_000);
        assert!(Pattern::new(&long).matches(&long));
    }

    #[test]
    fn many_stars_end() {
        let a = Pattern::new(&"*a".repeat(60));
        let b = Pattern::new(&"*b".repeat(60));
        assert!(a.overlaps(&b));
    }
}
