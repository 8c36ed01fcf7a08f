//! C and C++: beside the file, in the include directories above it, or the only file that ends so.

use super::super::Written;
use super::{From, join, upwards};
use std::collections::BTreeSet;

/// Where headers are, below a directory that holds a project or a part of one.
const DIRECTORIES: [&str; 4] = ["include", "", "src", "inc"];

pub(super) fn resolve(from: &From<'_, '_>, written: &Written, found: &mut BTreeSet<usize>) {
    let text = written.text.as_str();
    let quoted = text.starts_with('"');
    let header = text.trim_matches(['"', '<', '>']);
    if header.is_empty() {
        return;
    }
    let beside = join(from.dir(), header).filter(|_| quoted).and_then(|p| from.tree().place(&p));
    let included = || {
        let dirs = upwards(from.dir())
            .flat_map(|dir| DIRECTORIES.into_iter().filter_map(move |d| join(dir, d)));
        dirs.into_iter().find_map(|dir| from.tree().place(&join(&dir, header)?))
    };
    // `<string.h>` is the system's, whoever else has a file of that name.
    let by_end = || {
        (quoted || header.contains('/')).then(|| from.by_end(header.trim_start_matches("../")))?
    };
    let plain_system = !quoted && !header.contains('/');
    let file = beside.or_else(|| if plain_system { in_include(from, header) } else { included() });
    found.extend(file.or_else(by_end));
}

/// A header without a directory in angle brackets: only from a directory made for them.
fn in_include(from: &From<'_, '_>, header: &str) -> Option<usize> {
    upwards(from.dir()).find_map(|dir| from.tree().place(&join(dir, &format!("include/{header}"))?))
}
