//! Globs and directories on the tree.

use super::Tree;
use globset::{Glob, GlobBuilder, GlobMatcher};

/// A pattern that matches more files than this stays a pattern: listing them would say nothing
/// more, and two hundred prompts that each write half of a large repository stay cheap.
pub(super) const MAX_EXPANSION: usize = 256;

/// What a pattern means on a tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expansion {
    /// The files, at most [`MAX_EXPANSION`].
    Files(Vec<String>),
    /// More than that: how many.
    TooMany(usize),
}

/// Whether `text` has characters that mean something in a glob.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// Longest glob, bytes: far above any that a person writes, and below what its compiler refuses.
const MAX_GLOB: usize = 500;

/// Parses a glob in which `*` does not cross a `/`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(glob: &str) -> Result<Glob, String> {
    if glob.len() > MAX_GLOB {
        return Err(format!("it is longer than {MAX_GLOB} bytes"));
    }
    let parsed = GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build();
    parsed.map_err(|error| error.kind().to_string())
}

/// The part of a glob before its first special character, cut at the last `/`.
fn literal_directory(glob: &str) -> &str {
    let literal = &glob[..glob.find(['*', '?', '[', '{', '\\']).unwrap_or(glob.len())];
    &literal[..literal.rfind('/').map_or(0, |slash| slash + 1)]
}

/// The files a glob matches.
pub(super) fn expand(tree: &Tree, glob: &Glob) -> Expansion {
    let matcher: GlobMatcher = glob.compile_matcher();
    let mut files = Vec::new();
    let mut count = 0;
    for path in tree.under(literal_directory(glob.glob())) {
        if matcher.is_match(path) {
            count += 1;
            if files.len() < MAX_EXPANSION {
                files.push(path.clone());
            }
        }
    }
    if count > MAX_EXPANSION { Expansion::TooMany(count) } else { Expansion::Files(files) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_directory_a_glob_names_is_searched() {
        for (glob, directory) in
            [("src/**/*.rs", "src/"), ("src/a*/b", "src/"), ("*.rs", ""), ("a/b/c", "a/b/")]
        {
            assert_eq!(literal_directory(glob), directory);
        }
    }

    #[test]
    fn a_star_stays_in_its_directory_and_many_files_stay_a_pattern() {
        let many = (0..=MAX_EXPANSION).map(|i| format!("gen/{i}.rs"));
        let tree = Tree::new(many.chain(["src/a.rs".into(), "src/b/c.rs".into()]).collect());
        let on = |glob| expand(&tree, &parse(glob).unwrap());
        assert_eq!(on("src/*.rs"), Expansion::Files(vec!["src/a.rs".into()]));
        assert_eq!(on("{src,lib}/**/c.rs"), Expansion::Files(vec!["src/b/c.rs".into()]));
        assert_eq!(on("gen/*"), Expansion::TooMany(MAX_EXPANSION + 1));
        assert_eq!(on("nothing/*"), Expansion::Files(vec![]));
    }
}
