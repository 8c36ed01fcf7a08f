//! Modules as programs name them: `crate::tui::runner`, `bot.live`.

use super::Tree;
use super::resolve::Found;
use super::tree::extension;

/// How certain a module path's file is: the last part may be a function of the parent.
const CERTAINTY: f64 = 0.8;

/// `first::rest` to the one file it can mean.
pub(super) fn rust(tree: &Tree, first: &str, rest: &str) -> Option<Found> {
    let mut parts: Vec<&str> = std::iter::once(first).chain(rest.split("::")).collect();
    let rooted = matches!(parts.first(), Some(&("crate" | "super" | "self")));
    parts.retain(|part| !matches!(*part, "crate" | "super" | "self" | ""));
    let least = if rooted { 1 } else { 2 };
    if !tree.knows_extension("rs") {
        return None;
    }
    find(tree, &parts, least, &["rs"], "mod.rs")
}

/// `a.b.c` to the one file it can mean.
pub(super) fn dotted(tree: &Tree, text: &str) -> Option<Found> {
    let parts: Vec<&str> = text.split('.').collect();
    // `a.b` is more often a field or a method than a module.
    if parts.len() < 3 || text.contains('/') {
        return None;
    }
    find(tree, &parts, 2, &["py", "java", "kt", "scala", "ex", "hs"], "__init__.py")
}

/// The file of the longest beginning of `parts` (at least `least` of them) that is a module: one with
/// one of `extensions`, or a directory with the file `index`.
fn find(
    tree: &Tree,
    parts: &[&str],
    least: usize,
    extensions: &[&str],
    index: &str,
) -> Option<Found> {
    let is_name = |part: &&str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let usable = parts.iter().take(8).take_while(|part| is_name(part)).count();
    for length in (least.max(1)..=usable).rev() {
        let end = parts[..length].join("/");
        let stem = parts[length - 1];
        let at_border = |path: &str| {
            path.strip_suffix(end.as_str())
                .is_some_and(|start| start.is_empty() || start.ends_with('/'))
        };
        let own = tree.with_stem(stem).take(MAX_SAME_NAME).filter(|path| {
            extension(path).is_some_and(|e| {
                extensions.contains(&e) && at_border(&path[..path.len() - e.len() - 1])
            })
        });
        let index = ["", "src/", "lib/"]
            .into_iter()
            .map(|root| format!("{root}{end}/{index}"))
            .find(|path| tree.contains(path));
        let mut found: Vec<String> = own.map(str::to_owned).chain(index).collect();
        found.dedup();
        match found.len() {
            0 => {}
            1 => return found.pop().map(|path| Found::File(path, CERTAINTY)),
            _ => return None,
        }
    }
    None
}

/// A stem more common than this names no module in particular.
const MAX_SAME_NAME: usize = 256;
