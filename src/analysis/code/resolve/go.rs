//! Go: packages are directories below a module.

use super::super::{Language, Written};
use super::From;
use std::collections::BTreeSet;

/// Files of a package that are looked into for the names used; more are taken for none.
const MAX_FILES: usize = 64;

pub(super) fn resolve(from: &From<'_, '_>, written: &Written, found: &mut BTreeSet<usize>) {
    let path = written.text.as_str();
    let modules = from.code.packages().of_language(Language::GoMod);
    let within = |name: &str| {
        let rest = path.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
    };
    let best =
        modules.filter_map(|m| Some((m, within(&m.name)?))).max_by_key(|(m, _)| m.name.len());
    let Some((module, inside)) = best else { return };
    let Some(dir) = super::join(&module.dir, inside) else { return };
    let mut files = from.directly_in(&dir, ".go", MAX_FILES);
    files.retain(|file| !from.tree().path(*file).ends_with("_test.go"));
    if files.len() > 1 && !written.names.is_empty() {
        let may_use = |file: &usize| written.names.iter().any(|n| from.code.may_define(*file, n));
        from.code.load(files.iter().copied().filter(may_use));
        let uses = |file: &usize| written.names.iter().any(|name| from.defines(*file, name));
        let wanted: Vec<usize> = files.iter().copied().filter(uses).collect();
        // Nothing found: what is used is made in a way that is not seen.
        if !wanted.is_empty() {
            files = wanted;
        }
    }
    found.extend(files);
}
